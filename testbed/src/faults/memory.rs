//! Rows about memory: bodies far larger than what is kept of them, and far more of them at a time than the budget holds.
//!
//! No load runs beside these: the bodies are the traffic. Each exchange has to have its line or to be counted as dropped.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    row::{Expects, Group, Outcome, Row},
    scene::PATIENCE,
    trial::Trial,
};
use crate::{
    client::h1,
    message::{Asked, Call, End, Reply, text_piece},
    oracle::{self, SETTLED_WITHIN, Verdict},
    origin::{Answer, Gate},
    stack::Stack,
    wait,
};

pub(super) const ROWS: &[Row] = &[
    Row::new("bodies-large", Group::Envoy, |trial| Box::pin(large(trial)))
        .fault(
            "Bodies of 20 MB both ways, 4 times (of 100 MB, 20 times in full), four at a time: the VMs grow by no more than \
             their budget and 4 MiB, Envoy by no more than 64 MiB",
        )
        .proof("bodies that passed whole")
        .within_s(240, 1_200),
    Row::new("bodies-slow", Group::Envoy, |trial| Box::pin(slow(trial)))
        .fault(
            "500 bodies of 60 KB are half sent at the same time, more than the budget holds of them: the same bounds, and \
             each has its line or is counted",
        )
        .proof("bodies that were open at the same time")
        .expects(Expects::LossCounted)
        .within_s(240, 600),
];

const MIB: u64 = 1024 * 1024;

/// The filter's default budget for each VM.
const BUDGET_BYTES: u64 = 16 * MIB;

/// What all VMs together may grow by: one has the traffic.
const VM_GROWTH_BYTES: u64 = BUDGET_BYTES + 4 * MIB;

/// What the whole of Envoy may grow by.
const ENVOY_GROWTH_BYTES: u64 = 64 * MIB;

/// Large bodies at a time.
const AT_A_TIME: usize = 4;

/// Slow bodies, all at a time.
const SLOW: usize = 500;

/// What is sent of a slow body before all others are open too, and after.
const HALF_BYTES: usize = 30_000;

const PIECE_BYTES: usize = 1_000_000;

async fn large(trial: &Trial) -> Result<Outcome> {
    let (times, pieces) = (trial.times(1, 5), usize::try_from(trial.times(20, 100))?);
    let answer = move |_: &Asked| {
        Answer::new(200).header("content-type", "text/plain").repeated(text_piece(PIECE_BYTES), pieces)
    };
    let stack = Stack::on(trial.kafka().await?.brokers(), "bodies-large").origin(answer).await?.start().await?;
    let watch = Watch::begin(&stack)?;
    for _ in 0..times {
        let mut calls = JoinSet::new();
        for _ in 0..AT_A_TIME {
            let address = stack.envoy.address();
            calls.spawn(async move {
                let call = Call::put("/large").chunks(std::iter::repeat_n(text_piece(PIECE_BYTES), pieces));
                h1::Connection::open(address).await?.call(&call).await
            });
        }
        for reply in calls.join_all().await {
            let reply = reply?;
            ensure!(is_whole(&reply, pieces * PIECE_BYTES), "{} {:?} {}", reply.status, reply.end, reply.body.len());
        }
    }
    let asked = stack.origin()?.asked();
    let whole = asked.iter().filter(|asked| asked.body_bytes == (pieces * PIECE_BYTES) as u64).count() as u64;
    let count = times * AT_A_TIME as u64;
    ensure!(whole == count, "{whole} of {count} bodies reached the app whole");
    watch
        .end(trial, &stack, whole, count, |line| {
            let facts = json!({"bytes": pieces * PIECE_BYTES, "kept": 65_536, "truncated": true});
            ["/meta/requestBody", "/meta/responseBody"].iter().all(|body| line.pointer(body) == Some(&facts))
        })
        .await
}

async fn slow(trial: &Trial) -> Result<Outcome> {
    let gate = Gate::closed();
    let held = gate.clone();
    let answer = move |asked: &Asked| Answer::new(200).wait(&held).body(asked.body_bytes.to_string());
    let stack = Stack::on(trial.kafka().await?.brokers(), "bodies-slow").origin(answer).await?.start().await?;
    let watch = Watch::begin(&stack)?;
    let (half, length) = (Bytes::from(vec![b'x'; HALF_BYTES]), 2 * HALF_BYTES);
    let mut open = Vec::with_capacity(SLOW);
    for number in 0..SLOW {
        let mut connection = h1::Connection::open(stack.envoy.address()).await?;
        let head = format!("PUT /slow/{number} HTTP/1.1\r\nhost: slow.example\r\ncontent-length: {length}\r\n\r\n");
        connection.send(head.as_bytes()).await?;
        connection.send(&half).await?;
        open.push(connection);
    }
    let all_open = wait::until("all bodies to be open", PATIENCE, async || {
        let stats = stack.envoy.stats().await?;
        let active = stats.value("http.ingress.downstream_rq_active");
        ensure!(active >= SLOW as u64, "{active} of {SLOW}");
        Ok(active)
    });
    let all_open = all_open.await.map_err(|error| stack.envoy.process().with_log(error))?;
    for connection in &mut open {
        connection.send(&half).await?;
    }
    gate.open();
    for connection in &mut open {
        let reply = connection.reply("PUT").await?;
        ensure!(is_whole(&reply, 5) && reply.body == length.to_string(), "{reply:?}");
    }
    watch
        .end(trial, &stack, all_open, SLOW as u64, |line| {
            line.pointer("/response/statusCode") == Some(&json!(200))
                && line.pointer("/meta/requestBody/bytes") == Some(&json!(length))
        })
        .await
}

fn is_whole(reply: &Reply, bytes: usize) -> bool {
    reply.status == 200 && reply.end == End::Complete && reply.body.len() == bytes
}

/// What Envoy held before.
struct Watch {
    envoy: u64,
    vms: u64,
}

impl Watch {
    fn begin(stack: &Stack) -> Result<Watch> {
        Ok(Watch { vms: stack.envoy.vm_bytes()?, envoy: stack.envoy.forget_peak_memory()? })
    }

    /// Looks at the memory and at the account: of `count` exchanges each has its line, which `is_right`, or is counted.
    async fn end(
        self,
        trial: &Trial,
        stack: &Stack,
        injected: u64,
        count: u64,
        is_right: impl Fn(&Value) -> bool,
    ) -> Result<Outcome> {
        let evidence = stack.evidence(SETTLED_WITHIN).await?;
        let vms = stack.envoy.vm_bytes()?.saturating_sub(self.vms);
        let envoy = stack.envoy.process().peak_memory_bytes()?.saturating_sub(self.envoy);
        trial.note(format!("VMs grew by {} KiB, Envoy by {} KiB at most", vms / 1024, envoy / 1024));
        let dropped: u64 =
            evidence.filter.iter().filter(|(name, _)| name.starts_with("dropped_")).map(|(_, value)| value).sum();
        let mut findings = oracle::unsettled(&evidence.filter, &evidence.accounting);
        let mut must = |holds: bool, finding: String| findings.extend((!holds).then_some(finding));
        must(vms <= VM_GROWTH_BYTES, format!("the VMs grew by {vms} bytes"));
        must(envoy <= ENVOY_GROWTH_BYTES, format!("Envoy grew by {envoy} bytes"));
        let seen = evidence.filter.get("seen").copied().context("no counter of what was seen")?;
        must(seen == count, format!("the filter saw {seen} of {count}"));
        let lines = evidence.lines.len() as u64;
        must(lines + dropped == count, format!("{lines} lines and {dropped} dropped of {count}"));
        for line in &evidence.lines {
            let line = line.json()?;
            must(is_right(&line), format!("not as it was: {:?}", line.get("meta")));
        }
        let degraded = evidence.filter.iter().filter(|(name, _)| name.starts_with("degraded_"));
        let verdict = Verdict {
            exchanges: usize::try_from(count)?,
            lines: evidence.lines.len(),
            reported_dropped: dropped,
            degraded: degraded.map(|(_, value)| value).sum(),
            ..Verdict::default()
        };
        Ok(Outcome { injected, verdict, findings })
    }
}
