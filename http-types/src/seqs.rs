//! Which sequence numbers of a source have been seen: gaps and repetitions, in bounded memory. Collector and consumers
//! keep one for each source, so that all of them mean the same by a gap.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Ranges kept for a source at most; a source without losses needs one.
const MAX_RANGES: usize = 1024;

/// A set of sequence numbers that begins at 0, as sorted ranges that never touch.
///
/// ```json
/// 0 1 2 5 6 9  →  0..=2, 5..=6, 9..=9: gaps 3..=4 and 7..=8
/// ```
/// Past 1,024 ranges the two lowest ranges become one; what was missing between them stays counted in
/// [`missing`](Self::missing), but is no longer listed, and is taken as a repetition if it comes after all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeqSet {
    ranges: Vec<(u64, u64)>,
    /// Numbers that were missing inside ranges that were made one.
    forgotten: u64,
}

/// Whether a number was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It was not there before.
    First,
    /// It was.
    Again,
}

impl SeqSet {
    /// Adds a number.
    pub fn add(&mut self, seq: u64) -> Seen {
        // Nearly always: the next one after the largest.
        if let Some((_, last)) = self.ranges.last_mut()
            && last.checked_add(1) == Some(seq)
        {
            *last = seq;
            return Seen::First;
        }
        let place = self.ranges.partition_point(|(first, _)| *first <= seq);
        let before = place.checked_sub(1).and_then(|place| self.ranges.get(place)).copied();
        let after = self.ranges.get(place).copied();
        if before.is_some_and(|(_, last)| seq <= last) {
            return Seen::Again;
        }
        let joins_before = before.is_some_and(|(_, last)| last.checked_add(1) == Some(seq));
        let joins_after = after.is_some_and(|(first, _)| seq.checked_add(1) == Some(first));
        self.insert(seq, place, joins_before, joins_after);
        Seen::First
    }

    fn insert(&mut self, seq: u64, place: usize, joins_before: bool, joins_after: bool) {
        match (joins_before, joins_after) {
            (true, true) => {
                let (_, last) = self.ranges.remove(place);
                self.set_last(place - 1, last);
            }
            (true, false) => self.set_last(place - 1, seq),
            (false, true) => {
                if let Some((first, _)) = self.ranges.get_mut(place) {
                    *first = seq;
                }
            }
            (false, false) => {
                self.ranges.insert(place, (seq, seq));
                self.bound();
            }
        }
    }

    fn set_last(&mut self, place: usize, last: u64) {
        if let Some(range) = self.ranges.get_mut(place) {
            range.1 = last;
        }
    }

    fn bound(&mut self) {
        if self.ranges.len() > MAX_RANGES {
            let (first, end) = self.ranges.remove(0);
            if let Some(next) = self.ranges.first_mut() {
                self.forgotten += next.0 - end - 1;
                next.0 = first;
            }
        }
    }

    /// Adds all numbers of another set.
    pub fn merge(&mut self, other: &SeqSet) {
        let mut all = std::mem::take(&mut self.ranges);
        all.extend(&other.ranges);
        all.sort_unstable();
        for (first, last) in all {
            match self.ranges.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => self.ranges.push((first, last)),
            }
        }
        self.forgotten += other.forgotten;
        while self.ranges.len() > MAX_RANGES {
            self.bound();
        }
    }

    /// Whether a number was seen, or lies in ranges that were made one.
    pub fn contains(&self, seq: u64) -> bool {
        let place = self.ranges.partition_point(|(first, _)| *first <= seq);
        place.checked_sub(1).and_then(|place| self.ranges.get(place)).is_some_and(|(_, last)| seq <= *last)
    }

    /// The largest number seen; `None` if none was.
    pub fn max(&self) -> Option<u64> {
        self.ranges.last().map(|(_, last)| *last)
    }

    /// The largest number that is missing below the largest seen; `None` if none is.
    pub fn highest_missing(&self) -> Option<u64> {
        self.ranges.last().and_then(|(first, _)| first.checked_sub(1))
    }

    /// What was seen, as ranges with both ends, the highest first; without the lowest one if it stands for numbers that
    /// were never seen (see the type).
    pub fn ranges(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let unsure = usize::from(self.forgotten > 0);
        self.ranges.iter().skip(unsure).rev().copied()
    }

    /// How many different numbers were seen.
    pub fn len(&self) -> u64 {
        self.max().map_or(0, |max| max.saturating_add(1).saturating_sub(self.missing()))
    }

    /// Whether no number was seen.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many numbers below the largest are missing.
    pub fn missing(&self) -> u64 {
        self.gaps().map(|gap| gap.end() - gap.start() + 1).sum::<u64>() + self.forgotten
    }

    /// The missing numbers below the largest, lowest first, without the forgotten ones.
    pub fn gaps(&self) -> impl Iterator<Item = RangeInclusive<u64>> + '_ {
        let starts = std::iter::once(0).chain(self.ranges.iter().map(|(_, last)| last.saturating_add(1)));
        starts
            .zip(&self.ranges)
            .filter(|(start, (first, _))| start < first)
            .map(|(start, (first, _))| start..=first - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn seqs(numbers: impl IntoIterator<Item = u64>) -> SeqSet {
        let mut seqs = SeqSet::default();
        for number in numbers {
            seqs.add(number);
        }
        seqs
    }

    fn gaps(seqs: &SeqSet) -> Vec<(u64, u64)> {
        seqs.gaps().map(|gap| gap.into_inner()).collect()
    }

    #[test]
    fn numbers_in_order_leave_no_gap() {
        let seqs = seqs(0..1000);

        assert_eq!((seqs.max(), seqs.missing(), gaps(&seqs)), (Some(999), 0, vec![]));
    }

    #[test]
    fn what_is_missing_is_listed_from_zero() {
        let seqs = seqs([9, 2, 1, 6, 5]);

        assert_eq!(gaps(&seqs), [(0, 0), (3, 4), (7, 8)]);
        assert_eq!(seqs.missing(), 5);
    }

    #[test]
    fn nothing_seen_means_nothing_missing() {
        assert_eq!((SeqSet::default().max(), SeqSet::default().missing()), (None, 0));
    }

    #[test]
    fn the_largest_number_does_no_harm() {
        let mut seqs = seqs([u64::MAX, u64::MAX - 1]);

        assert_eq!(seqs.add(u64::MAX), Seen::Again);
        assert_eq!(gaps(&seqs), [(0, u64::MAX - 2)]);
    }

    #[test]
    fn past_the_bound_losses_stay_counted() {
        let seqs = seqs((0..10_000).map(|n| n * 2));

        assert_eq!(seqs.ranges.len(), MAX_RANGES);
        assert_eq!(seqs.missing(), 9_999);
        assert_eq!((seqs.len(), seqs.ranges().count()), (10_000, MAX_RANGES - 1));
        assert_eq!(seqs.max(), Some(19_998));
    }

    proptest! {
        #[test]
        fn merging_is_adding_all(one in proptest::collection::vec(0u64..300, 0..200),
                                 two in proptest::collection::vec(0u64..300, 0..200)) {
            let mut merged = seqs(one.iter().copied());

            merged.merge(&seqs(two.iter().copied()));

            prop_assert_eq!(merged, seqs(one.into_iter().chain(two)));
        }

        #[test]
        fn it_is_the_set_of_what_was_added(numbers in proptest::collection::vec(0u64..300, 0..400)) {
            let mut model = BTreeSet::new();
            let mut seqs = SeqSet::default();

            for number in numbers {
                let expected = if model.insert(number) { Seen::First } else { Seen::Again };
                prop_assert_eq!(seqs.add(number), expected);
            }

            let max = model.last().copied();
            prop_assert!((0..310).all(|seq| seqs.contains(seq) == model.contains(&seq)));
            let missing: Vec<u64> = (0..max.unwrap_or(0)).filter(|n| !model.contains(n)).collect();
            prop_assert_eq!(seqs.max(), max);
            prop_assert_eq!(seqs.missing(), missing.len() as u64);
            prop_assert_eq!(seqs.highest_missing(), missing.last().copied());
            prop_assert_eq!(seqs.len(), model.len() as u64);
            let seen: BTreeSet<u64> = seqs.ranges().flat_map(|(first, last)| first..=last).collect();
            prop_assert_eq!(seen, model);
            prop_assert_eq!(seqs.gaps().flatten().collect::<Vec<_>>(), missing);
        }
    }
}
