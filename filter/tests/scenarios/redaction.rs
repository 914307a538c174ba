//! What must not leave the proxy never reaches a line.

use serde_json::json;
use tributary_filter::{Counter, Stream};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Call, Vm, config};

const SECRET: &[u8] = b"hunter2hunter2";

/// A call with the secret in each place of the request, in a JSON body of several chunks.
fn call() -> Call {
    Call::new("POST", "/users?page=2&token=hunter2hunter2")
        .with("authorization", b"Bearer hunter2hunter2")
        .with("cookie", b"sid=hunter2hunter2; theme=dark")
        .with("x-author", b"Kimmo")
        .with("content-type", b"application/json")
        .sends(&[b"{\"name\":\"Kimmo\",\"pass", b"word\":\"hunter2", b"hunter2\"}", b""])
        .sends_trailer("x-api-key", SECRET)
        .answered_with("set-cookie", b"sid=hunter2hunter2; Path=/")
}

#[test]
fn secrets_are_masked_in_every_place_and_counted() {
    let mut vm = Vm::default();

    let exchange = vm.record(call());

    assert!(!exchange.to_string().contains("hunter2"), "{exchange}");
    assert_eq!(exchange["request"]["path"], "/users?page=2&token=[redacted]");
    assert_eq!(exchange["request"]["query"], json!({"page": "2", "token": "[redacted]"}));
    assert_eq!(exchange["request"]["headers"]["authorization"], "Bearer [redacted]");
    assert_eq!(exchange["request"]["headers"]["cookie"], "sid=[redacted]; theme=[redacted]");
    assert_eq!(exchange["request"]["headers"]["x-author"], "Kimmo");
    assert_eq!(exchange["request"]["body"], r#"{"name":"Kimmo","password":"[redacted]"}"#);
    assert_eq!(exchange["meta"]["requestBody"], json!({"bytes": 44, "kept": 44, "truncated": false}));
    assert_eq!(exchange["response"]["headers"]["set-cookie"], "sid=[redacted]; Path=/");
    assert_eq!(
        exchange["meta"]["redactions"],
        json!({"query": 1, "requestHeaders": 3, "requestBody": 1, "requestTrailers": 1, "responseHeaders": 1})
    );
    assert_eq!((vm.count(Counter::RedactedValues), vm.count(Counter::RedactionDisabled)), (7, 0));
}

#[test]
fn what_has_no_secret_says_nothing_of_redaction() {
    let mut vm = Vm::default();

    let exchange = vm.record(Call::get("/users?page=2").with("accept", b"*/*").returns(&[b"[]"]));

    assert_eq!(exchange["meta"].get("redactions"), None);
    assert_eq!(vm.count(Counter::RedactedValues), 0);
}

#[test]
fn a_body_cut_at_the_limit_is_masked_up_to_the_cut() {
    let mut vm = Vm::with(json!({"max_request_body_bytes": 36}));

    let exchange = vm.record(call());

    assert_eq!(exchange["request"]["body"], r#"{"name":"Kimmo","password":"[redacted]"#);
    assert_eq!(exchange["meta"]["requestBody"], json!({"bytes": 44, "kept": 36, "truncated": true}));
}

#[test]
fn weakened_redaction_is_told_counted_and_never_shows_a_sensitive_header() {
    let mut vm = Vm::with(json!({"redact": {"bodies": false, "query": false}}));
    let told = vm.plugin.take_log().iter().any(|line| line.text.starts_with("Secrets are recorded:"));

    let exchange = vm.record(call());

    assert!(told);
    assert_eq!(exchange["request"]["headers"]["authorization"], "Bearer [redacted]");
    assert_eq!(exchange["request"]["query"]["token"], "hunter2hunter2");
    assert_eq!(vm.count(Counter::RedactionDisabled), 1);
}

#[test]
fn compressed_bodies_pass_unless_they_are_to_be_left_out() {
    let call = || Call::post(&[b"\x1f\x8b\x08gzip"]).with("content-encoding", b"gzip");

    let passed = Vm::default().record(call());
    let left_out = Vm::with(json!({"redact": {"compressed": "drop"}})).record(call());

    assert_eq!(passed["meta"]["requestBody"]["base64"], "H4sIZ3ppcA==");
    assert_eq!(
        left_out["meta"]["requestBody"],
        json!({"bytes": 7, "kept": 0, "truncated": true, "withheld": "compressed"})
    );
}

#[test]
fn each_stream_is_masked_by_the_settings_of_its_own_root() {
    let mut vm = Vm::default();
    let own = config(&json!({"redact": {"names": ["page"]}}));
    vm.plugin.configured(2, own.clone());

    for config in [vm.config.clone(), own] {
        let mut stream = Stream::new(Some(&config));
        Call::get("/?page=7").pass(&mut vm, &mut stream);
    }

    assert_eq!(vm.flush()[0].paths(), ["/?page=7", "/?page=[redacted]"]);
}
