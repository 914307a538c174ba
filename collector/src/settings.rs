//! The command line: every flag has an environment variable, a default and bounds that are checked before a port is
//! opened.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{
    ArgGroup, Parser, Subcommand,
    error::{ContextKind, ContextValue},
};
use tributary_topic::{Compression, Setting, WriterConfig};

use crate::{
    app::Limits,
    body::BodyLimits,
    door::is_loopback,
    lines::LineLimits,
    log::LogFormat,
    server::ServerLimits,
    sink::kafka::{KafkaSettings, Key, SettingSources},
};

use values::{bytes, duration};

pub use error::SettingsError;
pub use limits::LimitSettings;
pub use redaction::{RedactChoice, RedactionFlags};
pub use security::SecuritySettings;
pub use spool::SpoolFlags;

mod error;
mod limits;
mod redaction;
mod security;
mod spool;
#[cfg(test)]
mod tests;
mod values;

const ABOUT: &str = "Takes HTTP exchanges by POST and answers when they are safe in Kafka (or in a file)";

const LONG_ABOUT: &str = "\
Takes HTTP exchanges by POST and answers when they are safe in Kafka (or in a file).

It is the middle of Tributary: the filter inside Envoy posts batches of exchanges here, as lines of HTTP Types JSON; \
consumers read them from the topic. Any other program may post too. A 200 means: each accepted line is in Kafka with \
acks=all, or synced to disk (--spool, --file).";

const AFTER_HELP: &str = "\
EXAMPLES
  Into Kafka:
    tributary-collector --brokers localhost:9092
  Into a file, without Kafka:
    tributary-collector --file exchanges.jsonl
  With a place on disk for what Kafka cannot take for a while:
    tributary-collector --brokers localhost:9092 --spool /var/lib/tributary
  With a password for Kafka, kept out of the process list:
    printf 'security.protocol=sasl_ssl\\nsasl.mechanism=SCRAM-SHA-512\\nsasl.username=u\\nsasl.password=p\\n' > kafka.conf
    tributary-collector --brokers kafka:9093 --kafka-config-file kafka.conf
  Post something and look:
    curl -H 'content-type: application/x-ndjson' --data-binary @exchanges.jsonl http://localhost:8088/v1/exchanges
  Ask a running one whether it is ready (exit code 0), for health checks of containers:
    tributary-collector health

ENDPOINTS
  POST /v1/exchanges   one exchange a line; 200 {\"accepted\":n,\"rejected\":[{\"line\":k,\"error\":\"...\"}]}
  GET  /v1/accounting  where every line went, and what each source says of itself
  GET  /ready          200 or 503, and what is degraded and why
  GET  /live           200 while the process serves
  GET  /metrics        OpenMetrics (Prometheus)

SIZES are bytes, or have a unit: 64KiB, 8MiB, 1GiB. TIMES have one: 500ms, 5s, 2m.
Exit codes: 0 ended by SIGTERM or Ctrl-C, or ready; 64 a setting is wrong; 1 anything else.";

/// The settings as they are given.
#[derive(Clone, Debug, Parser)]
#[command(name = "tributary-collector", version, about = ABOUT, long_about = LONG_ABOUT, after_help = AFTER_HELP)]
#[command(group(ArgGroup::new("sink").required(true).args(["brokers", "file"])))]
#[command(subcommand_negates_reqs = true, disable_help_subcommand = true)]
pub struct Settings {
    /// What else to do than to serve
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Where to listen; port 0 takes a free one (the log names it). Beyond loopback posts have to show who sends them:
    /// --token-file or --tls-client-ca
    #[arg(long, env = "TRIBUTARY_LISTEN", default_value = "127.0.0.1:8088", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// Kafka's bootstrap servers: host:port, several joined by commas
    #[arg(long, env = "TRIBUTARY_BROKERS", help_heading = "Kafka", value_name = "HOST:PORT")]
    pub brokers: Option<String>,

    /// The topic; created at the start if it is missing
    #[arg(long, env = "TRIBUTARY_TOPIC", help_heading = "Kafka", default_value = "http_recordings")]
    #[arg(value_parser = values::topic)]
    pub topic: String,

    /// Partitions of a topic that is created, 1 to 10000
    #[arg(long, env = "TRIBUTARY_PARTITIONS", help_heading = "Kafka", default_value_t = 3, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub partitions: i32,

    /// Replicas of a topic that is created, 1 to 100; left out: the broker's default
    #[arg(long, env = "TRIBUTARY_REPLICATION", help_heading = "Kafka", value_name = "N")]
    #[arg(value_parser = clap::value_parser!(i32).range(1..=100))]
    pub replication: Option<i32>,

    /// What is a record's key: "id" spreads evenly and lets consumers drop duplicates, "host" keeps the order of a
    /// host but puts all of it into one partition
    #[arg(long, env = "TRIBUTARY_KEY", help_heading = "Kafka", default_value = "id", value_enum)]
    pub key: KeyChoice,

    /// Where a record goes that Kafka finds too large, without its bodies [default: TOPIC.dead-letter]; "" for nowhere
    #[arg(long, env = "TRIBUTARY_DEAD_LETTER_TOPIC", help_heading = "Kafka", value_name = "TOPIC")]
    #[arg(value_parser = values::topic_or_none)]
    pub dead_letter_topic: Option<String>,

    /// Where the accounts of the sources go, which tell a dropped exchange from a lost one [default: TOPIC.accounts]; ""
    /// for nowhere. With --file they lie in FILE.accounts
    #[arg(long, env = "TRIBUTARY_ACCOUNTS_TOPIC", help_heading = "Kafka", value_name = "TOPIC")]
    #[arg(value_parser = values::topic_or_none)]
    pub accounts_topic: Option<String>,

    /// How records are compressed: none, gzip, snappy, lz4, zstd
    #[arg(long, env = "TRIBUTARY_COMPRESSION", help_heading = "Kafka", default_value_t = Compression::Lz4)]
    pub compression: Compression,

    /// How long Kafka may take to acknowledge a record, 100ms to 5m; below --request-timeout
    #[arg(long, env = "TRIBUTARY_DELIVERY_TIMEOUT", help_heading = "Kafka", default_value = "5s", value_name = "TIME")]
    #[arg(value_parser = duration::<100, 300_000>)]
    pub delivery_timeout: Duration,

    /// How long a record waits for company, 0ms to 1s
    #[arg(long, env = "TRIBUTARY_LINGER", help_heading = "Kafka", default_value = "5ms", value_name = "TIME")]
    #[arg(value_parser = duration::<0, 1000>)]
    pub linger: Duration,

    /// Bytes of records that may wait for Kafka, 64KiB to 2GiB; over it posts get 503
    #[arg(
        long,
        env = "TRIBUTARY_MAX_QUEUE_BYTES",
        help_heading = "Kafka",
        default_value = "64MiB",
        value_name = "SIZE"
    )]
    #[arg(value_parser = bytes::<65_536, 2_147_483_648>)]
    pub max_queue_bytes: u64,

    /// Any librdkafka setting (sasl.mechanism=PLAIN); may be given several times, in the environment one a line
    #[arg(
        long,
        env = "TRIBUTARY_KAFKA_CONFIG",
        hide_env_values = true,
        help_heading = "Kafka",
        value_name = "NAME=VALUE"
    )]
    #[arg(value_delimiter = '\n')]
    pub kafka_config: Vec<Setting>,

    /// A file of librdkafka settings, one name=value a line; the place for passwords. Read again when it, or a
    /// certificate or key that it names, changes
    #[arg(long, env = "TRIBUTARY_KAFKA_CONFIG_FILE", help_heading = "Kafka", value_name = "PATH")]
    pub kafka_config_file: Option<PathBuf>,

    /// The spool.
    #[command(flatten)]
    pub spool: SpoolFlags,

    /// Append exchanges to this file instead, one a line
    #[arg(long, env = "TRIBUTARY_FILE", help_heading = "File", value_name = "PATH")]
    pub file: Option<PathBuf>,

    /// Who may post.
    #[command(flatten)]
    pub security: SecuritySettings,

    /// The second wall.
    #[command(flatten)]
    pub redaction: RedactionFlags,

    /// The bounds.
    #[command(flatten)]
    pub limits: LimitSettings,

    /// How long it may take to end after SIGTERM, 1s to 10m
    #[arg(long, env = "TRIBUTARY_GRACE", default_value = "10s", value_name = "TIME")]
    #[arg(value_parser = duration::<1000, 600_000>)]
    pub grace: Duration,

    /// How the log is written to standard error
    #[arg(long, env = "TRIBUTARY_LOG_FORMAT", help_heading = "Log", default_value = "text", value_enum)]
    pub log_format: LogFormat,

    /// What is logged: error, warn, info, debug, trace, or by module as RUST_LOG takes it
    #[arg(long, env = "TRIBUTARY_LOG_LEVEL", help_heading = "Log", default_value = "info", value_name = "LEVEL")]
    pub log_level: String,
}

/// What the program can do besides serving.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Asks a running collector whether it is ready, and ends with 0 if so
    Health {
        /// What to ask [default: /ready at the port of --listen, on this machine]
        #[arg(long, env = "TRIBUTARY_HEALTH_URL", value_name = "URL")]
        url: Option<String>,
    },
}

/// `--key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum KeyChoice {
    /// The exchange's id.
    Id,
    /// The request's host.
    Host,
}

impl Settings {
    /// Reads the command line and the environment.
    ///
    /// # Errors
    /// Those of clap, which also says `--help` and `--version` so; no text of `--kafka-config` stands in them.
    pub fn read(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Settings, clap::Error> {
        Settings::try_parse_from(arguments).map_err(|mut error| {
            let of_kafka = |value: &ContextValue| value.to_string().contains("--kafka-config ");
            if error.get(ContextKind::InvalidArg).is_some_and(of_kafka) {
                // A password may have been pasted without its name.
                error.insert(ContextKind::InvalidValue, ContextValue::String("…".to_owned()));
            }
            error
        })
    }

    /// Checks what clap cannot: settings against each other.
    ///
    /// # Errors
    /// All of [`SettingsError`] but those of the file.
    pub fn check(&self) -> Result<(), SettingsError> {
        if !is_loopback(self.listen) && !self.security.asks() && !self.security.insecure_no_auth {
            return Err(SettingsError::NoAuth { listen: self.listen });
        }
        let LimitSettings { request_timeout: request, max_bytes_in_flight, max_encoded_bytes, .. } = self.limits;
        if self.brokers.is_some() && self.delivery_timeout >= request {
            return Err(SettingsError::TimeoutsDoNotNest { delivery: self.delivery_timeout, request });
        }
        if max_bytes_in_flight < max_encoded_bytes {
            let (in_flight, encoded) = (max_bytes_in_flight, max_encoded_bytes);
            return Err(SettingsError::PostDoesNotFit { in_flight, encoded });
        }
        if self.spool.spool.is_some() && self.brokers.is_none() {
            return Err(SettingsError::SpoolBesideFile);
        }
        let (spool, decoded) = (self.spool.spool_max_bytes, self.limits.max_decoded_bytes);
        if self.spool.spool.is_some() && spool / 4 < decoded {
            return Err(SettingsError::PostDoesNotFitSpool { spool, decoded });
        }
        if self.dead_letter_topic().as_ref() == Some(&self.topic) {
            return Err(SettingsError::DeadLetterLoop);
        }
        if let Some(accounts) = self.accounts_topic()
            && (accounts == self.topic || self.dead_letter_topic().as_ref() == Some(&accounts))
        {
            return Err(SettingsError::AccountsMixed { topic: accounts });
        }
        Ok(())
    }

    /// Those of the Kafka sink; `None` without brokers.
    ///
    /// # Errors
    /// Those of the file of [`SettingsError`].
    pub fn kafka(&self) -> Result<Option<KafkaSettings>, SettingsError> {
        let Some(brokers) = &self.brokers else { return Ok(None) };
        let mut writer = WriterConfig::new(brokers, &self.topic);
        writer.delivery_timeout = self.delivery_timeout;
        writer.linger = self.linger;
        writer.compression = self.compression;
        writer.max_queue_bytes = self.max_queue_bytes;
        if let Some(path) = &self.kafka_config_file {
            writer.settings = values::settings_file(path)?;
        }
        writer.settings.extend(self.kafka_config.iter().cloned());
        let read = |file: &Path| values::settings_file(file).map_err(|error| error.to_string());
        let (file, given) = (self.kafka_config_file.clone(), self.kafka_config.clone());
        Ok(Some(KafkaSettings {
            writer,
            sources: SettingSources { file, read: Some(read), given },
            partitions: self.partitions,
            replication: self.replication.unwrap_or(-1),
            key: match self.key {
                KeyChoice::Id => Key::Id,
                KeyChoice::Host => Key::Host,
            },
            dead_letter_topic: self.dead_letter_topic(),
            accounts_topic: self.accounts_topic(),
        }))
    }

    /// Those of posts.
    pub fn limits(&self) -> Limits {
        let limits = &self.limits;
        Limits {
            body: BodyLimits {
                max_encoded_bytes: size(limits.max_encoded_bytes),
                max_decoded_bytes: size(limits.max_decoded_bytes),
                timeout: limits.body_timeout,
            },
            lines: LineLimits {
                max_line_bytes: size(limits.max_line_bytes),
                max_lines: limits.max_lines,
                max_depth: size(limits.max_json_depth),
                max_unpacked_body_bytes: size(limits.max_unpacked_body_bytes),
                max_unpacked_bytes: size(limits.max_decoded_bytes),
            },
            answer_within: limits.request_timeout,
            max_bytes_in_flight: limits.max_bytes_in_flight,
            max_sources: size(limits.max_sources),
            max_acked_batches: size(limits.max_acked_batches),
        }
    }

    /// Those of connections.
    pub fn server_limits(&self) -> ServerLimits {
        let limits = &self.limits;
        ServerLimits {
            max_connections: limits.max_connections,
            first_byte_within: limits.first_byte_timeout,
            tls_handshake_within: limits.tls_handshake_timeout,
            header_within: limits.header_timeout,
            max_idle: limits.idle_timeout,
            write_within: limits.write_timeout,
            max_header_bytes: u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX),
            max_headers: size(limits.max_headers),
            max_streams: limits.max_streams,
        }
    }

    fn dead_letter_topic(&self) -> Option<String> {
        beside(&self.topic, "dead-letter", self.dead_letter_topic.as_ref())
    }

    fn accounts_topic(&self) -> Option<String> {
        beside(&self.topic, "accounts", self.accounts_topic.as_ref())
    }
}

/// The topic as chosen, or the one named after `topic`; `None` if it was chosen to be nowhere.
fn beside(topic: &str, suffix: &str, chosen: Option<&String>) -> Option<String> {
    match chosen {
        None => Some(format!("{topic}.{suffix}")),
        Some(chosen) => Some(chosen.clone()).filter(|chosen| !chosen.is_empty()),
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
