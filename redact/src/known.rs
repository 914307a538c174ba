//! Headers that came before, and in which there was nothing to mask.
//!
//! Most headers of a request are those of the request before. Whether there is something to mask depends on nothing but
//! the rules, the name and the value, so it is remembered: in one table a thread, of fixed size, in which a newer header
//! takes the place of an older one. Rules, names and values are compared whole, and the hash only finds the place, so
//! nobody's header can be taken for another. What was masked is never in it.

use std::cell::RefCell;

use crate::memo::{first_and_last, is_same};

/// Places, a power of two. Each holds two headers, some 23 KiB a thread: with one, two headers of each request that share a
/// place would take it from each other for good.
const PLACES: usize = 64;

/// The longest header that is remembered: bytes of name and value together.
const LONGEST: usize = 160;

/// A copy of one header.
#[derive(Clone, Copy)]
struct Slot {
    rules: u64,
    name_len: u8,
    len: u8,
    /// The name, and the value behind it.
    bytes: [u8; LONGEST],
}

impl Slot {
    /// Of the empty header, which nobody asks for.
    const EMPTY: Slot = Slot { rules: 0, name_len: 0, len: 0, bytes: [0; LONGEST] };

    fn is_of(&self, rules: u64, name: &[u8], value: &[u8]) -> bool {
        let held = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        let (held_name, held_value) = held.split_at_checked(usize::from(self.name_len)).unwrap_or_default();
        self.rules == rules && is_same(held_name, name) && is_same(held_value, value)
    }

    /// Makes it that of another header, which is not too long.
    fn set(&mut self, rules: u64, name: &[u8], value: &[u8]) {
        let bytes = name.iter().chain(value);
        self.bytes.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.rules = rules;
        self.name_len = u8::try_from(name.len()).unwrap_or_default();
        self.len = self.name_len.saturating_add(u8::try_from(value.len()).unwrap_or_default());
    }
}

thread_local! {
    static TABLE: RefCell<Vec<[Slot; 2]>> = RefCell::new(vec![[Slot::EMPTY; 2]; PLACES]);
}

/// What `mask` makes of a header; it is not asked again about one in which it found nothing.
pub(crate) fn masked<M>(rules: u64, name: &[u8], value: &[u8], mask: impl FnOnce() -> Option<M>) -> Option<M> {
    let len = name.len().saturating_add(value.len());
    if name.is_empty() || len > LONGEST {
        return mask();
    }
    let place = place_of(rules, name, value);
    let is_known = |table: &RefCell<Vec<[Slot; 2]>>| {
        let is_of = |slots: &[Slot; 2]| slots.iter().any(|slot| slot.is_of(rules, name, value));
        table.try_borrow().is_ok_and(|table| table.get(place).is_some_and(is_of))
    };
    if TABLE.with(is_known) {
        return None;
    }
    let masked = mask();
    if masked.is_none() {
        TABLE.with(|table| {
            if let Ok(mut table) = table.try_borrow_mut()
                && let Some([newer, older]) = table.get_mut(place)
            {
                *older = *newer;
                newer.set(rules, name, value);
            }
        });
    }
    masked
}

/// A hash for the place alone.
fn place_of(rules: u64, name: &[u8], value: &[u8]) -> usize {
    usize::try_from(hash_of(hash_of(rules, name), value) >> 40).unwrap_or_default() & (PLACES - 1)
}

/// By eight bytes at a time; an end that is shorter by the last eight.
fn hash_of(seed: u64, text: &[u8]) -> u64 {
    let mix = |hash: u64, bytes: u64| (hash ^ bytes).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    let (chunks, rest) = text.as_chunks::<8>();
    let hash = chunks.iter().fold(seed ^ text.len() as u64, |hash, chunk| mix(hash, u64::from_le_bytes(*chunk)));
    let end = if chunks.is_empty() {
        first_and_last(text)
    } else {
        text.last_chunk().map_or(0, |last| u64::from_le_bytes(*last))
    };
    mix(hash, if rest.is_empty() { 0 } else { end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_header_is_looked_at_once_under_each_rules() {
        let mut asked = 0;
        let mut ask = |rules, name: &[u8], value: &[u8]| {
            masked(rules, name, value, || {
                asked += 1;
                None::<()>
            })
        };

        for _ in 0..3 {
            ask(u64::MAX, b"x-of-this-test", b"plain");
            ask(u64::MAX - 1, b"x-of-this-test", b"plain");
        }

        assert_eq!(asked, 2);
    }

    #[test]
    fn what_was_masked_is_looked_at_each_time() {
        for _ in 0..3 {
            assert_eq!(masked(7, b"x-of-that-test", b"secret", || Some("masked")), Some("masked"));
        }
    }

    #[test]
    fn headers_that_share_a_place_or_their_bytes_are_told_apart() {
        let header = |number: u32| (format!("x-{}", number % 7), format!("{number}"));
        let is_secret = |number: u32| number.is_multiple_of(3);

        for number in (0..3_000).chain(0..3_000) {
            let (name, value) = header(number);
            let found = masked(1, name.as_bytes(), value.as_bytes(), || is_secret(number).then_some(()));
            assert_eq!(found.is_some(), is_secret(number), "{number}");
        }
        assert_eq!(masked(1, b"ab", b"c", || None::<()>), None);
        assert_eq!(masked(1, b"a", b"bc", || Some(())), Some(()));
    }

    #[test]
    fn the_longest_header_is_remembered_and_a_longer_one_and_the_empty_one_are_not() {
        let asked_twice = |name: &[u8], value: &[u8]| {
            let mut asked = 0;
            for _ in 0..2 {
                masked(2, name, value, || {
                    asked += 1;
                    None::<()>
                });
            }
            asked == 2
        };

        assert!(!asked_twice(b"x-long", &[b'a'; LONGEST - 6]));
        assert!(asked_twice(b"x-long", &[b'a'; LONGEST - 5]));
        assert!(asked_twice(b"", b""));
    }
}
