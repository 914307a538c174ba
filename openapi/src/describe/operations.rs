//! From operations to path items.

use serde_json::{Map, Value, json};

use super::{
    naming::{Names, Topic, tag},
    parameters, responses,
    schemas::{Place, Schemas},
    security,
};
use crate::{
    call::Verb,
    sketch::{Bodies, Operation, Shape},
    tree::{Path, Step},
};

/// The path item of a template.
pub(crate) fn path_item(path: &Path, names: &mut Names, schemas: &mut Schemas) -> Value {
    let mut item = Map::new();
    let parameters = parameters::of_path(path, schemas);
    if !parameters.is_empty() {
        item.insert("parameters".into(), parameters.into());
    }
    for (verb, operation) in path.operations.iter() {
        item.insert(verb.as_str().to_owned(), written(path, *verb, operation, names, schemas));
    }
    item.into()
}

fn written(path: &Path, verb: Verb, operation: &Operation, names: &mut Names, schemas: &mut Schemas) -> Value {
    let (id, summary) = names.take(&path.template, verb);
    let place = place(path, verb);
    let mut object = Map::new();
    object.insert("operationId".into(), id.into());
    object.insert("summary".into(), summary.into());
    object.insert("tags".into(), json!([tag(&path.steps)]));
    let parameters = parameters::of_requests(operation.requests(), &place, schemas);
    if !parameters.is_empty() {
        object.insert("parameters".into(), parameters.into());
    }
    if let Some(body) = request_body(path, verb, operation, schemas) {
        object.insert("requestBody".into(), body);
    }
    object.insert("responses".into(), responses::of(path, verb, operation, schemas));
    if let Some(security) = security::requirements(operation.requests()) {
        object.insert("security".into(), security);
    }
    if schemas.settings.evidence {
        object.insert("x-tributary".into(), evidence(operation));
    }
    object.into()
}

/// `GET /users/{userId}`.
pub(crate) fn place(path: &Path, verb: Verb) -> String {
    format!("{} {}", verb.as_str().to_ascii_uppercase(), path.template)
}

/// The body of the requests, if the method can have one: that of GET and HEAD means nothing (RFC 9110 §9.3.1).
fn request_body(path: &Path, verb: Verb, operation: &Operation, schemas: &mut Schemas) -> Option<Value> {
    let bodies = request_bodies(verb, operation)?;
    let content = responses::content(bodies, &request_place(path, verb), schemas);
    let mut body = Map::from_iter([("content".to_owned(), content)]);
    if bodies.without == 0 {
        body.insert("required".into(), true.into());
    }
    Some(body.into())
}

fn request_bodies(verb: Verb, operation: &Operation) -> Option<&Bodies> {
    let bodies = &operation.requests().bodies;
    (!matches!(verb, Verb::Get | Verb::Head | Verb::Trace) && bodies.with() > 0).then_some(bodies)
}

fn request_place(path: &Path, verb: Verb) -> Place {
    let topic = Topic::of(&path.steps);
    let concept = topic.concept();
    let name = match (verb, &topic.action) {
        (_, Some(_)) => format!("{}Request", topic.whole_concept()),
        (Verb::Post, None) => format!("New{concept}"),
        (Verb::Put, None) => format!("{concept}Update"),
        (Verb::Patch, None) => format!("{concept}Patch"),
        (_, None) => format!("{concept}Request"),
    };
    Place {
        text: format!("{} request", place(path, verb)),
        concept: name,
        rank: 3,
        items: Some(concept),
        is_root: true,
    }
}

/// Calls for each JSON body of these paths, with its place.
pub(crate) fn each_shape(paths: &[Path], each: &mut dyn FnMut(&Shape, &Place)) {
    for path in paths {
        for (verb, operation) in path.operations.iter() {
            if let Some(bodies) = request_bodies(*verb, operation) {
                let place = request_place(path, *verb);
                bodies.by_media.values().for_each(|body| each(&body.shape, &place));
            }
            for (status, response) in &operation.responses {
                let place = responses::place(path, *verb, *status, response);
                response.bodies.by_media.values().for_each(|body| each(&body.shape, &place));
            }
        }
    }
}

/// What was seen of an operation.
fn evidence(operation: &Operation) -> Value {
    let mut evidence = Map::from_iter([("count".to_owned(), json!(operation.count))]);
    if let Some((first, last)) = operation.seen {
        let written = |millis| tributary_http_types::Timestamp::from_unix_millis(millis).to_string();
        evidence.insert("firstSeen".into(), written(first).into());
        evidence.insert("lastSeen".into(), written(last).into());
    }
    let statuses: Map<String, Value> =
        operation.responses.iter().map(|(status, response)| (status.to_string(), response.count.into())).collect();
    evidence.insert("statuses".into(), statuses.into());
    if let (Some(median), Some(slow)) = (operation.durations.percentile(50), operation.durations.percentile(95)) {
        evidence.insert("durationMs".into(), json!({"p50": median, "p95": slow}));
    }
    evidence.into()
}

/// Whether the last segment is a parameter: one item of a collection.
pub(crate) fn is_item(path: &Path) -> bool {
    matches!(path.steps.last(), Some(Step::Parameter(..)))
}
