//! What the judge looks at, besides the ledger.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use tributary_http_types::SourceAccount;

use crate::{collector::Accounting, recordings::Line};

/// Counters by name, as the filter names them: `seen`, `captured`, `dropped_budget` …
pub type Counters = BTreeMap<String, u64>;

/// What came out, and what everybody says about it.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// All lines of the topic or file.
    pub lines: Vec<Line>,
    /// The filter's counters as Envoy shows them, all VMs together.
    pub filter: Counters,
    /// The collector's account, since it was started last.
    pub accounting: Accounting,
    /// What the sources said, by the records that lie beside the lines: the newest of each.
    pub accounts: BTreeMap<String, SourceAccount>,
    /// What was acknowledged into the spool, and then found too large by Kafka: numbers in the dead letters, by source.
    pub dead_letters: BTreeMap<String, BTreeSet<u64>>,
    /// How often the collector was started again. What came before is not in its account.
    pub collector_restarts: u32,
}

/// The newest account of each source, from the records beside the lines.
///
/// # Errors
/// A record is no account.
pub fn newest_accounts(lines: &[Line]) -> Result<BTreeMap<String, SourceAccount>> {
    let mut newest: BTreeMap<String, SourceAccount> = BTreeMap::new();
    for line in lines {
        let mut account = SourceAccount::from_line(&line.bytes).context("a record beside the lines is no account")?;
        if let Some(known) = newest.get(&account.source) {
            // What a collector has stored stays stored, whoever said it.
            let both = known.acknowledged.iter().chain(&account.acknowledged).copied().collect();
            if known.age() > account.age() {
                account = known.clone();
            }
            account.acknowledged = both;
        }
        newest.insert(account.source.clone(), account);
    }
    Ok(newest)
}

/// The numbers of the dead letters that come from a spool, by source. What was refused at once is counted by its source.
pub fn letters_of_spool(letters: &[Line]) -> BTreeMap<String, BTreeSet<u64>> {
    let mut numbers: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for letter in letters.iter().filter(|letter| letter.header("replayed").is_some()) {
        let seq = letter.header("seq").and_then(|seq| seq.parse().ok());
        if let (Some(source), Some(seq)) = (letter.header("source"), seq) {
            numbers.entry(source.to_owned()).or_default().insert(seq);
        }
    }
    numbers
}

/// The value of a counter, 0 if it is absent.
pub(super) fn value(counters: &Counters, name: &str) -> u64 {
    counters.get(name).copied().unwrap_or(0)
}

/// The sum of the counters whose names begin so: `dropped_`.
pub(super) fn sum(counters: &Counters, prefix: &str) -> u64 {
    counters.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, value)| value).sum()
}
