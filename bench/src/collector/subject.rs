//! The programs that are compared: how each is started, and what it is told.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use tributary_testbed::{
    collector::{Collector, CollectorBuilder},
    kafka::Kafka,
    ports::Port,
    process::{Launch, Process, Scratch},
};
use tributary_topic::{Writer, WriterConfig};
use xtask::parts;

use crate::{builds, run::Options};

/// How long a program may take until it listens.
const START_WITHIN: Duration = Duration::from_secs(30);

/// Partitions of each topic: the collector's default.
const PARTITIONS: i32 = 3;

/// The Node service; kafkajs lies in the parts folder.
const NODE_SERVICE: &str = include_str!("../../node/collector.cjs");

/// One of the programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The smallest program that keeps the same promise: `src/bin/floor.rs`.
    Floor,
    /// The same with the key and the headers of the collector's records.
    FloorSameRecords,
    /// The collector as it is by default, into Kafka.
    Ours,
    /// Another build of the collector, under this name.
    Build {
        /// What the column is called.
        name: String,
        /// The program.
        file: PathBuf,
    },
    /// The collector without its own masking.
    OursFilterOnly,
    /// The collector into a file.
    OursToFile,
    /// The collector whose Kafka is away, into its spool.
    OursToSpool,
    /// A Node service with kafkajs, one send for all lines of a post.
    NodePost,
    /// The same with a send for each line.
    NodeLine,
}

impl Subject {
    /// Its name as a variant.
    pub(crate) fn name(&self) -> &str {
        match self {
            Subject::Build { name, .. } => name,
            Subject::Floor => "floor",
            Subject::FloorSameRecords => "floor, same records",
            Subject::Ours => "ours",
            Subject::OursFilterOnly => "ours, filter-only",
            Subject::OursToFile => "ours, file",
            Subject::OursToSpool => "ours, spool",
            Subject::NodePost => "Node, a send a post",
            Subject::NodeLine => "Node, a send a line",
        }
    }

    /// The builds given, beside the floor.
    ///
    /// # Errors
    /// One is no file.
    pub(crate) fn builds(files: &[PathBuf]) -> Result<Vec<Subject>> {
        let builds = builds::named("--collector", files, Subject::Floor.name())?.into_iter();
        Ok(builds.map(|(name, file)| Subject::Build { name, file }).collect())
    }

    /// Whether it is ours or needs nothing that may be missing: without it there is nothing to report.
    pub(crate) fn is_needed(&self) -> bool {
        !matches!(self, Subject::NodePost | Subject::NodeLine)
    }

    /// Starts it.
    ///
    /// # Errors
    /// It, or a part it needs, is missing, or it does not start.
    pub(crate) async fn start(&self, kafka: &Kafka, options: &Options) -> Result<Running> {
        let topic = match self {
            Subject::OursToFile | Subject::OursToSpool => String::new(),
            _ => self.topic(kafka).await?,
        };
        let running = match self {
            Subject::Ours => Running::collector(Collector::builder().kafka(kafka.brokers(), &topic), options).await,
            Subject::Build { file, .. } => {
                Running::build(Collector::builder().kafka(kafka.brokers(), &topic), file).await.map(Running::of)
            }
            Subject::OursFilterOnly => {
                let builder = Collector::builder().kafka(kafka.brokers(), &topic);
                Running::collector(builder.args(&["--redact", "filter-only"]), options).await
            }
            Subject::OursToFile => Running::to_file(options).await,
            Subject::OursToSpool => Running::to_spool(options).await,
            Subject::Floor => floor(options, kafka.brokers(), &topic, &[]).await,
            Subject::FloorSameRecords => floor(options, kafka.brokers(), &topic, &["--same-records"]).await,
            Subject::NodePost => node("post", kafka.brokers(), &topic).await,
            Subject::NodeLine => node("line", kafka.brokers(), &topic).await,
        };
        running.with_context(|| format!("start {}", self.name()))
    }

    /// A topic of its own.
    async fn topic(&self, kafka: &Kafka) -> Result<String> {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let topic: String = format!("bench-{}", self.name()).chars().map(plain).collect();
        let writer = Writer::new(WriterConfig::new(kafka.brokers(), &topic))?;
        writer.ensure_topic(PARTITIONS, 1).await?;
        Ok(topic)
    }
}

/// A program that runs. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Running {
    address: SocketAddr,
    kind: Kind,
    /// Where it keeps its files, if it has some.
    _files: Option<Scratch>,
}

#[derive(Debug)]
enum Kind {
    Collector(Box<Collector>),
    Program { process: Process, _port: Port },
}

impl Running {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub(crate) fn process(&self) -> &Process {
        match &self.kind {
            Kind::Collector(collector) => collector.process(),
            Kind::Program { process, .. } => process,
        }
    }

    /// The collector, if it is one.
    pub(crate) fn as_collector(&self) -> Option<&Collector> {
        match &self.kind {
            Kind::Collector(collector) => Some(collector),
            Kind::Program { .. } => None,
        }
    }

    /// Starts the collector that is measured and waits until it is ready.
    ///
    /// # Errors
    /// It is not built, or does not start.
    pub(crate) async fn ours(builder: CollectorBuilder, options: &Options) -> Result<Collector> {
        Running::build(builder, &options.program("tributary-collector")).await
    }

    /// As [`ours`](Self::ours), of another build.
    async fn build(builder: CollectorBuilder, file: &Path) -> Result<Collector> {
        let collector = builder.launch(|launch| launch.program(file)).start().await?;
        // With a spool it is ready without Kafka too.
        collector.ready(START_WITHIN).await?;
        Ok(collector)
    }

    async fn collector(builder: CollectorBuilder, options: &Options) -> Result<Running> {
        Running::ours(builder, options).await.map(Running::of)
    }

    fn of(collector: Collector) -> Running {
        Running { address: collector.address(), kind: Kind::Collector(Box::new(collector)), _files: None }
    }

    async fn to_file(options: &Options) -> Result<Running> {
        let files = Scratch::new("bench-file")?;
        let builder = Collector::builder().file(&files.file("exchanges.jsonl"));
        Ok(Running { _files: Some(files), ..Running::collector(builder, options).await? })
    }

    /// Nobody listens at its broker's address: everything goes into the spool.
    async fn to_spool(options: &Options) -> Result<Running> {
        let files = Scratch::new("bench-spool")?;
        let away = Port::tcp()?;
        let spool = files.file("spool");
        let spool = spool.to_str().context("the scratch folder's name is no text")?;
        let builder = Collector::builder().kafka(&away.address().to_string(), "away");
        let builder = builder.args(&["--spool", spool, "--spool-max-bytes", "16GiB"]);
        Ok(Running { _files: Some(files), ..Running::collector(builder, options).await? })
    }

    async fn program(
        files: Scratch,
        launch: Launch,
        listen: impl FnOnce(Launch, SocketAddr) -> Launch,
    ) -> Result<Running> {
        let port = Port::tcp()?;
        let address = port.address();
        let process = listen(launch, address).start(&files.log("program"))?;
        let connect = async || Ok(tokio::net::TcpStream::connect(address).await.map(drop)?);
        process.ready(START_WITHIN, connect).await?;
        Ok(Running { address, kind: Kind::Program { process, _port: port }, _files: Some(files) })
    }
}

async fn floor(options: &Options, brokers: &str, topic: &str, more: &[&str]) -> Result<Running> {
    let launch = Launch::new("floor", options.program("floor")).args(more);
    let launch = launch.args(["--brokers", brokers, "--topic", topic, "--listen"]);
    let listen = |launch: Launch, address: SocketAddr| launch.arg(address.to_string());
    Running::program(Scratch::new("bench-floor")?, launch, listen).await
}

async fn node(mode: &str, brokers: &str, topic: &str) -> Result<Running> {
    let (node, kafkajs) = (parts::NODE.path()?, parts::node_kafka()?);
    let files = Scratch::new("bench-node")?;
    let service = files.file("collector.cjs");
    fs::write(&service, NODE_SERVICE).with_context(|| format!("write {}", service.display()))?;
    let launch = Launch::new("node", node).env("KAFKAJS_NO_PARTITIONER_WARNING", "1").arg(&service).arg(kafkajs);
    let listen = |launch: Launch, address: SocketAddr| {
        launch.args([mode, &address.ip().to_string(), &address.port().to_string(), brokers, topic])
    };
    Running::program(files, launch, listen).await
}
