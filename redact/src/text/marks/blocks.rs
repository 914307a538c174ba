//! The classes of sixteen bytes at once, by the 128-bit instructions of WebAssembly.
//!
//! A set of ASCII characters is a table of sixteen bytes: for each lower half of a byte, the upper halves with which it is in
//! the set, as bits. One instruction looks sixteen bytes up in it.

use std::arch::wasm32::{i8x16_ne, i8x16_swizzle, u8x16_bitmask, u8x16_shr, u8x16_splat, u64x2, v128, v128_and};

use super::{BLOCK, Sets};
use crate::{patterns::FIRST_BYTES, text::SIGNS};

/// The sets of the built-in table.
pub(super) fn sets(block: u128) -> Sets {
    let bytes = Halves::of(block_of(block));
    let words = bytes.in_set(&WORDS);
    Sets {
        words,
        signs: bytes.in_set(&OF_SIGNS),
        begins: bytes.in_set(&OF_FIRST_BYTES),
        gaps: !(words | bytes.in_set(&OF_BASE64)) & 0xFFFF,
    }
}

/// The lower halves of sixteen bytes, and for each upper half its bit; none for what is beyond ASCII.
struct Halves {
    lower: v128,
    upper: v128,
}

impl Halves {
    fn of(bytes: v128) -> Halves {
        let bits = block_of(u128::from_le_bytes([1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0]));
        Halves { lower: v128_and(bytes, u8x16_splat(0xF)), upper: i8x16_swizzle(bits, u8x16_shr(bytes, 4)) }
    }

    /// The bytes that are in a set.
    fn in_set(&self, set: &[u8; BLOCK]) -> u32 {
        let found = v128_and(i8x16_swizzle(block_of(u128::from_le_bytes(*set)), self.lower), self.upper);
        u8x16_bitmask(i8x16_ne(found, u8x16_splat(0))).into()
    }
}

fn block_of(bytes: u128) -> v128 {
    u64x2(bytes as u64, (bytes >> 64) as u64)
}

static WORDS: [u8; BLOCK] = set_of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
/// What base64 has beside letters and digits, in both alphabets.
static OF_BASE64: [u8; BLOCK] = set_of(b"+/-_");
static OF_SIGNS: [u8; BLOCK] = set_of(SIGNS);
static OF_FIRST_BYTES: [u8; BLOCK] = set_of(FIRST_BYTES);

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
