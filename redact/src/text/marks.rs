//! What each of sixteen bytes means to the scan, as sets of bits: where they have none, nothing is looked at one by one.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod blocks;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(super) use blocks::{StringMarks, Tables, Word};

use super::{BEGINS, GAP, SIGN, Table, WORD};
use crate::redactor::Redactor;

/// The bytes that are looked at together: fewer than a run of base64 that is of interest, so one block ends at most one.
pub(super) const BLOCK: usize = 16;

/// The sets: the first byte is the lowest bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    /// The signs, and what a pattern may begin with where a word begins.
    pub(super) looks: u32,
    /// What is none of base64's.
    pub(super) gaps: u32,
    /// Whether the last byte goes on with a word.
    pub(super) ends_within: bool,
}

impl Marks {
    /// Of the sixteen bytes at `place`, or of all there are. `within`: a letter or digit stands before.
    pub(super) fn of(rules: &Redactor, text: &[u8], place: usize, within: bool) -> Marks {
        let block = block_at(text, place);
        let len = text.len().saturating_sub(place).min(BLOCK);
        let sets = Sets::of(rules, block, len);
        let there = (1u32 << len).wrapping_sub(1);
        // Each letter and digit, one place further.
        let behind_words = sets.words << 1 | u32::from(within);
        Marks {
            looks: (sets.signs | sets.begins & !behind_words) & there,
            gaps: sets.gaps & there,
            ends_within: sets.words >> (BLOCK - 1) & 1 == 1,
        }
    }
}

/// Which bytes of a block are of each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sets {
    words: u32,
    signs: u32,
    begins: u32,
    gaps: u32,
}

impl Sets {
    /// Of the first `len` bytes; the rest may be left out.
    fn of(rules: &Redactor, block: u128, len: usize) -> Sets {
        // What the patterns of a configuration begin with stands in the table alone.
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        if rules.patterns.is_empty() {
            return rules.table.blocks.sets(block);
        }
        Sets::by_table(&rules.table, block, len)
    }

    fn by_table(table: &Table, block: u128, len: usize) -> Sets {
        let classes = |bytes: u64| {
            bytes.to_le_bytes().iter().rev().fold(0, |classes, byte| classes << 8 | u64::from(table.of(*byte) & 0xFF))
        };
        let (low, high) = (classes(block as u64), if len > 8 { classes((block >> 64) as u64) } else { 0 });
        let set = |class: u16| gathered(low, class) | gathered(high, class) << 8;
        Sets { words: set(WORD), signs: set(SIGN), begins: set(BEGINS), gaps: set(GAP) }
    }
}

/// Which of the eight bytes have the bit of a class, the first one lowest.
fn gathered(classes: u64, class: u16) -> u32 {
    const LOW: u64 = u64::from_le_bytes([1; 8]);
    // Moves the bit of byte 0 to place 56, that of byte 1 to 57, and so on: no two of them meet.
    const TO_THE_TOP: u64 = 0x0102_0408_1020_4080;

    let bits = classes >> class.trailing_zeros() & LOW;
    (bits.wrapping_mul(TO_THE_TOP) >> 56) as u32
}

/// Sixteen bytes, or all there are and zeros behind them, the first one lowest.
fn block_at(text: &[u8], place: usize) -> u128 {
    let rest = text.get(place..).unwrap_or_default();
    match (rest.first_chunk(), text.last_chunk()) {
        (Some(block), _) => u128::from_le_bytes(*block),
        // The last sixteen without those before the place.
        (None, Some(last)) => {
            let missing = BLOCK.saturating_sub(rest.len()) as u32;
            u128::from_le_bytes(*last).unbounded_shr(missing.saturating_mul(u8::BITS))
        }
        (None, None) => rest.iter().rev().fold(0, |block, byte| block << 8 | u128::from(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_marked_alike_at_each_place_behind_each_byte() {
        let rules = Redactor::default();

        for place in 0..BLOCK {
            for (before, byte) in (0..=u8::MAX).flat_map(|before| (0..=u8::MAX).map(move |byte| (before, byte))) {
                let block = u128::from(byte) << (8 * place) | u128::from(before).rotate_left(8 * place as u32 + 120);
                assert_eq!(
                    Sets::of(&rules, block, BLOCK),
                    Sets::by_table(&rules.table, block, BLOCK),
                    "{before} {byte} {place}"
                );
            }
        }
    }

    #[test]
    fn marks_are_of_what_is_there_and_no_more() {
        let rules = Redactor::default();

        for len in 0..40 {
            let text = vec![b'='; len];
            for place in 0..len {
                let there = (len - place).min(BLOCK);
                let all = (1 << there) - 1;
                let expected = Marks { looks: all, gaps: all, ends_within: false };
                assert_eq!(Marks::of(&rules, &text, place, true), expected, "{len} {place}");
            }
        }
    }
}
