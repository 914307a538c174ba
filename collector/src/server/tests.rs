//! The server on real sockets of the loopback.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, rustls::RootCertStore, rustls::pki_types::ServerName};

use super::{tls::TlsFiles, *};
use crate::{
    app::Limits,
    body::BodyLimits,
    door::{Door, Exposure},
    lines::LineLimits,
    sink::{
        Sink,
        memory::{Behaviour, MemorySink},
    },
};

/// Far longer than anything here takes; a test that gets there has failed.
const NEVER: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(100);
/// One test waits for it; all others must never meet it, however busy the machine is.
const BODY_WITHIN: Duration = Duration::from_secs(3);

const RELAXED: ServerLimits = ServerLimits {
    max_connections: 10,
    first_byte_within: NEVER,
    tls_handshake_within: NEVER,
    header_within: NEVER,
    max_idle: NEVER,
    write_within: NEVER,
    max_header_bytes: 8192,
    max_headers: 20,
    max_streams: 10,
};

const POST: &str = "POST /v1/exchanges HTTP/1.1\r\nhost: c\r\ncontent-type: application/x-ndjson\r\ncontent-length: 28\r\n\r\n{\"request\":{\"method\":\"get\"}}";

struct Rig {
    address: SocketAddr,
    sink: Arc<MemorySink>,
    app: Arc<App>,
    server: Arc<Server>,
    serving: JoinHandle<()>,
}

impl Rig {
    async fn new(limits: ServerLimits) -> Rig {
        Rig::with(limits, None).await
    }

    async fn with(limits: ServerLimits, tls: Option<Arc<Tls>>) -> Rig {
        let posts = Limits {
            body: BodyLimits { max_encoded_bytes: 1000, max_decoded_bytes: 1000, timeout: BODY_WITHIN },
            lines: LineLimits {
                max_line_bytes: 1000,
                max_lines: 10,
                max_depth: 10,
                max_unpacked_body_bytes: 1000,
                max_unpacked_bytes: 1000,
            },
            answer_within: Duration::from_secs(2),
            max_bytes_in_flight: 100_000,
            max_sources: 10,
            max_acked_batches: 10,
        };
        let sink = Arc::new(MemorySink::default());
        let door = Door::new(None, tls.clone(), Exposure::None);
        let app = App::new(Arc::clone(&sink) as Arc<dyn Sink>, door, crate::wall::Wall::default(), posts);
        let server = Server::new(Arc::clone(&app), tls, limits);
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(Arc::clone(&server).serve(listener));
        Rig { address, sink, app, server, serving }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// Sends the bytes and reads until the server closes.
    async fn answer(&self, sent: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(sent.as_bytes()).await.expect("sent");
        rest(&mut stream).await
    }

    fn timed_out(&self) -> u64 {
        self.app.connections.timed_out.load(Ordering::Relaxed)
    }
}

/// Everything until the server closes (a reset counts as closed).
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut all = Vec::new();
    let read = timeout(NEVER, stream.read_to_end(&mut all)).await;
    read.expect("the server closes").ok();
    String::from_utf8_lossy(&all).into_owned()
}

/// One answer on a connection that stays open.
async fn one_answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), sent: &str) -> String {
    stream.write_all(sent.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") && !answer.ends_with(b"live\n") {
        let mut chunk = [0; 1024];
        let count = timeout(NEVER, stream.read(&mut chunk)).await.expect("in time").expect("readable");
        assert_ne!(count, 0, "closed after {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&chunk[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

const LIVE: &str = "GET /live HTTP/1.1\r\nhost: c\r\n\r\n";

#[tokio::test]
async fn a_post_over_http1_is_answered_and_the_connection_kept() {
    let rig = Rig::new(RELAXED).await;
    let mut stream = rig.connect().await;

    for _ in 0..3 {
        let answer = one_answer(&mut stream, POST).await;
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("{\"accepted\":1,\"rejected\":[]}"),
            "{answer}"
        );
    }
    assert_eq!(rig.sink.lines().len(), 3);
}

#[tokio::test]
async fn http2_needs_no_upgrade() {
    let rig = Rig::new(RELAXED).await;
    let io = TokioIo::new(rig.connect().await);
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), io).await.expect("a handshake");
    tokio::spawn(connection);
    let line = Full::new(Bytes::from_static(b"{\"request\":{\"method\":\"get\"}}"));
    let post = Request::post("http://c/v1/exchanges").header("content-type", "application/x-ndjson");

    let response = client.send_request(post.body(line).expect("a request")).await.expect("an answer");

    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await.expect("a whole body").to_bytes();
    assert_eq!(&body[..], b"{\"accepted\":1,\"rejected\":[]}");
}

#[tokio::test]
async fn tls_offers_both_protocols() {
    let (acceptor, roots) = certificate();
    let rig = Rig::with(RELAXED, Some(acceptor)).await;
    for (alpn, expected) in [("h2", "h2"), ("http/1.1", "http/1.1")] {
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let mut config = tokio_rustls::rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(Arc::new(config)).connect(name, rig.connect().await).await.expect("TLS");

        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(expected.as_bytes()));
        if alpn == "http/1.1" {
            let mut stream = stream;
            assert!(one_answer(&mut stream, POST).await.starts_with("HTTP/1.1 200 "));
        }
    }
}

#[tokio::test]
async fn plain_bytes_to_a_tls_port_are_counted_and_closed() {
    let rig = Rig::with(RELAXED, Some(certificate().0)).await;

    rig.answer(LIVE).await;

    assert_eq!(rig.app.connections.tls_failed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_tls_handshake_that_stalls_is_given_up() {
    let rig = Rig::with(ServerLimits { tls_handshake_within: SHORT, ..RELAXED }, Some(certificate().0)).await;

    rig.answer("\u{16}").await;

    assert_eq!(rig.timed_out(), 1);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let rig = Rig::new(ServerLimits { first_byte_within: SHORT, ..RELAXED }).await;

    assert_eq!(rig.answer("").await, "");

    assert_eq!(rig.timed_out(), 1);
}

#[tokio::test]
async fn a_head_that_does_not_end_is_closed() {
    for begun in ["G", "PRI", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\nhost: c\r\n"] {
        let rig = Rig::new(ServerLimits { header_within: SHORT, ..RELAXED }).await;

        rig.answer(begun).await;

        assert_eq!(rig.timed_out(), 1, "{begun:?}");
    }
}

#[tokio::test]
async fn a_second_head_that_does_not_end_is_closed_too() {
    let rig = Rig::new(ServerLimits { header_within: SHORT, ..RELAXED }).await;
    let mut stream = rig.connect().await;
    one_answer(&mut stream, LIVE).await;

    stream.write_all(b"GET / HT").await.expect("sent");

    assert_eq!(rest(&mut stream).await, "");
    assert_eq!(rig.timed_out(), 1);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let rig = Rig::new(ServerLimits { max_idle: SHORT, ..RELAXED }).await;
    let mut stream = rig.connect().await;
    one_answer(&mut stream, LIVE).await;

    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn a_body_that_does_not_end_gets_its_answer() {
    let rig = Rig::new(RELAXED).await;
    let mut stream = rig.connect().await;

    let answer = one_answer(&mut stream, &POST[..POST.len() - 1]).await;

    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn a_body_that_is_too_large_gets_its_answer_too() {
    let rig = Rig::new(RELAXED).await;
    let head = "POST /v1/exchanges HTTP/1.1\r\nhost: c\r\ncontent-type: application/x-ndjson\r\ncontent-length: 900000\r\n\r\n";
    let mut stream = rig.connect().await;

    let answer = one_answer(&mut stream, &format!("{head}{}", " ".repeat(10_000))).await;

    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_head_at_its_limits_passes_and_one_over_them_is_refused() {
    let rig = Rig::new(RELAXED).await;
    let bare = "GET /live HTTP/1.1\r\nhost: c\r\nconnection: close\r\n";
    let bytes = |all: usize| format!("{bare}x: {}\r\n\r\n", "x".repeat(all - bare.len() - "x: \r\n\r\n".len()));
    let headers = |all: usize| format!("{bare}{}\r\n", "x: y\r\n".repeat(all - 2));

    for (head, status) in [
        (bytes(8191), 200),
        (bytes(8192), 200),
        (bytes(8193), 431),
        (bytes(20_000), 431),
        (headers(19), 200),
        (headers(20), 200),
        (headers(21), 431),
    ] {
        let answer = rig.answer(&head).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{} bytes: {answer}", head.len());
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_is_closed() {
    let rig = Rig::new(ServerLimits { write_within: SHORT, ..RELAXED }).await;
    let mut stream = rig.connect().await;
    let requests = "GET /metrics HTTP/1.1\r\nhost: c\r\n\r\n".repeat(1000);

    // It may be closed before all of them are sent.
    let asked = timeout(NEVER, async { while stream.write_all(requests.as_bytes()).await.is_ok() {} });
    asked.await.expect("closed");

    let deadline = Instant::now() + NEVER;
    while rig.timed_out() == 0 {
        assert!(Instant::now() < deadline, "not counted");
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.app.connections.open.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn one_connection_too_many_is_closed_and_the_others_are_served() {
    let rig = Rig::new(ServerLimits { max_connections: 2, ..RELAXED }).await;
    let (mut one, mut two) = (rig.connect().await, rig.connect().await);
    one_answer(&mut one, LIVE).await;
    one_answer(&mut two, LIVE).await;

    assert_eq!(rig.answer("").await, "");
    assert_eq!(rig.app.connections.turned_away.load(Ordering::Relaxed), 1);
    one_answer(&mut one, LIVE).await;
    drop(two);
    let deadline = Instant::now() + NEVER;
    while !rig.answer("GET /live HTTP/1.1\r\nhost: c\r\nconnection: close\r\n\r\n").await.starts_with("HTTP/1.1 200 ") {
        assert!(Instant::now() < deadline, "its place is never free");
    }
}

#[tokio::test]
async fn ending_finishes_what_is_under_way_and_takes_nothing_new() {
    let rig = Rig::new(RELAXED).await;
    rig.sink.behave(Behaviour::Hang);
    let mut idle = rig.connect().await;
    one_answer(&mut idle, LIVE).await;
    let mut silent = rig.connect().await;
    let mut busy = rig.connect().await;
    busy.write_all(POST.as_bytes()).await.expect("sent");
    let deadline = Instant::now() + NEVER;
    while rig.app.posts.is_empty() {
        assert!(Instant::now() < deadline, "the post never arrives");
        tokio::task::yield_now().await;
    }

    let (finished, answer) = tokio::join!(rig.server.end(NEVER), rest(&mut busy));

    assert!(finished);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!((rest(&mut idle).await, rest(&mut silent).await), (String::new(), String::new()));
    rig.serving.await.expect("no panic");
    assert!(TcpStream::connect(rig.address).await.is_err());
}

/// A server's certificate for `localhost`, and the roots of a client that trusts it.
fn certificate() -> (Arc<Tls>, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (chain, key) = (directory.path().join("chain.pem"), directory.path().join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let files = TlsFiles { certificate: chain, key, client_ca: None };
    (Tls::open(files, Vec::new()).expect("they fit"), roots)
}
