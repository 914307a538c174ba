//! `POST /v1/exchanges`: from a body to an answer that can be relied on.
//!
//! A post is read by the connection's task, then stored by a task of its own: a sender that goes away in between
//! changes nothing in the account, and nothing that is on its way is cut in two.

use std::{sync::Arc, time::Instant};

use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header, request::Parts};
use serde::Serialize;

use crate::{
    accounting::{Now, Settled},
    app::App,
    batches::Entry,
    body::{self, SMALL_BYTES},
    budget::Held,
    decode::DecodeCounts,
    error::{Refusal, RefusedAs},
    lines::{self, Exchange, Lines, RejectedLine},
    log::Gate,
    post::{Encoding, PostHeaders, Sender},
    sink::Verdict,
    wall::Wall,
};

const ACK: HeaderName = HeaderName::from_static("x-tributary-ack");

/// What a post gets for an answer: `{"accepted":2,"rejected":[{"line":3,"error":"…"}]}`.
#[derive(Debug, Serialize)]
pub(crate) struct Receipt {
    /// Lines that are durable.
    pub accepted: u64,
    /// The others, which never will be.
    pub rejected: Vec<RejectedLine>,
}

pub(crate) async fn exchanges(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let (head, mut body) = request.into_parts();
    match read(&app, &head, &mut body).await {
        Ok(post) => {
            let app = Arc::clone(&app);
            let storing = app.posts.spawn(store(Arc::clone(&app), post));
            // The task does not panic; if the runtime ends under it, nothing was promised.
            storing.await.unwrap_or_else(|_| Refusal::Busy { lines: 0 }.into_response())
        }
        Err((refusal, sender)) => {
            // Whoever waits to be told to go on (RFC 9110 §10.1.1) has sent nothing that would need reading.
            if !head.headers.contains_key(header::EXPECT) {
                body::discard(&mut body, app.limits.body.max_encoded_bytes).await;
            }
            refuse(&app, refusal, sender.as_ref())
        }
    }
}

/// A post that was read.
struct Post {
    sender: Option<Sender>,
    encoding: Encoding,
    body: Bytes,
    held: Held,
}

async fn read(app: &App, head: &Parts, body: &mut Body) -> Result<Post, (Refusal, Option<Sender>)> {
    app.door.admit(head).map_err(|refusal| (refusal, None))?;
    let headers = &head.headers;
    let PostHeaders { encoding, sender } = PostHeaders::read(headers).map_err(|refusal| (refusal, None))?;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut held = Held::new(&app.budget);
    match body::read(body, length, &app.limits.body, &mut held).await {
        Ok(body) => Ok(Post { sender, encoding, body, held }),
        Err(refusal) => Err((refusal, sender)),
    }
}

async fn store(app: Arc<App>, post: Post) -> Response {
    let Post { sender, encoding, body, held } = post;
    let sender = sender.as_ref();
    let storing = match app.batches.enter(sender, &body).await {
        Entry::New(storing) => storing,
        Entry::Again(receipt) => {
            let lines = receipt.accepted + receipt.rejected.len() as u64;
            app.accounting.repeat(sender, lines, Now::read());
            return acknowledge(sender, &receipt);
        }
        Entry::Failed => return refuse(&app, Refusal::NotStored { lines: 0 }, sender),
    };
    let outcome = match judge(&app, body, encoding, held).await {
        Ok(judged) => store_judged(&app, sender, judged).await,
        Err(refusal) => Err(refusal),
    };
    match outcome {
        Ok(receipt) => {
            let receipt = Arc::new(receipt);
            storing.acknowledged(&receipt);
            acknowledge(sender, &receipt)
        }
        Err(refusal) => refuse(&app, refusal, sender),
    }
}

/// The lines of a post, ready for the sink.
struct Judged {
    lines: Lines,
    bodies: DecodeCounts,
    /// Held until the answer: the lines are slices of the body.
    _held: Held,
}

/// Unpacks and judges; on the spot if it is quick, else on a thread that may compute.
async fn judge(app: &Arc<App>, body: Bytes, encoding: Encoding, mut held: Held) -> Result<Judged, Refusal> {
    let (limits, wall) = (app.limits, Arc::clone(&app.wall));
    if encoding == Encoding::Identity && body.len() <= SMALL_BYTES {
        let lines = lines::judge(&body::unpack(body, encoding, &limits.body, &mut held)?, &limits.lines, &wall)?;
        if !lines.has_packed_bodies {
            return Ok(Judged { lines, bodies: DecodeCounts::default(), _held: held });
        }
        return compute(app, move || Ok(unpacked(lines, &limits.lines, &wall, held))).await;
    }
    compute(app, move || {
        let body = body::unpack(body, encoding, &limits.body, &mut held)?;
        Ok(unpacked(lines::judge(&body, &limits.lines, &wall)?, &limits.lines, &wall, held))
    })
    .await
}

fn unpacked(mut lines: Lines, limits: &lines::LineLimits, wall: &Wall, held: Held) -> Judged {
    let bodies = match lines.has_packed_bodies {
        true => lines::unpack_bodies(&mut lines.exchanges, limits, wall),
        false => DecodeCounts::default(),
    };
    Judged { lines, bodies, _held: held }
}

async fn compute(
    app: &App,
    work: impl FnOnce() -> Result<Judged, Refusal> + Send + 'static,
) -> Result<Judged, Refusal> {
    // Too long a queue is the same as too much in flight: nothing was stored.
    let turn = tokio::time::timeout(app.limits.answer_within, app.computers.compute(work)).await;
    turn.ok().flatten().unwrap_or(Err(Refusal::Busy { lines: 0 }))
}

async fn store_judged(app: &App, sender: Option<&Sender>, judged: Judged) -> Result<Receipt, Refusal> {
    let Judged { lines: Lines { exchanges, mut rejected, .. }, bodies, _held } = judged;
    let lines = (exchanges.len() + rejected.len()) as u64;
    let verdicts = verdicts(app, sender, &exchanges).await.ok_or(Refusal::NotStored { lines })?;

    let mut settled = Settled { bodies, ..Settled::default() };
    let mut too_late = Vec::new();
    for (verdict, exchange) in verdicts.into_iter().zip(&exchanges) {
        match verdict {
            verdict @ (Verdict::Stored | Verdict::Spooled) => {
                settled.accepted += 1;
                settled.spooled += u64::from(verdict == Verdict::Spooled);
                settled.seqs.extend(origin(exchange));
            }
            Verdict::Rejected { error, dead_lettered } => {
                settled.dead_lettered += u64::from(dead_lettered);
                settled.rejected_seqs.extend(origin(exchange));
                too_late.push(RejectedLine { line: exchange.number, error, origin: None });
            }
            Verdict::Unknown => return Err(Refusal::NotStored { lines }),
        }
    }
    settled.rejected = (rejected.len() + too_late.len()) as u64;
    let origins = rejected.iter().filter_map(|line| line.origin.as_ref());
    settled.rejected_seqs.extend(origins.map(|(source, seq)| (source.as_str(), *seq)));
    app.accounting.settle(sender, &settled, Now::read());
    let accepted = settled.accepted;

    rejected.extend(too_late);
    rejected.sort_by_key(|rejected| rejected.line);
    log_rejected(&rejected);
    Ok(Receipt { accepted, rejected })
}

/// Source and number of an exchange, if it has them.
fn origin(exchange: &Exchange) -> Option<(&str, u64)> {
    Some((exchange.source.as_deref()?, exchange.seq?))
}

/// `None`: nothing can be said in time.
async fn verdicts(app: &App, sender: Option<&Sender>, exchanges: &[Exchange]) -> Option<Vec<Verdict>> {
    // A report without lines needs no sink, and reaches the account while the sink is away.
    if exchanges.is_empty() {
        return Some(Vec::new());
    }
    if app.sink.is_blocked() {
        return None;
    }
    let account = sender.and_then(|sender| {
        let own = exchanges.iter().filter_map(origin).filter(|(source, _)| *source == sender.source);
        app.accounting.travelling(sender, own.map(|(_, seq)| seq), Now::read())
    });
    let started = Instant::now();
    let stored = tokio::time::timeout(app.limits.answer_within, app.sink.store(exchanges, account.as_slice())).await;
    app.store_seconds.observe(started.elapsed().as_secs_f64());
    let stored = stored.ok()?;
    if let Some(account) = &account {
        app.accounting.told_with_post(account, stored.accounts);
    }
    Some(stored.verdicts)
}

fn acknowledge(sender: Option<&Sender>, receipt: &Receipt) -> Response {
    let mut response = Json(receipt).into_response();
    if let Some(Sender { source, batch, .. }) = sender {
        // A source is of characters that a header may have.
        if let Ok(value) = HeaderValue::from_str(&format!("{source}-{batch}")) {
            response.headers_mut().insert(ACK, value);
        }
    }
    response
}

fn refuse(app: &App, refusal: Refusal, sender: Option<&Sender>) -> Response {
    static BUSY: Gate = Gate::new();
    static OTHER: Gate = Gate::new();
    let (counted_as, lines) = (refusal.counted_as(), refusal.lines());
    app.accounting.refuse(counted_as, lines, sender, Now::read());
    let gate = if counted_as == RefusedAs::Busy { &BUSY } else { &OTHER };
    if let Some(held_back) = gate.pass() {
        let status = refusal.status().as_u16();
        tracing::warn!(status, lines, held_back, reason = refusal.name(), "Post refused.");
    }
    refusal.into_response()
}

/// Names the line, not what stands in it: an error may quote a name that the line's author chose.
fn log_rejected(rejected: &[RejectedLine]) {
    static REJECTED: Gate = Gate::new();
    if let Some(first) = rejected.first()
        && let Some(held_back) = REJECTED.pass()
    {
        tracing::warn!(first_line = first.line, lines = rejected.len(), held_back, "Lines rejected.");
    }
}
