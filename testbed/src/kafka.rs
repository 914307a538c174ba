//! A real Apache Kafka (KRaft, one node) as a process of this testbed, or the running one of `$KAFKA_BROKERS`.

mod door;
mod probe;
mod tools;

pub use crate::certificates;
pub use door::Door;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use xtask::parts::{self, KafkaPart};

use crate::{
    ports::{self, Port},
    process::{Launch, Log, Process, Scratch},
};

/// What every broker here is set to; ports, data folder and the test's own settings come behind it.
const PROPERTIES: &str = include_str!("kafka/server.properties");

/// Kafka's own logging, short and to standard output.
const LOG4J2: &str = include_str!("kafka/log4j2.properties");

/// The cluster id that the data folder is formatted with; any 16 bytes in base64url would do.
const CLUSTER_ID: &str = "dHJpYnV0YXJ5LXRlc3RiZA";

/// Formatting takes 1 s and starting 3 s on an idle machine; this is for a busy one.
const START_WITHIN: Duration = Duration::from_secs(90);

/// How a broker is to be started.
#[derive(Debug, Default)]
pub struct KafkaBuilder {
    settings: Vec<(String, String)>,
    ports: Option<(u16, u16)>,
    door: Option<Door>,
}

impl KafkaBuilder {
    /// Adds a line to `server.properties`; the last one for a name wins: `("message.max.bytes", "2000")`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: impl ToString) -> KafkaBuilder {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    /// A second way in, for the part under test: [`Kafka::door`] says where.
    #[must_use]
    pub fn door(mut self, door: Door) -> KafkaBuilder {
        self.door = Some(door);
        self
    }

    /// Fixed ports for clients and for the controller instead of free ones (the demo).
    #[must_use]
    pub fn ports(mut self, clients: u16, controller: u16) -> KafkaBuilder {
        self.ports = Some((clients, controller));
        self
    }

    /// Starts a broker of one's own, whatever `$KAFKA_BROKERS` says, and waits until it is ready.
    ///
    /// # Errors
    /// Java or Kafka is missing (the error says how to supply it), or the broker does not start.
    pub async fn start(self) -> Result<Kafka> {
        let libs = match parts::kafka()? {
            KafkaPart::Libs(libs) => libs,
            KafkaPart::Running(brokers) => {
                bail!("this needs a broker of its own and KAFKA_BROKERS={brokers} stands in the way: unset it")
            }
        };
        let own = Own::prepare(parts::java()?, libs, self)?;
        own.format().await?;
        let brokers = own.clients.to_string();
        let process = own.launch("kafka.Kafka").arg(own.scratch.file("server.properties")).start(&own.log())?;
        let kafka = Kafka { brokers, kind: Kind::Own(Box::new(own), Some(process)) };
        kafka.ready().await?;
        Ok(kafka)
    }
}

/// A Kafka to write to and to read from. Dropping it ends the broker, if it is ours.
#[derive(Debug)]
pub struct Kafka {
    brokers: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Started here; `None` after a kill.
    Own(Box<Own>, Option<Process>),
    /// Of `$KAFKA_BROKERS`.
    Running,
}

impl Kafka {
    /// A broker with the test settings of this testbed.
    pub fn builder() -> KafkaBuilder {
        KafkaBuilder::default()
    }

    /// The Kafka of `$KAFKA_BROKERS` if that is set, else a broker of its own.
    ///
    /// # Errors
    /// As [`KafkaBuilder::start`].
    pub async fn shared() -> Result<Kafka> {
        match parts::kafka()? {
            KafkaPart::Running(brokers) => Ok(Kafka { brokers, kind: Kind::Running }),
            KafkaPart::Libs(_) => Kafka::builder().start().await,
        }
    }

    /// `host:port[,host:port…]`: what goes to `--brokers`.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The second way in: what goes to `--brokers` of the part under test.
    ///
    /// # Errors
    /// It has none.
    pub fn door(&self) -> Result<&str> {
        match &self.kind {
            Kind::Own(own, _) => own.door.as_deref().context("this broker has one way in only"),
            Kind::Running => bail!("{NOT_OURS}"),
        }
    }

    /// Freezes the broker: connections stay, nothing is answered.
    ///
    /// # Errors
    /// It is not ours, or does not run.
    pub fn pause(&self) -> Result<()> {
        self.process()?.pause()
    }

    /// Lets a frozen broker go on, and waits until it answers.
    ///
    /// # Errors
    /// It is not ours, does not run, or does not answer.
    pub async fn resume(&self) -> Result<()> {
        self.process()?.resume()?;
        self.ready().await
    }

    /// Whether folders of this topic's partitions (`topic-0` …) lie in the broker's data. When it lets go of one it gives
    /// the folder another name, and deletes it later.
    ///
    /// # Errors
    /// It is not ours, or its data cannot be read.
    fn has_partitions_of(&self, topic: &str) -> Result<bool> {
        let Kind::Own(own, _) = &self.kind else { bail!("{NOT_OURS}") };
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        for entry in std::fs::read_dir(own.scratch.file("data")).context("look into the broker's data")? {
            let name = entry.context("look into the broker's data")?.file_name();
            let partition = name.to_str().and_then(|name| name.strip_prefix(topic)?.strip_prefix('-'));
            if partition.is_some_and(is_number) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Kills the broker (SIGKILL); its data and ports stay for [`start_again`](Self::start_again).
    ///
    /// # Errors
    /// It is not ours, or does not run.
    pub fn kill(&mut self) -> Result<()> {
        self.process()?.kill();
        Ok(())
    }

    /// Ends the broker in good order (SIGTERM, about 2.5 s).
    ///
    /// # Errors
    /// It is not ours, does not run, or does not end.
    pub async fn stop(&mut self) -> Result<()> {
        self.process()?.terminate(START_WITHIN).await.map(drop)
    }

    /// Starts a killed or stopped broker again, same data, same port, and waits until it is ready: 3 s after a stop;
    /// after a kill it first waits for its own old session to end (`broker.session.timeout.ms`).
    ///
    /// # Errors
    /// It is not ours, still runs, or does not start.
    pub async fn start_again(&mut self) -> Result<()> {
        let Kind::Own(own, process) = &mut self.kind else { bail!("{NOT_OURS}") };
        ensure!(process.as_ref().is_none_or(|process| !process.is_running()), "kafka still runs");
        let started = own.launch("kafka.Kafka").arg(own.scratch.file("server.properties")).start(&own.log())?;
        *process = Some(started);
        self.ready().await
    }

    /// The broker's log.
    ///
    /// # Errors
    /// It is not ours.
    pub fn log(&self) -> Result<&Log> {
        Ok(self.process()?.log())
    }

    /// A program of Kafka's own tools, ready to be started against this broker's jars:
    /// `kafka.tool("org.apache.kafka.tools.consumer.ConsoleConsumer")?.args(["--bootstrap-server", kafka.brokers()])`.
    ///
    /// # Errors
    /// The broker is not ours.
    pub fn tool(&self, class: &str) -> Result<Launch> {
        match &self.kind {
            Kind::Own(own, _) => Ok(own.launch(class)),
            Kind::Running => bail!("{NOT_OURS}"),
        }
    }

    async fn ready(&self) -> Result<()> {
        let Kind::Own(own, Some(process)) = &self.kind else { bail!("{NOT_OURS}") };
        process.ready(START_WITHIN, async || probe::metadata(own.clients).await).await
    }

    /// The broker's process: to signal, measure.
    ///
    /// # Errors
    /// It is not ours.
    pub fn process(&self) -> Result<&Process> {
        match &self.kind {
            Kind::Own(_, Some(process)) => Ok(process),
            Kind::Own(_, None) => bail!("kafka does not run"),
            Kind::Running => bail!("{NOT_OURS}"),
        }
    }
}

const NOT_OURS: &str = "the Kafka of KAFKA_BROKERS is not ours to stop or look into: unset KAFKA_BROKERS";

/// All that is needed to start the same broker again.
#[derive(Debug)]
struct Own {
    java: PathBuf,
    libs: PathBuf,
    clients: SocketAddr,
    /// Where clients of the second way in are sent.
    door: Option<String>,
    scratch: Scratch,
    /// Free ports, held for the restarts; none with fixed ones.
    _ports: Vec<Port>,
}

impl Own {
    fn prepare(java: PathBuf, libs: PathBuf, mut builder: KafkaBuilder) -> Result<Own> {
        let scratch = Scratch::new("kafka")?;
        let (mut ports, clients, controller) = match builder.ports {
            Some((clients, controller)) => (Vec::new(), ports::loopback(clients), ports::loopback(controller)),
            None => {
                let (clients, controller) = (Port::tcp()?, Port::tcp()?);
                let addresses = (clients.address(), controller.address());
                (vec![clients, controller], addresses.0, addresses.1)
            }
        };
        let mut listeners = format!("PLAINTEXT://{clients}");
        let mut advertised = listeners.clone();
        let (mut door, mut of_door) = (None, String::new());
        if let Some(behind) = &mut builder.door {
            let place = behind.place(Port::tcp)?;
            listeners.push_str(&format!(",{}://{}", door::NAME, place.listens));
            advertised.push_str(&format!(",{}://{}", door::NAME, place.told));
            ports.extend(place.held);
            (door, of_door) = (Some(place.told.to_string()), behind.properties());
        }
        let mut properties = format!(
            "{PROPERTIES}controller.quorum.voters=1@{controller}\n\
             listeners={listeners},CONTROLLER://{controller}\nadvertised.listeners={advertised}\n\
             log.dirs={}\n{of_door}",
            scratch.file("data").display()
        );
        for (name, value) in &builder.settings {
            properties.push_str(&format!("{name}={value}\n"));
        }
        if let Some(Door::Proxied { listens, .. }) = builder.door {
            ports.push(listens);
        }
        std::fs::write(scratch.file("server.properties"), properties).context("write server.properties")?;
        std::fs::write(scratch.file("log4j2.properties"), LOG4J2).context("write log4j2.properties")?;
        Ok(Own { java, libs, clients, door, scratch, _ports: ports })
    }

    /// Makes the data folder.
    async fn format(&self) -> Result<()> {
        let launch = self.launch("kafka.tools.StorageTool").args(["format", "-t", CLUSTER_ID, "-c"]);
        let format = launch.arg(self.scratch.file("server.properties")).start(&self.scratch.log("format"))?;
        let ended =
            crate::wait::until("formatted storage of kafka", START_WITHIN, async || format.exit().context("running"));
        let status = ended.await.map_err(|error| format.with_log(error))?;
        match status.success() {
            true => Ok(()),
            false => Err(format.with_log(anyhow::anyhow!("kafka does not format its data folder"))),
        }
    }

    fn launch(&self, class: &str) -> Launch {
        let logging = format!("-Dlog4j2.configurationFile={}", self.scratch.file("log4j2.properties").display());
        // The first compiler tier only: half the start-up time, and nothing here runs long enough to win it back.
        Launch::new("kafka", &self.java)
            .args(["-Xms64m", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", &logging, "-cp"])
            .arg(self.libs.join("*"))
            .arg(class)
    }

    fn log(&self) -> Log {
        self.scratch.log("kafka")
    }
}
