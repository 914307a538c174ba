//! Which exchanges were learnt from already, in bounded memory.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tributary_http_types::{Meta, Seen, SeqSet};

use crate::hash::{hash, keep_smallest};

/// Sources whose numbers are remembered: those with the smallest hashes.
const MAX_SOURCES: usize = 4_096;
/// Ids of other writers that are remembered: those with the smallest hashes.
const MAX_IDS: usize = 65_536;

/// The exchanges that were learnt from.
///
/// Those of Tributary's filter have a source and a number, and are remembered as ranges of numbers: exactly, up to 1,024
/// gaps a source. Of other ids, the 65,536 with the smallest hashes are remembered; beyond them, a repetition counts
/// again. An exchange without an id is always new.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    sources: BTreeMap<Box<str>, SeqSet>,
    ids: BTreeSet<u64>,
}

impl Known {
    /// Whether the exchange with these facts is new; from now on it is not.
    pub(crate) fn is_new(&mut self, facts: &Meta) -> bool {
        let Some(id) = facts.id.as_deref() else {
            return match (&facts.source, facts.seq) {
                (Some(source), Some(seq)) => self.is_new_of(source, seq),
                _ => true,
            };
        };
        match numbered(id) {
            Some((source, seq)) => self.is_new_of(source, seq),
            None => {
                let is_new = self.ids.insert(hash(id));
                self.bound();
                is_new
            }
        }
    }

    fn is_new_of(&mut self, source: &str, seq: u64) -> bool {
        if let Some(seqs) = self.sources.get_mut(source) {
            return seqs.add(seq) == Seen::First;
        }
        let mut seqs = SeqSet::default();
        seqs.add(seq);
        self.sources.insert(source.into(), seqs);
        keep_smallest(&mut self.sources, MAX_SOURCES);
        true
    }

    fn bound(&mut self) {
        while self.ids.len() > MAX_IDS {
            self.ids.pop_last();
        }
    }

    /// Adds all that another one remembers.
    pub(crate) fn merge(&mut self, other: Known) {
        for (source, seqs) in other.sources {
            self.sources.entry(source).or_default().merge(&seqs);
        }
        keep_smallest(&mut self.sources, MAX_SOURCES);
        self.ids.extend(other.ids);
        self.bound();
    }
}

/// `<source>-<seq>`, as the filter writes it: 32 hexadecimal digits, and a number without leading zeros.
fn numbered(id: &str) -> Option<(&str, u64)> {
    let (source, seq) = id.rsplit_once('-')?;
    let is_source = source.len() == 32 && source.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_number = seq == "0" || !seq.starts_with('0') && seq.bytes().all(|byte| byte.is_ascii_digit());
    (is_source && is_number).then(|| seq.parse().ok().map(|seq| (source, seq))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(id: &str) -> Meta {
        Meta { id: Some(id.to_owned()), ..Meta::default() }
    }

    #[test]
    fn an_id_is_new_once() {
        let mut known = Known::default();

        for id in ["0123456789abcdef0123456789abcdef-7", "0123456789abcdef0123456789abcdef-0", "other", "0-1"] {
            assert!(known.is_new(&facts(id)), "{id}");
            assert!(!known.is_new(&facts(id)), "{id}");
        }
        assert_eq!((known.sources.len(), known.ids.len()), (1, 2));
    }

    #[test]
    fn without_an_id_all_are_new() {
        let mut known = Known::default();

        assert!(known.is_new(&Meta::default()) && known.is_new(&Meta::default()));
    }

    #[test]
    fn foreign_ids_are_bounded_in_any_order() {
        let known = |ids: &mut dyn Iterator<Item = usize>| {
            let mut known = Known::default();
            ids.for_each(|id| assert!(known.is_new(&facts(&format!("id {id}")))));
            known
        };

        let there = known(&mut (0..MAX_IDS + 100));

        assert_eq!(there.ids.len(), MAX_IDS);
        assert_eq!(there, known(&mut (0..MAX_IDS + 100).rev()));
    }
}
