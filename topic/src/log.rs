//! librdkafka's log lines, passed on to `tracing` without letting a broken network fill the disk.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::config::RDKafkaLogLevel;

/// How often one kind of line may be logged.
const EACH_KIND_EVERY: Duration = Duration::from_secs(10);

/// How many kinds are told apart; more share the bound of the last.
const MAX_KINDS: usize = 64;

/// Lets one line of a kind through per [`EACH_KIND_EVERY`], and counts the others.
#[derive(Debug, Default)]
pub(crate) struct LogGate(Mutex<Vec<Kind>>);

#[derive(Debug)]
struct Kind {
    facility: String,
    last: Instant,
    held_back: u64,
}

impl LogGate {
    /// Logs a line of librdkafka, or counts it.
    pub(crate) fn forward(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // It says of `allow.auto.create.topics` that a producer ignores it. It does not.
        if facility == "CONFWARN" && message.contains("allow.auto.create.topics") {
            return;
        }
        // A broker that has just started is not ready to give out producer ids; the client asks again.
        let level = if facility == "GETPID" && message.ends_with("retrying") { RDKafkaLogLevel::Info } else { level };
        let Some(held_back) = self.pass(facility, Instant::now()) else { return };
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(facility, message, held_back, "Kafka client.");
            }
            // A broker that is away is a WARN: nothing is lost by it.
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::warn!(facility, message, held_back, "Kafka client.");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(facility, message, held_back, "Kafka client.");
            }
        }
    }

    /// `Some(held back since the last one)` if a line of this kind may be logged now.
    fn pass(&self, facility: &str, now: Instant) -> Option<u64> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = kinds.len() >= MAX_KINDS;
        let found = match kinds.iter().position(|kind| kind.facility == facility) {
            Some(found) => kinds.get_mut(found),
            None if full => kinds.last_mut(),
            None => {
                kinds.push(Kind { facility: facility.to_owned(), last: now, held_back: 0 });
                return Some(0);
            }
        };
        let kind = found?;
        if now.duration_since(kind.last) < EACH_KIND_EVERY {
            kind.held_back += 1;
            return None;
        }
        kind.last = now;
        Some(std::mem::take(&mut kind.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_line_is_logged_once_in_ten_seconds_and_counted_between() {
        let gate = LogGate::default();
        let start = Instant::now();

        assert_eq!(gate.pass("FAIL", start), Some(0));
        assert_eq!(gate.pass("FAIL", start + Duration::from_secs(1)), None);
        assert_eq!(gate.pass("FAIL", start + Duration::from_secs(9)), None);
        assert_eq!(gate.pass("ERROR", start + Duration::from_secs(9)), Some(0));
        assert_eq!(gate.pass("FAIL", start + Duration::from_secs(10)), Some(2));
    }

    #[test]
    fn the_kinds_are_bounded() {
        let gate = LogGate::default();
        let start = Instant::now();

        for kind in 0..1000 {
            gate.pass(&format!("K{kind}"), start);
        }

        assert_eq!(gate.0.lock().expect("no panic under the lock").len(), MAX_KINDS);
    }
}
