//! The budget: one number over open exchanges, queue and posts in flight; over it the newest is dropped. What it makes
//! of an exchange before that: `ladder.rs`.

use serde_json::{Value, json};
use tributary_filter::{Counter, Side, Stream};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Call, REFUSED, ROOT, Vm, config, facts, wire};

const MAX: usize = 65_536;

fn small() -> Vm {
    Vm::with(json!({"max_memory_bytes": MAX, "max_batch_bytes": 8_192}))
}

#[test]
fn an_exchange_without_room_is_dropped_and_leaves_a_gap() {
    let mut vm = small();
    let mut big = vm.stream();
    Call::get("/big").with("cookie", &vec![b'c'; MAX - 1_000]).pass_open(&mut vm, &mut big);

    vm.run(Call::get("/dropped"));
    end(&mut vm, &mut big);
    let sent = vm.flush().remove(0);
    vm.ack(&sent);
    let after = vm.record(Call::get("/after"));

    assert_eq!((vm.count(Counter::DroppedBudget), &after["meta"]["seq"]), (1, &json!(2)));
}

fn end(vm: &mut Vm, stream: &mut Stream) {
    let clock = vm.clock();
    stream.finish(&mut vm.plugin, facts(), clock);
    vm.assert_exact();
}

/// Ends the stream, has its line posted and acknowledged, and gives it; nothing may be held or dropped after that.
fn recorded(vm: &mut Vm, mut stream: Stream) -> Value {
    end(vm, &mut stream);
    let sent = vm.flush().remove(0);
    vm.ack(&sent);
    assert_eq!((vm.count(Counter::DroppedBudget), vm.pending().total(), vm.plugin.held_bytes()), (0, 0, 0));
    sent.exchanges().remove(0)
}

#[test]
fn a_body_without_room_is_left_out_of_its_exchange() {
    let mut vm = small();
    let mut stream = vm.stream();
    Call::post(&[]).pass_open(&mut vm, &mut stream);

    stream.body(&mut vm.plugin, Side::Request, MAX, Some(Ok(vec![b'x'; MAX])));
    let exchange = recorded(&mut vm, stream);

    assert_eq!(exchange["meta"]["degraded"], "heads");
    assert_eq!(exchange["meta"]["requestBody"], json!({"bytes": MAX, "kept": 0, "truncated": true}));
    assert_eq!((vm.count(Counter::DegradedHeads), vm.count(Counter::RequestBodyBytesKept)), (1, 0));
}

#[test]
fn a_request_head_without_room_is_left_out_of_its_exchange() {
    let mut vm = small();
    let mut stream = vm.stream();
    Call::get("/p?q").with("x", &vec![b'x'; MAX]).pass_open(&mut vm, &mut stream);

    let exchange = recorded(&mut vm, stream);

    assert_eq!(exchange["meta"]["degraded"], "meta");
    assert_eq!((&exchange["request"]["headers"], &exchange["request"]["path"]), (&json!({}), &json!("/p?q")));
}

#[test]
fn a_response_head_without_room_is_left_out_of_its_exchange() {
    let mut vm = small();
    let mut stream = vm.stream();
    Call::get("/").with("accept", b"*/*").not_answered().pass_open(&mut vm, &mut stream);

    stream.response_head(&mut vm.plugin, Ok(wire(&[(":status", b"201"), ("x", &vec![b'x'; MAX])])));
    let exchange = recorded(&mut vm, stream);

    assert_eq!(exchange["meta"]["degraded"], "meta");
    assert_eq!((&exchange["response"]["headers"], &exchange["response"]["statusCode"]), (&json!({}), &json!(201)));
    assert_eq!(exchange["request"]["headers"]["accept"], "*/*");
}

#[test]
fn trailers_without_room_are_left_out_with_the_headers_of_their_side() {
    let mut vm = small();
    let mut stream = vm.stream();
    Call::get("/").with("accept", b"*/*").answered_with("x", b"1").pass_open(&mut vm, &mut stream);

    stream.trailers(&mut vm.plugin, Side::Response, Ok(wire(&[("x", &vec![b'x'; MAX])])));
    let exchange = recorded(&mut vm, stream);

    assert_eq!(exchange["meta"]["degraded"], "meta");
    assert_eq!((&exchange["response"]["headers"], exchange["meta"].get("responseTrailers")), (&json!({}), None));
    assert_eq!(exchange["request"]["headers"]["accept"], "*/*");
}

#[test]
fn a_line_that_grows_over_the_budget_by_its_escapes_loses_what_is_too_much() {
    let mut vm = small();

    // Each byte takes six as \u0001.
    let without_body = vm.record(Call::post(&[&[1; 20_000]]).with("accept", b"*/*"));
    let without_headers = vm.record(Call::post(&[b"abc"]).with("x", &[1; 20_000]));

    let kept = |exchange: &Value| {
        let body = &exchange["meta"]["requestBody"];
        json!([exchange["meta"]["degraded"], exchange["request"]["headers"]["accept"], body["bytes"], body["kept"]])
    };
    assert_eq!(kept(&without_body), json!(["heads", "*/*", 20_000, 0]));
    assert_eq!(kept(&without_headers), json!(["meta", null, 3, 0]));
    assert_eq!((vm.count(Counter::DroppedBudget), vm.plugin.held_bytes()), (0, 0));
}

#[test]
fn with_the_collector_away_the_oldest_are_kept_and_the_newest_dropped() {
    let mut vm = small();
    for _ in 0..400 {
        vm.run_many(1);
        vm.wait(10);
        for sent in vm.tick() {
            vm.no_answer(&sent);
        }
        assert!(vm.plugin.held_bytes() <= MAX);
    }
    let dropped = vm.count(Counter::DroppedBudget);
    assert!(dropped > 100, "{dropped}");

    let mut seqs = Vec::new();
    for _ in 0..200 {
        vm.wait(100);
        for sent in vm.tick() {
            seqs.extend(sent.exchanges().iter().map(|exchange| exchange["meta"]["seq"].as_u64().unwrap()));
            vm.ack(&sent);
        }
    }

    assert_eq!(seqs, (0..400 - dropped).collect::<Vec<u64>>());
    assert_eq!(vm.plugin.held_bytes(), 0);
}

#[test]
fn an_acknowledgement_makes_room_again() {
    let mut vm = small();
    vm.run(Call::post(&[&[b'x'; 60_000]]));
    vm.run_many(20);
    let dropped = vm.count(Counter::DroppedBudget);
    assert!((5..20).contains(&dropped), "{dropped}");

    let sent = vm.flush().remove(0);
    vm.ack(&sent);
    vm.run(Call::post(&[&[b'x'; 40_000]]));

    assert_eq!((vm.count(Counter::DroppedBudget), vm.count(Counter::RequestBodyBytesKept)), (dropped, 100_000));
}

#[test]
fn at_rest_nothing_is_held() {
    let mut vm = Vm::default();
    for call in [Call::get("/"), Call::post(&[b"abc"]).returns(&[b"def"]).returns_trailer("t", b"1")] {
        vm.record(call);
    }
    let mut stream = vm.stream();
    Call::get("/").pass_open(&mut vm, &mut stream);
    stream.body(&mut vm.plugin, Side::Request, 5, Some(Err(REFUSED)));
    let clock = vm.clock();
    stream.finish(&mut vm.plugin, facts(), clock);
    let sent = vm.flush().remove(0);
    vm.ack(&sent);

    assert_eq!((vm.plugin.held_bytes(), vm.pending().total()), (0, 0));
}

#[test]
fn a_lowered_budget_drops_nothing_that_is_held() {
    let mut vm = Vm::default();
    vm.run(Call::post(&[&[b'x'; 60_000]]));
    vm.run(Call::post(&[&[b'x'; 60_000]]));

    vm.plugin.configured(ROOT, config(&json!({"max_memory_bytes": MAX, "max_batch_bytes": 8_192})));
    vm.run_many(1);

    assert_eq!((vm.pending().queued, vm.count(Counter::DroppedBudget)), (2, 1));
}
