//! One value beside one schema of the document.

use serde_json::{Map, Value};

use super::contract::Contract;
use super::finding::Kind;
use super::schema::{DEEPEST, Known, Types, parts, type_of};
use crate::form::{Form, is_redacted};

/// Schemas that are looked at for one body: a bound for documents whose alternatives multiply.
const MOST_STEPS: usize = 100_000;

/// Which way a value goes: a server does not expect what is `readOnly`, and does not send what is `writeOnly`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Request,
    Response,
}

/// One disagreement within a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    /// `/items/*/name`, from the root of the value.
    pub(super) place: String,
    pub(super) message: String,
}

/// Whether properties that no schema names are looked for: once for each object, not in each part of its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    Check,
    Leave,
}

/// What is wrong with a value, by a schema of the document; sorted, each fault once.
pub(super) fn faults(contract: &Contract, schema: &Value, value: &Value, way: Way) -> Vec<Fault> {
    let mut checker = Checker { contract, way, steps: 0 };
    let mut faults = Vec::new();
    checker.check(schema, value, "", 0, Names::Check, &mut faults);
    faults.sort();
    faults.dedup();
    faults
}

struct Checker<'c> {
    contract: &'c Contract,
    way: Way,
    steps: usize,
}

impl Checker<'_> {
    fn check(
        &mut self,
        schema: &Value,
        value: &Value,
        place: &str,
        depth: usize,
        names: Names,
        faults: &mut Vec<Fault>,
    ) {
        self.steps += 1;
        if depth > DEEPEST || self.steps > MOST_STEPS || value.as_str().is_some_and(is_redacted) {
            return;
        }
        let contract = self.contract;
        let whole = contract.resolve(schema);
        let Some(schema) = whole.as_object() else {
            if *whole == Value::Bool(false) {
                add(faults, Kind::WrongValue, place, "something, nothing is allowed here".to_owned());
            }
            return;
        };
        if value.is_null() && schema.get("nullable").and_then(Value::as_bool) == Some(true) {
            return;
        }
        let types = Types::of(schema);
        if !types.allow(value) {
            let message = format!("{}, {} is documented", type_of(value), types.words());
            return add(faults, Kind::WrongType, place, message);
        }
        for part in parts(schema, "allOf") {
            self.check(part, value, place, depth + 1, Names::Leave, faults);
        }
        for several in ["oneOf", "anyOf"] {
            self.alternatives(parts(schema, several), value, place, depth, faults);
        }
        if let (Value::Object(members), Names::Check) = (value, names) {
            self.undocumented(whole, members, place, faults);
        }
        self.own_keywords(schema, value, place, depth, faults);
    }

    /// What the schema itself says about the value, beside its type and the schemas it is made of.
    fn own_keywords(
        &mut self,
        schema: &Map<String, Value>,
        value: &Value,
        place: &str,
        depth: usize,
        faults: &mut Vec<Fault>,
    ) {
        listed(schema, value, place, faults);
        match value {
            Value::Object(members) => self.members(schema, members, place, depth, faults),
            Value::Array(items) => self.items(schema, items, place, depth, faults),
            Value::String(text) => text_faults(schema, text, place, faults),
            Value::Number(number) => {
                if let Some(number) = number.as_f64() {
                    number_faults(schema, number, place, faults);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// One alternative has to fit; of several that do not, the one that comes nearest says what is wrong.
    fn alternatives<'s>(
        &mut self,
        branches: impl Iterator<Item = &'s Value>,
        value: &Value,
        place: &str,
        depth: usize,
        faults: &mut Vec<Fault>,
    ) {
        let mut nearest: Option<Vec<Fault>> = None;
        for branch in branches {
            let mut own = Vec::new();
            self.check(branch, value, place, depth + 1, Names::Leave, &mut own);
            if own.is_empty() {
                return;
            }
            // An alternative of another type is further away than any with faults inside, and one whose required
            // properties are not there further than one whose properties are wrong. One that fits but for properties
            // that no schema names is valid, so it is the nearest.
            let distance = |faults: &[Fault]| {
                let is_other = faults.iter().any(|fault| fault.kind == Kind::WrongType && fault.place == place);
                let count = |kind: Kind| faults.iter().filter(|fault| fault.kind == kind).count();
                let unnamed = count(Kind::UndocumentedProperty);
                (is_other, count(Kind::MissingRequired), faults.len() - unnamed, unnamed)
            };
            if nearest.as_ref().is_none_or(|nearest| distance(&own) < distance(nearest)) {
                nearest = Some(own);
            }
        }
        faults.extend(nearest.into_iter().flatten());
    }

    fn members(
        &mut self,
        schema: &Map<String, Value>,
        members: &Map<String, Value>,
        place: &str,
        depth: usize,
        faults: &mut Vec<Fault>,
    ) {
        let nothing = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&nothing);
        for name in parts(schema, "required").filter_map(Value::as_str) {
            if !members.contains_key(name)
                && !properties.get(name).is_some_and(|property| self.is_of_other_way(property))
            {
                let place = format!("{place}/{name}");
                add(faults, Kind::MissingRequired, &place, "missing, and it is required".to_owned());
            }
        }
        let more = schema.get("additionalProperties").filter(|more| more.is_object());
        for (name, member) in members {
            match (properties.get(name), more) {
                (Some(property), _) => {
                    self.check(property, member, &format!("{place}/{name}"), depth + 1, Names::Check, faults);
                }
                // The names are data: they stay out of messages.
                (None, Some(more)) if !schema.contains_key("patternProperties") => {
                    self.check(more, member, &format!("{place}/*"), depth + 1, Names::Check, faults);
                }
                (None, _) => {}
            }
        }
    }

    fn is_of_other_way(&self, property: &Value) -> bool {
        let marker = match self.way {
            Way::Request => "readOnly",
            Way::Response => "writeOnly",
        };
        self.contract.resolve(property).get(marker).and_then(Value::as_bool) == Some(true)
    }

    fn undocumented(&self, schema: &Value, members: &Map<String, Value>, place: &str, faults: &mut Vec<Fault>) {
        let known = Known::of(self.contract, schema);
        for name in members.keys().filter(|name| known.is_undocumented(name)) {
            let place = format!("{place}/{name}");
            add(faults, Kind::UndocumentedProperty, &place, "no schema names this property".to_owned());
        }
    }

    fn items(
        &mut self,
        schema: &Map<String, Value>,
        items: &[Value],
        place: &str,
        depth: usize,
        faults: &mut Vec<Fault>,
    ) {
        let first = schema.get("prefixItems").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (item, schema) in items.iter().zip(first) {
            self.check(schema, item, &format!("{place}/*"), depth + 1, Names::Check, faults);
        }
        if let Some(rest) = schema.get("items") {
            let place = format!("{place}/*");
            for item in items.iter().skip(first.len()) {
                self.check(rest, item, &place, depth + 1, Names::Check, faults);
            }
        }
        let count = items.len() as f64;
        bounds(schema, count, ("minItems", "maxItems"), "items", place, faults);
    }
}

/// `enum` and `const`. The value itself stays out of the message.
fn listed(schema: &Map<String, Value>, value: &Value, place: &str, faults: &mut Vec<Fault>) {
    let is_same =
        |listed: &Value| listed == value || listed.as_f64().is_some_and(|number| value.as_f64() == Some(number));
    if schema.get("enum").and_then(Value::as_array).is_some_and(|values| !values.iter().any(is_same)) {
        add(faults, Kind::WrongValue, place, "a value that the enumeration does not list".to_owned());
    }
    if schema.get("const").is_some_and(|constant| !is_same(constant)) {
        add(faults, Kind::WrongValue, place, "another value than the documented constant".to_owned());
    }
}

fn text_faults(schema: &Map<String, Value>, text: &str, place: &str, faults: &mut Vec<Fault>) {
    bounds(schema, text.chars().count() as f64, ("minLength", "maxLength"), "characters", place, faults);
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    let form = Form::of(text);
    let fits = match format {
        "uuid" | "date" | "date-time" | "email" | "ipv4" | "ipv6" => form.format() == Some(format),
        _ => true,
    };
    if !fits {
        add(faults, Kind::WrongValue, place, format!("a text that is not of the format {format}"));
    }
}

fn number_faults(schema: &Map<String, Value>, number: f64, place: &str, faults: &mut Vec<Fault>) {
    bounds(schema, number, ("minimum", "maximum"), "", place, faults);
    // A bound of its own in 3.1, a switch for the other bound in 3.0.
    let exclusive = |name: &str, bound: &str| match schema.get(name) {
        Some(Value::Bool(true)) => schema.get(bound).and_then(Value::as_f64),
        Some(value) => value.as_f64(),
        None => None,
    };
    if exclusive("exclusiveMinimum", "minimum").is_some_and(|bound| number <= bound) {
        add(faults, Kind::WrongValue, place, "not above the exclusive minimum".to_owned());
    }
    if exclusive("exclusiveMaximum", "maximum").is_some_and(|bound| number >= bound) {
        add(faults, Kind::WrongValue, place, "not below the exclusive maximum".to_owned());
    }
}

fn bounds(
    schema: &Map<String, Value>,
    measured: f64,
    (lowest, highest): (&str, &str),
    what: &str,
    place: &str,
    faults: &mut Vec<Fault>,
) {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let what = if what.is_empty() { String::new() } else { format!(" {what}") };
    if let Some(bound) = bound(lowest).filter(|bound| measured < *bound) {
        add(faults, Kind::WrongValue, place, format!("below the minimum of {bound}{what}"));
    }
    if let Some(bound) = bound(highest).filter(|bound| measured > *bound) {
        add(faults, Kind::WrongValue, place, format!("above the maximum of {bound}{what}"));
    }
}

fn add(faults: &mut Vec<Fault>, kind: Kind, place: &str, message: String) {
    faults.push(Fault { kind, place: place.to_owned(), message });
}
