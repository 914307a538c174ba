//! `meta` of a line that anybody may have written: trailers, texts, and what others have put beside the format's facts.

use serde_json::{Map, Value};
use tributary_http_types::{FactKind, json_value};

use super::{packed_bytes, text_of};
use crate::{
    counts::{Counts, Place},
    header,
    masker::{End, Masker, Style},
    redactor::Redactor,
};

/// Masks all of it but what the bodies hold in base64, and the texts by which a line is known.
///
/// A fact of the format that is of another kind than the format says is somebody else's.
pub(super) fn mask(rules: &Redactor, meta: &mut Map<String, Value>, counts: &mut Counts) {
    for (key, value) in meta {
        match (FactKind::of(key), &mut *value) {
            (Some(FactKind::Identity), Value::String(_)) | (Some(FactKind::Number), Value::Number(_)) => (),
            (Some(FactKind::Text), Value::String(text)) => mask_text(rules, text, counts),
            (Some(FactKind::Trailers), Value::Object(trailers)) => mask_trailers(rules, key, trailers, counts),
            (Some(FactKind::Body), Value::Object(facts)) => {
                let others = facts.iter_mut().filter(|(key, fact)| !is_of_body(key, fact));
                others.for_each(|(key, fact)| mask_other(rules, key, fact, counts));
            }
            (Some(FactKind::Counts), Value::Object(places)) => {
                let others = places.iter_mut().filter(|(_, count)| !count.is_number());
                others.for_each(|(key, count)| mask_other(rules, key, count, counts));
            }
            _ => mask_other(rules, key, value, counts),
        }
    }
}

fn is_of_body(key: &str, fact: &Value) -> bool {
    match key {
        "bytes" | "kept" => fact.is_number(),
        // It was masked with the body.
        "base64" => packed_bytes(fact).is_some(),
        _ => false,
    }
}

fn mask_text(rules: &Redactor, text: &mut String, counts: &mut Counts) {
    if let Some(masked) = rules.fact(text) {
        *text = text_of(masked.bytes);
        counts.add(Place::Meta, masked.count);
    }
}

fn mask_trailers(rules: &Redactor, key: &str, trailers: &mut Map<String, Value>, counts: &mut Counts) {
    let place = if key == "requestTrailers" { Place::RequestTrailers } else { Place::ResponseTrailers };
    for (name, value) in trailers {
        let values = match value {
            Value::Array(values) => values.iter_mut().collect(),
            one => vec![one],
        };
        for value in values {
            let Value::String(text) = value else {
                mask_other(rules, name, value, counts);
                continue;
            };
            if let Some(masked) = header::masked(rules, name.as_bytes(), text.as_bytes()) {
                *text = text_of(masked.bytes);
                counts.add(place, masked.count);
            }
        }
    }
}

/// A value that may be anything, under its key.
fn mask_other(rules: &Redactor, key: &str, value: &mut Value, counts: &mut Counts) {
    let json = Value::Object(Map::from_iter([(key.to_owned(), value.take())])).to_string();
    let masked = Masker::new(rules, json.as_bytes(), Style::Words).json_or_text(End::Whole);
    counts.add(Place::Meta, masked.as_ref().map_or(0, |masked| masked.count));
    let json = masked.map_or(json.into_bytes(), |masked| masked.bytes);
    let object = json_value(&json).ok();
    let first = object.as_ref().and_then(Value::as_object).and_then(|object| object.values().next());
    *value = first.cloned().unwrap_or_default();
}
