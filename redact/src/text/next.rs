//! Where the scan has to look next. Nearly all of nearly all texts says nothing, and is passed over here.
//!
//! One table tells what each byte means. Where a word begins, at a sign, and where a long run of base64 ends, a glance at
//! the next few bytes tells the rest from what is worth a look. A glance may err in one direction only.

use super::{
    BEFORE_WORD, COUNTS, FEWEST_BASE64, FEWEST_BYTES, GAP, SIGNS, Scan, is_in_element_name, is_in_name,
    marks::{BLOCK, Marks},
};
use crate::{encoding::starts_with_escape, masker::Masker, patterns};

/// No text with less than this is found by its form: `Basic Og` is the shortest.
const FEWEST_OF_PATTERN: usize = 8;

/// How far back a glance goes for a name: further than from the first colon of a time to the beginning of its date.
const MOST_GLANCED: usize = 24;

impl Masker<'_, '_> {
    /// The next place from `at` on where something may begin or a run of base64 that says something ends; `None`: no
    /// more. `scan.run` is where the run that reaches to this place began.
    pub(super) fn next_look(&self, text: &[u8], at: usize, scan: &mut Scan) -> Option<usize> {
        let mut within = scan.is_word_before(text, at);
        let mut place = at;
        while place < text.len() {
            let marks = Marks::of(self.rules, text, place, within);
            if let Some(look) = self.look_among(text, place, marks, scan) {
                return Some(look);
            }
            scan.run = run_before(marks.gaps, place, scan.run);
            within = marks.ends_within;
            place = place.saturating_add(BLOCK);
        }
        None
    }

    /// As [`next_look`](Self::next_look), in the block at `place`, whose marks these are.
    fn look_among(&self, text: &[u8], place: usize, marks: Marks, scan: &mut Scan) -> Option<usize> {
        let first_gap = marks.gaps & marks.gaps.wrapping_neg();
        let is_long = place.saturating_add(BLOCK).saturating_sub(scan.run) > FEWEST_BASE64;
        let mut worth_it = marks.looks | if is_long { first_gap } else { 0 };
        while worth_it != 0 {
            let bit = worth_it & worth_it.wrapping_neg();
            let here = place.saturating_add(worth_it.trailing_zeros() as usize);
            if bit == first_gap && self.ends_text(scan.run, here)
                || marks.looks & bit != 0 && self.stands_out(text, here, scan.start)
            {
                scan.run = run_before(marks.gaps & bit.wrapping_sub(1), place, scan.run);
                return Some(here);
            }
            worth_it ^= bit;
        }
        None
    }

    /// Whether the beginning of a word, or a sign, is worth more than a glance. `start`: where the scanned part begins.
    fn stands_out(&self, text: &[u8], at: usize, start: usize) -> bool {
        if !self.rules.patterns.is_empty() {
            // What the patterns of a configuration begin with, no glance knows.
            return true;
        }
        let from = text.get(at..).unwrap_or_default();
        match from {
            [b'=', ..] | [b':', b'/', b'/', ..] => true,
            // The end of an element begins no other.
            [b'<', next, ..] => is_in_element_name(next),
            [b':', ..] => {
                let start = start.max(at.saturating_sub(MOST_GLANCED));
                may_end_a_name(text.get(start..at).unwrap_or_default())
            }
            [b'%', ..] => starts_with_escape(from),
            [b'-', ..] => from.starts_with(b"-----"),
            from => patterns::may_begin(from),
        }
    }

    /// Whether a run of base64 ends here that may stand for a text.
    fn ends_text(&self, run: usize, stop: usize) -> bool {
        stop.saturating_sub(run) >= FEWEST_BASE64
            && self.source.get(run.max(self.settled())..stop).is_some_and(patterns::may_be_text)
    }

    /// The length of a JSON string from behind its opening quote on, if a glance is enough for it: it is closed, has no
    /// escape, is no JSON itself, and a scan would look nowhere.
    ///
    /// This is where bodies are read, nearly all of nearly every one: once, byte by byte, and no more.
    pub(crate) fn plain_string_len(&self, text: &[u8], start: usize) -> Option<usize> {
        let rest = text.get(start..)?;
        if self.rules.patterns.is_empty()
            && self.rules.names.extra.is_empty()
            && let Some(len) = time_len(rest)
        {
            return Some(len);
        }
        let (mut len, mut before, mut stands_out) = (0usize, BEFORE_WORD, false);
        loop {
            let counts = |byte: &u8| {
                let class = self.rules.table.of(*byte);
                let marks = class & before >> COUNTS;
                before = class;
                marks != 0
            };
            len = len.saturating_add(rest.get(len..)?.iter().position(counts)?);
            match rest.get(len)? {
                b'"' => break,
                b'\\' => return None,
                _ => stands_out = stands_out || self.stands_out(text, start.saturating_add(len), start),
            }
            len = len.saturating_add(1);
        }
        let string = rest.get(..len)?;
        let has_sign = || string.iter().any(|byte| SIGNS.contains(byte));
        if len < FEWEST_BYTES || len < FEWEST_OF_PATTERN && self.rules.patterns.is_empty() && !has_sign() {
            return Some(len);
        }
        let (first, stop) = (string.first()?, start.saturating_add(len));
        let is_other = first.is_ascii_whitespace() || matches!(first, b'{' | b'[');
        (!(is_other || stands_out || self.has_run_of_text(text, start, stop))).then_some(len)
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
    let len = behind.iter().take(MOST_BEHIND.saturating_add(1)).position(|byte| *byte == b'"')?;
    let is_fraction_or_zone = |byte: &u8| byte.is_ascii_digit() || b".:+-Z".contains(byte);
    behind.get(..len)?.iter().all(is_fraction_or_zone).then(|| time.len().saturating_add(len))
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

/// Where a run of base64 begins behind the last of the gaps of a block; `run` if it has none.
fn run_before(gaps: u32, place: usize, run: usize) -> usize {
    let len = u32::BITS.saturating_sub(gaps.leading_zeros()) as usize;
    if len == 0 { run } else { place.saturating_add(len) }
}

/// Whether what stands before a colon may be a name: dates and times have too few letters.
fn may_end_a_name(before: &[u8]) -> bool {
    let mut letters = 0u8;
    for byte in before.iter().rev() {
        match byte {
            b'"' | b'\'' => return true,
            letter if letter.is_ascii_alphabetic() => letters = letters.saturating_add(1),
            other if !is_in_name(other) => return false,
            _ => (),
        }
        if letters > 1 {
            return true;
        }
    }
    before.len() == MOST_GLANCED
}

#[cfg(test)]
mod tests;
