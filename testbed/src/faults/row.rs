//! One row of the suite: a fault, what proves that it happened, and what it may cost.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use anyhow::{Result, bail, ensure};

use super::trial::{Scale, Trial};
use crate::oracle::Verdict;

/// The work of a row, in a box.
pub type Work = for<'a> fn(&'a Trial) -> Pin<Box<dyn Future<Output = Result<Outcome>> + 'a>>;

/// What a row's fault is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The collector: its process and its replies.
    Collector,
    /// Kafka.
    Kafka,
    /// The disk below the collector.
    Disk,
    /// Envoy and the filter in it.
    Envoy,
    /// The clocks.
    Clock,
    /// Nothing: the order of what is done is looked at.
    Durability,
}

impl Group {
    /// All, in the order of the page.
    pub const ALL: [Group; 6] =
        [Group::Collector, Group::Kafka, Group::Disk, Group::Envoy, Group::Clock, Group::Durability];

    /// Its heading on the page.
    pub fn heading(self) -> &'static str {
        match self {
            Group::Collector => "Collector",
            Group::Kafka => "Kafka",
            Group::Disk => "Disk",
            Group::Envoy => "Envoy and the filter",
            Group::Clock => "Clocks",
            Group::Durability => "Order of durability, by observation",
        }
    }
}

/// What a fault may cost. In any case: no spurious or altered line, no unexplained gap, every identity exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expects {
    /// Nothing: each exchange that a client saw answered comes out, and every client got the origin's answer.
    NothingLost,
    /// Exchanges that the filter counts under a reason; every client got the origin's answer.
    LossCounted,
    /// As [`LossCounted`](Expects::LossCounted), and connections of clients may break: Envoy itself ends.
    ConnectionsBreak,
}

impl fmt::Display for Expects {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Expects::NothingLost => "nothing",
            Expects::LossCounted => "what the filter counts as dropped",
            Expects::ConnectionsBreak => "what the filter counts as dropped; open connections",
        })
    }
}

/// What came of a row.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How often the fault is proven to have happened: [`Row::proof`] says what is counted.
    pub injected: u64,
    /// The judge's word on everything that was made and everything that came out.
    pub verdict: Verdict,
    /// What else does not hold; empty when all is well.
    pub findings: Vec<String>,
}

impl Outcome {
    /// Whether the row has passed.
    ///
    /// # Errors
    /// It has not: the fault did not happen, nothing was made, or something does not fit. Says what.
    pub fn check(&self, row: &Row) -> Result<()> {
        ensure!(self.injected > 0, "the fault did not happen: {} is 0", row.proof);
        ensure!(self.verdict.exchanges > 0, "there was no traffic");
        match row.expects {
            Expects::NothingLost => self.verdict.nothing_lost()?,
            Expects::LossCounted | Expects::ConnectionsBreak => self.verdict.nothing_unexplained()?,
        }
        let unknown = self.verdict.unknown;
        if row.expects != Expects::ConnectionsBreak && unknown > 0 {
            bail!("{unknown} connections of clients broke\n{}", self.verdict);
        }
        ensure!(self.findings.is_empty(), "{}\n{}", self.findings.join("\n"), self.verdict);
        Ok(())
    }
}

/// One fault.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its name on the command line: lower case letters, digits, dashes.
    pub id: &'static str,
    /// What it is done to.
    pub group: Group,
    /// What is done, one sentence without a full stop.
    pub fault: &'static str,
    /// What is counted to prove that it was felt.
    pub proof: &'static str,
    /// What it may cost.
    pub expects: Expects,
    /// The longest that it may take, in the short form and in the full one.
    pub within: [Duration; 2],
    /// Whether it starts a broker of its own. That takes a core for some seconds, so there is one such row at a time.
    pub has_broker: bool,
    pub(super) run: Work,
}

impl fmt::Debug for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Row").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Row {
    /// A row that may take 2 minutes (20 in the full form) and cost nothing.
    pub const fn new(id: &'static str, group: Group, run: Work) -> Row {
        let within = [Duration::from_secs(120), Duration::from_secs(1_200)];
        Row { id, group, fault: "", proof: "", expects: Expects::NothingLost, within, has_broker: false, run }
    }

    /// What is done.
    #[must_use]
    pub const fn fault(mut self, fault: &'static str) -> Row {
        self.fault = fault;
        self
    }

    /// What is counted to prove it.
    #[must_use]
    pub const fn proof(mut self, proof: &'static str) -> Row {
        self.proof = proof;
        self
    }

    /// What it may cost, if not nothing.
    #[must_use]
    pub const fn expects(mut self, expects: Expects) -> Row {
        self.expects = expects;
        self
    }

    /// The longest that it may take, if not 2 and 20 minutes; in seconds.
    #[must_use]
    pub const fn within_s(mut self, short: u64, full: u64) -> Row {
        self.within = [Duration::from_secs(short), Duration::from_secs(full)];
        self
    }

    /// It starts a broker of its own.
    #[must_use]
    pub const fn with_broker(mut self) -> Row {
        self.has_broker = true;
        self
    }

    pub(super) fn limit(&self, scale: Scale) -> Duration {
        let [short, full] = self.within;
        match scale {
            Scale::Short => short,
            Scale::Full => full,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Row = Row::new("row", Group::Disk, |_| Box::pin(async { Ok(Outcome::default()) })).proof("bites");

    fn outcome(verdict: Verdict) -> Outcome {
        Outcome { injected: 1, verdict: Verdict { exchanges: 10, lines: 10, ..verdict }, findings: Vec::new() }
    }

    fn reason(outcome: &Outcome, row: &Row) -> String {
        outcome.check(row).map_or_else(|error| error.to_string(), |()| "passed".to_owned())
    }

    #[test]
    fn fault_that_did_not_happen_fails_the_row() {
        let outcome = Outcome { injected: 0, ..outcome(Verdict::default()) };

        assert_eq!(reason(&outcome, &ROW), "the fault did not happen: bites is 0");
    }

    #[test]
    fn row_without_traffic_fails() {
        let outcome = Outcome { injected: 1, ..Outcome::default() };

        assert_eq!(reason(&outcome, &ROW), "there was no traffic");
    }

    #[test]
    fn loss_that_is_counted_passes_only_where_it_is_expected() {
        let lost = outcome(Verdict { missing: vec!["a".to_owned()], reported_dropped: 1, ..Verdict::default() });

        assert!(reason(&lost, &ROW).starts_with("something is lost"));
        assert_eq!(reason(&lost, &ROW.expects(Expects::LossCounted)), "passed");
        let uncounted = outcome(Verdict { missing: vec!["a".to_owned()], ..Verdict::default() });
        assert_ne!(reason(&uncounted, &ROW.expects(Expects::LossCounted)), "passed");
    }

    #[test]
    fn broken_connections_of_clients_fail_unless_envoy_ends() {
        let broken = outcome(Verdict { unknown: 2, ..Verdict::default() });

        assert!(reason(&broken, &ROW).starts_with("2 connections of clients broke"));
        assert_eq!(reason(&broken, &ROW.expects(Expects::ConnectionsBreak)), "passed");
    }

    #[test]
    fn findings_of_the_row_itself_fail_it() {
        let found = Outcome { findings: vec!["exit code 1".to_owned()], ..outcome(Verdict::default()) };

        assert!(reason(&found, &ROW).starts_with("exit code 1"));
    }
}
