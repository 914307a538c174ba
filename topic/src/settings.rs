//! The settings of the writer, and how they become librdkafka's.

use std::{fmt, str::FromStr, time::Duration};

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

use crate::{Setting, TopicError};

/// What a [`Writer`](crate::Writer) is made with. Start from [`new`](Self::new) and change what is to differ.
#[derive(Clone, Debug)]
pub struct WriterConfig {
    /// The bootstrap servers: `host:port`, several joined by `,`.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// How long a record may take until it is acknowledged or given up, everything included. 100 ms to 5 min,
    /// default 5 s.
    pub delivery_timeout: Duration,
    /// How long the producer waits for company before it sends a record. 0 to 1 s, default 5 ms: at 100 records a
    /// write that costs 3.6 µs CPU a record, at 0 ms 4.7 µs (measured).
    pub linger: Duration,
    /// How batches are compressed. Default lz4: with records of 1.6 KB as varied as traffic it costs 8.3 µs of our CPU
    /// and 7.3 µs of the broker's a record and leaves 631 bytes; zstd 13.5, 9.0 and 428; none 7.0, 12.3 and 1766
    /// (`examples/codecs.rs`, one broker, medians of 5 interleaved rounds).
    pub compression: Compression,
    /// Bytes of records (keys and values) that may wait for their acknowledgement. 64 KiB to 2 GiB, default 64 MiB;
    /// a write over it gets [`RecordError::Busy`](crate::RecordError::Busy) at once.
    pub max_queue_bytes: u64,
    /// Bytes of the largest record that is tried. Kafka compares its own limit with the *compressed* record, so
    /// this stands above it. 1 KiB to 1 GB, default 32 MiB.
    pub max_record_bytes: u32,
    /// Any librdkafka setting (`sasl.mechanism`, `PLAIN`), applied last; the last of one name wins. Refused are the
    /// ones that this type has a field for, and those that would make an acknowledgement a lie.
    pub settings: Vec<Setting>,
}

impl WriterConfig {
    /// The defaults for `topic` at `brokers`.
    pub fn new(brokers: impl Into<String>, topic: impl Into<String>) -> WriterConfig {
        WriterConfig {
            brokers: brokers.into(),
            topic: topic.into(),
            delivery_timeout: Duration::from_secs(5),
            linger: Duration::from_millis(5),
            compression: Compression::Lz4,
            max_queue_bytes: 64 << 20,
            max_record_bytes: 32 << 20,
            settings: Vec::new(),
        }
    }

    /// librdkafka's settings for a producer that keeps the promise of [`Writer::write`](crate::Writer::write).
    pub(crate) fn producer(&self) -> Result<ClientConfig, TopicError> {
        let mut config = ClientConfig::new();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", self.delivery_timeout.as_millis().to_string())
            .set("linger.ms", self.linger.as_millis().to_string())
            .set("compression.type", self.compression.as_str())
            // Our own budget is the bound; librdkafka's stands a little above, so that it never cuts a write in two.
            .set("queue.buffering.max.kbytes", (self.max_queue_bytes / 1024 + 1024).min(2_097_151).to_string())
            .set("queue.buffering.max.messages", "0")
            .set("message.max.bytes", self.max_record_bytes.to_string())
            .set("batch.num.messages", "100000");
        self.finished(config)
    }

    /// librdkafka's settings for a client that only asks and creates.
    pub(crate) fn admin(&self) -> Result<ClientConfig, TopicError> {
        let mut config = self.finished(ClientConfig::new())?;
        for setting in &self.settings {
            if PRODUCER_ONLY.contains(&setting.name()) {
                config.remove(setting.name());
            }
        }
        Ok(config)
    }

    /// What every client of ours has, then the user's settings.
    fn finished(&self, mut config: ClientConfig) -> Result<ClientConfig, TopicError> {
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "tributary")
            // With librdkafka's 10 s, delivery timed out up to 7 s late and recovery came as late (measured).
            .set("reconnect.backoff.max.ms", "500")
            // A broker that takes connections and says nothing (stopped, black hole): let go of it in time.
            .set("socket.connection.setup.timeout.ms", "5000")
            .set("api.version.request.timeout.ms", "5000")
            // A broker that creates topics by itself would do it with its own number of partitions.
            .set("allow.auto.create.topics", "false")
            .set_log_level(RDKafkaLogLevel::Info);
        for setting in &self.settings {
            let (name, value) = (setting.name(), setting.reveal());
            refuse_reserved(name, value)?;
            // Both names of one setting would be applied in no order.
            for (one, other) in ALIASES {
                match name {
                    name if name == *one => config.remove(other),
                    name if name == *other => config.remove(one),
                    _ => &mut config,
                };
            }
            config.set(name, value);
        }
        Ok(config)
    }
}

/// What is not checked of the brokers' certificates, because the settings say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unverified {
    /// Nothing is: whoever stands between can read and change what is written.
    Certificate,
    /// The name of the host in it: any holder of a certificate that is trusted can pretend to be a broker.
    HostName,
}

impl Unverified {
    /// What these settings take away; the last of one name counts.
    pub(crate) fn of(settings: &[Setting]) -> Option<Unverified> {
        let says = |name: &str, words: &[&str]| {
            let last = settings.iter().rev().find(|setting| setting.name() == name);
            last.is_some_and(|last| words.iter().any(|word| last.reveal().eq_ignore_ascii_case(word)))
        };
        // The words that librdkafka takes for "no" (rdkafka_conf.c).
        if says("enable.ssl.certificate.verification", &["false", "f", "0"]) {
            return Some(Unverified::Certificate);
        }
        says("ssl.endpoint.identification.algorithm", &["none"]).then_some(Unverified::HostName)
    }

    /// What an operator should know.
    pub const fn warning(self) -> &'static str {
        match self {
            Unverified::Certificate => {
                "kafka's certificates are not verified: enable.ssl.certificate.verification=false is given"
            }
            Unverified::HostName => {
                "kafka's host names are not verified: ssl.endpoint.identification.algorithm=none is given"
            }
        }
    }
}

/// Settings that librdkafka knows under two names.
const ALIASES: &[(&str, &str)] = &[
    ("linger.ms", "queue.buffering.max.ms"),
    ("compression.type", "compression.codec"),
    ("retries", "message.send.max.retries"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("acks", "request.required.acks"),
];

/// Settings that librdkafka warns about on a client that never produces.
const PRODUCER_ONLY: &[&str] = &[
    "linger.ms",
    "queue.buffering.max.ms",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "compression.type",
    "compression.codec",
    "compression.level",
    "batch.size",
    "batch.num.messages",
    "enable.idempotence",
    "enable.gapless.guarantee",
    "acks",
    "request.required.acks",
    "partitioner",
    "retries",
    "message.send.max.retries",
    "retry.backoff.ms",
    "sticky.partitioning.linger.ms",
];

fn refuse_reserved(name: &str, value: &str) -> Result<(), TopicError> {
    let reason = match name {
        "bootstrap.servers" | "metadata.broker.list" => "the brokers are given by their own setting",
        "message.timeout.ms" | "delivery.timeout.ms" => "the delivery timeout is given by its own setting",
        "acks" | "request.required.acks" if !matches!(value, "all" | "-1") => {
            "only \"all\" is allowed: a record counts as delivered when all in-sync replicas have it"
        }
        "delivery.report.only.error" => "each record needs its delivery report",
        "transactional.id" => "transactions are not supported",
        _ => return Ok(()),
    };
    Err(TopicError::Setting { name: name.to_owned(), reason: reason.to_owned() })
}

/// How a producer compresses its batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// snappy.
    Snappy,
    /// lz4, the default.
    Lz4,
    /// zstd.
    Zstd,
}

impl Compression {
    /// All of them, for a help text.
    pub const ALL: [Compression; 5] =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

    /// The name as librdkafka writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Compression {
    type Err = String;

    fn from_str(name: &str) -> Result<Compression, String> {
        Compression::ALL
            .into_iter()
            .find(|known| known.as_str() == name)
            .ok_or_else(|| format!("{name:?} is none of none, gzip, snappy, lz4, zstd"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Result<ClientConfig, TopicError> {
        let mut config = WriterConfig::new("b:1", "t");
        config.settings.push(Setting::new(name, value));
        config.producer()
    }

    #[test]
    fn a_setting_of_the_user_wins_over_ours() {
        let config = with("linger.ms", "0").expect("a good setting");

        assert_eq!(config.get("linger.ms"), Some("0"));
    }

    #[test]
    fn a_setting_under_its_other_name_replaces_ours() {
        let config = with("queue.buffering.max.ms", "0").expect("a good setting");

        assert_eq!(config.get("linger.ms"), None);
    }

    #[test]
    fn settings_that_break_the_promise_are_refused() {
        for (name, value) in [
            ("acks", "1"),
            ("request.required.acks", "0"),
            ("message.timeout.ms", "1"),
            ("delivery.timeout.ms", "1"),
            ("delivery.report.only.error", "true"),
            ("transactional.id", "x"),
            ("bootstrap.servers", "elsewhere:9092"),
        ] {
            let error = with(name, value).expect_err(name);

            assert!(error.to_string().starts_with(&format!("setting {name}: ")), "{error}");
        }
    }

    #[test]
    fn acks_all_may_be_said_twice() {
        assert!(with("acks", "all").is_ok());
        assert!(with("request.required.acks", "-1").is_ok());
    }

    #[test]
    fn what_is_not_verified_is_told_by_the_last_word_on_it() {
        const CERTIFICATE: &str = "enable.ssl.certificate.verification";
        const NAME: &str = "ssl.endpoint.identification.algorithm";
        type Given = &'static [(&'static str, &'static str)];
        let cases: [(Given, Option<Unverified>); 9] = [
            (&[], None),
            (&[("security.protocol", "ssl")], None),
            (&[(CERTIFICATE, "true"), (NAME, "https")], None),
            (&[(CERTIFICATE, "false")], Some(Unverified::Certificate)),
            (&[(CERTIFICATE, "F")], Some(Unverified::Certificate)),
            (&[(CERTIFICATE, "0"), (NAME, "none")], Some(Unverified::Certificate)),
            (&[(CERTIFICATE, "false"), (CERTIFICATE, "true")], None),
            (&[(NAME, "NONE")], Some(Unverified::HostName)),
            (&[(NAME, "none"), (NAME, "https")], None),
        ];

        for (settings, expected) in cases {
            let given: Vec<Setting> = settings.iter().map(|(name, value)| Setting::new(*name, *value)).collect();
            assert_eq!(Unverified::of(&given), expected, "{settings:?}");
        }
    }

    /// The words that switch it off are the ones that librdkafka takes, and no others.
    #[test]
    fn words_that_librdkafka_refuses_switch_nothing_off() {
        for (name, value) in
            [("enable.ssl.certificate.verification", "no"), ("ssl.endpoint.identification.algorithm", "off")]
        {
            let config = with(name, value).expect("our own checks know nothing of it");

            assert!(config.create::<rdkafka::producer::BaseProducer>().is_err(), "{name}={value}");
            assert_eq!(Unverified::of(&[Setting::new(name, value)]), None);
        }
    }

    #[test]
    fn compression_is_read_by_its_name() {
        for compression in Compression::ALL {
            assert_eq!(compression.as_str().parse(), Ok(compression));
        }
        assert!("brotli".parse::<Compression>().is_err());
    }
}
