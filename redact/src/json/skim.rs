//! The parts of a JSON text in which nothing is secret, passed over without keeping track of more than the depth.
//!
//! It goes on while keys are harmless, strings are plain and the rest is numbers and constants, and stops before anything
//! else: the walk takes that one up, with all its rules, and comes back here behind it.

use crate::{
    json::{Sign, sign_of},
    masker::Masker,
    memo::is_same,
    names::{Field, Judged},
};

/// Where it stopped, and how deep.
pub(super) struct Skimmed {
    pub(super) at: usize,
    pub(super) depth: usize,
}

/// No card number is shorter.
const FEWEST_OF_CARD: usize = 14;

/// The harmless keys that came, each with its quotes and its colon, in the order in which they came first.
///
/// Objects in a row have the same keys in the same order: the key that comes is the one that followed last time, and one
/// comparison tells so. A key that comes otherwise is judged as if there were no such list.
pub(super) struct Keys<'t> {
    known: [&'t [u8]; Keys::MOST],
    count: usize,
    /// The one that is expected.
    next: usize,
}

impl<'t> Keys<'t> {
    /// An object of more keys has the rest of them judged each time.
    const MOST: usize = 24;

    pub(super) fn new() -> Keys<'t> {
        Keys { known: [b""; Keys::MOST], count: 0, next: 0 }
    }

    /// The length of the expected key, if it stands here.
    fn expected(&mut self, rest: &[u8]) -> Option<usize> {
        let key = *self.known.get(..self.count)?.get(self.next)?;
        if !is_same(rest.get(..key.len())?, key) {
            return None;
        }
        self.expect_behind(self.next);
        Some(key.len())
    }

    /// A harmless key came that was not expected.
    fn came(&mut self, key: &'t [u8]) {
        let known = self.known.get(..self.count).unwrap_or_default();
        if let Some(place) = known.iter().position(|known| *known == key) {
            self.expect_behind(place);
        } else if let Some(free) = self.known.get_mut(self.count) {
            *free = key;
            self.count = self.count.saturating_add(1);
            self.next = 0;
        }
    }

    fn expect_behind(&mut self, place: usize) {
        let next = place.saturating_add(1);
        self.next = if next < self.count { next } else { 0 };
    }
}

impl Masker<'_, '_> {
    /// Passes over what may be passed over from `at` on, where no key waits for its value and nothing above is secret.
    pub(super) fn skim<'t>(&self, text: &'t [u8], keys: &mut Keys<'t>, at: usize, depth: usize) -> Skimmed {
        let mut skimmed = Skimmed { at, depth };
        while let Some(byte) = text.get(skimmed.at) {
            let next = match byte {
                b'"' => self.behind_plain_string(text, keys, skimmed.at),
                b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' => Some(skimmed.at.saturating_add(1)),
                b'{' | b'[' => {
                    skimmed.depth = skimmed.depth.saturating_add(1);
                    Some(skimmed.at.saturating_add(1))
                }
                b'}' | b']' => {
                    skimmed.depth = skimmed.depth.saturating_sub(1);
                    Some(skimmed.at.saturating_add(1))
                }
                _ => behind_bare(text, skimmed.at),
            };
            let Some(next) = next else { break };
            skimmed.at = next;
        }
        skimmed
    }

    /// Behind a plain string, and behind the colon if it is a harmless key; `None`: it is neither.
    fn behind_plain_string<'t>(&self, text: &'t [u8], keys: &mut Keys<'t>, at: usize) -> Option<usize> {
        if let Some(len) = keys.expected(text.get(at..)?) {
            return Some(at.saturating_add(len));
        }
        let start = at.saturating_add(1);
        let stop = self.plain_string_end(text, start)?.get();
        let behind = stop.saturating_add(1);
        let Some(value) = behind_colon(text, behind) else { return Some(behind) };
        let judged = self.rules.names.judge(text.get(start..stop)?, Field::Json);
        if judged != Judged::HARMLESS {
            return None;
        }
        keys.came(text.get(at..value)?);
        Some(value)
    }
}

/// Behind the colon that follows, spaces or none before it; `None`: none follows.
pub(super) fn behind_colon(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match text.get(at)? {
            b':' => return Some(at.saturating_add(1)),
            space if space.is_ascii_whitespace() => at = at.saturating_add(1),
            _ => return None,
        }
    }
}

/// Behind a number or a constant; `None`: it is neither, or as long as a card number, or the end of the text.
fn behind_bare(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let near = rest.get(..FEWEST_OF_CARD).unwrap_or(rest);
    let len = near.iter().position(|byte| sign_of(*byte) == Sign::Ends)?;
    let token = near.get(..len)?;
    let is_number = || super::is_number(token);
    (matches!(token, b"true" | b"false" | b"null") || is_number()).then(|| at.saturating_add(len))
}
