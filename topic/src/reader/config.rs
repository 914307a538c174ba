//! The settings of the reader, and how they become librdkafka's.

use std::collections::BTreeMap;

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

use super::positions::Bounds;
use crate::{Setting, TopicError};

/// What a [`Reader`](crate::Reader) is opened with.
#[derive(Clone, Debug)]
pub struct ReaderConfig {
    /// The bootstrap servers: `host:port`, several joined by `,`.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// Where to begin.
    pub start: Start,
    /// Any librdkafka setting (`sasl.mechanism`, `PLAIN`), applied last; the last of one name wins. Refused are the
    /// ones that this type has a field for, and those that would move or skip positions.
    pub settings: Vec<Setting>,
}

/// Where a reader begins in each partition. The position is fixed when [`Reader::open`](crate::Reader::open) returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record that is still there.
    Beginning,
    /// Behind the newest record: only what is written from now on.
    End,
    /// With the oldest record that is not older than this, in milliseconds since 1970, by the time that Kafka keeps with
    /// a record.
    Since(i64),
    /// Where an earlier reader has stopped: with the last record that it has read, by its offset in each partition. That
    /// record is handed out once more, if it is still there, so that one can see whether this is still the same topic.
    /// A partition that is not named is read from its beginning.
    Again(BTreeMap<i32, i64>),
}

impl Start {
    /// Refuses a record behind the end: this is not the topic that it was read from, or not all of it.
    pub(super) fn must_lie_in(&self, topic: &str, brokers: &str, bounds: &[(i32, Bounds)]) -> Result<(), TopicError> {
        let Start::Again(offsets) = self else { return Ok(()) };
        for (&partition, &offset) in offsets {
            let held = bounds.iter().find(|(held, _)| *held == partition);
            let end = held.map_or(0, |(_, bounds)| bounds.end);
            if offset >= end {
                let (topic, brokers) = (topic.to_owned(), brokers.to_owned());
                return Err(TopicError::PositionLost { topic, brokers, partition, offset, end });
            }
        }
        Ok(())
    }
}

impl ReaderConfig {
    /// librdkafka's settings for a consumer that keeps its positions to itself.
    pub(super) fn consumer(&self) -> Result<ClientConfig, TopicError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "tributary")
            // librdkafka wants a name even where no group is joined and nothing committed.
            .set("group.id", "tributary-reader")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            // If the position is gone (retention, topic made anew): what is there, twice if need be; never a gap of ours.
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false")
            .set("reconnect.backoff.max.ms", "500")
            // Records that wait in memory, 16 MiB; librdkafka's default is 64.
            .set("queued.max.messages.kbytes", "16384")
            .set_log_level(RDKafkaLogLevel::Warning);
        for setting in &self.settings {
            refuse_reserved(setting.name())?;
            config.set(setting.name(), setting.reveal());
        }
        Ok(config)
    }
}

fn refuse_reserved(name: &str) -> Result<(), TopicError> {
    let reason = match name {
        "bootstrap.servers" | "metadata.broker.list" => "the brokers are given by their own setting",
        "enable.auto.commit" | "auto.commit.enable" | "enable.auto.offset.store" => {
            "a reader keeps its positions to itself and commits none"
        }
        "auto.offset.reset" => "the start is given by its own setting",
        "enable.partition.eof" => "the reader needs it to know the end",
        "group.instance.id" => "a reader joins no group",
        _ => return Ok(()),
    };
    Err(TopicError::Setting { name: name.to_owned(), reason: reason.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Result<ClientConfig, TopicError> {
        let settings = vec![Setting::new(name, value)];
        ReaderConfig { brokers: "b:1".into(), topic: "t".into(), start: Start::End, settings }.consumer()
    }

    #[test]
    fn a_setting_of_the_user_wins_over_ours() {
        let config = with("group.id", "allowed-by-acl").expect("a good setting");

        assert_eq!(config.get("group.id"), Some("allowed-by-acl"));
    }

    #[test]
    fn settings_that_would_move_positions_are_refused() {
        for name in ["bootstrap.servers", "enable.auto.commit", "auto.offset.reset", "enable.partition.eof"] {
            let error = with(name, "x").expect_err(name);

            assert!(error.to_string().starts_with(&format!("setting {name}: ")), "{error}");
        }
    }
}
