use serde_json::{Value, json};
use tributary_http_types::HttpExchange;

use super::*;
use crate::call::Reason;

mod library;
mod sarif;

/// A document with what the comparison has to understand: references, alternatives, base path, classes of statuses.
fn contract() -> Contract {
    Contract::of(document("3.0.3")).unwrap()
}

fn document(version: &str) -> Value {
    json!({
        "openapi": version,
        "info": { "title": "Shop", "version": "1" },
        "servers": [{ "url": "https://{host}/api/{v}/", "variables": { "host": { "default": "shop.example" }, "v": { "default": "v1" } } }],
        "paths": {
            "/users/{userId}": {
                "parameters": [{ "name": "userId", "in": "path", "required": true, "schema": { "type": "integer" } }],
                "get": {
                    "parameters": [
                        { "name": "fields", "in": "query", "explode": false, "schema": { "type": "array", "items": { "enum": ["id", "name"] } } },
                        { "name": "X-Tenant", "in": "header", "required": true, "schema": { "type": "string" } },
                    ],
                    "responses": {
                        "200": { "description": "A user.", "content": { "application/json": { "schema": { "$ref": "#/components/schemas/User" } } } },
                        "4XX": { "description": "No.", "content": { "application/*": { "schema": { "type": "object" } } } },
                    },
                },
            },
            "/users/me": { "get": { "responses": { "default": { "description": "Oneself." } } } },
            "/users": {
                "post": {
                    "requestBody": { "required": true, "content": { "application/json": { "schema": { "$ref": "#/components/schemas/User" } } } },
                    "responses": { "201": { "description": "Made.", "headers": { "Location": { "required": true, "schema": { "type": "string" } } } } },
                },
            },
        },
        "components": { "schemas": {
            "User": {
                "allOf": [
                    { "$ref": "#/components/schemas/Named" },
                    {
                        "type": "object",
                        "required": ["id"],
                        "properties": {
                            "id": { "type": "integer", "readOnly": true },
                            "email": { "type": "string", "nullable": true },
                            "tags": { "type": "array", "items": { "type": "string" } },
                            "settings": { "type": "object", "additionalProperties": { "type": "boolean" } },
                            "pay": { "oneOf": [
                                { "type": "object", "required": ["card"], "properties": { "card": { "type": "string" } } },
                                { "type": "object", "required": ["iban"], "properties": { "iban": { "type": "string" } } },
                            ] },
                        },
                    },
                ],
            },
            "Named": { "type": "object", "required": ["name"], "properties": { "name": { "type": "string" } } },
        } },
    })
}

/// The header that one operation requires goes to that one only.
fn exchange(id: u32, method: &str, path: &str, status: u16, body: &Value) -> Value {
    let is_of_user = path.contains("/users/") && !path.contains("/me");
    let headers = if is_of_user { json!({ "x-tenant": "a" }) } else { json!({}) };
    json!({
        "request": { "method": method, "protocol": "https", "host": "shop.example", "path": path, "headers": headers },
        "response": {
            "statusCode": status,
            "headers": { "content-type": "application/json" },
            "body": body.to_string(),
        },
        "meta": { "id": format!("e{id}") },
    })
}

fn drift_of(contract: &Contract, exchanges: &[Value]) -> Drift {
    let mut comparison = Comparison::with(contract);
    for (exchange, number) in exchanges.iter().zip(1..) {
        let exchange = HttpExchange::from_line(exchange.to_string().as_bytes()).unwrap();
        comparison.add(&exchange, || format!("line {number}"));
    }
    comparison.drift()
}

/// Kind, operation and place of each finding.
fn found(exchanges: &[Value]) -> Vec<String> {
    let findings = drift_of(&contract(), exchanges).findings.into_iter();
    findings.map(|it| format!("{} | {} | {} | {}", it.kind.id(), it.operation, it.place, it.message)).collect()
}

fn user() -> Value {
    json!({ "id": 1, "name": "Kimmo", "email": null, "tags": ["a"], "settings": { "any": true }, "pay": { "iban": "x" } })
}

fn get_user(body: &Value) -> Vec<String> {
    found(&[exchange(1, "get", "/api/v1/users/7", 200, body)])
}

#[test]
fn traffic_that_is_as_documented_is_no_drift() {
    let drift = drift_of(
        &contract(),
        &[
            exchange(1, "get", "/api/v1/users/7?fields=id,name", 200, &user()),
            exchange(2, "get", "/api/v1/users/me", 418, &json!("anything")).without("content-type"),
            exchange(3, "get", "/api/v1/users/7", 404, &json!({ "code": 1 })),
        ],
    );

    assert_eq!(
        drift.findings.iter().map(|it| it.message.as_str()).collect::<Vec<_>>(),
        ["a body, and none is documented"]
    );
    assert_eq!((drift.compared, drift.operations_seen, drift.operations), (3, 2, 3));
}

/// Changes made to an exchange as JSON.
trait Changed {
    fn without(self, header: &str) -> Value;
    fn with(self, pointer: &str, value: Value) -> Value;
}

impl Changed for Value {
    fn without(mut self, header: &str) -> Value {
        for side in ["request", "response"] {
            if let Some(headers) = self[side]["headers"].as_object_mut() {
                headers.remove(header);
            }
        }
        self
    }

    fn with(mut self, pointer: &str, value: Value) -> Value {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        self.pointer_mut(parent).and_then(Value::as_object_mut).unwrap().insert(key.to_owned(), value);
        self
    }
}

#[test]
fn undocumented_paths_are_found_by_template_and_literals_go_first() {
    let new = |id: u32, path: &str| exchange(id, "get", path, 200, &json!({ "a": 1 }));

    assert_eq!(
        found(&[
            new(1, "/api/v1/orders/17"),
            new(2, "/api/v1/orders/18"),
            new(3, "/users/7"),
            new(4, "/api/v1/users/me")
        ]),
        [
            "undocumented-path | GET /api/v1/orders/{orderId} |  | no path of the document fits",
            "undocumented-content | GET /users/me | response 200 body | a body, and none is documented",
            "undocumented-path | GET /users/{userId} |  | no path of the document fits",
        ]
    );
}

#[test]
fn what_the_service_does_not_have_is_not_undocumented() {
    let none = json!({});

    assert_eq!(
        found(&[
            exchange(1, "get", "/wp-login.php", 404, &none),
            exchange(2, "delete", "/api/v1/users/7", 405, &none),
            exchange(3, "delete", "/api/v1/users/8", 204, &none),
        ]),
        ["undocumented-method | DELETE /users/{userId} |  | the path has no such method"]
    );
}

#[test]
fn statuses_are_documented_by_number_class_or_default() {
    assert_eq!(
        found(&[
            exchange(1, "get", "/api/v1/users/7", 503, &json!({})),
            exchange(2, "get", "/api/v1/users/7", 451, &json!({}))
        ]),
        ["undocumented-status | GET /users/{userId} | response 503 | the operation has no such answer"]
    );
}

#[test]
fn parameters_are_undocumented_missing_or_of_another_type() {
    let asked = |query: &str, path: &str| exchange(1, "get", &format!("/api/v1/users/{path}{query}"), 200, &user());

    assert_eq!(
        found(&[asked("?fields=id,age&debug=1", "x").without("x-tenant").with("/request/headers/x-app", json!("b"))]),
        [
            "undocumented-parameter | GET /users/{userId} | header x-app | the operation has no such parameter",
            "undocumented-parameter | GET /users/{userId} | query debug | the operation has no such parameter",
            "missing-required | GET /users/{userId} | header x-tenant | missing, and it is required",
            "wrong-type | GET /users/{userId} | path userId | string, integer is documented",
            "wrong-value | GET /users/{userId} | query fields/* | a value that the enumeration does not list",
        ]
    );
}

#[test]
fn what_a_client_sent_counts_only_if_it_was_not_refused() {
    let asked = exchange(1, "get", "/api/v1/users/7?debug=1", 400, &json!({}));

    assert_eq!(found(&[asked]), Vec::<String>::new());
}

#[test]
fn properties_are_undocumented_missing_or_of_another_type() {
    let at = |place: &str, kind: &str, message: &str| {
        vec![format!("{kind} | GET /users/{{userId}} | response 200 body {place} | {message}")]
    };
    let no_schema = "no schema names this property";
    let cases = [
        ("/nick", json!("k"), at("/nick", "undocumented-property", no_schema)),
        ("/id", json!("7"), at("/id", "wrong-type", "string, integer is documented")),
        ("/id", json!(7.0), Vec::new()),
        ("/name", Value::Null, at("/name", "wrong-type", "null, string is documented")),
        ("/tags", json!(["a", 1]), at("/tags/*", "wrong-type", "integer, string is documented")),
        ("/settings", json!({ "secret": 1 }), at("/settings/*", "wrong-type", "integer, boolean is documented")),
        ("/pay", json!({ "iban": 1 }), at("/pay/iban", "wrong-type", "integer, string is documented")),
        ("/pay", json!({ "iban": "x", "bic": "y" }), at("/pay/bic", "undocumented-property", no_schema)),
    ];

    for (pointer, value, expected) in cases {
        assert_eq!(get_user(&user().with(pointer, value.clone())), expected, "{pointer} {value}");
    }
    let mut nameless = user();
    nameless.as_object_mut().unwrap().remove("name");
    assert_eq!(get_user(&nameless), at("/name", "missing-required", "missing, and it is required"));
}

#[test]
fn masked_values_fit_and_bodies_that_were_cut_are_not_looked_into() {
    let masked = user().with("/id", json!("[redacted]")).with("/settings", json!({ "a": "tok_0123456789abcdef" }));
    let cut = exchange(1, "get", "/api/v1/users/7", 200, &json!(1))
        .with("/response/body", json!("{\"id\":\"x"))
        .with("/meta/responseBody", json!({ "bytes": 900, "kept": 9, "truncated": true }));

    assert_eq!(get_user(&masked), Vec::<String>::new());
    assert_eq!(found(&[cut]), Vec::<String>::new());
}

#[test]
fn read_only_properties_are_not_required_of_requests() {
    let post = |body: &str| {
        exchange(1, "post", "/api/v1/users", 201, &json!(1))
            .with("/response/body", json!(""))
            .with("/request/headers/content-type", json!("application/json"))
            .with("/request/body", json!(body))
            .with("/response/headers/location", json!("/users/1"))
    };

    assert_eq!(found(&[post("{\"name\":\"Kimmo\"}")]), Vec::<String>::new());
    assert_eq!(
        found(&[post("").without("location")]),
        [
            "missing-required | POST /users | request body | missing, and it is required",
            "missing-required | POST /users | response 201 header location | missing, and it is required",
        ]
    );
    assert_eq!(
        found(&[post("name=Kimmo").with("/request/headers/content-type", json!("text/plain; charset=utf-8"))]),
        ["undocumented-content | POST /users | request body | text/plain, application/json is documented"]
    );
    assert_eq!(
        found(&[post("{")]),
        ["wrong-type | POST /users | request body | a text that is no JSON, in a body of application/json"]
    );
}

#[test]
fn type_arrays_of_3_1_are_understood() {
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": "T", "version": "1" },
        "paths": { "/n": { "get": { "responses": { "200": { "description": "N", "content": { "application/json": { "schema": {
            "type": "object",
            "properties": { "n": { "type": ["number", "null"], "exclusiveMinimum": 0 }, "pair": { "prefixItems": [{ "type": "string" }], "items": { "type": "integer" } } },
        } } } } } } } },
    });
    let contract = Contract::of(document).unwrap();
    let places = |body: Value| {
        let drift = drift_of(&contract, &[exchange(1, "get", "/n", 200, &body)]);
        drift
            .findings
            .into_iter()
            .map(|it| format!("{} {}: {}", it.kind.id(), it.place, it.message))
            .collect::<Vec<_>>()
    };

    assert_eq!(places(json!({ "n": null, "pair": ["a", 1] })), Vec::<String>::new());
    assert_eq!(places(json!({ "n": "1" })), ["wrong-type response 200 body /n: string, number or null is documented"]);
    assert_eq!(places(json!({ "n": 0 })), ["wrong-value response 200 body /n: not above the exclusive minimum"]);
    assert_eq!(
        places(json!({ "pair": [1, 1] })),
        ["wrong-type response 200 body /pair/*: integer, string is documented"]
    );
}

#[test]
fn each_finding_stands_once_with_its_count_and_an_example() {
    let strange = |id: u32| exchange(id, "get", "/api/v1/users/7?debug=1", 200, &user());
    let local = strange(4).with("/meta/codeDetails", json!("route_not_found"));

    let drift = drift_of(&contract(), &[strange(1), strange(2), strange(2), local]);

    let [finding] = drift.findings.as_slice() else { panic!("{:?}", drift.findings) };
    assert_eq!((finding.count, finding.example.as_str()), (2, "e1"));
    assert_eq!(finding.pointer, "/paths/~1users~1{userId}/get");
    assert_eq!((drift.compared, drift.repeated, drift.left_out[&Reason::LocalReply]), (2, 1, 1));
}

#[test]
fn an_exchange_without_an_id_is_named_by_its_place() {
    let mut anonymous = exchange(1, "get", "/api/v1/users/7?debug=1", 200, &user());
    anonymous.as_object_mut().unwrap().remove("meta");

    assert_eq!(drift_of(&contract(), &[anonymous]).findings[0].example, "line 1");
}

#[test]
fn findings_are_bounded_and_the_rest_is_counted() {
    let query = (0..2_100).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");

    let drift = drift_of(&contract(), &[exchange(1, "get", &format!("/api/v1/users/7?{query}"), 200, &user())]);

    assert_eq!((drift.findings.len(), drift.more), (2_000, 100));
}

#[test]
fn reports_hold_no_value_of_the_traffic() {
    let body = user().with("/id", json!("hunter2")).with("/settings", json!({ "hunter2": "hunter2" }));
    let drift =
        drift_of(&contract(), &[exchange(1, "get", "/api/v1/users/7?fields=hunter2&debug=hunter2", 200, &body)]);

    let reports = format!("{}{}{}", drift.text(), drift.json(), drift.sarif("shop.yaml", ""));

    assert_eq!(drift.findings.len(), 4);
    assert!(!reports.contains("hunter2"), "{reports}");
}

#[test]
fn text_shows_findings_below_their_operation() {
    let drift = drift_of(&contract(), &[exchange(1, "get", "/api/v1/users/7?debug=1", 200, &user())]);

    assert_eq!(
        drift.text(),
        "GET /users/{userId}\n  undocumented-parameter query debug: the operation has no such parameter (once, e1)\n\n\
         1 exchange compared: 1 disagreement; 1 of 3 operations seen.\n"
    );
    assert_eq!(
        drift_of(&contract(), &[]).text(),
        "0 exchanges compared: nothing can be said; 0 of 3 operations seen.\n"
    );
}

#[test]
fn documents_that_cannot_be_compared_with_are_refused_with_the_reason() {
    let with_schema = |schema: Value| json!({ "openapi": "3.0.3", "paths": { "/a": { "get": { "responses": { "200": { "content": { "a/b": { "schema": schema } } } } } } } });
    let cases = [
        (
            json!({ "swagger": "2.0" }),
            "not an OpenAPI document 3.0.x or 3.1.x: swagger is \"2.0\": convert it to OpenAPI 3 first",
        ),
        (json!({ "openapi": "4.0.0" }), "not an OpenAPI document 3.0.x or 3.1.x: openapi is 4.0.0"),
        (json!([]), "not an OpenAPI document 3.0.x or 3.1.x: there is no openapi"),
        (json!({ "openapi": "3.1.0", "paths": [] }), "paths has to be an object"),
        (json!({ "openapi": "3.1.0", "paths": { "/a": 1 } }), "paths /a has to be an object"),
        (
            with_schema(json!({ "$ref": "b.yaml#/B" })),
            "the reference b.yaml#/B leads out of the document: bundle it into one file first",
        ),
        (
            with_schema(json!({ "$ref": "#/components/schemas/B" })),
            "the reference #/components/schemas/B leads nowhere",
        ),
    ];

    for (document, message) in cases {
        assert_eq!(Contract::of(document).unwrap_err().to_string(), message);
    }
    assert!(Contract::of(json!({ "openapi": "3.1.0" })).is_ok());
}

#[test]
fn schemas_that_lead_in_circles_end() {
    let schema = json!({ "$ref": "#/components/schemas/A" });
    let document = json!({
        "openapi": "3.1.0",
        "paths": { "/a": { "get": { "responses": { "200": { "content": { "application/json": { "schema": schema } } } } } } },
        "components": { "schemas": { "A": { "anyOf": [schema, schema], "allOf": [schema], "items": schema } } },
    });
    let contract = Contract::of(document).unwrap();

    let drift = drift_of(&contract, &[exchange(1, "get", "/a", 200, &json!([[[1]]]))]);

    assert!(drift.is_none());
}
