//! All metrics of the collector, with their meaning. `GET /metrics` writes them in the OpenMetrics text format.
//!
//! The counters come from the account in one snapshot, so its identities hold in every scrape.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, text},
    metrics::{
        MetricType,
        counter::ConstCounter,
        gauge::ConstGauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

use tributary_topic::Cause;

use crate::{
    accounting::{Now, SourceTotals, Totals},
    app::App,
    door::{Door, Exposure},
    sink::{Condition, KafkaCounts},
    spool::SpoolReport,
    wall::Wall,
};

/// Reasons that a metric names at most: they come from the senders.
const MAX_REASONS: usize = 32;

/// What connections count, outside the account.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCounts {
    /// Open now.
    pub open: AtomicU64,
    /// Taken in.
    pub accepted: AtomicU64,
    /// Turned away because there were too many.
    pub turned_away: AtomicU64,
    /// Ended because they were silent, slow or idle.
    pub timed_out: AtomicU64,
    /// TLS handshakes that failed.
    pub tls_failed: AtomicU64,
}

/// The metrics of one collector.
pub(crate) struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// Metrics that read from `app` when they are scraped.
    pub(crate) fn new(app: &Arc<App>) -> Metrics {
        let mut registry = Registry::with_prefix("tributary_collector");
        registry.register(
            "store_seconds",
            "Time from a post that was read to its verdict from the sink",
            app.store_seconds.clone(),
        );
        registry.register_collector(Box::new(Scrape(Arc::downgrade(app))));
        Metrics { registry }
    }

    /// The text of `GET /metrics`.
    ///
    /// # Errors
    /// None in practice: it writes into memory.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(8 * 1024);
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Buckets of `store_seconds`: 1 ms to 16 s.
pub(crate) fn store_seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 15))
}

struct Scrape(Weak<App>);

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(app) = self.0.upgrade() else { return Ok(()) };
        let (totals, sources) = app.accounting.totals(Now::read());
        let mut out = Writer(&mut encoder);
        out.account(&totals)?;
        out.sources(&sources)?;
        out.state(&app, &totals)?;
        app.sink.spool().map_or(Ok(()), |spool| out.spool(&spool))
    }
}

struct Writer<'a, 'b>(&'a mut DescriptorEncoder<'b>);

impl Writer<'_, '_> {
    fn account(&mut self, totals: &Totals) -> fmt::Result {
        let Totals { received, accepted, rejected, dead_lettered, repeated, refused, .. } = totals;
        let Totals { kafka_acked, spooled, file_synced, .. } = totals;
        self.counter("lines_received", "Lines of posts that were read", *received)?;
        self.counter("lines_accepted", "Lines answered as durable", *accepted)?;
        self.counter("lines_rejected", "Lines answered as never to be durable", *rejected)?;
        self.counter("lines_dead_lettered", "Rejected lines kept in the dead-letter topic", *dead_lettered)?;
        self.counter("lines_repeated", "Lines of posts that were answered before and not stored again", *repeated)?;
        self.counters(
            "lines_refused",
            "Lines of refused posts, by reason",
            "reason",
            &[("busy", refused.busy), ("auth", refused.auth), ("limit", refused.limit)],
        )?;
        self.counters(
            "lines_stored",
            "Accepted lines, by where they lie",
            "in",
            &[("kafka", *kafka_acked), ("spool", *spooled), ("file", *file_synced)],
        )?;
        let (posts, bodies) = (&totals.posts, &totals.bodies);
        self.counters(
            "posts",
            "Posts, by outcome",
            "outcome",
            &[
                ("accepted", posts.accepted),
                ("repeated", posts.repeated),
                ("refused_busy", posts.refused.busy),
                ("refused_auth", posts.refused.auth),
                ("refused_limit", posts.refused.limit),
                ("refused_bad_request", posts.refused.bad_request),
            ],
        )?;
        self.counters(
            "bodies_decoded",
            "Compressed bodies inside accepted exchanges, by outcome (only the `decoded` are stored)",
            "outcome",
            &[
                ("decoded", bodies.decoded),
                ("corrupt", bodies.left_corrupt),
                ("too_large", bodies.left_too_large),
                ("not_text", bodies.left_not_text),
                ("unknown_coding", bodies.left_unknown),
            ],
        )
    }

    fn sources(&mut self, sources: &SourceTotals) -> fmt::Result {
        self.gauge("sources", "Sources known", sources.known)?;
        self.counter("sources_evicted", "Sources forgotten because there were too many", sources.evicted)?;
        self.gauge("source_missing", "Missing sequence numbers of the known sources", sources.missing)?;
        self.gauge("source_duplicates", "Repeated sequence numbers of the known sources", sources.duplicates)?;
        self.gauge(
            "sources_silent",
            "Known sources that have missed three heartbeats with exchanges pending, see /ready",
            sources.silent,
        )?;
        self.gauge(
            "sources_inexact",
            "Known sources whose last report does not explain all they captured",
            sources.inexact,
        )?;
        self.gauge("source_pending", "Exchanges pending when the known sources were heard last", sources.pending)?;
        self.reported(
            "source_dropped",
            "Exchanges that the known sources report as lost, by reason",
            "reason",
            &sources.reported.dropped,
        )?;
        self.reported(
            "source_degraded",
            "Exchanges that the known sources recorded in part for want of memory, by step",
            "step",
            &sources.reported.degraded,
        )?;
        self.counter("accounts_lost", "Accounts of forgotten sources that no sink ever took", sources.accounts_lost)
    }

    /// Words that come from senders: as many as there may be reasons in a filter, the rest summed up.
    fn reported(&mut self, name: &str, help: &str, label: &str, counts: &BTreeMap<String, u64>) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        let rest: u64 = counts.values().skip(MAX_REASONS).sum();
        let named = counts.iter().take(MAX_REASONS).map(|(word, count)| (word.as_str(), *count));
        for (word, count) in named.chain((rest > 0).then_some(("other", rest))) {
            let value = i64::try_from(count).unwrap_or(i64::MAX);
            ConstGauge::new(value).encode(family.encode_family(&[(label, word)])?)?;
        }
        Ok(())
    }

    fn state(&mut self, app: &App, totals: &Totals) -> fmt::Result {
        let condition = app.sink.condition();
        self.gauge("ready", "1 while posts would be taken and the collector is not ending", app.is_ready().into())?;
        self.degraded(&condition)?;
        if let Some(counts) = app.sink.kafka_counts() {
            self.kafka(&counts)?;
        }
        self.gauge("sink_warnings", "What an operator should know, see /ready", condition.warnings.len() as u64)?;
        self.gauge(
            "identity_exact",
            "1 while the account of this collector explains every line and every post",
            totals.identity_is_exact().into(),
        )?;
        let (remembered, forgotten) = app.batches.counts();
        self.gauge("batches_remembered", "Acknowledged batches whose repeats are recognised", remembered)?;
        self.counter("batches_forgotten", "Acknowledged batches forgotten because there were too many", forgotten)?;
        self.gauge("bytes_in_flight", "Bytes of bodies held", app.budget.used())?;
        self.gauge("sink_queued_bytes", "Bytes that wait to become durable", app.sink.queued_bytes())?;
        let counts = &app.connections;
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        self.gauge("connections", "Connections open", load(&counts.open))?;
        self.counter("connections_accepted", "Connections taken in", load(&counts.accepted))?;
        self.counters(
            "connections_ended",
            "Connections ended by us, by reason",
            "reason",
            &[
                ("too_many", load(&counts.turned_away)),
                ("timed_out", load(&counts.timed_out)),
                ("tls_failed", load(&counts.tls_failed)),
            ],
        )?;
        self.wall(&app.wall)?;
        let kafka = app.sink.kafka_counts();
        self.door(&app.door, kafka.is_some_and(|kafka| kafka.is_unverified))
    }

    fn wall(&mut self, wall: &Wall) -> fmt::Result {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        self.counter("redacted_values", "Secrets masked here, which no filter had masked", load(&wall.masked))?;
        self.counter(
            "bodies_withheld",
            "Compressed bodies left out, for nobody could look into them",
            load(&wall.withheld),
        )?;
        let help = "1 for what is not masked because the settings say so, see /ready";
        self.gauges("redaction_disabled", help, "what", &wall.open_parts())
    }

    fn door(&mut self, door: &Door, kafka_is_unverified: bool) -> fmt::Result {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let turned_away = &door.turned_away;
        self.counters(
            "posts_turned_away",
            "Posts whose sender may not post, by what it lacks",
            "lacks",
            &[
                ("token", load(&turned_away.token)),
                ("certificate", load(&turned_away.no_certificate)),
                ("admitted_certificate", load(&turned_away.certificate)),
            ],
        )?;
        let exposure = door.exposure();
        let states = [
            ("no_auth", exposure == Exposure::NoAuth),
            ("clear_text", exposure == Exposure::ClearText),
            ("kafka_unverified", kafka_is_unverified),
        ];
        self.gauges("insecure", "1 for what is not as safe as it should be, see /ready", "what", &states)?;
        let states = [("tokens", door.tokens_failure().is_some()), ("certificates", door.tls_failure().is_some())];
        self.gauges("not_renewed", "1 for files that changed and cannot be used, see /ready", "what", &states)
    }

    /// All causes that Kafka may give, and what else is wrong: an alarm on one finds it there before it first happens.
    fn degraded(&mut self, condition: &Condition) -> fmt::Result {
        let present = |cause: &str| condition.degraded.iter().any(|trouble| trouble.cause == cause);
        let mut causes: Vec<&str> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
        for trouble in &condition.degraded {
            if !causes.contains(&trouble.cause) {
                causes.push(trouble.cause);
            }
        }
        let help = "1 for what is wrong now, by cause; see /ready for the words";
        let mut family = self.0.encode_descriptor("degraded", help, None, MetricType::Gauge)?;
        for cause in causes {
            ConstGauge::new(i64::from(present(cause))).encode(family.encode_family(&[("cause", cause)])?)?;
        }
        Ok(())
    }

    fn kafka(&mut self, counts: &KafkaCounts) -> fmt::Result {
        let help = "Tries to write a record that Kafka did not acknowledge, by cause";
        self.counters("kafka_records_failed", help, "cause", &counts.failed_records)?;
        let help = "Kafka producers that died of a fatal error and were replaced";
        self.counter("kafka_producers_replaced", help, counts.replaced_producers)
    }

    fn spool(&mut self, spool: &SpoolReport) -> fmt::Result {
        self.counter("spool_items_appended", "Items (exchanges and accounts) taken by the spool", spool.appended)?;
        self.counter("spool_items_recovered", "Items that waited in the spool at the start", spool.recovered)?;
        self.counters(
            "spool_items_settled",
            "Items that left the spool, by where they went",
            "into",
            &[
                ("kafka", spool.replayed),
                ("dead_letters", spool.dead_lettered),
                ("aside", spool.set_aside),
                ("lost", spool.lost),
            ],
        )?;
        self.gauge("spool_items_waiting", "Items that wait in the spool", spool.waiting)?;
        self.gauge("spool_oldest_seconds", "Age of about the oldest item that waits", spool.oldest_seconds)?;
        self.gauge("spool_bytes", "Bytes of the spool's files", spool.bytes)?;
        self.gauge("spool_max_bytes", "Bytes that they may have", spool.max_bytes)?;
        self.gauge("spool_identity_exact", "1 while every item is explained", spool.identity_exact.into())?;
        self.counter("spool_segments_damaged", "Segments in which something was damaged", spool.damaged_segments)?;
        self.counter(
            "spool_commits_failed",
            "Commits that failed; nothing of them was acknowledged",
            spool.failed_commits,
        )?;
        self.gauge("spool_files_foreign", "Files in the spool's directory that are not its own", spool.foreign_files)?;
        self.gauge("spool_files_aside", "Files that were set aside, see /ready", spool.aside_files)?;
        self.gauge("spool_bytes_aside", "Bytes of the files that were set aside", spool.aside_bytes)
    }

    fn gauges(&mut self, name: &str, help: &str, label: &str, states: &[(&str, bool)]) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (word, state) in states {
            ConstGauge::new(i64::from(*state)).encode(family.encode_family(&[(label, *word)])?)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        ConstCounter::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        ConstGauge::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }

    fn counters(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (word, value) in values {
            ConstCounter::new(*value).encode(family.encode_family(&[(label, *word)])?)?;
        }
        Ok(())
    }
}
