//! What the filter tells the operator, in Envoy's log: states and losses, never one line per exchange.
//!
//! A message is constant, the facts follow as `name=value`. No header value, query, body or token is ever among them.

use std::time::Duration;

use crate::{
    clock::Moment,
    counters::{Counter, Counters},
};

/// Envoy's log levels, as far as they are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Start, stop, settings.
    Info,
    /// Odd, but nothing is lost.
    Warn,
    /// Something is lost, or a person must act.
    Error,
    /// The filter does not run.
    Critical,
}

/// One line for Envoy's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How bad it is.
    pub level: Level,
    /// `Posts fail; exchanges are kept and tried again. failure=http_503 failures=1`
    pub text: String,
}

/// Lines of the same subject are at least this far apart; what happened in between is in the next one's totals.
const APART: Duration = Duration::from_secs(10);

/// Collects lines until the shell takes them.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    lines: Vec<LogLine>,
    is_failing: bool,
    last_failure: Option<Moment>,
    last_loss: Option<Moment>,
    told_losses: Counters,
}

impl Journal {
    pub(crate) fn take(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.lines)
    }

    pub(crate) fn tell(&mut self, level: Level, text: String) {
        self.lines.push(LogLine { level, text });
    }

    /// A post failed; the first of a row is told at once, later ones now and then.
    pub(crate) fn post_failed(&mut self, now: Moment, failures: u32, cluster: &str, failure: &str) {
        self.is_failing = true;
        if failures > 1 && !is_apart(self.last_failure, now) {
            return;
        }
        self.last_failure = Some(now);
        let (level, message) = match failure {
            "http_401" | "http_403" => {
                (Level::Error, "The collector refuses the token; exchanges are kept and tried again.")
            }
            "not_sent_2" => {
                (Level::Error, "Envoy does not know the collector's cluster; exchanges are kept and tried again.")
            }
            _ => (Level::Warn, "Posts fail; exchanges are kept and tried again."),
        };
        self.tell(level, format!("{message} failure={failure} failures={failures} cluster={cluster}"));
    }

    /// A post was acknowledged; told if posts failed before.
    pub(crate) fn acknowledged(&mut self, cluster: &str) {
        if std::mem::take(&mut self.is_failing) {
            self.tell(Level::Info, format!("Posts are acknowledged again. cluster={cluster}"));
        }
    }

    /// Tells what was lost since it was told last.
    pub(crate) fn losses(&mut self, now: Moment, counters: &Counters) {
        if !is_apart(self.last_loss, now) {
            return;
        }
        for (counter, count) in counters.growth_since(&self.told_losses) {
            if Counter::DROPPED.contains(&counter) || counter == Counter::Rejected {
                let (reason, total) = (counter.name(), counters.get(counter));
                self.tell(Level::Error, format!("Exchanges were lost. reason={reason} count={count} total={total}"));
                self.last_loss = Some(now);
            }
        }
        self.told_losses = counters.clone();
    }
}

fn is_apart(last: Option<Moment>, now: Moment) -> bool {
    last.is_none_or(|last| now >= last.after(APART))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_millis(seconds * 1_000)
    }

    #[test]
    fn failures_in_a_row_are_told_first_and_then_every_ten_seconds() {
        let mut journal = Journal::default();

        for (second, failures) in [(0, 1), (1, 2), (9, 3), (10, 4), (11, 1)] {
            journal.post_failed(at(second), failures, "collector", "http_503");
        }

        let told: Vec<String> = journal.take().into_iter().map(|line| line.text).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(
            told[1],
            "Posts fail; exchanges are kept and tried again. failure=http_503 failures=4 cluster=collector"
        );
    }

    #[test]
    fn the_end_of_a_trouble_is_told_once() {
        let mut journal = Journal::default();
        journal.acknowledged("collector");
        assert_eq!(journal.take(), []);
        journal.post_failed(at(0), 1, "collector", "http_503");
        journal.take();

        journal.acknowledged("collector");
        journal.acknowledged("collector");

        let text = "Posts are acknowledged again. cluster=collector".to_owned();
        assert_eq!(journal.take(), [LogLine { level: Level::Info, text }]);
    }

    #[test]
    fn what_needs_a_person_is_an_error() {
        let mut journal = Journal::default();

        for failure in ["http_401", "http_403", "not_sent_2", "no_answer"] {
            journal.post_failed(at(0), 1, "collector", failure);
        }

        let levels: Vec<Level> = journal.take().into_iter().map(|line| line.level).collect();
        assert_eq!(levels, [Level::Error, Level::Error, Level::Error, Level::Warn]);
    }

    #[test]
    fn losses_are_told_by_reason_with_what_came_since() {
        let mut journal = Journal::default();
        let mut counters = Counters::default();
        counters.add(Counter::DroppedBudget, 2);
        counters.add(Counter::Seen, 9);
        journal.losses(at(0), &counters);
        counters.add(Counter::DroppedBudget, 3);

        journal.losses(at(9), &counters);
        journal.losses(at(10), &counters);

        let told: Vec<String> = journal.take().into_iter().map(|line| line.text).collect();
        assert_eq!(
            told,
            [
                "Exchanges were lost. reason=dropped_budget count=2 total=2",
                "Exchanges were lost. reason=dropped_budget count=3 total=5"
            ]
        );
    }
}
