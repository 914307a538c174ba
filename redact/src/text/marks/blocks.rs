//! The classes of sixteen bytes at once, by the 128-bit instructions of WebAssembly.
//!
//! A set of ASCII characters is a table of sixteen bytes: for each lower half of a byte, the upper halves with which it is in
//! the set, as bits. One instruction looks sixteen bytes up in it.

use std::arch::wasm32::{i8x16_eq, i8x16_swizzle, u8x16_bitmask, u8x16_shr, u8x16_splat, u64x2, v128, v128_and};

use super::{BLOCK, Sets};
use crate::{patterns::FIRST_BYTES, text::SIGNS};

/// The sets of the built-in table.
///
/// It lies in memory with the rules: V8 makes a constant of 128 bits by four instructions, and loads it by one.
#[derive(Clone, Debug)]
pub(in crate::text) struct Tables {
    words: [u8; BLOCK],
    /// What base64 has beside letters and digits, in both alphabets.
    of_base64: [u8; BLOCK],
    signs: [u8; BLOCK],
    /// Signs, quotes and backslashes.
    ends: [u8; BLOCK],
    begins: [u8; BLOCK],
    /// For each upper half its bit; none for what is beyond ASCII.
    bits: [u8; BLOCK],
}

impl Tables {
    pub(in crate::text) fn new() -> Tables {
        Tables {
            words: set_of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
            of_base64: set_of(b"+/-_"),
            signs: set_of(SIGNS),
            ends: set_of(&[SIGNS, b"\"\\"].concat()),
            begins: set_of(FIRST_BYTES),
            bits: [1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0],
        }
    }

    /// The sets of sixteen bytes.
    pub(super) fn sets(&self, block: u128) -> Sets {
        let bytes = Halves::of(u64x2(block as u64, (block >> 64) as u64), self);
        let words = !bytes.not_in(&self.words) & 0xFFFF;
        Sets {
            words,
            signs: !bytes.not_in(&self.signs) & 0xFFFF,
            begins: !bytes.not_in(&self.begins) & 0xFFFF,
            gaps: bytes.not_in(&self.of_base64) & !words,
        }
    }
}

/// The lower halves of sixteen bytes, and for each upper half its bit.
struct Halves {
    lower: v128,
    upper: v128,
}

impl Halves {
    fn of(bytes: v128, tables: &Tables) -> Halves {
        Halves {
            lower: v128_and(bytes, u8x16_splat(0xF)),
            upper: i8x16_swizzle(vector(&tables.bits), u8x16_shr(bytes, 4)),
        }
    }

    /// The bytes that are in no set.
    fn not_in(&self, set: &[u8; BLOCK]) -> u32 {
        let found = v128_and(i8x16_swizzle(vector(set), self.lower), self.upper);
        u8x16_bitmask(i8x16_eq(found, u8x16_splat(0))).into()
    }
}

fn vector(bytes: &[u8; BLOCK]) -> v128 {
    let bytes = u128::from_le_bytes(*bytes);
    u64x2(bytes as u64, (bytes >> 64) as u64)
}

/// Whether a word that a text has before some place goes on there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::text) enum Word {
    /// A letter or digit there begins one.
    Begins,
    GoesOn,
}

/// What sixteen bytes of a JSON string mean to the scan, by the built-in table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::text) struct StringMarks {
    /// Signs, quotes and backslashes; the first byte is the lowest bit.
    ends: u32,
    /// What a pattern may begin with, where a word begins.
    begins: u32,
}

impl StringMarks {
    /// `word`: at the first byte.
    #[inline]
    pub(in crate::text) fn of(tables: &Tables, block: &[u8; BLOCK], word: Word) -> StringMarks {
        let bytes = Halves::of(vector(block), tables);
        let behind_no_word = bytes.not_in(&tables.words) << 1 | u32::from(word == Word::Begins);
        StringMarks {
            ends: !bytes.not_in(&tables.ends) & 0xFFFF,
            begins: !bytes.not_in(&tables.begins) & behind_no_word & 0xFFFF,
        }
    }

    /// The place of the first sign, quote or backslash, if no pattern may begin before it.
    #[inline]
    pub(in crate::text) fn plain_len(self) -> Option<usize> {
        let before = self.ends.wrapping_sub(1) & !self.ends;
        (self.ends != 0 && self.begins & before == 0).then(|| self.ends.trailing_zeros() as usize)
    }

    /// All of them.
    pub(in crate::text) fn all(self) -> u32 {
        self.ends | self.begins
    }
}

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "it runs in the compiler, which would say so"
)]
const fn set_of(characters: &[u8]) -> [u8; BLOCK] {
    let mut set = [0; BLOCK];
    let mut place = 0;
    while place < characters.len() {
        let character = characters[place];
        assert!(character.is_ascii());
        set[(character & 0xF) as usize] |= 1 << (character >> 4);
        place += 1;
    }
    set
}
