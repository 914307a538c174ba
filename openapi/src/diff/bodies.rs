//! A body of a request or a response, laid beside the media types of an operation.

use serde_json::{Map, Value};
use tributary_http_types::{BodyFacts, Fields, json_value};

use super::check::{Fault, Way, faults};
use super::contract::Contract;
use super::finding::Kind;
use super::parameters::scalar;
use super::schema::types;

/// One body as the line has it.
pub(super) struct Body<'a> {
    pub(super) text: &'a str,
    pub(super) headers: Option<&'a Fields>,
    pub(super) facts: Option<&'a BodyFacts>,
}

impl Body<'_> {
    /// Whether there was one, whatever is left of it.
    pub(super) fn is_there(&self) -> bool {
        !self.text.is_empty() || self.facts.is_some_and(|facts| facts.bytes > 0)
    }

    /// Whether the text is all of it.
    fn is_whole_text(&self) -> bool {
        !self.text.is_empty() && self.facts.is_none_or(|facts| !facts.truncated && facts.base64.is_none())
    }

    /// `application/json`, without parameters, in lower case; empty if no header says it.
    fn media(&self) -> String {
        let header = self.headers.and_then(|headers| headers.first("content-type")).unwrap_or_default();
        header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// What is wrong with it, by the `content` of a request body or response. The place of a fault begins with `at`.
    pub(super) fn faults(&self, contract: &Contract, content: Option<&Value>, way: Way, at: &str) -> Vec<Fault> {
        let media = self.media();
        let nothing = Map::new();
        let content = content.and_then(Value::as_object).unwrap_or(&nothing);
        if content.is_empty() {
            let message = "a body, and none is documented".to_owned();
            return vec![Fault { kind: Kind::UndocumentedContent, place: at.to_owned(), message }];
        }
        let Some(documented) = documented(content, &media) else {
            if media.is_empty() {
                return Vec::new();
            }
            let listed = content.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let message = format!("{media}, {listed} is documented");
            return vec![Fault { kind: Kind::UndocumentedContent, place: at.to_owned(), message }];
        };
        let Some(schema) = contract.resolve(documented).get("schema").filter(|_| self.is_whole_text()) else {
            return Vec::new();
        };
        let value = if is_json(&media) {
            json_value(self.text.as_bytes()).ok()
        } else if media == "application/x-www-form-urlencoded" {
            Some(form(contract, schema, self.text))
        } else {
            return Vec::new();
        };
        let Some(value) = value else {
            let message = format!("a text that is no JSON, in a body of {media}");
            return vec![Fault { kind: Kind::WrongType, place: at.to_owned(), message }];
        };
        let found = faults(contract, schema, &value, way).into_iter();
        found.map(|fault| Fault { place: format!("{at} {}", fault.place).trim_end().to_owned(), ..fault }).collect()
    }
}

/// What stands under the media type, or else under the narrowest range that holds it.
fn documented<'c>(content: &'c Map<String, Value>, media: &str) -> Option<&'c Value> {
    let named = |wanted: &str| {
        let essence = |key: &str| key.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        content.iter().find(|(key, _)| essence(key) == wanted).map(|(_, documented)| documented)
    };
    let range = media.split_once('/').map(|(kind, _)| format!("{kind}/*"));
    named(media).or_else(|| named(&range?)).or_else(|| named("*/*"))
}

fn is_json(media: &str) -> bool {
    media == "application/json" || media == "text/json" || media.ends_with("+json")
}

/// A form as the object that its schema speaks of: a name that is repeated, or whose schema is an array, has an array.
fn form(contract: &Contract, schema: &Value, text: &str) -> Value {
    let properties = contract.resolve(schema).get("properties");
    let mut members = Map::new();
    for (name, values) in Fields::from_query(text).iter() {
        let property = properties.and_then(|properties| properties.get(name)).unwrap_or(&Value::Null);
        let allowed = types(contract, property, 0);
        let is_list = contract.resolve(property).get("items").is_some();
        let items = contract.resolve(property).get("items").map_or(allowed, |items| types(contract, items, 0));
        let value = match values {
            [one] if !is_list => scalar(allowed, one),
            several => several.iter().map(|text| scalar(items, text)).collect(),
        };
        members.insert(name.to_owned(), value);
    }
    Value::Object(members)
}
