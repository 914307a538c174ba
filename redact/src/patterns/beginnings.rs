//! Whether any pattern may begin here, by the first three bytes: true for hardly a word that begins no secret.

use super::PREFIXED;

/// For each of the first three bytes, the groups of patterns that have it there, as bits.
struct Beginnings([[u16; 256]; 3]);

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "it runs in the compiler, which would say so"
)]
const BEGINNINGS: Beginnings = {
    /// Patterns that stand together in the list share a bit.
    const IN_GROUP: usize = 3;
    const WORDS: u16 = 1 << 13;
    const CARDS_OF_2: u16 = 1 << 14;
    const CARDS: u16 = 1 << 15;
    const { assert!(PREFIXED.len() <= 13 * IN_GROUP) }

    let mut bits = [[0; 256]; 3];
    let mut place = 0;
    while place < PREFIXED.len() {
        let mut byte = 0;
        while byte < 3 {
            bits[byte][PREFIXED[place].0[byte] as usize] |= 1 << (place / IN_GROUP);
            byte += 1;
        }
        place += 1;
    }
    // `eyJ`, and `bearer` and `basic` in letters of any size; the brands of payment cards begin with 22 to 27, and 3 to 6.
    let others: [(u16, [&[u8]; 3]); 3] = [
        (WORDS, [b"eBb", b"yEeAa", b"JAaSs"]),
        (CARDS_OF_2, [b"2", b"234567", b"0123456789"]),
        (CARDS, [b"3456", b"0123456789", b"0123456789"]),
    ];
    let mut other = 0;
    while other < others.len() {
        let (bit, beginning) = others[other];
        let mut byte = 0;
        while byte < 3 {
            let mut at = 0;
            while at < beginning[byte].len() {
                bits[byte][beginning[byte][at] as usize] |= bit;
                at += 1;
            }
            byte += 1;
        }
        other += 1;
    }
    Beginnings(bits)
};

static TABLE: Beginnings = BEGINNINGS;

/// Whether a pattern may begin with what stands here; never `false` where [`find`](super::find) finds one.
pub(crate) fn may_begin(from: &[u8]) -> bool {
    let [first, second, third, ..] = from else { return false };
    let Beginnings([firsts, seconds, thirds]) = &TABLE;
    let bits = |bits: &[u16; 256], byte: &u8| bits.get(usize::from(*byte)).copied().unwrap_or_default();
    bits(firsts, first) & bits(seconds, second) & bits(thirds, third) != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{masker::End, patterns};

    #[test]
    fn a_pattern_stands_for_itself_and_few_words_look_like_one() {
        for (start, ..) in &PREFIXED {
            assert!(may_begin(start), "{start:?}");
        }
        for word in ["eyJ", "Bearer x", "BASIC x", "4111", "2221"] {
            assert!(may_begin(word.as_bytes()), "{word}");
        }
        for word in
            ["", "sk", "the", "her", "Kimmo", "example", "1970", "2026", "9f8e", "application", "Mozilla", "shop"]
        {
            assert!(!may_begin(word.as_bytes()), "{word}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_found_may_begin(
            text in "(AKIA|ghp_|xox|SG\\.|sk-|hf_|eyJ|bEaReR |Basic |[0-9]{3,19}|[!-~]{1,4}){1,2}[A-Za-z0-9_.-]{0,40}",
            cut in proptest::bool::ANY
        ) {
            let end = if cut { End::Cut } else { End::Whole };

            if patterns::find(text.as_bytes(), 0, end).is_some() {
                proptest::prop_assert!(may_begin(text.as_bytes()), "{}", text);
            }
        }
    }
}
