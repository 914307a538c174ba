//! One to eight real Envoys, each with the same traffic, and one to three collectors.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use tributary_testbed::{
    collector::Collector,
    envoy::{Envoy, EnvoyBuilder},
    kafka::Kafka,
    process::Process,
};

use super::{BROKER_CPU, COLLECTOR_CPU, ENVOY_CPU};
use crate::{
    collector::subject::Running,
    cpu::Reading,
    run::{Options, Run},
    traffic::{
        arrivals::Arrivals,
        calls::{Called, Calls, Pace},
        origin::Origin,
    },
};

const CASE: &str = "real Envoys, 150 exchanges a second each";
const TOPIC: &str = "bench-envoys";
const MOST_ENVOYS: usize = 8;
const MOST_COLLECTORS: usize = 3;

/// Calls a second to each Envoy: eight of them, with callers, app and Kafka beside them, must not fill two cores.
const RATE_OF_EACH: f64 = 150.0;

const CONNECTIONS_TO_EACH: usize = 2;
const ARRIVES_WITHIN: Duration = Duration::from_secs(60);

/// Name, Envoys, collectors.
type Variant = (&'static str, usize, usize);

const VARIANTS: [Variant; 6] = [
    ("1 Envoy, 1 collector", 1, 1),
    ("2 Envoys, 1 collector", 2, 1),
    ("4 Envoys, 1 collector", 4, 1),
    ("8 Envoys, 1 collector", MOST_ENVOYS, 1),
    ("8 Envoys, 2 collectors", MOST_ENVOYS, 2),
    ("8 Envoys, 3 collectors", MOST_ENVOYS, MOST_COLLECTORS),
];

/// Measures the case.
///
/// # Errors
/// As [`super::measure`].
pub(super) async fn measure(run: &mut Run, kafka: &Kafka) -> Result<()> {
    let (options, span) = (run.options(), run.options().span());
    let wanted: Vec<_> =
        VARIANTS.iter().filter(|(_, envoys, collectors)| is_wanted(options, *envoys, *collectors)).collect();
    let mut fleet = Fleet::start(kafka, &wanted, options).await?;
    run.compare_with(CASE, VARIANTS[0].0);
    for round in run.rounds() {
        for (name, envoys, collectors) in round.order(wanted.len()).filter_map(|turn| wanted.get(turn)) {
            let turn = fleet.turn(*envoys, *collectors, span).await.with_context(|| (*name).to_owned())?;
            if round.is_counted() {
                run.add(CASE, name, &ENVOY_CPU, turn.envoys);
                run.add(CASE, name, &COLLECTOR_CPU, turn.collectors);
                run.add(CASE, name, &BROKER_CPU, turn.broker);
            }
        }
    }
    fleet.is_in_order().await
}

/// The ends of both ranges in a quick run, what takes no minute to start in a trial.
fn is_wanted(options: &Options, envoys: usize, collectors: usize) -> bool {
    if options.is_trial {
        return envoys <= 2;
    }
    let is_end = [1, MOST_ENVOYS].contains(&envoys) && [1, MOST_COLLECTORS].contains(&collectors);
    is_end || !options.quick
}

/// As many Envoys as are wanted for each wanted number of collectors, all running; those that have no traffic have next to nothing to do.
struct Fleet<'kafka> {
    /// By how many collectors they post to.
    groups: BTreeMap<usize, Vec<Envoy>>,
    collectors: Vec<Collector>,
    arrivals: Arrivals,
    _origin: Origin,
    kafka: &'kafka Kafka,
    next: u64,
}

/// µs of CPU by exchange.
struct Turn {
    envoys: f64,
    collectors: f64,
    broker: f64,
}

impl<'kafka> Fleet<'kafka> {
    async fn start(kafka: &'kafka Kafka, wanted: &[&Variant], options: &Options) -> Result<Fleet<'kafka>> {
        let counts: BTreeSet<usize> = wanted.iter().map(|(_, _, collectors)| *collectors).collect();
        let most_envoys = wanted.iter().map(|(_, envoys, _)| *envoys).max().unwrap_or_default();
        let mut collectors = Vec::new();
        for _ in 0..counts.last().copied().unwrap_or_default() {
            collectors.push(Running::ours(Collector::builder().kafka(kafka.brokers(), TOPIC), options).await?);
        }
        let arrivals = Arrivals::open(kafka.brokers(), TOPIC).await?;
        let origin = Origin::start(r#"{"id":7321,"name":"walnut shelf","price":129.00}"#).await?;
        let addresses: Vec<SocketAddr> = collectors.iter().map(Collector::address).collect();
        let mut groups = BTreeMap::new();
        for count in counts {
            let posted_to = addresses.get(..count).with_context(|| format!("{count} collectors are too many"))?;
            let mut group = Vec::new();
            for _ in 0..most_envoys {
                group.push(posting_to(posted_to, origin.address()).start().await?);
            }
            groups.insert(count, group);
        }
        Ok(Fleet { groups, collectors, arrivals, _origin: origin, kafka, next: 0 })
    }

    async fn turn(&mut self, envoys: usize, collectors: usize, span: Duration) -> Result<Turn> {
        let group = self.groups.get(&collectors).and_then(|group| group.get(..envoys)).context("too few Envoys")?;
        let posted_to = self.collectors.get(..collectors).context("too few collectors")?;
        let calls = Calls {
            envoys: group.iter().map(Envoy::address).collect(),
            connections: CONNECTIONS_TO_EACH,
            pace: Pace::PerSecond(RATE_OF_EACH * envoys as f64),
            span,
            first: self.next,
        };
        let processes = [
            group.iter().map(Envoy::process).collect(),
            posted_to.iter().map(Collector::process).collect(),
            vec![self.kafka.process()?],
        ];
        let before = processes.each_ref().map(|group| read(group));
        let called = calls.make().await?;
        self.arrivals.delays(&called, ARRIVES_WITHIN).await?;
        let mut spent = [0.0; 3];
        for ((group, before), spent) in processes.iter().zip(before).zip(&mut spent) {
            *spent = micros(&before?, &read(group)?) / called.answered.len() as f64;
        }
        self.next = after(&called, self.next);
        let [envoys, collectors, broker] = spent;
        Ok(Turn { envoys, collectors, broker })
    }

    /// The collectors' accounts are exact, and no exchange was lost on the way to them.
    async fn is_in_order(&self) -> Result<()> {
        for collector in &self.collectors {
            let account = collector.accounting().await?;
            ensure!(account.identity_exact, "a collector's account is not exact: {account:?}");
        }
        for envoy in self.groups.values().flatten() {
            let counted = envoy.stats().await?.filter();
            let dropped: u64 = counted.iter().filter(|(name, _)| name.contains("dropped_")).map(|(_, it)| it).sum();
            ensure!(dropped == 0, "a filter dropped {dropped} exchanges: {counted:?}");
        }
        Ok(())
    }
}

fn posting_to(collectors: &[SocketAddr], app: SocketAddr) -> EnvoyBuilder {
    let mut envoy = Envoy::builder().users(app);
    for (number, &address) in collectors.iter().enumerate() {
        envoy = match number {
            0 => envoy.collector(address),
            _ => envoy.edit(move |config| config.add_endpoint("collector", address)),
        };
    }
    envoy
}

fn read(processes: &[&Process]) -> Result<Vec<Reading>> {
    processes.iter().map(|process| Reading::of(process.id())).collect()
}

fn micros(before: &[Reading], after: &[Reading]) -> f64 {
    before.iter().zip(after).map(|(before, after)| after.since(before).as_secs_f64() * 1e6).sum()
}

/// The first number that no call has had.
fn after(called: &Called, next: u64) -> u64 {
    called.answered.iter().map(|(number, _)| number + 1).max().unwrap_or(next)
}
