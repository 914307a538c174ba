//! Request and response heads: what is captured, and how it is written.

use serde_json::json;
use tributary_filter::Counter;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Call, REFUSED, Vm};

#[test]
fn a_call_becomes_one_line_with_everything_in_it() {
    let mut vm = Vm::default();
    vm.wait(833);
    let call = Call::new("POST", "/users?page=2")
        .with("content-type", b"application/json")
        .sends(&[b"{\"name\":\"Kimmo\"}"])
        .answered(200)
        .answered_with("location", b"users/7")
        .returns(&[b"{\"id\":7}"]);

    let exchange = vm.record(call);

    assert_eq!(
        exchange,
        json!({
            "request": {
                "timestamp": "2026-01-01T00:00:01.826Z", "method": "post", "protocol": "http", "host": "shop.example",
                "headers": {"host": "shop.example", "content-type": "application/json"}, "body": "{\"name\":\"Kimmo\"}",
                "path": "/users?page=2", "pathname": "/users", "query": {"page": "2"}
            },
            "response": {
                "timestamp": "2026-01-01T00:00:01.833Z", "statusCode": 200,
                "headers": {"location": "users/7"}, "body": "{\"id\":7}"
            },
            "meta": {
                "id": "000102030405060708090a0b0c0d0e0f-0", "source": "000102030405060708090a0b0c0d0e0f", "seq": 0,
                "durationMs": 7,
                "requestBody": {"bytes": 16, "kept": 16, "truncated": false},
                "responseBody": {"bytes": 8, "kept": 8, "truncated": false},
                "httpVersion": "HTTP/1.1", "clientAddress": "10.0.0.1:40000", "upstreamAddress": "10.0.0.3:8080",
                "cluster": "users", "route": "main", "direction": "inbound", "codeDetails": "via_upstream"
            }
        })
    );
}

#[test]
fn repeated_headers_keep_all_values_in_order() {
    let call =
        Call::get("/").with("accept", b"a").with("x", b"1").with("accept", b"b").answered_with("set-cookie", b"a=1");
    let exchange = Vm::default().record(call.answered_with("set-cookie", b"b=2"));

    assert_eq!(exchange["request"]["headers"], json!({"host": "shop.example", "accept": ["a", "b"], "x": "1"}));
    assert_eq!(exchange["response"]["headers"], json!({"set-cookie": ["a=[redacted]", "b=[redacted]"]}));
}

#[test]
fn an_empty_header_value_is_kept() {
    let exchange = Vm::default().record(Call::get("/").with("x-empty", b""));

    assert_eq!(exchange["request"]["headers"], json!({"host": "shop.example", "x-empty": ""}));
}

#[test]
fn a_header_value_that_is_not_utf8_is_read_as_latin1() {
    let exchange = Vm::default().record(Call::get("/").with("x-name", b"caf\xe9\xff"));

    assert_eq!(exchange["request"]["headers"]["x-name"], "caf\u{e9}\u{ff}");
}

#[test]
fn a_header_of_sixty_kibibytes_is_kept_whole() {
    let exchange = Vm::default().record(Call::get("/").with("x-large", &[b'c'; 61_440]));

    assert_eq!(exchange["request"]["headers"]["x-large"].as_str().unwrap().len(), 61_440);
}

#[test]
fn the_host_is_the_authority_with_its_port() {
    let exchange = Vm::default().record(Call::get("/").with(":authority", b"localhost:3000"));

    assert_eq!(exchange["request"]["host"], "localhost:3000");
}

#[test]
fn without_an_authority_the_host_header_is_the_host() {
    let call = Call::get("/").without(":authority").with("host", b"old.example");
    let exchange = Vm::default().record(call);

    assert_eq!(exchange["request"]["host"], "old.example");
}

#[test]
fn a_request_that_names_no_host_gets_the_address_it_connected_to() {
    let mut vm = Vm::default();

    let missing = vm.record(Call::get("/").without(":authority"));
    let empty = vm.record(Call::get("/").with(":authority", b""));

    assert_eq!(missing["request"]["host"], "10.0.0.2:3000");
    assert_eq!(empty["request"]["host"], "10.0.0.2:3000");
}

#[test]
fn an_exchange_without_any_host_is_a_counted_drop() {
    let mut vm = Vm::default();

    vm.run(Call::get("/").without(":authority").facts(|facts| facts.local_address = None));
    vm.flush();

    assert_eq!((vm.count(Counter::DroppedUnwritable), vm.pending().total()), (1, 0));
}

#[test]
fn the_protocol_is_the_scheme() {
    let exchange = Vm::default().record(Call::get("/").with(":scheme", b"HTTPS"));

    assert_eq!(exchange["request"]["protocol"], "https");
}

#[test]
fn a_connect_has_no_scheme_and_takes_the_forwarded_protocol() {
    let call = Call::new("CONNECT", "").without(":path").without(":scheme").with("x-forwarded-proto", b"https");
    let exchange = Vm::default().record(call);

    assert_eq!(
        (&exchange["request"]["method"], &exchange["request"]["protocol"]),
        (&json!("connect"), &json!("https"))
    );
}

#[test]
fn all_nine_methods_of_the_format_are_recorded() {
    let mut vm = Vm::default();

    for method in ["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "HEAD", "CONNECT"] {
        assert_eq!(vm.record(Call::new(method, "/"))["request"]["method"], method.to_lowercase());
    }
}

#[test]
fn other_methods_are_counted_and_take_no_seq() {
    let mut vm = Vm::default();

    for method in ["PROPFIND", "get", "M-SEARCH", ""] {
        vm.run(Call::new(method, "/"));
    }
    let exchange = vm.record(Call::get("/"));

    assert_eq!(exchange["meta"]["seq"], 0);
    assert_eq!((vm.count(Counter::Seen), vm.count(Counter::ExcludedMethod)), (5, 4));
}

#[test]
fn a_request_without_a_method_is_counted_as_one_outside_the_nine() {
    let mut vm = Vm::default();

    vm.run(Call::get("/").without(":method"));

    assert_eq!(vm.count(Counter::ExcludedMethod), 1);
}

#[test]
fn posts_of_a_filter_are_counted_and_not_recorded() {
    let mut vm = Vm::default();

    vm.run(Call::new("POST", "/v1/exchanges").with("x-tributary-batch", b"7"));

    assert_eq!((vm.count(Counter::Seen), vm.count(Counter::ExcludedSelf), vm.count(Counter::Captured)), (1, 1, 0));
}

#[test]
fn a_head_that_the_host_refuses_is_a_counted_drop_that_leaves_a_gap() {
    let mut vm = Vm::default();
    let now = vm.now();

    vm.stream().request_head(&mut vm.plugin, Err(REFUSED), now);
    let exchange = vm.record(Call::get("/"));

    assert_eq!(exchange["meta"]["seq"], 1);
    assert_eq!((vm.count(Counter::Captured), vm.count(Counter::DroppedUnwritable)), (2, 1));
}

#[test]
fn a_head_that_does_not_add_up_is_a_counted_drop() {
    let mut vm = Vm::default();
    let now = vm.now();

    for map in [b"\xff\xff\xff\xff".to_vec(), b"\x01".to_vec(), Vec::new()] {
        vm.stream().request_head(&mut vm.plugin, Ok(map), now);
    }

    assert_eq!(vm.count(Counter::DroppedUnwritable), 3);
    vm.assert_exact();
}

#[test]
fn odd_targets_keep_their_pathname() {
    let mut vm = Vm::default();

    for (path, pathname) in
        [("//a//b", "//a//b"), ("/a/../b", "/a/../b"), ("/?constructor=1", "/"), ("/%", "/%"), ("*", "*")]
    {
        assert_eq!(vm.record(Call::get(path))["request"]["pathname"], pathname, "{path}");
    }
}

#[test]
fn seq_counts_the_captured_from_zero() {
    let mut vm = Vm::default();
    vm.run_many(3);

    let sent = vm.flush();

    let seqs: Vec<_> = sent[0].exchanges().iter().map(|exchange| exchange["meta"]["seq"].clone()).collect();
    assert_eq!(seqs, [0, 1, 2]);
}
