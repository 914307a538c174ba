//! Batches on their way when all is well: when they leave, what they say, what an acknowledgement does.

use std::time::Duration;

use serde_json::json;
use tributary_filter::{Counter, Gauge, Pending};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Call, ROOT, Vm};

const SOURCE: &str = "000102030405060708090a0b0c0d0e0f";

#[test]
fn a_line_waits_for_others_until_the_flush_time() {
    let mut vm = Vm::default();
    vm.run_many(2);

    vm.wait(199);
    assert_eq!(vm.tick().len(), 0);
    vm.wait(1);

    assert_eq!(vm.tick()[0].paths(), ["/0", "/1"]);
}

#[test]
fn the_first_line_sets_the_tick_and_the_next_leave_it_alone() {
    let mut vm = Vm::default();
    let now = vm.now();
    assert_eq!(vm.plugin.tick_for(ROOT, now), Some(Duration::from_secs(1)));

    vm.run_many(1);
    assert_eq!(vm.plugin.tick_for(ROOT, now), Some(Duration::from_millis(200)));
    vm.run_many(1);

    assert_eq!(vm.plugin.tick_for(ROOT, now), None);
}

#[test]
fn a_full_batch_wakes_the_root_at_once() {
    let mut vm = Vm::with(json!({"max_batch_exchanges": 3}));
    let now = vm.now();
    vm.run_many(2);
    vm.plugin.tick_for(ROOT, now);

    vm.run_many(1);

    assert_eq!(vm.plugin.tick_for(ROOT, now), Some(Duration::from_millis(1)));
    assert_eq!(vm.tick()[0].exchanges().len(), 3);
}

#[test]
fn a_batch_is_full_at_its_bytes_too() {
    let mut vm = Vm::with(json!({"max_batch_bytes": 2_048}));
    vm.run_many(10);

    let sent = vm.tick();

    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|sent| sent.body.len() <= 2_048 && sent.exchanges().len() > 1));
}

#[test]
fn a_post_says_who_sends_what() {
    let mut vm = Vm::with(json!({"collector": {"cluster": "c", "authority": "tributary:8088", "path": "/in"}}));
    vm.run_many(1);

    let sent = vm.flush().remove(0);

    let headers: Vec<(&str, &str)> = sent.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(
        headers,
        [
            (":method", "POST"),
            (":path", "/in"),
            (":authority", "tributary:8088"),
            ("content-type", "application/x-ndjson"),
            ("x-tributary-source", SOURCE),
            ("x-tributary-batch", "0"),
            (
                "x-tributary-counters",
                "seen=1,excluded_rule=0,excluded_sampled=0,excluded_self=0,excluded_method=0,captured=1,acked=0,\
                 rejected=0,dropped_budget=0,dropped_expired=0,dropped_bad_request=0,dropped_too_large=0,\
                 dropped_unsupported=0,dropped_shutdown=0,dropped_unwritable=0,request_body_bytes_seen=0,\
                 request_body_bytes_kept=0,response_body_bytes_seen=0,response_body_bytes_kept=0,degraded_heads=0,\
                 degraded_meta=0,redacted_values=0,redaction_disabled=0,posts=1,post_failures=0,open=0,queued=0,in_flight=1"
            ),
            ("x-tributary-heartbeat", "5000"),
        ]
    );
}

#[test]
fn a_token_travels_as_a_bearer() {
    let mut vm = Vm::with(json!({"collector": {"cluster": "c", "token_env": "TOKEN"}}));
    vm.run_many(1);

    assert_eq!(vm.flush()[0].header("authorization"), "Bearer s3cret");
}

#[test]
fn the_counters_of_a_post_add_up_with_what_is_pending() {
    let mut vm = Vm::with(json!({"max_batch_exchanges": 2}));
    let mut open = vm.stream();
    Call::get("/open").pass_open(&mut vm, &mut open);
    vm.run(Call::new("PROPFIND", "/"));
    vm.run_many(5);

    let sent = vm.tick();

    let pending = |post: usize| ["open", "queued", "in_flight"].map(|name| sent[post].counter(name));
    assert_eq!((sent[0].counter("seen"), sent[0].counter("captured")), (7, 6));
    assert_eq!((pending(0), pending(1)), ([1, 3, 2], [1, 1, 4]));
}

#[test]
fn no_more_than_two_posts_are_in_flight() {
    let mut vm = Vm::with(json!({"max_batch_exchanges": 1}));
    vm.run_many(5);

    let first = vm.tick();
    assert_eq!((first.len(), vm.tick().len(), vm.plugin.posts_in_flight()), (2, 0, 2));
    vm.ack(&first[0]);

    assert_eq!(vm.tick().len(), 1);
}

#[test]
fn an_acknowledgement_frees_the_batch_and_counts_it() {
    let mut vm = Vm::default();
    vm.run_many(3);
    let sent = vm.flush();

    vm.ack(&sent[0]);

    assert_eq!((vm.count(Counter::Acked), vm.pending(), vm.plugin.held_bytes()), (3, Pending::default(), 0));
}

#[test]
fn rejected_lines_are_counted_as_such_and_not_sent_again() {
    let mut vm = Vm::default();
    vm.run_many(3);
    let sent = vm.flush();

    vm.ack_with(&sent[0], r#"{"accepted":2,"rejected":[{"line":2,"error":"meta: …"}]}"#);

    assert_eq!((vm.count(Counter::Acked), vm.count(Counter::Rejected), vm.pending().total()), (2, 1, 0));
}

#[test]
fn answers_may_come_in_any_order() {
    let mut vm = Vm::with(json!({"max_batch_exchanges": 1}));
    vm.run_many(2);
    let sent = vm.tick();

    vm.ack(&sent[1]);
    vm.ack(&sent[0]);

    assert_eq!((vm.count(Counter::Acked), vm.pending().total()), (2, 0));
}

#[test]
fn batches_are_numbered_from_zero() {
    let mut vm = Vm::with(json!({"max_batch_exchanges": 1}));
    vm.run_many(2);
    let first = vm.tick();
    vm.ack(&first[0]);
    vm.run_many(1);

    let second = vm.tick();

    assert_eq!([&first[0], &first[1], &second[0]].map(|sent| sent.header("x-tributary-batch")), ["0", "1", "2"]);
}

#[test]
fn under_steady_load_every_exchange_is_delivered_once() {
    let mut vm = Vm::with(json!({"max_batch_exchanges": 7}));
    let mut paths = Vec::new();

    for _ in 0..50 {
        vm.run_many(5);
        vm.wait(20);
        for sent in vm.tick() {
            paths.extend(sent.exchanges().iter().map(|exchange| exchange["meta"]["seq"].as_u64().unwrap()));
            vm.ack(&sent);
        }
    }
    for sent in vm.flush() {
        paths.extend(sent.exchanges().iter().map(|exchange| exchange["meta"]["seq"].as_u64().unwrap()));
        vm.ack(&sent);
    }

    assert_eq!(paths, (0..250).collect::<Vec<u64>>());
    assert_eq!((vm.count(Counter::Acked), vm.plugin.held_bytes()), (250, 0));
}

#[test]
fn statistics_get_the_growth_and_never_a_zero() {
    let mut vm = Vm::default();
    vm.run_many(2);

    let growth = vm.plugin.unmirrored();
    assert_eq!(growth, [(Counter::Seen, 2), (Counter::Captured, 2)]);
    vm.plugin.mirrored(Counter::Seen, 2);
    vm.run_many(1);

    assert_eq!(vm.plugin.unmirrored(), [(Counter::Seen, 1), (Counter::Captured, 3)]);
}

#[test]
fn gauges_follow_what_is_pending_up_and_down() {
    let mut vm = Vm::default();
    vm.run_many(2);
    let mut stream = vm.stream();
    Call::get("/open").pass_open(&mut vm, &mut stream);

    let first = mirrored(&mut vm);
    let sent = vm.flush();
    let posted = mirrored(&mut vm);
    vm.ack(&sent[0]);
    let acked = mirrored(&mut vm);

    assert_eq!(first, [(Gauge::Open, 1), (Gauge::Queued, 2)]);
    assert_eq!(posted, [(Gauge::Queued, -2), (Gauge::InFlight, 2)]);
    assert_eq!((acked, mirrored(&mut vm)), (vec![(Gauge::InFlight, -2)], Vec::new()));
}

/// What Envoy's gauges lack, after they have taken it.
fn mirrored(vm: &mut Vm) -> Vec<(Gauge, i64)> {
    let changes = vm.plugin.unmirrored_pending();
    changes.iter().for_each(|&(gauge, change)| vm.plugin.mirrored_pending(gauge, change));
    changes
}
