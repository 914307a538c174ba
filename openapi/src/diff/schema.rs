//! Questions about one schema of the document: which types it allows, which properties it knows.

use serde_json::{Map, Value};

use super::contract::Contract;

/// How deep schemas are followed into `allOf`, `oneOf`, `anyOf` and references, which may lead in circles.
pub(super) const DEEPEST: usize = 24;

/// The JSON types that a schema may allow, as a set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Types(u8);

/// The names of the types, in the order of their bits.
const NAMES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

impl Types {
    /// Every type: the schema says nothing.
    pub(super) const ANY: Types = Types(0b111_1111);

    /// The bit of a name; that of `number` comes with that of `integer`, for every whole number is one.
    fn named(name: &str) -> Types {
        let bit = |name: &str| NAMES.iter().position(|known| *known == name).map_or(0, |bit| 1 << bit);
        Types(bit(name) | if name == "number" { bit("integer") } else { 0 })
    }

    /// What the keywords of one schema say by themselves.
    pub(super) fn of(schema: &Map<String, Value>) -> Types {
        let named = |value: &Value| Types::named(value.as_str().unwrap_or_default()).0;
        let types = match schema.get("type") {
            Some(Value::Array(names)) => Types(names.iter().map(named).fold(0, |all, one| all | one)),
            Some(name) => Types(named(name)),
            None => Types::ANY,
        };
        let nullable = schema.get("nullable").and_then(Value::as_bool) == Some(true);
        if nullable { Types(types.0 | Types::named("null").0) } else { types }
    }

    /// Whether all values of this type may stand here.
    pub(super) fn has(self, name: &str) -> bool {
        let bits = Types::named(name).0;
        bits != 0 && self.0 & bits == bits
    }

    /// Whether the value is of one of the types. `1.0` is an integer (JSON Schema 2020-12 §4.2.1).
    pub(super) fn allow(self, value: &Value) -> bool {
        self.has(type_of(value)) || self.has("integer") && value.as_f64().is_some_and(|number| number.fract() == 0.0)
    }

    /// In words: `integer or null`.
    pub(super) fn words(self) -> String {
        let names = NAMES.iter().skip(1).chain(NAMES.first()).copied();
        let names = names.filter(|name| self.has(name) && !(*name == "integer" && self.has("number")));
        names.collect::<Vec<_>>().join(" or ")
    }
}

/// The JSON type of a value; `integer` for whole numbers.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The types that a schema allows, with all that it refers to.
pub(super) fn types(contract: &Contract, schema: &Value, depth: usize) -> Types {
    let Some(schema) = contract.resolve(schema).as_object().filter(|_| depth < DEEPEST) else { return Types::ANY };
    let mut types = Types::of(schema).0;
    for all in parts(schema, "allOf") {
        types &= self::types(contract, all, depth + 1).0;
    }
    for several in ["oneOf", "anyOf"] {
        let branches = parts(schema, several).map(|branch| self::types(contract, branch, depth + 1).0);
        types &= branches.reduce(|all, one| all | one).unwrap_or(Types::ANY.0);
    }
    Types(types)
}

/// The schemas in a list of schemas.
pub(super) fn parts<'s>(schema: &'s Map<String, Value>, keyword: &str) -> impl Iterator<Item = &'s Value> {
    schema.get(keyword).and_then(Value::as_array).into_iter().flatten()
}

/// What all schemas of one object together say about the names of its properties.
#[derive(Debug, Default)]
pub(super) struct Known<'c> {
    names: Vec<&'c str>,
    /// Other names are welcome: a map, a pattern.
    is_open: bool,
}

impl<'c> Known<'c> {
    pub(super) fn of(contract: &'c Contract, schema: &'c Value) -> Known<'c> {
        let mut known = Known::default();
        known.collect(contract, schema, 0);
        known
    }

    /// Whether a property of this name is undocumented. Where no schema names any property, all are free.
    pub(super) fn is_undocumented(&self, name: &str) -> bool {
        !self.is_open && !self.names.is_empty() && !self.names.contains(&name)
    }

    fn collect(&mut self, contract: &'c Contract, schema: &'c Value, depth: usize) {
        let Some(schema) = contract.resolve(schema).as_object().filter(|_| depth < DEEPEST) else { return };
        self.names.extend(
            schema.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str()),
        );
        let has_map = schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false));
        self.is_open |= has_map || schema.contains_key("patternProperties");
        for several in ["allOf", "oneOf", "anyOf"] {
            parts(schema, several).for_each(|part| self.collect(contract, part, depth + 1));
        }
        for one in ["if", "then", "else"] {
            if let Some(part) = schema.get(one) {
                self.collect(contract, part, depth + 1);
            }
        }
        for (_, part) in schema.get("dependentSchemas").and_then(Value::as_object).into_iter().flatten() {
            self.collect(contract, part, depth + 1);
        }
    }
}
