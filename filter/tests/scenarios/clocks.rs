//! Clocks that are set, jump or stand still: nothing is lost, nothing waits for ever, nothing is given up in a storm.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tributary_filter::{Counter, Facts};
use tributary_http_types::Timestamp;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Call, Sent, Vm, facts};

const TWO_HOURS: i64 = 7_200_000;

/// A VM whose clock can be set back by hours.
fn vm(settings: Value) -> Vm {
    let mut vm = Vm::with(settings);
    vm.jump(10 * TWO_HOURS);
    vm
}

/// A VM with a batch in flight, one that waits for its retry, one that is being filled, and an open exchange.
fn busy(settings: Value) -> (Vm, Sent) {
    let mut vm = vm(settings);
    let mut open = vm.stream();
    Call::get("/open").pass_open(&mut vm, &mut open);
    vm.run_many(2);
    let failed = vm.flush().remove(0);
    vm.answer(&failed, 503, &[("retry-after", "5")], "");
    vm.run_many(3);
    vm.wait(5_000);
    let in_flight = vm.tick().remove(0);
    vm.run_many(4);
    (vm, in_flight)
}

/// Lets half a minute pass with a collector that acknowledges; the identities of all that arrived.
fn deliver(vm: &mut Vm) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..300 {
        vm.wait(100);
        for sent in vm.tick() {
            ids.extend(sent.exchanges().iter().map(|exchange| exchange["meta"]["id"].as_str().unwrap().to_owned()));
            vm.ack(&sent);
        }
    }
    ids
}

fn assert_all_arrived(vm: &Vm, ids: &[String]) {
    let distinct: BTreeSet<&String> = ids.iter().collect();
    assert_eq!((distinct.len(), ids.len()), (9, 9), "{ids:?}");
    assert_eq!(vm.count(Counter::Acked), 9);
    assert_eq!(Counter::DROPPED.map(|reason| vm.count(reason)), [0; 7]);
    assert_eq!((vm.pending().queued, vm.pending().in_flight), (0, 0));
}

#[test]
fn a_steady_clock_that_jumps_loses_nothing_and_stalls_nothing() {
    for jump in [TWO_HOURS, -TWO_HOURS] {
        let (mut vm, in_flight) = busy(json!({"give_up_after_ms": 10_000}));

        vm.jump(jump);
        vm.tick();
        vm.no_answer(&in_flight);
        let ids = deliver(&mut vm);

        assert_all_arrived(&vm, &ids);
    }
}

#[test]
fn jumps_back_and_forth_add_up_to_no_storm() {
    let (mut vm, in_flight) = busy(json!({"give_up_after_ms": 60_000}));

    for jump in [TWO_HOURS, -TWO_HOURS, TWO_HOURS, -TWO_HOURS] {
        vm.jump(jump);
        vm.tick();
    }
    vm.no_answer(&in_flight);
    let ids = deliver(&mut vm);

    assert_all_arrived(&vm, &ids);
}

#[test]
fn a_wait_after_a_failure_is_not_stuck_when_the_clock_goes_back() {
    let mut vm = vm(json!({}));
    vm.run_many(1);
    let sent = vm.flush().remove(0);
    vm.answer(&sent, 503, &[("retry-after", "3")], "");

    vm.jump(-TWO_HOURS);
    let (waited, again) = vm.tick_until_post(60_000);

    assert_eq!((again[0].number, &again[0].body), (sent.number, &sent.body));
    assert!((3_000..=3_100).contains(&waited), "{waited}");
}

#[test]
fn what_is_really_too_old_is_given_up_after_a_jump_too() {
    for jump in [TWO_HOURS, -TWO_HOURS] {
        let mut vm = vm(json!({"give_up_after_ms": 10_000}));
        vm.run_many(1);
        let sent = vm.flush().remove(0);
        vm.answer(&sent, 503, &[("retry-after", "60")], "");

        vm.jump(jump);
        vm.tick();
        assert_eq!(vm.count(Counter::DroppedExpired), 0);
        vm.wait(10_100);
        vm.tick();

        assert_eq!((vm.count(Counter::DroppedExpired), vm.pending().total()), (1, 0));
    }
}

#[test]
fn on_a_stopped_clock_lines_leave_retries_go_on_and_heartbeats_beat() {
    let mut vm = vm(json!({}));
    let mut open = vm.stream();
    Call::get("/open").pass_open(&mut vm, &mut open);
    vm.run_many(2);

    let posts: Vec<Sent> = (0..40)
        .flat_map(|round| {
            let sent = vm.fire_timer();
            for sent in &sent {
                if round < 10 { vm.answer(sent, 503, &[], "") } else { vm.ack(sent) }
            }
            sent
        })
        .collect();

    let retried = posts.iter().filter(|sent| sent.number == 0).count();
    let beats = posts.iter().filter(|sent| sent.body.is_empty() && sent.counter("acked") == 2).count();
    assert!(retried >= 2, "{retried} tries");
    assert!(beats >= 2, "{beats} posts after the acknowledgement");
    assert_eq!((vm.count(Counter::Acked), vm.pending().total()), (2, 1));
}

#[test]
fn on_a_stopped_clock_what_is_too_old_is_given_up() {
    let mut vm = vm(json!({"give_up_after_ms": 5_000}));
    vm.run_many(2);

    for _ in 0..60 {
        vm.fire_timer().iter().for_each(|sent| vm.answer(sent, 503, &[], ""));
    }

    assert_eq!((vm.count(Counter::DroppedExpired), vm.pending().total()), (2, 0));
}

#[test]
fn a_wall_clock_that_is_set_changes_no_wait_and_no_order() {
    let mut vm = vm(json!({}));
    let mut times = Vec::new();

    for set in [0, TWO_HOURS, -TWO_HOURS] {
        vm.wall_set_millis = set;
        vm.run_many(3);
        let (waited, sent) = vm.tick_until_post(1_000);
        assert_eq!((waited, sent.len()), (200, 1), "set by {set} ms");
        times.extend(sent[0].exchanges().iter().map(times_of));
        vm.ack(&sent[0]);
    }

    assert_eq!((vm.count(Counter::Acked), vm.count(Counter::PostFailures)), (9, 0));
    assert!(times.iter().all(|(arrived, ended)| arrived <= ended), "{times:?}");
}

#[test]
fn a_wall_clock_that_is_set_back_ends_no_exchange_before_it_began() {
    for (set, known) in [(-TWO_HOURS, true), (-TWO_HOURS, false), (TWO_HOURS, false)] {
        let mut vm = vm(json!({}));
        let mut stream = vm.stream();
        Call::get("/").pass_open(&mut vm, &mut stream);

        vm.wait(40);
        vm.wall_set_millis = set;
        let clock = vm.clock();
        // The end is the clock's, and the arrival is reckoned back from it.
        let facts = if known { facts() } else { without_times() };
        stream.finish(&mut vm.plugin, facts, clock);
        let exchange = vm.flush()[0].exchanges().remove(0);

        let (began, ended) = times_of(&exchange);
        let took = i64::try_from(exchange["meta"]["durationMs"].as_u64().unwrap()).unwrap();
        assert_eq!(ended, clock.wall);
        assert_eq!(ended.unix_millis() - began.unix_millis(), took);
        assert_eq!(took, if known { 7 } else { 40 });
    }
}

fn without_times() -> Facts {
    Facts { duration: None, ..facts() }
}

fn times_of(exchange: &Value) -> (Timestamp, Timestamp) {
    let time = |side: &str| serde_json::from_value(exchange[side]["timestamp"].clone()).unwrap();
    (time("request"), time("response"))
}

#[test]
fn an_exchange_that_a_jump_of_the_steady_clock_falls_into_took_no_hours() {
    let mut vm = vm(json!({}));
    let mut stream = vm.stream();
    Call::get("/").pass_open(&mut vm, &mut stream);

    vm.jump(TWO_HOURS);
    let clock = vm.clock();
    stream.finish(&mut vm.plugin, without_times(), clock);

    let took = vm.flush()[0].exchanges()[0]["meta"]["durationMs"].as_u64().unwrap();
    assert!(took <= 2_000, "{took} ms");
}
