//! An HTTP/3 client: the same calls over QUIC, with trailers both ways, early ends and resets.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use bytes::{Buf as _, Bytes, BytesMut};
use h3::{
    client::{RequestStream, SendRequest},
    error::Code,
};
use h3_quinn::{BidiStream, OpenStreams};
use quinn::{Endpoint, EndpointConfig, VarInt, crypto::rustls::QuicClientConfig};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio::task::JoinHandle;

use crate::message::{Call, End, Fields, Payload, Reply};
use flight::Flight;

mod flight;

/// The name in the certificate of the testbed's HTTP/3 listeners.
const SERVER_NAME: &str = "localhost";

/// One HTTP/3 connection; streams may run on it side by side.
pub struct Connection {
    sender: SendRequest<OpenStreams, Bytes>,
    quic: quinn::Connection,
    driver: JoinHandle<()>,
    flight: Flight,
    /// Holds the client's socket.
    _endpoint: Endpoint,
}

/// One stream whose request is sent.
pub struct Stream(RequestStream<BidiStream<Bytes>, Bytes>);

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").field("server", &self.quic.remote_address()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Stream").field(&self.0.id()).finish()
    }
}

impl Connection {
    /// Connects to a server that has this certificate (PEM, for the name `localhost`), and trusts no other.
    ///
    /// # Errors
    /// Nobody answers there, the certificate is another, or the peer does not speak HTTP/3.
    pub async fn open(address: SocketAddr, certificate_pem: &str) -> Result<Connection> {
        let flight = Flight::default();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("a socket for http/3")?;
        let endpoint = Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(flight.clone()));
        let mut endpoint = endpoint.context("a socket for http/3")?;
        endpoint.set_default_client_config(trusting(certificate_pem)?);
        let connecting = endpoint.connect(address, SERVER_NAME).context("http/3")?;
        let quic = connecting.await.with_context(|| format!("connect to {address} over http/3"))?;
        let handshake = h3::client::new(h3_quinn::Connection::new(quic.clone())).await;
        let (mut connection, sender) = handshake.context("http/3 handshake")?;
        let driver = tokio::spawn(async move {
            // Errors show up on the streams.
            let _ = connection.wait_idle().await;
        });
        Ok(Connection { sender, quic, driver, flight, _endpoint: endpoint })
    }

    /// Sends a request, body and trailers, and reads the whole reply.
    ///
    /// # Errors
    /// No response head came. A body that is cut off is no error: see [`End::Cut`].
    pub async fn call(&mut self, call: &Call) -> Result<Reply> {
        self.start(call).await?.reply().await
    }

    /// Sends a request, body and trailers. What needs no answer of the server in between leaves in one flight.
    ///
    /// # Errors
    /// The connection broke or the head cannot be written in HTTP/3.
    pub async fn start(&mut self, call: &Call) -> Result<Stream> {
        let sender = &mut self.sender;
        let sent = self.flight.together(async move {
            let mut stream = sender.send_request(head_of(call)?).await.context("send a head over http/3")?;
            // A server may answer and reset before it has read the whole: its answer counts.
            let _ = send_rest(&mut stream, call).await;
            Ok(Stream(stream))
        });
        sent.await
    }

    /// Breaks the connection off, with all of its streams.
    pub fn abort(self) {
        self.quic.close(VarInt::from_u32(0), b"");
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.quic.close(VarInt::from_u32(0), b"");
        self.driver.abort();
    }
}

impl Stream {
    /// Reads the response head; the reply has no body yet.
    ///
    /// # Errors
    /// The stream was reset before a response head.
    pub async fn head(&mut self) -> Result<Reply> {
        let head = self.0.recv_response().await.context("response head over http/3")?;
        Ok(Reply {
            interim: Vec::new(),
            status: head.status().as_u16(),
            headers: Fields::from_map(head.headers()),
            body: Bytes::new(),
            trailers: Fields::new(),
            end: End::Complete,
        })
    }

    /// The next piece of the response body, after the head; `None` at its end.
    ///
    /// # Errors
    /// The stream was reset or the connection broke.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let piece = self.0.recv_data().await.context("response body over http/3")?;
        Ok(piece.map(|mut piece| piece.copy_to_bytes(piece.remaining())))
    }

    /// Reads the whole reply.
    ///
    /// # Errors
    /// The stream was reset before a response head.
    pub async fn reply(mut self) -> Result<Reply> {
        let mut reply = self.head().await?;
        let mut bytes = BytesMut::new();
        let end = loop {
            match self.next().await {
                Ok(Some(piece)) => bytes.extend_from_slice(&piece),
                Ok(None) => break self.0.recv_trailers().await.context("response trailers over http/3"),
                Err(error) => break Err(error),
            }
        };
        reply.body = bytes.freeze();
        match end {
            Ok(trailers) => reply.trailers = trailers.map(|map| Fields::from_map(&map)).unwrap_or_default(),
            Err(error) => reply.end = End::Cut(format!("{error:#}")),
        }
        Ok(reply)
    }

    /// Gives the stream up in both directions (H3_REQUEST_CANCELLED).
    pub fn reset(mut self) {
        self.0.stop_stream(Code::H3_REQUEST_CANCELLED);
        self.0.stop_sending(Code::H3_REQUEST_CANCELLED);
    }
}

/// Body, trailers and the end.
async fn send_rest(stream: &mut RequestStream<BidiStream<Bytes>, Bytes>, call: &Call) -> Result<()> {
    for piece in call.body.pieces() {
        stream.send_data(piece.clone()).await?;
    }
    if !call.trailers.is_empty() {
        stream.send_trailers(call.trailers.to_map()?).await?;
    }
    Ok(stream.finish().await?)
}

/// A client configuration that trusts this certificate alone, and offers HTTP/3 alone.
fn trusting(certificate_pem: &str) -> Result<quinn::ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).context("certificate")?;
    roots.add(certificate).context("certificate")?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]);
    let mut tls = tls.context("tls")?.with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    Ok(quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).context("tls for quic")?)))
}

fn head_of(call: &Call) -> Result<http::Request<()>> {
    let uri = format!("https://{}{}", call.authority, call.target);
    let mut request = http::Request::builder().method(call.method.as_str()).uri(uri).body(()).context("http/3 head")?;
    *request.headers_mut() = call.headers.to_map()?;
    if let Payload::Whole(body) = &call.body {
        request.headers_mut().insert(http::header::CONTENT_LENGTH, body.len().into());
    }
    Ok(request)
}

#[cfg(test)]
mod tests;
