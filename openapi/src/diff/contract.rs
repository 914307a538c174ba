//! A hand-written document, ready to be laid beside traffic.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use serde_json::{Map, Value};

use super::routes::{Routed, Routes};

/// How many references may follow one another.
const DEEPEST_REFERENCE: usize = 32;

/// Under these keys stand values, not parts of the document: what looks like a reference in them is none.
const VALUES: [&str; 4] = ["example", "examples", "enum", "const"];

/// An OpenAPI document, 3.0 or 3.1.
#[derive(Clone, Debug, PartialEq)]
pub struct Contract {
    document: Value,
    routes: Routes,
    /// For each template, the paths at which servers offer it, without a `/` at the end; the longest first.
    bases: BTreeMap<String, Vec<String>>,
    /// All of those, the longest first.
    all_bases: Vec<String>,
}

/// Why a document cannot be compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContractError {
    /// It is no OpenAPI document of a version that is known: what stands under `openapi`, or `swagger`.
    Version(String),
    /// `paths` is no object of objects; where.
    Shape(String),
    /// A reference leads out of the document.
    External(String),
    /// A reference leads nowhere.
    Dangling(String),
}

impl fmt::Display for ContractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(found) => write!(f, "not an OpenAPI document 3.0.x or 3.1.x: {found}"),
            Self::Shape(place) => write!(f, "{place} has to be an object"),
            Self::External(reference) => {
                write!(f, "the reference {reference} leads out of the document: bundle it into one file first")
            }
            Self::Dangling(reference) => write!(f, "the reference {reference} leads nowhere"),
        }
    }
}

impl Error for ContractError {}

/// An operation of the document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation<'c> {
    /// What stands under the method.
    pub(super) own: &'c Map<String, Value>,
    /// The path item, for what holds for all its operations.
    pub(super) item: &'c Map<String, Value>,
}

impl Contract {
    /// Reads a document.
    ///
    /// # Errors
    /// See [`ContractError`]: the document has to be changed.
    pub fn of(document: Value) -> Result<Contract, ContractError> {
        let version = document.get("openapi").and_then(Value::as_str);
        if !version.is_some_and(|version| version.starts_with("3.0.") || version.starts_with("3.1.")) {
            let found = match (version, document.get("swagger")) {
                (Some(version), _) => format!("openapi is {version}"),
                (None, Some(swagger)) => format!("swagger is {swagger}: convert it to OpenAPI 3 first"),
                (None, None) => "there is no openapi".to_owned(),
            };
            return Err(ContractError::Version(found));
        }
        check_references(&document, &document)?;
        let nothing = Map::new();
        let paths = match document.get("paths") {
            None => &nothing,
            Some(paths) => paths.as_object().ok_or_else(|| ContractError::Shape("paths".to_owned()))?,
        };
        let mut bases = BTreeMap::new();
        for (template, item) in paths.iter().filter(|(template, _)| template.starts_with('/')) {
            let item = resolved(&document, item);
            let item = item.as_object().ok_or_else(|| ContractError::Shape(format!("paths {template}")))?;
            let servers = item.get("servers").or_else(|| document.get("servers"));
            bases.insert(template.clone(), base_paths(servers));
        }
        let routes = Routes::of(bases.keys().map(String::as_str));
        let mut all_bases = bases.values().flatten().cloned().collect::<Vec<_>>();
        all_bases.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        all_bases.dedup();
        Ok(Contract { routes, bases, all_bases, document })
    }

    /// The path of the document that a request belongs to.
    pub(super) fn route(&self, pathname: &str) -> Option<Routed<'_>> {
        self.all_bases.iter().find_map(|base| {
            let rest = pathname.strip_prefix(base.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
            let routed = self.routes.route(if rest.is_empty() { "/" } else { rest })?;
            self.bases.get(routed.template)?.contains(base).then_some(routed)
        })
    }

    /// What stands at a template.
    pub(super) fn item(&self, template: &str) -> Option<&Map<String, Value>> {
        self.resolve(self.document.get("paths")?.get(template)?).as_object()
    }

    /// The operation of a template and a method in lower case.
    pub(super) fn operation(&self, template: &str, method: &str) -> Option<Operation<'_>> {
        let item = self.item(template)?;
        Some(Operation { own: item.get(method)?.as_object()?, item })
    }

    /// How many operations there are.
    pub(super) fn operations(&self) -> usize {
        const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
        let items = self.bases.keys().filter_map(|template| self.item(template));
        items.map(|item| METHODS.iter().filter(|method| item.contains_key(**method)).count()).sum()
    }

    /// What a reference leads to; anything else is itself.
    pub(super) fn resolve<'c>(&'c self, value: &'c Value) -> &'c Value {
        resolved(&self.document, value)
    }

    /// Names of the keys that the security schemes use, in one of the places `query`, `header`, `cookie`.
    pub(super) fn key_names(&self, place: &str) -> impl Iterator<Item = &str> {
        let schemes = self.document.pointer("/components/securitySchemes").and_then(Value::as_object);
        let schemes = schemes.into_iter().flatten().map(|(_, scheme)| self.resolve(scheme));
        let keys = schemes.filter(move |scheme| scheme.get("in").and_then(Value::as_str) == Some(place));
        keys.filter_map(|scheme| scheme.get("name").and_then(Value::as_str))
    }
}

fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let mut value = value;
    for _ in 0..DEEPEST_REFERENCE {
        let Some(target) = reference(value).and_then(|reference| target(document, reference)) else { break };
        value = target;
    }
    value
}

fn reference(value: &Value) -> Option<&str> {
    value.get("$ref").and_then(Value::as_str)
}

fn target<'d>(document: &'d Value, reference: &str) -> Option<&'d Value> {
    let pointer = reference.strip_prefix('#')?;
    let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8().ok()?;
    document.pointer(&pointer)
}

fn check_references(document: &Value, value: &Value) -> Result<(), ContractError> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| check_references(document, item)),
        Value::Object(members) => {
            if let Some(reference) = reference(value) {
                if !reference.starts_with('#') {
                    return Err(ContractError::External(reference.to_owned()));
                }
                target(document, reference).ok_or_else(|| ContractError::Dangling(reference.to_owned()))?;
            }
            let parts = members.iter().filter(|(name, _)| !VALUES.contains(&name.as_str()) && !name.starts_with("x-"));
            parts.map(|(_, member)| member).try_for_each(|member| check_references(document, member))
        }
        _ => Ok(()),
    }
}

/// The paths of servers: `https://shop.example/v1/` is `/v1`; variables have their default values.
fn base_paths(servers: Option<&Value>) -> Vec<String> {
    let mut paths = Vec::new();
    for server in servers.and_then(Value::as_array).into_iter().flatten() {
        let mut url = server.get("url").and_then(Value::as_str).unwrap_or("/").to_owned();
        for (name, variable) in server.get("variables").and_then(Value::as_object).into_iter().flatten() {
            let default = variable.get("default").and_then(Value::as_str).unwrap_or_default();
            url = url.replace(&format!("{{{name}}}"), default);
        }
        let path = match url.split_once("://") {
            Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default(),
            None => url.as_str(),
        };
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let path = if path.is_empty() || path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        paths.push(path);
    }
    if paths.is_empty() {
        paths.push(String::new());
    }
    paths
}
