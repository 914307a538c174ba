//! What a source says of itself, as a record: the counters that travel with its posts, one JSON object a line.
//!
//! The collector writes such lines beside the exchanges (topic `<topic>.accounts`, file `<file>.accounts`), so that a
//! consumer can tell a number that was dropped, and counted, from one that was lost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ReadError;

/// What goes up and down; everything else is cumulative.
const GAUGES: [&str; 3] = ["open", "queued", "in_flight"];

/// The account of one source at one moment. It is cumulative, so a newer one replaces an older one.
///
/// ```json
/// {"source":"9f…","at":"2026-02-28T10:39:28.833Z","batch":12,"heartbeatMs":5000,
///  "counters":{"seen":120,"captured":120,"acked":100,"dropped_budget":3,"open":2,"queued":5,"in_flight":10},
///  "acknowledged":[[0,57],[61,99]]}
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceAccount {
    /// The name of the source; also the key of the record.
    pub source: String,
    /// When the collector heard it, RFC 3339 in UTC.
    pub at: String,
    /// The number of the post that it came with.
    pub batch: u64,
    /// How often the source reports at least while something is pending, in milliseconds; absent: it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_ms: Option<u64>,
    /// The counters by name, as the filter names them.
    pub counters: BTreeMap<String, u64>,
    /// Numbers that this collector had stored and answered for before it wrote this, as ranges with both ends, lowest
    /// first; not all of them if there were very many ranges. A claim that can be checked: each of them is in the topic.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acknowledged: Vec<(u64, u64)>,
}

impl SourceAccount {
    /// Reads one line, with or without its line break. Unknown keys are passed over: later versions may add some.
    ///
    /// # Errors
    /// - [`ReadError::NotJson`], [`ReadError::NotAnExchange`]: it is no account; the text names the place.
    pub fn from_line(line: &[u8]) -> Result<SourceAccount, ReadError> {
        crate::read::parsed(line)
    }

    /// The account as one line, with its `\n`.
    pub fn to_line(&self) -> Vec<u8> {
        // It has string keys and writes into memory: it cannot fail.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }

    /// Grows with everything that ever happens: of two accounts of one source the one with more is the newer.
    pub fn age(&self) -> u128 {
        let cumulative = self.counters.iter().filter(|(name, _)| !GAUGES.contains(&name.as_str()));
        cumulative.map(|(_, value)| u128::from(*value)).sum()
    }

    /// The value of a counter; 0 if it is absent.
    pub fn get(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or(0)
    }

    /// Exchanges that have a number: 0 to one less than this.
    pub fn captured(&self) -> u64 {
        self.get("captured")
    }

    /// Captured exchanges that were lost, all reasons together.
    pub fn dropped(&self) -> u64 {
        self.sum("dropped_")
    }

    /// Captured exchanges whose fate was open: not ended, waiting, or on their way.
    pub fn pending(&self) -> u64 {
        GAUGES.iter().fold(0, |sum: u64, name| sum.saturating_add(self.get(name)))
    }

    /// Whether `seen` and `captured` are fully explained: ARCHITECTURE, "The account".
    pub fn identity_is_exact(&self) -> bool {
        let explained = [self.get("acked"), self.get("rejected"), self.dropped(), self.pending()];
        self.get("seen") == self.sum("excluded_").saturating_add(self.captured())
            && self.captured() == explained.into_iter().fold(0, u64::saturating_add)
    }

    fn sum(&self, prefix: &str) -> u64 {
        let counted = self.counters.iter().filter(|(name, _)| name.starts_with(prefix));
        counted.fold(0, |sum, (_, value)| sum.saturating_add(*value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = concat!(
        r#"{"source":"ab","at":"2020-02-28T10:39:28.833Z","batch":7,"heartbeatMs":5000,"counters":{"acked":4,"#,
        r#""captured":9,"dropped_budget":1,"dropped_expired":1,"excluded_self":1,"in_flight":2,"open":1,"seen":10},"#,
        r#""acknowledged":[[0,2],[4,4]]}"#
    );

    #[test]
    fn a_line_is_read_and_written_back_the_same() {
        let account = SourceAccount::from_line(LINE.as_bytes()).expect("a good line");

        assert_eq!(account.to_line(), format!("{LINE}\n").into_bytes());
        assert_eq!((account.captured(), account.dropped(), account.pending()), (9, 2, 3));
        assert!(account.identity_is_exact());
    }

    #[test]
    fn what_may_be_absent_may_be_absent_and_more_may_come() {
        let line = br#"{"source":"ab","at":"","batch":0,"counters":{"captured":1},"later":1}"#;

        let account = SourceAccount::from_line(line).expect("a good line");

        assert_eq!((account.heartbeat_ms, account.acknowledged.len()), (None, 0));
        assert!(!account.identity_is_exact());
    }

    #[test]
    fn what_is_no_account_is_named() {
        let told = |line: &[u8]| SourceAccount::from_line(line).expect_err("no account").to_string();

        assert!(told(br#"{"source":"ab"}"#).contains("at"), "{}", told(br#"{"source":"ab"}"#));
        assert!(told(b"{").starts_with("not JSON"));
        assert!(told(br#"{"source":"ab","at":"","batch":-1,"counters":{}}"#).starts_with("batch"));
    }

    #[test]
    fn pending_makes_no_account_older() {
        let account = |text: &str| SourceAccount {
            counters: text.split(',').map(|name| (name.to_owned(), 1)).collect(),
            ..SourceAccount::default()
        };

        assert_eq!(account("captured,acked,open,queued,in_flight").age(), account("captured,acked").age());
    }
}
