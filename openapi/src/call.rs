//! One exchange, judged: what of it teaches about an interface, or why nothing does.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tributary_http_types::{Fields, HttpExchange, HttpRequest, HttpResponse, Meta, Method, Protocol};

/// Why an exchange teaches nothing about the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// There was no response.
    NoResponse,
    /// The client or the upstream went away before the end; Envoy's response flags say so.
    Aborted,
    /// Envoy answered by itself (`meta.codeDetails` is not `via_upstream`).
    LocalReply,
    /// `CONNECT`: OpenAPI has no such operation.
    Connect,
    /// A browser asked for permission (CORS preflight).
    Preflight,
    /// The target is no path: `OPTIONS *`.
    NoPath,
    /// The path has more than 18 segments or more than 4,096 bytes.
    LongPath,
    /// The status is above 599: OpenAPI has none.
    Status,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 8] = [
        Reason::NoResponse,
        Reason::Aborted,
        Reason::LocalReply,
        Reason::Connect,
        Reason::Preflight,
        Reason::NoPath,
        Reason::LongPath,
        Reason::Status,
    ];

    /// In words: `without a response`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::NoResponse => "without a response",
            Reason::Aborted => "aborted before their end",
            Reason::LocalReply => "answered by the proxy itself",
            Reason::Connect => "CONNECT, which OpenAPI cannot describe",
            Reason::Preflight => "CORS preflights",
            Reason::NoPath => "with a target that is no path",
            Reason::LongPath => "with a path that is too long",
            Reason::Status => "with a status above 599",
        }
    }
}

/// The methods of OpenAPI, in the order in which documents list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Head,
    Options,
    Trace,
}

impl Verb {
    fn of(method: Method) -> Option<Verb> {
        Some(match method {
            Method::Get => Verb::Get,
            Method::Post => Verb::Post,
            Method::Put => Verb::Put,
            Method::Patch => Verb::Patch,
            Method::Delete => Verb::Delete,
            Method::Head => Verb::Head,
            Method::Options => Verb::Options,
            Method::Trace => Verb::Trace,
            Method::Connect => return None,
        })
    }

    /// The key in a path item.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "get",
            Verb::Post => "post",
            Verb::Put => "put",
            Verb::Patch => "patch",
            Verb::Delete => "delete",
            Verb::Head => "head",
            Verb::Options => "options",
            Verb::Trace => "trace",
        }
    }
}

/// The host of exchanges that name none.
pub(crate) const UNKNOWN_HOST: &str = "unknown";

const MAX_PATH_LEN: usize = 4_096;
/// With the bounds of JSON bodies it keeps the state under the 128 levels that JSON readers bear.
const MAX_SEGMENTS: usize = 18;

/// Envoy's response flags after which a response may not be whole, or none at all.
///
/// Source: Envoy, access log command operators, `%RESPONSE_FLAGS%`.
const ABORTED: [&str; 12] = ["DC", "LR", "UR", "UC", "UT", "SI", "DPE", "UPE", "UMSDR", "DT", "DR", "UDO"];

/// One exchange that teaches.
pub(crate) struct Call<'a> {
    pub(crate) exchange: &'a HttpExchange,
    pub(crate) response: &'a HttpResponse,
    pub(crate) facts: &'a Meta,
    /// Lower case, without the default port.
    pub(crate) host: String,
    pub(crate) protocol: Protocol,
    pub(crate) verb: Verb,
    /// Begins with `/`; as sent, not decoded.
    pub(crate) pathname: Cow<'a, str>,
    pub(crate) query: Cow<'a, Fields>,
}

impl<'a> Call<'a> {
    /// Judges an exchange.
    pub(crate) fn of(exchange: &'a HttpExchange, facts: &'a Meta) -> Result<Call<'a>, Reason> {
        let request = &exchange.request;
        let verb = Verb::of(request.method).ok_or(Reason::Connect)?;
        if is_local_reply(facts) {
            return Err(Reason::LocalReply);
        }
        let response = exchange.response.as_ref().ok_or(Reason::NoResponse)?;
        if facts
            .response_flags
            .as_ref()
            .is_some_and(|flags| flags.split(',').any(|flag| ABORTED.contains(&flag.trim())))
        {
            return Err(Reason::Aborted);
        }
        if verb == Verb::Options && has_header(request, "access-control-request-method") {
            return Err(Reason::Preflight);
        }
        if response.status_code > 599 {
            return Err(Reason::Status);
        }
        let target = Target::of(request);
        let pathname = target.pathname.filter(|path| path.starts_with('/')).ok_or(Reason::NoPath)?;
        if pathname.len() > MAX_PATH_LEN || pathname.matches('/').count() > MAX_SEGMENTS {
            return Err(Reason::LongPath);
        }
        let protocol = request.protocol.or(target.protocol).unwrap_or(Protocol::Http);
        let host = request.host.as_deref().or(target.host).or_else(|| header(request, "host"));
        let host = normal_host(host.unwrap_or_default(), protocol);
        Ok(Call { exchange, response, facts, host, protocol, verb, pathname, query: target.query })
    }

    /// When the request came, or else when it was answered: milliseconds since the epoch.
    pub(crate) fn moment(&self) -> Option<i64> {
        self.exchange.request.timestamp.or(self.response.timestamp).map(|moment| moment.unix_millis())
    }
}

fn is_local_reply(facts: &Meta) -> bool {
    facts.code_details.as_ref().is_some_and(|details| !details.is_empty() && !details.starts_with("via_upstream"))
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers.as_ref().and_then(|headers| headers.first(name))
}

fn has_header(request: &HttpRequest, name: &str) -> bool {
    header(request, name).is_some()
}

fn normal_host(host: &str, protocol: Protocol) -> String {
    let host = host.trim().trim_end_matches('.').to_ascii_lowercase();
    let default_port = match protocol {
        Protocol::Http => ":80",
        Protocol::Https => ":443",
    };
    let host = host.strip_suffix(default_port).map(str::to_owned).unwrap_or(host);
    if host.is_empty() || host.len() > 255 { UNKNOWN_HOST.to_owned() } else { host }
}

/// Where a request goes, from whichever of `pathname`, `path` and `url` the line has.
struct Target<'a> {
    pathname: Option<Cow<'a, str>>,
    query: Cow<'a, Fields>,
    host: Option<&'a str>,
    protocol: Option<Protocol>,
}

impl<'a> Target<'a> {
    fn of(request: &'a HttpRequest) -> Target<'a> {
        let whole = request.path.as_deref().or(request.url.as_deref()).unwrap_or_default();
        let (scheme, rest) = whole.split_once("://").filter(|(scheme, _)| is_scheme(scheme)).unwrap_or(("", whole));
        let (host, target) = match scheme {
            "" => (None, rest),
            _ => {
                let cut = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                (rest.get(..cut), rest.get(cut..).unwrap_or_default())
            }
        };
        let target = target.split_once('#').map_or(target, |(target, _)| target);
        let (path, search) = target.split_once('?').unwrap_or((target, ""));
        let path = if path.is_empty() && host.is_some() { "/" } else { path };
        let own = request.pathname.as_deref().filter(|pathname| pathname.starts_with('/'));
        let pathname = own.or((!path.is_empty()).then_some(path)).map(Cow::Borrowed);
        let query = match &request.query {
            Some(query) => Cow::Borrowed(query),
            None => Cow::Owned(Fields::from_query(search)),
        };
        let protocol = match scheme {
            "http" => Some(Protocol::Http),
            "https" => Some(Protocol::Https),
            _ => None,
        };
        Target { pathname, query, host, protocol }
    }
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests;
