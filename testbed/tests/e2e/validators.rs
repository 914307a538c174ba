//! The published validators of OpenAPI documents: they find what is wrong, and nothing wrong in ours.

use anyhow::{Result, ensure};
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use tributary_testbed::validators::{Document, VALIDATORS, check};

/// The tests; they need neither Envoy nor Kafka.
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("valid_documents_of_both_versions_are_accepted", valid_documents_of_both_versions_are_accepted),
        trial("both_validators_find_each_fault", both_validators_find_each_fault),
    ]
}

fn trial(name: &str, test: fn() -> Result<()>) -> Trial {
    Trial::test(format!("validators::{name}"), move || test().map_err(|error| Failed::from(format!("{error:#}"))))
}

fn valid_documents_of_both_versions_are_accepted() -> Result<()> {
    check(&["3.0.3", "3.1.0"].map(|version| document("valid", version, &operation())))
}

/// What makes an operation invalid.
type Spoil = fn(&mut Value);

/// One fault at a time in a document that is valid without it; a validator that finds nothing has not looked.
fn both_validators_find_each_fault() -> Result<()> {
    let faults: [(&str, Spoil); 5] = [
        ("a parameter of the path that is nowhere declared", |get| get["parameters"] = json!([])),
        ("no description of a response", |get| get["responses"]["200"] = json!({})),
        ("a reference that leads nowhere", |get| {
            get["responses"]["200"] = json!({ "$ref": "#/components/responses/x" })
        }),
        ("an unknown place of a parameter", |get| get["parameters"][0]["in"] = json!("body")),
        ("an unknown type", |get| get["parameters"][0]["schema"]["type"] = json!("text")),
    ];
    let documents = ["3.0.3", "3.1.0"].into_iter().flat_map(|version| {
        faults.map(|(name, spoil)| {
            let mut get = operation();
            spoil(&mut get);
            document(name, version, &get)
        })
    });
    let documents = documents.collect::<Vec<_>>();

    for validator in VALIDATORS {
        let problems = validator.problems(&documents)?;

        for (document, problems) in documents.iter().zip(problems) {
            ensure!(!problems.is_empty(), "{validator:?} does not find {} in {}", document.name, document.content);
        }
    }
    Ok(())
}

fn operation() -> Value {
    json!({
        "operationId": "getUserById",
        "parameters": [{ "name": "userId", "in": "path", "required": true, "schema": { "type": "string" } }],
        "responses": { "200": { "description": "A user." } },
    })
}

fn document(name: &str, version: &str, get: &Value) -> Document {
    let content = json!({
        "openapi": version,
        "info": { "title": "Users", "version": "1" },
        "paths": { "/users/{userId}": { "get": get } },
    });
    Document { name: format!("{name} ({version})"), content }
}
