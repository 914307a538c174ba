//! The smallest program that keeps the collector's promise, to measure the collector against: HTTP in, lines split at their
//! ends, each produced into Kafka, one counter a post, answered after the last delivery report. The librdkafka settings are
//! those of the collector's defaults.
//!
//! What it does not do is what the collector is for: it checks nothing, masks nothing, accounts for nothing, refuses
//! nobody, and has no limit, no time-out and no spool. Its records have no key and no headers, but with `--same-records`,
//! which shows what these cost whoever writes them.

use std::{
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use clap::Parser;
use memchr::memmem::FinderRev;
use rdkafka::{
    ClientConfig, ClientContext,
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseRecord, ProducerContext, ThreadedProducer},
};
use tokio::sync::oneshot;

/// HTTP to Kafka and nothing else.
#[derive(Debug, Parser)]
struct Args {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    /// Kafka, as `host:port`.
    #[arg(long)]
    brokers: String,
    /// The topic; it has to be there.
    #[arg(long)]
    topic: String,
    /// Give the records the key and the headers that the collector's have.
    #[arg(long)]
    same_records: bool,
}

/// The records of one post that have no report yet.
struct Open {
    left: AtomicU64,
    failed: AtomicBool,
    done: Mutex<Option<oneshot::Sender<bool>>>,
}

impl Open {
    fn report(&self, good: bool) {
        if !good {
            self.failed.store(true, Ordering::Release);
        }
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let done = self.done.lock().unwrap_or_else(PoisonError::into_inner).take();
            // Nobody waits if the client has gone.
            let _ = done.map(|done| done.send(!self.failed.load(Ordering::Acquire)));
        }
    }
}

struct Reports;

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = Arc<Open>;

    fn delivery(&self, report: &DeliveryResult<'_>, open: Arc<Open>) {
        open.report(report.is_ok());
    }
}

struct Floor {
    producer: ThreadedProducer<Reports>,
    topic: String,
    same_records: bool,
}

impl Floor {
    fn record<'a>(&'a self, line: &'a [u8], open: &Arc<Open>) -> BaseRecord<'a, [u8], [u8], Arc<Open>> {
        let record = BaseRecord::with_opaque_to(&self.topic, Arc::clone(open)).payload(line);
        let identity = if self.same_records { Identity::of(line) } else { None };
        let Some(Identity { id, source, seq }) = identity else { return record };
        let headers = [("source", source), ("seq", seq), ("content-type", b"application/json".as_slice())];
        let all = headers.into_iter().fold(OwnedHeaders::new_with_capacity(headers.len()), |all, (key, value)| {
            all.insert(Header { key, value: Some(value) })
        });
        record.key(id).headers(all)
    }
}

/// Who wrote a line, and as the how manieth: `meta.id` and its two parts.
struct Identity<'a> {
    id: &'a [u8],
    source: &'a [u8],
    seq: &'a [u8],
}

impl Identity<'_> {
    /// Taken where the filter writes it, without a look at what stands around it.
    fn of(line: &[u8]) -> Option<Identity<'_>> {
        const BEFORE: &[u8] = br#""meta":{"id":""#;
        static FINDER: LazyLock<FinderRev<'_>> = LazyLock::new(|| FinderRev::new(BEFORE));
        let rest = line.get(FINDER.rfind(line)? + BEFORE.len()..)?;
        let id = rest.get(..memchr::memchr(b'"', rest)?)?;
        let dash = memchr::memrchr(b'-', id)?;
        Some(Identity { id, source: id.get(..dash)?, seq: id.get(dash + 1..)? })
    }
}

fn main() -> ExitCode {
    match serve(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(args: Args) -> Result<()> {
    let floor =
        Arc::new(Floor { producer: producer(&args.brokers)?, topic: args.topic, same_records: args.same_records });
    let routes = Router::new().route("/v1/exchanges", post(exchanges));
    let routes = routes.layer(DefaultBodyLimit::disable()).with_state(floor);
    let listener = tokio::net::TcpListener::bind(args.listen).await.context("listen")?;
    axum::serve(listener, routes).await.context("serve")
}

/// As `tributary_topic::WriterConfig` makes it by default.
fn producer(brokers: &str) -> Result<ThreadedProducer<Reports>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config.set("acks", "all").set("enable.idempotence", "true").set("message.timeout.ms", "5000");
    config.set("linger.ms", "5").set("compression.type", "lz4").set("batch.num.messages", "100000");
    config.set("queue.buffering.max.kbytes", "66560").set("queue.buffering.max.messages", "0");
    config.create_with_context(Reports).context("make a producer")
}

async fn exchanges(State(floor): State<Arc<Floor>>, body: Bytes) -> Response {
    // One more than there are, until all are handed over: a report may come before the next record goes.
    let (done, verdict) = oneshot::channel();
    let open = Arc::new(Open { left: AtomicU64::new(1), failed: AtomicBool::new(false), done: Mutex::new(Some(done)) });
    let mut accepted = 0_u64;
    let mut rest = &body[..];
    while !rest.is_empty() {
        let (line, others) = match memchr::memchr(b'\n', rest) {
            Some(end) => (rest.get(..end).unwrap_or_default(), rest.get(end + 1..).unwrap_or_default()),
            None => (rest, &b""[..]),
        };
        rest = others;
        open.left.fetch_add(1, Ordering::AcqRel);
        if let Err((_, refused)) = floor.producer.send(floor.record(line, &open)) {
            refused.delivery_opaque.report(false);
        }
        accepted += 1;
    }
    open.report(true);
    match verdict.await {
        Ok(true) => {
            ([(header::CONTENT_TYPE, "application/json")], format!("{{\"accepted\":{accepted}}}")).into_response()
        }
        Ok(false) | Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_the_id_of_meta_and_its_parts() {
        let line = br#"{"request":{"body":"\"meta\":{\"id\":\"x\"}"},"meta":{"id":"5f-7","source":"5f","seq":7}}"#;

        let identity = Identity::of(line).map(|Identity { id, source, seq }| [id, source, seq]);

        assert_eq!(identity, Some([&b"5f-7"[..], b"5f", b"7"]));
        assert!(Identity::of(br#"{"meta":{"id":"no dash"}}"#).is_none() && Identity::of(b"{}").is_none());
    }
}
