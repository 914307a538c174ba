//! What is wrong with settings that clap has let pass.

use std::{net::SocketAddr, time::Duration};

use thiserror::Error;

/// Settings that are good by themselves but not together, or a file of settings that is not.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// Everybody who reaches the address could post.
    #[error(
        "--listen {listen} is reached by others than this machine: give --token-file or --tls-client-ca, or say \
         --insecure-no-auth"
    )]
    NoAuth {
        /// As given.
        listen: SocketAddr,
    },
    /// The answer would always come before Kafka's.
    #[error("--delivery-timeout {delivery:?} must be below --request-timeout {request:?}")]
    TimeoutsDoNotNest {
        /// As given.
        delivery: Duration,
        /// As given.
        request: Duration,
    },
    /// A post that is allowed would never fit.
    #[error("--max-bytes-in-flight {in_flight} must not be below --max-encoded-bytes {encoded}")]
    PostDoesNotFit {
        /// As given.
        in_flight: u64,
        /// As given.
        encoded: u64,
    },
    /// The file of `--file` needs none, and has none.
    #[error("--spool stands beside --brokers only: what --file takes is on the disk already")]
    SpoolBesideFile,
    /// A post that is allowed would never fit into the spool: its lines may double when their bodies are unpacked, and
    /// half a page of the store may stay empty.
    #[error("--spool-max-bytes {spool} must be at least four times --max-decoded-bytes {decoded}")]
    PostDoesNotFitSpool {
        /// As given.
        spool: u64,
        /// As given.
        decoded: u64,
    },
    /// The dead letters would come back into the topic.
    #[error("--dead-letter-topic must not be --topic itself")]
    DeadLetterLoop,
    /// Accounts and exchanges (or dead letters) would lie in one topic.
    #[error("--accounts-topic {topic} must be neither --topic nor --dead-letter-topic")]
    AccountsMixed {
        /// As given, or by default.
        topic: String,
    },
    /// The file of librdkafka settings cannot be read.
    #[error("--kafka-config-file {path}")]
    KafkaConfigFile {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A line of it is no setting.
    #[error("--kafka-config-file {path}, line {line}: not name=value")]
    KafkaConfigLine {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
    },
}
