//! What each library should give back for a line: what stands in it, but for the cases listed here.
//!
//! Python gives back everything. It fills in what is not in the line: a `path`, if there is none.
//!
//! TypeScript
//! - drops `meta`;
//! - writes the names of the query in lower case; of two names that become one, the later one stays;
//! - makes a `path`, if there is none;
//! - where there is a `path`, takes `pathname` out of it with the URL parser of the platform, which resolves `.` and
//!   `..` and escapes some characters. Paths without such things have to come back unchanged, the others as that
//!   parser gives them.
//!
//! Source: the libraries' code, http-types 0.0.18 `utils.py`, 0.6.1 `index.js`.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tributary_http_types::{Fields, HttpExchange, HttpRequest, HttpResponse};

use super::Reader;

/// What one of the programs in `testbed/readers/` prints for a line.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer {
    /// The library took the line.
    Read(Value),
    /// It threw; type and text of what it threw.
    Refused(String),
}

/// The fields that did not come back as they should, each as `request.path: "/a" became "/b"`.
pub(super) fn differences(reader: Reader, exchange: &HttpExchange, read: &Value) -> Vec<String> {
    let mut read = read.clone();
    for (part, key) in [("request", "headers"), ("request", "query"), ("response", "headers")] {
        group(&mut read, part, key);
    }
    let parsed = take(&mut read, "request", "urlPathname");
    if exchange.request.path.is_none() {
        take(&mut read, "request", "path");
    }
    let mut expected = json!({
        "request": request(&exchange.request),
        "response": exchange.response.as_ref().map(response),
        "meta": exchange.meta,
    });
    if reader == Reader::TypeScript {
        let rewritten = exchange.request.path.as_deref().is_some_and(|path| !url_parser_keeps(path));
        put(&mut expected, "request", "pathname", parsed.filter(|_| rewritten));
        put(&mut expected, "request", "query", Some(lower_case(&exchange.request.query)));
        expected.as_object_mut().and_then(|object| object.remove("meta"));
    }
    let mut found = Vec::new();
    compare("", &expected, &read, &mut found);
    found
}

fn request(request: &HttpRequest) -> Value {
    json!({
        "timestamp": request.timestamp.map(|timestamp| timestamp.to_string()),
        "method": request.method.as_str(),
        "protocol": request.protocol.map(|protocol| protocol.as_str()),
        "host": request.host,
        "headers": fields(&request.headers),
        "body": request.body,
        "path": request.path,
        "pathname": request.pathname,
        "query": fields(&request.query),
    })
}

fn response(response: &HttpResponse) -> Value {
    json!({
        "timestamp": response.timestamp.map(|timestamp| timestamp.to_string()),
        "statusCode": response.status_code,
        "headers": fields(&response.headers),
        "body": response.body,
    })
}

/// Names with the list of their values; the order of the names is no part of the comparison, that of values is.
fn fields(fields: &Option<Fields>) -> Value {
    let named = |(name, values): (&str, &[String])| (name.to_owned(), json!(values));
    fields.iter().flat_map(Fields::iter).map(named).collect::<Map<_, _>>().into()
}

fn lower_case(query: &Option<Fields>) -> Value {
    let named = |(name, values): (&str, &[String])| (name.to_lowercase(), json!(values));
    query.iter().flat_map(Fields::iter).map(named).collect::<Map<_, _>>().into()
}

/// Turns the `[[name, [values]], …]` of the programs into an object.
fn group(read: &mut Value, part: &str, key: &str) {
    let pairs = take(read, part, key);
    let pairs = pairs.as_ref().and_then(Value::as_array).into_iter().flatten();
    let named = |pair: &Value| Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.clone()));
    put(read, part, key, Some(pairs.filter_map(named).collect::<Map<_, _>>().into()));
}

/// Whether a URL parser gives back this path as it is.
///
/// Source: WHATWG URL, "path state" and "path percent-encode set".
fn url_parser_keeps(path: &str) -> bool {
    let pathname = path.split('?').next().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte);
    let dots = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    pathname.bytes().all(plain) && !pathname.split('/').any(dots)
}

fn take(exchange: &mut Value, part: &str, key: &str) -> Option<Value> {
    exchange.get_mut(part)?.as_object_mut()?.remove(key)
}

fn put(exchange: &mut Value, part: &str, key: &str, value: Option<Value>) {
    let object = exchange.get_mut(part).and_then(Value::as_object_mut);
    if let (Some(object), Some(value)) = (object, value) {
        object.insert(key.to_owned(), value);
    }
}

/// Goes down both values and collects where they differ; a key that is missing and one that is null are the same.
fn compare(place: &str, expected: &Value, read: &Value, found: &mut Vec<String>) {
    if let (Value::Object(expected), Value::Object(read)) = (expected, read) {
        let more = read.keys().filter(|key| !expected.contains_key(*key));
        for key in expected.keys().chain(more) {
            let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            let of = |object: &Map<String, Value>| object.get(key).cloned().unwrap_or_default();
            compare(&place, &of(expected), &of(read), found);
        }
    } else if expected != read {
        found.push(format!("{place}: {expected} became {read}"));
    }
}

#[cfg(test)]
mod tests;
