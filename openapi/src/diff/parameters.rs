//! What a request carries beside its body, laid beside the parameters of an operation.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tributary_http_types::Fields;

use super::check::{Fault, Way, faults};
use super::contract::{Contract, Operation};
use super::finding::Kind;
use super::schema::{Types, types};
use crate::call::Call;
use crate::credentials::{cookies, is_key, is_session};
use crate::noise::{is_cookie_parameter, is_request_parameter};

/// Parameters by place and name; names of headers in lower case. Those of the operation go before those of the path.
type Documented<'c> = BTreeMap<(&'c str, String), &'c Map<String, Value>>;

/// What is wrong with the parameters of one request. The place of a fault is like `query page`.
pub(super) fn parameter_faults(
    contract: &Contract,
    operation: Operation<'_>,
    call: &Call<'_>,
    in_path: &[(&str, String)],
) -> Vec<Fault> {
    let documented = documented(contract, operation);
    let nothing = Fields::new();
    let headers = call.exchange.request.headers.as_ref().unwrap_or(&nothing);
    let cookies = cookies(headers);
    let mut found = Vec::new();
    for ((place, name), parameter) in &documented {
        let sent: Vec<&str> = match *place {
            "path" => in_path.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect(),
            "query" => call.query.all(name).iter().map(String::as_str).collect(),
            "header" => headers.all(name).iter().map(String::as_str).collect(),
            "cookie" => cookies.iter().filter(|(own, _)| own == name).map(|(_, value)| *value).collect(),
            _ => continue,
        };
        // OpenAPI leaves these three to other parts of the document (OAS 3.1.0 §4.8.12.1).
        if *place == "header" && ["accept", "content-type", "authorization"].contains(&name.as_str()) {
            continue;
        }
        let at = format!("{place} {name}");
        let is_split = *place == "query" && is_object(contract, parameter);
        if sent.is_empty() && !is_split {
            let required = parameter.get("required").and_then(Value::as_bool) == Some(true) && *place != "path";
            if required {
                found.push(Fault {
                    kind: Kind::MissingRequired,
                    place: at,
                    message: "missing, and it is required".to_owned(),
                });
            }
        } else if !is_split {
            found.extend(values_faults(contract, parameter, &sent, &at));
        }
    }
    found.extend(undocumented(contract, &documented, call, headers, &cookies));
    found
}

/// A header of a response, or a parameter: its schema, laid beside what stands there.
pub(super) fn values_faults(
    contract: &Contract,
    parameter: &Map<String, Value>,
    sent: &[&str],
    at: &str,
) -> Vec<Fault> {
    let Some(schema) = parameter.get("schema") else { return Vec::new() };
    let value = value_of(contract, parameter, schema, sent);
    let faults = faults(contract, schema, &value, Way::Request).into_iter();
    faults.map(|fault| Fault { place: format!("{at}{}", fault.place), ..fault }).collect()
}

fn documented<'c>(contract: &'c Contract, operation: Operation<'c>) -> Documented<'c> {
    let mut documented = Documented::new();
    for holder in [operation.item, operation.own] {
        for parameter in holder.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            let Some(parameter) = contract.resolve(parameter).as_object() else { continue };
            let text = |key: &str| parameter.get(key).and_then(Value::as_str);
            if let (Some(place), Some(name)) = (text("in"), text("name")) {
                let name = if place == "header" { name.to_ascii_lowercase() } else { name.to_owned() };
                documented.insert((place, name), parameter);
            }
        }
    }
    documented
}

/// What was sent that the operation does not have; of headers and cookies only what belongs to an interface.
fn undocumented(
    contract: &Contract,
    documented: &Documented<'_>,
    call: &Call<'_>,
    headers: &Fields,
    cookies: &[(&str, &str)],
) -> Vec<Fault> {
    let is_free = |place: &str, name: &str| {
        let is_documented = documented.contains_key(&(place, name.to_owned()));
        let is_credential = contract.key_names(place).any(|key| key.eq_ignore_ascii_case(name));
        !is_documented && !is_credential
    };
    let members =
        || documented.iter().filter(|((place, _), parameter)| *place == "query" && is_object(contract, parameter));
    // `filter[status]=…`, or the names of the properties themselves.
    let is_member = |name: &str| {
        members().any(|((_, own), parameter)| {
            let inside =
                name.strip_prefix(own.as_str()).is_some_and(|rest| rest.starts_with('[') || rest.starts_with('.'));
            inside || has_property(contract, parameter, name)
        })
    };
    let query = call.query.iter().map(|(name, _)| name).filter(|name| is_free("query", name) && !is_member(name));
    let of_interface = |name: &&str| is_request_parameter(name) && !is_key(name);
    let headers = headers.iter().map(|(name, _)| name).filter(of_interface).filter(|name| is_free("header", name));
    let of_interface = |name: &&str| is_cookie_parameter(name) && !is_session(name);
    let cookies = cookies.iter().map(|(name, _)| *name).filter(of_interface).filter(|name| is_free("cookie", name));
    let fault = |place: &str, name: &str| Fault {
        kind: Kind::UndocumentedParameter,
        place: format!("{place} {name}"),
        message: "the operation has no such parameter".to_owned(),
    };
    let query = query.map(|name| fault("query", name));
    query.chain(headers.map(|name| fault("header", name))).chain(cookies.map(|name| fault("cookie", name))).collect()
}

fn is_object(contract: &Contract, parameter: &Map<String, Value>) -> bool {
    parameter.get("schema").is_some_and(|schema| {
        let types = types(contract, schema, 0);
        types != Types::ANY && types.has("object")
    })
}

fn has_property(contract: &Contract, parameter: &Map<String, Value>, name: &str) -> bool {
    let schema = parameter.get("schema").map(|schema| contract.resolve(schema));
    schema.and_then(|schema| schema.get("properties")?.get(name)).is_some()
}

/// Texts as the value that the schema speaks of.
fn value_of(contract: &Contract, parameter: &Map<String, Value>, schema: &Value, sent: &[&str]) -> Value {
    let allowed = types(contract, schema, 0);
    let single = || sent.first().map_or(Value::Null, |text| scalar(allowed, text));
    if allowed == Types::ANY || !allowed.has("array") {
        return single();
    }
    let items = contract.resolve(schema).get("items").map_or(Types::ANY, |items| types(contract, items, 0));
    let style = parameter.get("style").and_then(Value::as_str).unwrap_or_default();
    let is_query = parameter.get("in").and_then(Value::as_str) == Some("query");
    let explode = parameter
        .get("explode")
        .and_then(Value::as_bool)
        .unwrap_or(is_query && style != "spaceDelimited" && style != "pipeDelimited");
    let separator = match style {
        "spaceDelimited" => ' ',
        "pipeDelimited" => '|',
        _ => ',',
    };
    let texts = sent.iter().flat_map(|text| match explode && is_query {
        true => vec![*text],
        false => text.split(separator).collect(),
    });
    texts.map(|text| scalar(items, text.trim())).collect()
}

/// A text as a number, a boolean or nothing, where the schema has one of those and the text is one.
pub(super) fn scalar(allowed: Types, text: &str) -> Value {
    let is_number = allowed.has("integer");
    if is_number && !(allowed == Types::ANY) {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        if let Some(number) = serde_json::from_str::<Value>(text).ok().filter(|value| is_plain && value.is_number()) {
            return number;
        }
    }
    match text {
        "true" if allowed.has("boolean") && allowed != Types::ANY => Value::Bool(true),
        "false" if allowed.has("boolean") && allowed != Types::ANY => Value::Bool(false),
        "null" if allowed.has("null") && !allowed.has("string") => Value::Null,
        _ => Value::String(text.to_owned()),
    }
}
