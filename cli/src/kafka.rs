//! The arguments that say which topic of which Kafka, and how a topic is waited for; the same for all commands.

use std::time::Duration;

use clap::{
    Args,
    error::{ContextKind, ContextValue},
};
use tokio::time::sleep;
use tributary_topic::{NotASetting, Reader, ReaderConfig, Setting, Start, TopicError};

use crate::{failure::Failure, terminal::notice};

/// The pause between attempts to open a topic.
const OPEN_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Where the topic is.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Kafka")]
pub(crate) struct KafkaArgs {
    /// Bootstrap servers, several joined by ","
    #[arg(long, env = "TRIBUTARY_BROKERS", value_name = "HOST:PORT", default_value = "localhost:9092")]
    pub(crate) brokers: String,

    /// The topic
    #[arg(long, env = "TRIBUTARY_TOPIC", value_name = "TOPIC", default_value = "http_recordings")]
    pub(crate) topic: String,

    /// A setting of librdkafka, like security.protocol=SASL_SSL; repeatable, in the variable one on each line
    #[arg(
        long,
        env = "TRIBUTARY_KAFKA_CONFIG",
        // It may hold a password.
        hide_env_values = true,
        value_name = "NAME=VALUE",
        value_parser = line,
        value_delimiter = '\n'
    )]
    pub(crate) kafka_config: Vec<Line>,
}

impl KafkaArgs {
    /// Names and values of the settings, in order.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        self.kafka_config.iter().filter_map(|Line(setting)| setting.clone()).collect()
    }

    /// The settings of a reader of the topic.
    pub(crate) fn reader(&self, start: Start) -> ReaderConfig {
        let (brokers, topic) = (self.brokers.clone(), self.topic.clone());
        ReaderConfig { brokers, topic, start, settings: self.settings() }
    }
}

/// Opens the topic; waits for it, and for Kafka. `None`: it is not `wanted` any more.
pub(crate) async fn open_patiently(
    mut config: ReaderConfig,
    wanted: impl Fn() -> bool,
) -> Result<Option<Reader>, Failure> {
    let mut told = None;
    loop {
        let error = match Reader::open(config.clone()).await {
            Ok(reader) => {
                if told.is_some() {
                    notice("there it is");
                }
                return Ok(Some(reader));
            }
            Err(error @ (TopicError::TopicMissing { .. } | TopicError::Unreachable { .. })) => error,
            Err(error) => return Err(error.into()),
        };
        if matches!(error, TopicError::TopicMissing { .. }) && config.start == Start::End {
            // Whatever will be in it comes after this command.
            config.start = Start::Beginning;
        }
        let text = error.to_string();
        if told.as_ref() != Some(&text) {
            notice(&format!("{text}; waiting for it"));
            told = Some(text);
        }
        if !wanted() {
            return Ok(None);
        }
        sleep(OPEN_AGAIN_AFTER).await;
    }
}

/// Says once that Kafka went away, and once that it is back.
pub(crate) fn tell_outage(away: &mut bool, is_away: bool, brokers: &str) {
    match (std::mem::replace(away, is_away), is_away) {
        (false, true) => notice(&format!("no answer from kafka at {brokers}; waiting for it")),
        (true, false) => notice("kafka is back"),
        _ => {}
    }
}

/// A line of the variable, or what stands behind the flag; `None` for an empty one.
#[derive(Clone, Debug)]
pub(crate) struct Line(Option<Setting>);

fn line(text: &str) -> Result<Line, NotASetting> {
    if text.trim().is_empty() { Ok(Line(None)) } else { text.parse().map(|setting| Line(Some(setting))) }
}

/// Takes what was given for `--kafka-config` out of an error: a password may have been pasted without its name.
pub(crate) fn without_settings(mut error: clap::Error) -> clap::Error {
    let of_kafka = |value: &ContextValue| value.to_string().contains("--kafka-config ");
    if error.get(ContextKind::InvalidArg).is_some_and(of_kafka) {
        error.insert(ContextKind::InvalidValue, ContextValue::String("…".to_owned()));
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        kafka: KafkaArgs,
    }

    fn parse(given: &str) -> Result<Vec<Setting>, clap::Error> {
        let command = Command::try_parse_from(["command", "--kafka-config", given]).map_err(without_settings)?;
        Ok(command.kafka.settings())
    }

    #[test]
    fn each_line_that_is_not_empty_is_a_setting() {
        let settings = parse("a=1\n\nsasl.password=b=c,d;e").expect("settings");

        let pairs = settings.iter().map(|setting| (setting.name(), setting.reveal()));
        assert_eq!(pairs.collect::<Vec<_>>(), [("a", "1"), ("sasl.password", "b=c,d;e")]);
    }

    #[test]
    fn what_is_no_setting_is_refused_and_not_shown() {
        let error = parse("hunter2").expect_err("no setting").to_string();

        assert!(error.contains("not name=value") && !error.contains("hunter2"), "{error}");
    }
}
