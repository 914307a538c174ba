//! What a text looks like: the one judgement behind path templates, formats, and the types of query values.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// What a text looks like. A text has exactly one form, the most special one that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Form {
    /// No character.
    Empty,
    /// `true` or `false`.
    Boolean,
    /// A whole number of at most 18 digits, without a leading zero: `42`, `-7`.
    Integer,
    /// A number with a fraction: `1.5`.
    Decimal,
    /// Digits that are no number: a leading zero, or more than 18.
    Digits,
    /// `0549a790-fe19-4e1b-ae15-2ab99a2c91ad` (RFC 9562).
    Uuid,
    /// 26 characters of Crockford's base 32, upper case, with a digit.
    Ulid,
    /// At least 8 hexadecimal digits, letters and digits among them.
    Hex,
    /// Looks random or numbered: mixed letters and digits, `cus_NffrFeUf42`, `ORD-1001`.
    Token,
    /// `2024-02-29`.
    Date,
    /// RFC 3339 with an offset.
    DateTime,
    /// `kimmo@example.com`.
    Email,
    /// With a scheme and `://`, without white space.
    Uri,
    /// Four numbers.
    Ipv4,
    /// RFC 4291.
    Ipv6,
    /// Letters only.
    Word,
    /// Words, digits and `-`, `_` or `.`, no white space.
    Slug,
    /// Anything else.
    Text,
}

impl Form {
    /// The form of a text.
    pub(crate) fn of(text: &str) -> Form {
        let bytes = text.as_bytes();
        let Some(first) = bytes.first() else { return Form::Empty };
        if bytes.len() > MAX_TEXT_LEN {
            return Form::Text;
        }
        let seen = Seen::of(bytes);
        if seen.only(Seen::LOWER | Seen::UPPER) {
            return if matches!(text, "true" | "false") { Form::Boolean } else { hex_or(text, seen, Form::Word) };
        }
        if first.is_ascii_digit() || *first == b'-' {
            if let Some(number) = number(text, seen) {
                return number;
            }
            if let Some(moment) = moment(text) {
                return moment;
            }
        }
        if is_uuid(bytes) {
            return Form::Uuid;
        }
        if let Some(address) = address(text, seen) {
            return address;
        }
        if seen.only(Seen::LOWER | Seen::UPPER | Seen::DIGIT | Seen::DASH | Seen::DOT) {
            named(text, seen)
        } else {
            Form::Text
        }
    }

    /// Whether a path segment of this form is an identifier, whatever else is seen.
    pub(crate) fn is_identifier(self) -> bool {
        match self {
            Form::Integer | Form::Decimal | Form::Digits | Form::Uuid | Form::Ulid | Form::Hex | Form::Token => true,
            Form::Date | Form::DateTime | Form::Email | Form::Ipv4 | Form::Ipv6 | Form::Uri => true,
            Form::Empty | Form::Boolean | Form::Word | Form::Slug | Form::Text => false,
        }
    }

    /// The `format` of JSON Schema for texts that all have this form.
    pub(crate) fn format(self) -> Option<&'static str> {
        match self {
            Form::Uuid => Some("uuid"),
            Form::Date => Some("date"),
            Form::DateTime => Some("date-time"),
            Form::Email => Some("email"),
            Form::Uri => Some("uri"),
            Form::Ipv4 => Some("ipv4"),
            Form::Ipv6 => Some("ipv6"),
            _ => None,
        }
    }

    /// Whether one text of this form proves it: nobody writes a UUID or a whole date-time by chance.
    pub(crate) fn is_beyond_chance(self) -> bool {
        matches!(self, Form::Uuid | Form::DateTime)
    }

    /// In words, for explanations.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Form::Empty => "empty texts",
            Form::Boolean => "booleans",
            Form::Integer => "whole numbers",
            Form::Decimal => "numbers",
            Form::Digits => "digits",
            Form::Uuid => "UUIDs",
            Form::Ulid => "ULIDs",
            Form::Hex => "hexadecimal numbers",
            Form::Token => "identifiers",
            Form::Date => "dates",
            Form::DateTime => "date-times",
            Form::Email => "e-mail addresses",
            Form::Uri => "URIs",
            Form::Ipv4 => "IPv4 addresses",
            Form::Ipv6 => "IPv6 addresses",
            Form::Word => "words",
            Form::Slug => "slugs",
            Form::Text => "texts",
        }
    }
}

/// Longer texts are prose; nothing is looked for in them.
const MAX_TEXT_LEN: usize = 2_048;

/// Characters of a token behind its `tok_`: four name the key, 22 are the digest.
const TOKEN_LEN: usize = 26;

/// Whether the value was masked: `[redacted]`, or a token that stands for it, `tok_…`; alone or inside a longer text, where
/// a token is a whole word of its length.
pub(crate) fn is_redacted(text: &str) -> bool {
    text.starts_with("tok_") && text.len() > 4 || text.contains("[redacted]") || has_token(text)
}

fn has_token(text: &str) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.match_indices("tok_").any(|(start, word)| {
        let (before, rest) = text.split_at(start);
        let len = rest.bytes().skip(word.len()).take_while(is_part).count();
        len == TOKEN_LEN && !before.bytes().next_back().is_some_and(|byte| is_part(&byte))
    })
}

/// Which classes of characters a text has.
#[derive(Clone, Copy)]
struct Seen(u8);

impl Seen {
    const LOWER: u8 = 1;
    const UPPER: u8 = 2;
    const DIGIT: u8 = 4;
    const DASH: u8 = 8;
    const DOT: u8 = 16;
    const AT: u8 = 32;
    const COLON: u8 = 64;
    const OTHER: u8 = 128;

    fn of(bytes: &[u8]) -> Seen {
        Seen(bytes.iter().fold(0, |seen, byte| {
            seen | match byte {
                b'a'..=b'z' => Seen::LOWER,
                b'A'..=b'Z' => Seen::UPPER,
                b'0'..=b'9' => Seen::DIGIT,
                b'-' | b'_' => Seen::DASH,
                b'.' => Seen::DOT,
                b'@' => Seen::AT,
                b':' => Seen::COLON,
                _ => Seen::OTHER,
            }
        }))
    }

    fn only(self, classes: u8) -> bool {
        self.0 & !classes == 0
    }

    fn has(self, classes: u8) -> bool {
        self.0 & classes == classes
    }
}

/// A fraction as programs write it has up to 17 digits that count, and zeros before them: `0.00012345678901234567`.
const MAX_DECIMAL_LEN: usize = 24;

fn number(text: &str, seen: Seen) -> Option<Form> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !seen.only(Seen::DIGIT | Seen::DASH | Seen::DOT) || digits.contains(['-', '_']) || digits.is_empty() {
        return None;
    }
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let plain = whole == "0" || !whole.starts_with('0');
    match fraction {
        None if plain && whole.len() <= 18 => Some(Form::Integer),
        None => Some(if text.starts_with('-') { Form::Slug } else { Form::Digits }),
        Some(fraction) if plain && !whole.is_empty() && !fraction.is_empty() && !fraction.contains('.') => {
            (digits.len() <= MAX_DECIMAL_LEN).then_some(Form::Decimal)
        }
        Some(_) => None,
    }
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A date, or a date-time with an offset.
fn moment(text: &str) -> Option<Form> {
    let date = text.get(..10)?;
    if !is_date(date) {
        return None;
    }
    let rest = text.get(10..)?;
    if rest.is_empty() {
        return Some(Form::Date);
    }
    let time = rest.strip_prefix(['T', 't'])?;
    let after_seconds = is_time(time.get(..8)?).then(|| time.get(8..)).flatten()?;
    let offset = match after_seconds.strip_prefix('.') {
        Some(fraction) => {
            let offset = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            (offset.len() < fraction.len()).then_some(offset)?
        }
        None => after_seconds,
    };
    let is_offset = match offset.strip_prefix(['+', '-']) {
        Some(shift) => shift.len() == 5 && is_time(&format!("{shift}:00")),
        None => matches!(offset, "Z" | "z"),
    };
    is_offset.then_some(Form::DateTime)
}

fn is_date(text: &str) -> bool {
    let Some([year, month, day]) = parts(text, '-') else { return false };
    let (Some(year), Some(month), Some(day)) = (digits(year, 4), digits(month, 2), digits(day, 2)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

fn is_time(text: &str) -> bool {
    let Some([hour, minute, second]) = parts(text, ':') else { return false };
    let below = |text, most| digits(text, 2).is_some_and(|value| value < most);
    below(hour, 24) && below(minute, 60) && below(second, 60)
}

fn parts(text: &str, separator: char) -> Option<[&str; 3]> {
    let mut parts = text.split(separator);
    let three = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(three)
}

fn digits(text: &str, len: usize) -> Option<u32> {
    (text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn address(text: &str, seen: Seen) -> Option<Form> {
    if seen.has(Seen::AT) {
        return is_email(text).then_some(Form::Email);
    }
    if seen.has(Seen::COLON) {
        if text.parse::<Ipv6Addr>().is_ok() {
            return Some(Form::Ipv6);
        }
        return is_uri(text).then_some(Form::Uri);
    }
    (seen.only(Seen::DIGIT | Seen::DOT) && text.parse::<Ipv4Addr>().is_ok()).then_some(Form::Ipv4)
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_local = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-.".contains(&byte);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    !local.is_empty()
        && local.len() <= 64
        && local.bytes().all(is_local)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && domain.contains('.')
        && domain.len() <= 253
        && domain.split('.').all(is_label)
}

/// A scheme, `://`, an authority, and only characters of RFC 3986, `%` only before two hexadecimal digits.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=%".contains(&byte);
    let escapes = rest.split('%').skip(1);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:_".contains(&byte));
    let port = host.split_once(':').map_or("", |(_, port)| port);
    is_scheme
        && is_host
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && rest.bytes().all(is_plain)
        && rest.matches('#').count() <= 1
        && escapes.into_iter().all(|after| after.get(..2).is_some_and(|two| two.bytes().all(|b| b.is_ascii_hexdigit())))
}

/// Letters, digits, dashes and dots: an identifier, or a name.
fn named(text: &str, seen: Seen) -> Form {
    if !seen.has(Seen::DIGIT) {
        return Form::Slug;
    }
    // `8f3ad2c19b.png` is as random as `8f3ad2c19b`.
    if let Some((stem, extension)) = text.rsplit_once('.')
        && (1..=5).contains(&extension.len())
        && extension.starts_with(|c: char| c.is_ascii_alphabetic())
        && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        let identified = !stem.contains('.') && Form::of(stem).is_identifier();
        return if identified { Form::Token } else { Form::Slug };
    }
    if is_ulid(text, seen) {
        return Form::Ulid;
    }
    if seen.only(Seen::LOWER | Seen::DIGIT) || seen.only(Seen::UPPER | Seen::DIGIT) {
        let form = hex_or(text, seen, Form::Slug);
        if form == Form::Hex || !is_mixed(text) {
            return form;
        }
    }
    if !seen.has(Seen::DOT) && (is_mixed(text) || is_numbered(text)) { Form::Token } else { Form::Slug }
}

fn is_ulid(text: &str, seen: Seen) -> bool {
    text.len() == 26
        && seen.only(Seen::UPPER | Seen::DIGIT)
        && text.starts_with(|c: char| ('0'..='7').contains(&c))
        && !text.contains(['I', 'L', 'O', 'U'])
}

fn hex_or(text: &str, seen: Seen, other: Form) -> Form {
    let is_hex = text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    // `deadbeef` and `facade` are words, and words of 16 hexadecimal letters are none.
    if is_hex && (seen.has(Seen::DIGIT) || text.len() >= 16) { Form::Hex } else { other }
}

/// At least 8 characters in which letters and digits, or upper and lower case, change places as only chance does.
fn is_mixed(text: &str) -> bool {
    let class = |byte: u8| match byte {
        b'0'..=b'9' => 1,
        b'A'..=b'Z' => 2,
        b'a'..=b'z' => 3,
        _ => 0,
    };
    let longest = text.split(['-', '_']).max_by_key(|part| part.len()).unwrap_or_default();
    let changes =
        longest.bytes().zip(longest.bytes().skip(1)).filter(|(one, next)| class(*one) != class(*next)).count();
    let digits = longest.bytes().filter(u8::is_ascii_digit).count();
    longest.len() >= 8 && digits >= 1 && (changes >= 4 || changes >= 3 && digits >= 3)
}

/// A short prefix and a number, as shops and payment services write them: `ORD-1001`, `inv_0042`, `usr_8fk3a`.
fn is_numbered(text: &str) -> bool {
    let Some(cut) = text.find(['-', '_']) else { return false };
    let (prefix, rest) = text.split_at(cut);
    let rest = rest.trim_start_matches(['-', '_']);
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    let shouted = !prefix.is_empty() && prefix.len() <= 6 && prefix.bytes().all(|byte| byte.is_ascii_uppercase());
    let short = (2..=5).contains(&prefix.len()) && text.as_bytes().get(cut) == Some(&b'_');
    shouted && digits >= 2 && !rest.bytes().any(|byte| byte.is_ascii_lowercase())
        || short && rest.len() >= 4 && digits >= 2 && !rest.contains(['-', '_'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_the_most_special_form_that_fits() {
        let cases: &[(Form, &[&str])] = &[
            (Form::Empty, &[""]),
            (Form::Boolean, &["true", "false"]),
            (Form::Integer, &["0", "42", "-7", "123456789012345678"]),
            (Form::Decimal, &["1.5", "-0.25"]),
            (Form::Digits, &["007", "1234567890123456789"]),
            (Form::Uuid, &["0549a790-fe19-4e1b-ae15-2ab99a2c91ad", "0549A790-FE19-4E1B-AE15-2AB99A2C91AD"]),
            (Form::Ulid, &["01ARZ3NDEKTSV4RRFFQ69G5FAV"]),
            (Form::Hex, &["507f1f77bcf86cd799439011", "3f2a9b1c", "abcdefabcdefabcd"]),
            (
                Form::Token,
                &["cus_NffrFeUfNV2Hib", "ORD-1001", "ORD-2024-0001", "V1StGXR8_Z5jdHi6B-myT", "8f3ad2c19b.png"],
            ),
            (Form::Date, &["2024-02-29"]),
            (Form::DateTime, &["2024-02-29T10:39:28Z", "2024-02-29T10:39:28.833+01:00", "2024-02-29t10:39:28z"]),
            (Form::Email, &["kimmo@example.com", "a.b+c@sub.example.co"]),
            (Form::Uri, &["https://example.com/a?b=c%20d#e", "ftp://x:21/y"]),
            (Form::Ipv4, &["10.1.2.3"]),
            (Form::Ipv6, &["::1", "2001:db8::8"]),
            (Form::Word, &["me", "Kimmo", "deadbeef", "initiate"]),
            (
                Form::Slug,
                &["how-to-tie", "v1", "resource17", "oauth2", "1.2.3.x", "user_name", "favicon.ico", "step-2", "-"],
            ),
            (Form::Text, &["Hello world", "ä", "a/b", "2023-02-29 10:00", "a@b", "http://[x", "10:20"]),
        ];

        for (form, texts) in cases {
            for text in *texts {
                assert_eq!(Form::of(text), *form, "{text}");
            }
        }
    }

    #[test]
    fn dates_that_do_not_exist_are_none() {
        for text in
            ["2023-02-29", "2024-13-01", "2024-00-10", "2024-01-32", "2024-02-29T24:00:00Z", "2024-02-29T10:00:00"]
        {
            assert!(!matches!(Form::of(text), Form::Date | Form::DateTime), "{text}");
        }
    }

    #[test]
    fn masked_values_are_told() {
        assert!(is_redacted("[redacted]") && is_redacted("Bearer [redacted]") && is_redacted("tok_9f86d081"));
        assert!(!is_redacted("tok_") && !is_redacted("token") && !is_redacted(""));
        assert!(
            is_redacted("https://h/a?t=tok_abcdefghijklmnopqrstuvwx-_&b=1")
                && is_redacted("it is tok_abcdefghijklmnopqrstuvwxyz")
        );
        assert!(
            !is_redacted("my tok_abc")
                && !is_redacted("sometok_abcdefghijklmnopqrstuvwxyz")
                && !is_redacted("it is tok_abcdefghijklmnopqrstuvwxyz0")
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = Form::of(&text);
        }
    }
}
