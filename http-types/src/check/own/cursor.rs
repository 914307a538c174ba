//! A place in a line, from which what has to follow is taken.

use std::borrow::Cow;

/// What is left of a line.
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = ONES << 7;

impl<'a> Cursor<'a> {
    pub(super) fn new(line: &'a str) -> Cursor<'a> {
        Cursor { rest: line }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes these bytes, which have to be there.
    // Inlined it compares a few words; else each of the many calls in a line calls `memcmp`.
    #[inline]
    pub(super) fn take(&mut self, expected: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }

    /// Takes these bytes, if they are there.
    #[inline]
    pub(super) fn takes(&mut self, expected: &str) -> bool {
        self.take(expected).is_some()
    }

    /// A string, borrowed if it has no escapes.
    pub(super) fn string(&mut self) -> Option<Cow<'a, str>> {
        let rest = self.rest.strip_prefix('"')?;
        let (plain, behind) = rest.split_at_checked(plain_len(rest.as_bytes()))?;
        match behind.as_bytes().first()? {
            b'"' => {
                self.rest = behind.get(1..)?;
                Some(Cow::Borrowed(plain))
            }
            b'\\' => self.escaped(plain, behind).map(Cow::Owned),
            _ => None,
        }
    }

    /// The rest of a string, from its first escape on.
    #[inline(never)]
    fn escaped(&mut self, plain: &str, mut behind: &'a str) -> Option<String> {
        // As long as what is left of the line would be too much: most lines have several strings with escapes.
        let mut text = String::with_capacity(plain.len().saturating_add(FIRST_CAPACITY));
        text.push_str(plain);
        loop {
            behind = match *behind.as_bytes() {
                [b'"', ..] => {
                    self.rest = behind.get(1..)?;
                    return Some(text);
                }
                [b'\\', b'u', ..] => {
                    let digits = behind.get(2..6).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
                    // Half of a pair is none, and is left to the general reader.
                    text.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
                    behind.get(6..)?
                }
                [b'\\', escape, ..] => {
                    text.push(unescaped(escape)?);
                    behind.get(2..)?
                }
                _ => return None,
            };
            let (plain, rest) = behind.split_at_checked(plain_len(behind.as_bytes()))?;
            text.push_str(plain);
            behind = rest;
        }
    }

    /// A whole number that is not negative, of up to 19 digits.
    pub(super) fn number(&mut self) -> Option<u64> {
        let len = digits_len(self.rest);
        let (digits, rest) = self.rest.split_at_checked(len)?;
        let is_number = (1..=19).contains(&len) && (len == 1 || !digits.starts_with('0'));
        self.rest = rest;
        digits.parse().ok().filter(|_| is_number)
    }

    /// A number, or a share of one: `0.25`.
    pub(super) fn number_or_share(&mut self) -> Option<()> {
        let whole = self.number()?;
        if self.takes(".") {
            let len = digits_len(self.rest);
            self.rest = self.rest.get(len..).filter(|_| whole == 0 && (1..=19).contains(&len))?;
        }
        Some(())
    }

    /// A moment as the writer has it, `"2020-02-28T10:39:28.833Z"`; leap days are left to the general reader.
    pub(super) fn timestamp(&mut self) -> Option<()> {
        let (text, _) = self.rest.as_bytes().split_first_chunk::<26>()?;
        let form = *b"\"dddd-dd-ddTdd:dd:dd.dddZ\"";
        let fits = |(byte, form): (&u8, u8)| if form == b'd' { byte.is_ascii_digit() } else { *byte == form };
        if !text.iter().zip(form).fold(true, |all, pair| all & fits(pair)) {
            return None;
        }
        let two = |at: usize| {
            let digit = |at: usize| text.get(at).map_or(0, |digit| digit.wrapping_sub(b'0'));
            digit(at).wrapping_mul(10).wrapping_add(digit(at.saturating_add(1)))
        };
        let days = match two(6) {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 28,
            _ => return None,
        };
        let is_moment = (1..=days).contains(&two(9)) && two(12) < 24 && two(15) < 60 && two(18) < 60;
        // The last year is not whole in the date library.
        self.rest = self.rest.get(text.len()..).filter(|_| is_moment && !text.starts_with(b"\"9999"))?;
        Some(())
    }
}

/// Bytes of a text with escapes for which there is room at first.
const FIRST_CAPACITY: usize = 128;

fn digits_len(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn unescaped(escape: u8) -> Option<char> {
    Some(match escape {
        b'"' | b'\\' | b'/' => char::from(escape),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        _ => return None,
    })
}

/// How many bytes stand for themselves in a string: up to a quote, a backslash or a control character. Eight at a time.
fn plain_len(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut len = 0usize;
    for chunk in chunks {
        let stops = stops_in(u64::from_le_bytes(*chunk));
        if stops != 0 {
            return len.saturating_add(stops.trailing_zeros() as usize / 8);
        }
        len = len.saturating_add(8);
    }
    len.saturating_add(rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count())
}

/// The high bit of each byte that ends the plain part, exact up to the first one.
fn stops_in(bytes: u64) -> u64 {
    let is = |byte: u8| {
        let differs = bytes ^ ONES.wrapping_mul(u64::from(byte));
        differs.wrapping_sub(ONES) & !differs
    };
    let is_control = bytes.wrapping_sub(ONES.wrapping_mul(0x20)) & !bytes;
    (is(b'"') | is(b'\\') | is_control) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_plain_part_ends_at_the_first_stop(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..40)) {
            let expected = bytes.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'));

            proptest::prop_assert_eq!(plain_len(&bytes), expected.unwrap_or(bytes.len()));
        }
    }
}
