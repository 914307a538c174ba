//! What Envoy's statistics say of the filter: its counters, all VMs and workers added up by Envoy.
//!
//! ```text
//! wasmcustom.tributary_captured: 120
//! wasmcustom.tributary_acked: 117
//! wasmcustom.tributary_open: 1
//! ```

use std::{collections::BTreeMap, fmt};

/// What Envoy puts in front of the filter's statistics.
pub(super) const PREFIX: &str = "wasmcustom.tributary_";

/// The filter's statistics at one moment, by their short names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Account(BTreeMap<String, u64>);

/// Captured exchanges whose fate is open, and where they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pending {
    /// All of them.
    pub(super) total: u64,
    /// Not ended yet.
    pub(super) open: u64,
    /// Ended, and waiting to be posted.
    pub(super) queued: u64,
    /// In a post that has no answer yet.
    pub(super) in_flight: u64,
}

impl Account {
    /// Reads Envoy's text form; `None` if no statistic of the filter is in it.
    pub(super) fn parse(text: &str) -> Option<Account> {
        let pair = |line: &str| {
            let (name, value) = line.strip_prefix(PREFIX)?.split_once(": ")?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        };
        let values: BTreeMap<String, u64> = text.lines().filter_map(pair).collect();
        // Without this one there is nothing to wait for, whatever else has the prefix.
        values.contains_key("captured").then_some(Account(values))
    }

    pub(super) fn value(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// What is pending: what the filter says, and at least what its counters leave unexplained. Envoy reads them one
    /// after the other while they change, so either may be ahead.
    pub(super) fn pending(&self) -> Pending {
        let [open, queued, in_flight] = ["open", "queued", "in_flight"].map(|name| self.value(name));
        let settled = self.value("acked") + self.value("rejected") + self.dropped().values().sum::<u64>();
        let unexplained = self.value("captured").saturating_sub(settled);
        Pending { total: unexplained.max(open + queued + in_flight), open, queued, in_flight }
    }

    /// Exchanges lost, by reason; those that the collector refused for good are among them.
    pub(super) fn lost(&self) -> BTreeMap<&str, u64> {
        let mut lost = self.dropped();
        lost.insert("rejected", self.value("rejected"));
        lost
    }

    fn dropped(&self) -> BTreeMap<&str, u64> {
        let pairs = self.0.iter().map(|(name, value)| (name.as_str(), *value));
        pairs.filter(|(name, _)| name.starts_with("dropped_")).collect()
    }

    /// What was lost since `earlier`, by reason: `dropped_expired 3, rejected 1`; `None`: nothing.
    pub(super) fn lost_since(&self, earlier: &Account) -> Option<String> {
        let before = earlier.lost();
        let growth = |(name, value): (&str, u64)| {
            let growth = value.saturating_sub(before.get(name).copied().unwrap_or(0));
            (growth > 0).then(|| format!("{name} {growth}"))
        };
        let grown: Vec<String> = self.lost().into_iter().filter_map(growth).collect();
        (!grown.is_empty()).then(|| grown.join(", "))
    }
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pending { total, open, queued, in_flight } = self;
        write!(f, "{total} pending ({open} open, {queued} queued, {in_flight} in flight)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(pairs: &[(&str, u64)]) -> Account {
        let lines: Vec<String> = pairs.iter().map(|(name, value)| format!("{PREFIX}{name}: {value}")).collect();
        Account::parse(&lines.join("\n")).unwrap()
    }

    #[test]
    fn statistics_of_the_filter_are_read_and_others_passed_over() {
        let text = "cluster.collector.upstream_rq_total: 7\nwasmcustom.tributary_captured: 12\n\
                    wasmcustom.tributary_acked: 12\nwasmcustom.other: 1\nwasmcustom.tributary_odd: No recorded values\n";

        let account = Account::parse(text).unwrap();

        assert_eq!((account.value("captured"), account.value("acked"), account.value("odd")), (12, 12, 0));
        assert_eq!(account.pending(), Pending::default());
        assert_eq!(Account::parse("server.live: 1\n"), None);
        assert_eq!(Account::parse(""), None);
    }

    #[test]
    fn pending_is_what_is_said_and_at_least_what_is_unexplained() {
        let told = [("captured", 10), ("acked", 4), ("rejected", 1), ("dropped_budget", 2), ("open", 1), ("queued", 2)];
        let lagging = [("captured", 10), ("acked", 4), ("open", 1)];

        let [told, lagging] = [account(&told).pending(), account(&lagging).pending()];

        assert_eq!(told, Pending { total: 3, open: 1, queued: 2, in_flight: 0 });
        assert_eq!(lagging, Pending { total: 6, open: 1, queued: 0, in_flight: 0 });
        assert_eq!(told.to_string(), "3 pending (1 open, 2 queued, 0 in flight)");
    }

    #[test]
    fn losses_are_told_by_reason_and_only_those_since() {
        let before = account(&[("captured", 9), ("dropped_budget", 5)]);
        let after = account(&[("captured", 9), ("dropped_budget", 5), ("dropped_expired", 3), ("rejected", 1)]);

        assert_eq!(after.lost_since(&before).as_deref(), Some("dropped_expired 3, rejected 1"));
        assert_eq!(after.lost_since(&after), None);
    }
}
