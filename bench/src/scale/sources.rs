//! From one source to ten thousand, lines from 700 bytes to 64 KB, topics of one partition to twelve: what each costs one
//! collector.

use anyhow::{Context as _, Result, ensure};
use tributary_testbed::{collector::Collector, kafka::Kafka};
use tributary_topic::{Writer, WriterConfig};

use super::{BROKER_CPU, COLLECTOR_CPU, LINE, RATE, RSS, SOURCES};
use crate::{
    collector::{
        lines::LineMaker,
        posting,
        posts::{Coding, Post, Sender},
        subject::Running,
    },
    cpu::Reading,
    run::{Options, Run},
};

/// Connections that post at a time, whoever the senders are: Envoys in front of a collector share them out likewise.
const CONNECTIONS: usize = 8;

/// One collector with its load.
struct Variant {
    case: &'static str,
    name: &'static str,
    collector: Collector,
    senders: Vec<Sender>,
    lines_a_post: u64,
    posts: u64,
    /// The sender whose turn it is.
    next: usize,
}

/// What distinguishes a variant from the usual load.
struct Plan {
    case: &'static str,
    name: &'static str,
    sources: u64,
    answer_bytes: usize,
    lines_a_post: u64,
    posts: u64,
    partitions: i32,
    arguments: &'static [&'static str],
    /// Whether a quick run leaves it out: what lies between others.
    is_between: bool,
}

const SOURCES_CASE: &str = "simulated sources, 10 lines a post";
const SIZE_CASE: &str = "bytes of a response body, batches of 512 KiB";
const PARTITIONS_CASE: &str = "partitions, 100 lines a post";

/// Sources enough for all that are simulated; by default 1,024 are told apart by name.
const NAMED: &[&str] = &["--max-sources", "20000"];

const USUAL: Plan = Plan {
    case: SOURCES_CASE,
    name: "",
    sources: 8,
    answer_bytes: 0,
    lines_a_post: 10,
    posts: 4_000,
    partitions: 3,
    arguments: NAMED,
    is_between: false,
};

/// In the order of their cases; the first of each is the baseline.
const PLANS: [Plan; 13] = [
    Plan { name: "8 sources", ..USUAL },
    // It has one post on its way at a time, so it takes longer for fewer.
    Plan { name: "1", sources: 1, posts: 500, ..USUAL },
    Plan { name: "100", sources: 100, ..USUAL },
    Plan { name: "1,000", sources: 1_000, is_between: true, ..USUAL },
    Plan { name: "10,000", sources: 10_000, posts: 10_000, ..USUAL },
    Plan { name: "10,000, of which 1,024 are named", sources: 10_000, posts: 10_000, arguments: &[], ..USUAL },
    Plan { case: SIZE_CASE, name: "70 B", lines_a_post: 100, posts: 400, ..USUAL },
    Plan {
        case: SIZE_CASE,
        name: "1 KB",
        answer_bytes: 1_000,
        lines_a_post: 100,
        posts: 320,
        is_between: true,
        ..USUAL
    },
    Plan { case: SIZE_CASE, name: "10 KB", answer_bytes: 10_000, lines_a_post: 40, posts: 160, ..USUAL },
    Plan { case: SIZE_CASE, name: "64 KB", answer_bytes: 64_000, lines_a_post: 6, posts: 160, ..USUAL },
    Plan { case: PARTITIONS_CASE, name: "1 partition", partitions: 1, lines_a_post: 100, posts: 480, ..USUAL },
    Plan { case: PARTITIONS_CASE, name: "3", lines_a_post: 100, posts: 480, is_between: true, ..USUAL },
    Plan { case: PARTITIONS_CASE, name: "12", partitions: 12, lines_a_post: 100, posts: 480, ..USUAL },
];

/// Measures the cases.
///
/// # Errors
/// As [`super::measure`].
pub(super) async fn measure(run: &mut Run, kafka: &Kafka) -> Result<()> {
    let mut variants = Vec::new();
    let quick = run.options().quick;
    for plan in PLANS.iter().filter(|plan| !(quick && plan.is_between)) {
        if PLANS.iter().find(|other| other.case == plan.case).is_some_and(|first| first.name == plan.name) {
            run.compare_with(plan.case, plan.name);
        }
        variants.push(Variant::start(kafka, plan, run.options()).await?);
    }
    for round in run.rounds() {
        let order: Vec<usize> = round.order(variants.len()).collect();
        for turn in order {
            let variant = variants.get_mut(turn).context("no such variant")?;
            variant.turn(run, kafka, round.is_counted()).await?;
        }
    }
    for variant in &variants {
        variant.finish(run).await?;
    }
    Ok(())
}

impl Variant {
    async fn start(kafka: &Kafka, plan: &Plan, options: &Options) -> Result<Variant> {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let topic: String = format!("scale-{}-{}", plan.case, plan.name).chars().map(plain).collect();
        Writer::new(WriterConfig::new(kafka.brokers(), &topic))?.ensure_topic(plan.partitions, 1).await?;
        let builder = Collector::builder().kafka(kafka.brokers(), &topic).args(plan.arguments);
        let sender = |number| Sender::of(LineMaker::new(number).answering(plan.answer_bytes));
        Ok(Variant {
            case: plan.case,
            name: plan.name,
            collector: Running::ours(builder, options).await?,
            senders: (0..plan.sources).map(sender).collect(),
            lines_a_post: plan.lines_a_post,
            posts: options.share(plan.posts),
            next: 0,
        })
    }

    async fn turn(&mut self, run: &mut Run, kafka: &Kafka, counts: bool) -> Result<()> {
        let posts = self.prepare()?;
        let bytes: usize = posts.iter().flatten().map(|post| post.bytes.len()).sum();
        let (own, broker) = (self.collector.process().id(), kafka.process()?.id());
        let before = (Reading::of(own)?, Reading::of(broker)?);
        let posted = posting::post_all(self.collector.address(), posts).await;
        let posted = posted.map_err(|error| self.collector.process().with_log(error))?;
        if counts {
            let lines = posted.lines as f64;
            let micros = |spent: std::time::Duration| spent.as_secs_f64() * 1e6 / lines;
            run.add(self.case, self.name, &COLLECTOR_CPU, micros(Reading::of(own)?.since(&before.0)));
            run.add(self.case, self.name, &BROKER_CPU, micros(Reading::of(broker)?.since(&before.1)));
            run.add(self.case, self.name, &RATE, lines / posted.took.as_secs_f64());
            run.add(self.case, self.name, &LINE, bytes as f64 / lines);
        }
        Ok(())
    }

    /// Posts of the senders in turn, dealt out to the connections. A sender stays with its connection: its batches go in order.
    fn prepare(&mut self) -> Result<Vec<Vec<Post>>> {
        let mut dealt: Vec<Vec<Post>> = (0..CONNECTIONS).map(|_| Vec::new()).collect();
        for _ in 0..self.posts {
            let place = self.next % self.senders.len();
            let sender = self.senders.get_mut(place).context("no sender")?;
            let post = sender.post(self.lines_a_post, Coding::Plain)?;
            if let Some(connection) = dealt.get_mut(place % CONNECTIONS) {
                connection.push(post);
            }
            self.next += 1;
        }
        Ok(dealt)
    }

    async fn finish(&self, run: &mut Run) -> Result<()> {
        run.add(self.case, self.name, &RSS, self.collector.process().memory_bytes()? as f64 / f64::from(1 << 20));
        let account = self.collector.accounting().await?;
        ensure!(account.identity_exact, "the account with {} is not exact", self.name);
        ensure!(account.rejected == 0, "with {} {} lines were rejected", self.name, account.rejected);
        let missing: u64 = account.sources.values().map(|source| source.missing).sum();
        ensure!(missing == 0, "with {} {missing} numbers are missing", self.name);
        if self.case == SOURCES_CASE {
            run.add(self.case, self.name, &SOURCES, account.sources.len() as f64);
        }
        Ok(())
    }
}
