//! The parts of the demo: started in the right order, introduced, watched.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Result;
use tributary_testbed::{
    collector::{Collector, CollectorBuilder},
    envoy::Envoy,
    kafka::Kafka,
    process::Process,
    recordings::Recordings,
    users::Users,
};
use xtask::parts::KafkaPart;

use crate::listen::Listen;

/// The topic of the demo, as in compose.
const TOPIC: &str = "http_recordings";

/// The collector has its sink in this time, or something is wrong.
const SINK_WITHIN: Duration = Duration::from_secs(30);

/// Where the exchanges go.
#[derive(Debug)]
pub(crate) enum Sink {
    /// A topic of this Kafka.
    Topic { kafka: Kafka, topic: String },
    /// A file.
    File(PathBuf),
}

/// All parts, running. Dropping them ends them.
pub(crate) struct Parts {
    pub(crate) envoy: Envoy,
    collector: Collector,
    users: Users,
    sink: Sink,
}

impl Parts {
    /// Starts Kafka (or not), the collector, the app and Envoy, and says so as they come up.
    pub(crate) async fn start(listen: &Listen, file: Option<&Path>) -> Result<Parts> {
        let began = Instant::now();
        // What is missing is said before anything starts.
        xtask::parts::envoy()?;
        let sink = match file {
            Some(path) => Sink::File(path.to_owned()),
            None => kafka(listen).await?,
        };
        let collector = sink.for_collector(Collector::builder().port(listen.collector));
        let (collector, users) = tokio::try_join!(collector.start(), Users::start_on(listen.users))?;
        collector.ready(SINK_WITHIN).await?;
        let envoy = Envoy::builder().users(users.address()).collector(collector.address());
        let envoy = envoy.ports(listen.envoy, listen.admin).start().await?;
        println!("All parts run after {:.1} s.\n", began.elapsed().as_secs_f32());
        Ok(Parts { envoy, collector, users, sink })
    }

    /// Says where each part listens and where its log is.
    pub(crate) fn introduce(&self) {
        let (traffic, collector) = (self.traffic(), self.collector.address());
        println!("Envoy      http://{traffic}  (admin page: http://{})", self.envoy.admin_address());
        println!("users app  http://{}  (behind Envoy)", self.users.address());
        println!("collector  http://{collector}/ready  /v1/accounting  /metrics");
        match &self.sink {
            Sink::Topic { kafka, topic } => println!("Kafka      {}, topic {topic}", kafka.brokers()),
            Sink::File(path) => println!("file       {}", path.display()),
        }
        for log in [self.envoy.log(), self.collector.log(), self.users.log()] {
            println!("log        {}", log.path().display());
        }
    }

    /// Says what to try next. `user`: the path of the user that the demo has made.
    pub(crate) fn invite(&self, user: &str) {
        let traffic = self.traffic();
        println!("\nNow you; each call appears here:\n");
        println!(
            "  curl -X POST -d '{{\"name\":\"Kimmo\",\"email\":\"kimmo@example.com\"}}' \
             -H \"Content-Type: application/json\" http://{traffic}/users"
        );
        println!("  curl http://{traffic}{user}");
        println!("\nRead what was recorded:\n");
        match &self.sink {
            Sink::Topic { kafka, topic } => {
                let tributary = xtask::parts::binary("tributary");
                let settings = format!("--brokers {} --topic {topic}", kafka.brokers());
                println!("  {} tail --from-beginning --json {settings}", tributary.display());
                println!("  {} openapi --explain --out openapi.yaml {settings}", tributary.display());
            }
            Sink::File(path) => println!("  tail -f {}", path.display()),
        }
        println!("\nCtrl-C ends all of it.\n");
    }

    /// `localhost:3000`: where traffic goes in, as the tutorial writes it.
    pub(crate) fn traffic(&self) -> String {
        format!("localhost:{}", self.envoy.address().port())
    }

    /// Where the exchanges go.
    pub(crate) fn target(&self) -> &Sink {
        &self.sink
    }

    /// Where the exchanges go, in words.
    pub(crate) fn sink(&self) -> String {
        match &self.sink {
            Sink::Topic { topic, .. } => format!("the topic {topic}"),
            Sink::File(path) => format!("the file {}", path.display()),
        }
    }

    /// The lines that came out.
    pub(crate) async fn recordings(&self) -> Result<Recordings> {
        match &self.sink {
            Sink::Topic { kafka, topic } => Recordings::of_topic(kafka.brokers(), topic).await,
            Sink::File(path) => Ok(Recordings::of_file(path)),
        }
    }

    /// Fails when a part has ended by itself.
    pub(crate) fn all_run(&self) -> Result<()> {
        let of_kafka = match &self.sink {
            Sink::Topic { kafka, .. } => kafka.process().ok(),
            Sink::File(_) => None,
        };
        let ours = [self.envoy.process(), self.collector.process(), self.users.process()];
        ours.into_iter().chain(of_kafka).try_for_each(Process::must_run)
    }
}

impl Sink {
    fn for_collector(&self, collector: CollectorBuilder) -> CollectorBuilder {
        match self {
            Sink::Topic { kafka, topic } => collector.kafka(kafka.brokers(), topic),
            Sink::File(path) => collector.file(path),
        }
    }
}

/// A Kafka of our own, or a topic of our own in the one of `$KAFKA_BROKERS`.
async fn kafka(listen: &Listen) -> Result<Sink> {
    if let KafkaPart::Running(brokers) = xtask::parts::kafka()? {
        // Not the user's recordings: the demo counts what comes out.
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let topic = format!("{TOPIC}_demo_{}", unique.get(..8).unwrap_or(&unique));
        println!("Using the Kafka of KAFKA_BROKERS ({brokers}) with a topic of its own, {topic}.");
        return Ok(Sink::Topic { kafka: Kafka::shared().await?, topic });
    }
    println!("Starting Kafka …");
    let kafka = Kafka::builder().ports(listen.kafka, listen.controller).start().await?;
    Ok(Sink::Topic { kafka, topic: TOPIC.to_owned() })
}
