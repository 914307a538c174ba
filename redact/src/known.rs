//! Headers that came before, and in which there was nothing to mask.
//!
//! Most headers of a request are those of the request before. Whether there is something to mask depends on nothing but
//! the rules, the name and the value, so it is remembered: in one table a thread, of fixed size, in which a newer header
//! takes the place of an older one. Rules, names and values are compared whole, and the hash only finds the place, so
//! nobody's header can be taken for another. What was masked is never in it.

use std::cell::RefCell;

use crate::{
    memo::{Ends, is_same},
    redactor::Redactor,
};

/// Places, a power of two. Each holds two headers, some 26 KiB a thread: with one, two headers of each request that share a
/// place would take it from each other for good.
const PLACES: usize = 64;

/// The longest header that is remembered: bytes of name and value together.
const LONGEST: usize = 160;

/// A header, and what tells it from most others at a glance.
#[derive(Clone, Copy)]
struct Header<'h> {
    rules: u64,
    name: &'h [u8],
    value: &'h [u8],
    ends: [Ends; 2],
}

impl<'h> Header<'h> {
    fn new(rules: u64, name: &'h [u8], value: &'h [u8]) -> Header<'h> {
        Header { rules, name, value, ends: [Ends::of(name), Ends::of(value)] }
    }

    /// A hash for the place alone: of the lengths, and up to sixteen bytes each of name and value.
    fn place(&self) -> usize {
        let [name, value] = self.ends.map(Ends::mixed);
        let lens = self.name.len() as u64 ^ (self.value.len() as u64) << 8;
        let mix = |hash: u64| hash.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
        let hash = mix(mix(self.rules ^ lens ^ name) ^ value);
        usize::try_from(hash >> 40).unwrap_or_default() & (PLACES - 1)
    }
}

/// A copy of one header.
#[derive(Clone, Copy)]
struct Slot {
    rules: u64,
    ends: [Ends; 2],
    name_len: u8,
    len: u8,
    /// The name, and the value behind it.
    bytes: [u8; LONGEST],
}

impl Slot {
    /// Of the empty header, which nobody asks for.
    const EMPTY: Slot = Slot { rules: 0, ends: [Ends::EMPTY; 2], name_len: 0, len: 0, bytes: [0; LONGEST] };

    /// Of a header that is not too long.
    fn new(header: &Header<'_>) -> Slot {
        let Header { rules, name, value, ends } = *header;
        let name_len = u8::try_from(name.len()).unwrap_or_default();
        let len = name_len.saturating_add(u8::try_from(value.len()).unwrap_or_default());
        let mut slot = Slot { rules, ends, name_len, len, ..Slot::EMPTY };
        slot.bytes.iter_mut().zip(name.iter().chain(value)).for_each(|(to, from)| *to = *from);
        slot
    }

    fn is_of(&self, header: &Header<'_>) -> bool {
        let Header { rules, name, value, ends } = header;
        let (name_len, len) = (usize::from(self.name_len), usize::from(self.len));
        let is_alike = self.rules == *rules
            && self.ends == *ends
            && name_len == name.len()
            && len == name.len().saturating_add(value.len());
        is_alike
            && (name_len <= Ends::WHOLE || self.bytes.get(..name_len).is_some_and(|held| is_same(held, name)))
            && (value.len() <= Ends::WHOLE || self.bytes.get(name_len..len).is_some_and(|held| is_same(held, value)))
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
    let header = Header::new(rules, name, value);
    let place = header.place();
    let is_known = |table: &RefCell<Vec<[Slot; 2]>>| {
        let is_of = |slots: &[Slot; 2]| slots.iter().any(|slot| slot.is_of(&header));
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
                *newer = Slot::new(&header);
            }
        });
    }
    masked
}

/// The same for a text that comes again and again as headers do, but is none and judged by its own rules: `kind` says which.
/// It is remembered under rules that no header has.
pub(crate) fn beside_headers<M>(
    rules: &Redactor,
    kind: &[u8],
    text: &[u8],
    mask: impl FnOnce() -> Option<M>,
) -> Option<M> {
    masked(!rules.id, kind, text, mask)
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
    fn headers_that_differ_in_one_byte_are_told_apart() {
        for len in (1..40).chain([LONGEST - 1]) {
            for (name_len, rules) in [(1, 3), (len / 2, 4), (len, 5)] {
                let plain = vec![b'a'; len + 1];
                let (name, value) = plain.split_at(name_len.max(1));
                assert_eq!(masked(rules, name, value, || None::<()>), None);
                assert_eq!(masked(rules, name, value, || Some(())), None, "{len} {name_len}: it is remembered");
                for place in 0..plain.len() {
                    let mut other = plain.clone();
                    other[place] = b'b';
                    let (name, value) = other.split_at(name_len.max(1));
                    assert_eq!(masked(rules, name, value, || Some(())), Some(()), "{len} {name_len} {place}");
                }
            }
        }
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
