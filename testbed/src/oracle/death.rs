//! An Envoy that has ended: its counters are gone with it, and what it told the collector last takes their place.

use crate::collector::{Accounting, SourceAccount};

use super::{evidence::Counters, identity::GAUGES};

/// The counter of what was lost with an Envoy: none of the filter's, for it had nobody left to count.
const WITH_ENVOY: &str = "dropped_with_envoy";

/// What one Envoy took with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Death {
    /// Its VMs.
    pub sources: Vec<String>,
    /// What they last told to be pending.
    pub pending: u64,
    /// Exchanges that were answered and that no VM had told of: those since the last posts.
    pub untold: u64,
}

impl Death {
    /// Of all sources that are not among the `dead`, when so many exchanges in all were answered. One without an answer is
    /// left out: its connection may have broken before any filter saw it, as in the moment in which a listener closes.
    pub(crate) fn new(accounting: &Accounting, dead: &[Death], answered: u64) -> Death {
        let told: u64 = accounting.sources.values().map(|account| count(account, "seen")).sum();
        let known: u64 = dead.iter().map(|death| death.untold).sum();
        let is_dead = |source: &String| dead.iter().any(|death| death.sources.contains(source));
        let sources: Vec<String> = accounting.sources.keys().filter(|source| !is_dead(source)).cloned().collect();
        let pending = sources.iter().filter_map(|source| accounting.sources.get(source)).map(pending).sum();
        Death { sources, pending, untold: answered.saturating_sub(told + known) }
    }

    /// Enters it into the books: what was pending and what was not told are lost with Envoy, and its last word stands for
    /// its counters.
    pub(crate) fn enter(&self, filter: &mut Counters, accounting: &mut Accounting) {
        let mut untold = self.untold;
        for source in &self.sources {
            let Some(account) = accounting.sources.get_mut(source) else { continue };
            let lost = pending(account) + untold;
            let counters = &mut account.counters;
            counters.retain(|name, _| !GAUGES.contains(&name.as_str()));
            for name in ["seen", "captured"] {
                *counters.entry(name.to_owned()).or_default() += untold;
            }
            counters.insert(WITH_ENVOY.to_owned(), lost);
            for (name, value) in counters {
                *filter.entry(name.clone()).or_default() += *value;
            }
            untold = 0;
        }
    }
}

fn pending(account: &SourceAccount) -> u64 {
    GAUGES.iter().map(|gauge| count(account, gauge)).sum()
}

fn count(account: &SourceAccount, name: &str) -> u64 {
    account.counters.get(name).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(pairs: &[(&str, u64)]) -> Counters {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    fn accounting(sources: &[(&str, &[(&str, u64)])]) -> Accounting {
        let account = |pairs| SourceAccount { counters: counters(pairs), ..SourceAccount::default() };
        let sources = sources.iter().map(|(name, pairs)| ((*name).to_owned(), account(pairs))).collect();
        Accounting { sources, ..Accounting::default() }
    }

    #[test]
    fn what_was_pending_and_what_was_not_told_are_lost_with_it() {
        let told = [("seen", 10), ("captured", 10), ("acked", 7), ("open", 1), ("queued", 0), ("in_flight", 2)];
        let mut books = accounting(&[("dead", &told)]);
        let mut filter = counters(&[("seen", 4), ("captured", 4), ("acked", 4)]);

        let death = Death::new(&books, &[], 12);
        death.enter(&mut filter, &mut books);

        assert_eq!(death, Death { sources: vec!["dead".to_owned()], pending: 3, untold: 2 });
        let expected = [("seen", 16), ("captured", 16), ("acked", 11), ("dropped_with_envoy", 5)];
        assert_eq!(filter, counters(&expected));
        assert_eq!(books.sources["dead"].counters, {
            counters(&[("seen", 12), ("captured", 12), ("acked", 7), ("dropped_with_envoy", 5)])
        });
    }

    #[test]
    fn a_second_death_is_only_of_what_lived_since_the_first() {
        let first = Death { sources: vec!["one".to_owned()], pending: 0, untold: 2 };
        let books = accounting(&[("one", &[("seen", 10), ("open", 1)]), ("two", &[("seen", 5), ("open", 3)])]);

        let second = Death::new(&books, &[first], 18);

        assert_eq!(second, Death { sources: vec!["two".to_owned()], pending: 3, untold: 1 });
    }
}
