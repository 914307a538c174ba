//! The collector in trouble: every answer of the table, no answer, and what it does to the batch.

use serde_json::json;
use tributary_filter::{Counter, Level, Refusal};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{ROOT, Sent, Vm};

/// A VM with one batch of two lines just posted.
fn posted() -> (Vm, Sent) {
    let mut vm = Vm::default();
    vm.run_many(2);
    let sent = vm.flush().remove(0);
    (vm, sent)
}

/// Gives an answer, waits for the retry and checks that it is the same post; says how long it took.
fn retried_after(answer: impl FnOnce(&mut Vm, &Sent)) -> u64 {
    let (mut vm, sent) = posted();

    answer(&mut vm, &sent);
    assert_eq!((vm.pending().queued, vm.count(Counter::PostFailures)), (2, 1));
    let (waited, again) = vm.tick_until_post(60_000);

    assert_eq!((again[0].number, &again[0].body), (sent.number, &sent.body));
    vm.ack(&again[0]);
    assert_eq!((vm.count(Counter::Acked), vm.pending().total(), vm.plugin.held_bytes()), (2, 0, 0));
    waited
}

fn dropped_as(status: u16) -> (Vm, Vec<(Counter, u64)>) {
    let (mut vm, sent) = posted();
    vm.answer(&sent, status, &[], "");
    let dropped = Counter::DROPPED.map(|counter| (counter, vm.count(counter)));
    (vm, dropped.into_iter().filter(|(_, count)| *count > 0).collect())
}

#[test]
fn after_a_503_the_same_bytes_travel_again() {
    assert!(retried_after(|vm, sent| vm.answer(sent, 503, &[], "")) <= 200);
}

#[test]
fn after_no_answer_the_same_bytes_travel_again() {
    assert!(retried_after(Vm::no_answer) <= 200);
}

#[test]
fn a_200_without_the_ack_promises_nothing() {
    retried_after(|vm, sent| vm.answer(sent, 200, &[], r#"{"accepted":2,"rejected":[]}"#));
}

#[test]
fn an_ack_of_another_batch_promises_nothing() {
    retried_after(|vm, sent| {
        let ack = format!("{}-{}", vm.plugin.source().as_str(), sent.number + 1);
        vm.answer(sent, 200, &[("x-tributary-ack", &ack)], "");
    });
}

#[test]
fn retry_after_is_honoured() {
    let waited = retried_after(|vm, sent| vm.answer(sent, 429, &[("retry-after", "3")], ""));

    assert_eq!(waited, 3_000);
}

#[test]
fn credential_trouble_keeps_the_batch_and_waits_long() {
    assert_eq!(retried_after(|vm, sent| vm.answer(sent, 401, &[], "")), 30_000);
    assert_eq!(retried_after(|vm, sent| vm.answer(sent, 403, &[], "")), 30_000);
}

#[test]
fn a_batch_that_can_never_work_is_dropped_under_its_reason() {
    assert_eq!(dropped_as(400).1, [(Counter::DroppedBadRequest, 2)]);
    assert_eq!(dropped_as(413).1, [(Counter::DroppedTooLarge, 2)]);
    assert_eq!(dropped_as(415).1, [(Counter::DroppedUnsupported, 2)]);
}

#[test]
fn after_a_hopeless_batch_the_next_leaves_without_a_wait() {
    let (mut vm, _) = dropped_as(400);
    vm.run_many(1);

    assert_eq!(vm.flush().len(), 1);
}

#[test]
fn a_post_that_envoy_does_not_take_is_tried_again() {
    let mut vm = Vm::default();
    vm.run_many(1);
    vm.wait(200);
    let now = vm.now();
    let post = vm.plugin.next_post(ROOT, now).unwrap();

    vm.plugin.posted(post.number, Err(Refusal { status: 10 }), now);
    assert_eq!((vm.pending().queued, vm.plugin.posts_in_flight()), (1, 0));
    let (_, again) = vm.tick_until_post(1_000);

    assert_eq!(again[0].body, *post.body);
    assert_eq!((vm.count(Counter::Posts), vm.count(Counter::PostFailures)), (2, 1));
}

#[test]
fn waits_grow_while_the_collector_stays_away() {
    let (mut vm, mut sent) = posted();
    let mut waits = Vec::new();

    for _ in 0..12 {
        vm.answer(&sent, 503, &[], "");
        let (waited, again) = vm.tick_until_post(60_000);
        waits.push(waited);
        sent = again[0].clone();
    }

    assert!(waits[0] <= 200, "{waits:?}");
    assert!(waits.iter().all(|wait| (100..=10_100).contains(wait)), "{waits:?}");
    assert!(waits[7..].iter().sum::<u64>() > 5_000, "{waits:?}");
}

#[test]
fn while_the_collector_is_away_one_post_probes_at_a_time() {
    let mut vm = Vm::with(json!({"max_batch_exchanges": 1}));
    vm.run_many(4);
    let sent = vm.tick();
    sent.iter().for_each(|sent| vm.answer(sent, 503, &[], ""));

    let (_, probes) = vm.tick_until_post(1_000);
    assert_eq!(probes.iter().map(|probe| probe.number).collect::<Vec<_>>(), [0]);
    vm.ack(&probes[0]);

    assert_eq!(vm.tick().iter().map(|sent| sent.number).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn the_retry_tells_the_counters_of_its_own_moment() {
    let (mut vm, sent) = posted();
    vm.answer(&sent, 503, &[], "");
    vm.run_many(3);

    let (_, again) = vm.tick_until_post(1_000);

    assert_eq!((sent.counter("seen"), again[0].counter("seen")), (2, 5));
    assert_eq!(
        (again[0].counter("post_failures"), again[0].counter("in_flight"), again[0].counter("queued")),
        (1, 2, 3)
    );
}

#[test]
fn a_collector_that_comes_back_gets_everything_in_order() {
    let mut vm = Vm::with(json!({"max_batch_exchanges": 10}));
    let mut seqs = Vec::new();
    for round in 0..200u32 {
        vm.run_many(3);
        vm.wait(100);
        for sent in vm.tick() {
            if round < 100 {
                vm.no_answer(&sent);
            } else {
                seqs.extend(sent.exchanges().iter().map(|exchange| exchange["meta"]["seq"].as_u64().unwrap()));
                vm.ack(&sent);
            }
        }
    }

    for _ in 0..100 {
        vm.wait(100);
        for sent in vm.tick() {
            seqs.extend(sent.exchanges().iter().map(|exchange| exchange["meta"]["seq"].as_u64().unwrap()));
            vm.ack(&sent);
        }
    }

    assert_eq!(seqs, (0..600).collect::<Vec<u64>>());
}

#[test]
fn an_answer_that_never_comes_is_not_waited_for_for_ever() {
    let (mut vm, sent) = posted();

    vm.wait(14_999);
    let beat = vm.tick().remove(0);
    assert_eq!((beat.body.len(), vm.pending().in_flight), (0, 2));
    vm.wait(1);
    vm.ack(&beat);
    let (_, again) = vm.tick_until_post(1_000);

    assert_eq!(again[0].body, sent.body);
}

#[test]
fn an_answer_that_comes_too_late_changes_nothing() {
    let (mut vm, sent) = posted();
    vm.wait(15_000);
    vm.tick();

    vm.ack(&sent);

    assert_eq!((vm.count(Counter::Acked), vm.pending().queued), (0, 2));
}

#[test]
fn an_answer_to_nothing_changes_nothing() {
    let (mut vm, sent) = posted();

    vm.ack(&Sent { token: 999, ..sent.clone() });
    assert_eq!(vm.pending().in_flight, 2);
    vm.ack(&sent);
    vm.ack(&sent);

    assert_eq!(vm.count(Counter::Acked), 2);
}

#[test]
fn a_refused_answer_is_no_answer() {
    let (mut vm, sent) = posted();
    let now = vm.now();
    let refused = tributary_filter::Answer { head: Err(Refusal { status: 1 }), body: Err(Refusal { status: 1 }) };

    vm.plugin.replied(sent.token, refused, now);

    assert_eq!((vm.pending().queued, vm.count(Counter::PostFailures)), (2, 1));
}

#[test]
fn trouble_and_its_end_are_logged_without_a_line_per_post() {
    let (mut vm, mut sent) = posted();
    vm.plugin.take_log();
    for _ in 0..5 {
        vm.answer(&sent, 503, &[], "");
        sent = vm.tick_until_post(60_000).1.remove(0);
    }
    vm.ack(&sent);

    let log: Vec<(Level, String)> = vm.plugin.take_log().into_iter().map(|line| (line.level, line.text)).collect();

    assert_eq!(
        log,
        [
            (
                Level::Warn,
                "Posts fail; exchanges are kept and tried again. failure=http_503 failures=1 cluster=collector"
                    .to_owned()
            ),
            (Level::Info, "Posts are acknowledged again. cluster=collector".to_owned()),
        ]
    );
}

#[test]
fn a_loss_is_logged_as_an_error() {
    let (mut vm, sent) = posted();
    vm.plugin.take_log();

    vm.answer(&sent, 413, &[], "");

    let log = vm.plugin.take_log();
    assert_eq!(log[0].level, Level::Error);
    assert_eq!(log[0].text, "Exchanges were lost. reason=dropped_too_large count=2 total=2");
}
