//! Values of a schema, made up: what stands in a body, a path, a query.

use serde_json::{Map, Value, json};

use crate::random::Random;

/// Words that texts are made of.
const WORDS: [&str; 48] = [
    "amber", "anchor", "apple", "basil", "birch", "blue", "bold", "brook", "cedar", "cloud", "coral", "crisp", "dawn",
    "deep", "drift", "dune", "early", "ember", "fern", "field", "frost", "glen", "green", "grove", "harbor", "hazel",
    "heron", "ivory", "jade", "juniper", "kind", "lake", "late", "linen", "maple", "meadow", "mild", "north", "oak",
    "pearl", "quiet", "reed", "river", "sage", "slate", "tide", "willow", "zephyr",
];

/// How often an optional property is there, in per cent.
const PRESENCE: u64 = 60;

/// A value of the schema, which has no references. A schema without a type gives `null`.
pub(super) fn value(schema: &Value, random: &mut Random) -> Value {
    if schema["nullable"] == true && random.chance(25) {
        return Value::Null;
    }
    let few = schema["enum"].as_array().or(schema["x-values"].as_array());
    if let Some(value) = few.and_then(|few| random.pick(few)) {
        return value.clone();
    }
    let bound = |name: &str, or: i64| schema[name].as_i64().unwrap_or(or);
    match schema["type"].as_str() {
        Some("string") => Value::String(string(schema, random)),
        Some("integer") => random.between(bound("minimum", 0), bound("maximum", 1_000_000)).into(),
        Some("number") => number(bound("minimum", 1), bound("maximum", 900), random),
        Some("boolean") => random.chance(50).into(),
        Some("array") => {
            let count = random.between(bound("minItems", 0), bound("maxItems", 4));
            (0..count).map(|_| value(&schema["items"], random)).collect()
        }
        Some("object") => Value::Object(object(schema, random)),
        _ => Value::Null,
    }
}

/// Two decimals; one in ten is whole, and written without a point, as JavaScript does it.
fn number(low: i64, high: i64, random: &mut Random) -> Value {
    let whole = random.between(low, high.saturating_sub(1).max(low));
    match random.chance(10) {
        true => whole.into(),
        false => json!(whole as f64 + random.between(1, 99) as f64 / 100.0),
    }
}

fn object(schema: &Value, random: &mut Random) -> Map<String, Value> {
    let mut members = Map::new();
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let presence = property["x-presence"].as_u64().unwrap_or(PRESENCE);
        if required.iter().any(|required| required == name) || random.chance(presence) {
            members.insert(name.clone(), value(property, random));
        }
    }
    if let (Some(keys), Some(of)) = (schema["x-keys"].as_str(), schema.get("additionalProperties")) {
        for _ in 0..random.between(3, 30) {
            members.insert(matching(keys, random), value(of, random));
        }
    }
    members
}

fn string(schema: &Value, random: &mut Random) -> String {
    if let Some(pattern) = schema["pattern"].as_str() {
        return matching(pattern, random);
    }
    match schema["format"].as_str() {
        Some("uuid") => matching("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", random),
        Some("date") => date(random),
        Some("date-time") => format!("{}T{}Z", date(random), matching("^[01][0-9]:[0-5][0-9]:[0-5][0-9]$", random)),
        Some("email") => format!("{}.{}@mail.example", word(random), matching("^[a-z]{3}[0-9]{2}$", random)),
        Some("uri") => format!("https://cdn.shop.example/{}/{}.jpg", word(random), matching("^[0-9a-f]{10}$", random)),
        Some("secret") => secret(random),
        Some("binary") => String::new(),
        _ => text(random),
    }
}

/// What the filter puts in the place of a secret: nothing of it, or a token that is the same for the same secret.
fn secret(random: &mut Random) -> String {
    match random.chance(50) {
        true => "[redacted]".to_owned(),
        false => matching("^tok_[0-9a-f]{16}$", random),
    }
}

fn date(random: &mut Random) -> String {
    format!("20{:02}-{:02}-{:02}", random.between(19, 26), random.between(1, 12), random.between(1, 28))
}

/// One to five words.
fn text(random: &mut Random) -> String {
    let count = random.between(1, 5);
    let mut words = (0..count).map(|_| word(random)).collect::<Vec<_>>().join(" ");
    if random.chance(30) {
        words.push_str(&format!(" {}", random.below(1_000)));
    }
    words
}

fn word(random: &mut Random) -> &'static str {
    random.pick(&WORDS).copied().unwrap_or_default()
}

/// A text that matches a pattern of the contract: characters, classes and `{n}` only, from `^` to `$`.
fn matching(pattern: &str, random: &mut Random) -> String {
    let mut text = String::new();
    let mut rest = pattern.trim_start_matches('^').trim_end_matches('$').chars().peekable();
    while let Some(first) = rest.next() {
        let choices = match first {
            '[' => class(&mut rest),
            '\\' => rest.next().into_iter().collect(),
            other => vec![other],
        };
        let mut count = 1;
        if rest.next_if_eq(&'{').is_some() {
            let digits = rest.by_ref().take_while(|digit| *digit != '}').collect::<String>();
            count = digits.parse().unwrap_or(1);
        }
        text.extend((0..count).filter_map(|_| random.pick(&choices).copied()));
    }
    text
}

fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Vec<char> {
    let mut choices = Vec::new();
    while let Some(first) = rest.next().filter(|end| *end != ']') {
        match rest.next_if_eq(&'-').and_then(|_| rest.next()) {
            Some(last) => choices.extend(first..=last),
            None => choices.push(first),
        }
    }
    choices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_match_the_patterns_they_are_made_for() {
        let mut random = Random::seeded("patterns", 1);

        let order = matching("^ord_[0-9A-Z]{10}$", &mut random);
        let key = matching("^[a-z]{5}\\.[a-z]{4}$", &mut random);

        assert!(order.len() == 14 && order.starts_with("ord_"), "{order}");
        assert!(order.bytes().skip(4).all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()), "{order}");
        assert_eq!((key.len(), key.find('.')), (10, Some(5)));
    }

    #[test]
    fn required_properties_are_always_there_and_others_sometimes() {
        let schema = json!({
            "type": "object",
            "required": ["a"],
            "properties": { "a": { "type": "integer" }, "b": { "type": "string", "nullable": true } },
        });

        let made = (0..200).map(|number| value(&schema, &mut Random::seeded("objects", number))).collect::<Vec<_>>();

        assert!(made.iter().all(|value| value["a"].is_i64()));
        assert!(made.iter().any(|value| value.get("b").is_none()) && made.iter().any(|value| value["b"].is_string()));
        assert!(made.iter().any(|value| value.get("b").is_some_and(Value::is_null)));
    }
}
