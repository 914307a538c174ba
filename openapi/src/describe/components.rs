//! Components: each object schema once, under the best of the names that its places suggest.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::schemas::Place;
use crate::hash::hash;

/// Where schemas point while their names are open.
pub(crate) const OPEN: &str = "open:";

/// The object schemas of a document, by content.
#[derive(Default)]
pub(crate) struct Pool(BTreeMap<String, Entry>);

struct Entry {
    schema: Value,
    /// Suggested names with their rank.
    names: BTreeSet<(u8, String)>,
    /// Whether it is the body of a request or response: then it is a component, however rarely it is used.
    is_root: bool,
}

impl Pool {
    /// Takes a schema in, and gives a reference to it.
    pub(crate) fn share(&mut self, schema: Value, place: &Place) -> Value {
        let content = schema.to_string();
        // Two hashes, 128 bits: what is equal here is taken for the same schema.
        let id = format!("{OPEN}{:016x}{:016x}", hash(&content), hash(&format!("{content}.")));
        self.share_as(id, schema, place)
    }

    /// Takes in a schema that refers to itself by this id.
    pub(crate) fn share_as(&mut self, id: String, schema: Value, place: &Place) -> Value {
        let new = || Entry { schema, names: BTreeSet::new(), is_root: false };
        let entry = self.0.entry(id.clone()).or_insert_with(new);
        entry.names.insert((place.rank, place.concept.clone()));
        entry.is_root |= place.is_root;
        json!({ "$ref": id })
    }

    /// The ids of those that become components, with their names.
    fn names(&self, document: &Value) -> BTreeMap<String, String> {
        let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
        count(document, &mut uses);
        self.0.values().for_each(|entry| count(&entry.schema, &mut uses));
        let is_component = |id: &str, entry: &Entry| entry.is_root || uses.get(id).is_some_and(|uses| *uses > 1);
        let mut order: Vec<(&String, &Entry)> = self.0.iter().filter(|(id, entry)| is_component(id, entry)).collect();
        // The best names first; equal ones by content, which no order of exchanges changes.
        order.sort_by_key(|(id, entry)| (entry.names.first().cloned(), (*id).clone()));
        let mut taken = BTreeSet::new();
        let mut names = BTreeMap::new();
        for (id, entry) in order {
            let first = entry.names.first().map(|(_, name)| name.clone()).unwrap_or_default();
            let suggested = entry.names.iter().map(|(_, name)| name.clone());
            let mut candidates = suggested.chain((2..).map(|n| format!("{first}{n}")));
            if let Some(name) = candidates.find(|name| taken.insert(name.clone())) {
                names.insert(id.clone(), name);
            }
        }
        names
    }
}

/// The document with names for its schemas, and the components, sorted by name. What is used once and is no body stands
/// where it is used.
pub(crate) fn named(mut document: Value, pool: &Pool) -> (Value, Map<String, Value>) {
    let names = pool.names(&document);
    let open = Open { pool, names: &names };
    let mut components: BTreeMap<String, Value> = BTreeMap::new();
    for (id, name) in &names {
        if let Some(entry) = pool.0.get(id) {
            let mut schema = entry.schema.clone();
            open.close(&mut schema);
            components.insert(name.clone(), schema);
        }
    }
    open.close(&mut document);
    (document, components.into_iter().collect())
}

/// References whose names are still open, and what they become.
struct Open<'p> {
    pool: &'p Pool,
    names: &'p BTreeMap<String, String>,
}

impl Open<'_> {
    fn close(&self, value: &mut Value) {
        if let Some(id) = open_ref(value) {
            match (self.names.get(id), self.pool.0.get(id)) {
                (Some(name), _) => *value = json!({"$ref": format!("#/components/schemas/{name}")}),
                (None, Some(entry)) => {
                    *value = entry.schema.clone();
                    self.close(value);
                }
                (None, None) => *value = json!({}),
            }
            return;
        }
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.close(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.close(member)),
            _ => {}
        }
    }
}

fn open_ref(value: &Value) -> Option<&str> {
    value.as_object().filter(|members| members.len() == 1)?.get("$ref")?.as_str().filter(|id| id.starts_with(OPEN))
}

fn count<'v>(value: &'v Value, uses: &mut BTreeMap<&'v str, usize>) {
    if let Some(id) = open_ref(value) {
        *uses.entry(id).or_default() += 1;
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| count(item, uses)),
        Value::Object(members) => members.values().for_each(|member| count(member, uses)),
        _ => {}
    }
}
