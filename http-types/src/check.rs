//! The reader without keeping: the verdict on a line, and the few facts that delivery needs.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use crate::{
    Method, Protocol, ReadError, Timestamp,
    fields::{CheckedFields, Text},
    read::{object, parsed, present, present_object, status_code},
};

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
    /// Whether `meta` has more than Tributary's facts: trailers, or what others have put there.
    pub has_other_meta: bool,
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

/// The facts of `meta` that delivery needs.
#[derive(Default)]
struct Facts<'a> {
    id: Option<Cow<'a, str>>,
    source: Option<Cow<'a, str>>,
    seq: Option<u64>,
    has_base64_body: bool,
    has_others: bool,
}

impl<'de> Deserialize<'de> for Facts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FactsVisitor)
    }
}

/// Facts that say nothing of the traffic's content.
const PLAIN_FACTS: [&str; 11] = [
    "durationMs",
    "httpVersion",
    "clientAddress",
    "upstreamAddress",
    "cluster",
    "route",
    "direction",
    "responseFlags",
    "codeDetails",
    "degraded",
    "redactions",
];

struct FactsVisitor;

impl<'de> Visitor<'de> for FactsVisitor {
    type Value = Facts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Facts<'de>, A::Error> {
        let mut facts = Facts::default();
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match key.0.as_ref() {
                "id" => facts.id = map.next_value::<Fact<'de>>()?.text(),
                "source" => facts.source = map.next_value::<Fact<'de>>()?.text(),
                "seq" => facts.seq = map.next_value::<Fact<'de>>()?.number(),
                "requestBody" | "responseBody" => {
                    facts.has_base64_body |= matches!(map.next_value::<Fact<'de>>()?, Fact::ObjectWithBase64);
                }
                key => {
                    facts.has_others |= !PLAIN_FACTS.contains(&key);
                    map.next_value::<Fact<'de>>()?;
                }
            }
        }
        Ok(facts)
    }
}

/// Some value of `meta`, which is free-form: what is of no use is [`Fact::Other`], not an error.
///
/// Not serde's `IgnoredAny`: that skips a text without looking whether it is UTF-8, and a number without looking
/// whether there is such a one, and then the line that is passed on is read by nobody.
enum Fact<'a> {
    Text(Cow<'a, str>),
    Number(u64),
    ObjectWithBase64,
    Other,
}

impl<'a> Fact<'a> {
    fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Fact::Text(text) => Some(text),
            _ => None,
        }
    }

    fn number(self) -> Option<u64> {
        match self {
            Fact::Number(number) => Some(number),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Fact<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FactVisitor)
    }
}

struct FactVisitor;

impl<'de> Visitor<'de> for FactVisitor {
    type Value = Fact<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Fact<'de>, E> {
        Ok(Fact::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Fact<'de>, E> {
        Ok(Fact::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Fact<'de>, E> {
        Ok(Fact::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Fact<'de>, E> {
        Ok(Fact::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Fact<'de>, E> {
        Ok(Fact::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Fact<'de>, E> {
        Ok(Fact::Other)
    }

    fn visit_unit<E>(self) -> Result<Fact<'de>, E> {
        Ok(Fact::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Fact<'de>, A::Error> {
        while seq.next_element::<Fact<'de>>()?.is_some() {}
        Ok(Fact::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fact<'de>, A::Error> {
        let mut fact = Fact::Other;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            map.next_value::<Fact<'de>>()?;
            if key.0 == "base64" {
                fact = Fact::ObjectWithBase64;
            }
        }
        Ok(fact)
    }
}
