//! The judge's words.

use std::fmt;

use anyhow::{Result, bail};

/// How many findings of a kind are shown.
const SHOWN: usize = 10;

/// What does not fit between what was made and what came out. Each list is empty when all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Exchanges that were tried.
    pub exchanges: usize,
    /// Lines that came out.
    pub lines: usize,
    /// Exchanges whose client did not get the origin's answer, byte for byte.
    pub hurt: Vec<String>,
    /// Exchanges that were answered and did not come out.
    pub missing: Vec<String>,
    /// Lines of nothing that was made, lines that are not of the format, exchanges recorded twice.
    pub spurious: Vec<String>,
    /// Lines that differ from the exchange as it was.
    pub altered: Vec<String>,
    /// Lines that came again, the same.
    pub duplicates: usize,
    /// Lines that say that something was left out of them for want of memory; what they lack is not altered.
    pub degraded: u64,
    /// Sources with numbers that are absent and not explained.
    pub gaps: Vec<String>,
    /// Identities of the account that do not hold.
    pub identities: Vec<String>,
    /// Exchanges whose connection broke and that did not come out: nobody can say whether Envoy saw them.
    pub unknown: usize,
    /// Exchanges that were acknowledged into the spool and lie among the dead letters: Kafka found them too large.
    pub dead_lettered: u64,
    /// What the filter counts as dropped.
    pub reported_dropped: u64,
    /// What the filter counts as refused for good by the collector.
    pub reported_rejected: u64,
}

impl Verdict {
    /// Everything came out exactly once, whole and unharmed, and every account is exact: what a run without faults must give.
    ///
    /// # Errors
    /// Something does not fit; the error is the whole verdict.
    pub fn exactly_once(&self) -> Result<()> {
        if self.duplicates > 0 || self.counted() > 0 || self.unknown > 0 || self.degraded > 0 {
            bail!("not exactly once\n{self}");
        }
        self.nothing_lost()
    }

    /// Everything came out, unharmed, and every account is exact; some of it perhaps more than once: what a run with
    /// collector or Kafka faults must give.
    ///
    /// # Errors
    /// As [`exactly_once`](Self::exactly_once).
    pub fn nothing_lost(&self) -> Result<()> {
        match self.missing.is_empty() {
            true => self.nothing_unexplained(),
            false => bail!("something is lost\n{self}"),
        }
    }

    /// What is missing was counted under a reason; all else as in [`nothing_lost`](Self::nothing_lost).
    ///
    /// # Errors
    /// As [`exactly_once`](Self::exactly_once).
    pub fn nothing_unexplained(&self) -> Result<()> {
        let explained = self.missing.len() as u64 <= self.counted();
        let lists = [&self.hurt, &self.spurious, &self.altered, &self.gaps, &self.identities];
        match explained && lists.iter().all(|list| list.is_empty()) {
            true => Ok(()),
            false => bail!("what was made and what came out do not fit\n{self}"),
        }
    }

    /// Exchanges that need not have come out.
    fn counted(&self) -> u64 {
        self.reported_dropped + self.reported_rejected + self.dead_lettered
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "exchanges {}, lines {}", self.exchanges, self.lines)?;
        writeln!(out, "  duplicates {}, unknown {}, degraded {}", self.duplicates, self.unknown, self.degraded)?;
        writeln!(
            out,
            "  dropped {}, rejected {} (as the filter counts), dead letters of the spool {}",
            self.reported_dropped, self.reported_rejected, self.dead_lettered
        )?;
        for (name, findings) in [
            ("hurt", &self.hurt),
            ("missing", &self.missing),
            ("spurious", &self.spurious),
            ("altered", &self.altered),
            ("gaps", &self.gaps),
            ("identities broken", &self.identities),
        ] {
            writeln!(out, "  {name} {}", findings.len())?;
            for finding in findings.iter().take(SHOWN) {
                writeln!(out, "    {finding}")?;
            }
        }
        Ok(())
    }
}
