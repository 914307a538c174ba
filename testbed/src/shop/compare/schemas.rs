//! Two schemas beside each other, place by place.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Figures;

/// Formats that a reader of the traffic can see in the texts.
const VISIBLE: [&str; 5] = ["uuid", "date", "date-time", "email", "uri"];

impl Figures {
    /// Counts what is right in a schema and in everything below it.
    pub(super) fn schema(&mut self, wanted: &Value, found: &Value, place: &str) {
        let (of_contract, of_description) = (kind(wanted), kind(found));
        self.types.count(of_contract == of_description);
        if of_contract != of_description {
            self.wrong.push(format!("{place}: {of_contract} in the contract, {of_description} in the description"));
            return;
        }
        let (wanted, found) = (without_null(wanted), without_null(found));
        let format = |schema: &Value| schema["format"].as_str().filter(|it| VISIBLE.contains(it)).map(str::to_owned);
        if let (wanted, found) = (format(wanted), format(found))
            && (wanted.is_some() || found.is_some())
        {
            self.formats.count(wanted == found);
        }
        if !wanted["enum"].is_null() || !found["enum"].is_null() {
            self.enums.count(values(wanted) == values(found));
        }
        if wanted.get("properties").is_some() || found.get("properties").is_some() {
            self.properties(wanted, found, place);
        }
        if let Some(items) = wanted.get("items") {
            self.schema(items, &found["items"], &format!("{place}[]"));
        }
        if let Some(values) = wanted.get("additionalProperties").filter(|it| it.is_object()) {
            self.schema(values, &found["additionalProperties"], &format!("{place}.*"));
        }
    }

    fn properties(&mut self, wanted: &Value, found: &Value, place: &str) {
        let required = |schema: &Value, name: &str| {
            schema["required"].as_array().is_some_and(|names| names.iter().any(|other| other == name))
        };
        let of_contract = wanted["properties"].as_object().into_iter().flatten();
        for (name, property) in of_contract {
            let place = format!("{place}.{name}");
            let Some(other) = found["properties"].get(name) else {
                self.required.count(false);
                self.miss(&format!("{place}: not found"));
                continue;
            };
            let right = required(wanted, name) == required(found, name);
            self.required.count(right);
            if !right {
                self.wrong.push(format!("{place}: required is {}", required(found, name)));
            }
            self.schema(property, other, &place);
        }
        for (name, _) in found["properties"].as_object().into_iter().flatten() {
            if wanted["properties"].get(name).is_none() {
                self.miss(&format!("{place}.{name}: not in the contract"));
            }
        }
    }
}

/// The schema of what is not `null`, where that is an alternative of its own.
fn without_null(schema: &Value) -> &Value {
    let several = schema["anyOf"].as_array().or(schema["oneOf"].as_array()).map(Vec::as_slice).unwrap_or_default();
    let mut others = several.iter().filter(|one| one["type"] != "null");
    match (others.next(), others.next()) {
        (Some(one), None) => one,
        _ => schema,
    }
}

/// The type in one word, in the words of 3.0: `string`, `integer or null`, `map`, `binary`; `anything` where there is none.
fn kind(schema: &Value) -> String {
    let mut types = BTreeSet::new();
    collect(schema, &mut types);
    let nullable = types.remove("null");
    // A number may be whole.
    if types.contains("number") {
        types.remove("integer");
    }
    let mut name = types.into_iter().collect::<Vec<_>>().join(" or ");
    if name.is_empty() {
        name = "anything".to_owned();
    }
    if nullable {
        name.push_str(" or null");
    }
    name
}

fn collect<'a>(schema: &'a Value, types: &mut BTreeSet<&'a str>) {
    if schema["nullable"] == true {
        types.insert("null");
    }
    for several in ["oneOf", "anyOf"] {
        schema[several].as_array().into_iter().flatten().for_each(|one| collect(one, types));
    }
    let own = schema["type"]
        .as_str()
        .into_iter()
        .chain(schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str));
    for name in own {
        let is_map = schema.get("properties").is_none() && schema["additionalProperties"].is_object();
        types.insert(match name {
            "object" if is_map => "map",
            // 3.1 says it by the media type alone.
            "string" if schema["format"] == "binary" => "binary",
            other => other,
        });
    }
}

/// The values of an enumeration, in no order; `null` is said by the type.
fn values(schema: &Value) -> BTreeSet<String> {
    let values = schema["enum"].as_array().into_iter().flatten();
    values.filter(|value| !value.is_null()).map(Value::to_string).collect()
}
