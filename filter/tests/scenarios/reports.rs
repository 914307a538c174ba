//! Reports: posts without lines, so that the collector's accounting ends exact when the traffic does. Those that only
//! say that the VM lives: `heartbeats.rs`.

use serde_json::json;
use tributary_filter::Counter;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Call, Vm};

/// A VM whose two exchanges are acknowledged, which the collector does not know yet.
fn quiet() -> Vm {
    let mut vm = Vm::default();
    vm.run_many(2);
    let sent = vm.flush().remove(0);
    vm.ack(&sent);
    vm
}

#[test]
fn a_vm_that_has_seen_nothing_stays_silent() {
    let mut vm = Vm::default();

    assert_eq!(vm.tick_until_post(60_000).1.len(), 0);
    assert_eq!(vm.plugin.unmirrored(), []);
}

#[test]
fn a_second_after_the_last_post_a_report_tells_the_rest() {
    let mut vm = quiet();

    let (waited, sent) = vm.tick_until_post(5_000);

    assert_eq!((waited, sent.len(), sent[0].body.len()), (1_000, 1, 0));
    assert_eq!(
        ["seen", "captured", "acked", "open", "queued", "in_flight"].map(|name| sent[0].counter(name)),
        [2, 2, 2, 0, 0, 0]
    );
}

#[test]
fn after_an_acknowledged_report_there_is_silence() {
    let mut vm = quiet();
    let report = vm.tick_until_post(5_000).1.remove(0);

    vm.ack(&report);

    assert_eq!(vm.tick_until_post(60_000).1.len(), 0);
}

#[test]
fn a_report_that_fails_is_followed_by_a_newer_one() {
    let mut vm = quiet();
    let report = vm.tick_until_post(5_000).1.remove(0);
    vm.answer(&report, 503, &[], "");

    let (_, next) = vm.tick_until_post(5_000);

    assert_eq!((next[0].body.len(), next[0].number), (0, report.number + 1));
    assert_eq!(vm.pending().total(), 0);
}

#[test]
fn a_report_that_is_refused_for_good_backs_off_and_drops_nothing() {
    let mut vm = quiet();
    let mut posts = 0;

    for _ in 0..600 {
        vm.wait(100);
        for sent in vm.tick() {
            posts += 1;
            vm.answer(&sent, 400, &[], "");
        }
    }

    assert!((5..30).contains(&posts), "{posts} reports in a minute");
    assert_eq!(Counter::DROPPED.map(|counter| vm.count(counter)), [0; 7]);
}

#[test]
fn exchanges_that_are_only_excluded_are_reported_too() {
    let mut vm = Vm::default();
    vm.run(Call::new("PROPFIND", "/"));

    let report = vm.tick_until_post(5_000).1.remove(0);

    assert_eq!((report.counter("seen"), report.counter("excluded_method")), (1, 1));
}

#[test]
fn under_load_posts_with_lines_are_report_enough() {
    let mut vm = Vm::default();
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
fn losses_are_reported() {
    let mut vm = Vm::with(json!({"give_up_after_ms": 1_000}));
    vm.run_many(2);
    let sent = vm.flush().remove(0);
    vm.answer(&sent, 503, &[("retry-after", "1")], "");
    vm.wait(1_100);

    let report = vm.tick().remove(0);

    assert_eq!((report.body.len(), report.counter("dropped_expired")), (0, 2));
}
