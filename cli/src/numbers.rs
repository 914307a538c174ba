//! A set of sequence numbers that forgets nothing: one bit a number.
//!
//! A consumer that reads several partitions one behind the other sees a source with thousands of gaps that close later.
//! [`tributary_http_types::SeqSet`] bounds what it keeps and takes some of those for repetitions then; here that would hide
//! a line.

use std::{collections::BTreeMap, ops::Range};

use tributary_http_types::Seen;

/// Numbers of one block: 512 bytes.
const BLOCK: u64 = 4096;
const WORDS: usize = 64;

/// A set of numbers from 0 to 2^64 - 2: 512 bytes for each 4,096 numbers in which there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    blocks: BTreeMap<u64, Box<[u64; WORDS]>>,
    count: u64,
}

impl Numbers {
    /// Adds a number.
    pub(crate) fn add(&mut self, number: u64) -> Seen {
        let block = self.blocks.entry(number / BLOCK).or_insert_with(|| Box::new([0; WORDS]));
        let (word, bit) = place(number);
        let Some(word) = block.get_mut(word) else { return Seen::Again };
        if *word & bit != 0 {
            return Seen::Again;
        }
        *word |= bit;
        self.count += 1;
        Seen::First
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.count
    }

    /// The smallest.
    pub(crate) fn min(&self) -> Option<u64> {
        self.runs().next().map(|run| run.start)
    }

    /// The largest.
    pub(crate) fn max(&self) -> Option<u64> {
        let (block, words) = self.blocks.last_key_value()?;
        let (place, word) = words.iter().enumerate().rfind(|(_, word)| **word != 0)?;
        Some(block * BLOCK + place as u64 * 64 + u64::from(word.ilog2()))
    }

    /// How many of a range are in.
    pub(crate) fn within(&self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let blocks = range.start / BLOCK..=range.end.saturating_sub(1) / BLOCK;
        let held = self.blocks.range(blocks);
        held.map(|(block, words)| {
            let first = block * BLOCK;
            let whole = range.start <= first && first.saturating_add(BLOCK) <= range.end;
            words_from(first, words)
                .map(|(start, word)| match whole {
                    true => u64::from(word.count_ones()),
                    false => u64::from((word & mask(start, &range)).count_ones()),
                })
                .sum::<u64>()
        })
        .sum()
    }

    /// The ranges of a range that are not in, lowest first.
    pub(crate) fn gaps(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let mut start = range.start;
        let end = range.end;
        let mut runs = self.runs_from(range.start).fuse();
        std::iter::from_fn(move || {
            while start < end {
                let run = runs.next().unwrap_or(end..end);
                let gap = start..run.start.min(end);
                start = start.max(run.end);
                if run.start >= end {
                    start = end;
                }
                if !gap.is_empty() {
                    return Some(gap);
                }
            }
            None
        })
    }

    fn runs(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.runs_from(0)
    }

    /// The runs of numbers that end behind `start`, lowest first.
    fn runs_from(&self, start: u64) -> impl Iterator<Item = Range<u64>> + '_ {
        let mut words = self
            .blocks
            .range(start / BLOCK..)
            .flat_map(|(block, words)| words_from(block * BLOCK, words))
            .filter(|(_, word)| *word != 0)
            .peekable();
        let mut pieces = std::iter::from_fn(move || {
            // Takes the lowest run of the lowest word.
            let (first, word) = words.peek_mut()?;
            let skip = word.trailing_zeros();
            let length = (*word >> skip).trailing_ones();
            let run = *first + u64::from(skip)..first.saturating_add(u64::from(skip + length));
            *word = if skip + length >= 64 { 0 } else { (*word >> (skip + length)) << (skip + length) };
            if *word == 0 {
                words.next();
            }
            Some(run)
        })
        .peekable();
        std::iter::from_fn(move || {
            let mut run = pieces.next()?;
            while let Some(next) = pieces.next_if(|next| next.start == run.end) {
                run.end = next.end;
            }
            Some(run)
        })
        .filter(move |run| run.end > start)
    }
}

/// The words of a block, each with the number of its first bit.
fn words_from(first: u64, words: &[u64; WORDS]) -> impl Iterator<Item = (u64, u64)> {
    words.iter().enumerate().map(move |(place, word)| (first + place as u64 * 64, *word))
}

/// Word and bit of a number inside its block.
fn place(number: u64) -> (usize, u64) {
    let inside = number % BLOCK;
    ((inside / 64) as usize, 1 << (inside % 64))
}

/// The bits of the word that begins at `start` which lie inside the range.
fn mask(start: u64, range: &Range<u64>) -> u64 {
    let from = range.start.saturating_sub(start).min(64);
    let to = range.end.saturating_sub(start).min(64);
    let below = |bits: u64| if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
    below(to) & !below(from)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_of_partitions_read_one_behind_the_other_are_all_first() {
        let mut numbers = Numbers::default();

        for partition in 0..3 {
            for number in (partition..30_000).step_by(3) {
                assert_eq!(numbers.add(number), Seen::First);
            }
        }

        assert_eq!((numbers.len(), numbers.gaps(0..30_000).count()), (30_000, 0));
        assert_eq!(numbers.add(12_345), Seen::Again);
    }

    #[test]
    fn large_numbers_do_no_harm() {
        let mut numbers = Numbers::default();

        numbers.add(u64::MAX - 1);

        assert_eq!((numbers.max(), numbers.len(), numbers.min()), (Some(u64::MAX - 1), 1, Some(u64::MAX - 1)));
        assert_eq!(numbers.gaps(u64::MAX - 3..u64::MAX).collect::<Vec<_>>(), vec![u64::MAX - 3..u64::MAX - 1]);
        assert_eq!(numbers.within(0..u64::MAX), 1);
    }

    proptest! {
        #[test]
        fn it_is_the_set_of_what_was_added(
            added in proptest::collection::vec(0u64..9000, 0..600),
            range in (0u64..9500, 0u64..9500),
        ) {
            let range = range.0.min(range.1)..range.0.max(range.1);
            let mut model = BTreeSet::new();
            let mut numbers = Numbers::default();

            for number in added {
                let expected = if model.insert(number) { Seen::First } else { Seen::Again };
                prop_assert_eq!(numbers.add(number), expected);
            }

            prop_assert_eq!((numbers.min(), numbers.max()), (model.first().copied(), model.last().copied()));
            prop_assert_eq!(numbers.len(), model.len() as u64);
            prop_assert_eq!(numbers.within(range.clone()), model.range(range.clone()).count() as u64);
            let absent: Vec<u64> = range.clone().filter(|number| !model.contains(number)).collect();
            prop_assert_eq!(numbers.gaps(range.clone()).flatten().collect::<Vec<_>>(), absent);
            let touching = numbers.gaps(range).collect::<Vec<_>>();
            prop_assert!(touching.windows(2).all(|pair| pair[0].end < pair[1].start));
        }
    }
}
