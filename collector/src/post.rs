//! What a post says of itself in its headers, before its body is read.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, header};

use crate::error::Refusal;

/// Who posted, and which batch it is: what the acknowledgement repeats.
const SOURCE: HeaderName = HeaderName::from_static("x-tributary-source");
const BATCH: HeaderName = HeaderName::from_static("x-tributary-batch");
const COUNTERS: HeaderName = HeaderName::from_static("x-tributary-counters");
const HEARTBEAT: HeaderName = HeaderName::from_static("x-tributary-heartbeat");

/// Bytes of a source's name.
const MAX_SOURCE_BYTES: usize = 64;

/// Counters in one report, and bytes of a counter's name.
const MAX_COUNTERS: usize = 128;
const MAX_NAME_BYTES: usize = 64;

/// The longest heartbeat that is believed, in milliseconds: a day.
const MAX_HEARTBEAT_MS: u64 = 86_400_000;

/// What the headers of a post say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PostHeaders {
    /// How the body is compressed.
    pub encoding: Encoding,
    /// The filter that posts; `None`: some other program.
    pub sender: Option<Sender>,
}

/// A filter that posts: `x-tributary-source`, `-batch` and, if sent, `-counters` and `-heartbeat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    /// The name of the VM: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub source: String,
    /// The number of the batch.
    pub batch: u64,
    /// Its counters at the moment of the post: `seen=12,captured=12,acked=10,open=1,queued=1,in_flight=0`.
    pub counters: Option<BTreeMap<String, u64>>,
    /// How often it reports at least while something is pending, in milliseconds; `None`: it does not say.
    pub heartbeat_ms: Option<u64>,
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
        let heartbeat = only(headers, &HEARTBEAT)?;
        let (source, batch) = match (source, batch, counters.or(heartbeat)) {
            (None, None, None) => return Ok(None),
            (None, _, _) => return Err(refused(&SOURCE, "missing; it comes with the other x-tributary headers")),
            (_, None, _) => return Err(refused(&BATCH, "missing; it comes with the other x-tributary headers")),
            (Some(source), Some(batch), _) => (source, batch),
        };
        if !is_source(source) {
            return Err(refused(&SOURCE, "not 1 to 64 of A-Z a-z 0-9 . _ -"));
        }
        let batch = number(batch).ok_or_else(|| refused(&BATCH, "not a whole number below 2^64"))?;
        let counters = counters.map(parse_counters).transpose()?;
        let heartbeat_ms = heartbeat.map(parse_heartbeat).transpose()?;
        Ok(Some(Sender { source: source.to_owned(), batch, counters, heartbeat_ms }))
    }
}

fn parse_heartbeat(text: &str) -> Result<u64, Refusal> {
    let millis = number(text).filter(|millis| (1..=MAX_HEARTBEAT_MS).contains(millis));
    millis.ok_or_else(|| refused(&HEARTBEAT, "not a number of milliseconds from 1 to 86400000"))
}

fn parse_counters(text: &str) -> Result<BTreeMap<String, u64>, Refusal> {
    let wrong = || refused(&COUNTERS, "not name=number joined by commas, names of a-z 0-9 _, at most 128, each once");
    let mut counters = BTreeMap::new();
    for pair in text.split(',').filter(|_| !text.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
        let fits = (1..=MAX_NAME_BYTES).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !fits || counters.len() >= MAX_COUNTERS {
            return Err(wrong());
        }
        if counters.insert(name.to_owned(), number(value).ok_or_else(wrong)?).is_some() {
            return Err(wrong());
        }
    }
    Ok(counters)
}

/// Whether the text can be the name of a source.
pub(crate) fn is_source(text: &str) -> bool {
    (1..=MAX_SOURCE_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
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
