//! What is not delivered in time is given up and counted, wherever it is; and nothing newer pays for it.

use serde_json::json;
use tributary_filter::{Counter, Refusal};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{ROOT, Sent, Vm};

/// A VM that gives up after so long, with one batch of two lines just posted.
fn posted(give_up_after_ms: u64) -> (Vm, Sent) {
    let mut vm = Vm::with(json!({"give_up_after_ms": give_up_after_ms}));
    vm.run_many(2);
    let sent = vm.flush().remove(0);
    (vm, sent)
}

fn assert_given_up(vm: &Vm, count: u64) {
    assert_eq!((vm.count(Counter::DroppedExpired), vm.pending().total(), vm.plugin.held_bytes()), (count, 0, 0));
}

#[test]
fn a_batch_in_flight_may_still_be_acknowledged() {
    let (mut vm, sent) = posted(1_000);

    vm.wait(5_000);
    vm.tick();
    assert_eq!((vm.count(Counter::DroppedExpired), vm.pending().in_flight), (0, 2));
    vm.ack(&sent);

    assert_eq!((vm.count(Counter::Acked), vm.count(Counter::DroppedExpired)), (2, 0));
}

#[test]
fn a_batch_that_comes_back_too_old_is_given_up_at_once() {
    let (mut vm, sent) = posted(1_000);
    vm.wait(5_000);

    vm.answer(&sent, 503, &[], "");

    assert_given_up(&vm, 2);
}

#[test]
fn a_batch_whose_answer_never_came_is_given_up() {
    let (mut vm, _) = posted(1_000);

    vm.wait(15_000);
    vm.tick();

    assert_given_up(&vm, 2);
}

#[test]
fn a_batch_that_envoy_never_takes_is_given_up() {
    let mut vm = Vm::with(json!({"give_up_after_ms": 3_000}));
    vm.run_many(2);

    for _ in 0..40 {
        vm.wait(100);
        let now = vm.now();
        vm.plugin.ticked(ROOT, now);
        if let Some(post) = vm.plugin.next_post(ROOT, now) {
            vm.plugin.posted(post.number, Err(Refusal { status: 2 }), now);
        }
        vm.assert_exact();
    }

    assert_given_up(&vm, 2);
}

#[test]
fn a_batch_that_waits_behind_others_is_given_up_in_its_turn() {
    let mut vm = Vm::with(json!({"give_up_after_ms": 2_000, "max_batch_exchanges": 1}));
    vm.run_many(5);
    let sent = vm.tick();
    sent.iter().for_each(|sent| vm.answer(sent, 503, &[("retry-after", "60")], ""));

    vm.wait(2_001);
    vm.tick();

    assert_given_up(&vm, 5);
}

#[test]
fn a_newer_batch_is_not_held_up_by_one_that_is_given_up() {
    let (mut vm, old) = posted(5_000);
    vm.answer(&old, 503, &[("retry-after", "60")], "");
    vm.wait(3_000);
    vm.run_many(3);

    let (waited, sent) = vm.tick_until_post(60_000);

    // The collector asked for a minute; what is left after five seconds is not as old as that.
    assert_eq!((waited, sent[0].exchanges().len(), vm.count(Counter::DroppedExpired)), (2_000, 3, 2));
    vm.ack(&sent[0]);
    assert_eq!((vm.count(Counter::Acked), vm.pending().total()), (3, 0));
}

#[test]
fn what_stays_undelivered_too_long_is_given_up_and_counted() {
    let mut vm = Vm::with(json!({"give_up_after_ms": 1_000}));
    vm.run_many(2);
    let sent = vm.flush().remove(0);
    vm.answer(&sent, 503, &[("retry-after", "60")], "");

    vm.wait(800);
    vm.tick();
    assert_eq!(vm.count(Counter::DroppedExpired), 0);
    vm.wait(1);
    vm.tick();

    assert_eq!((vm.count(Counter::DroppedExpired), vm.pending().total(), vm.plugin.held_bytes()), (2, 0, 0));
}

#[test]
fn unsent_lines_do_not_all_expire_with_the_oldest() {
    let mut vm = Vm::with(json!({"give_up_after_ms": 5_000}));
    vm.run_many(1);
    let sent = vm.flush().remove(0);
    vm.answer(&sent, 503, &[("retry-after", "5")], "");

    for _ in 0..45 {
        vm.run_many(1);
        vm.wait(100);
        vm.tick();
    }
    vm.wait(600);
    vm.tick();

    let expired = vm.count(Counter::DroppedExpired);
    assert!((1..=12).contains(&expired), "{expired}");
}
