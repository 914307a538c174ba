//! The numbers of one source, exactly, in whatever order they come.
//!
//! A topic has several partitions, and the numbers of a source are spread over them: a reader gets every third number,
//! for a long while. Ranges alone would be as many as numbers then.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use tributary_http_types::{Seen, SeqSet};

/// Words of a block.
const WORDS: usize = 64;
/// Numbers of a block: 512 bytes as bits.
const BLOCK: u64 = WORDS as u64 * 64;

/// A set of numbers: blocks of 4,096 that are whole, and bits of the others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Numbers {
    /// Which blocks are whole.
    whole: SeqSet,
    /// By block; never whole, never empty.
    partial: BTreeMap<u64, Bits>,
}

#[derive(Clone, Debug, PartialEq)]
struct Bits(Box<[u64; WORDS]>);

impl Numbers {
    /// Adds a number.
    pub(super) fn add(&mut self, number: u64) -> Seen {
        let (block, place) = (number / BLOCK, number % BLOCK);
        if self.whole.contains(block) {
            return Seen::Again;
        }
        let bits = self.partial.entry(block).or_insert_with(Bits::none);
        let seen = bits.set(place);
        if seen == Seen::First && bits.are_all() {
            self.partial.remove(&block);
            self.whole.add(block);
        }
        seen
    }

    /// Adds all numbers of another set.
    pub(super) fn merge(&mut self, other: &Numbers) {
        self.whole.merge(&other.whole);
        for (block, theirs) in &other.partial {
            let bits = self.partial.entry(*block).or_insert_with(Bits::none);
            bits.0.iter_mut().zip(theirs.0.iter()).for_each(|(ours, theirs)| *ours |= theirs);
            if bits.are_all() {
                self.whole.add(*block);
            }
        }
        let whole = &self.whole;
        self.partial.retain(|block, _| !whole.contains(*block));
    }

    /// How many blocks are kept as bits.
    pub(super) fn blocks(&self) -> usize {
        self.partial.len()
    }

    /// Forgets the bits of the lowest block: its numbers are new once more.
    pub(super) fn forget_lowest(&mut self) {
        self.partial.pop_first();
    }
}

impl Bits {
    fn none() -> Bits {
        Bits(Box::new([0; WORDS]))
    }

    /// `place`: below [`BLOCK`].
    fn set(&mut self, place: u64) -> Seen {
        let word = usize::try_from(place / 64).ok().and_then(|word| self.0.get_mut(word));
        let Some(word) = word else { return Seen::Again };
        let bit = 1 << (place % 64);
        let seen = if *word & bit == 0 { Seen::First } else { Seen::Again };
        *word |= bit;
        seen
    }

    fn are_all(&self) -> bool {
        self.0.iter().all(|word| *word == u64::MAX)
    }
}

/// As text: 16 hexadecimal digits a word, without the words at the end that are 0.
impl Serialize for Bits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let words = self.0.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
        let text: String = self.0.iter().take(words).map(|word| format!("{word:016x}")).collect();
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Bits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bits, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bits = Bits::none();
        let words = text.as_bytes().chunks(16);
        if words.len() > WORDS {
            return Err(D::Error::custom("more bits than a block has"));
        }
        for (word, digits) in bits.0.iter_mut().zip(words) {
            let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() == 16);
            let read = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
            *word = read.ok_or_else(|| D::Error::custom("bits are 16 hexadecimal digits a word"))?;
        }
        Ok(bits)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn numbers(all: impl IntoIterator<Item = u64>) -> Numbers {
        let mut numbers = Numbers::default();
        all.into_iter().for_each(|number| {
            numbers.add(number);
        });
        numbers
    }

    #[test]
    fn every_third_number_of_many_is_remembered_and_the_others_are_new() {
        const COUNT: u64 = 100_000;
        let mut seen = Numbers::default();

        for partition in 0..3 {
            for number in (partition..COUNT).step_by(3) {
                assert_eq!(seen.add(number), Seen::First, "{number}");
            }
            for number in (partition..COUNT).step_by(3) {
                assert_eq!(seen.add(number), Seen::Again, "{number}");
            }
        }

        // All whole but the last one.
        assert_eq!(seen.blocks(), 1);
    }

    #[test]
    fn it_is_the_same_after_a_checkpoint() {
        let before = numbers((0..10_000).step_by(7).chain([4096 * 9 + 63, u64::MAX]));

        let after: Numbers = serde_json::from_str(&serde_json::to_string(&before).unwrap()).unwrap();

        assert_eq!(after, before);
        for bad in [r#""0""#, r#""zz00000000000000""#, r#""€000000000000""#] {
            assert!(serde_json::from_str::<Bits>(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Bits>(&format!("\"{}\"", "0".repeat(65 * 16))).is_err());
    }

    proptest! {
        #[test]
        fn it_is_the_set_of_what_was_added(one in proptest::collection::vec(0u64..9000, 0..300),
                                           two in proptest::collection::vec(0u64..9000, 0..300), from in 0u64..5000) {
            let whole = from..from + 4096;
            let (mut model, mut seen) = (BTreeSet::new(), Numbers::default());
            for number in one.iter().copied().chain(whole.clone()) {
                prop_assert_eq!(seen.add(number) == Seen::First, model.insert(number));
            }

            seen.merge(&numbers(two.iter().copied()));

            prop_assert_eq!(&seen, &numbers(two.iter().copied().chain(whole).chain(one)));
            for number in two {
                prop_assert_eq!(seen.add(number), Seen::Again);
            }
        }
    }
}
