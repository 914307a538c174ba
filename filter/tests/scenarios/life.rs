//! Roots come and go: updates of the configuration, two listeners in one VM, the end.

use serde_json::json;
use tributary_filter::{Counter, Refusal, RootId, Stream};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Call, ROOT, Vm, config, facts};

const NEW_ROOT: RootId = 2;

/// A VM with an old root and a new one, as an update of the configuration leaves it.
fn updated() -> Vm {
    let mut vm = Vm::default();
    vm.plugin.configured(NEW_ROOT, config(&json!({"collector": {"cluster": "new"}})));
    vm
}

fn cluster(vm: &Vm) -> &str {
    &vm.plugin.delivery_config().unwrap().collector.cluster
}

#[test]
fn an_update_takes_over_what_is_queued() {
    let mut vm = Vm::default();
    vm.run_many(2);
    vm.plugin.configured(NEW_ROOT, config(&json!({"collector": {"cluster": "new"}})));

    let now = vm.now();
    vm.plugin.done(ROOT, now);
    assert!(vm.posts_of(ROOT).is_empty() && vm.plugin.may_go(ROOT));
    vm.plugin.deleted(ROOT, now);
    vm.wait(200);

    let sent = vm.posts_of(NEW_ROOT);
    assert_eq!((sent[0].paths(), cluster(&vm)), (vec!["/0".to_owned(), "/1".to_owned()], "new"));
}

#[test]
fn an_old_root_stays_for_its_answers_and_goes_once() {
    let mut vm = updated();
    vm.run_many(1);
    let sent = vm.flush();
    let now = vm.now();
    vm.plugin.done(ROOT, now);
    assert!(!vm.plugin.may_go(ROOT));

    vm.ack(&sent[0]);

    assert!(vm.plugin.release(ROOT));
    assert!(!vm.plugin.release(ROOT));
    assert_eq!(vm.count(Counter::Acked), 1);
}

#[test]
fn a_serving_root_is_never_released() {
    let mut vm = Vm::default();

    assert!(!vm.plugin.release(ROOT));
}

#[test]
fn a_root_that_was_never_configured_may_go_at_once() {
    let mut vm = Vm::default();
    let now = vm.now();

    vm.plugin.done(77, now);

    assert!(vm.plugin.may_go(77));
}

#[test]
fn an_old_root_that_closes_leaves_the_posts_to_the_new_one() {
    let mut vm = updated();
    vm.run_many(1);
    let now = vm.now();
    vm.plugin.done(ROOT, now);
    vm.wait(200);

    assert_eq!((vm.posts_of(ROOT).len(), vm.posts_of(NEW_ROOT).len()), (0, 1));
}

#[test]
fn posts_of_a_root_that_vanished_travel_again() {
    let mut vm = updated();
    vm.run_many(1);
    let sent = vm.flush();
    let now = vm.now();

    vm.plugin.deleted(ROOT, now);
    assert_eq!((vm.pending().queued, vm.pending().in_flight), (1, 0));
    vm.wait(10_000);

    assert_eq!(vm.posts_of(NEW_ROOT)[0].body, sent[0].body);
}

#[test]
fn an_update_tries_the_new_address_at_once() {
    let mut vm = Vm::default();
    vm.run_many(1);
    let sent = vm.flush().remove(0);
    vm.answer(&sent, 503, &[("retry-after", "60")], "");
    assert_eq!(vm.tick().len(), 0);

    vm.plugin.configured(NEW_ROOT, config(&json!({"collector": {"cluster": "new"}})));

    assert_eq!(vm.posts_of(NEW_ROOT).len(), 1);
}

#[test]
fn each_stream_is_captured_by_the_settings_of_its_own_root() {
    let mut vm = Vm::with(json!({"max_request_body_bytes": 4}));
    let (narrow, wide) = (vm.config.clone(), config(&json!({"max_request_body_bytes": 8})));
    vm.plugin.configured(NEW_ROOT, wide.clone());

    for config in [narrow, wide] {
        let mut stream = Stream::new(Some(&config));
        Call::post(&[b"0123456789"]).pass(&mut vm, &mut stream);
    }

    let bodies: Vec<_> = vm.flush()[0].exchanges().iter().map(|exchange| exchange["request"]["body"].clone()).collect();
    assert_eq!(bodies, ["0123", "01234567"]);
}

#[test]
fn the_root_configured_last_sets_the_delivery_until_it_goes() {
    let mut vm = updated();
    assert_eq!(cluster(&vm), "new");
    let now = vm.now();

    vm.plugin.done(NEW_ROOT, now);

    assert_eq!(cluster(&vm), "collector");
}

#[test]
fn the_last_root_posts_everything_before_it_goes() {
    let mut vm = Vm::with(json!({"max_batch_exchanges": 2}));
    vm.run_many(9);
    let now = vm.now();

    vm.plugin.done(ROOT, now);
    let sent = vm.posts();

    assert_eq!(sent.iter().map(|sent| sent.exchanges().len()).sum::<usize>(), 9);
    assert!(!vm.plugin.may_go(ROOT));
    sent.iter().for_each(|sent| vm.ack(sent));
    let report = vm.posts();
    assert_eq!((report.len(), report[0].counter("acked")), (1, 9));
    vm.ack(&report[0]);
    assert!(vm.posts().is_empty() && vm.plugin.release(ROOT));
}

#[test]
fn the_last_root_does_not_try_for_ever() {
    let mut vm = Vm::with(json!({"max_batch_exchanges": 1}));
    vm.run_many(50);
    let now = vm.now();
    vm.plugin.done(ROOT, now);
    let mut posts = 0;

    for _ in 0..100 {
        let sent = vm.posts();
        posts += sent.len();
        sent.iter().for_each(|sent| vm.answer(sent, 503, &[], ""));
    }

    assert_eq!(posts, 8);
    assert!(vm.plugin.release(ROOT));
}

#[test]
fn the_last_root_stops_at_the_first_post_that_envoy_does_not_take() {
    let mut vm = Vm::with(json!({"max_batch_exchanges": 1}));
    vm.run_many(5);
    let now = vm.now();
    vm.plugin.done(ROOT, now);

    let post = vm.plugin.next_post(ROOT, now).unwrap();
    vm.plugin.posted(post.number, Err(Refusal { status: 2 }), now);

    assert!(vm.posts().is_empty() && vm.plugin.may_go(ROOT));
}

#[test]
fn a_post_refused_long_before_does_not_silence_the_end() {
    let mut vm = Vm::default();
    vm.run_many(1);
    vm.wait(200);
    let now = vm.now();
    let post = vm.plugin.next_post(ROOT, now).unwrap();
    vm.plugin.posted(post.number, Err(Refusal { status: 10 }), now);

    vm.plugin.done(ROOT, now);

    assert_eq!(vm.posts().len(), 1);
}

#[test]
fn a_vm_that_has_seen_nothing_ends_in_silence() {
    let mut vm = Vm::default();
    let now = vm.now();

    vm.plugin.done(ROOT, now);

    assert!(vm.posts().is_empty() && vm.plugin.may_go(ROOT));
}

#[test]
fn what_a_vm_still_holds_at_its_end_is_counted() {
    let mut vm = Vm::with(json!({"max_batch_exchanges": 2}));
    vm.run_many(5);
    let sent = vm.tick();
    assert_eq!(sent.len(), 2);
    let now = vm.now();

    vm.plugin.deleted(ROOT, now);

    assert_eq!((vm.count(Counter::DroppedShutdown), vm.pending().total(), vm.plugin.held_bytes()), (5, 0, 0));
    vm.assert_exact();
}

#[test]
fn a_stream_that_outlives_every_root_is_counted() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();
    Call::get("/").pass_open(&mut vm, &mut stream);
    let (now, clock) = (vm.now(), vm.clock());
    vm.plugin.deleted(ROOT, now);

    stream.finish(&mut vm.plugin, facts(), clock);

    assert_eq!((vm.count(Counter::DroppedShutdown), vm.pending().total()), (1, 0));
    vm.assert_exact();
}

#[test]
fn a_vm_whose_roots_were_all_gone_serves_again() {
    let mut vm = Vm::default();
    let now = vm.now();
    vm.plugin.deleted(ROOT, now);

    vm.plugin.configured(NEW_ROOT, vm.config.clone());
    vm.run_many(1);
    vm.wait(200);

    assert_eq!(vm.posts_of(NEW_ROOT).len(), 1);
}

#[test]
fn a_refused_tick_is_set_again() {
    let mut vm = Vm::default();
    let now = vm.now();
    let period = vm.plugin.tick_for(ROOT, now);

    vm.plugin.tick_refused(ROOT);

    assert!(period.is_some());
    assert_eq!(vm.plugin.tick_for(ROOT, now), period);
}
