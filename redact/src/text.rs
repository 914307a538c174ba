//! A text of which nobody knows what is in it: header values, JSON strings, text bodies, what could not be parsed.
//!
//! One pass from left to right. At the beginning of a word the value patterns are tried; at `=`, `:`, `<` and `%` it is
//! looked whether a sensitive name stands before, a URL or an element follows, or an encoded text hides something:
//!
//! ```text
//! …token=SECRET&…   "password": "SECRET"   login(password: "SECRET")   <password>SECRET</password>
//! https://SECRET@host/reset/SECRET         ghp%5FSECRET                c2VjcmV0…(base64)
//! ```

mod marks;
mod next;
mod place;
mod plain;

use std::ops::Range;

use crate::{
    REDACTED,
    encoding::{form_decoded, name_decoded, starts_with_escape},
    masker::{End, Found, Masker, encode_value},
    names::{Field, Verdict},
    patterns,
};
pub(crate) use place::comment_len;
use place::{behind_gap, byte_before, ends_url, is_numeric, line_of_one_word, quoted_name, spaced_name, value_behind};

/// Shorter texts can hold neither a pattern nor a name with a value.
pub(crate) const FEWEST_BYTES: usize = 6;

/// Characters of base64 that are worth decoding: 18 bytes.
const FEWEST_BASE64: usize = 24;

/// How far a name may reach back.
const MOST_NAME: usize = 128;

/// A look is taken where these stand, whatever stands before them.
const SIGNS: &[u8] = b"=:<%-";

/// What each byte means to the scan: its class, and [above](COUNTS) it the classes that count in the byte behind it.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    classes: [u16; 256],
    /// The built-in classes once more, as the blocks have them.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    blocks: marks::Tables,
}

const SIGN: u16 = 1;
/// A pattern may begin with it, where a word begins.
const BEGINS: u16 = 2;
/// Ends a JSON string, or the part of it that stands for itself.
const STOP: u16 = 4;
/// Is none of base64's.
const GAP: u16 = 8;
/// A letter or digit: goes on with a word.
const WORD: u16 = 16;
/// How far above the class of a byte the classes stand that count behind it. `GAP` and `WORD` are never among them.
const COUNTS: u32 = 8;
/// Before a byte with which a word begins.
const BEFORE_WORD: u16 = (SIGN | BEGINS | STOP) << COUNTS;
/// Before a byte that goes on with a word.
const WITHIN_WORD: u16 = (SIGN | STOP) << COUNTS;

impl Table {
    /// `begins`: bytes with which patterns of the configuration begin.
    pub(crate) fn new(begins: impl Fn(u8) -> bool) -> Table {
        let mut classes = [0; 256];
        for (byte, class) in (0..=u8::MAX).zip(&mut classes) {
            let is_base64 = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
            *class = if SIGNS.contains(&byte) { SIGN } else { 0 }
                | if patterns::FIRST_BYTES.contains(&byte) || begins(byte) { BEGINS } else { 0 }
                | if is_base64 { 0 } else { GAP }
                | if matches!(byte, b'"' | b'\\') { STOP } else { 0 }
                | if byte.is_ascii_alphanumeric() { WORD | WITHIN_WORD } else { BEFORE_WORD };
        }
        Table {
            classes,
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            blocks: marks::Tables::new(),
        }
    }

    fn of(&self, byte: u8) -> u16 {
        self.classes.get(usize::from(byte)).copied().unwrap_or_default()
    }
}

/// The part of the source that is scanned, and what is known on the way.
struct Scan {
    start: usize,
    stop: usize,
    end: End,
    /// Where the run of base64 characters began.
    run: usize,
    /// Up to where percent-encoded words were looked at.
    decoded: usize,
    /// Where a word begins, whatever stands before: at the beginning, and behind what was masked.
    word: usize,
}

impl Scan {
    fn new(place: Range<usize>) -> Scan {
        let Range { start, end: stop } = place;
        Scan { start, stop, end: End::Whole, run: start, decoded: start, word: start }
    }

    /// Whether a letter or digit stands before, so that no word begins here.
    fn is_word_before(&self, text: &[u8], at: usize) -> bool {
        byte_before(text, at, self.word).is_some_and(|byte| byte.is_ascii_alphanumeric())
    }
}

impl Masker<'_, '_> {
    /// A whole value: JSON inside a string is read as JSON, all else is scanned.
    pub(crate) fn value(&mut self, place: Range<usize>, end: End) {
        let text = self.at(&place);
        if text.len() < FEWEST_BYTES && end == End::Whole {
            return;
        }
        let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
        if matches!(first, Some(b'{' | b'['))
            && let Some(inner) = self.inner(text)
        {
            if let Some(masked) = inner.json_or_text(end) {
                self.replace(place, &masked.bytes, masked.count);
            }
            return;
        }
        self.scan(place, end);
    }

    /// See the module.
    pub(crate) fn scan(&mut self, place: Range<usize>, end: End) {
        let Some(text) = self.source.get(..place.end) else { return };
        let mut at = place.start;
        let mut scan = Scan { end, ..Scan::new(place) };
        while let Some(here) = self.next_look(text, at, &mut scan) {
            let Some(&byte) = text.get(here) else { break };
            let class = self.rules.table.of(byte);
            at = here.saturating_add(1);
            if class & GAP != 0 {
                if here.saturating_sub(scan.run) >= FEWEST_BASE64 {
                    self.base64_run(&scan, here);
                }
                scan.run = at;
            }
            let looks = class & SIGN != 0 || class & BEGINS != 0 && !scan.is_word_before(text, here);
            if looks && let Some(next) = self.look(text, here, byte, &mut scan) {
                at = next.max(at);
                scan.run = at;
                scan.word = at;
            }
        }
        if scan.stop.saturating_sub(scan.run) >= FEWEST_BASE64 {
            self.base64_run(&scan, scan.stop);
        }
    }

    /// Looks at what begins here; where to go on if something was masked, or needs no second look.
    fn look(&mut self, text: &[u8], at: usize, byte: u8, scan: &mut Scan) -> Option<usize> {
        let next = match byte {
            b'=' => self.assignment(text, at, scan),
            b':' if text.get(at.saturating_add(1)..).is_some_and(|behind| behind.starts_with(b"//")) => {
                self.authority(text, at, scan)
            }
            b':' => self.pair(text, at, scan),
            b'<' => self.element(text, at),
            b'%' => self.percent_word(text, at, scan),
            b'-' => self.found(patterns::pem_block(text, at)),
            // A word inside base64url does not begin a token; looking at each would cost the square.
            b'e' if matches!(byte_before(text, at, scan.start), Some(b'-' | b'_')) => None,
            _ => self.found(patterns::find(text, at, scan.end)),
        };
        next.or_else(|| {
            let place = self.rules.patterns.iter().find_map(|pattern| pattern.find(text, at, scan.end));
            self.found(place)
        })
    }

    fn found(&mut self, place: Option<Range<usize>>) -> Option<usize> {
        let place = place?;
        let secret = self.at(&place);
        let next = place.end;
        self.mask(place, secret);
        Some(next)
    }

    /// `name=value`, in a query, a form, a cookie, a line of settings, an attribute.
    fn assignment(&mut self, text: &[u8], at: usize, scan: &Scan) -> Option<usize> {
        let behind = behind_spaces(text, at.saturating_add(1));
        let is_quoted = matches!(text.get(behind..)?, [b'"' | b'\'', ..] | [b'\\', b'"', ..]);
        let name = match self.name_before(text, at, scan) {
            Some(name) => name,
            // Code: only what is quoted is a value there.
            None if is_quoted => spaced_name(text, at, scan.start.max(self.settled()))?,
            None => return None,
        };
        let field = if matches!(byte_before(text, name.start, scan.start), Some(b'?' | b'&' | b'#')) {
            Field::Query
        } else {
            Field::Form
        };
        let judged = self.rules.names.judge(&name_decoded(text.get(name)?), field);
        if judged.verdict == Verdict::Harmless {
            return None;
        }
        let place = value_behind(text, if is_quoted { behind } else { at.saturating_add(1) });
        let value = form_decoded(text.get(place.clone())?);
        let next = place.end;
        if !judged.masks(value.len()) {
            return None;
        }
        self.mask(place, &value);
        Some(next)
    }

    /// The place of the name that ends here: `token`, `user%5Bpassword%5D`, `x-key`.
    fn name_before(&self, text: &[u8], at: usize, scan: &Scan) -> Option<Range<usize>> {
        let start = at.saturating_sub(MOST_NAME).max(scan.start).max(self.settled());
        let len = text.get(start..at)?.iter().rev().take_while(|byte| is_in_name(byte)).count();
        (len > 0).then(|| at.saturating_sub(len)..at)
    }

    /// `"name": value`, and `name: "value"` as GraphQL and YAML have it.
    fn pair(&mut self, text: &[u8], at: usize, scan: &Scan) -> Option<usize> {
        let quoted = quoted_name(text, at, scan.start.max(self.settled()));
        let name = match &quoted {
            Some(name) => name.clone(),
            None => self.name_before(text, at, scan)?,
        };
        // A time of day has one before each colon.
        let judged = self.rules.names.judge_spelled(text.get(name.clone())?, Field::Json);
        if judged.verdict == Verdict::Harmless {
            return None;
        }
        let behind = at.saturating_add(1);
        let start = if quoted.is_some() { behind_gap(text, behind) } else { behind_spaces(text, behind) };
        let place = match text.get(start..)? {
            [b'"' | b'\'', ..] | [b'\\', b'"', ..] => value_behind(text, start),
            rest if rest.starts_with(REDACTED.as_bytes()) => return None,
            [b'[', ..] => return Some(self.list(text, start.saturating_add(1), judged.verdict)),
            [b'{', ..] | [] => return None,
            rest if quoted.is_some() => {
                start
                    ..start.saturating_add(
                        rest.iter()
                            .position(|byte| byte.is_ascii_whitespace() || b",]}\"".contains(byte))
                            .unwrap_or(rest.len()),
                    )
            }
            rest => line_of_one_word(text, name.start, scan.start, rest).map(|len| start..start.saturating_add(len))?,
        };
        let value = text.get(place.clone())?;
        let next = place.end;
        if is_plain(value, judged.verdict) {
            return None;
        }
        self.mask(place, value);
        Some(next)
    }

    /// `["value", value]`, from behind the bracket on; says where it ends, or where something else begins in it.
    fn list(&mut self, text: &[u8], mut at: usize, verdict: Verdict) -> usize {
        while let Some(rest) = text.get(at..) {
            let place = match rest {
                [b'"' | b'\'', ..] | [b'\\', b'"', ..] => value_behind(text, at),
                [b',' | b' ' | b'\t' | b'\r' | b'\n', ..] => at..at,
                rest if rest.starts_with(REDACTED.as_bytes()) => at..at.saturating_add(REDACTED.len()),
                [] | [b']' | b'[' | b'{' | b'}' | b'$', ..] => break,
                rest => {
                    let ends = |byte: &u8| byte.is_ascii_whitespace() || b",]}[{\"'".contains(byte);
                    at..at.saturating_add(rest.iter().position(ends).unwrap_or(rest.len()))
                }
            };
            let value = text.get(place.clone()).unwrap_or_default();
            if !is_plain(value, verdict) {
                self.mask(place.clone(), value);
            }
            // Behind the value, and its quotes or the sign between two of them.
            let behind = text.get(place.end..).unwrap_or_default();
            let quotes = behind.iter().take_while(|byte| matches!(byte, b'"' | b'\'' | b'\\' | b',')).count();
            at = place.end.saturating_add(quotes).max(at.saturating_add(1));
        }
        at
    }

    /// `://user:password@host/path`, at the colon: the user goes, and what the path rules name; the rest is read as any text.
    fn authority(&mut self, text: &[u8], at: usize, scan: &Scan) -> Option<usize> {
        let is_scheme = at > scan.start && text.get(at.saturating_sub(1)).is_some_and(u8::is_ascii_alphanumeric);
        let start = at.saturating_add(3);
        let rest = text.get(start..).filter(|_| is_scheme)?;
        let len = rest.iter().position(|byte| ends_url(*byte) || b"/?#,".contains(byte)).unwrap_or(rest.len());
        let authority = rest.get(..len)?;
        let user = match authority.iter().rposition(|byte| *byte == b'@') {
            Some(user) => user,
            None if scan.end == End::Cut && len == rest.len() && authority.contains(&b':') => len,
            None => 0,
        };
        self.mask_in_url(start..start.saturating_add(user), authority.get(..user)?);
        let (host, path) = (start.saturating_add(user), start.saturating_add(len));
        // `jdbc:sqlserver://db;password=…`: these are no parts of a URL, and are read as any text is.
        let is_host = !authority.get(user..)?.iter().any(|byte| b";=&%".contains(byte));
        if self.rules.paths.is_empty() || !is_host {
            return Some(host);
        }
        self.scan(host..path, End::Whole);
        let rest = text.get(path..)?;
        let len = rest.iter().position(|byte| ends_url(*byte) || b"?#".contains(byte)).unwrap_or(rest.len());
        let path = path..path.saturating_add(len);
        for secret in self.path_secrets(path.clone()) {
            self.path_secret(secret);
        }
        Some(path.start.max(self.settled()))
    }

    /// `<name …>value<`, at the first sign.
    fn element(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let start = at.saturating_add(1);
        let near = text.get(start..start.saturating_add(MOST_NAME).min(text.len()))?;
        let len = near.iter().take_while(|byte| is_in_element_name(byte)).count();
        let judged = self.rules.names.judge(near.get(..len)?, Field::Json);
        if judged.verdict == Verdict::Harmless {
            return None;
        }
        let open = near.get(len..)?.iter().position(|byte| matches!(byte, b'>' | b'<'))?.saturating_add(len);
        if near.get(open) != Some(&b'>') || near.get(open.saturating_sub(1)) == Some(&b'/') {
            return None;
        }
        let value = start.saturating_add(open).saturating_add(1);
        let rest = text.get(value..)?;
        let len = rest.iter().position(|byte| *byte == b'<').unwrap_or(rest.len());
        let secret = rest.get(..len)?;
        if secret.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        self.mask(value..value.saturating_add(len), secret);
        Some(value.saturating_add(len))
    }

    /// A word with percent-encoded characters, read as what it stands for.
    fn percent_word(&mut self, text: &[u8], at: usize, scan: &mut Scan) -> Option<usize> {
        if at < scan.decoded || !starts_with_escape(text.get(at..)?) {
            return None;
        }
        let separates = |byte: &u8| byte.is_ascii_whitespace() || b"\"'<>=&;,".contains(byte);
        let start = scan.start.max(self.settled()).max(scan.decoded);
        let back = text.get(start..at)?.iter().rev().take_while(|byte| !separates(byte)).count();
        let start = at.saturating_sub(back);
        let len = text.get(at..)?.iter().position(separates).unwrap_or(text.len().saturating_sub(at));
        let stop = at.saturating_add(len);
        scan.decoded = stop;
        let end = if stop == scan.stop { scan.end } else { End::Whole };
        let word = form_decoded(text.get(start..stop)?);
        match self.decoded(start..stop, &word, end, encode_value) {
            Found::Secret => Some(stop),
            Found::Nothing => None,
        }
    }

    /// A run of base64 that ends before `stop`, read as what it stands for. It goes as a whole.
    fn base64_run(&mut self, scan: &Scan, stop: usize) {
        let start = scan.run.max(self.settled());
        let Some(run) = self.source.get(start..stop).filter(|run| run.len() >= FEWEST_BASE64) else { return };
        let Some(text) = patterns::decoded(run) else { return };
        let Some(mut inner) = self.inner(&text) else { return };
        inner.value(0..text.len(), if stop == scan.stop { scan.end } else { End::Whole });
        if inner.finish().is_some() {
            let padding = self.source.get(stop..scan.stop).unwrap_or_default();
            let padding = padding.iter().take_while(|byte| **byte == b'=').count();
            self.mask(start..stop.saturating_add(padding), run);
        }
    }
}

/// What a name without quotes is made of.
fn is_in_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.%[]+$~".contains(byte) || !byte.is_ascii()
}

/// What the name of an element is made of.
fn is_in_element_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.:".contains(byte) || !byte.is_ascii()
}

/// Whether a value is none of a secret: a constant, or a number where only texts are.
fn is_plain(value: &[u8], verdict: Verdict) -> bool {
    matches!(value, b"true" | b"false" | b"null") || verdict == Verdict::Text && value.iter().all(is_numeric)
}

fn behind_spaces(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from.saturating_add(rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count())
}

#[cfg(test)]
mod tests;
