//! From what was learnt to the document.

mod components;
mod families;
mod naming;
mod objects;
mod operations;
mod parameters;
mod responses;
mod schemas;
mod security;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{
    base::{Base, Contradiction},
    call::{UNKNOWN_HOST, Verb},
    learner::{Host, Learner},
    settings::Settings,
    tree::{Path, resolve},
    words::capitalised,
};
use families::Families;
use naming::Names;
pub(crate) use operations::place;
use schemas::Schemas;

/// A document, and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The OpenAPI document, its keys in the order in which it should be written.
    pub document: Value,
    /// Why each template, format, enum and map is there, and what was left out: templates and left out
    /// operations first, then in the order of the document.
    pub explanations: Vec<Explanation>,
    /// What the exchanges say against the given document; sorted by place.
    pub contradictions: Vec<Contradiction>,
}

/// Why something in a document is as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Explanation {
    /// What is explained.
    pub subject: Subject,
    /// Where: a template, or an operation and a place in it: `GET /users/{userId} → 200 .email`.
    pub place: String,
    /// Why, in words and numbers.
    pub why: String,
}

/// What an [`Explanation`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the variants are the words of OpenAPI")]
pub enum Subject {
    Template,
    Format,
    Enum,
    /// Keys of an object are data.
    Map,
    /// Exchanges were learnt from, but are not in the document.
    LeftOut,
}

impl Subject {
    /// The word that stands in front of an explanation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Subject::Template => "template",
            Subject::Format => "format",
            Subject::Enum => "enum",
            Subject::Map => "map",
            Subject::LeftOut => "left out",
        }
    }
}

/// Describes what was learnt about a host (one of [`Learner::hosts`]; of another, nothing was learnt, and the document
/// is valid and empty). With a hand-written document, that document, extended by what is missing in it.
pub fn describe(learner: &Learner, host: &str, settings: &Settings, base: Option<&Base>) -> Description {
    let nothing = Host::default();
    let known = learner.host(host).unwrap_or(&nothing);
    let guide = base.map(Base::guide);
    let resolved = resolve(&known.root, guide.as_ref());
    let mut schemas =
        Schemas::new(&Settings { version: base.map_or(settings.version, Base::version), ..settings.clone() });
    for (template, why) in resolved.reasons {
        schemas.explain(Subject::Template, template, why);
    }
    let paths: Vec<Path> = resolved.paths.into_iter().filter_map(|path| living(path, &mut schemas)).collect();
    schemas.families = Families::of_paths(&paths);
    let mut names = Names::of(&paths);
    let written: Map<String, Value> = paths
        .iter()
        .map(|path| (path.template.clone(), operations::path_item(path, &mut names, &mut schemas)))
        .collect();

    let (written, components) = components::named(Value::Object(written), &schemas.take_pool());
    let mut document = Map::new();
    document.insert("openapi".into(), schemas.settings.version.as_str().into());
    document.insert("info".into(), info(host, settings));
    let servers = servers(host, known);
    if !servers.is_empty() {
        document.insert("servers".into(), servers.into());
    }
    let tags = tags(&paths);
    if !tags.is_empty() {
        document.insert("tags".into(), tags.into());
    }
    document.insert("paths".into(), written);
    let mut parts = Map::new();
    if !components.is_empty() {
        parts.insert("schemas".into(), components.into());
    }
    let schemes = security::schemes(&paths);
    if !schemes.is_empty() {
        parts.insert("securitySchemes".into(), schemes.into());
    }
    if !parts.is_empty() {
        document.insert("components".into(), parts.into());
    }
    let explanations = std::mem::take(&mut schemas.explanations);
    let document = Value::Object(document);
    match base {
        Some(base) => Description {
            document: base.extended(&document),
            explanations,
            contradictions: base.contradictions(&paths),
        },
        None => Description { document, explanations, contradictions: Vec::new() },
    }
}

/// The path without operations that the server does not have. A path that never answered anything but "not found" or "not
/// allowed" is none: clients and scanners ask for many things.
fn living<'a>(mut path: Path<'a>, schemas: &mut Schemas) -> Option<Path<'a>> {
    let only = |statuses: &[u16], path: &Path, verb: Verb| {
        let operation = path.operations.get(&verb);
        operation.is_some_and(|operation| operation.responses.keys().all(|status| statuses.contains(status)))
    };
    let verbs: Vec<_> = path.operations.keys().copied().collect();
    let is_dead = verbs.iter().all(|verb| only(&[404, 405, 501], &path, *verb));
    for verb in verbs {
        if is_dead || only(&[405, 501], &path, verb) {
            let count = path.operations.get(&verb).map_or(0, |operation| operation.count);
            let place = format!("{} {}", verb.as_str().to_ascii_uppercase(), path.template);
            schemas.explain(Subject::LeftOut, place, format!("{count} exchanges, all answered with 404, 405 or 501"));
            path.operations.to_mut().remove(&verb);
        }
    }
    (!path.operations.is_empty()).then_some(path)
}

fn info(host: &str, settings: &Settings) -> Value {
    let title = settings.title.clone().unwrap_or_else(|| match host {
        "" | UNKNOWN_HOST => "API".to_owned(),
        host => host.to_owned(),
    });
    json!({"title": title, "description": "Written from observed traffic.", "version": "1.0.0"})
}

/// The host, once for each protocol; none if its name cannot stand in a URL.
fn servers(host: &str, known: &Host) -> Vec<Value> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    if host.is_empty() || host == UNKNOWN_HOST || !host.bytes().all(is_plain) {
        return Vec::new();
    }
    known.protocols.keys().rev().map(|protocol| json!({ "url": format!("{protocol}://{host}") })).collect()
}

fn tags(paths: &[Path]) -> Vec<Value> {
    let tags: BTreeSet<String> = paths.iter().map(|path| naming::tag(&path.steps)).collect();
    tags.into_iter().map(|tag| json!({"name": tag, "description": capitalised(&tag)})).collect()
}

#[cfg(test)]
mod tests;
