//! The patterns of a configuration: a small language without backtracking.
//!
//! ```text
//! emp-[0-9]{6}      the characters emp-, then six digits
//! \d{3}-\d{2}-\d{4} digits, dashes
//! key=\w{8,64}      letters, digits and _, 8 to 64 of them
//! ```
//! A character stands for itself; `\d` is a digit, `\w` a letter, digit or `_`, `.` anything but white space, `[a-z_]`
//! one of these, `[^"]` none of these, and `\` in front makes any sign stand for itself. `{6}`, `{2,9}`, `?`, `+` and
//! `*` (at most 128) repeat what stands before them.
//!
//! A pattern is tried where a word begins, in one pass: a repetition takes all it can and gives nothing back, so
//! `[a-z-]+-x` never fits. That, and the bounds below, make it linear whatever the pattern and the text.

use std::ops::Range;

use crate::masker::End;

/// Bytes of a pattern.
pub(crate) const MOST_PATTERN_BYTES: usize = 128;

/// Bytes that a pattern may take.
const MOST_MATCH: usize = 256;

/// What `+` and `*` repeat at most.
const MOST_REPEATS: u16 = 128;

/// The bytes of a cut text that are enough to be taken for the beginning.
const FEWEST_CUT: usize = 3;

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Set([u64; 4]);

impl Set {
    fn add(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }

    fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte >> 6)).is_some_and(|word| word & (1 << (byte & 63)) != 0)
    }

    fn of(has: impl Fn(u8) -> bool) -> Set {
        let mut set = Set::default();
        (0..=u8::MAX).filter(|byte| has(*byte)).for_each(|byte| set.add(byte));
        set
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    set: Set,
    fewest: u16,
    most: u16,
}

/// A pattern, read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
}

impl Pattern {
    /// # Errors
    /// What is wrong with it, as half a sentence.
    pub(crate) fn read(text: &str) -> Result<Pattern, &'static str> {
        if text.is_empty() || text.len() > MOST_PATTERN_BYTES {
            return Err("not 1 to 128 bytes long");
        }
        let mut rest = text.as_bytes();
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let (set, after) = read_set(rest)?;
            let (fewest, most, after) = read_repeats(after)?;
            parts.push(Part { set, fewest, most });
            rest = after;
        }
        let sum =
            |bound: fn(&Part) -> u16| parts.iter().fold(0usize, |sum, part| sum.saturating_add(bound(part).into()));
        if sum(|part| part.fewest) < 4 {
            return Err("fits texts of fewer than 4 bytes");
        }
        if sum(|part| part.most) > MOST_MATCH {
            return Err("fits texts of more than 256 bytes");
        }
        if parts.first().is_none_or(|part| part.fewest == 0 || part.set == Set::of(|_| true)) {
            return Err("begins with what need not be there");
        }
        Ok(Pattern { parts })
    }

    /// Whether it can begin with this byte.
    pub(crate) fn may_begin_with(&self, byte: u8) -> bool {
        self.parts.first().is_some_and(|part| part.set.has(byte))
    }

    /// What it takes of the text from `at` on.
    pub(crate) fn find(&self, text: &[u8], at: usize, end: End) -> Option<Range<usize>> {
        let mut rest = text.get(at..)?;
        for part in &self.parts {
            let most = rest.get(..rest.len().min(part.most.into()))?;
            let len = most.iter().position(|byte| !part.set.has(*byte)).unwrap_or(most.len());
            if len < part.fewest.into() {
                let taken = text.len().saturating_sub(at);
                let is_cut = end == End::Cut && len == rest.len() && taken >= FEWEST_CUT;
                return is_cut.then_some(at..text.len());
            }
            rest = rest.get(len..)?;
        }
        let stop = text.len().saturating_sub(rest.len());
        let last = stop.checked_sub(1).and_then(|last| text.get(last));
        let goes_on = [last, rest.first()].iter().all(|byte| byte.is_some_and(u8::is_ascii_alphanumeric));
        (!goes_on).then_some(at..stop)
    }
}

/// Reads what stands for one character.
fn read_set(text: &[u8]) -> Result<(Set, &[u8]), &'static str> {
    match text {
        [b'\\', byte, rest @ ..] => Ok((escaped(*byte), rest)),
        [b'\\'] => Err("ends in a backslash"),
        [b'[', rest @ ..] => read_class(rest),
        [b'.', rest @ ..] => Ok((Set::of(|byte| !byte.is_ascii_whitespace()), rest)),
        [b'{' | b'}' | b']' | b'?' | b'+' | b'*', ..] => Err("has a repetition of nothing, or a bracket alone"),
        [b'(' | b')' | b'|' | b'^' | b'$', ..] => Err("has ( ) | ^ or $, which are not known; write \\ before a sign"),
        [byte, rest @ ..] => Ok((Set::of(|other| other == *byte), rest)),
        [] => Err("is empty"),
    }
}

fn escaped(byte: u8) -> Set {
    match byte {
        b'd' => Set::of(|byte| byte.is_ascii_digit()),
        b'w' => Set::of(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
        b's' => Set::of(|byte| byte.is_ascii_whitespace()),
        other => Set::of(|byte| byte == other),
    }
}

/// `a-z_]…`, behind the bracket.
fn read_class(text: &[u8]) -> Result<(Set, &[u8]), &'static str> {
    let (inverted, mut rest) = match text {
        [b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut set = Set::default();
    loop {
        rest = match rest {
            [b']', after @ ..] if set != Set::default() => {
                return Ok((if inverted { Set::of(|byte| !set.has(byte)) } else { set }, after));
            }
            [b'\\', byte, after @ ..] => {
                let escaped = escaped(*byte);
                (0..=u8::MAX).filter(|byte| escaped.has(*byte)).for_each(|byte| set.add(byte));
                after
            }
            [from, b'-', to, after @ ..] if *to != b']' => {
                if from > to {
                    return Err("has a range that runs backwards");
                }
                (*from..=*to).for_each(|byte| set.add(byte));
                after
            }
            [byte, after @ ..] => {
                set.add(*byte);
                after
            }
            [] => return Err("has a [ without ]"),
        };
    }
}

/// Reads `{2,9}`, `?`, `+`, `*`, or nothing, which is once.
fn read_repeats(text: &[u8]) -> Result<(u16, u16, &[u8]), &'static str> {
    match text {
        [b'?', rest @ ..] => Ok((0, 1, rest)),
        [b'+', rest @ ..] => Ok((1, MOST_REPEATS, rest)),
        [b'*', rest @ ..] => Ok((0, MOST_REPEATS, rest)),
        [b'{', rest @ ..] => {
            let close = rest.iter().position(|byte| *byte == b'}').ok_or("has a { without }")?;
            let (inside, after) = rest.split_at(close);
            let inside = std::str::from_utf8(inside).unwrap_or_default();
            let (fewest, most) = inside.split_once(',').unwrap_or((inside, inside));
            let number = |text: &str| text.parse::<u16>().map_err(|_| "has a {} without numbers");
            let (fewest, most) = (number(fewest)?, number(most)?);
            if fewest > most || most == 0 {
                return Err("has a repetition that runs backwards");
            }
            Ok((fewest, most, after.get(1..).unwrap_or_default()))
        }
        rest => Ok((1, 1, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, text: &str) -> Option<Range<usize>> {
        Pattern::read(pattern).unwrap().find(text.as_bytes(), 0, End::Whole)
    }

    #[test]
    fn patterns_fit_what_they_say() {
        let cases = [
            (r"emp-[0-9]{6}", "emp-123456", Some(0..10)),
            (r"emp-[0-9]{6}", "emp-1234567", None),
            (r"emp-[0-9]{6}", "emp-12345", None),
            (r"\d{3}-\d{2}-\d{4}", "123-45-6789 x", Some(0..11)),
            (r"k\.\w{2,4}", "k.ab_", Some(0..5)),
            (r"id:[^;]+;", "id:a b;c", Some(0..7)),
            (r"ab.?[x\d-]{2}", "ab\u{e9}-1", None),
            (r"ab.?[x\d-]{2}", "abz-1", Some(0..5)),
            (r"a\+b\\cd*", "a+b\\c", Some(0..5)),
            (r"[a-z-]+-xy", "ab-xy", None),
        ];

        for (pattern, text, place) in cases {
            assert_eq!(found(pattern, text), place, "{pattern} {text}");
        }
    }

    #[test]
    fn a_cut_text_fits_as_far_as_it_goes() {
        let pattern = Pattern::read(r"emp-[0-9]{6}").unwrap();

        assert_eq!(pattern.find(b"emp-12", 0, End::Cut), Some(0..6));
        assert_eq!(pattern.find(b"em", 0, End::Cut), None);
        assert_eq!(pattern.find(b"emp-12", 0, End::Whole), None);
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_the_reason() {
        let cases = [
            ("", "not 1 to 128"),
            ("a{", "{ without }"),
            ("a{x}", "without numbers"),
            ("abc{3,2}", "backwards"),
            ("[ab", "[ without ]"),
            ("[z-a]bcd", "backwards"),
            ("(ab)cd", "not known"),
            ("+abcd", "repetition of nothing"),
            ("abc", "fewer than 4"),
            ("a?bcdefg", "need not be there"),
            ("abcd.{65535}", "more than 256"),
            ("abcd\\", "backslash"),
        ];

        for (pattern, reason) in cases {
            let error = Pattern::read(pattern).unwrap_err();
            assert!(error.contains(reason), "{pattern}: {error}");
        }
        assert!(Pattern::read(&"a".repeat(MOST_PATTERN_BYTES)).is_ok());
        assert!(Pattern::read(&"a".repeat(MOST_PATTERN_BYTES + 1)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_pattern_and_no_text_makes_it_panic(pattern in r"[a-d\[\]{}0-9,\\?+*.^-]{1,24}", text in "[a-d0-9]{0,64}") {
            if let Ok(pattern) = Pattern::read(&pattern) {
                let _ = pattern.find(text.as_bytes(), 0, End::Cut);
            }
        }
    }
}
