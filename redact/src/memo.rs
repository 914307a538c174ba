//! Judgements on names that came before.
//!
//! Traffic says the same names again and again: headers with each request, keys with each element of an array. What a name
//! says depends on nothing but the name and its place, so it is remembered: in one table a thread, of fixed size, in which
//! a newer name takes the place of an older one. Names are compared whole; the hash only finds the place.

use std::cell::RefCell;

use crate::names::{Field, Judged};

/// Places, a power of two. Each holds two names, some 24 KiB a thread: with one, two keys of each body that share a place
/// would take it from each other for good.
const PLACES: usize = 128;

/// The longest name that is remembered, in bytes.
const LONGEST: usize = 40;

#[derive(Clone, Copy)]
struct Slot {
    name: [u8; LONGEST],
    len: usize,
    ends: Ends,
    field: Field,
    judged: Judged,
}

impl Slot {
    /// Of the empty name, which nobody asks for.
    const EMPTY: Slot =
        Slot { name: [0; LONGEST], len: 0, ends: Ends::EMPTY, field: Field::Header, judged: Judged::HARMLESS };

    fn new(name: &[u8], ends: Ends, field: Field, judged: Judged) -> Slot {
        let mut slot = Slot { len: name.len().min(LONGEST), ends, field, judged, ..Slot::EMPTY };
        slot.name.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        slot
    }

    fn is_of(&self, name: &[u8], ends: Ends, field: Field) -> bool {
        let is_alike = self.ends == ends && self.len == name.len() && self.field == field;
        is_alike && (self.len <= Ends::WHOLE || self.name.get(..self.len).is_some_and(|held| is_same(held, name)))
    }
}

thread_local! {
    static TABLE: RefCell<Vec<[Slot; 2]>> = RefCell::new(vec![[Slot::EMPTY; 2]; PLACES]);
}

/// What `judge` says of this name in this place; it is asked once for names that come often.
pub(crate) fn judged(name: &[u8], field: Field, judge: impl FnOnce(&[u8], Field) -> Judged) -> Judged {
    if name.is_empty() || name.len() > LONGEST {
        return judge(name, field);
    }
    let ends = Ends::of(name);
    TABLE.with(|table| {
        let Ok(mut table) = table.try_borrow_mut() else { return judge(name, field) };
        let Some(slots) = table.get_mut(place_of(name.len(), ends, field)) else { return judge(name, field) };
        if let Some(known) = slots.iter().find(|slot| slot.is_of(name, ends, field)) {
            return known.judged;
        }
        let judged = judge(name, field);
        let [newer, older] = slots;
        *older = *newer;
        *newer = Slot::new(name, ends, field, judged);
        judged
    })
}

/// The first and the last bytes of a text: all of one of up to [`WHOLE`](Ends::WHOLE) bytes, if its length is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends(u64, u64);

impl Ends {
    pub(crate) const WHOLE: usize = 16;
    pub(crate) const EMPTY: Ends = Ends(0, 0);

    pub(crate) fn of(text: &[u8]) -> Ends {
        if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
            return Ends(u64::from_le_bytes(*first), u64::from_le_bytes(*last));
        }
        if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
            return Ends(u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)));
        }
        Ends(text.iter().fold(0, |bytes, byte| bytes << 8 | u64::from(*byte)), 0)
    }

    /// For a hash.
    pub(crate) fn mixed(self) -> u64 {
        self.0 ^ self.1.rotate_left(29)
    }
}

/// Whether two texts are the same, by eight bytes at a time: `==` is a call that, in wasm, goes byte by byte.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let (words, other_words) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
    words.iter().zip(other_words).all(|(word, other)| u64::from_le_bytes(*word) == u64::from_le_bytes(*other))
        && Ends::of(one) == Ends::of(other)
}

/// A hash for the place alone, of the length and up to sixteen bytes.
fn place_of(len: usize, ends: Ends, field: Field) -> usize {
    let hash = ends.mixed() ^ (len as u64) << 3 ^ field as u64;
    usize::try_from(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48).unwrap_or_default() & (PLACES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_judged_once_and_for_each_place_by_itself() {
        let mut asked = 0;
        let mut ask = |name: &[u8], field| {
            judged(name, field, |_, field| {
                asked += 1;
                if field == Field::Header { Judged::ALL } else { Judged::HARMLESS }
            })
        };

        for _ in 0..3 {
            assert_eq!(ask(b"x-of-this-test", Field::Header), Judged::ALL);
            assert_eq!(ask(b"x-of-this-test", Field::Json), Judged::HARMLESS);
        }
        assert_eq!(asked, 2);
    }

    #[test]
    fn texts_are_the_same_if_each_byte_is() {
        for len in 0..70 {
            let text: Vec<u8> = (0..len).collect();
            assert!(is_same(&text, &text.clone()), "{len}");
            assert!(!is_same(&text, &[&text[..], b"x"].concat()), "{len}");
            for place in 0..text.len() {
                let mut other = text.clone();
                other[place] ^= 0x80;
                assert!(!is_same(&text, &other), "{len}, {place}");
            }
        }
    }

    #[test]
    fn names_that_share_a_place_are_told_apart() {
        let name = |number: u32| format!("name-{number}").into_bytes();
        let judge = |name: &[u8], _| if name.ends_with(b"7") { Judged::ALL } else { Judged::TEXT };

        for number in (0..5_000).chain(0..5_000) {
            let name = name(number);
            assert_eq!(judged(&name, Field::Form, judge), judge(&name, Field::Form), "{number}");
        }
    }

    #[test]
    fn two_names_that_share_a_place_are_judged_once_each() {
        let place = |name: &String| place_of(name.len(), Ends::of(name.as_bytes()), Field::Query);
        let first = "two-of-a-place".to_owned();
        let second = (0..).map(|number| format!("other-{number}")).find(|other| place(other) == place(&first));
        let mut asked = 0;

        for name in [&first, &second.unwrap()].repeat(3) {
            judged(name.as_bytes(), Field::Query, |_, _| {
                asked += 1;
                Judged::HARMLESS
            });
        }

        assert_eq!(asked, 2);
    }

    #[test]
    fn long_names_and_the_empty_one_are_judged_each_time() {
        for name in [vec![], vec![b'a'; LONGEST + 1]] {
            assert_eq!(judged(&name, Field::Query, |_, _| Judged::TEXT), Judged::TEXT);
            assert_eq!(judged(&name, Field::Query, |_, _| Judged::ALL), Judged::ALL);
        }
    }
}
