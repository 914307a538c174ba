//! Which exchanges were learnt from already, in bounded memory.

mod numbers;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tributary_http_types::{Meta, Seen};

use crate::hash::{hash, keep_smallest};
use numbers::Numbers;

/// Sources whose numbers are remembered: those with the smallest hashes.
const MAX_SOURCES: usize = 4_096;
/// Blocks of numbers that are not whole, of all sources together: 32 MiB of bits, for 268 million numbers.
const MAX_BLOCKS: usize = 65_536;
/// Ids of other writers that are remembered: those with the smallest hashes.
const MAX_IDS: usize = 65_536;

/// The exchanges that were learnt from.
///
/// Those of Tributary's filter have a source and a number, and are remembered exactly, however the partitions of a topic mix
/// them; only past [`MAX_BLOCKS`] blocks with gaps the lowest one of the source that has most is forgotten: a repetition
/// of its numbers counts again. Of other ids, the 65,536 with the smallest hashes are remembered; beyond them, a repetition counts
/// again. An exchange without an id is always new.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    sources: BTreeMap<Box<str>, Numbers>,
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
        if let Some(numbers) = self.sources.get_mut(source) {
            let before = numbers.blocks();
            let seen = numbers.add(seq);
            if numbers.blocks() > before {
                self.bound_blocks();
            }
            return seen == Seen::First;
        }
        let mut numbers = Numbers::default();
        numbers.add(seq);
        self.sources.insert(source.into(), numbers);
        keep_smallest(&mut self.sources, MAX_SOURCES);
        true
    }

    /// Called when a block was added, which happens for one number of thousands.
    fn bound_blocks(&mut self) {
        let mut blocks: usize = self.sources.values().map(Numbers::blocks).sum();
        while blocks > MAX_BLOCKS {
            let Some((_, most)) = self.sources.iter_mut().max_by_key(|(_, numbers)| numbers.blocks()) else { return };
            most.forget_lowest();
            blocks -= 1;
        }
    }

    fn bound(&mut self) {
        while self.ids.len() > MAX_IDS {
            self.ids.pop_last();
        }
    }

    /// Adds all that another one remembers.
    pub(crate) fn merge(&mut self, other: Known) {
        for (source, numbers) in other.sources {
            self.sources.entry(source).or_default().merge(&numbers);
        }
        keep_smallest(&mut self.sources, MAX_SOURCES);
        self.bound_blocks();
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
    fn numbers_that_come_partition_by_partition_are_each_new_once() {
        let mut known = Known::default();
        let id = |seq: usize| facts(&format!("0123456789abcdef0123456789abcdef-{seq}"));

        for partition in 0..3 {
            assert!((partition..30_000).step_by(3).all(|seq| known.is_new(&id(seq))), "{partition}");
        }

        assert!((0..30_000).all(|seq| !known.is_new(&id(seq))));
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
