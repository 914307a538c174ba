//! Area `scale`: whether an exchange costs the same however many sources there are, and how its cost grows with its size.
//!
//! Real Envoys, each with the same traffic, post to one to three collectors. Where more sources are wanted than there can be
//! Envoys here, senders post what an Envoy's filter would (`collector::posts`), each with a name and numbers of its own.

mod envoys;
mod sources;

use anyhow::Result;
use tributary_testbed::kafka::Kafka;

use crate::{collector::RETENTION, report::Measure, run::Run};

const ENVOY_CPU: Measure = Measure::cost("Envoy CPU per exchange", "µs");
const COLLECTOR_CPU: Measure = Measure::cost("collector CPU per exchange", "µs");
const BROKER_CPU: Measure = Measure::cost("broker CPU per exchange", "µs");
const RATE: Measure = Measure::yielded("exchanges per second", "");
const RSS: Measure = Measure::cost("RSS of the collector", "MiB");
const SOURCES: Measure = Measure::fact("sources in the account", "");
const LINE: Measure = Measure::fact("bytes of a line", "");

/// Measures the area.
///
/// # Errors
/// A part is missing or does not start, a call or a post is not answered, or the collector's account is not exact.
pub(crate) async fn measure(run: &mut Run) -> Result<()> {
    let kafka = RETENTION.iter().fold(Kafka::builder(), |builder, (name, value)| builder.setting(name, value));
    let kafka = kafka.start().await?;
    run.note(
        "One source alone posts over one connection, batch after batch, and one Envoy alone fills small batches: what it costs \
         more is not the number of sources but what a batch and a Kafka request cost whatever is in them.",
    );
    envoys::measure(run, &kafka).await?;
    sources::measure(run, &kafka).await
}
