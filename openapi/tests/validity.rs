//! Every exchange that was learnt from is valid under its own document.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: what does not hold must fail")]

mod support;

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{Call, HOST, learner, traffic::traffic};
use tributary_http_types::HttpExchange;
use tributary_openapi::{Settings, Subject, Version, describe};

/// Statuses that alone do not make an operation.
const NOTHING_THERE: [u16; 3] = [404, 405, 501];

/// Stands for an operation that was left out, with an explanation.
const LEFT_OUT: &str = "left out";

/// Statuses after which a request teaches only if no other did.
const REFUSED: [u16; 2] = [400, 500];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_exchange_is_valid_under_its_document(calls in traffic(50), is_old in any::<bool>(), min_evidence in 1u32..4) {
        let version = if is_old { Version::V30 } else { Version::V31 };
        let settings = Settings { version, min_evidence, ..Settings::default() };
        let description = describe(&learner(&calls), HOST, &settings, None);
        let mut document = description.document;
        for it in description.explanations.iter().filter(|it| it.subject == Subject::LeftOut) {
            let (method, template) = it.place.split_once(' ').unwrap();
            document["paths"][template][method.to_lowercase()] = json!(LEFT_OUT);
        }
        if is_old {
            renewed(&mut document);
        }

        for call in &calls {
            let exchange = call.exchange();
            if let Err(problem) = check(&document, &exchange) {
                prop_assert!(false, "{problem}\n{}\n{document:#}", call.line());
            }
        }
    }
}

/// `nullable` of OpenAPI 3.0, as JSON Schema says it.
fn renewed(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(renewed),
        Value::Object(members) => {
            if members.remove("nullable") == Some(json!(true)) {
                let kind = members["type"].clone();
                members.insert("type".into(), json!([kind, "null"]));
            }
            members.values_mut().for_each(renewed);
        }
        _ => {}
    }
}

fn check(document: &Value, exchange: &HttpExchange) -> Result<(), String> {
    let (request, response) = (&exchange.request, exchange.response.as_ref().unwrap());
    let path = request.path.as_deref().unwrap().split('?').next().unwrap();
    let status = response.status_code;
    let found = template_of(document, path, request.method.as_str());
    let (template, operation) = found.ok_or_else(|| format!("no operation for {} {path}", request.method))?;
    if operation == LEFT_OUT {
        return NOTHING_THERE
            .contains(&status)
            .then_some(())
            .ok_or_else(|| format!("left out, though it answered {status}"));
    }
    let documented = operation["responses"].get(status.to_string()).ok_or_else(|| format!("no status {status}"))?;
    let body: Value = serde_json::from_str(response.body.as_deref().unwrap()).unwrap();
    valid(document, &documented["content"]["application/json"]["schema"], &body, "answer")?;
    for (parameter, value) in path_values(&document["paths"][&template], &template, path) {
        valid(document, &parameter["schema"], &written(&value, &parameter["schema"]), "path parameter")?;
    }
    if REFUSED.contains(&status) {
        return Ok(());
    }
    if let Some(body) = &request.body {
        let content = &operation["requestBody"]["content"]["application/json"];
        valid(document, &content["schema"], &serde_json::from_str(body).unwrap(), "request")?;
    } else if operation["requestBody"]["required"] == true {
        return Err("a body is required, but there is none".into());
    }
    check_query(document, operation, path_and_query(exchange))
}

fn path_and_query(exchange: &HttpExchange) -> Vec<(String, Vec<String>)> {
    let search = exchange.request.path.as_deref().unwrap().split_once('?').map_or("", |(_, search)| search);
    let fields = tributary_http_types::Fields::from_query(search);
    fields.iter().map(|(name, values)| (name.to_owned(), values.to_vec())).collect()
}

fn check_query(document: &Value, operation: &Value, query: Vec<(String, Vec<String>)>) -> Result<(), String> {
    let none = Vec::new();
    let parameters: Vec<&Value> = operation["parameters"]
        .as_array()
        .unwrap_or(&none)
        .iter()
        .filter(|parameter| parameter["in"] == "query")
        .collect();
    for parameter in &parameters {
        if parameter["required"] == true && !query.iter().any(|(name, _)| parameter["name"] == name.as_str()) {
            return Err(format!("{} is required, but missing", parameter["name"]));
        }
    }
    for (name, values) in query.iter().filter(|(name, _)| name != "api_key") {
        let parameter = parameters.iter().find(|parameter| parameter["name"] == name.as_str());
        let schema = &parameter.ok_or_else(|| format!("no query parameter {name}"))?["schema"];
        let value = match schema["type"] == "array" {
            true => values.iter().map(|value| written(value, &schema["items"])).collect(),
            false => written(&values[0], schema),
        };
        valid(document, schema, &value, "query parameter")?;
    }
    Ok(())
}

/// A written value as its schema reads it.
fn written(text: &str, schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("integer" | "number" | "boolean") => serde_json::from_str(text).unwrap_or(json!(text)),
        _ => json!(text),
    }
}

fn valid(document: &Value, schema: &Value, value: &Value, what: &str) -> Result<(), String> {
    if schema.is_null() {
        return Err(format!("no schema for the {what}"));
    }
    let root = json!({"allOf": [schema], "components": document["components"]});
    let validator: Validator = jsonschema::draft202012::new(&root).map_err(|error| format!("{what}: {error}"))?;
    validator.validate(value).map_err(|error| format!("{what}: {error}"))
}

/// The operation for a path: literals before parameters.
fn template_of<'d>(document: &'d Value, path: &str, method: &str) -> Option<(String, &'d Value)> {
    let paths = document["paths"].as_object().unwrap();
    let mut matching: Vec<&String> = paths.keys().filter(|template| matches(template, path)).collect();
    matching.sort_by_key(|template| template.split('/').map(|segment| segment.starts_with('{')).collect::<Vec<_>>());
    let template = matching.first()?;
    Some(((*template).clone(), paths[*template].get(method)?))
}

fn matches(template: &str, path: &str) -> bool {
    let same = |(one, other): (&str, &str)| one == other || one.starts_with('{') && !other.is_empty();
    template.split('/').count() == path.split('/').count() && template.split('/').zip(path.split('/')).all(same)
}

fn path_values(item: &Value, template: &str, path: &str) -> Vec<(Value, String)> {
    let none = Vec::new();
    let parameters = item["parameters"].as_array().unwrap_or(&none);
    let values = template.split('/').zip(path.split('/')).filter(|(segment, _)| segment.starts_with('{'));
    parameters.iter().cloned().zip(values.map(|(_, value)| value.to_owned())).collect()
}

#[test]
fn a_document_that_is_too_narrow_is_found_out() {
    let calls: Vec<Call> = vec![support::call("get", "/things/1").answers(200, json!({"id": 1}))];
    let mut document = describe(&learner(&calls), HOST, &Settings::default(), None).document;
    document["components"]["schemas"]["Thing"]["properties"]["id"] = json!({"type": "string"});

    assert!(check(&document, &calls[0].exchange()).unwrap_err().contains("is not of type"));
}
