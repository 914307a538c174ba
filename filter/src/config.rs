//! The plugin configuration: JSON in, every field checked, nothing guessed.
//!
//! ```json
//! {"collector": {"cluster": "collector"}, "max_response_body_bytes": 16384}
//! ```
//! Only `collector.cluster` must be there. An unknown field, a wrong type or a value out of bounds refuses the whole
//! configuration: at Envoy's start that stops Envoy, in an update it leaves the old one serving. [`SETTINGS`] is the
//! one list of fields, defaults and bounds; the parser and the table in the README both come from it.

mod error;
mod fields;
mod settings;

use std::{fmt, time::Duration};

use serde_json::Value;
use tributary_redact::{Compressed, Key, Redactor, Settings, Unparseable};

pub use error::ConfigError;
pub use settings::{Allowed, SETTINGS, Setting};

use crate::facts::{Fact, Omitted};
use fields::Fields;

/// A checked configuration. One field each of [`SETTINGS`]; bounds and defaults stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the batches go.
    pub collector: Collector,
    /// Kept bytes of each request body.
    pub max_request_body_bytes: usize,
    /// Kept bytes of each response body.
    pub max_response_body_bytes: usize,
    /// Everything a VM holds: open exchanges, queue and posts in flight. The latest configuration of a VM decides.
    pub max_memory_bytes: usize,
    /// What is not read of Envoy's facts.
    pub omitted_facts: Omitted,
    /// When a batch is closed.
    pub batch: BatchLimits,
    /// When a failed post is tried again.
    pub retry: RetryLimits,
    /// The longest silence while something is pending; each post tells it.
    pub heartbeat: Duration,
    /// What is masked. Each stream goes by the configuration of its own root.
    pub redactor: Redactor,
}

/// The collector as Envoy reaches it.
#[derive(Clone, PartialEq, Eq)]
pub struct Collector {
    /// Envoy's name of the cluster.
    pub cluster: String,
    /// The `:authority` of the posts.
    pub authority: String,
    /// The `:path` of the posts.
    pub path: String,
    /// How long one post may take.
    pub timeout: Duration,
    /// The bearer token, if `token_env` names one. Kept out of [`Debug`](fmt::Debug).
    pub token: Option<String>,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector")
            .field("cluster", &self.cluster)
            .field("authority", &self.authority)
            .field("path", &self.path)
            .field("timeout", &self.timeout)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .finish()
    }
}

/// A batch is closed by whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// How long its first line waits.
    pub flush_after: Duration,
    /// Its size; one line larger than this is a batch of its own.
    pub max_bytes: usize,
    /// Its lines.
    pub max_exchanges: u64,
}

/// Exponential back-off with jitter between two bounds, and the age at which a batch is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryLimits {
    /// The shortest wait.
    pub min: Duration,
    /// The longest wait, unless the collector's `Retry-After` asks for more.
    pub max: Duration,
    /// Counted from the end of the oldest exchange of the batch.
    pub give_up_after: Duration,
}

impl Config {
    /// Reads the plugin configuration.
    ///
    /// `environment` is the VM's environment as WASI gives it: `NAME=value`, each ended by a NUL; only the variables
    /// that `collector.token_env` and `redact.key_env` name are looked at.
    ///
    /// # Errors
    /// [`ConfigError`]: the operator has to repair the field it names.
    pub fn load(json: &[u8], environment: &[u8]) -> Result<Config, ConfigError> {
        let value = if json.is_empty() { Value::Object(Default::default()) } else { from_json(json)? };
        let top = Fields::of_object("", &value)?;
        top.refuse_unknown()?;
        let collector = top.object("collector", "collector.")?;
        collector.refuse_unknown()?;
        let redact = top.object("redact", "redact.")?;
        redact.refuse_unknown()?;
        let config = Config {
            collector: Collector {
                cluster: collector.text("cluster")?,
                authority: collector.text("authority")?,
                path: collector.text("path")?,
                timeout: collector.duration("timeout_ms")?,
                token: collector.optional_text("token_env")?.map(|name| token(&name, environment)).transpose()?,
            },
            max_request_body_bytes: top.size("max_request_body_bytes")?,
            max_response_body_bytes: top.size("max_response_body_bytes")?,
            max_memory_bytes: top.size("max_memory_bytes")?,
            omitted_facts: top.words("omit_facts", fact)?.into_iter().collect(),
            batch: BatchLimits {
                flush_after: top.duration("flush_after_ms")?,
                max_bytes: top.size("max_batch_bytes")?,
                max_exchanges: top.number("max_batch_exchanges")?,
            },
            retry: RetryLimits {
                min: top.duration("retry_min_ms")?,
                max: top.duration("retry_max_ms")?,
                give_up_after: top.duration("give_up_after_ms")?,
            },
            heartbeat: top.duration("heartbeat_ms")?,
            redactor: redactor(&redact, environment)?,
        };
        config.refuse_contradictions()?;
        Ok(config)
    }

    fn refuse_contradictions(&self) -> Result<(), ConfigError> {
        if self.retry.min > self.retry.max {
            return Err(ConfigError::Contradiction {
                field: "retry_min_ms",
                value: self.retry.min.as_millis(),
                other: "retry_max_ms",
                other_value: self.retry.max.as_millis(),
            });
        }
        if self.batch.max_bytes > self.max_memory_bytes {
            return Err(ConfigError::Contradiction {
                field: "max_batch_bytes",
                value: self.batch.max_bytes as u128,
                other: "max_memory_bytes",
                other_value: self.max_memory_bytes as u128,
            });
        }
        Ok(())
    }
}

fn from_json(json: &[u8]) -> Result<Value, ConfigError> {
    serde_json::from_slice(json).map_err(|error| ConfigError::NotJson { line: error.line(), column: error.column() })
}

fn fact(name: &str) -> Option<Fact> {
    Fact::ALL.into_iter().find(|fact| fact.name() == name)
}

fn redactor(redact: &Fields<'_>, environment: &[u8]) -> Result<Redactor, ConfigError> {
    let key_env = redact.optional_text("key_env")?;
    let key = key_env.as_deref().map(|name| key(name, environment)).transpose()?;
    let settings = Settings {
        names: redact.texts("names")?,
        allow: redact.texts("allow")?,
        only_headers: redact.optional_texts("only_headers")?,
        patterns: redact.texts("patterns")?,
        paths: redact.texts("paths")?,
        bodies: redact.flag("bodies")?,
        query: redact.flag("query")?,
        unparseable: if redact.choice("unparseable")? == "drop" { Unparseable::Drop } else { Unparseable::Scan },
        compressed: if redact.choice("compressed")? == "drop" { Compressed::Drop } else { Compressed::Pass },
        key_env,
    };
    Redactor::new(settings, key).map_err(ConfigError::Redact)
}

fn key(name: &str, environment: &[u8]) -> Result<Key, ConfigError> {
    let value = variable("redact.key_env", name, environment)?;
    Key::new(value).map_err(|error| ConfigError::BadKey { variable: name.to_owned(), error })
}

fn token(name: &str, environment: &[u8]) -> Result<String, ConfigError> {
    let value = variable("collector.token_env", name, environment)?;
    let is_sendable = !value.is_empty() && value.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(value) {
        Ok(text) if is_sendable => Ok(text.to_owned()),
        _ => Err(ConfigError::BadToken { variable: name.to_owned() }),
    }
}

fn variable<'e>(field: &'static str, name: &str, environment: &'e [u8]) -> Result<&'e [u8], ConfigError> {
    environment
        .split(|&byte| byte == 0)
        .filter_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .next()
        .ok_or_else(|| ConfigError::NoVariable { field, variable: name.to_owned() })
}

#[cfg(test)]
mod tests;
