//! Values that are secrets by their form, whatever they are called.
//!
//! Each pattern begins with fixed bytes, so it is tried only where these stand at the beginning of a word, and reads on
//! at most to the end of what it masks. At the end of a cut text the beginning of a secret is enough.

use std::{borrow::Cow, ops::Range};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use percent_encoding::percent_decode;

use crate::{
    encoding::starts_with_escape,
    masker::{End, is_masked, starts_masked},
};
pub(crate) use beginnings::may_begin;
pub(crate) use run::may_be_text;

mod beginnings;
mod run;

/// Base64 with or without its padding, bits left over or not: a decoder for looking, not for judging.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The longest run of base64 that is decoded, in characters; a longer one is data, and its beginning is looked at.
const MOST_BASE64: usize = 16_384;

/// The characters of a secret behind its fixed beginning.
#[derive(Clone, Copy)]
enum Alphabet {
    Upper,
    Alphanumeric,
    /// And `_`.
    Word,
    /// And `_`, `-`.
    Url,
    /// And `_`, `-`, `.`.
    Dotted,
    /// And `/`.
    Path,
}

impl Alphabet {
    fn has(self, byte: u8) -> bool {
        match self {
            Alphabet::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Alphabet::Alphanumeric => byte.is_ascii_alphanumeric(),
            Alphabet::Word => byte.is_ascii_alphanumeric() || byte == b'_',
            Alphabet::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Alphabet::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Alphabet::Path => byte.is_ascii_alphanumeric() || byte == b'/',
        }
    }
}

/// Beginning, characters behind it, fewest, most.
type Prefixed = (&'static [u8], Alphabet, usize, usize);

const NO_MOST: usize = usize::MAX - 1;

/// Keys that their makers gave a beginning, so that they can be found. The fewest characters are below those that the
/// makers use, for theirs change; what is shorter has never been a key.
///
/// Source: the makers' documentation and GitHub's list of "secret scanning patterns".
const PREFIXED: [Prefixed; 36] = [
    (b"AKIA", Alphabet::Upper, 16, 16),
    (b"ASIA", Alphabet::Upper, 16, 16),
    (b"AIza", Alphabet::Url, 24, 64),
    (b"ghp_", Alphabet::Alphanumeric, 16, NO_MOST),
    (b"gho_", Alphabet::Alphanumeric, 16, NO_MOST),
    (b"ghu_", Alphabet::Alphanumeric, 16, NO_MOST),
    (b"ghs_", Alphabet::Dotted, 16, NO_MOST),
    (b"ghr_", Alphabet::Alphanumeric, 16, NO_MOST),
    (b"github_pat_", Alphabet::Word, 20, NO_MOST),
    (b"glpat-", Alphabet::Dotted, 16, NO_MOST),
    (b"xox", Alphabet::Url, 12, NO_MOST),
    (b"xapp-", Alphabet::Url, 10, NO_MOST),
    (b"hooks.slack.com/services/", Alphabet::Path, 10, NO_MOST),
    (b"sk_live_", Alphabet::Word, 10, NO_MOST),
    (b"sk_test_", Alphabet::Word, 10, NO_MOST),
    (b"rk_live_", Alphabet::Word, 10, NO_MOST),
    (b"rk_test_", Alphabet::Word, 10, NO_MOST),
    (b"whsec_", Alphabet::Alphanumeric, 10, NO_MOST),
    (b"npm_", Alphabet::Alphanumeric, 30, NO_MOST),
    (b"SG.", Alphabet::Dotted, 20, NO_MOST),
    (b"ya29.", Alphabet::Dotted, 20, NO_MOST),
    (b"GOCSPX-", Alphabet::Url, 20, NO_MOST),
    (b"hvs.", Alphabet::Url, 20, NO_MOST),
    (b"hf_", Alphabet::Alphanumeric, 30, NO_MOST),
    (b"dop_v1_", Alphabet::Alphanumeric, 32, NO_MOST),
    (b"shpat_", Alphabet::Alphanumeric, 24, NO_MOST),
    (b"shpca_", Alphabet::Alphanumeric, 24, NO_MOST),
    (b"shppa_", Alphabet::Alphanumeric, 24, NO_MOST),
    (b"shpss_", Alphabet::Alphanumeric, 24, NO_MOST),
    (b"sk-ant-", Alphabet::Url, 20, NO_MOST),
    (b"sk-proj-", Alphabet::Url, 20, NO_MOST),
    (b"sk-", Alphabet::Alphanumeric, 32, NO_MOST),
    (b"pypi-", Alphabet::Url, 50, NO_MOST),
    (b"AGE-SECRET-KEY-1", Alphabet::Upper, 40, NO_MOST),
    (b"PMAK-", Alphabet::Url, 40, NO_MOST),
    (b"base64url.bearer.authorization.k8s.io.", Alphabet::Url, 8, NO_MOST),
];

/// The first bytes of all patterns that begin a word. No payment card begins with another digit.
pub(crate) const FIRST_BYTES: &[u8] = b"AGPSbBdeghnprswxy23456";

/// A secret of known form that begins a word at `at`; its place.
pub(crate) fn find(text: &[u8], at: usize, end: End) -> Option<Range<usize>> {
    let from = text.get(at..)?;
    let found = match from.first()? {
        b'0'..=b'9' => card(text, at, end),
        b'e' => web_token(from, end),
        b'B' | b'b' => bearer_or_basic(from, end),
        _ => None,
    };
    let found = found.or_else(|| beginning_with(from).find_map(|pattern| prefixed(from, pattern, end)))?;
    let place = at.saturating_add(found.start)..at.saturating_add(found.end);
    Some(place).filter(|place| !is_masked(text.get(place.clone()).unwrap_or_default()))
}

/// For each first byte the patterns that begin with it, as bits by their place in [`PREFIXED`].
const BY_FIRST: [u64; 256] = by_first();

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "it runs in the compiler, which would say so"
)]
const fn by_first() -> [u64; 256] {
    let mut bits = [0; 256];
    let mut place = 0;
    while place < PREFIXED.len() {
        bits[PREFIXED[place].0[0] as usize] |= 1 << place;
        place += 1;
    }
    bits
}

/// The patterns whose first two bytes stand here: they tell nearly every word from all of them.
fn beginning_with(from: &[u8]) -> impl Iterator<Item = &'static Prefixed> {
    let (first, second) = (from.first().copied().unwrap_or_default(), from.get(1).copied());
    let mut bits = BY_FIRST.get(usize::from(first)).copied().unwrap_or_default();
    std::iter::from_fn(move || {
        let place = usize::try_from(bits.trailing_zeros()).ok().filter(|_| bits != 0)?;
        bits &= bits.wrapping_sub(1);
        PREFIXED.get(place)
    })
    .filter(move |(start, ..)| start.get(1).copied() == second)
}

fn run_len(text: &[u8], has: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|byte| !has(*byte)).unwrap_or(text.len())
}

fn prefixed(from: &[u8], (start, alphabet, fewest, most): &Prefixed, end: End) -> Option<Range<usize>> {
    let behind = from.strip_prefix(*start)?;
    // One more than allowed is as good as all of them, and bounds what a text of beginnings costs.
    let near = behind.get(..behind.len().min(most.saturating_add(1))).unwrap_or_default();
    let len = run_len(near, |byte| alphabet.has(byte));
    let is_cut = end == End::Cut && len == behind.len() && len > 0;
    ((*fewest..=*most).contains(&len) || is_cut).then(|| 0..start.len().saturating_add(len))
}

/// `eyJ…​.…​.…`, a JSON web token (RFC 7515, RFC 7516), signed, encrypted or neither.
fn web_token(from: &[u8], end: End) -> Option<Range<usize>> {
    let behind = from.strip_prefix(b"eyJ")?;
    let head = run_len(behind, |byte| Alphabet::Url.has(byte));
    if end == End::Cut && head == behind.len() {
        return Some(0..from.len());
    }
    if head < 8 || behind.get(head) != Some(&b'.') {
        return None;
    }
    let rest = run_len(behind.get(head..)?, |byte| Alphabet::Dotted.has(byte));
    let is_cut = end == End::Cut && head.saturating_add(rest) == behind.len();
    (rest >= 5 || is_cut).then(|| 0..head.saturating_add(rest).saturating_add(3))
}

/// `Bearer …` and `Basic …`; the place of what stands behind the word.
fn bearer_or_basic(from: &[u8], end: End) -> Option<Range<usize>> {
    let starts_with = |word: &[u8]| from.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word));
    let word: &[u8] = [&b"bearer "[..], b"basic "].into_iter().find(|word| starts_with(word))?;
    let behind = from.get(word.len()..)?;
    let spaces = run_len(behind, |byte| byte == b' ');
    let behind = behind.get(spaces..)?;
    let len = token_len(behind);
    // With its escapes undone: that is how it stands here after a secret in the same word was masked, and a second look
    // must find no more than the first.
    let token: Cow<'_, [u8]> = percent_decode(behind.get(..len)?).into();
    // `Bearer realm="…"` is a challenge, and `Bearer x-token=[redacted]` one that was masked: the sign is no padding.
    let follows = behind.get(len..).unwrap_or_default();
    if token.ends_with(b"=") && (follows.starts_with(b"\"") || starts_masked(follows)) {
        return None;
    }
    let is_cut = end == End::Cut && len == behind.len() && len > 0;
    let start = word.len().saturating_add(spaces);
    let is_credential = if word == b"basic " { is_user_and_password(&token) } else { is_bearer_token(&token) };
    (is_credential || is_cut).then(|| start..start.saturating_add(len))
}

/// The length of a credential, in which characters may be percent-encoded.
fn token_len(text: &[u8]) -> usize {
    let has = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let mut len = 0usize;
    while let Some(rest) = text.get(len..) {
        len = match rest {
            [b'%', ..] if starts_with_escape(rest) && percent_decode(rest).next().is_some_and(has) => {
                len.saturating_add(3)
            }
            [byte, ..] if has(*byte) => len.saturating_add(1),
            _ => break,
        };
    }
    len
}

/// Neither a word of a sentence about bearers, nor a parameter of a challenge: `=` stands only at the end (RFC 6750 §2.1).
fn is_bearer_token(token: &[u8]) -> bool {
    let token = token.strip_suffix(b".").unwrap_or(token);
    let padding = token.iter().rev().take_while(|byte| **byte == b'=').count();
    let body = token.get(..token.len().saturating_sub(padding)).unwrap_or_default();
    let is_word = body.iter().all(u8::is_ascii_alphabetic);
    !body.contains(&b'=') && (body.len() >= 20 || body.len() >= 6 && !is_word)
}

fn is_user_and_password(token: &[u8]) -> bool {
    decoded(token).is_some_and(|text| text.contains(&b':'))
}

/// A number of a payment card: 14 to 19 digits of a known brand with a right check digit, plain or in the groups that
/// are printed on cards.
fn card(text: &[u8], at: usize, end: End) -> Option<Range<usize>> {
    // `+49…` is a telephone, `0.4111…` a fraction.
    let before = at.checked_sub(1).and_then(|before| text.get(before));
    if matches!(before, Some(b'+' | b'.' | b'-')) {
        return None;
    }
    let from = text.get(at..)?;
    // No pause comes before the fourth digit, and most numbers are no longer.
    if !from.first_chunk::<4>().is_some_and(|four| four.iter().all(u8::is_ascii_digit)) {
        return None;
    }
    let mut number = CardNumber::default();
    let mut len = 0usize;
    let mut separator = None;
    for (index, byte) in from.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                number.push(byte.wrapping_sub(b'0'));
                len = index.saturating_add(1);
            }
            b' ' | b'-' if number.may_pause() && separator.is_none_or(|used| used == *byte) => {
                separator = Some(*byte);
                number.pause();
            }
            _ => break,
        }
    }
    let behind = from.get(len).copied();
    let follows = from.get(len.saturating_add(1)).copied();
    if behind.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        || (matches!(behind, Some(b'.' | b'-')) && follows.is_some_and(|byte| byte.is_ascii_digit()))
    {
        return None;
    }
    let is_cut = end == End::Cut && len == from.len() && number.may_begin_a_card();
    (number.is_card() || is_cut).then_some(0..len)
}

/// Whether digits alone are the number of a payment card.
pub(crate) fn is_card_number(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_digit) && card(digits, 0, End::Whole).is_some()
}

/// Digits as they come, checked by ISO/IEC 7812.
#[derive(Default)]
struct CardNumber {
    /// The first four digits, as a number.
    first: u16,
    count: usize,
    /// Digits since the last separator.
    in_group: usize,
    groups: usize,
    /// The sums of Luhn's rule, for an even and for an odd count of digits that follow.
    sums: [u32; 2],
}

impl CardNumber {
    fn push(&mut self, digit: u8) {
        let digit = u32::from(digit);
        let doubled = digit.saturating_mul(2);
        let doubled = if doubled > 9 { doubled.saturating_sub(9) } else { doubled };
        // Each digit that follows swaps which of the others are doubled.
        let [even, odd] = self.sums;
        self.sums = [odd.saturating_add(digit), even.saturating_add(doubled)];
        if self.count < 4 {
            self.first = self.first.saturating_mul(10).saturating_add(u16::try_from(digit).unwrap_or_default());
        }
        self.count = self.count.saturating_add(1);
        self.in_group = self.in_group.saturating_add(1);
    }

    /// Groups of four, or 4-6-5 and 4-6-4.
    fn may_pause(&self) -> bool {
        self.count <= 16 && (self.in_group == 4 || self.groups == 1 && self.in_group == 6)
    }

    fn pause(&mut self) {
        self.in_group = 0;
        self.groups = self.groups.saturating_add(1);
    }

    fn is_card(&self) -> bool {
        self.has_brand(self.count) && self.sums.first().is_some_and(|sum| sum.checked_rem(10) == Some(0))
    }

    /// The first half of a number that a cut took the rest of.
    fn may_begin_a_card(&self) -> bool {
        (7..=19).contains(&self.count) && (14..=19).any(|count| self.has_brand(count))
    }

    fn has_brand(&self, count: usize) -> bool {
        match self.first {
            4000..=4999 => matches!(count, 16 | 19),
            5100..=5599 | 2221..=2720 => count == 16,
            3400..=3499 | 3700..=3799 => count == 15,
            3000..=3059 | 3600..=3699 | 3800..=3999 => (14..=19).contains(&count),
            2200..=2204 | 3528..=3589 | 6011 | 6200..=6299 | 6440..=6599 => (16..=19).contains(&count),
            5000..=5099 | 5600..=5899 | 6300..=6399 | 6700..=6799 => (16..=19).contains(&count),
            _ => false,
        }
    }
}

/// `-----BEGIN LABEL-----` to `-----END LABEL-----`, or to the end of the text. Labels are in capitals (RFC 7468 §3 and
/// its registry), prose is not.
pub(crate) fn pem_block(text: &[u8], at: usize) -> Option<Range<usize>> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    const END: &[u8] = b"-----END ";

    let from = text.get(at..)?;
    let behind = from.strip_prefix(BEGIN)?;
    let label = behind.get(..behind.len().min(72))?.split(|byte| *byte == b'-').next()?;
    if !label.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ') {
        return None;
    }
    let Some(end) = behind.windows(END.len()).position(|window| window == END) else { return Some(at..text.len()) };
    let label = behind.get(end.saturating_add(END.len())..)?;
    let near = label.get(..label.len().min(72)).unwrap_or_default();
    let len = match near.windows(5).position(|window| window == b"-----") {
        Some(dashes) => {
            BEGIN.len().saturating_add(end).saturating_add(END.len()).saturating_add(dashes).saturating_add(5)
        }
        None => from.len(),
    };
    Some(at..at.saturating_add(len))
}

/// The text that a run of base64 stands for; `None`: it is no text, or too long to be looked at.
pub(crate) fn decoded(run: &[u8]) -> Option<Vec<u8>> {
    let run = run.get(..run.len().min(MOST_BASE64)).unwrap_or_default();
    // A run that was cut may have one character too many.
    let whole = if run.len() % 4 == 1 { run.get(..run.len().saturating_sub(1))? } else { run };
    let head = whole.get(..whole.len().min(16))?;
    let engine = if whole.iter().any(|byte| matches!(byte, b'-' | b'_')) { URL_SAFE } else { STANDARD };
    if !is_text(&engine.decode(head).ok()?) {
        return None;
    }
    engine.decode(whole).ok().filter(|text| is_text(text))
}

/// The bytes that a value in base64 stands for.
pub(crate) fn decoded_bytes(value: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(value).or_else(|_| URL_SAFE.decode(value)).ok()
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| !byte.is_ascii_control() || matches!(byte, b'\n' | b'\r' | b'\t'))
        && bytes.iter().filter(|byte| !byte.is_ascii()).count() <= bytes.len() / 8
}

#[cfg(test)]
mod tests;
