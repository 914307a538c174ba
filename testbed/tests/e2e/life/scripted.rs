//! A collector that does what a test says: an origin that knows what an acknowledgement is.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tributary_testbed::{
    client,
    envoy::Envoy,
    message::{Asked, Call},
    origin::{Answer, Gate, Origin},
    wait,
};

/// For anything here, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The acknowledgement of this post, of all its lines.
pub(super) fn acknowledgement(asked: &Asked) -> Answer {
    head(asked).body(receipt(asked))
}

/// The same, its head at once and its body when the gate opens: no acknowledgement before that.
pub(super) fn acknowledgement_behind(asked: &Asked, gate: &Gate) -> Answer {
    head(asked).wait(gate).body(receipt(asked))
}

fn head(asked: &Asked) -> Answer {
    Answer::new(200).header("x-tributary-ack", name_of(asked)).header("content-type", "application/json")
}

fn receipt(asked: &Asked) -> String {
    let lines = asked.body.iter().filter(|byte| **byte == b'\n').count();
    json!({"accepted": lines, "rejected": []}).to_string()
}

/// `<source>-<batch>`.
pub(super) fn name_of(asked: &Asked) -> String {
    let header = |name| asked.headers.text(name).unwrap_or_default();
    format!("{}-{}", header("x-tributary-source"), header("x-tributary-batch"))
}

/// Whether it brings lines; one without is a report.
pub(super) fn has_lines(asked: &Asked) -> bool {
    !asked.body.is_empty()
}

/// An Envoy with the filter in front of an app that answers 204, posting to this collector.
pub(super) async fn envoy(collector: &Origin, filter: Value) -> Result<(Envoy, Origin)> {
    let app = Origin::start(|_| Answer::new(204)).await?;
    let envoy = Envoy::builder().users(app.address()).collector(collector.address()).filter(filter);
    Ok((envoy.start().await?, app))
}

/// Calls `/<from>` to `/<to>`, `to` excluded; each has to be answered at once and as the app does.
pub(super) async fn call(envoy: &Envoy, numbers: std::ops::Range<usize>) -> Result<()> {
    for number in numbers {
        let reply = client::call(envoy.address(), &Call::get(format!("/{number}"))).await?;
        ensure!(reply.status == 204, "call {number} was answered {}", reply.status);
    }
    Ok(())
}

/// Waits until the filter's counters have these values; those that are not named may have any.
pub(super) async fn until_counted(envoy: &Envoy, expected: &[(&str, u64)]) -> Result<BTreeMap<String, u64>> {
    wait::until(&format!("{expected:?}"), PATIENCE, async || {
        let counters = envoy.stats().await?.filter();
        for (name, value) in expected {
            let counted = counters.get(*name).copied().unwrap_or(0);
            ensure!(counted == *value, "{name} is {counted}; {counters:?}");
        }
        Ok(counters)
    })
    .await
    .map_err(|error| envoy.process().with_log(error))
}

/// Waits until Envoy's log has these words: the filter writes them when it has counted.
pub(super) async fn until_logged(envoy: &Envoy, words: &str) -> Result<()> {
    wait::until(&format!("{words:?} in the log"), PATIENCE, async || {
        ensure!(envoy.log().has(words), "not yet");
        Ok(())
    })
    .await
    .map_err(|error| envoy.process().with_log(error))
}

/// Waits until the collector was asked at least this many times with lines; all those.
pub(super) async fn until_asked(collector: &Origin, times: usize) -> Result<Vec<Asked>> {
    wait::until(&format!("post {times}"), PATIENCE, async || {
        let asked: Vec<Asked> = collector.asked().into_iter().filter(has_lines).collect();
        ensure!(asked.len() >= times, "{} posts", asked.len());
        Ok(asked)
    })
    .await
}
