//! The origin over cleartext HTTP/2: gRPC shapes, trailers, streams that go both ways.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bytes::{Bytes, BytesMut};
use h2::{Ping, PingPong, Reason, RecvStream, SendStream, server::SendResponse};
use tokio::{net::TcpStream, sync::Mutex, task::JoinSet};

use super::{
    Answer, Shared, Step,
    answer::{AnswerFraming, Start},
};
use crate::{
    client::h2::send_all,
    message::{Asked, Fields, Head},
};

pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) -> Result<()> {
    let _ = stream.set_nodelay(true);
    let mut connection = h2::server::handshake(stream).await.context("http/2 handshake")?;
    let pings = Pings(Arc::new(Mutex::new(connection.ping_pong())));
    // Streams run side by side; they end with the connection.
    let mut streams = JoinSet::new();
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted.context("http/2 stream")?;
        streams.spawn(converse(request, respond, shared.clone(), pings.clone()));
    }
    Ok(())
}

/// Tells when the peer has what was sent: a reset throws away whatever the library still holds.
#[derive(Clone)]
struct Pings(Arc<Mutex<Option<PingPong>>>);

impl Pings {
    /// Waits until the peer has answered a ping; what was sent before it has left this process then.
    async fn answered(&self) -> Result<()> {
        match self.0.lock().await.as_mut() {
            Some(pings) => pings.ping(Ping::opaque()).await.map(drop).context("ping"),
            None => bail!("the connection has no ping"),
        }
    }
}

async fn converse(
    request: http::Request<RecvStream>,
    respond: SendResponse<Bytes>,
    shared: Arc<Shared>,
    pings: Pings,
) -> Result<()> {
    let (head, mut body) = request.into_parts();
    let mut asked = asked_of(&head);
    if let Some(answer) = shared.early(&asked) {
        return send(respond, body, &answer, &pings).await;
    }
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.data().await {
        let piece = piece.context("request body")?;
        body.flow_control().release_capacity(piece.len())?;
        bytes.extend_from_slice(&piece);
    }
    asked.body = bytes.freeze();
    asked.body_bytes = asked.body.len() as u64;
    asked.trailers = body.trailers().await?.map(|map| Fields::from_map(&map)).unwrap_or_default();
    let answer = shared.answer(&asked);
    send(respond, body, &answer, &pings).await
}

fn asked_of(head: &http::request::Parts) -> Asked {
    let authority = head.uri.authority().map(ToString::to_string).unwrap_or_default();
    let target = match head.uri.path_and_query() {
        Some(path) => path.to_string(),
        None => authority.clone(),
    };
    let mut headers = Fields::new();
    headers.push("host", authority);
    for (name, value) in Fields::from_map(&head.headers).iter() {
        headers.push(name, Bytes::copy_from_slice(value));
    }
    Asked {
        version: "HTTP/2",
        method: head.method.to_string(),
        target,
        headers,
        body: Bytes::new(),
        body_bytes: 0,
        trailers: Fields::new(),
    }
}

async fn send(mut respond: SendResponse<Bytes>, body: RecvStream, answer: &Answer, pings: &Pings) -> Result<()> {
    for interim in &answer.interim {
        respond.send_informational(head(interim)?)?;
    }
    let Start::Status(status) = answer.head else { return without_head(respond, answer).await };
    let mut headers = answer.headers.clone();
    if let AnswerFraming::Length(bytes) = answer.framing {
        headers.push("content-length", bytes.to_string());
    }
    let ends = answer.steps.is_empty() && answer.trailers.is_empty();
    let stream = respond.send_response(head(&Head { status, headers })?, ends).context("send a head")?;
    match ends {
        true => Ok(()),
        false => send_body(stream, body, answer, pings).await,
    }
}

async fn send_body(mut stream: SendStream<Bytes>, mut body: RecvStream, answer: &Answer, pings: &Pings) -> Result<()> {
    for step in &answer.steps {
        match step {
            Step::Send(piece) => send_all(&mut stream, piece.clone(), false).await?,
            Step::Pause(time) => tokio::time::sleep(*time).await,
            Step::Wait(gate) => gate.passed().await,
            Step::Echo => echo(&mut stream, &mut body).await?,
            // A stream that is closed without an end is a reset in HTTP/2, too.
            Step::Reset | Step::Close => {
                pings.answered().await?;
                let close = matches!(step, Step::Close);
                stream.send_reset(if close { Reason::NO_ERROR } else { Reason::INTERNAL_ERROR });
                return Ok(());
            }
        }
    }
    match answer.trailers.is_empty() {
        true => send_all(&mut stream, Bytes::new(), true).await,
        false => stream.send_trailers(answer.trailers.to_map()?).context("send trailers"),
    }
}

async fn without_head(mut respond: SendResponse<Bytes>, answer: &Answer) -> Result<()> {
    for step in &answer.steps {
        match step {
            Step::Pause(time) => tokio::time::sleep(*time).await,
            Step::Wait(gate) => gate.passed().await,
            Step::Reset | Step::Close => respond.send_reset(Reason::INTERNAL_ERROR),
            Step::Send(_) | Step::Echo => bail!("an answer without a head cannot send over HTTP/2"),
        }
    }
    Ok(())
}

async fn echo(stream: &mut SendStream<Bytes>, body: &mut RecvStream) -> Result<()> {
    while let Some(piece) = body.data().await {
        let piece = piece.context("request body")?;
        body.flow_control().release_capacity(piece.len())?;
        send_all(stream, piece, false).await?;
    }
    Ok(())
}

fn head(head: &Head) -> Result<http::Response<()>> {
    let mut response = http::Response::new(());
    *response.status_mut() = http::StatusCode::from_u16(head.status)?;
    *response.headers_mut() = head.headers.to_map()?;
    Ok(response)
}
