//! The arguments that say which topic of which Kafka, and how a topic is waited for; the same for all commands.

use std::time::Duration;

use clap::Args;
use tokio::time::sleep;
use tributary_topic::{Reader, ReaderConfig, Start, TopicError};

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
        value_parser = setting,
        value_delimiter = '\n'
    )]
    pub(crate) kafka_config: Vec<Setting>,
}

impl KafkaArgs {
    /// Names and values of the settings, in order.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        self.kafka_config.iter().filter_map(|Setting(setting)| setting.clone()).collect()
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

/// A name and a value; `None` for an empty line of the variable.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Setting(Option<(String, String)>);

/// Shows no value: it may be a password.
impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Setting").field(&self.0.as_ref().map(|(name, _)| name)).finish()
    }
}

fn setting(text: &str) -> Result<Setting, String> {
    if text.trim().is_empty() {
        return Ok(Setting(None));
    }
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok(Setting(Some((name.trim().to_owned(), value.to_owned())))),
        _ => Err("it must be NAME=VALUE, like security.protocol=SASL_SSL".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_is_split_at_the_first_equals_sign() {
        let expected = Some(("sasl.password".to_owned(), "a=b,c;d".to_owned()));

        assert_eq!(setting(" sasl.password=a=b,c;d"), Ok(Setting(expected)));
    }

    #[test]
    fn setting_without_name_or_value_is_refused() {
        for text in ["linger.ms", "=5", " = "] {
            assert!(setting(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn empty_line_is_no_setting() {
        assert_eq!(setting(""), Ok(Setting(None)));
    }

    #[test]
    fn debug_form_shows_no_value() {
        let shown = format!("{:?}", setting("sasl.password=hunter2").unwrap());

        assert_eq!(shown, r#"Setting(Some("sasl.password"))"#);
    }
}
