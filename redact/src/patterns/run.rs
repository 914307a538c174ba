//! A glance at a run of base64: identifiers, hashes and paths are such runs too, and none of them stands for a text.

use super::is_text;

/// Characters that are looked at: those of twelve bytes.
const LOOKED_AT: usize = 16;

/// The value of each character, of both alphabets.
static VALUES: [u8; 256] = values();

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "it runs in the compiler, which would say so"
)]
const fn values() -> [u8; 256] {
    let alphabet = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [0; 256];
    let mut value = 0;
    while value < 64 {
        values[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
}

/// Whether the beginning of a run may be that of a text; never `false` where [`decoded`](super::decoded) gives one.
pub(crate) fn may_be_text(run: &[u8]) -> bool {
    let Some(head) = run.first_chunk::<LOOKED_AT>() else { return true };
    let mut bytes = [0; LOOKED_AT / 4 * 3];
    for (four, three) in head.chunks_exact(4).zip(bytes.chunks_exact_mut(3)) {
        let value = |character: &u8| VALUES.get(usize::from(*character)).copied().unwrap_or_default();
        let bits = four.iter().fold(0, |bits: u32, character| bits << 6 | u32::from(value(character)));
        let [_, first, second, third] = bits.to_be_bytes();
        three.copy_from_slice(&[first, second, third]);
    }
    is_text(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patterns::decoded;

    #[test]
    fn identifiers_hashes_and_paths_are_no_texts() {
        for run in [
            "550e8400-e29b-41d4-a716-446655440000",
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "/v1/customers/orders/positions",
            "d41d8cd98f00b204e9800998ecf8427e",
        ] {
            assert!(!may_be_text(run.as_bytes()), "{run}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_a_text_may_be_one(run in "[A-Za-z0-9+/]{0,40}|[A-Za-z0-9_-]{0,40}", text in "[ -~é]{0,40}") {
            use base64::{Engine as _, engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD}};

            for run in [run, STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                if decoded(run.as_bytes()).is_some() {
                    proptest::prop_assert!(may_be_text(run.as_bytes()), "{}", run);
                }
            }
        }
    }
}
