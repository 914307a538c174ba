//! The exchange, borrowed (for writing what a proxy sees) and owned (for reading).

use serde_json::{Map, Value};

use crate::{
    Fields, Meta, MetaRef, Method, Protocol, Timestamp,
    read::{MetaObject, object, present, present_object},
};

/// One exchange as a proxy sees it: raw bytes, borrowed. Written by [`write_line`](Self::write_line).
#[derive(Clone, Debug)]
pub struct ExchangeRef<'a> {
    /// The request; every exchange has one.
    pub request: RequestRef<'a>,
    /// The response; `None` only when no response head was ever seen.
    pub response: Option<ResponseRef<'a>>,
    /// Tributary's own facts.
    pub meta: MetaRef<'a>,
}

/// The request of an [`ExchangeRef`].
#[derive(Clone, Debug)]
pub struct RequestRef<'a> {
    /// When the request arrived.
    pub timestamp: Timestamp,
    /// One of the nine methods of the schema.
    pub method: Method,
    /// `http` or `https`, as the client spoke.
    pub protocol: Protocol,
    /// The host the client asked for, with its port if the client sent one; never empty.
    pub host: &'a [u8],
    /// The target as received: `/users?page=2`. Pathname, query and (where its readers can bear it) path come from it.
    pub path: &'a [u8],
    /// Name and value of each header in the order received; pseudo-headers (`:path` …) are left out by the writer.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// The body.
    pub body: BodyRef<'a>,
}

/// The response of an [`ExchangeRef`].
#[derive(Clone, Debug)]
pub struct ResponseRef<'a> {
    /// When the response was complete.
    pub timestamp: Timestamp,
    /// The status, 100 to 999.
    pub status_code: u16,
    /// As in [`RequestRef::headers`].
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// The body.
    pub body: BodyRef<'a>,
}

/// What was kept of one body.
///
/// Text goes to `body`; bytes that are not text go to `meta.requestBody.base64` / `meta.responseBody.base64`, and
/// `body` is then `""`. The `meta` entry is written whenever bytes were seen.
///
/// ```
/// use tributary_http_types::BodyRef;
///
/// let json = BodyRef { kept: b"{}", bytes: 2, ..BodyRef::default() };
/// let gzip = BodyRef { kept: b"\x1f\x8b\x08", bytes: 48_000, coded: true, ..BodyRef::default() };
/// assert!(!json.truncated() && gzip.truncated());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct BodyRef<'a> {
    /// The first bytes of the body, in the order received, at most the capture limit.
    pub kept: &'a [u8],
    /// How many bytes passed in all; at least `kept.len()`.
    pub bytes: u64,
    /// The bytes carry a `content-encoding` (gzip …) or a message frame (gRPC): they are not text even if they
    /// happen to be UTF-8.
    pub coded: bool,
    /// What the line has of it.
    pub shown: Shown<'a>,
}

/// What a line has of the kept bytes of a body. `bytes`, `kept` and `truncated` in `meta` tell of those that came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown<'a> {
    /// The kept bytes themselves.
    #[default]
    Kept,
    /// These: the kept bytes with secrets masked.
    Masked(&'a [u8]),
    /// Nothing, and `withheld` in `meta` says why: `compressed`, `unparseable`.
    Withheld(&'static str),
}

impl<'a> BodyRef<'a> {
    /// Whether more bytes passed than were kept.
    pub fn truncated(&self) -> bool {
        self.bytes > self.kept.len() as u64
    }

    /// The text of the body if it is text, cut at a character boundary if the body was cut inside a character.
    ///
    /// `None`: the kept bytes are not text (not UTF-8, or [`coded`](Self::coded)).
    pub fn text(&self) -> Option<&'a str> {
        if self.coded && !self.kept.is_empty() {
            return None;
        }
        match std::str::from_utf8(self.kept) {
            Ok(text) => Some(text),
            // `error_len` is `None` only for a character that the end of the input cuts.
            Err(error) if self.truncated() && error.error_len().is_none() => {
                std::str::from_utf8(self.kept.get(..error.valid_up_to())?).ok()
            }
            Err(_) => None,
        }
    }

    /// What the line has of it. The one place where a body is read for this: whether it is UTF-8 costs a look at each byte.
    pub(crate) fn written(self) -> Written<'a> {
        let text = self.text();
        let kept = text.map_or(self.kept.len(), str::len) as u64;
        let (kept, text, packed) = match self.shown {
            Shown::Kept => (kept, text, self.kept),
            Shown::Masked(bytes) => (kept, text.and_then(|_| std::str::from_utf8(bytes).ok()), bytes),
            Shown::Withheld(_) => (0, None, &b""[..]),
        };
        Written { body: self, kept, text, packed }
    }
}

/// A body as a line has it.
#[derive(Clone, Copy)]
pub(crate) struct Written<'a> {
    pub(crate) body: BodyRef<'a>,
    /// How many bytes of it were kept, and may be shown.
    pub(crate) kept: u64,
    /// What is shown, if it is text.
    pub(crate) text: Option<&'a str>,
    /// What is shown, if it is none.
    pub(crate) packed: &'a [u8],
}

/// One exchange, owned, as a reader of the stream works with it.
///
/// The schema requires only `request.method` and, if there is a response, `response.statusCode`; all else may be
/// missing in lines that others wrote. In lines of Tributary's filter all but `response` (and `request.path`, see
/// the README) are there.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpExchange {
    /// The request.
    pub request: HttpRequest,
    /// The response; missing if none was ever seen.
    pub response: Option<HttpResponse>,
    /// Free-form facts; those of Tributary are read by [`facts`](Self::facts).
    pub meta: Option<Map<String, Value>>,
}

/// The request of an [`HttpExchange`].
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpRequest {
    /// When the request was initiated.
    #[serde(default, deserialize_with = "present")]
    pub timestamp: Option<Timestamp>,
    /// The method.
    pub method: Method,
    /// The protocol.
    #[serde(default, deserialize_with = "present")]
    pub protocol: Option<Protocol>,
    /// Host name and optional port.
    #[serde(default, deserialize_with = "present")]
    pub host: Option<String>,
    /// The headers.
    #[serde(default, deserialize_with = "present")]
    pub headers: Option<Fields>,
    /// The body, if it is text.
    #[serde(default, deserialize_with = "present")]
    pub body: Option<String>,
    /// Path and query as sent.
    #[serde(default, deserialize_with = "present")]
    pub path: Option<String>,
    /// The path without the query.
    #[serde(default, deserialize_with = "present")]
    pub pathname: Option<String>,
    /// The query, decoded.
    #[serde(default, deserialize_with = "present")]
    pub query: Option<Fields>,
    /// The entire, unparsed URL; Tributary never writes it (one reader refuses it), others do.
    #[serde(default, deserialize_with = "present")]
    pub url: Option<String>,
}

/// The response of an [`HttpExchange`].
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpResponse {
    /// When the response was complete.
    #[serde(default, deserialize_with = "present")]
    pub timestamp: Option<Timestamp>,
    /// The status, 100 to 999. The schema allows any number; a status with a fraction is no HTTP status (RFC 9110 §15).
    #[serde(rename = "statusCode", deserialize_with = "crate::read::status_code")]
    pub status_code: u16,
    /// The headers.
    #[serde(default, deserialize_with = "present")]
    pub headers: Option<Fields>,
    /// The body, if it is text.
    #[serde(default, deserialize_with = "present")]
    pub body: Option<String>,
}

impl HttpExchange {
    /// Tributary's facts in `meta`; what is absent or of another type is `None`, for `meta` is free-form.
    pub fn facts(&self) -> Meta {
        self.meta.as_ref().map(Meta::from_object).unwrap_or_default()
    }
}

/// The whole line, as the reader sees it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireExchange {
    #[serde(deserialize_with = "object")]
    request: HttpRequest,
    #[serde(default, deserialize_with = "present_object")]
    response: Option<HttpResponse>,
    #[serde(default, deserialize_with = "present")]
    meta: Option<MetaObject>,
}

impl From<WireExchange> for HttpExchange {
    fn from(wire: WireExchange) -> HttpExchange {
        HttpExchange { request: wire.request, response: wire.response, meta: wire.meta.map(|meta| meta.0) }
    }
}
