//! The memory ladder: over a half of the budget new exchanges keep no bodies, over three quarters no headers either, and
//! each says so.

use serde_json::{Value, json};
use tributary_filter::{Counter, Side};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Call, Sent, Vm, facts};

const MAX: usize = 65_536;
const HALF: usize = 33_000;
const THREE_QUARTERS: usize = 50_000;

/// A VM that holds a little more than so many bytes, in a batch that waits for its answer.
fn holding(bytes: usize) -> (Vm, Sent) {
    let mut vm = Vm::with(json!({"max_memory_bytes": MAX, "max_batch_bytes": 65_536}));
    let sent = fill(&mut vm, bytes);
    (vm, sent)
}

fn fill(vm: &mut Vm, bytes: usize) -> Sent {
    // Without a response, which would come on the step that its own request brings about.
    vm.run(Call::post(&[&vec![b'x'; bytes]]).not_answered());
    let sent = vm.flush().remove(0);
    assert!(vm.plugin.held_bytes() > bytes);
    sent
}

fn rich() -> Call {
    let call = Call::post(&[b"asked"]).with("accept", b"*/*").with(":path", b"/rich?a=1");
    call.answered(201).answered_with("server", b"s").returns(&[b"answered"]).returns_trailer("t", b"1")
}

/// The line of what is queued: it is posted beside what is in flight.
fn posted(vm: &mut Vm) -> Value {
    let sent = vm.flush().remove(0);
    vm.ack(&sent);
    sent.exchanges().remove(0)
}

#[test]
fn up_to_a_half_everything_is_kept() {
    let (mut vm, _) = holding(HALF - 2_000);

    vm.run(rich());
    let exchange = posted(&mut vm);

    assert_eq!((exchange["meta"].get("degraded"), &exchange["request"]["body"]), (None, &json!("asked")));
    assert_eq!((vm.count(Counter::DegradedHeads), vm.count(Counter::DegradedMeta)), (0, 0));
}

#[test]
fn over_a_half_heads_are_kept_and_no_bodies() {
    let (mut vm, _) = holding(HALF);

    vm.run(rich());
    let exchange = posted(&mut vm);

    assert_eq!(exchange["meta"]["degraded"], "heads");
    let (request, response) = (&exchange["request"], &exchange["response"]);
    assert_eq!((&request["headers"]["accept"], &request["body"]), (&json!("*/*"), &json!("")));
    assert_eq!((&response["headers"]["server"], &response["body"]), (&json!("s"), &json!("")));
    assert_eq!(exchange["meta"]["requestBody"], json!({"bytes": 5, "kept": 0, "truncated": true}));
    assert_eq!(exchange["meta"]["responseBody"], json!({"bytes": 8, "kept": 0, "truncated": true}));
    assert_eq!(exchange["meta"]["responseTrailers"], json!({"t": "1"}));
    assert_eq!((vm.count(Counter::DegradedHeads), vm.count(Counter::DegradedMeta)), (1, 0));
}

#[test]
fn over_three_quarters_only_what_is_no_header_is_kept() {
    let (mut vm, _) = holding(THREE_QUARTERS);

    vm.run(rich());
    let exchange = posted(&mut vm);

    let (request, response) = (&exchange["request"], &exchange["response"]);
    assert_eq!((&request["headers"], &request["body"]), (&json!({}), &json!("")));
    let line = json!([request["method"], request["host"], request["path"], response["statusCode"]]);
    assert_eq!(line, json!(["post", "shop.example", "/rich?a=1", 201]));
    assert_eq!(response["headers"], json!({}));
    let meta = &exchange["meta"];
    assert_eq!(json!([meta["degraded"], meta["cluster"], meta["responseTrailers"]]), json!(["meta", "users", null]));
    assert_eq!(meta["responseBody"], json!({"bytes": 8, "kept": 0, "truncated": true}));
    assert_eq!((vm.count(Counter::DegradedHeads), vm.count(Counter::DegradedMeta)), (0, 1));
}

#[test]
fn an_exchange_on_the_last_step_takes_little_whatever_its_size() {
    let (mut vm, _) = holding(THREE_QUARTERS);
    let before = vm.plugin.held_bytes();
    let mut stream = vm.stream();

    let call = Call::post(&[&[b'b'; 9_000]]).with("cookie", &[b'c'; 9_000]).answered_with("x", &[b'x'; 9_000]);
    call.returns_trailer("t", &[b't'; 9_000]).pass_open(&mut vm, &mut stream);

    assert!(vm.plugin.held_bytes() - before < 700, "{}", vm.plugin.held_bytes() - before);
}

#[test]
fn over_a_half_the_host_is_not_asked_for_bodies() {
    let (mut vm, _) = holding(HALF);
    let mut stream = vm.stream();
    Call::post(&[]).pass_open(&mut vm, &mut stream);

    assert_eq!(stream.wanted(&vm.plugin, Side::Request, 10), None);
    assert_eq!(stream.wanted(&vm.plugin, Side::Response, 10), None);
}

#[test]
fn a_body_ends_where_the_step_rises_and_what_was_kept_stays() {
    let mut vm = Vm::with(json!({"max_memory_bytes": MAX, "max_batch_bytes": 65_536}));
    let mut stream = vm.stream();
    Call::post(&[b"before "]).with("accept", b"*/*").pass_open(&mut vm, &mut stream);
    let filling = fill(&mut vm, HALF);

    stream.body(&mut vm.plugin, Side::Request, 7, Some(Ok(b"during ".to_vec())));
    vm.ack(&filling);
    stream.body(&mut vm.plugin, Side::Request, 5, Some(Ok(b"after".to_vec())));
    let clock = vm.clock();
    stream.finish(&mut vm.plugin, facts(), clock);
    let exchange = posted(&mut vm);

    assert_eq!((&exchange["meta"]["degraded"], &exchange["request"]["body"]), (&json!("heads"), &json!("before ")));
    assert_eq!(exchange["meta"]["requestBody"], json!({"bytes": 19, "kept": 7, "truncated": true}));
    assert_eq!(exchange["request"]["headers"]["accept"], "*/*");
}

#[test]
fn a_body_that_is_over_its_own_limit_is_not_degraded_by_a_later_step() {
    let settings = json!({"max_memory_bytes": MAX, "max_batch_bytes": 65_536, "max_request_body_bytes": 6});
    let mut vm = Vm::with(settings);
    let mut stream = vm.stream();
    Call::post(&[b"before "]).pass_open(&mut vm, &mut stream);
    vm.run(Call::get("/").returns(&[&[b'x'; HALF]]));

    stream.body(&mut vm.plugin, Side::Request, 6, None);
    let clock = vm.clock();
    stream.finish(&mut vm.plugin, facts(), clock);

    let exchange = vm.flush()[0].exchanges().remove(1);
    assert_eq!((exchange["meta"].get("degraded"), &exchange["request"]["body"]), (None, &json!("before")));
}

#[test]
fn a_response_that_comes_on_a_higher_step_leaves_the_request_as_it_is() {
    let mut vm = Vm::with(json!({"max_memory_bytes": MAX, "max_batch_bytes": 65_536}));
    let mut stream = vm.stream();
    Call::post(&[b"asked"]).with("accept", b"*/*").not_answered().pass_open(&mut vm, &mut stream);
    fill(&mut vm, THREE_QUARTERS);

    rich().pass_response(&mut vm, &mut stream);
    let clock = vm.clock();
    stream.finish(&mut vm.plugin, facts(), clock);
    let exchange = posted(&mut vm);

    assert_eq!((&exchange["meta"]["degraded"], &exchange["response"]["headers"]), (&json!("meta"), &json!({})));
    assert_eq!(exchange["request"]["headers"], json!({"host": "shop.example", "accept": "*/*"}));
    assert_eq!((&exchange["request"]["body"], &exchange["response"]["statusCode"]), (&json!("asked"), &json!(201)));
}

#[test]
fn an_exchange_keeps_its_step_and_the_next_one_is_whole_again() {
    for (bytes, step) in [(HALF, "heads"), (THREE_QUARTERS, "meta")] {
        let (mut vm, filling) = holding(bytes);
        let mut stream = vm.stream();
        Call::post(&[]).with("accept", b"*/*").not_answered().pass_open(&mut vm, &mut stream);

        vm.ack(&filling);
        stream.body(&mut vm.plugin, Side::Request, 5, Some(Ok(b"asked".to_vec())));
        rich().pass_response(&mut vm, &mut stream);
        let clock = vm.clock();
        stream.finish(&mut vm.plugin, facts(), clock);
        let taken = posted(&mut vm);
        let next = vm.record(rich());

        assert_eq!((&taken["meta"]["degraded"], &taken["request"]["body"]), (&json!(step), &json!("")));
        assert_eq!(taken["response"]["body"], "");
        assert_eq!((next["meta"].get("degraded"), &next["response"]["body"]), (None, &json!("answered")));
    }
}

#[test]
fn posts_tell_how_many_exchanges_are_degraded() {
    let (mut vm, _) = holding(HALF);
    vm.run(rich());
    vm.run(rich());

    let sent = vm.flush().remove(0);

    assert_eq!((sent.counter("degraded_heads"), sent.counter("degraded_meta")), (2, 0));
}

#[test]
fn a_lowered_budget_raises_the_step() {
    let mut vm = Vm::default();
    fill(&mut vm, 60_000);
    vm.plugin.configured(crate::support::ROOT, {
        crate::support::config(&json!({"max_memory_bytes": 100_000, "max_batch_bytes": 65_536}))
    });

    vm.run(rich());

    assert_eq!(posted(&mut vm)["meta"]["degraded"], "heads");
}
