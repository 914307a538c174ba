//! Where what was seen cannot be what a hand-written document says.
//!
//! What the document only lacks is no contradiction: it is added. What is checked are sketches of many values, so each
//! contradiction comes with the number of exchanges that show it, and what a sketch cannot decide is not claimed.

use serde_json::{Map, Value};

use super::{
    Base, Contradiction,
    extend::{Known, is_documented},
};
use crate::{
    call::Verb,
    describe::place,
    sketch::{Body, Kind, Object, Operation, Params, Shape, Texts},
    tree::Path,
};

/// Levels of a schema that are followed; it may refer to itself.
const MAX_DEPTH: usize = 12;

impl Base {
    /// What the operations that the document has say against it; sorted by place.
    pub(crate) fn contradictions(&self, paths: &[Path]) -> Vec<Contradiction> {
        let mut found = Found { base: self, all: Vec::new() };
        for path in paths {
            let Known::There(known) = self.place_of(&path.template) else { continue };
            let item = self.document.get("paths").and_then(|paths| paths.get(&known));
            for (verb, operation) in path.operations.iter() {
                if let Some(documented) = item.and_then(|item| item.get(verb.as_str())) {
                    found.operation(item, documented, path, *verb, operation);
                }
            }
        }
        found.all.sort();
        found.all.dedup();
        found.all
    }
}

struct Found<'b> {
    base: &'b Base,
    all: Vec<Contradiction>,
}

impl Found<'_> {
    fn add(&mut self, place: &str, what: String) {
        self.all.push(Contradiction { place: place.to_owned(), what });
    }

    fn operation(&mut self, item: Option<&Value>, documented: &Value, path: &Path, verb: Verb, operation: &Operation) {
        let place = place(path, verb);
        let requests = operation.requests();
        let lists = [item.and_then(|item| item.get("parameters")), documented.get("parameters")];
        for parameter in lists.into_iter().flatten().filter_map(Value::as_array).flatten() {
            let parameter = self.base.resolved(parameter);
            let (name, kind) = (text(parameter, "name"), text(parameter, "in"));
            let seen = match kind {
                "query" => requests.query.get(name),
                "header" => requests.headers.get(&name.to_ascii_lowercase()),
                "cookie" => requests.cookies.get(name),
                _ => continue,
            };
            let is_kept = kind != "header" || crate::noise::is_request_parameter(&name.to_ascii_lowercase());
            let is_key = crate::credentials::is_key(name) || crate::credentials::is_session(name);
            let present = seen.map_or(0, |param| param.present);
            if is_true(parameter, "required") && is_kept && !is_key && present < requests.count {
                let missing = requests.count - present;
                self.add(&place, format!("{kind} parameter {name} is required, but missing in {missing} requests"));
            }
        }
        if let Some(body) = documented.get("requestBody").map(|body| self.base.resolved(body)) {
            let bodies = &requests.bodies;
            if is_true(body, "required") && bodies.without > 0 {
                self.add(&place, format!("a body is required, but missing in {} requests", bodies.without));
            }
            let bodies = bodies.by_media.iter().map(|(media, body)| (&**media, &**body));
            self.content(&format!("{place} request"), body.get("content"), bodies);
        }
        if let Some(responses) = documented.get("responses").and_then(Value::as_object) {
            self.responses(&place, responses, operation);
        }
    }

    fn responses(&mut self, place: &str, responses: &Map<String, Value>, operation: &Operation) {
        for (status, response) in &operation.responses {
            let status = status.to_string();
            if !is_documented(responses, &status) {
                continue;
            }
            let range = format!("{}XX", status.get(..1).unwrap_or_default());
            let documented = [status.as_str(), &range, "default"].into_iter().find_map(|key| responses.get(key));
            let Some(documented) = documented.map(|response| self.base.resolved(response)) else { continue };
            let bodies = response.bodies.by_media.iter().map(|(media, body)| (&**media, &**body));
            self.content(&format!("{place} → {status}"), documented.get("content"), bodies);
        }
    }

    fn content<'s>(&mut self, place: &str, content: Option<&Value>, bodies: impl Iterator<Item = (&'s str, &'s Body)>) {
        let Some(content) = content.and_then(Value::as_object) else { return };
        for (media, body) in bodies {
            let range = format!("{}/*", media.split('/').next().unwrap_or_default());
            let same =
                |key: &str| key.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(media));
            let documented = content.iter().find(|(key, _)| same(key)).map(|(_, object)| object);
            let documented = documented.or_else(|| content.get(&range)).or_else(|| content.get("*/*"));
            let Some(documented) = documented else {
                self.add(place, format!("{} bodies are {media}, which is not among its media types", body.count));
                continue;
            };
            if let (Kind::Json, Some(schema)) = (Kind::of(media), documented.get("schema")) {
                self.shape(place, schema, &body.shape, 0);
            } else if let (Kind::Form | Kind::Multipart, Some(schema)) = (Kind::of(media), documented.get("schema")) {
                self.form(place, schema, &body.fields, body);
            }
        }
    }

    fn form(&mut self, place: &str, schema: &Value, fields: &Params, body: &Body) {
        let schema = self.base.resolved(schema);
        for name in required(schema) {
            let present = fields.get(name).map_or(0, |param| param.present);
            if body.whole_forms == body.count && present < body.count {
                self.add(
                    place,
                    format!("{name} is required, but missing in {} of {}", body.count - present, body.count),
                );
            }
        }
    }

    fn shape(&mut self, place: &str, schema: &Value, shape: &Shape, depth: usize) {
        let schema = self.base.resolved(schema);
        if depth > MAX_DEPTH || shape.is_empty() {
            return;
        }
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.shape(place, part, shape, depth + 1);
        }
        for (kind, count) in kinds(shape) {
            if !self.allows(schema, kind, depth) {
                self.add(place, format!("{count} values are {kind}, which its schema does not allow"));
            }
        }
        if let Some(texts) = &shape.texts {
            self.texts(place, schema, texts);
        }
        if let Some(object) = &shape.object {
            self.object(place, schema, object, depth);
        }
        if let (Some(array), Some(items)) = (&shape.array, schema.get("items")) {
            self.shape(&format!("{place}[]"), items, &array.items, depth + 1);
        }
    }

    fn texts(&mut self, place: &str, schema: &Value, texts: &Texts) {
        let (Some(allowed), Some(few)) = (schema.get("enum").and_then(Value::as_array), texts.few()) else { return };
        let outside = few.iter().filter(|(text, _)| !allowed.iter().any(|value| value.as_str() == Some(text)));
        let count = outside.fold(0u64, |sum, (_, count)| sum.saturating_add(*count));
        if count > 0 {
            // Which ones is not said: the values are the clients'.
            self.add(place, format!("{count} values are not in its enum"));
        }
    }

    fn object(&mut self, place: &str, schema: &Value, object: &Object, depth: usize) {
        if object.is_map {
            return;
        }
        for name in required(schema) {
            let present = object.props.get(name).map_or(0, |prop| prop.present);
            if present < object.count && !crate::sketch::is_data(name) {
                let missing = object.count - present;
                self.add(place, format!("{name} is required, but missing in {missing} of {} objects", object.count));
            }
        }
        let documented = schema.get("properties").and_then(Value::as_object);
        let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        for (name, prop) in &object.props {
            match documented.and_then(|properties| properties.get(&**name)) {
                Some(schema) => self.shape(&format!("{place} .{name}"), schema, &prop.shape, depth + 1),
                None if is_closed => self.add(place, format!("{name} is there, but no other properties are allowed")),
                None => {}
            }
        }
    }

    /// Whether a schema allows values of a kind; what it does not restrict, it allows.
    fn allows(&self, schema: &Value, kind: &str, depth: usize) -> bool {
        let schema = self.base.resolved(schema);
        if depth > MAX_DEPTH {
            return true;
        }
        if kind == "null" && is_true(schema, "nullable") {
            return true;
        }
        for list in ["anyOf", "oneOf"] {
            if let Some(parts) = schema.get(list).and_then(Value::as_array) {
                return parts.iter().any(|part| self.allows(part, kind, depth + 1));
            }
        }
        let is_kind = |allowed: &Value| match allowed.as_str() {
            Some("number") => matches!(kind, "number" | "integer"),
            allowed => allowed == Some(kind),
        };
        match schema.get("type") {
            None => true,
            Some(Value::Array(allowed)) => allowed.iter().any(is_kind),
            Some(allowed) => is_kind(allowed),
        }
    }
}

/// The kinds of values that were seen, with their counts.
fn kinds(shape: &Shape) -> Vec<(&'static str, u64)> {
    let counts = [
        ("null", shape.nulls),
        ("boolean", shape.booleans),
        ("integer", shape.integers),
        ("number", shape.decimals),
        ("string", shape.texts.as_ref().map_or(0, |texts| texts.total())),
        ("object", shape.object.as_ref().map_or(0, |object| object.count.saturating_add(object.cut))),
        ("array", shape.array.as_ref().map_or(0, |array| array.count)),
    ];
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn is_true(value: &Value, key: &str) -> bool {
    value.get(key) == Some(&Value::Bool(true))
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
