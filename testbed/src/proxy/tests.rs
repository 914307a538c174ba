use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::{
    client,
    message::{Call, End as ReplyEnd},
    origin::{Answer, Origin},
    wait,
};

const SOON: Duration = Duration::from_secs(10);

async fn rig() -> (Origin, Proxy) {
    let origin = Origin::start(|asked| Answer::new(200).body(asked.body.clone())).await.unwrap();
    let proxy = Proxy::start(origin.address()).await.unwrap();
    (origin, proxy)
}

fn post() -> Call {
    Call::post("/").body("x".repeat(10_000))
}

/// What a client gets: the number of body bytes and whether the reply was whole, or why there is none.
async fn told(proxy: &Proxy) -> Result<(usize, bool), String> {
    let reply = client::call(proxy.address(), &post()).await.map_err(|error| format!("{error:#}"))?;
    Ok((reply.body.len(), !matches!(reply.end, ReplyEnd::Cut(_))))
}

#[tokio::test]
async fn everything_passes_until_something_else_is_said() {
    let (_origin, proxy) = rig().await;

    assert_eq!(told(&proxy).await, Ok((10_000, true)));

    assert_eq!(proxy.counts(), Counts { connections: 1, ..Counts::default() });
}

#[tokio::test]
async fn refusing_closes_the_port_and_passing_opens_it_again() {
    let (_origin, proxy) = rig().await;

    proxy.set(Mode::Refuse).await.unwrap();
    assert!(TcpStream::connect(proxy.address()).await.is_err());

    proxy.set(Mode::Pass).await.unwrap();
    assert_eq!(told(&proxy).await, Ok((10_000, true)));
}

#[tokio::test]
async fn open_connections_are_reset_at_once() {
    let (_origin, proxy) = rig().await;
    let mut open = TcpStream::connect(proxy.address()).await.unwrap();
    open.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n").await.unwrap();
    wait::until("the connection", SOON, async || {
        anyhow::ensure!(proxy.counts().connections == 1);
        Ok(())
    })
    .await
    .unwrap();

    proxy.set(Mode::Reset).await.unwrap();

    let read = tokio::time::timeout(SOON, open.read_u8()).await.unwrap();
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert!(told(&proxy).await.is_err());
    assert_eq!(proxy.counts().resets, 2);
}

#[tokio::test]
async fn black_hole_swallows_and_what_was_swallowed_breaks_the_connection() {
    let (origin, proxy) = rig().await;

    proxy.set(Mode::BlackHole).await.unwrap();
    let mut open = TcpStream::connect(proxy.address()).await.unwrap();
    open.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let all = async || {
        anyhow::ensure!(proxy.counts().swallowed_bytes == 27);
        Ok(())
    };
    wait::until("swallowed bytes", SOON, all).await.unwrap();
    proxy.set(Mode::Pass).await.unwrap();

    let read = tokio::time::timeout(SOON, open.read_u8()).await.unwrap();
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert!(origin.asked().is_empty());
    assert_eq!(told(&proxy).await, Ok((10_000, true)));
}

#[tokio::test]
async fn request_is_cut_after_so_many_bytes() {
    let (origin, proxy) = rig().await;

    proxy.set(Mode::Cut { of: Half::Request, after: After::Bytes(2_000), by: Break::Reset }).await.unwrap();

    assert!(told(&proxy).await.is_err());
    assert!(origin.asked().is_empty());
    assert_eq!(proxy.counts().cuts, 1);
}

#[tokio::test]
async fn reply_is_truncated_in_good_order() {
    let (origin, proxy) = rig().await;

    proxy.set(Mode::Cut { of: Half::Reply, after: After::Bytes(5_000), by: Break::Close }).await.unwrap();

    let (bytes, whole) = told(&proxy).await.unwrap();
    assert!(!whole && (4_000..5_000).contains(&bytes), "{bytes} {whole}");
    assert_eq!((origin.asked().len(), proxy.counts().cuts), (1, 1));
}

#[tokio::test]
async fn reply_hangs_after_its_head() {
    let (origin, proxy) = rig().await;
    proxy.set(Mode::Cut { of: Half::Reply, after: After::Head, by: Break::Silence }).await.unwrap();

    let mut open = TcpStream::connect(proxy.address()).await.unwrap();
    open.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc").await.unwrap();
    wait::until("the cut", SOON, async || {
        anyhow::ensure!(proxy.counts().cuts == 1);
        Ok(())
    })
    .await
    .unwrap();
    proxy.set(Mode::Pass).await.unwrap();
    let mut read = Vec::new();
    let _ = tokio::time::timeout(SOON, open.read_to_end(&mut read)).await.unwrap();

    assert!(read.starts_with(b"HTTP/1.1 200") && read.ends_with(b"\r\n\r\n"), "{}", String::from_utf8_lossy(&read));
    assert_eq!(origin.asked().len(), 1);
}

#[tokio::test]
async fn slow_bytes_are_all_there_and_go_at_once_when_it_ends() {
    let (_origin, proxy) = rig().await;
    proxy.set(Mode::Throttle { bytes: 1_000, every: Duration::from_secs(3_600) }).await.unwrap();

    let (post, call) = (post(), async |post: &Call| client::call(proxy.address(), post).await);
    let healed = async {
        wait::until("a pause", SOON, async || {
            anyhow::ensure!(proxy.counts().throttled > 0);
            Ok(())
        })
        .await?;
        proxy.set(Mode::Pass).await
    };
    let (reply, healed) = tokio::join!(call(&post), healed);

    healed.unwrap();
    assert_eq!(reply.unwrap().body.len(), 10_000);
}

#[tokio::test]
async fn late_bytes_are_all_there() {
    let (_origin, proxy) = rig().await;

    proxy.set(Mode::Delay(Duration::from_millis(1))).await.unwrap();

    assert_eq!(told(&proxy).await, Ok((10_000, true)));
    assert!(proxy.counts().delays >= 2);
}

#[tokio::test]
async fn diverted_connections_go_elsewhere_and_come_back() {
    let (origin, proxy) = rig().await;
    let other = Origin::start(|_| Answer::new(503)).await.unwrap();

    proxy.set(Mode::Divert(other.address())).await.unwrap();
    assert_eq!(told(&proxy).await, Ok((0, true)));
    assert_eq!((origin.asked().len(), other.asked().len(), proxy.counts().diverted), (0, 1, 1));

    proxy.set(Mode::Pass).await.unwrap();
    assert_eq!(told(&proxy).await, Ok((10_000, true)));
}

#[tokio::test]
async fn absent_server_is_a_reset() {
    let nobody = Port::tcp().unwrap();
    let proxy = Proxy::start(nobody.address()).await.unwrap();

    assert!(told(&proxy).await.is_err());

    assert_eq!(proxy.counts().unreachable, 1);
}
