//! Area `end-to-end`: the whole path, from a call through Envoy to its record in Kafka. What all of it costs together, and how
//! long a record takes.
//!
//! How much the path carries is found first, by callers that do not wait for anything but their answers; the loads are
//! shares of that. Every call has to arrive: one that does not is an error, not a figure.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, ensure};
use tributary_testbed::{collector::Collector, envoy::Envoy, kafka::Kafka, process::Process};
use tributary_topic::{Writer, WriterConfig};

use crate::{
    collector::subject::Running,
    cpu::Reading,
    report::Measure,
    run::{Options, Run},
    statistics,
    traffic::{
        arrivals::Arrivals,
        calls::{Called, Calls, Pace},
        origin::Origin,
    },
};

const RATE: Measure = Measure::yielded("exchanges per second", "");
const CPU: Measure = Measure::cost("CPU per exchange", "µs");
const P50: Measure = Measure::cost("p50 from answer to record", "ms");
const P99: Measure = Measure::cost("p99 from answer to record", "ms");
const BEYOND: Measure = Measure::cost("p99 beyond the flush interval", "ms");
const RSS: Measure = Measure::cost("peak RSS", "MiB");

/// The filter's default for `flush_after_ms`: how long an exchange may wait for company.
const FLUSH_AFTER_MS: f64 = 200.0;

/// What the app answers: a small JSON document.
const ANSWER: &str = r#"{"id":7321,"name":"walnut shelf","price":129.00,"stock":12,"tags":["a"]}"#;

const CONNECTIONS: usize = 16;

/// The loads, each with its name and its share of what the path carries; `None`: as fast as the answers come.
const LOADS: [(&str, Option<f64>); 4] =
    [("all it carries", None), ("10 % of it", Some(0.1)), ("50 % of it", Some(0.5)), ("90 % of it", Some(0.9))];

/// How long a record may take on a machine that is busy with other things before it counts as lost.
const ARRIVES_WITHIN: Duration = Duration::from_secs(60);

/// Measures the area.
///
/// # Errors
/// A part is missing or does not start, a call is not answered, or an exchange does not arrive.
pub(crate) async fn measure(run: &mut Run) -> Result<()> {
    let span = run.options().span();
    let mut path = Path::start(run.options()).await?;
    let carried = path.carries(span).await?;
    run.note(format!(
        "The loads are shares of {carried:.0} exchanges a second, which the path carried in one go before the rounds. \
         Callers, app, Kafka and its reader share the machine's cores with it."
    ));
    for round in run.rounds() {
        for (name, share) in round.order(LOADS.len()).filter_map(|turn| LOADS.get(turn)) {
            let pace = share.map_or(Pace::Closed, |share| Pace::PerSecond(carried * share));
            let turn = path.turn(pace, span).await.with_context(|| (*name).to_owned())?;
            if round.is_counted() {
                turn.report(run, name);
            }
        }
    }
    for (name, process) in path.processes()? {
        run.add("whole run", name, &RSS, process.peak_memory_bytes()? as f64 / f64::from(1 << 20));
    }
    path.is_in_order().await
}

/// The parts, wired together.
struct Path {
    // In the order in which they have to end.
    envoy: Envoy,
    _origin: Origin,
    collector: Collector,
    arrivals: Arrivals,
    kafka: Kafka,
    /// The number of the next call.
    next: u64,
}

impl Path {
    async fn start(options: &Options) -> Result<Path> {
        const TOPIC: &str = "bench-path";
        let kafka = Kafka::builder().start().await?;
        Writer::new(WriterConfig::new(kafka.brokers(), TOPIC))?.ensure_topic(3, 1).await?;
        let arrivals = Arrivals::open(kafka.brokers(), TOPIC).await?;
        let collector = Running::ours(Collector::builder().kafka(kafka.brokers(), TOPIC), options).await?;
        let origin = Origin::start(ANSWER).await?;
        let envoy = Envoy::builder().users(origin.address()).collector(collector.address()).start().await?;
        Ok(Path { envoy, _origin: origin, collector, arrivals, kafka, next: 0 })
    }

    /// Exchanges a second when nobody waits for anything but the answers.
    async fn carries(&mut self, span: Duration) -> Result<f64> {
        // Once for the caches, once for the figure.
        self.turn(Pace::Closed, span).await?;
        let turn = self.turn(Pace::Closed, span).await?;
        Ok(turn.rate())
    }

    fn processes(&self) -> Result<[(&'static str, &Process); 3]> {
        Ok([("Envoy", self.envoy.process()), ("collector", self.collector.process()), ("Kafka", self.kafka.process()?)])
    }

    async fn turn(&mut self, pace: Pace, span: Duration) -> Result<Turn> {
        let calls =
            Calls { envoys: vec![self.envoy.address()], connections: CONNECTIONS, pace, span, first: self.next };
        let read = |process: &Process| Reading::of(process.id());
        let before = self.processes()?.map(|(_, process)| read(process));
        let called = calls.make().await.map_err(|error| self.envoy.process().with_log(error))?;
        let delays = self.arrivals.delays(&called, ARRIVES_WITHIN).await;
        let delays = delays.map_err(|error| self.collector.process().with_log(error))?;
        let mut micros = BTreeMap::new();
        for ((name, process), before) in self.processes()?.into_iter().zip(before) {
            micros.insert(name, read(process)?.since(&before?).as_secs_f64() * 1e6);
        }
        // Of a turn that was cut short by its end, some numbers were given out and not used.
        self.next = called.answered.iter().map(|(number, _)| number + 1).max().unwrap_or(self.next);
        Ok(Turn { called, delays, micros })
    }

    /// Nothing was dropped, and the collector's account is exact.
    async fn is_in_order(&self) -> Result<()> {
        let counted = self.envoy.stats().await?.filter();
        let dropped: u64 = counted.iter().filter(|(name, _)| name.contains("dropped_")).map(|(_, value)| value).sum();
        ensure!(dropped == 0, "the filter dropped {dropped} exchanges: {counted:?}");
        let account = self.collector.accounting().await?;
        ensure!(account.identity_exact, "the collector's account is not exact: {account:?}");
        Ok(())
    }
}

/// What one turn came to.
#[derive(Debug)]
struct Turn {
    called: Called,
    /// From answer to record, in nanoseconds.
    delays: Vec<u64>,
    /// CPU by process.
    micros: BTreeMap<&'static str, f64>,
}

impl Turn {
    fn rate(&self) -> f64 {
        self.called.answered.len() as f64 / self.called.took.as_secs_f64()
    }

    fn report(mut self, run: &mut Run, case: &str) {
        let exchanges = self.called.answered.len() as f64;
        run.add(case, "path", &RATE, self.rate());
        for (name, micros) in &self.micros {
            run.add(case, name, &CPU, micros / exchanges);
        }
        run.add(case, "all three", &CPU, self.micros.values().sum::<f64>() / exchanges);
        let mut millis = |share| statistics::quantile(&mut self.delays, share).map(|nanos| nanos as f64 / 1e6);
        let (median, late) = (millis(0.5), millis(0.99));
        median.into_iter().for_each(|median| run.add(case, "path", &P50, median));
        if let Some(late) = late {
            run.add(case, "path", &P99, late);
            run.add(case, "path", &BEYOND, late - FLUSH_AFTER_MS);
        }
    }
}
