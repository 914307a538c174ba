//! From responses to what a document says of them: status, headers, content, examples.

use serde_json::{Map, Value, json};
use tributary_http_types::json_value;

use super::{
    naming::Topic,
    operations,
    schemas::{Place, Schemas},
};
use crate::{
    call::Verb,
    settings::Mode,
    sketch::{Bodies, Body, Kind, Operation, Response},
    tree::Path,
};

/// The responses of an operation, by status.
pub(crate) fn of(path: &Path, verb: Verb, operation: &Operation, schemas: &mut Schemas) -> Value {
    let mut responses = Map::new();
    for (status, response) in &operation.responses {
        let place = place(path, verb, *status, response);
        let mut object = Map::from_iter([("description".to_owned(), json!(phrase(*status)))]);
        let headers = headers(response, &place, schemas);
        if !headers.is_empty() {
            object.insert("headers".into(), headers.into());
        }
        if response.bodies.with() > 0 {
            object.insert("content".into(), content(&response.bodies, &place, schemas));
        }
        responses.insert(status.to_string(), object.into());
    }
    responses.into()
}

/// Where a response stands, and what its body is called.
pub(crate) fn place(path: &Path, verb: Verb, status: u16, response: &Response) -> Place {
    let topic = Topic::of(&path.steps);
    let concept = topic.concept();
    let text = format!("{} → {status}", operations::place(path, verb));
    let is_array =
        response.bodies.by_media.values().any(|body| body.shape.array.is_some() && body.shape.object.is_none());
    let (name, rank) = match (status, &topic.action) {
        (400.., _) => ("Error".to_owned(), 4),
        (_, Some(_)) => (concept.clone(), 2),
        (_, None) if verb == Verb::Get && topic.is_collection() && !is_array => (format!("{concept}List"), 1),
        (_, None) => (concept.clone(), if operations::is_item(path) { 0 } else { 1 }),
    };
    let items = (status < 400).then_some(concept).filter(|_| topic.is_collection());
    Place { text, concept: name, rank, items, is_root: true }
}

fn headers(response: &Response, place: &Place, schemas: &mut Schemas) -> Map<String, Value> {
    let header = |(name, param): (&str, &crate::sketch::Param)| {
        let schema = match name {
            // What a cookie is set to is nobody's business, and not always the same kind of thing.
            "set-cookie" => json!({"type": "string"}),
            _ => schemas.of_param(param, &format!("{} header {name}", place.text)),
        };
        let mut header = Map::new();
        if param.present == response.count && response.count >= schemas.enough() {
            header.insert("required".into(), true.into());
        }
        header.insert("schema".into(), schema);
        (canonical(name), header.into())
    };
    response.headers.iter().map(header).collect()
}

/// `retry-after` → `Retry-After`: as headers are written in documents.
pub(crate) fn canonical(name: &str) -> String {
    name.split('-').map(crate::words::capitalised).collect::<Vec<_>>().join("-")
}

/// The content of bodies, by media type.
pub(crate) fn content(bodies: &Bodies, place: &Place, schemas: &mut Schemas) -> Value {
    let mut content = Map::new();
    for (media, body) in &bodies.by_media {
        let kind = Kind::of(media);
        let mut object = Map::from_iter([("schema".to_owned(), schema(kind, body, place, schemas))]);
        if schemas.settings.mode == Mode::Replay {
            let examples = examples(kind, body);
            if !examples.is_empty() {
                object.insert("examples".into(), examples.into());
            }
        }
        content.insert(media.to_string(), object.into());
    }
    content.into()
}

fn schema(kind: Kind, body: &Body, place: &Place, schemas: &mut Schemas) -> Value {
    match kind {
        // Nothing sure was seen of it: it may be anything.
        Kind::Json if body.shape.is_empty() => json!({}),
        Kind::Json => schemas.of_shape(&body.shape, place),
        Kind::Form | Kind::Multipart => schemas.of_form(body, place),
        Kind::Text => json!({"type": "string"}),
        Kind::Binary => json!({"type": "string", "format": "binary"}),
    }
}

fn examples(kind: Kind, body: &Body) -> Map<String, Value> {
    let value = |text: &str| match kind {
        Kind::Json => json_value(text.as_bytes()).ok(),
        _ => Some(Value::from(text)),
    };
    let examples = body.examples.iter().filter_map(value).zip(1..);
    examples.map(|(value, number)| (format!("observed{number}"), json!({ "value": value }))).collect()
}

/// The phrases of statuses.
///
/// Source: RFC 9110 §15, RFC 6585, RFC 4918.
const PHRASES: [(u16, &str); 42] = [
    (100, "Continue"),
    (101, "Switching protocols"),
    (200, "OK"),
    (201, "Created"),
    (202, "Accepted"),
    (203, "Non-authoritative information"),
    (204, "No content"),
    (205, "Reset content"),
    (206, "Partial content"),
    (207, "Multi-status"),
    (300, "Multiple choices"),
    (301, "Moved permanently"),
    (302, "Found"),
    (303, "See other"),
    (304, "Not modified"),
    (307, "Temporary redirect"),
    (308, "Permanent redirect"),
    (400, "Bad request"),
    (401, "Unauthorized"),
    (402, "Payment required"),
    (403, "Forbidden"),
    (404, "Not found"),
    (405, "Method not allowed"),
    (406, "Not acceptable"),
    (408, "Request timeout"),
    (409, "Conflict"),
    (410, "Gone"),
    (411, "Length required"),
    (412, "Precondition failed"),
    (413, "Content too large"),
    (414, "URI too long"),
    (415, "Unsupported media type"),
    (416, "Range not satisfiable"),
    (422, "Unprocessable content"),
    (423, "Locked"),
    (428, "Precondition required"),
    (429, "Too many requests"),
    (500, "Internal server error"),
    (501, "Not implemented"),
    (502, "Bad gateway"),
    (503, "Service unavailable"),
    (504, "Gateway timeout"),
];

/// The phrase of a status; of one that has none, what its class means.
fn phrase(status: u16) -> &'static str {
    let known = PHRASES.iter().find(|(code, _)| *code == status).map(|(_, phrase)| *phrase);
    known.unwrap_or(match status {
        100..=199 => "Informational",
        200..=299 => "Success",
        300..=399 => "Redirection",
        400..=499 => "Client error",
        _ => "Server error",
    })
}
