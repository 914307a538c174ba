//! Where the scan has to look next. Nearly all of nearly all texts says nothing, and is passed over here.
//!
//! One table tells what each byte means. Where a word begins, at a sign, and where a long run of base64 ends, a glance at
//! the next few bytes tells the rest from what is worth a look. A glance may err in one direction only.

use super::{BEGINS, FEWEST_BASE64, FEWEST_BYTES, GAP, SIGN, STOP, Scan, WORD, is_in_name};
use crate::{encoding::starts_with_escape, masker::Masker, patterns};

/// No text with less than this is found by its form: `Basic Og` is the shortest.
const FEWEST_OF_PATTERN: usize = 8;

/// How far back a glance goes for a name: further than from the first colon of a time to the beginning of its date.
const MOST_GLANCED: usize = 24;

impl Masker<'_, '_> {
    /// The next place from `at` on where something may begin or a run of base64 that says something ends; `None`: no
    /// more. `scan.run` is where the run that reaches to this place began.
    pub(super) fn next_look(&self, text: &[u8], at: usize, scan: &mut Scan) -> Option<usize> {
        let mut before = if scan.is_word_before(text, at) { WORD } else { 0 };
        let mut place = at;
        for byte in text.get(at..)? {
            let class = self.rules.table.of(*byte);
            let marks = class & (SIGN | GAP) | class & BEGINS & !(before << 1);
            before = class;
            if marks != 0 {
                let is_gap = marks & GAP != 0;
                if is_gap && self.ends_text(scan.run, place)
                    || marks & (SIGN | BEGINS) != 0 && self.stands_out(text, place, scan)
                {
                    return Some(place);
                }
                if is_gap {
                    scan.run = place.saturating_add(1);
                }
            }
            place = place.saturating_add(1);
        }
        None
    }

    /// Whether the beginning of a word, or a sign, is worth more than a glance.
    fn stands_out(&self, text: &[u8], at: usize, scan: &Scan) -> bool {
        if !self.rules.patterns.is_empty() {
            // What the patterns of a configuration begin with, no glance knows.
            return true;
        }
        let from = text.get(at..).unwrap_or_default();
        match from {
            [b'=' | b'<', ..] | [b':', b'/', b'/', ..] => true,
            [b':', ..] => {
                let start = scan.start.max(at.saturating_sub(MOST_GLANCED));
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
    pub(crate) fn plain_string_len(&self, text: &[u8], start: usize) -> Option<usize> {
        let rest = text.get(start..)?;
        let mut classes = 0;
        let len = rest.iter().position(|byte| {
            let class = self.rules.table.of(*byte);
            classes |= class;
            class & STOP != 0
        })?;
        if rest.get(len) != Some(&b'"') {
            return None;
        }
        let has_sign = classes & SIGN != 0;
        if len < FEWEST_BYTES || len < FEWEST_OF_PATTERN && !has_sign && self.rules.patterns.is_empty() {
            return Some(len);
        }
        let first = rest.first()?;
        if first.is_ascii_whitespace() || matches!(first, b'{' | b'[') {
            return None;
        }
        let stop = start.saturating_add(len);
        let mut scan = Scan::new(start..stop);
        let looks = self.next_look(text.get(..stop)?, start, &mut scan).is_some() || self.ends_text(scan.run, stop);
        (!looks).then_some(len)
    }
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
