//! What can go wrong between this program and Kafka, said so that an operator can repair it.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use thiserror::Error;

/// Why the topic cannot be written, read or looked after.
#[derive(Debug, Error)]
pub enum TopicError {
    /// A setting that librdkafka does not know, or a value that it does not take: repair it and start again.
    #[error("setting {name}: {reason}")]
    Setting {
        /// The name as given.
        name: String,
        /// What is wrong with it; never holds the value of a secret.
        reason: String,
    },
    /// The settings are good each by itself but not together (a certificate that cannot be read …): repair them.
    #[error("kafka client for {brokers}: {reason}")]
    Client {
        /// The bootstrap servers.
        brokers: String,
        /// librdkafka's words.
        reason: String,
    },
    /// No broker answers: start Kafka or repair the address; trying again later is right.
    #[error("no answer from kafka at {brokers}; is it running, and is this its address?")]
    Unreachable {
        /// The bootstrap servers.
        brokers: String,
        /// What the client saw.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The topic does not exist and nobody creates it: create it.
    #[error("topic {topic} does not exist at {brokers}")]
    TopicMissing {
        /// The topic.
        topic: String,
        /// The bootstrap servers.
        brokers: String,
    },
    /// The topic has no such record, nor ever had: it was made anew, or cut, since the record was read. Read it from its
    /// beginning, or find the right one.
    #[error(
        "topic {topic} at {brokers} is not the one that was read before: offset {offset} of partition {partition} was \
         read, and the partition ends at {end}"
    )]
    PositionLost {
        /// The topic.
        topic: String,
        /// The bootstrap servers.
        brokers: String,
        /// The partition.
        partition: i32,
        /// Offset of the record.
        offset: i64,
        /// Offset that the next record gets; 0 if there is no such partition.
        end: i64,
    },
    /// Kafka knows us, but does not allow this: grant it.
    #[error("kafka at {brokers} does not allow to {action} topic {topic}; grant it to this user")]
    NotAllowed {
        /// What was tried: `describe`, `create`, `write`, `read`.
        action: &'static str,
        /// The topic.
        topic: String,
        /// The bootstrap servers.
        brokers: String,
    },
    /// Kafka does not let us in: repair user, password or certificate.
    #[error("kafka at {brokers} refuses the credentials")]
    Credentials {
        /// The bootstrap servers.
        brokers: String,
        /// What the client saw.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Anything else that Kafka answered.
    #[error("{action} topic {topic} at {brokers}")]
    Kafka {
        /// What was tried, as in [`NotAllowed`](Self::NotAllowed).
        action: &'static str,
        /// The topic.
        topic: String,
        /// The bootstrap servers.
        brokers: String,
        /// Kafka's answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl TopicError {
    /// The error of trying `action` on `topic`, told apart by what an operator has to do about it.
    pub(crate) fn of(action: &'static str, topic: &str, brokers: &str, source: KafkaError) -> TopicError {
        let (topic, brokers) = (topic.to_owned(), brokers.to_owned());
        match code_of(&source) {
            // Partitions that are not known yet: the topic was made a moment ago.
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
                TopicError::TopicMissing { topic, brokers }
            }
            Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed) => {
                TopicError::NotAllowed { action, topic, brokers }
            }
            Some(Code::Authentication | Code::SaslAuthenticationFailed) => {
                TopicError::Credentials { brokers, source: Box::new(source) }
            }
            Some(code) if is_silence(code) => TopicError::Unreachable { brokers, source: Box::new(source) },
            _ => TopicError::Kafka { action, topic, brokers, source: Box::new(source) },
        }
    }

    /// The error of building a client: [`Setting`](Self::Setting) or [`Client`](Self::Client).
    pub(crate) fn of_settings(brokers: &str, error: KafkaError) -> TopicError {
        match error {
            KafkaError::ClientConfig(_, reason, name, value) => {
                let reason = match reason.starts_with("No such") {
                    true => reason,
                    // librdkafka's own words may quote the value.
                    false if is_secret(&name) => "value not accepted".to_owned(),
                    false => format!("value {value:?} not accepted ({reason})"),
                };
                TopicError::Setting { name, reason }
            }
            KafkaError::Nul(_) => {
                TopicError::Setting { name: "a kafka setting".to_owned(), reason: "holds a zero byte".to_owned() }
            }
            KafkaError::ClientCreation(reason) => TopicError::Client { brokers: brokers.to_owned(), reason },
            other => TopicError::Client { brokers: brokers.to_owned(), reason: other.to_string() },
        }
    }
}

/// librdkafka's code, if the error has one. Unlike `KafkaError::rdkafka_error_code` it knows that of an admin call.
pub(crate) fn code_of(error: &KafkaError) -> Option<Code> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    }
}

/// Whether the code says that nobody answered, as against an answer that says no.
pub(crate) fn is_silence(code: Code) -> bool {
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::MessageTimedOut
            | Code::RequestTimedOut
            | Code::TimedOutQueue
            | Code::Resolve
            | Code::BrokerNotAvailable
            | Code::NetworkException
    )
}

/// Whether the value of a librdkafka setting must never be shown.
fn is_secret(name: &str) -> bool {
    ["password", "secret", "key.pem", "token", "oauthbearer.config", "jaas"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::types::RDKafkaConfRes;

    #[test]
    fn a_secret_value_never_reaches_the_message() {
        let refused = KafkaError::ClientConfig(
            RDKafkaConfRes::RD_KAFKA_CONF_INVALID,
            "Invalid value \"hunter2\" for configuration property \"sasl.password\"".to_owned(),
            "sasl.password".to_owned(),
            "hunter2".to_owned(),
        );

        let error = TopicError::of_settings("kafka:9092", refused);

        assert_eq!(error.to_string(), "setting sasl.password: value not accepted");
    }

    #[test]
    fn causes_are_told_apart_by_what_has_to_be_done() {
        let told = |code| TopicError::of("write", "t", "b:1", KafkaError::MessageProduction(code)).to_string();

        assert_eq!(told(Code::UnknownTopicOrPartition), "topic t does not exist at b:1");
        assert_eq!(told(Code::UnknownPartition), "topic t does not exist at b:1");
        assert_eq!(
            told(Code::TopicAuthorizationFailed),
            "kafka at b:1 does not allow to write topic t; grant it to this user"
        );
        assert_eq!(told(Code::SaslAuthenticationFailed), "kafka at b:1 refuses the credentials");
        assert_eq!(told(Code::AllBrokersDown), "no answer from kafka at b:1; is it running, and is this its address?");
        assert_eq!(told(Code::PolicyViolation), "write topic t at b:1");
    }
}
