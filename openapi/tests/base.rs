//! A hand-written document is extended, never rewritten; what contradicts it is reported.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: what does not hold must fail")]

mod support;

use serde_json::{Value, json};
use support::{Call, HOST, call, keys, learner};
use tributary_openapi::{Base, Contradiction, Description, Settings, describe};

fn pets() -> Value {
    json!({
        "openapi": "3.0.3",
        "info": {"title": "Pets", "version": "7"},
        "servers": [{"url": "https://shop.example/v1"}],
        "paths": {
            "/pets/{name}": {
                "get": {
                    "operationId": "pet",
                    "parameters": [{"$ref": "#/components/parameters/Name"}],
                    "responses": {
                        "200": {"description": "A pet", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}},
                        "4XX": {"description": "An error"}
                    }
                }
            }
        },
        "components": {
            "parameters": {"Name": {"name": "name", "in": "path", "required": true, "schema": {"type": "string"}}},
            "schemas": {"Pet": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string"}, "kind": {"type": "string", "enum": ["cat", "dog"]}}}}
        }
    })
}

fn extended(document: &Value, calls: &[Call]) -> Description {
    let settings = Settings { evidence: false, ..Settings::default() };
    describe(&learner(calls), HOST, &settings, Some(&Base::new(document.clone()).unwrap()))
}

#[test]
fn what_the_document_says_stays_word_for_word() {
    let calls = [call("get", "/v1/pets/rex").answers(200, json!({"name": "rex", "kind": "dog"}))];

    let description = extended(&pets(), &calls);

    assert_eq!(description.document, pets());
    assert_eq!(description.contradictions, []);
}

#[test]
fn what_is_missing_is_added_under_the_base_path() {
    let calls = [
        call("get", "/v1/pets/rex?fields=name").answers(200, json!({"name": "rex"})),
        call("get", "/v1/pets/rex").answers(404, json!({"error": "no"})),
        call("get", "/v1/pets/rex").status(304),
        call("delete", "/v1/pets/rex").status(204),
        call("post", "/v1/owners").sends(json!({"pet": "x"})).answers(201, json!({"id": 1})),
        call("get", "/health").answers(200, json!({"ok": true})),
    ];

    let document = extended(&pets(), &calls).document;

    assert_eq!(keys(&document["paths"]), ["/pets/{name}", "/health", "/owners"]);
    assert_eq!(document["paths"]["/health"]["servers"], json!([{"url": "https://shop.example"}]));
    let pet = &document["paths"]["/pets/{name}"];
    assert_eq!(keys(&pet["get"]["responses"]), ["200", "4XX", "304"]);
    assert_eq!(pet["get"]["parameters"][0], pets()["paths"]["/pets/{name}"]["get"]["parameters"][0]);
    assert_eq!(pet["get"]["parameters"][1]["name"], "fields");
    assert_eq!(pet["delete"]["parameters"][0]["name"], "name");
    assert_eq!(document["components"]["schemas"]["Pet"], pets()["components"]["schemas"]["Pet"]);
    assert_eq!(keys(&document["components"]["schemas"]), ["Pet", "Health", "NewOwner", "Owner"]);
    assert_eq!(document["info"], pets()["info"]);
}

#[test]
fn a_component_whose_name_is_taken_gets_another() {
    let calls = [call("post", "/v1/pets").sends(json!({"a": 1})).answers(201, json!({"a": 1, "b": 2}))];

    let document = extended(&pets(), &calls).document;

    let schema = &document["paths"]["/pets"]["post"]["responses"]["201"]["content"]["application/json"]["schema"];
    assert_eq!(schema["$ref"], "#/components/schemas/Pet2");
    assert_eq!(keys(&document["components"]["schemas"]["Pet2"]["properties"]), ["a", "b"]);
}

#[test]
fn what_the_traffic_contradicts_is_reported() {
    let calls = [
        call("get", "/v1/pets/rex").answers(200, json!({"kind": "cow"})),
        call("get", "/v1/pets/tom").answers(200, json!({"name": 7, "kind": "cat"})),
    ];

    let found = extended(&pets(), &calls).contradictions;

    let place = "GET /v1/pets/{name} → 200";
    let contradiction = |place: &str, what: &str| Contradiction { place: place.to_owned(), what: what.to_owned() };
    assert_eq!(
        found,
        [
            contradiction(place, "name is required, but missing in 1 of 2 objects"),
            contradiction(&format!("{place} .kind"), "1 values are not in its enum"),
            contradiction(&format!("{place} .name"), "1 values are integer, which its schema does not allow"),
        ]
    );
}

#[test]
fn an_operation_id_that_is_taken_gets_another() {
    let mut document = pets();
    document["paths"]["/pets/{name}"]["get"]["operationId"] = json!("createOwner");
    let calls = [call("post", "/v1/owners").answers(201, json!({"id": 1}))];

    let extended = extended(&document, &calls).document;

    assert_eq!(extended["paths"]["/owners"]["post"]["operationId"], "createOwner2");
}

#[test]
fn the_version_of_the_document_decides() {
    let calls = [call("get", "/v1/owners/1").answers(200, json!({"id": null, "name": "a b"}))];

    let description = extended(&pets(), &calls);

    let owner = &description.document["components"]["schemas"]["Owner"]["properties"];
    assert_eq!(owner["id"], json!({"description": "Only null was seen."}));
}
