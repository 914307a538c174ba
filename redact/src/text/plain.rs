//! JSON strings in which a scan would find nothing, known by a glance: nearly all of nearly every body, read once.
//!
//! Two forms do the same: byte by byte with the table of the rules, and sixteen bytes at a time in WebAssembly.

use std::num::NonZero;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use super::marks::{BLOCK, StringMarks, Word};
use super::{BEFORE_WORD, COUNTS, FEWEST_BASE64, FEWEST_BYTES, GAP, SIGNS, place::byte_before};
use crate::masker::Masker;

/// No text with less than this is found by its form: `Basic Og` is the shortest.
const FEWEST_OF_PATTERN: usize = 8;

/// A string up to its closing quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Glance {
    end: NonZero<usize>,
    /// Whether a scan would look somewhere in it.
    stands_out: bool,
}

impl Masker<'_, '_> {
    /// The closing quote of a JSON string that begins at `start`, behind its opening quote, if a glance is enough for it: it
    /// is closed, has no escape, is no JSON itself, and a scan would look nowhere.
    #[inline]
    pub(crate) fn plain_string_end(&self, text: &[u8], start: usize) -> Option<NonZero<usize>> {
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        if let Some(end) = self.short_string_end(text, start) {
            return Some(end);
        }
        self.any_plain_string_end(text, start)
    }

    /// As [`plain_string_end`](Self::plain_string_end), if it ends within one block of which nothing is worth a glance.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    #[inline]
    fn short_string_end(&self, text: &[u8], start: usize) -> Option<NonZero<usize>> {
        let block: &[u8; BLOCK] = text.get(start..)?.first_chunk()?;
        let [first, ..] = block;
        let marks = StringMarks::of(&self.rules.table.blocks, block, Word::Begins);
        let end = start.saturating_add(marks.plain_len()?);
        let is_plain = self.rules.patterns.is_empty() && !may_begin_json(*first);
        NonZero::new(end).filter(|_| is_plain && text.get(end) == Some(&b'"'))
    }

    #[inline(never)]
    fn any_plain_string_end(&self, text: &[u8], start: usize) -> Option<NonZero<usize>> {
        let rest = text.get(start..)?;
        let has_own = !(self.rules.patterns.is_empty() && self.rules.names.extra.is_empty());
        if !has_own
            && rest.first().is_some_and(u8::is_ascii_digit)
            && let Some(len) = time_len(rest)
        {
            return NonZero::new(start.saturating_add(len));
        }
        let Glance { end, stands_out } = self.glance(text, start)?;
        let string = text.get(start..end.get())?;
        let len = string.len();
        if len < FEWEST_BYTES {
            return Some(end);
        }
        if stands_out || string.first().copied().is_some_and(may_begin_json) {
            let has_sign = || string.iter().any(|byte| SIGNS.contains(byte));
            return Some(end).filter(|_| len < FEWEST_OF_PATTERN && self.rules.patterns.is_empty() && !has_sign());
        }
        Some(end).filter(|_| len < FEWEST_BASE64 || !self.has_run_of_text(text, start, end.get()))
    }

    /// `None`: there is an escape in it, or no end of it.
    fn glance(&self, text: &[u8], start: usize) -> Option<Glance> {
        // What the patterns of a configuration begin with stands in the table alone.
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        if self.rules.patterns.is_empty() {
            return self.glance_by_blocks(text, start);
        }
        self.glance_by_bytes(text, start, start)
    }

    /// `place`: up to where it is known that nothing stands out in it, or ends it.
    fn glance_by_bytes(&self, text: &[u8], start: usize, mut place: usize) -> Option<Glance> {
        let mut before = byte_before(text, place, start).map_or(BEFORE_WORD, |byte| self.rules.table.of(byte));
        let mut stands_out = false;
        loop {
            let counts = |byte: &u8| {
                let class = self.rules.table.of(*byte);
                let marks = class & before >> COUNTS;
                before = class;
                marks != 0
            };
            place = place.saturating_add(text.get(place..)?.iter().position(counts)?);
            match text.get(place)? {
                b'"' => return NonZero::new(place).map(|end| Glance { end, stands_out }),
                b'\\' => return None,
                _ => stands_out = stands_out || self.stands_out(text, place, start),
            }
            place = place.saturating_add(1);
        }
    }

    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    fn glance_by_blocks(&self, text: &[u8], start: usize) -> Option<Glance> {
        let (mut place, mut word, mut stands_out) = (start, Word::Begins, false);
        while let Some(block) = text.get(place..)?.first_chunk() {
            let mut marks = StringMarks::of(&self.rules.table.blocks, block, word).all();
            while marks != 0 {
                let at = place.saturating_add(marks.trailing_zeros() as usize);
                match text.get(at)? {
                    b'"' => return NonZero::new(at).map(|end| Glance { end, stands_out }),
                    b'\\' => return None,
                    _ => stands_out = stands_out || self.stands_out(text, at, start),
                }
                marks &= marks.wrapping_sub(1);
            }
            let [.., last] = block;
            word = if last.is_ascii_alphanumeric() { Word::GoesOn } else { Word::Begins };
            place = place.saturating_add(BLOCK);
        }
        let Glance { end, stands_out: later } = self.glance_by_bytes(text, start, place)?;
        Some(Glance { end, stands_out: stands_out || later })
    }

    /// Whether a run of base64 stands there that may stand for a text.
    ///
    /// Only long runs are of interest, so it looks where one that begins here would be long enough, and goes back from
    /// there to what ends it: most bytes are never looked at.
    fn has_run_of_text(&self, text: &[u8], start: usize, stop: usize) -> bool {
        let is_gap = |byte: &u8| self.rules.table.of(*byte) & GAP != 0;
        let mut run = start;
        while let Some(shortest) = text.get(run..run.saturating_add(FEWEST_BASE64).min(stop)) {
            if shortest.len() < FEWEST_BASE64 {
                return false;
            }
            if let Some(gap) = shortest.iter().rposition(is_gap) {
                run = run.saturating_add(gap).saturating_add(1);
                continue;
            }
            let rest = text.get(run..stop).unwrap_or_default();
            let len = rest.iter().position(is_gap).unwrap_or(rest.len());
            let end = run.saturating_add(len);
            if self.ends_text(run, end) {
                return true;
            }
            run = end.saturating_add(1);
        }
        false
    }
}

/// The length of a string that is a time as JSON has it, `2026-02-28T10:39:28.833Z`, from behind its opening quote on: too
/// few letters for a name, too few digits for a card, too short a run for base64. Bodies are full of them, and of what
/// the scan would stop at.
fn time_len(rest: &[u8]) -> Option<usize> {
    const MOST_BEHIND: usize = 10;

    let time = rest.first_chunk::<19>()?;
    let is_time = has_form(time.first_chunk(), b"0000-00-")
        && has_form(time.get(8..).and_then(<[u8]>::first_chunk), b"00T00:00")
        && has_form(time.last_chunk(), b"00:00:00");
    let behind = rest.get(time.len()..).filter(|_| is_time)?;
    let near = behind.get(..MOST_BEHIND.saturating_add(1)).unwrap_or(behind);
    let len =
        near.iter().position(|byte| !(byte.is_ascii_digit() || matches!(byte, b'.' | b':' | b'+' | b'-' | b'Z')))?;
    (near.get(len) == Some(&b'"')).then(|| time.len().saturating_add(len))
}

/// Whether a string that begins so may be JSON itself.
fn may_begin_json(first: u8) -> bool {
    first.is_ascii_whitespace() || matches!(first, b'{' | b'[')
}

/// Whether eight bytes are digits where the form has `0`, and its signs elsewhere; none is taken by itself.
fn has_form(bytes: Option<&[u8; 8]>, form: &[u8; 8]) -> bool {
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

    // What differs: 0 to 9 in a digit, 0 in a sign. With this added all else reaches the highest bit, which no byte passes on
    // that had it not before.
    let room = u64::from_le_bytes(form.map(|sign| if sign == b'0' { 0x80 - 10 } else { 0x80 - 1 }));
    bytes.is_some_and(|bytes| {
        let differing = u64::from_le_bytes(*bytes) ^ u64::from_le_bytes(*form);
        (differing | differing.wrapping_add(room)) & HIGH == 0
    })
}

#[cfg(test)]
mod tests;
