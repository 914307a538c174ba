use futures_util::FutureExt as _;
use quinn::{RecvStream, ServerConfig};
use rustls::pki_types::PrivateKeyDer;

use super::*;

/// A server that shows what came, as it came.
fn server() -> Result<(Endpoint, String)> {
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([SERVER_NAME.to_owned()])?;
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls =
        rustls::ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut tls = tls.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key)?;
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let config = quinn::crypto::rustls::QuicServerConfig::try_from(tls)?;
    let endpoint = Endpoint::server(ServerConfig::with_crypto(Arc::new(config)), (Ipv4Addr::LOCALHOST, 0).into())?;
    Ok((endpoint, cert.pem()))
}

/// Whether the end of the stream is there as soon as its first bytes are.
async fn ends_with_its_beginning(stream: &mut RecvStream) -> Result<bool> {
    stream.read_chunk(usize::MAX, true).await?.context("an empty stream")?;
    Ok(matches!(stream.read_chunk(usize::MAX, true).now_or_never(), Some(Ok(None))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_head_of_a_request_and_its_end_come_together() -> Result<()> {
    let (server, certificate) = server()?;
    let accepted = async { anyhow::Ok(server.accept().await.context("no connection")?.await?) };
    let opened = Connection::open(server.local_addr()?, &certificate);
    let (mut client, accepted) = tokio::try_join!(opened, accepted)?;

    for count in 0..500 {
        let _stream = client.start(&Call::get("/")).await?;
        let (_answer, mut request) = accepted.accept_bi().await?;
        assert!(ends_with_its_beginning(&mut request).await?, "request {count}");
    }
    Ok(())
}
