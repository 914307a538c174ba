//! The origin over HTTP/1.1.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    Answer, Shared, Step,
    answer::{AnswerFraming, Start},
};
use crate::{
    message::{Asked, Fields},
    wire::{self, Framing, RawHead, Wire},
};

/// What becomes of the connection after an answer.
#[derive(PartialEq)]
enum After {
    Next,
    End,
}

pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) -> Result<()> {
    let mut wire = Wire::new(stream);
    while let Some(head) = wire.head_bytes().await? {
        let head = RawHead::of_request(&head)?;
        let framing = head.framing()?.unwrap_or(Framing::None);
        let expects = head.fields.lists("expect", "100-continue");
        let (method, target) = head.first;
        let mut asked = Asked {
            version: "HTTP/1.1",
            method,
            target,
            headers: head.fields,
            body: bytes::Bytes::new(),
            body_bytes: 0,
            trailers: Fields::new(),
        };
        if let Some(answer) = shared.early(&asked) {
            // What is left of the request stands in the way of a next one.
            let after = send(&mut wire, &asked, &answer).await?;
            match framing {
                Framing::None if after == After::Next => continue,
                _ => return Ok(()),
            }
        }
        if expects {
            wire.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        read_rest(&mut wire, framing, &mut asked).await?;
        let answer = shared.answer(&asked);
        if send(&mut wire, &asked, &answer).await? == After::End {
            return Ok(());
        }
    }
    Ok(())
}

async fn read_rest(wire: &mut Wire, framing: Framing, asked: &mut Asked) -> Result<()> {
    let body = wire.body(framing).await;
    if let Some(cut) = body.cut {
        return Err(anyhow::anyhow!(cut)).context("request body");
    }
    asked.body = body.bytes.freeze();
    asked.body_bytes = asked.body.len() as u64;
    asked.trailers = body.trailers;
    Ok(())
}

async fn send(wire: &mut Wire, asked: &Asked, answer: &Answer) -> Result<After> {
    for interim in &answer.interim {
        wire.write(&head(interim.status, &interim.headers)).await?;
    }
    if let Start::Status(status) = answer.head {
        wire.write(&head(status, &framed(answer))).await?;
    }
    // To HEAD only the head is sent, whatever the body would be.
    let steps: &[Step] = if asked.method == "HEAD" { &[] } else { &answer.steps };
    let chunked = matches!(answer.head, Start::Status(_)) && answer.framing == AnswerFraming::Chunked;
    for step in steps {
        match step {
            Step::Send(piece) if chunked => wire.write_chunk(piece).await?,
            Step::Send(piece) => wire.write(piece).await?,
            Step::Pause(time) => tokio::time::sleep(*time).await,
            Step::Wait(gate) => wait(wire, gate).await?,
            Step::Echo => return echo(wire).await,
            Step::Reset => {
                wire.stream.set_zero_linger()?;
                return Ok(After::End);
            }
            Step::Close => {
                wire.stream.shutdown().await?;
                return Ok(After::End);
            }
        }
    }
    if chunked && asked.method != "HEAD" {
        wire.write_last_chunk(&answer.trailers).await?;
    }
    Ok(After::Next)
}

/// Waits at the gate, or until the peer is gone.
async fn wait(wire: &mut Wire, gate: &super::Gate) -> Result<()> {
    let mut byte = [0; 1];
    tokio::select! {
        () = gate.passed() => Ok(()),
        seen = wire.stream.peek(&mut byte), if wire.ahead.is_empty() => match seen? {
            0 => Err(anyhow::anyhow!("the client is gone")),
            // The next request, already: only the gate matters now.
            _ => { gate.passed().await; Ok(()) }
        },
    }
}

/// Raw bytes back and forth until the peer ends.
async fn echo(wire: &mut Wire) -> Result<After> {
    loop {
        let bytes = wire.ahead.split();
        wire.write(&bytes).await?;
        if wire.stream.read_buf(&mut wire.ahead).await? == 0 {
            wire.stream.shutdown().await?;
            return Ok(After::End);
        }
    }
}

fn framed(answer: &Answer) -> Fields {
    let mut fields = answer.headers.clone();
    match answer.framing {
        AnswerFraming::Length(bytes) => fields.push("content-length", bytes.to_string()),
        AnswerFraming::Chunked => fields.push("transfer-encoding", "chunked"),
        AnswerFraming::Bare => {}
    }
    fields
}

fn head(status: u16, fields: &Fields) -> Vec<u8> {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("-");
    let mut head = format!("HTTP/1.1 {status} {reason}\r\n").into_bytes();
    wire::write_fields(&mut head, fields);
    head
}
