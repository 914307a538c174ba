//! Bodies: taken chunk by chunk, up to a limit, text or not.

use serde_json::{Value, json};
use tributary_filter::{Counter, Side};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Call, REFUSED, Vm, facts};

/// A VM that keeps four bytes of a request and eight of a response.
fn small() -> Vm {
    Vm::with(json!({"max_request_body_bytes": 4, "max_response_body_bytes": 8}))
}

fn request_body(exchange: &Value) -> (&Value, &Value) {
    (&exchange["request"]["body"], &exchange["meta"]["requestBody"])
}

#[test]
fn chunks_are_joined_and_an_empty_last_one_changes_nothing() {
    let exchange = Vm::default().record(Call::post(&[b"hel", b"", b"lo", b""]).returns(&[b"wor", b"ld", b""]));

    assert_eq!((&exchange["request"]["body"], &exchange["response"]["body"]), (&json!("hello"), &json!("world")));
}

#[test]
fn no_body_is_an_empty_text_without_facts() {
    let exchange = Vm::default().record(Call::get("/"));

    assert_eq!(request_body(&exchange), (&json!(""), &Value::Null));
    assert_eq!(exchange["meta"]["responseBody"], Value::Null);
}

#[test]
fn one_byte_under_the_limit_is_whole() {
    let exchange = small().record(Call::post(&[b"ab", b"c"]));

    assert_eq!(request_body(&exchange), (&json!("abc"), &json!({"bytes": 3, "kept": 3, "truncated": false})));
}

#[test]
fn exactly_the_limit_is_whole() {
    let exchange = small().record(Call::post(&[b"ab", b"cd"]));

    assert_eq!(request_body(&exchange), (&json!("abcd"), &json!({"bytes": 4, "kept": 4, "truncated": false})));
}

#[test]
fn one_byte_over_the_limit_is_cut_and_marked() {
    let exchange = small().record(Call::post(&[b"ab", b"cde"]));

    assert_eq!(request_body(&exchange), (&json!("abcd"), &json!({"bytes": 5, "kept": 4, "truncated": true})));
}

#[test]
fn each_way_has_its_own_limit() {
    let exchange = small().record(Call::post(&[b"0123456789"]).returns(&[b"0123456789"]));

    assert_eq!((&exchange["request"]["body"], &exchange["response"]["body"]), (&json!("0123"), &json!("01234567")));
}

#[test]
fn a_limit_of_zero_keeps_nothing_and_counts_all() {
    let exchange = Vm::with(json!({"max_request_body_bytes": 0})).record(Call::post(&[b"abc"]));

    assert_eq!(request_body(&exchange), (&json!(""), &json!({"bytes": 3, "kept": 0, "truncated": true})));
}

#[test]
fn text_is_cut_at_a_character_boundary() {
    let exchange = small().record(Call::post(&["abc\u{e9}\u{e9}".as_bytes()]));

    assert_eq!(request_body(&exchange), (&json!("abc"), &json!({"bytes": 7, "kept": 3, "truncated": true})));
}

#[test]
fn bytes_that_are_not_text_go_into_meta_as_base64() {
    let exchange = Vm::default().record(Call::post(&[b"\x00\xff\xfe"]));

    let facts = json!({"bytes": 3, "kept": 3, "truncated": false, "base64": "AP/+"});
    assert_eq!(request_body(&exchange), (&json!(""), &facts));
}

#[test]
fn a_compressed_body_is_base64_even_if_it_looks_like_text() {
    let exchange = Vm::default().record(Call::get("/").answered_with("content-encoding", b"br").returns(&[b"abc"]));

    assert_eq!(
        (&exchange["response"]["body"], &exchange["meta"]["responseBody"]["base64"]),
        (&json!(""), &json!("YWJj"))
    );
}

#[test]
fn an_identity_coding_is_text() {
    let exchange =
        Vm::default().record(Call::get("/").answered_with("content-encoding", b"identity").returns(&[b"abc"]));

    assert_eq!(exchange["response"]["body"], "abc");
}

#[test]
fn grpc_messages_are_base64_both_ways() {
    let call = Call::post(&[b"\0\0\0\0\x02hi"])
        .with("content-type", b"application/grpc+proto")
        .answered_with("content-type", b"application/grpc")
        .returns(&[b"\0\0\0\0\x01a", b"\0\0\0\0\x01b"])
        .returns_trailer("grpc-status", b"0");

    let exchange = Vm::default().record(call);

    assert_eq!(exchange["meta"]["requestBody"]["base64"], "AAAAAAJoaQ==");
    assert_eq!(exchange["meta"]["responseBody"]["base64"], "AAAAAAFhAAAAAAFi");
    assert_eq!(exchange["meta"]["responseTrailers"], json!({"grpc-status": "0"}));
}

#[test]
fn frames_of_an_upgraded_connection_are_kept_like_a_body() {
    let call = Call::get("/chat")
        .with("upgrade", b"websocket")
        .sends(&[b"", b"\x81\x82\x01\x02\x03\x04ik", b""])
        .answered(101)
        .returns(&[b"\x81\x02hi"]);

    let exchange = Vm::default().record(call);

    assert_eq!(exchange["response"]["statusCode"], 101);
    assert_eq!(exchange["meta"]["requestBody"]["base64"], "gYIBAgMEaWs=");
    assert_eq!(
        exchange["meta"]["responseBody"],
        json!({"bytes": 4, "kept": 4, "truncated": false, "base64": "gQJoaQ=="})
    );
}

#[test]
fn a_head_request_has_no_body_whatever_its_headers_say() {
    let call =
        Call::new("HEAD", "/").answered_with("content-length", b"5000").answered_with("content-encoding", b"gzip");
    let exchange = Vm::default().record(call);

    assert_eq!((&exchange["response"]["body"], &exchange["meta"]["responseBody"]), (&json!(""), &Value::Null));
}

#[test]
fn over_the_limit_the_host_is_not_asked_any_more() {
    let mut vm = small();
    let mut stream = vm.stream();
    Call::post(&[b"abcd"]).pass_open(&mut vm, &mut stream);

    assert_eq!(stream.wanted(&vm.plugin, Side::Request, 1_000_000), None);
    assert_eq!(stream.wanted(&vm.plugin, Side::Response, 1_000_000), Some(8));
}

#[test]
fn a_chunk_that_the_host_refuses_ends_what_is_kept() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();
    Call::post(&[b"abc"]).pass_open(&mut vm, &mut stream);

    stream.body(&mut vm.plugin, Side::Request, 3, Some(Err(REFUSED)));
    assert_eq!(stream.wanted(&vm.plugin, Side::Request, 3), None);
    stream.body(&mut vm.plugin, Side::Request, 3, None);
    let clock = vm.clock();
    stream.finish(&mut vm.plugin, facts(), clock);

    let exchange = vm.flush()[0].exchanges().remove(0);
    assert_eq!(request_body(&exchange), (&json!("abc"), &json!({"bytes": 9, "kept": 3, "truncated": true})));
}

#[test]
fn a_chunk_that_the_host_gives_short_ends_what_is_kept() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();
    Call::post(&[]).pass_open(&mut vm, &mut stream);

    stream.body(&mut vm.plugin, Side::Request, 6, Some(Ok(b"abc".to_vec())));
    stream.body(&mut vm.plugin, Side::Request, 3, Some(Ok(b"xyz".to_vec())));
    let clock = vm.clock();
    stream.finish(&mut vm.plugin, facts(), clock);

    let exchange = vm.flush()[0].exchanges().remove(0);
    assert_eq!(request_body(&exchange), (&json!("abc"), &json!({"bytes": 9, "kept": 3, "truncated": true})));
}

#[test]
fn fifty_megabytes_each_way_take_no_more_memory_than_the_limits() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();
    let chunk = vec![b'x'; 1_048_576];
    Call::post(&[]).pass_open(&mut vm, &mut stream);

    for _ in 0..50 {
        for side in [Side::Request, Side::Response] {
            let given = stream.wanted(&vm.plugin, side, chunk.len()).map(|wanted| Ok(chunk[..wanted].to_vec()));
            stream.body(&mut vm.plugin, side, chunk.len(), given);
            assert!(vm.plugin.held_bytes() < 2 * 65_536 + 2_048, "{}", vm.plugin.held_bytes());
        }
    }

    let clock = vm.clock();
    stream.finish(&mut vm.plugin, facts(), clock);
    let exchange = vm.flush()[0].exchanges().remove(0);
    assert_eq!(request_body(&exchange).1, &json!({"bytes": 52_428_800, "kept": 65_536, "truncated": true}));
}

#[test]
fn body_bytes_are_counted_as_seen_and_as_kept() {
    let mut vm = small();

    vm.record(Call::post(&[b"0123456789"]).returns(&[b"01"]));

    let counters = [
        Counter::RequestBodyBytesSeen,
        Counter::RequestBodyBytesKept,
        Counter::ResponseBodyBytesSeen,
        Counter::ResponseBodyBytesKept,
    ];
    assert_eq!(counters.map(|counter| vm.count(counter)), [10, 4, 2, 2]);
}

#[test]
fn a_body_without_a_head_belongs_to_nothing() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();

    assert_eq!(stream.wanted(&vm.plugin, Side::Request, 10), None);
    stream.body(&mut vm.plugin, Side::Request, 10, Some(Ok(b"0123456789".to_vec())));

    assert_eq!((vm.count(Counter::Seen), vm.plugin.held_bytes()), (0, 0));
}
