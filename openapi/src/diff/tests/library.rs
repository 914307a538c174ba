//! Our check and a JSON Schema library judge alike what both can judge.
//!
//! Generated are the keywords that we check, in the words of 3.0 and of 3.1. The library gets the same schema in words of
//! 2020-12, where our meaning is another one on purpose (see [`crate::diff`]): `nullable` lets `null` pass whatever else
//! is there, one alternative of a `oneOf` is enough, and unnamed properties are no matter of valid or invalid.

use proptest::{prelude::*, sample::subsequence, strategy::ValueTree, test_runner::TestRunner};

use super::*;
use crate::diff::check::{Way, faults};

const NAMES: [&str; 3] = ["a", "b", "c"];
const TYPES: [&str; 6] = ["boolean", "integer", "number", "string", "array", "object"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    V3_0,
    V3_1,
}

/// Few, so that they often meet a bound or stand in an enumeration.
fn scalars() -> Vec<Value> {
    let numbers = [json!(-1), json!(0), json!(1), json!(2), json!(1.0), json!(0.5), json!(1.5)];
    let texts = ["", "a", "b", "é", "abc"].map(Value::from);
    [Value::Null, json!(true), json!(false)].into_iter().chain(numbers).chain(texts).collect()
}

fn scalar() -> BoxedStrategy<Value> {
    prop::sample::select(scalars()).boxed()
}

fn value() -> BoxedStrategy<Value> {
    let nested = |inner: BoxedStrategy<Value>| {
        let list = prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from);
        prop_oneof![scalar(), list, by_name(inner)]
    };
    scalar().prop_recursive(3, 24, 4, nested).boxed()
}

fn by_name(inner: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let members = prop::collection::btree_map(prop::sample::select(NAMES.to_vec()), inner, 0..4);
    members.prop_map(|members| members.into_iter().map(|(name, member)| (name.to_owned(), member)).collect()).boxed()
}

fn type_of_dialect(dialect: Dialect) -> BoxedStrategy<Value> {
    let one = prop::sample::select(TYPES.to_vec());
    match dialect {
        Dialect::V3_0 => (one, prop::option::of(any::<bool>()))
            .prop_map(|(one, nullable)| match nullable {
                Some(nullable) => json!({ "type": one, "nullable": nullable }),
                None => json!({ "type": one }),
            })
            .boxed(),
        Dialect::V3_1 => {
            let several =
                subsequence([&["null"], &TYPES[..]].concat(), 1..4).prop_map(|types| json!({ "type": types }));
            prop_oneof![one.prop_map(|one| json!({ "type": one })), several].boxed()
        }
    }
}

/// A keyword that bounds what the value is, without schemas within.
fn plain(dialect: Dialect) -> BoxedStrategy<Value> {
    let counts = ["minLength", "maxLength", "minItems", "maxItems"];
    let count = (prop::sample::select(counts.to_vec()), 0..4).prop_map(|(name, count)| json!({ name: count }));
    let bound =
        (prop::sample::select(vec!["minimum", "maximum"]), -1..3).prop_map(|(name, bound)| json!({ name: bound }));
    let exclusive =
        (prop::sample::select(vec!["minimum", "maximum"]), -1..3, any::<bool>()).prop_map(move |(name, bound, on)| {
            let exclusive = if name == "minimum" { "exclusiveMinimum" } else { "exclusiveMaximum" };
            match dialect {
                Dialect::V3_0 => json!({ name: bound, exclusive: on }),
                Dialect::V3_1 => json!({ exclusive: bound }),
            }
        });
    let listed = prop::collection::vec(scalar(), 1..5).prop_map(|values| json!({ "enum": values }));
    let required = subsequence(NAMES.to_vec(), 1..3).prop_map(|names| json!({ "required": names }));
    let constant = scalar().prop_map(move |value| match dialect {
        Dialect::V3_0 => json!({ "enum": [value] }),
        Dialect::V3_1 => json!({ "const": value }),
    });
    prop_oneof![4 => type_of_dialect(dialect), 1 => count, 1 => bound, 1 => exclusive, 1 => listed, 1 => required, 1 => constant].boxed()
}

/// A keyword with schemas within, or a reference to one of the named schemas.
fn composed(dialect: Dialect, inner: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let several = prop::collection::vec(inner.clone(), 1..4);
    let composition = (prop::sample::select(vec!["allOf", "anyOf", "oneOf"]), several.clone())
        .prop_map(|(name, schemas)| json!({ name: schemas }));
    let properties = by_name(inner.clone()).prop_map(|properties| json!({ "properties": properties }));
    let more = inner.clone().prop_map(|schema| json!({ "additionalProperties": schema }));
    let items = inner.prop_map(|schema| json!({ "items": schema }));
    let prefix = match dialect {
        Dialect::V3_0 => items.clone().boxed(),
        Dialect::V3_1 => several.prop_map(|schemas| json!({ "prefixItems": schemas })).boxed(),
    };
    prop_oneof![3 => composition, 3 => properties, 1 => more, 2 => items, 1 => prefix].boxed()
}

fn schema(dialect: Dialect, references: &'static [&'static str]) -> BoxedStrategy<Value> {
    let merged = |keywords: Vec<Value>| {
        keywords.into_iter().filter_map(|keyword| keyword.as_object().cloned()).flatten().collect::<Value>()
    };
    let leaf = prop::collection::vec(plain(dialect), 0..3).prop_map(merged).boxed();
    let leaf = match references {
        [] => leaf,
        names => {
            let reference = prop::sample::select(names.to_vec());
            let reference = reference.prop_map(|name| json!({ "$ref": format!("#/components/schemas/{name}") }));
            prop_oneof![3 => leaf, 1 => reference].boxed()
        }
    };
    let nested = move |inner: BoxedStrategy<Value>| {
        let keyword = prop_oneof![1 => plain(dialect), 2 => composed(dialect, inner)];
        prop::collection::vec(keyword, 1..4).prop_map(merged)
    };
    leaf.prop_recursive(3, 16, 3, nested).boxed()
}

/// `Tree` refers to itself, below a property and an element, where a value ends the circle.
fn components(dialect: Dialect) -> BoxedStrategy<Value> {
    (schema(dialect, &["Leaf", "Tree"]), schema(dialect, &[]), schema(dialect, &["Leaf"]))
        .prop_map(|(root, leaf, own)| {
            let tree = json!({ "$ref": "#/components/schemas/Tree" });
            let tree =
                json!({ "properties": { "a": tree, "b": own }, "items": tree, "required": ["a"], "maxItems": 2 });
            json!({ "Root": root, "Leaf": leaf, "Tree": tree })
        })
        .boxed()
}

/// Named schemas, and values to lay beside the one named `Root`.
fn case() -> BoxedStrategy<(Dialect, Value, Vec<Value>)> {
    let dialect = prop_oneof![Just(Dialect::V3_0), Just(Dialect::V3_1)];
    let values = || prop::collection::vec(value(), 6);
    dialect.prop_flat_map(move |dialect| (Just(dialect), components(dialect), values())).boxed()
}

fn contract(dialect: Dialect, components: &Value) -> Contract {
    let version = if dialect == Dialect::V3_0 { "3.0.3" } else { "3.1.0" };
    Contract::of(json!({ "openapi": version, "components": { "schemas": components } })).unwrap()
}

fn we_find_it_valid(contract: &Contract, value: &Value) -> bool {
    let faults = faults(contract, &json!({ "$ref": "#/components/schemas/Root" }), value, Way::Response);
    faults.iter().all(|fault| fault.kind == Kind::UndocumentedProperty)
}

fn library(components: &Value) -> jsonschema::Validator {
    let schemas = components.as_object().unwrap().iter().map(|(name, schema)| (name.clone(), translated(schema)));
    let root = json!({ "$ref": "#/components/schemas/Root", "components": { "schemas": schemas.collect::<Value>() } });
    jsonschema::draft202012::new(&root).unwrap()
}

/// The same schema for a library that knows JSON Schema 2020-12 only.
fn translated(schema: &Value) -> Value {
    let mut own = serde_json::Map::new();
    for (keyword, value) in schema.as_object().unwrap() {
        let exclusive_of = |bound: &str| schema.get(bound).cloned().unwrap_or_default();
        match (keyword.as_str(), value) {
            ("nullable", _) | ("exclusiveMinimum" | "exclusiveMaximum", Value::Bool(false)) => {}
            ("exclusiveMinimum", Value::Bool(true)) => drop(own.insert(keyword.clone(), exclusive_of("minimum"))),
            ("exclusiveMaximum", Value::Bool(true)) => drop(own.insert(keyword.clone(), exclusive_of("maximum"))),
            ("prefixItems", Value::Array(schemas)) => {
                own.insert(keyword.clone(), schemas.iter().map(translated).collect());
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => {
                // All three may stand in one schema: they become parts of one `allOf`.
                let schemas = schemas.iter().map(translated).collect::<Vec<_>>();
                let parts = if keyword == "allOf" { schemas } else { vec![json!({ "anyOf": schemas })] };
                own.entry("allOf").or_insert_with(|| json!([])).as_array_mut().unwrap().extend(parts);
            }
            ("properties", Value::Object(properties)) => {
                let properties = properties.iter().map(|(name, schema)| (name.clone(), translated(schema)));
                own.insert(keyword.clone(), properties.collect());
            }
            ("items" | "additionalProperties", schema) => drop(own.insert(keyword.clone(), translated(schema))),
            _ => drop(own.insert(keyword.clone(), value.clone())),
        }
    }
    if schema["nullable"] == true { json!({ "anyOf": [{ "type": "null" }, own] }) } else { Value::Object(own) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn our_verdict_is_that_of_the_library((dialect, components, values) in case()) {
        let (contract, library) = (contract(dialect, &components), library(&components));

        for value in scalars().iter().chain(&values) {
            let ours = we_find_it_valid(&contract, value);

            prop_assert_eq!(ours, library.is_valid(value), "{} beside {}", value, components);
        }
    }
}

/// Found by the property: the other alternative has as many faults, but it is not valid.
#[test]
fn an_alternative_that_lacks_only_names_further_down_fits() {
    let tree = json!({ "type": "array", "items": { "properties": { "a": {} } } });
    let components = json!({ "Root": { "anyOf": [{ "enum": [null] }, tree] } });
    let value = json!([{ "a": null, "c": null }]);
    let contract = contract(Dialect::V3_1, &components);

    assert!(library(&components).is_valid(&value));
    assert!(we_find_it_valid(&contract, &value));
}

/// Otherwise agreement would say little.
#[test]
fn cases_are_valid_and_invalid_in_both_dialects() {
    let mut runner = TestRunner::deterministic();
    let mut counts = [[0; 2]; 2];
    for _ in 0..100 {
        let (dialect, components, values) = case().new_tree(&mut runner).unwrap().current();
        let library = library(&components);
        for value in &values {
            counts[usize::from(dialect == Dialect::V3_1)][usize::from(library.is_valid(value))] += 1;
        }
    }

    assert!(counts.iter().flatten().all(|count| *count >= 40), "{counts:?}");
}
