//! What requests and answers carry beside JSON: parameters, credentials, forms, headers, evidence.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: what does not hold must fail")]

mod support;

use serde_json::{Value, json};
use support::{Call, HOST, call, document, learner};
use tributary_openapi::{Reason, Settings, describe};

fn parameters(calls: &[Call]) -> Value {
    document(calls)["paths"]["/things"]["get"]["parameters"].clone()
}

fn things(query: &str) -> Call {
    call("get", &format!("/things{query}")).answers(200, json!([]))
}

#[test]
fn query_parameters_have_types_and_are_required_only_on_evidence() {
    let calls: Vec<Call> = (0..3).map(|n| things(&format!("?page={n}&deep=true&q=a+b{n}"))).collect();

    assert_eq!(
        parameters(&calls),
        json!([
            {"name": "deep", "in": "query", "required": true, "schema": {"type": "boolean"}},
            {"name": "page", "in": "query", "required": true, "schema": {"type": "integer"}},
            {"name": "q", "in": "query", "required": true, "schema": {"type": "string"}},
        ])
    );
    assert_eq!(parameters(&calls[..2])[1], json!({"name": "page", "in": "query", "schema": {"type": "string"}}));
}

#[test]
fn repeated_parameters_are_arrays_and_empty_ones_may_be_empty() {
    let calls = [things("?tag=a&tag=b"), things("?tag=c&flag")];

    assert_eq!(
        parameters(&calls),
        json!([
            {"name": "flag", "in": "query", "allowEmptyValue": true, "schema": {"type": "string"}},
            {"name": "tag", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
        ])
    );
}

#[test]
fn headers_and_cookies_are_parameters_unless_they_are_noise() {
    let calls = [things("")
        .header("x-tenant-id", "seven")
        .header("if-none-match", "\"a\"")
        .header("user-agent", "curl")
        .header("accept", "*/*")
        .header("x-request-id", "1")
        .header("traceparent", "00-1-1-1")
        .header("sec-fetch-mode", "cors")
        .header("cookie", "theme=dark; _ga=1")];

    assert_eq!(
        parameters(&calls),
        json!([
            {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}},
            {"name": "X-Tenant-Id", "in": "header", "schema": {"type": "string"}},
            {"name": "theme", "in": "cookie", "schema": {"type": "string"}},
        ])
    );
}

#[test]
fn credentials_are_security_schemes_even_when_masked() {
    let calls = [
        things("").header("authorization", "Bearer [redacted]"),
        things("?api_key=tok_1"),
        things("").header("authorization", "Bearer [redacted]").header("x-api-key", "[redacted]"),
        things("").header("cookie", "JSESSIONID=[redacted]"),
        things(""),
    ];

    let document = document(&calls);

    assert_eq!(
        document["components"]["securitySchemes"],
        json!({
            "apiKeyQuery": {"type": "apiKey", "in": "query", "name": "api_key"},
            "bearerAuth": {"type": "http", "scheme": "bearer"},
            "jsessionidCookie": {"type": "apiKey", "in": "cookie", "name": "JSESSIONID"},
            "xApiKeyHeader": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
        })
    );
    assert_eq!(
        document["paths"]["/things"]["get"]["security"],
        json!([
            {"jsessionidCookie": []},
            {"apiKeyQuery": []},
            {"bearerAuth": [], "xApiKeyHeader": []},
            {"bearerAuth": []},
            {},
        ])
    );
    assert_eq!(document["paths"]["/things"]["get"].get("parameters"), None);
}

#[test]
fn a_request_that_was_refused_does_not_say_what_is_required() {
    let calls = [
        call("post", "/things").sends(json!({"name": "a b", "size": 1})).answers(201, json!({"id": 1})),
        call("post", "/things").sends(json!({"size": "big"})).answers(400, json!({"error": "name"})),
        call("post", "/things").answers(401, json!({"error": "who"})),
    ];

    let document = document(&calls);

    let schema = &document["components"]["schemas"]["NewThing"];
    assert_eq!(schema["required"], json!(["name", "size"]));
    assert_eq!(schema["properties"]["size"], json!({"type": "integer"}));
    assert_eq!(document["paths"]["/things"]["post"]["requestBody"]["required"], true);
}

#[test]
fn forms_have_fields_with_types() {
    let post = |media: &str, body: &str| call("post", "/things").sends_text(media, body).status(204);
    let form: Vec<Call> =
        (0..3).map(|n| post("application/x-www-form-urlencoded", &format!("name=a+b&age={n}&tag=x&tag=y"))).collect();
    let parts = "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nHello all\r\n--b\r\n\
        Content-Disposition: form-data; name=\"photo\"; filename=\"a.png\"\r\n\r\nPNG\r\n--b--\r\n";

    let content = |calls: &[Call]| document(calls)["paths"]["/things"]["post"]["requestBody"]["content"].clone();

    assert_eq!(
        content(&form)["application/x-www-form-urlencoded"]["schema"],
        json!({
            "type": "object",
            "properties": {
                "age": {"type": "integer"},
                "name": {"type": "string"},
                "tag": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["age", "name", "tag"],
        })
    );
    assert_eq!(
        content(&[post("multipart/form-data; boundary=b", parts)])["multipart/form-data"]["schema"]["properties"],
        json!({"photo": {"type": "string", "format": "binary"}, "title": {"type": "string"}})
    );
}

#[test]
fn what_the_tutorials_recorder_writes_for_no_body_is_none() {
    let document = document(&[
        call("post", "/things").with("/request/body", json!("{}")).status(204),
        call("get", "/things").with("/request/body", json!("{}")).status(204),
    ]);

    assert_eq!(document["paths"]["/things"]["post"].get("requestBody"), None);
    assert_eq!(document["paths"]["/things"]["get"].get("requestBody"), None);
}

#[test]
fn answer_headers_that_matter_are_described() {
    let calls: Vec<Call> = (0..3)
        .map(|n| {
            things("")
                .answer_header("x-ratelimit-limit", "100")
                .answer_header("location", &format!("/things/{n}"))
                .answer_header("x-powered-by", "Express")
                .answer_header("date", "Fri, 28 Feb 2020 10:39:28 GMT")
                .answer_header("set-cookie", "sid=[redacted]")
        })
        .collect();

    assert_eq!(
        document(&calls)["paths"]["/things"]["get"]["responses"]["200"]["headers"],
        json!({
            "Location": {"required": true, "schema": {"type": "string"}},
            "Set-Cookie": {"required": true, "schema": {"type": "string"}},
            "X-Ratelimit-Limit": {"required": true, "schema": {"type": "integer"}},
        })
    );
}

#[test]
fn evidence_is_shown_and_can_be_left_away() {
    let calls = [
        things("").meta("durationMs", json!(10)).with("/request/timestamp", json!("2020-02-28T10:39:28.833Z")),
        things("").status(404).meta("durationMs", json!(20)).with("/request/timestamp", json!("2020-02-28T10:39:27Z")),
    ];
    let without = Settings { evidence: false, ..Settings::default() };

    assert_eq!(
        document(&calls)["paths"]["/things"]["get"]["x-tributary"],
        json!({
            "count": 2,
            "firstSeen": "2020-02-28T10:39:27.000Z",
            "lastSeen": "2020-02-28T10:39:28.833Z",
            "statuses": {"200": 1, "404": 1},
            "durationMs": {"p50": 10, "p95": 20},
        })
    );
    assert!(!describe(&learner(&calls), HOST, &without, None).document.to_string().contains("x-tributary"));
}

#[test]
fn hosts_are_not_mixed() {
    let calls = [
        things("").with("/request/host", json!("a.example")),
        call("get", "/others").status(200).with("/request/host", json!("B.example:443")),
    ];
    let learner = learner(&calls);

    let of = |host: &str| describe(&learner, host, &Settings::default(), None).document;

    assert_eq!(learner.hosts().collect::<Vec<_>>(), ["a.example", "b.example"]);
    assert_eq!(support::keys(&of("a.example")["paths"]), ["/things"]);
    assert_eq!(of("b.example")["servers"], json!([{"url": "https://b.example"}]));
}

#[test]
fn what_teaches_nothing_is_left_out_and_counted() {
    let calls = [
        things("").meta("codeDetails", json!("upstream_reset_before_response_started{connection_failure}")),
        things("").meta("codeDetails", json!("via_upstream")).meta("responseFlags", json!("DC")),
        things("").with("/response/statusCode", json!(777)),
    ];
    let learner = learner(&calls);

    let left_out: Vec<(Reason, u64)> =
        learner.account().left_out.iter().map(|(reason, count)| (*reason, *count)).collect();
    assert_eq!(left_out, [(Reason::Aborted, 1), (Reason::LocalReply, 1), (Reason::Status, 1)]);
    assert_eq!(learner.hosts().count(), 0);
}

#[test]
fn fields_that_only_a_cut_form_lacks_are_required() {
    let whole = call("post", "/token").sends_text("application/x-www-form-urlencoded", "grant=a&client=b");
    let facts = json!({"bytes": 16, "kept": 9, "truncated": true});
    let cut =
        call("post", "/token").sends_text("application/x-www-form-urlencoded", "grant=a&c").meta("requestBody", facts);

    let description = document(&[whole.clone(), whole, cut]);

    let content = &description["paths"]["/token"]["post"]["requestBody"]["content"];
    assert_eq!(content["application/x-www-form-urlencoded"]["schema"]["required"], json!(["client", "grant"]));
}

#[test]
fn fields_of_a_multipart_body_with_bytes_are_read() {
    // --p, the field "caption" with "Oak", the file "photo" with the bytes ff fe.
    let base64 = "LS1wDQpjb250ZW50LWRpc3Bvc2l0aW9uOiBmb3JtLWRhdGE7IG5hbWU9ImNhcHRpb24iDQoNCk9haw0KLS1wDQpjb250ZW50LWRpc3Bvc2l0\
                  aW9uOiBmb3JtLWRhdGE7IG5hbWU9InBob3RvIjsgZmlsZW5hbWU9ImEucG5nIg0KDQr//g0KLS1wLS0NCg==";
    let facts = json!({"bytes": 142, "kept": 142, "truncated": false, "base64": base64});
    let call = call("post", "/photos").sends_text("multipart/form-data; boundary=p", "").meta("requestBody", facts);

    let description = document(&[call]);

    let content = &description["paths"]["/photos"]["post"]["requestBody"]["content"];
    let schema = &content["multipart/form-data"]["schema"];
    assert_eq!(schema["properties"]["photo"], json!({"type": "string", "format": "binary"}));
    assert_eq!(schema["properties"]["caption"]["type"], "string");
    assert_eq!(schema["required"], json!(["caption", "photo"]));
}

#[test]
fn numbers_with_all_their_digits_are_numbers() {
    let calls = ["-99.92999999999999", "123.46000000000001", "0.000012345678901234567"];
    let calls = calls.map(|lon| call("get", &format!("/stores?lon={lon}")));

    let description = document(&calls);

    let parameter = &description["paths"]["/stores"]["get"]["parameters"][0];
    assert_eq!((&parameter["name"], &parameter["schema"]), (&json!("lon"), &json!({"type": "number"})));
}
