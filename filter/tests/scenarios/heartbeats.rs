//! Heartbeats: while something is pending a VM is heard of, so that one that died with it is noticed; and no oftener.

use serde_json::{Value, json};
use tributary_filter::{Counter, Stream};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Call, Vm, facts};

/// A VM with one exchange that stays open, of which the collector knows.
fn with_open_exchange(settings: Value) -> (Vm, Stream) {
    let mut vm = Vm::with(settings);
    let mut stream = vm.stream();
    Call::get("/events").pass_open(&mut vm, &mut stream);
    let report = vm.tick_until_post(5_000).1.remove(0);
    assert_eq!((report.counter("captured"), report.counter("open")), (1, 1));
    vm.ack(&report);
    (vm, stream)
}

/// Ticks every 100 ms for so long and acknowledges what is posted; how many posts there were.
fn acknowledged_posts(vm: &mut Vm, millis: u64) -> usize {
    let mut posts = 0;
    for _ in 0..millis / 100 {
        vm.wait(100);
        for sent in vm.tick() {
            posts += 1;
            vm.ack(&sent);
        }
    }
    posts
}

#[test]
fn an_open_exchange_is_told_of_once_and_then_with_every_heartbeat() {
    let (mut vm, _stream) = with_open_exchange(json!({}));

    for _ in 0..3 {
        let (waited, sent) = vm.tick_until_post(60_000);
        assert_eq!((waited, sent.len(), sent[0].body.len()), (5_000, 1, 0));
        assert_eq!((sent[0].counter("open"), sent[0].header("x-tributary-heartbeat")), (1, "5000"));
        vm.ack(&sent[0]);
    }
}

#[test]
fn heartbeats_come_as_often_as_set() {
    let (mut vm, _stream) = with_open_exchange(json!({"heartbeat_ms": 1_000}));

    let (waited, sent) = vm.tick_until_post(60_000);

    assert_eq!((waited, sent[0].header("x-tributary-heartbeat")), (1_000, "1000"));
}

#[test]
fn when_nothing_is_pending_any_more_there_is_silence() {
    let (mut vm, mut stream) = with_open_exchange(json!({}));
    let clock = vm.clock();
    stream.finish(&mut vm.plugin, facts(), clock);

    let posts = acknowledged_posts(&mut vm, 5_000);

    assert_eq!((posts, vm.count(Counter::Acked)), (2, 1), "the line, and a report that it is acknowledged");
    assert_eq!(acknowledged_posts(&mut vm, 60_000), 0);
}

#[test]
fn a_line_that_waits_for_others_is_pending_too() {
    let mut vm = Vm::with(json!({"flush_after_ms": 10_000, "heartbeat_ms": 1_000}));
    vm.run_many(1);
    vm.tick();

    let (waited, sent) = vm.tick_until_post(5_000);

    assert_eq!((waited, sent[0].body.len(), sent[0].counter("queued")), (1_000, 0, 1));
}

#[test]
fn posts_with_lines_are_heartbeats_enough() {
    let (mut vm, _stream) = with_open_exchange(json!({"heartbeat_ms": 1_000}));
    let mut reports = 0;

    for _ in 0..100 {
        vm.run_many(1);
        vm.wait(100);
        for sent in vm.tick() {
            reports += usize::from(sent.body.is_empty());
            vm.ack(&sent);
        }
    }

    assert_eq!(reports, 0);
}

#[test]
fn a_collector_that_is_slow_to_answer_is_told_beside_what_it_has() {
    let mut vm = Vm::default();
    vm.run_many(1);
    let slow = vm.flush().remove(0);

    let (waited, beat) = vm.tick_until_post(60_000);
    assert_eq!((waited, beat[0].body.len(), beat[0].counter("in_flight")), (5_000, 0, 1));
    assert_eq!(vm.tick_until_post(7_000).1.len(), 0, "a third post in flight");
    vm.ack(&slow);

    assert_eq!((vm.count(Counter::Acked), vm.plugin.posts_in_flight()), (1, 1));
}

#[test]
fn refused_heartbeats_back_off() {
    let (mut vm, _stream) = with_open_exchange(json!({"heartbeat_ms": 1_000}));
    let mut posts = 0;

    for _ in 0..600 {
        vm.wait(100);
        for sent in vm.tick() {
            posts += 1;
            vm.answer(&sent, 503, &[], "");
        }
    }

    assert!((5..30).contains(&posts), "{posts} posts in a minute");
}

#[test]
fn a_heartbeat_waits_as_long_as_the_collector_asks() {
    let (mut vm, _stream) = with_open_exchange(json!({"heartbeat_ms": 1_000}));
    let beat = vm.tick_until_post(5_000).1.remove(0);
    vm.answer(&beat, 503, &[("retry-after", "30")], "");

    assert_eq!(vm.tick_until_post(60_000).0, 30_000);
}

// With the collector behind its own sidecar the filter sees its own posts; they must not call for more of them.
#[test]
fn heartbeats_that_are_seen_again_call_for_no_others() {
    let (mut vm, _stream) = with_open_exchange(json!({}));
    let mut posts = 0;

    for _ in 0..600 {
        vm.wait(100);
        for sent in vm.tick() {
            posts += 1;
            vm.run(Call::new("POST", "/v1/exchanges").with("x-tributary-batch", b"1"));
            vm.ack(&sent);
        }
    }

    assert_eq!((posts, vm.count(Counter::ExcludedSelf)), (12, 12), "a minute of heartbeats every five seconds");
}

#[test]
fn an_update_changes_the_heartbeat_of_what_is_pending() {
    let (mut vm, _stream) = with_open_exchange(json!({}));

    vm.plugin.configured(crate::support::ROOT, crate::support::config(&json!({"heartbeat_ms": 2_000})));

    assert_eq!(vm.tick_until_post(60_000).0, 2_000);
}
