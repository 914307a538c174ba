//! JSON Lines: a body cut into lines, and the verdict on each.
//!
//! The rules, which no RFC fixes (jsonlines.org and ndjson.org agree as far as they go):
//! - A line ends in `\n` or `\r\n`; the end is no part of it. The last line needs none.
//! - Lines that are empty or hold only spaces and tabs are skipped, but counted when lines are numbered (from 1).
//! - A byte order mark at the very beginning is skipped; anywhere else it makes its line bad.
//! - A good line passes byte for byte, spaces around it included, unless a compressed body in it is unpacked or left
//!   out, or something in it is masked.
//! - A bad line is named with its number and its error, and touches no other.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use memchr::{memchr, memchr2_iter};
use serde::{Deserialize, Serialize};
use tributary_http_types::{CheckedLine, HttpExchange, OWN_LINE_DEPTH, check_line, check_own_line};

use crate::{
    decode::{DecodeCounts, decode_exchange},
    error::Refusal,
    post::is_source,
    wall::{Wall, without_break},
};

pub(crate) use part::Part;

mod part;

/// The bounds of the lines of one post.
#[derive(Clone, Copy, Debug)]
pub struct LineLimits {
    /// Bytes of a line.
    pub max_line_bytes: usize,
    /// Lines of a post, skipped ones not counted.
    pub max_lines: u64,
    /// Levels of nesting.
    pub max_depth: usize,
    /// Bytes of an unpacked body inside an exchange.
    pub max_unpacked_body_bytes: usize,
    /// Bytes of all unpacked bodies of a post.
    pub max_unpacked_bytes: usize,
}

/// One exchange on its way into a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// Which line of the post it was, from 1.
    pub number: u64,
    /// The line, without its end.
    pub line: Bytes,
    /// `meta.id`; read it with [`id`](Self::id).
    pub id: Option<Part>,
    /// `meta.source`, if it can be the name of a source. The lines of a post share it: nearly all are of one, and who asks
    /// after the post was stored need not fetch each line into the caches again.
    pub source: Option<Arc<str>>,
    /// `meta.seq`.
    pub seq: Option<u64>,
    /// `request.host`; read it with [`host`](Self::host).
    pub host: Option<Part>,
    /// It comes from the spool.
    pub replayed: bool,
    /// It holds a body as base64, which [`unpack_bodies`] has to look at.
    pub has_packed_body: bool,
}

impl Exchange {
    /// `meta.id`.
    pub(crate) fn id(&self) -> Option<&[u8]> {
        Some(self.id.as_ref()?.text(&self.line))
    }

    /// `request.host`.
    pub(crate) fn host(&self) -> Option<&[u8]> {
        Some(self.host.as_ref()?.text(&self.line))
    }

    /// Takes the line of what was made of it. Of the facts beside the line only the host may have been masked.
    fn rewrite(&mut self, changed: &HttpExchange) {
        if let Some(id) = &mut self.id {
            id.part_from(&self.line);
        }
        self.line = without_break(changed.to_line()).into();
        self.host = changed.request.host.as_deref().filter(|host| !host.is_empty()).map(Part::from);
    }
}

/// A line that never can be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RejectedLine {
    /// Which one, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub error: String,
    /// Its source and number, where they can be made out.
    #[serde(skip)]
    pub origin: Option<(String, u64)>,
}

/// The lines of a post, judged.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    /// The good ones, in order.
    pub exchanges: Vec<Exchange>,
    /// The bad ones, in order.
    pub rejected: Vec<RejectedLine>,
    /// Whether an exchange holds a body as base64, which [`unpack_bodies`] may turn into text.
    pub has_packed_bodies: bool,
}

/// Cuts a body into lines and judges each.
///
/// # Errors
/// - [`Refusal::TooManyLines`]: more than allowed; nothing of the post is taken.
pub(crate) fn judge(body: &Bytes, limits: &LineLimits, wall: &Wall) -> Result<Lines, Refusal> {
    let mut lines = Lines::default();
    let mut count = 0;
    // One for all lines: its lists keep their room.
    let mut checked = CheckedLine::default();
    let judge = Judge { body, limits, wall };
    for (number, line) in split(body) {
        count += 1;
        if count > limits.max_lines {
            continue;
        }
        match judge.line(number, line, &mut checked, lines.exchanges.last()) {
            Ok(exchange) => {
                lines.has_packed_bodies |= exchange.has_packed_body;
                lines.exchanges.push(exchange);
            }
            Err(error) => lines.rejected.push(RejectedLine { line: number, error, origin: origin(line, limits) }),
        }
    }
    if count > limits.max_lines {
        return Err(Refusal::TooManyLines { lines: count, limit: limits.max_lines });
    }
    Ok(lines)
}

/// Unpacks the compressed bodies inside exchanges and masks what is in them. It computes; keep it off the threads that
/// serve.
pub(crate) fn unpack_bodies(exchanges: &mut [Exchange], limits: &LineLimits, wall: &Wall) -> DecodeCounts {
    let mut counts = DecodeCounts::default();
    let mut allowance = limits.max_unpacked_bytes;
    for exchange in exchanges.iter_mut().filter(|exchange| exchange.has_packed_body) {
        // It was checked: it can be read.
        let Ok(mut read) = HttpExchange::from_line(&exchange.line) else { continue };
        let max_bytes = limits.max_unpacked_body_bytes;
        let decoded = wall.may_unpack() && decode_exchange(&mut read, max_bytes, &mut allowance, &mut counts);
        if wall.exchange(&mut read) || decoded {
            exchange.rewrite(&read);
        }
    }
    counts
}

/// The lines that are not skipped, with their numbers.
fn split(body: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut rest = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut number = 0;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (line, others) = match memchr(b'\n', rest) {
                Some(end) => (rest.get(..end)?, rest.get(end + 1..)?),
                None => (rest, &b""[..]),
            };
            rest = others;
            number += 1;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
                return Some((number, line));
            }
        }
        None
    })
}

/// What the lines of a post are judged by.
struct Judge<'j> {
    body: &'j Bytes,
    limits: &'j LineLimits,
    wall: &'j Wall,
}

impl Judge<'_> {
    /// `before`: the exchange before this one.
    fn line<'l>(
        &self,
        number: u64,
        line: &'l [u8],
        checked: &mut CheckedLine<'l>,
        before: Option<&Exchange>,
    ) -> Result<Exchange, String> {
        let Judge { body, limits, wall } = self;
        if line.len() > limits.max_line_bytes {
            return Err(format!("line of {} bytes is longer than {}", line.len(), limits.max_line_bytes));
        }
        check(line, checked, limits)?;
        // What holds packed bodies is masked when these were unpacked.
        let masked = if checked.has_base64_body { None } else { wall.line(line, checked) };
        let mut exchange = exchange(body.slice_ref(line), number, checked, before);
        if let Some(masked) = masked {
            exchange.rewrite(&masked);
        }
        Ok(exchange)
    }
}

fn check<'l>(line: &'l [u8], checked: &mut CheckedLine<'l>, limits: &LineLimits) -> Result<(), String> {
    // Nearly every line is one of our filter's.
    if OWN_LINE_DEPTH <= limits.max_depth && check_own_line(line, checked) {
        return Ok(());
    }
    if is_deeper_than(line, limits.max_depth) {
        return Err(format!("nested deeper than {} levels", limits.max_depth));
    }
    *checked = check_line(line).map_err(|error| error.to_string())?;
    Ok(())
}

/// The exchange of a line that was judged good before, as it came out of the spool. `None`: it is none.
pub(crate) fn recall(line: &Bytes) -> Option<Exchange> {
    Some(Exchange { replayed: true, ..exchange(line.clone(), 0, &check_line(line).ok()?, None) })
}

fn exchange(line: Bytes, number: u64, checked: &CheckedLine<'_>, before: Option<&Exchange>) -> Exchange {
    let part = |text: Option<&str>| Some(Part::of(text.filter(|text| !text.is_empty())?, &line));
    Exchange {
        number,
        id: part(checked.id.as_deref()),
        source: source(checked, before),
        seq: checked.seq,
        host: part(checked.host.as_deref()),
        replayed: false,
        has_packed_body: checked.has_base64_body,
        line,
    }
}

/// The source of a line, shared with the exchange before it if that has the same.
fn source(checked: &CheckedLine<'_>, before: Option<&Exchange>) -> Option<Arc<str>> {
    let source = checked.source.as_deref()?;
    match before.and_then(|before| before.source.as_ref()) {
        Some(known) if **known == *source => Some(Arc::clone(known)),
        _ => is_source(source).then(|| Arc::from(source)),
    }
}

/// Whether brackets are nested deeper than `max`. Strings are skipped; whether it is JSON is not asked.
fn is_deeper_than(line: &[u8], max: usize) -> bool {
    // Nearly every line has fewer brackets than it may have levels.
    if memchr2_iter(b'{', b'[', line).nth(max).is_none() {
        return false;
    }
    let mut depth = 0usize;
    let mut rest = line.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > max {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut rest),
            _ => {}
        }
    }
    false
}

fn skip_string(rest: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' => {
                rest.next();
            }
            b'"' => return,
            _ => {}
        }
    }
}

/// Source and number of a bad line, so that it leaves no gap that looks like a loss.
fn origin(line: &[u8], limits: &LineLimits) -> Option<(String, u64)> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        meta: Meta<'a>,
    }
    #[derive(Deserialize)]
    struct Meta<'a> {
        #[serde(borrow)]
        source: Cow<'a, str>,
        seq: u64,
    }
    if line.len() > limits.max_line_bytes {
        return None;
    }
    let Line { meta: Meta { source, seq } } = serde_json::from_slice(line).ok()?;
    is_source(&source).then(|| (source.into_owned(), seq))
}

#[cfg(test)]
mod tests;
