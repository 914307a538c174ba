//! Where the scan has to look next. Nearly all of nearly all texts says nothing, and is passed over here.
//!
//! One table tells what each byte means. Where a word begins, at a sign, and where a long run of base64 ends, a glance at
//! the next few bytes tells the rest from what is worth a look. A glance may err in one direction only.

use super::{
    FEWEST_BASE64, Scan, is_in_element_name, is_in_name,
    marks::{BLOCK, Marks},
};
use crate::{encoding::starts_with_escape, masker::Masker, patterns};

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
    pub(super) fn stands_out(&self, text: &[u8], at: usize, start: usize) -> bool {
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
    pub(super) fn ends_text(&self, run: usize, stop: usize) -> bool {
        stop.saturating_sub(run) >= FEWEST_BASE64
            && self.source.get(run.max(self.settled())..stop).is_some_and(patterns::may_be_text)
    }
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
