//! Adding to a hand-written document what it lacks: paths, methods, statuses, request bodies, parameters, and the
//! components that these need.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Base, parameter_of};

/// The methods of a path item.
const VERBS: [&str; 8] = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];

/// Where an observed template stands in a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// At this path.
    There(String),
    /// Nowhere yet; this would be its path.
    Below(String),
    /// Nowhere, and none of its servers has it.
    Outside,
}

impl Base {
    /// The document with all that `observed` has and it lacks.
    pub(crate) fn extended(&self, observed: &Value) -> Value {
        let mut document = self.document.clone();
        let names = self.free_names(observed);
        let mut new_parts: Vec<Value> = Vec::new();
        let mut ids = self.operation_ids();
        if let Some(paths) = object_at(&mut document, &["paths"]) {
            for (template, item) in members(observed.get("paths")) {
                let mut item = item.clone();
                renamed(&mut item, &names);
                with_free_ids(&mut item, &mut ids);
                self.extend_paths(paths, template, item, observed, &mut new_parts);
            }
        }
        self.add_components(&mut document, observed, &names, &new_parts);
        self.add_tags(&mut document, observed);
        if let (Some(servers), Some(all)) = (observed.get("servers"), document.as_object_mut()) {
            all.entry("servers").or_insert_with(|| servers.clone());
        }
        document
    }

    fn extend_paths(
        &self,
        paths: &mut Map<String, Value>,
        template: &str,
        mut item: Value,
        observed: &Value,
        new: &mut Vec<Value>,
    ) {
        match self.place_of(template) {
            Known::There(path) => {
                if let Some(known) = paths.get_mut(&path).and_then(Value::as_object_mut) {
                    self.extend_item(known, &path, &item, new);
                }
            }
            Known::Below(path) => {
                new.push(item.clone());
                paths.insert(path, item);
            }
            Known::Outside => {
                if let (Some(item), Some(servers)) = (item.as_object_mut(), observed.get("servers")) {
                    item.insert("servers".into(), servers.clone());
                }
                new.push(item.clone());
                paths.insert(template.to_owned(), item);
            }
        }
    }

    /// Adds the methods that a path lacks, and to the others what they lack.
    fn extend_item(&self, known: &mut Map<String, Value>, path: &str, item: &Value, new: &mut Vec<Value>) {
        let shared = self.identities(known.get("parameters"));
        for verb in VERBS {
            let Some(mut operation) = item.get(verb).cloned() else { continue };
            match known.get_mut(verb).and_then(Value::as_object_mut) {
                Some(mine) => self.extend_operation(mine, &shared, &operation, new),
                None => {
                    add_path_parameters(&mut operation, path, item, &shared);
                    new.push(operation.clone());
                    known.insert(verb.to_owned(), operation);
                }
            }
        }
    }

    fn extend_operation(
        &self,
        mine: &mut Map<String, Value>,
        shared: &BTreeSet<(String, String)>,
        operation: &Value,
        new: &mut Vec<Value>,
    ) {
        let mut documented = self.identities(mine.get("parameters"));
        documented.extend(shared.iter().cloned());
        let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
        for parameter in parameters.filter(|parameter| identity(parameter).is_some_and(|it| !documented.contains(&it)))
        {
            let mut parameter = parameter.clone();
            // The document's author knows what is required; that it was always there is no reason to refuse what is not.
            parameter.as_object_mut().map(|members| members.remove("required"));
            new.push(parameter.clone());
            if let Some(list) = mine.entry("parameters").or_insert_with(|| json!([])).as_array_mut() {
                list.push(parameter);
            }
        }
        if let (None, Some(mut body)) = (mine.get("requestBody"), operation.get("requestBody").cloned()) {
            body.as_object_mut().map(|members| members.remove("required"));
            new.push(body.clone());
            mine.insert("requestBody".into(), body);
        }
        if let Some(responses) = mine.entry("responses").or_insert_with(|| json!({})).as_object_mut() {
            for (status, response) in members(operation.get("responses")) {
                if !is_documented(responses, status) {
                    new.push(response.clone());
                    responses.insert(status.clone(), response.clone());
                }
            }
        }
        if let Some(evidence) = operation.get("x-tributary") {
            mine.insert("x-tributary".into(), evidence.clone());
        }
    }

    /// Where an observed template stands in the document.
    pub(crate) fn place_of(&self, template: &str) -> Known {
        let mut below = Known::Outside;
        for prefix in &self.prefixes {
            let rest = match template.strip_prefix(prefix.as_str()) {
                Some("") => "/",
                Some(rest) if rest.starts_with('/') => rest,
                _ => continue,
            };
            if let Some(path) = self.paths().find(|path| is_same(path, rest)) {
                return Known::There(path.clone());
            }
            if below == Known::Outside {
                below = Known::Below(rest.to_owned());
            }
        }
        below
    }

    /// The value that a local reference points at, or the value itself.
    pub(crate) fn resolved<'v>(&'v self, value: &'v Value) -> &'v Value {
        let mut value = value;
        // References may go round.
        for _ in 0..32 {
            let Some(target) = value.get("$ref").and_then(Value::as_str) else { return value };
            match target.strip_prefix('#').and_then(|pointer| self.document.pointer(pointer)) {
                Some(found) => value = found,
                None => return value,
            }
        }
        value
    }

    /// Name and place of each parameter of a list.
    fn identities(&self, list: Option<&Value>) -> BTreeSet<(String, String)> {
        let list = list.and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|parameter| identity(self.resolved(parameter))).collect()
    }

    /// The operation ids of the document.
    fn operation_ids(&self) -> BTreeSet<String> {
        let items = members(self.document.get("paths")).map(|(_, item)| item);
        let operations = items.flat_map(|item| VERBS.into_iter().filter_map(move |verb| item.get(verb)));
        operations.filter_map(|operation| operation.get("operationId")?.as_str()).map(str::to_owned).collect()
    }

    /// For each observed component a name that the document has not, or has for the same thing.
    fn free_names(&self, observed: &Value) -> BTreeMap<(String, String), String> {
        let mut names = BTreeMap::new();
        for kind in COMPONENTS {
            let (mine, theirs) = (component_part(&self.document, kind), component_part(observed, kind));
            for (name, component) in members(theirs) {
                let known = |name: &str| mine.and_then(|mine| mine.get(name));
                let is_free = |other: &String| match known(other) {
                    Some(known) => known == component,
                    None => other == name || theirs.is_none_or(|theirs| theirs.get(other).is_none()),
                };
                let mut candidates = std::iter::once(name.clone()).chain((2..).map(|n| format!("{name}{n}")));
                if let Some(free) = candidates.find(is_free) {
                    names.insert((kind.to_owned(), name.clone()), free);
                }
            }
        }
        names
    }

    /// Adds the components that the new parts need, and those that these need.
    fn add_components(
        &self,
        document: &mut Value,
        observed: &Value,
        names: &BTreeMap<(String, String), String>,
        new: &[Value],
    ) {
        let mut needed: BTreeSet<(String, String)> = BTreeSet::new();
        new.iter().for_each(|part| needs(part, &mut needed));
        let mut added: BTreeSet<(String, String)> = BTreeSet::new();
        while let Some(next) = needed.iter().find(|need| !added.contains(*need)).cloned() {
            added.insert(next.clone());
            let (kind, free) = &next;
            let original = names.iter().find(|((of, _), name)| of == kind && *name == free).map(|((_, name), _)| name);
            let component = original.and_then(|name| component_part(observed, kind)?.get(name));
            let Some(mut component) = component.cloned() else { continue };
            renamed(&mut component, names);
            needs(&component, &mut needed);
            if let Some(part) = object_at(document, &["components", kind]) {
                part.entry(free.clone()).or_insert(component);
            }
        }
    }

    /// Tags that are new, if the document lists its tags.
    fn add_tags(&self, document: &mut Value, observed: &Value) {
        let Some(tags) = document.get_mut("tags").and_then(Value::as_array_mut) else { return };
        for tag in observed.get("tags").and_then(Value::as_array).into_iter().flatten() {
            if !tags.iter().any(|known| known.get("name") == tag.get("name")) {
                tags.push(tag.clone());
            }
        }
    }
}

/// The kinds of components that are ever added.
const COMPONENTS: [&str; 2] = ["schemas", "securitySchemes"];

fn component_part<'v>(document: &'v Value, kind: &str) -> Option<&'v Value> {
    document.get("components").and_then(|components| components.get(kind))
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

/// The object at a path of keys, made where it is missing; `None` if something else stands there.
fn object_at<'v>(value: &'v mut Value, keys: &[&str]) -> Option<&'v mut Map<String, Value>> {
    let mut value = value;
    for key in keys {
        value = value.as_object_mut()?.entry(*key).or_insert_with(|| json!({}));
    }
    value.as_object_mut()
}

/// Whether two templates differ in the names of their parameters at most.
fn is_same(one: &str, other: &str) -> bool {
    let is_alike =
        |(one, other): (&str, &str)| one == other || parameter_of(one).is_some() && parameter_of(other).is_some();
    one.split('/').count() == other.split('/').count() && one.split('/').zip(other.split('/')).all(is_alike)
}

/// Whether responses have a status, as itself, as a range (`4XX`) or as `default`.
pub(crate) fn is_documented(responses: &Map<String, Value>, status: &str) -> bool {
    let range = status.get(..1).map(|class| format!("{class}XX")).unwrap_or_default();
    [status, &range, &range.to_lowercase(), "default"].into_iter().any(|key| responses.contains_key(key))
}

/// Gives a new operation the parameters of its template, by the names that the document's template has for them, as far
/// as the path item does not have them already.
fn add_path_parameters(operation: &mut Value, path: &str, item: &Value, shared: &BTreeSet<(String, String)>) {
    let names = path.split('/').filter_map(parameter_of);
    let own = item.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let mut parameters: Vec<Value> = Vec::new();
    for (name, parameter) in names.zip(own) {
        if !shared.contains(&(name.to_owned(), "path".to_owned())) {
            let mut parameter = parameter.clone();
            parameter.as_object_mut().map(|members| members.insert("name".into(), name.into()));
            parameters.push(parameter);
        }
    }
    let Some(members) = operation.as_object_mut().filter(|_| !parameters.is_empty()) else { return };
    if let Some(list) = members.entry("parameters").or_insert_with(|| json!([])).as_array_mut() {
        list.splice(0..0, parameters);
    }
}

/// Gives the operations of an item other ids where theirs are taken.
fn with_free_ids(item: &mut Value, taken: &mut BTreeSet<String>) {
    for verb in VERBS {
        let Some(Value::String(id)) = item.get_mut(verb).and_then(|operation| operation.get_mut("operationId")) else {
            continue;
        };
        let mut candidates = std::iter::once(id.clone()).chain((2..).map(|n| format!("{id}{n}")));
        if let Some(free) = candidates.find(|candidate| taken.insert(candidate.clone())) {
            *id = free;
        }
    }
}

fn identity(parameter: &Value) -> Option<(String, String)> {
    let text = |key| parameter.get(key).and_then(Value::as_str).map(str::to_owned);
    Some((text("name")?, text("in")?))
}

const SCHEMA_REF: &str = "#/components/schemas/";

/// Writes the free names in references to schemas, and in security requirements.
fn renamed(value: &mut Value, names: &BTreeMap<(String, String), String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| renamed(item, names)),
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get_mut("$ref")
                && let Some(name) = target.strip_prefix(SCHEMA_REF)
                && let Some(free) = names.get(&("schemas".to_owned(), name.to_owned()))
            {
                *target = format!("{SCHEMA_REF}{free}");
            }
            if let Some(Value::Array(requirements)) = members.get_mut("security") {
                requirements.iter_mut().for_each(|requirement| renamed_schemes(requirement, names));
            }
            members.values_mut().for_each(|member| renamed(member, names));
        }
        _ => {}
    }
}

fn renamed_schemes(requirement: &mut Value, names: &BTreeMap<(String, String), String>) {
    let Value::Object(schemes) = requirement else { return };
    *schemes = std::mem::take(schemes)
        .into_iter()
        .map(|(name, scopes)| {
            let free = names.get(&("securitySchemes".to_owned(), name.clone())).cloned();
            (free.unwrap_or(name), scopes)
        })
        .collect();
}

/// The components that a part refers to.
fn needs(value: &Value, needed: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| needs(item, needed)),
        Value::Object(members) => {
            if let Some(name) = members.get("$ref").and_then(Value::as_str).and_then(|it| it.strip_prefix(SCHEMA_REF)) {
                needed.insert(("schemas".to_owned(), name.to_owned()));
            }
            for requirement in members.get("security").and_then(Value::as_array).into_iter().flatten() {
                for name in requirement.as_object().into_iter().flat_map(Map::keys) {
                    needed.insert(("securitySchemes".to_owned(), name.clone()));
                }
            }
            members.values().for_each(|member| needs(member, needed));
        }
        _ => {}
    }
}
