//! The published validators of OpenAPI documents: they find what is wrong, and nothing wrong in ours.

use anyhow::{Result, ensure};
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use tributary_http_types::HttpExchange;
use tributary_openapi::{Learner, Mode, Settings, Version, describe};
use tributary_testbed::{
    shop::Shop,
    validators::{Document, VALIDATORS, check},
};

/// The tests; they need neither Envoy nor Kafka.
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("valid_documents_of_both_versions_are_accepted", valid_documents_of_both_versions_are_accepted),
        trial("both_validators_find_each_fault", both_validators_find_each_fault),
        trial(
            "documents_inferred_from_any_traffic_of_the_shop_are_valid",
            documents_inferred_from_any_traffic_of_the_shop_are_valid,
        ),
        trial("contract_of_the_shop_is_valid", contract_of_the_shop_is_valid),
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

/// From one exchange to thousands, in both versions, with and without examples.
fn documents_inferred_from_any_traffic_of_the_shop_are_valid() -> Result<()> {
    let shop = Shop::read()?;
    let mut documents = Vec::new();
    for (seed, count) in [(1, 0), (2, 1), (3, 7), (4, 60), (5, 600), (6, 4_000)] {
        let mut learner = Learner::new();
        for made in shop.traffic(seed).take(count) {
            learner.learn(&HttpExchange::from_line(&made.line)?);
        }
        for version in [Version::V30, Version::V31] {
            for mode in [Mode::Gen, Mode::Replay] {
                let settings = Settings { version, mode, ..Settings::default() };
                let content = describe(&learner, "api.shop.example", &settings, None).document;
                documents.push(Document { name: format!("{count} exchanges, {version:?}, {mode:?}"), content });
            }
        }
    }

    check(&documents)
}

fn contract_of_the_shop_is_valid() -> Result<()> {
    let file = xtask::parts::workspace_root().join("openapi").join("testdata").join("shop.yaml");
    check(&[Document::read(&file)?])
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
