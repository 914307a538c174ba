//! Logging: how it is set up, and how traffic is kept from filling it.

use std::{
    io::IsTerminal as _,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing_subscriber::{EnvFilter, filter::Directive};

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends the log to standard error. `level`: as `RUST_LOG` takes it (`info`, `tributary_collector=debug`).
///
/// # Errors
/// The text says what is wrong with `level`.
pub fn set_up(format: LogFormat, level: &str) -> Result<(), String> {
    let filter = EnvFilter::builder()
        .with_default_directive(Directive::from(tracing::Level::INFO))
        .parse(level)
        .map_err(|error| error.to_string())?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let outcome = match format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    outcome.map_err(|error| error.to_string())
}

/// How often one event that traffic causes is logged.
const EACH_EVENT_EVERY: Duration = Duration::from_secs(10);

/// Lets an event that traffic causes into the log now and then, and counts the others.
#[derive(Debug, Default)]
pub struct Gate(Mutex<Option<(Instant, u64)>>);

impl Gate {
    /// A gate that lets the first event through.
    pub const fn new() -> Gate {
        Gate(Mutex::new(None))
    }

    /// `Some(how many were held back before)` if this event may be logged.
    pub fn pass(&self) -> Option<u64> {
        self.pass_at(Instant::now())
    }

    fn pass_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.as_mut() {
            Some((last, held_back)) if now.duration_since(*last) < EACH_EVENT_EVERY => {
                *held_back += 1;
                None
            }
            _ => Some(state.replace((now, 0)).map_or(0, |(_, held_back)| held_back)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_logged_once_in_ten_seconds_and_counted_between() {
        let gate = Gate::new();
        let start = Instant::now();

        assert_eq!(gate.pass_at(start), Some(0));
        assert_eq!(gate.pass_at(start + Duration::from_secs(1)), None);
        assert_eq!(gate.pass_at(start + Duration::from_secs(9)), None);
        assert_eq!(gate.pass_at(start + Duration::from_secs(10)), Some(2));
    }
}
