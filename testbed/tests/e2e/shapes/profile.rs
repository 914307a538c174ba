//! What every line of the filter has to keep to, whatever the exchange was: the profile of the format that all of its
//! readers accept.

use serde_json::{Map, Value};
use tributary_http_types::{BODY_FACTS, HttpExchange, META_FACTS};
use tributary_testbed::recordings::Line;

const LINE: &[&str] = &["request", "response", "meta"];
const REQUEST: &[&str] = &["timestamp", "method", "protocol", "host", "headers", "body", "path", "pathname", "query"];
const RESPONSE: &[&str] = &["timestamp", "statusCode", "headers", "body"];
/// The rules that a line breaks; empty when it keeps to all.
pub(crate) fn broken_by(line: &Line) -> Vec<String> {
    let mut broken = Vec::new();
    match HttpExchange::from_line(&line.bytes) {
        Ok(exchange) => broken.extend(not_the_same(&exchange, &line.bytes)),
        Err(error) => broken.push(format!("the strict reader refuses it ({error})")),
    }
    match line.json() {
        Ok(Value::Object(object)) => broken.extend(shape(&object)),
        Ok(_) => broken.push("no object".to_owned()),
        Err(error) => broken.push(format!("{error:#}")),
    }
    let id = line.exchange().ok().and_then(|exchange| exchange.facts().id);
    if line.key.as_deref() != id.as_deref().map(str::as_bytes) {
        broken.push("the key of the record is not meta.id".to_owned());
    }
    broken
}

/// Read and written again it must be the same bytes: no other order, spacing or escapes than the format's writer has.
fn not_the_same(exchange: &HttpExchange, bytes: &[u8]) -> Option<String> {
    let written = exchange.to_line();
    (written.strip_suffix(b"\n") != Some(bytes)).then(|| "written again it is not the same bytes".to_owned())
}

fn shape(line: &Map<String, Value>) -> Vec<String> {
    let mut broken = keys("the line", line, LINE, &["response"]);
    let none = Map::new();
    let object = |key: &str| line.get(key).and_then(Value::as_object).unwrap_or(&none);
    let (request, meta) = (object("request"), object("meta"));
    broken.extend(keys("request", request, REQUEST, &["path"]));
    if line.contains_key("response") {
        broken.extend(keys("response", object("response"), RESPONSE, &[]));
    }
    let facts = META_FACTS.map(|(key, _)| key);
    broken.extend(keys("meta", meta, &facts, &facts));
    for key in ["requestBody", "responseBody"] {
        if let Some(Value::Object(body)) = meta.get(key) {
            broken.extend(keys(key, body, &BODY_FACTS, &["base64", "decoded", "withheld"]));
        }
    }
    for (name, headers) in [("request", request.get("headers")), ("response", object("response").get("headers"))] {
        broken.extend(headers.and_then(Value::as_object).into_iter().flat_map(|headers| header_names(name, headers)));
    }
    if request.get("host").and_then(Value::as_str).is_none_or(str::is_empty) {
        broken.push("no host".to_owned());
    }
    broken
}

/// Known keys only, in their order, all but the optional ones there.
fn keys(name: &str, object: &Map<String, Value>, known: &[&str], optional: &[&str]) -> Vec<String> {
    let wanted: Vec<&str> =
        known.iter().copied().filter(|key| object.contains_key(*key) || !optional.contains(key)).collect();
    let found: Vec<&str> = object.keys().map(String::as_str).collect();
    if found == wanted { Vec::new() } else { vec![format!("{name} has the keys {found:?}, not {wanted:?}")] }
}

fn header_names(message: &str, headers: &Map<String, Value>) -> Vec<String> {
    let odd = headers.iter().filter(|(name, values)| {
        let several = values.as_array().is_none_or(|values| values.len() > 1);
        name.is_empty() || name.starts_with(':') || name.bytes().any(|byte| byte.is_ascii_uppercase()) || !several
    });
    odd.map(|(name, _)| format!("{message} header {name:?}")).collect()
}
