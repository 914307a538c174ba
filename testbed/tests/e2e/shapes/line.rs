//! The line that a case must give, and the comparison with the line that came.
//!
//! What differs from run to run is checked for its form and taken out first: `meta.id`, `source`, `seq`, `durationMs`
//! (against the two times), the times, the client's port, `x-request-id`, `x-envoy-upstream-service-time`, the `date`
//! of Envoy's own answers, and the address of this machine that Envoy puts into `x-forwarded-for` for a client on
//! loopback. Everything else is compared as whole values, the order of headers included.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use tributary_http_types::{Fields as Pairs, HttpExchange, HttpRequest, HttpResponse, Method, Protocol};
use tributary_testbed::message::{Call, Fields, Payload};

use super::case::{SaidBody, Says, Way, bytes_of};

/// Stands for a value that differs from run to run.
const ANY: &str = "…";

/// The limit of each body, which the cases are built around: the filter's default.
pub(crate) const LIMIT: usize = 65_536;

/// The addresses of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hosts {
    /// Where Envoy listens.
    pub(crate) listener: SocketAddr,
    /// Where the origin listens.
    pub(crate) origin: SocketAddr,
}

/// An expected line, in pieces that a case can set.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) method: Method,
    pub(crate) host: String,
    /// `None` where a reader could not bear it.
    pub(crate) path: Option<String>,
    pub(crate) pathname: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
    pub(crate) status: u16,
    pub(crate) response_headers: Vec<(String, String)>,
    pub(crate) response_body: Body,
    /// `meta` without what stands elsewhere.
    pub(crate) meta: Map<String, Value>,
    /// Where Envoy listens: the host of a request that names none.
    pub(crate) listener: String,
}

/// What becomes of the client's connection when Envoy refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// It may go on.
    Stays,
    /// It is closed.
    Closes,
}

/// A body in the line: its text, and what `meta` says of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Body {
    text: String,
    facts: Option<Value>,
}

impl Body {
    /// Text, all of it.
    pub(crate) fn text(text: impl Into<String>) -> Body {
        let text = text.into();
        let bytes = text.len() as u64;
        Body::cut(text, bytes)
    }

    /// Left out, for this reason.
    pub(crate) fn withheld(reason: &str, bytes: u64) -> Body {
        let facts = json!({"bytes": bytes, "kept": 0, "truncated": true, "withheld": reason});
        Body { text: String::new(), facts: Some(facts) }
    }

    /// The beginning of a text of this many bytes.
    pub(crate) fn cut(text: impl Into<String>, bytes: u64) -> Body {
        let text = text.into();
        let kept = text.len() as u64;
        let facts = (bytes > 0).then(|| json!({"bytes": bytes, "kept": kept, "truncated": bytes > kept}));
        Body { text, facts }
    }

    /// Bytes that are not text, in base64, of a body of this many bytes.
    pub(crate) fn base64(base64: impl Into<String>, kept: u64, bytes: u64) -> Body {
        let facts = json!({"bytes": bytes, "kept": kept, "truncated": bytes > kept, "base64": base64.into()});
        Body { text: String::new(), facts: Some(facts) }
    }

    /// The text inside a compressed body of which so many bytes were kept.
    pub(crate) fn decoded(text: impl Into<String>, kept: u64, bytes: u64) -> Body {
        let facts = json!({"bytes": bytes, "kept": kept, "truncated": bytes > kept, "decoded": true});
        Body { text: text.into(), facts: Some(facts) }
    }

    /// What plain bytes become; a case with any other bytes says itself what they become.
    fn plain(bytes: Vec<u8>) -> Body {
        match String::from_utf8(bytes) {
            Ok(text) if text.len() <= LIMIT => Body::text(text),
            _ => Body::text("the case has to say what becomes of this body"),
        }
    }
}

impl Line {
    /// The line of a plain request and a plain answer.
    pub(crate) fn of(call: &Call, says: &Says, way: Way, hosts: Hosts) -> Line {
        let (pathname, search) = call.target.split_once('?').unwrap_or((&call.target, ""));
        let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (cluster, route) = if way.is_to_http2() { ("users-http2", "users-http2") } else { ("users", "users") };
        let meta = json!({
            "httpVersion": if way.is_from_http2() { "HTTP/2" } else { "HTTP/1.1" },
            "clientAddress": "127.0.0.1",
            "upstreamAddress": hosts.origin.to_string(),
            "cluster": cluster,
            "route": route,
            "direction": "inbound",
            "codeDetails": "via_upstream",
        });
        Line {
            method: Method::from_wire(call.method.as_bytes()).unwrap_or(Method::Get),
            host: call.authority.clone(),
            path: Some(call.target.clone()),
            pathname: pathname.to_owned(),
            query: search.split('&').filter_map(pair).collect(),
            headers: request_headers(call),
            body: Body::plain(bytes_of(&call.body)),
            status: says.status,
            response_headers: response_headers(says, way),
            response_body: if call.method == "HEAD" { Body::default() } else { Body::plain(says.bytes()) },
            meta: meta.as_object().cloned().unwrap_or_default(),
            listener: hosts.listener.to_string(),
        }
    }

    /// So many secrets were masked in this place.
    pub(crate) fn masked(&mut self, place: &str, count: u64) {
        self.meta.insert("redactions".to_owned(), json!({ place: count }));
    }

    /// Another target: `path` (or none), pathname and query as they must stand in the line.
    pub(crate) fn target(&mut self, path: Option<&str>, pathname: &str, query: &[(&str, &str)]) {
        self.path = path.map(str::to_owned);
        self.pathname = pathname.to_owned();
        self.query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    }

    /// Sets a fact of `meta`, or takes it out (`null`).
    pub(crate) fn fact(&mut self, key: &str, value: Value) {
        match value {
            Value::Null => self.meta.remove(key),
            value => self.meta.insert(key.to_owned(), value),
        };
    }

    /// Refused by Envoy before any filter ran: the headers as they came, no body, nothing of an upstream.
    pub(crate) fn refused(&mut self, status: u16, details: &str, connection: Connection) {
        let of_envoy = ["x-forwarded-for", "x-forwarded-proto", "x-envoy-external-address", "x-request-id"];
        self.headers.retain(|(name, _)| !of_envoy.contains(&name.as_str()));
        self.status = status;
        let closes = (connection == Connection::Closes).then_some(("connection", "close"));
        let headers = [("date", ANY), ("server", "envoy")].into_iter().chain(closes);
        self.response_headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.response_body = Body::default();
        self.fact("codeDetails", json!(details));
        for key in ["upstreamAddress", "cluster", "route"] {
            self.fact(key, Value::Null);
        }
    }

    /// As the exchange that a reader must find.
    pub(crate) fn into_exchange(mut self) -> HttpExchange {
        let is_http1 = self.meta.get("httpVersion").and_then(Value::as_str).is_some_and(|it| it.starts_with("HTTP/1"));
        if is_http1 && self.host != self.listener {
            self.headers.insert(0, ("host".to_owned(), self.host.clone()));
        }
        let mut meta = self.meta;
        for (key, facts) in [("requestBody", self.body.facts), ("responseBody", self.response_body.facts)] {
            if let Some(facts) = facts {
                meta.insert(key.to_owned(), facts);
            }
        }
        let request = HttpRequest {
            timestamp: None,
            method: self.method,
            protocol: Some(Protocol::Http),
            host: Some(self.host),
            headers: Some(self.headers.into_iter().collect()),
            body: Some(self.body.text),
            path: self.path,
            pathname: Some(self.pathname),
            query: Some(self.query.into_iter().collect()),
            url: None,
        };
        let response = HttpResponse {
            timestamp: None,
            status_code: self.status,
            headers: Some(self.response_headers.into_iter().collect()),
            body: Some(self.response_body.text),
        };
        HttpExchange { request, response: Some(response), meta: Some(meta) }
    }
}

/// The headers of a plain request as Envoy shows them to its filters: those of the client, then Envoy's own.
fn request_headers(call: &Call) -> Vec<(String, String)> {
    // `connection` and `transfer-encoding` are gone by then: they are about one connection, and Envoy has read them.
    let mut headers = lower(&call.headers.without(&["connection"]));
    if let Payload::Whole(body) = &call.body {
        headers.push(("content-length".to_owned(), body.len().to_string()));
    }
    let of_envoy = [
        ("x-forwarded-for", ANY),
        ("x-forwarded-proto", "http"),
        ("x-envoy-external-address", "127.0.0.1"),
        ("x-request-id", ANY),
    ];
    headers.extend(of_envoy.map(|(name, value)| (name.to_owned(), value.to_owned())));
    headers
}

/// The headers of a plain answer: those of the origin. The time that Envoy's router adds is not compared.
fn response_headers(says: &Says, way: Way) -> Vec<(String, String)> {
    let mut headers = lower(&says.headers);
    match &says.body {
        SaidBody::Whole(body) => headers.push(("content-length".to_owned(), body.len().to_string())),
        SaidBody::Declared(bytes) => headers.push(("content-length".to_owned(), bytes.to_string())),
        SaidBody::Chunks(_) if !way.is_to_http2() => {
            headers.push(("transfer-encoding".to_owned(), "chunked".to_owned()));
        }
        SaidBody::Chunks(_) | SaidBody::Bare | SaidBody::UntilClose(_) => {}
    }
    headers
}

fn lower(fields: &Fields) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect()
}

/// The line without what differs from run to run, after a look at the form of that.
///
/// # Errors
/// Something that differs from run to run has not its form.
pub(crate) fn comparable(mut exchange: HttpExchange) -> Result<HttpExchange> {
    let facts = exchange.facts();
    let (source, seq) = (facts.source.context("no meta.source")?, facts.seq.context("no meta.seq")?);
    let hexadecimal = source.len() == 32 && source.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    ensure!(hexadecimal, "meta.source is {source:?}");
    ensure!(facts.id.as_deref() == Some(&format!("{source}-{seq}")), "meta.id is {:?}", facts.id);
    let meta = exchange.meta.as_mut().context("no meta")?;
    for key in ["id", "source", "seq", "durationMs"] {
        ensure!(meta.remove(key).is_some(), "no meta.{key}");
    }
    let started = exchange.request.timestamp.take().context("no request.timestamp")?;
    if let Some(response) = &mut exchange.response {
        let ended = response.timestamp.take().context("no response.timestamp")?;
        let duration = i64::try_from(facts.duration_ms.context("durationMs is no number")?)?;
        ensure!(ended.unix_millis() - started.unix_millis() == duration, "durationMs is {duration}, the times differ");
        let headers = response.headers.take().map(|headers| any(headers, "date", http_date));
        response.headers = headers.map(without_service_time);
    }
    let id = |value: &str| uuid::Uuid::parse_str(value).is_ok().then(|| ANY.to_owned());
    let headers = exchange.request.headers.take().map(|headers| any(headers, "x-request-id", id));
    exchange.request.headers = headers.map(|headers| any(headers, "x-forwarded-for", last_address));
    if let Some(address) = meta.get_mut("clientAddress") {
        let client: SocketAddr = address.as_str().context("clientAddress")?.parse().context("clientAddress")?;
        *address = json!(client.ip().to_string());
    }
    Ok(exchange)
}

/// Takes out the value of a header, if it has its form.
fn any(headers: Pairs, name: &str, taken_out: impl Fn(&str) -> Option<String>) -> Pairs {
    let replaced = |known: &str, value: &str| (known == name).then(|| taken_out(value)).flatten();
    let pairs = headers.iter().flat_map(|(known, values)| values.iter().map(move |value| (known, value)));
    pairs.map(|(known, value)| (known, replaced(known, value).unwrap_or_else(|| value.clone()))).collect()
}

/// Without the time that Envoy measured, which it leaves out when the answer came before the end of the request.
fn without_service_time(headers: Pairs) -> Pairs {
    let is_it = |name: &str, value: &str| name == "x-envoy-upstream-service-time" && value.parse::<u32>().is_ok();
    let pairs = headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value.as_str())));
    pairs.filter(|(name, value)| !is_it(name, value)).collect()
}

/// `Mon, 23 Nov 2026 02:10:17 GMT` (RFC 9110 §5.6.7).
fn http_date(value: &str) -> Option<String> {
    let shape = value.replace(|character: char| character.is_ascii_digit(), "0");
    (shape.ends_with(" 0000 00:00:00 GMT") && value.len() == 29).then(|| ANY.to_owned())
}

/// The last address of a list, which is Envoy's.
fn last_address(list: &str) -> Option<String> {
    let last = list.rsplit(',').next()?;
    last.parse::<std::net::IpAddr>().ok()?;
    Some(format!("{}{ANY}", list.strip_suffix(last)?))
}

/// Where two exchanges differ, field by field; empty if they are equal.
pub(crate) fn difference(expected: &HttpExchange, found: &HttpExchange) -> Vec<String> {
    if expected == found {
        return Vec::new();
    }
    let (one, other) = (leaves(expected), leaves(found));
    let mut told = Vec::new();
    for (name, wanted) in &one {
        match other.iter().find(|(known, _)| known == name) {
            Some((_, value)) if value == wanted => {}
            Some((_, value)) => told.push(format!("{name}: {} expected, found {}", short(wanted), short(value))),
            None => told.push(format!("{name}: {} expected, not there", short(wanted))),
        }
    }
    let known = |name: &String| one.iter().any(|(known, _)| known == name);
    told.extend(
        other
            .iter()
            .filter(|(name, _)| !known(name))
            .map(|(name, value)| format!("{name}: {} unexpected", short(value))),
    );
    if told.is_empty() {
        told.push(format!("other order: expected {:?}, found {:?}", names(&one), names(&other)));
    }
    told
}

fn names(leaves: &[(String, String)]) -> Vec<&str> {
    leaves.iter().map(|(name, _)| name.as_str()).collect()
}

fn leaves(exchange: &HttpExchange) -> Vec<(String, String)> {
    let mut found = Vec::new();
    // The writer keeps the order, so this is the line as it would stand.
    if let Ok(value) = serde_json::from_slice::<Value>(&exchange.to_line()) {
        collect("", &value, &mut found);
    }
    found
}

fn collect(name: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (key, value) in object {
                collect(&format!("{name}/{key}"), value, into);
            }
        }
        value => into.push((name.to_owned(), value.to_string())),
    }
}

/// At most the first hundred and the last sixty characters of a value.
pub(crate) fn short(value: &str) -> String {
    let length = value.chars().count();
    if length <= 200 {
        return value.to_owned();
    }
    let first: String = value.chars().take(100).collect();
    let last: String = value.chars().skip(length - 60).collect();
    format!("{first} … {last} ({length} characters)")
}

/// This many times the byte, as a body.
pub(crate) fn filled(byte: u8, count: usize) -> Bytes {
    Bytes::from(vec![byte; count])
}
