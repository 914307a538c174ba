//! The collector as a process of this testbed.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, process::ExitStatus, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use xtask::parts;

use crate::{
    client,
    message::{Call, Reply},
    ports::{self, Port},
    process::{Launch, Log, Process, Scratch},
};

/// The collector listens within milliseconds; this is for a busy machine.
const START_WITHIN: Duration = Duration::from_secs(30);

/// How a collector is to be started.
#[derive(Clone, Debug)]
pub struct CollectorBuilder {
    launch: Launch,
    fixed: Option<u16>,
}

impl CollectorBuilder {
    /// Writes to this topic; makes it if it is missing.
    #[must_use]
    pub fn kafka(mut self, brokers: &str, topic: &str) -> CollectorBuilder {
        self.launch = self.launch.args(["--brokers", brokers, "--topic", topic]);
        self
    }

    /// Writes to this file.
    #[must_use]
    pub fn file(mut self, path: &Path) -> CollectorBuilder {
        self.launch = self.launch.arg("--file").arg(path);
        self
    }

    /// Adds arguments: `["--kafka-config", "message.timeout.ms=1000"]`.
    #[must_use]
    pub fn args(mut self, arguments: &[&str]) -> CollectorBuilder {
        self.launch = self.launch.args(arguments);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> CollectorBuilder {
        self.launch = self.launch.env(name, value);
        self
    }

    /// Lets no file that it writes grow beyond so many bytes: a write stops in the middle and fails, as on a full disk.
    /// Counted in steps of 512.
    #[must_use]
    pub fn max_file_bytes(mut self, bytes: usize) -> CollectorBuilder {
        // Without the trap the signal that comes with the failed write would end it.
        let script = format!("trap '' XFSZ; ulimit -S -f {}; exec \"$0\" \"$@\"", bytes / 512);
        self.launch = self.launch.through_shell(&script);
        self
    }

    /// Changes how its process is started: `.launch(|launch| launch.through(&strace, ["-f"]))`.
    #[must_use]
    pub fn launch(mut self, change: impl FnOnce(Launch) -> Launch) -> CollectorBuilder {
        self.launch = change(self.launch);
        self
    }

    /// A fixed port instead of a free one (the demo).
    #[must_use]
    pub fn port(mut self, number: u16) -> CollectorBuilder {
        self.fixed = Some(number);
        self
    }

    /// Starts it and waits until it answers; it need not have reached Kafka: see [`Collector::ready`].
    ///
    /// # Errors
    /// The binary is missing, or the collector ends by itself: the error has the end of its log.
    pub async fn start(self) -> Result<Collector> {
        let scratch = Scratch::new("collector")?;
        let (port, address) = match self.fixed {
            Some(number) => (None, ports::loopback(number)),
            None => {
                let port = Port::tcp()?;
                let address = port.address();
                (Some(port), address)
            }
        };
        let launch = self.launch.args(["--listen", &address.to_string()]);
        let process = launch.start(&scratch.log("collector"))?;
        let collector = Collector { launch, address, process, scratch, restarts: 0, _port: port };
        collector.alive().await?;
        Ok(collector)
    }
}

/// A running collector. Dropping it kills it.
#[derive(Debug)]
pub struct Collector {
    launch: Launch,
    address: SocketAddr,
    process: Process,
    scratch: Scratch,
    restarts: u32,
    /// Held for restarts; none with a fixed port.
    _port: Option<Port>,
}

impl Collector {
    /// A collector of this build.
    pub fn builder() -> CollectorBuilder {
        CollectorBuilder { launch: Launch::new("collector", parts::binary("tributary-collector")), fixed: None }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Calls it.
    ///
    /// # Errors
    /// No reply.
    pub async fn call(&self, call: &Call) -> Result<Reply> {
        client::call(self.address, call).await
    }

    /// Posts lines as any program may: without the filter's headers.
    ///
    /// # Errors
    /// No reply.
    pub async fn post(&self, lines: impl Into<bytes::Bytes>) -> Result<Reply> {
        let call = Call::post("/v1/exchanges").header("content-type", "application/x-ndjson");
        self.call(&call.body(lines)).await
    }

    /// Waits until it says that it is ready: its sink can take lines.
    ///
    /// # Errors
    /// It is not ready within `within`, or has ended.
    pub async fn ready(&self, within: Duration) -> Result<()> {
        let probe = async || {
            let reply = self.call(&Call::get("/ready")).await?;
            ensure!(reply.status == 200, "/ready says {} {}", reply.status, String::from_utf8_lossy(&reply.body));
            Ok(())
        };
        self.process.ready(within, probe).await
    }

    /// What it knows of every line and every source.
    ///
    /// # Errors
    /// It does not answer, or with another shape.
    pub async fn accounting(&self) -> Result<Accounting> {
        let reply = self.call(&Call::get("/v1/accounting")).await?;
        ensure!(reply.status == 200, "/v1/accounting says {}", reply.status);
        serde_json::from_slice(&reply.body).context("/v1/accounting")
    }

    /// A number of `GET /metrics`, by its name with its labels; 0 if it is not there.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn metric(&self, name: &str) -> Result<u64> {
        let reply = self.call(&Call::get("/metrics")).await?;
        ensure!(reply.status == 200, "/metrics says {}", reply.status);
        let text = String::from_utf8_lossy(&reply.body);
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(Ok(0), |value| value.parse().with_context(|| format!("{name} is {value}")))
    }

    /// Kills it (SIGKILL).
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Ends it in good order (SIGTERM).
    ///
    /// # Errors
    /// It does not run, or not end within `within`.
    pub async fn terminate(&self, within: Duration) -> Result<ExitStatus> {
        self.process.terminate(within).await
    }

    /// Starts it again after its end: same address, same arguments.
    ///
    /// # Errors
    /// It still runs, or does not start.
    pub async fn start_again(&mut self) -> Result<()> {
        ensure!(!self.process.is_running(), "the collector still runs");
        self.process = self.launch.start(&self.scratch.log("collector"))?;
        self.restarts += 1;
        self.alive().await
    }

    /// How its process is started.
    pub fn launch(&self) -> &Launch {
        &self.launch
    }

    /// Changes how its process is started from the next start on.
    pub fn relaunch(&mut self, change: impl FnOnce(Launch) -> Launch) {
        self.launch = change(self.launch.clone());
    }

    /// How often it was started again: its account begins anew each time.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// The process: to pause, signal, measure.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its log.
    pub fn log(&self) -> &Log {
        self.process.log()
    }

    async fn alive(&self) -> Result<()> {
        let probe = async || {
            let reply = self.call(&Call::get("/live")).await?;
            ensure!(reply.status == 200, "/live says {}", reply.status);
            Ok(())
        };
        self.process.ready(START_WITHIN, probe).await
    }
}

/// `GET /v1/accounting`, as far as the judge needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Accounting {
    /// Lines of all posts whose lines were read.
    pub received: u64,
    /// Lines answered as durable.
    pub accepted: u64,
    /// Lines answered as never to be durable.
    pub rejected: u64,
    /// Lines of batches that came again and were not stored again.
    pub repeated: u64,
    /// Lines of refused posts.
    pub refused: Refused,
    /// Accepted lines that Kafka acknowledged.
    pub kafka_acked: u64,
    /// Accepted lines in the spool.
    pub spooled: u64,
    /// Accepted lines in the synced file.
    pub file_synced: u64,
    /// Whether the collector finds its own numbers consistent.
    pub identity_exact: bool,
    /// By source.
    pub sources: BTreeMap<String, SourceAccount>,
    /// If it has a spool.
    pub spool: Spool,
}

/// The account of the spool, as far as the judge needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Spool {
    /// Items that are still to be replayed.
    pub waiting: u64,
    /// Items that Kafka would not take, and that lie in the dead-letter topic.
    pub dead_lettered: u64,
}

/// Refused lines by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Refused {
    /// Nothing promised, try again.
    pub busy: u64,
    /// No or a wrong token.
    pub auth: u64,
    /// Over a limit.
    pub limit: u64,
}

/// One source as the collector knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SourceAccount {
    /// When the last post of it came, RFC 3339, by the collector's wall clock.
    pub last_seen: String,
    /// The highest number that arrived.
    pub max_seq: Option<u64>,
    /// How many numbers below it did not.
    pub missing: u64,
    /// Which ones, as ranges, ends included.
    pub gaps: Vec<(u64, u64)>,
    /// How many arrived again.
    pub duplicates: u64,
    /// What the filter last reported: its counters, and `open`, `queued`, `in_flight`.
    pub counters: BTreeMap<String, u64>,
    /// Whether the report is consistent in itself; `None` before the first report.
    pub identity_exact: Option<bool>,
}
