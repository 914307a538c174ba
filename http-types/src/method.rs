//! The closed sets of the schema: the nine methods and the two protocols.

use std::fmt;

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::error::{MAX_NAME_CHARS, shortened};

/// A request method of the format; written in lower case.
///
/// Closed: the schema knows these nine. An exchange with any other method (`PROPFIND` …) cannot be written in this
/// format, so it is counted and not recorded.
///
/// Source: http-types-schema.json, `request.method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the variants are the words of RFC 9110 §9.3 and RFC 5789")]
pub enum Method {
    Get,
    Put,
    Post,
    Patch,
    Delete,
    Options,
    Trace,
    Head,
    Connect,
}

impl Method {
    /// All nine, in the order of the schema.
    pub const ALL: [Method; 9] = [
        Method::Get,
        Method::Put,
        Method::Post,
        Method::Patch,
        Method::Delete,
        Method::Options,
        Method::Trace,
        Method::Head,
        Method::Connect,
    ];

    /// The method as the format writes it: lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "get",
            Method::Put => "put",
            Method::Post => "post",
            Method::Patch => "patch",
            Method::Delete => "delete",
            Method::Options => "options",
            Method::Trace => "trace",
            Method::Head => "head",
            Method::Connect => "connect",
        }
    }

    /// The method of a request line, as it stands on the wire (`GET`); `None` for one outside the schema's nine.
    ///
    /// Methods are case-sensitive (RFC 9110 §9.1): `get` on the wire is not `GET`, and is not recorded as it.
    pub fn from_wire(name: &[u8]) -> Option<Method> {
        Some(match name {
            b"GET" => Method::Get,
            b"PUT" => Method::Put,
            b"POST" => Method::Post,
            b"PATCH" => Method::Patch,
            b"DELETE" => Method::Delete,
            b"OPTIONS" => Method::Options,
            b"TRACE" => Method::Trace,
            b"HEAD" => Method::Head,
            b"CONNECT" => Method::Connect,
            _ => return None,
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Method {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = crate::read::text(deserializer)?;
        Method::ALL.into_iter().find(|method| method.as_str() == name).ok_or_else(|| {
            D::Error::custom(format_args!(
                "{:?} is not a method of the format (lower case: get, put, post, patch, delete, options, trace, head, connect)",
                shortened(&name, MAX_NAME_CHARS)
            ))
        })
    }
}

/// The protocol of a request: `http` or `https`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the two words of the schema")]
pub enum Protocol {
    Http,
    Https,
}

impl Protocol {
    /// The protocol as the format writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::Http => "http",
            Protocol::Https => "https",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match crate::read::text(deserializer)?.as_ref() {
            "http" => Ok(Protocol::Http),
            "https" => Ok(Protocol::Https),
            other => Err(D::Error::custom(format_args!(
                "{:?} is not a protocol of the format (http or https)",
                shortened(other, MAX_NAME_CHARS)
            ))),
        }
    }
}
