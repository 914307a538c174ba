//! A hand-written document that is extended by what the exchanges show, and never rewritten.

mod contradictions;
mod extend;

use serde_json::{Map, Value};

use crate::{settings::Version, tree::Guide};

/// A hand-written OpenAPI document.
///
/// What it says stays as it is, word for word, references too. It names parameters and literals of paths, so that what is
/// observed goes where it says; the base paths of its servers stand in front of its paths.
#[derive(Clone, Debug, PartialEq)]
pub struct Base {
    document: Value,
    version: Version,
    /// The paths of its servers, without a slash at the end, the longest first.
    prefixes: Vec<String>,
}

/// Why a value is no document that can be extended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseError {
    /// The document is no object: give one.
    #[error("the document is not an object")]
    NotAnObject,
    /// Another version, or none: convert the document.
    #[error("openapi is {found}; 3.0.x and 3.1.x can be extended")]
    Version {
        /// What stands under `openapi` (or `swagger`).
        found: String,
    },
    /// A part has another type than OpenAPI allows: repair it.
    #[error("{place} is not an object")]
    Part {
        /// As a JSON pointer: `/paths/~1users`.
        place: String,
    },
}

/// What the exchanges say against a hand-written document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contradiction {
    /// Where: `GET /users/{id} → 200 .email`.
    pub place: String,
    /// What the document says, and what was seen.
    pub what: String,
}

impl Base {
    /// Takes a document; only what is needed to extend it is checked.
    ///
    /// # Errors
    /// See [`BaseError`].
    pub fn new(document: Value) -> Result<Base, BaseError> {
        let Value::Object(members) = &document else { return Err(BaseError::NotAnObject) };
        let version = version(members)?;
        for part in ["/paths", "/components", "/components/schemas", "/components/securitySchemes"] {
            is_object_if_there(&document, part)?;
        }
        for (path, item) in members.get("paths").and_then(Value::as_object).into_iter().flatten() {
            let place = format!("/paths/{}", path.replace('~', "~0").replace('/', "~1"));
            if !item.is_object() {
                return Err(BaseError::Part { place });
            }
            for verb in ["get", "post", "put", "patch", "delete", "head", "options", "trace"] {
                for part in ["", "/responses", "/requestBody"] {
                    is_object_if_there(&document, &format!("{place}/{verb}{part}"))?;
                }
            }
        }
        let prefixes = prefixes(members);
        Ok(Base { document, version, prefixes })
    }

    /// The version in which it is written; it is extended in the same.
    pub fn version(&self) -> Version {
        self.version
    }

    fn paths(&self) -> impl Iterator<Item = &String> {
        self.document.get("paths").and_then(Value::as_object).into_iter().flat_map(Map::keys)
    }

    /// What it says about paths, with the base paths of its servers in front.
    pub(crate) fn guide(&self) -> Guide {
        let mut guide = Guide::default();
        for prefix in &self.prefixes {
            for path in self.paths() {
                let whole = format!("{prefix}{path}");
                guide.add(whole.strip_prefix('/').unwrap_or(&whole));
            }
        }
        guide
    }
}

fn version(members: &Map<String, Value>) -> Result<Version, BaseError> {
    let found = members.get("openapi").or_else(|| members.get("swagger"));
    match found.and_then(Value::as_str) {
        Some(version) if version.starts_with("3.0.") => Ok(Version::V30),
        Some(version) if version.starts_with("3.1.") => Ok(Version::V31),
        Some(version) => Err(BaseError::Version { found: version.to_owned() }),
        None => Err(BaseError::Version { found: found.map_or_else(|| "missing".to_owned(), Value::to_string) }),
    }
}

fn is_object_if_there(document: &Value, place: &str) -> Result<(), BaseError> {
    match document.pointer(place) {
        Some(part) if !part.is_object() => Err(BaseError::Part { place: place.to_owned() }),
        _ => Ok(()),
    }
}

/// The paths of all servers; those of a document without servers begin at the root. A variable stands for its default.
fn prefixes(members: &Map<String, Value>) -> Vec<String> {
    let servers = members.get("servers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut prefixes: Vec<String> = servers.iter().filter_map(prefix).collect();
    if prefixes.is_empty() {
        prefixes.push(String::new());
    }
    prefixes.sort_by_key(|prefix| (std::cmp::Reverse(prefix.len()), prefix.clone()));
    prefixes.dedup();
    prefixes
}

fn prefix(server: &Value) -> Option<String> {
    let mut url = server.get("url")?.as_str()?.to_owned();
    for (name, variable) in server.get("variables").and_then(Value::as_object).into_iter().flatten() {
        if let Some(default) = variable.get("default").and_then(Value::as_str) {
            url = url.replace(&format!("{{{name}}}"), default);
        }
    }
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|cut| rest.get(cut..)).unwrap_or_default(),
        None => &url,
    };
    let path = path.trim_end_matches('/');
    Some(if path.is_empty() || path.starts_with('/') { path.to_owned() } else { format!("/{path}") })
}

/// The name of the parameter that a segment of a template is: `{userId}`.
fn parameter_of(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    (!name.contains(['{', '}'])).then_some(name)
}

impl Guide {
    fn add(&mut self, path: &str) {
        let mut guide = self;
        for segment in path.split('/') {
            guide = match parameter_of(segment) {
                Some(name) => &mut guide.parameter.get_or_insert_with(|| (name.to_owned(), Box::default())).1,
                None => guide.literals.entry(segment.to_owned()).or_default(),
            };
        }
    }
}

#[cfg(test)]
mod tests;
