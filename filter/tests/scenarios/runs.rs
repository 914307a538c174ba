//! Exchanges that have ended are written a few at a time, and never later than they have to be.

use serde_json::json;
use tributary_filter::{Counter, Pending};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Call, ROOT, Vm};

/// A call whose line counts `bytes` as kept when it is written.
fn post(bytes: usize) -> Call {
    Call::post(&[&vec![b'x'; bytes]])
}

fn written_bytes(vm: &Vm) -> u64 {
    vm.count(Counter::RequestBodyBytesKept)
}

#[test]
fn the_sixteenth_exchange_has_all_of_them_written() {
    let mut vm = Vm::default();

    let written: Vec<u64> = (0..17)
        .map(|_| {
            vm.run(post(1));
            written_bytes(&vm)
        })
        .collect();

    assert_eq!(written, [[0; 15].as_slice(), &[16, 16]].concat());
    assert_eq!(vm.pending(), Pending { queued: 17, ..Pending::default() });
}

#[test]
fn large_exchanges_make_short_runs() {
    for (sizes, written) in [([40_000, 1], [40_000, 40_000]), ([20_000, 20_000], [0, 40_000])] {
        let mut vm = Vm::default();

        let seen = sizes.map(|size| {
            vm.run(post(size));
            written_bytes(&vm)
        });

        assert_eq!(seen, written, "{sizes:?}");
    }
}

#[test]
fn a_batch_is_complete_with_its_last_exchange() {
    let mut vm = Vm::with(json!({"max_batch_exchanges": 20}));

    vm.run_many(19);
    assert!(vm.posts().is_empty());
    vm.run_many(1);

    let sent = vm.posts();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].exchanges().len(), 20);
}

#[test]
fn what_waits_to_be_written_is_posted_when_its_flush_time_is_over() {
    let mut vm = Vm::default();
    vm.run_many(1);
    let now = vm.now();
    assert_eq!(vm.plugin.tick_for(ROOT, now).map(|period| period.as_millis()), Some(200));

    vm.wait(199);
    vm.run_many(1);
    assert!(vm.tick().is_empty());
    vm.wait(1);

    let sent = vm.tick();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].paths(), ["/0", "/0"]);
}

#[test]
fn exchanges_are_posted_in_the_order_in_which_they_ended() {
    let mut vm = Vm::default();
    vm.run_many(40);

    let sent = vm.flush();

    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].paths(), (0..40).map(|number| format!("/{number}")).collect::<Vec<_>>());
}

#[test]
fn while_memory_is_short_nothing_waits() {
    let mut vm = Vm::with(json!({"max_memory_bytes": 65_536, "max_batch_bytes": 8_192}));
    let mut stream = vm.stream();
    post(33_000).pass_open(&mut vm, &mut stream);

    vm.run(Call::get("/"));

    // No body is kept any more, and the line says so at once.
    assert_eq!(vm.count(Counter::DegradedHeads), 1);
}
