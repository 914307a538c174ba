//! Tributary's own facts about an exchange: the `meta` object, the only place where the schema allows them.

use serde::Deserialize;
use serde_json::{Map, Value};

/// What kind of value a fact of `meta` has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactKind {
    /// A text by which a line is known: it is never masked.
    Identity,
    /// A number.
    Number,
    /// A text.
    Text,
    /// Headers: an object of texts, or arrays of texts.
    Trailers,
    /// What is known of a body: an object of [`BODY_FACTS`].
    Body,
    /// An object of numbers.
    Counts,
}

/// The keys of Tributary's facts in `meta`, in the order in which they are written. All other keys are somebody else's.
pub const META_FACTS: [(&str, FactKind); 19] = [
    ("id", FactKind::Identity),
    ("source", FactKind::Identity),
    ("seq", FactKind::Number),
    ("durationMs", FactKind::Number),
    ("requestBody", FactKind::Body),
    ("responseBody", FactKind::Body),
    ("requestTrailers", FactKind::Trailers),
    ("responseTrailers", FactKind::Trailers),
    ("httpVersion", FactKind::Text),
    ("clientAddress", FactKind::Text),
    ("upstreamAddress", FactKind::Text),
    ("cluster", FactKind::Text),
    ("route", FactKind::Text),
    ("direction", FactKind::Text),
    ("responseFlags", FactKind::Text),
    ("codeDetails", FactKind::Text),
    ("degraded", FactKind::Text),
    ("redactions", FactKind::Counts),
    ("sampleRate", FactKind::Number),
];

/// The keys of what is known of a body, in the order in which they are written; `decoded` is the collector's.
pub const BODY_FACTS: [&str; 6] = ["bytes", "kept", "truncated", "base64", "decoded", "withheld"];

/// How many texts [`META_FACTS`] has.
pub(crate) const TEXT_FACTS: usize = 9;

impl FactKind {
    /// The kind of a key of `meta`; `None`: it is somebody else's.
    pub fn of(key: &str) -> Option<FactKind> {
        META_FACTS.iter().find(|(known, _)| *known == key).map(|(_, kind)| *kind)
    }
}

/// The facts of `meta`, borrowed, for writing. Absent facts are absent keys; `id` is made from `source` and `seq`.
///
/// The keys are those of [`Meta`]. No key is named `method` or `protocol`: that kills one of the format's readers.
#[derive(Clone, Debug, Default)]
pub struct MetaRef<'a> {
    /// The VM that saw the exchange: 32 hexadecimal digits.
    pub source: &'a str,
    /// 0, 1, 2 … per source; a gap is a loss that any consumer can see.
    pub seq: u64,
    /// From the request's arrival to the end of the exchange, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Request trailers, in order, values as received.
    pub request_trailers: &'a [(&'a [u8], &'a [u8])],
    /// Response trailers, in order, values as received.
    pub response_trailers: &'a [(&'a [u8], &'a [u8])],
    /// `HTTP/1.1`, `HTTP/2`, `HTTP/3`, as the client spoke.
    pub http_version: Option<&'a [u8]>,
    /// `ip:port` of the client.
    pub client_address: Option<&'a [u8]>,
    /// `ip:port` of the upstream that answered.
    pub upstream_address: Option<&'a [u8]>,
    /// Envoy's name of the upstream cluster.
    pub cluster: Option<&'a [u8]>,
    /// Envoy's name of the route.
    pub route: Option<&'a [u8]>,
    /// Which way the traffic goes, seen from the workload.
    pub direction: Option<Direction>,
    /// Envoy's response flags, short form, joined by `,`: `UC`, `DC` …; empty means none and is not written.
    pub response_flags: &'a str,
    /// Envoy's response code details: `via_upstream`, `route_not_found` …
    pub code_details: Option<&'a [u8]>,
    /// What was left out because the filter's memory was short; `None`: nothing was.
    pub degraded: Option<Degraded>,
    /// The share of exchanges that is captured, above 0 to 1; written only below 1.
    pub sample_rate: Option<f64>,
    /// How many secrets were masked, by place; empty means none and is not written.
    pub redactions: &'a [(&'a str, u64)],
}

/// How much of an exchange was kept while the filter's memory was short: the steps of its memory ladder.
///
/// What is left out of a body shows in its facts: `bytes` tells what passed, `kept` what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Degraded {
    /// The heads are whole, bodies may be missing or cut: `"heads"`.
    Heads,
    /// Headers and trailers of one side or both are missing too: `"meta"`.
    Meta,
}

impl Degraded {
    /// The step as the format writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Degraded::Heads => "heads",
            Degraded::Meta => "meta",
        }
    }
}

/// The way of the traffic, from the workload's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the workload.
    Inbound,
    /// From the workload.
    Outbound,
}

impl Direction {
    /// The direction as the format writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
        }
    }
}

/// The facts of `meta`, owned, as read from a line.
///
/// `meta` is free-form: a fact that is absent, or of another type because somebody else wrote the line, is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meta {
    /// `<source>-<seq>`: the identity of the exchange.
    pub id: Option<String>,
    /// See [`MetaRef::source`].
    pub source: Option<String>,
    /// See [`MetaRef::seq`].
    pub seq: Option<u64>,
    /// See [`MetaRef::duration_ms`].
    pub duration_ms: Option<u64>,
    /// What is known of the request body; `None` if no byte of it was seen.
    pub request_body: Option<BodyFacts>,
    /// What is known of the response body; `None` if no byte of it was seen.
    pub response_body: Option<BodyFacts>,
    /// See [`MetaRef::response_flags`].
    pub response_flags: Option<String>,
    /// See [`MetaRef::code_details`].
    pub code_details: Option<String>,
    /// See [`MetaRef::degraded`].
    pub degraded: Option<Degraded>,
}

impl Meta {
    pub(crate) fn from_object(object: &Map<String, Value>) -> Meta {
        Meta {
            id: fact(object, "id"),
            source: fact(object, "source"),
            seq: fact(object, "seq"),
            duration_ms: fact(object, "durationMs"),
            request_body: fact(object, "requestBody"),
            response_body: fact(object, "responseBody"),
            response_flags: fact(object, "responseFlags"),
            code_details: fact(object, "codeDetails"),
            degraded: fact(object, "degraded"),
        }
    }
}

fn fact<T: for<'de> Deserialize<'de>>(object: &Map<String, Value>, key: &str) -> Option<T> {
    T::deserialize(object.get(key)?).ok()
}

/// What is known of one body: `{"bytes":70000,"kept":65536,"truncated":true}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BodyFacts {
    /// How many bytes passed.
    pub bytes: u64,
    /// How many of them were kept: all, or the capture limit, or up to three fewer where a character was cut.
    pub kept: u64,
    /// Whether more passed than was kept.
    pub truncated: bool,
    /// The kept bytes in base64 (RFC 4648 §4, padded), if they are not text; `body` is then `""`.
    #[serde(default)]
    pub base64: Option<String>,
}
