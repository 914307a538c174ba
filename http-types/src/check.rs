//! The reader without keeping: the verdict on a line, and the few facts that delivery needs.

use std::borrow::Cow;

use serde::Deserialize;

use crate::{
    Method, Protocol, ReadError, Timestamp,
    fields::{CheckedFields, Text},
    meta::TEXT_FACTS,
    read::{object, parsed, present, present_object, status_code},
};

use facts::Facts;
pub use own::{OWN_LINE_DEPTH, check_own_line};

mod facts;
mod own;

/// What [`check_line`] found in a line that is an exchange of this format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckedLine<'a> {
    /// `meta.id`, if it is a string.
    pub id: Option<Cow<'a, str>>,
    /// `meta.source`, if it is a string.
    pub source: Option<Cow<'a, str>>,
    /// `meta.seq`, if it is a whole number.
    pub seq: Option<u64>,
    /// `request.host`.
    pub host: Option<Cow<'a, str>>,
    /// Whether a body lies in `meta` as base64: it may be a compressed one that can be decoded.
    pub has_base64_body: bool,
    /// Whether `meta` has more than Tributary's facts, each of its kind: trailers, or what others have put there.
    pub has_other_meta: bool,
    /// Tributary's facts in `meta` that are texts, in the order of [`META_FACTS`](crate::META_FACTS).
    pub meta_texts: [Option<Cow<'a, str>>; TEXT_FACTS],
    /// What the request says.
    pub request: CheckedTexts<'a>,
    /// What the response says.
    pub response: CheckedTexts<'a>,
}

/// The texts of one side of a [`CheckedLine`]; what is missing is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckedTexts<'a> {
    /// The headers.
    pub headers: CheckedFields<'a>,
    /// The body, if it is text.
    pub body: Option<Cow<'a, str>>,
    /// Path and query as sent; of requests.
    pub path: Option<Cow<'a, str>>,
    /// The path without the query; of requests.
    pub pathname: Option<Cow<'a, str>>,
    /// The query, decoded; of requests.
    pub query: CheckedFields<'a>,
    /// The unparsed URL; of requests, from others.
    pub url: Option<Cow<'a, str>>,
}

impl CheckedLine<'_> {
    /// Makes it that of no line; its lists keep their room.
    fn clear(&mut self) {
        // Nothing is left out, so that a new field cannot keep what another line had.
        let CheckedLine { id, source, seq, host, has_base64_body, has_other_meta, meta_texts, request, response } =
            self;
        [id, source, host].into_iter().chain(meta_texts).for_each(|text| *text = None);
        *seq = None;
        (*has_base64_body, *has_other_meta) = (false, false);
        request.clear();
        response.clear();
    }
}

impl CheckedTexts<'_> {
    fn clear(&mut self) {
        let CheckedTexts { headers, body, path, pathname, query, url } = self;
        [body, path, pathname, url].into_iter().for_each(|text| *text = None);
        headers.clear();
        query.clear();
    }
}

/// Checks one line, with or without its line break, as [`HttpExchange::from_line`](crate::HttpExchange::from_line)
/// reads it, and takes nothing apart: the texts are those of the line, where they have no escapes. For programs that pass lines on byte for byte.
///
/// The verdicts are the same, inside `meta` too.
///
/// # Errors
/// Those of [`HttpExchange::from_line`](crate::HttpExchange::from_line).
pub fn check_line(line: &[u8]) -> Result<CheckedLine<'_>, ReadError> {
    let wire: Wire<'_> = parsed(line)?;
    let meta = wire.meta.unwrap_or_default();
    fn text(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
        text.map(|text| text.0)
    }
    let Request { host, headers, body, path, pathname, query, url, .. } = wire.request;
    let response = wire.response.map(|response| CheckedTexts {
        headers: response.headers.unwrap_or_default(),
        body: response.body.map(|body| body.0),
        ..CheckedTexts::default()
    });
    Ok(CheckedLine {
        id: meta.id,
        source: meta.source,
        seq: meta.seq,
        host: host.map(|host| host.0),
        has_base64_body: meta.has_base64_body,
        has_other_meta: meta.has_others,
        meta_texts: meta.texts,
        request: CheckedTexts {
            headers: headers.unwrap_or_default(),
            body: text(body),
            path: text(path),
            pathname: text(pathname),
            query: query.unwrap_or_default(),
            url: text(url),
        },
        response: response.unwrap_or_default(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow, deserialize_with = "object")]
    request: Request<'a>,
    #[serde(borrow, default, deserialize_with = "present_object")]
    response: Option<Response<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    meta: Option<Facts<'a>>,
}

/// As [`HttpRequest`](crate::HttpRequest); a property test holds the two to the same verdicts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request<'a> {
    #[serde(default, rename = "timestamp", deserialize_with = "present")]
    _timestamp: Option<Timestamp>,
    #[serde(rename = "method")]
    _method: Method,
    #[serde(default, rename = "protocol", deserialize_with = "present")]
    _protocol: Option<Protocol>,
    #[serde(borrow, default, deserialize_with = "present")]
    host: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    headers: Option<CheckedFields<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    body: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    path: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    pathname: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    query: Option<CheckedFields<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    url: Option<Text<'a>>,
}

/// As [`HttpResponse`](crate::HttpResponse).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Response<'a> {
    #[serde(default, rename = "timestamp", deserialize_with = "present")]
    _timestamp: Option<Timestamp>,
    #[serde(rename = "statusCode", deserialize_with = "status_code")]
    _status_code: u16,
    #[serde(borrow, default, deserialize_with = "present")]
    headers: Option<CheckedFields<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    body: Option<Text<'a>>,
}
