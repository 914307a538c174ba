//! What a post says of itself in its headers, before its body is read.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, header};

use crate::error::Refusal;

/// Who posted, and which batch it is: what the acknowledgement repeats.
const SOURCE: HeaderName = HeaderName::from_static("x-tributary-source");
const BATCH: HeaderName = HeaderName::from_static("x-tributary-batch");
const COUNTERS: HeaderName = HeaderName::from_static("x-tributary-counters");

/// Bytes of a source's name.
const MAX_SOURCE_BYTES: usize = 64;

/// Counters in one report, and bytes of a counter's name.
const MAX_COUNTERS: usize = 128;
const MAX_NAME_BYTES: usize = 64;

/// What the headers of a post say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PostHeaders {
    /// How the body is compressed.
    pub encoding: Encoding,
    /// The filter that posts; `None`: some other program.
    pub sender: Option<Sender>,
}

/// A filter that posts: `x-tributary-source`, `-batch` and, if sent, `-counters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    /// The name of the VM: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub source: String,
    /// The number of the batch.
    pub batch: u64,
    /// Its counters at the moment of the post.
    pub counters: Option<Counters>,
}

/// The encodings of a post's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is.
    Identity,
    /// gzip, one or several members.
    Gzip,
    /// zstd, one or several frames.
    Zstd,
}

impl PostHeaders {
    /// Reads the headers.
    ///
    /// # Errors
    /// - [`Refusal::ContentType`], [`Refusal::ContentEncoding`]: something else is wanted.
    /// - [`Refusal::Header`]: an `x-tributary-…` header that nobody but a broken filter sends.
    pub(crate) fn read(headers: &HeaderMap) -> Result<PostHeaders, Refusal> {
        check_content_type(headers)?;
        Ok(PostHeaders { encoding: encoding(headers)?, sender: Sender::read(headers)? })
    }
}

/// JSON Lines have no registered media type; these are the names in use (jsonlines.org, ndjson.org).
fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    const JSON_LINES: [&str; 5] = [
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/json-lines",
    ];
    let value = only(headers, &header::CONTENT_TYPE).ok().flatten().ok_or(Refusal::ContentType)?;
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    if !JSON_LINES.iter().any(|known| essence.trim().eq_ignore_ascii_case(known)) {
        return Err(Refusal::ContentType);
    }
    let utf8 = |parameter: &str| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    if parameters.split(';').all(utf8) { Ok(()) } else { Err(Refusal::ContentType) }
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let value = only(headers, &header::CONTENT_ENCODING).map_err(|_| Refusal::ContentEncoding)?;
    match value.map(|value| value.trim().to_ascii_lowercase()).as_deref() {
        None | Some("" | "identity") => Ok(Encoding::Identity),
        Some("gzip" | "x-gzip") => Ok(Encoding::Gzip),
        Some("zstd") => Ok(Encoding::Zstd),
        Some(_) => Err(Refusal::ContentEncoding),
    }
}

impl Sender {
    fn read(headers: &HeaderMap) -> Result<Option<Sender>, Refusal> {
        let source = only(headers, &SOURCE)?;
        let batch = only(headers, &BATCH)?;
        let counters = only(headers, &COUNTERS)?;
        let (source, batch) = match (source, batch, counters) {
            (None, None, None) => return Ok(None),
            (None, _, _) => return Err(refused(&SOURCE, "missing; it comes with the other x-tributary headers")),
            (_, None, _) => return Err(refused(&BATCH, "missing; it comes with the other x-tributary headers")),
            (Some(source), Some(batch), _) => (source, batch),
        };
        if !is_source(source) {
            return Err(refused(&SOURCE, "not 1 to 64 of A-Z a-z 0-9 . _ -"));
        }
        let batch = number(batch).ok_or_else(|| refused(&BATCH, "not a whole number below 2^64"))?;
        let counters = counters.map(Counters::parse).transpose()?;
        Ok(Some(Sender { source: source.to_owned(), batch, counters }))
    }
}

/// Whether the text can be the name of a source.
pub(crate) fn is_source(text: &str) -> bool {
    (1..=MAX_SOURCE_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// What a filter says of itself: `seen=12,captured=12,acked=10,open=1,queued=1,in_flight=0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counters(Vec<(String, u64)>);

/// What goes up and down; everything else is cumulative.
const GAUGES: [&str; 3] = ["open", "queued", "in_flight"];

impl Counters {
    pub(crate) fn parse(text: &str) -> Result<Counters, Refusal> {
        let wrong =
            || refused(&COUNTERS, "not name=number joined by commas, names of a-z 0-9 _, at most 128, each once");
        let mut counters: Vec<(String, u64)> = Vec::new();
        for pair in text.split(',').filter(|_| !text.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
            let fits = (1..=MAX_NAME_BYTES).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            if !fits || counters.len() >= MAX_COUNTERS || counters.iter().any(|(known, _)| known == name) {
                return Err(wrong());
            }
            counters.push((name.to_owned(), number(value).ok_or_else(wrong)?));
        }
        Ok(Counters(counters))
    }

    /// Grows with everything that ever happens: of two reports of one source the one with more is the newer.
    pub(crate) fn age(&self) -> u128 {
        self.0.iter().filter(|(name, _)| !GAUGES.contains(&name.as_str())).map(|(_, value)| u128::from(*value)).sum()
    }

    /// Lines that the filter has had acknowledged, or rejected for good.
    pub(crate) fn acknowledged(&self) -> u64 {
        u64::try_from(self.get("acked") + self.get("rejected")).unwrap_or(u64::MAX)
    }

    /// Whether `seen` and `captured` are fully explained: DESIGN, "The accounting identity".
    pub(crate) fn identity_is_exact(&self) -> bool {
        let [seen, captured, acked, rejected, open, queued, in_flight] =
            ["seen", "captured", "acked", "rejected", "open", "queued", "in_flight"].map(|name| self.get(name));
        seen == self.sum("excluded_") + captured
            && captured == acked + rejected + self.sum("dropped_") + open + queued + in_flight
    }

    /// By name.
    pub(crate) fn to_map(&self) -> BTreeMap<String, u64> {
        self.0.iter().cloned().collect()
    }

    fn get(&self, name: &str) -> u128 {
        self.0.iter().find(|(known, _)| known == name).map_or(0, |(_, value)| u128::from(*value))
    }

    fn sum(&self, prefix: &str) -> u128 {
        self.0.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, value)| u128::from(*value)).sum()
    }
}

/// Digits only: `u64::from_str` takes a `+` too.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The value of a header that may stand once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(refused(name, "stands twice"));
    }
    value.to_str().map(Some).map_err(|_| refused(name, "not ASCII text"))
}

fn refused(name: &HeaderName, reason: &'static str) -> Refusal {
    Refusal::Header { name: name.clone(), reason }
}

#[cfg(test)]
mod tests;
