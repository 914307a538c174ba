//! The law of the memory ladder: what a line lacks is what its step takes, and it says so.
//!
//! proptest lets exchanges of all sizes overlap and their posts wait. Beside the filter runs a model that knows only the
//! bytes held and which events each exchange met; every line that comes out has to be as the model says.

#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic, and says so by failing"
)]

mod support;

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use support::{Sent, Vm, facts, wire};
use tributary_filter::{Counter, Side, Stream};

const SLOTS: usize = 5;
const MAX: usize = 65_536;
const MAX_BODY: usize = 6_000;

/// More than any one event makes a line or an exchange grow.
const MUCH: usize = 3 * 3_000 + 2 * MAX_BODY + 2_000;

#[derive(Clone, Debug)]
enum Event {
    /// Begins an exchange in a slot, with a header of this length; one that is there ends first.
    Request(usize, usize),
    Response(usize, usize),
    Body(usize, Side, usize),
    End(usize),
    Deliver,
    Acknowledge,
}

fn event() -> impl Strategy<Value = Event> {
    let side = prop_oneof![Just(Side::Request), Just(Side::Response)];
    prop_oneof![
        6 => (0..SLOTS, 0usize..3_000).prop_map(|(slot, len)| Event::Request(slot, len)),
        5 => (0..SLOTS, 0usize..3_000).prop_map(|(slot, len)| Event::Response(slot, len)),
        9 => (0..SLOTS, side, 1usize..5_000).prop_map(|(slot, side, len)| Event::Body(slot, side, len)),
        4 => (0..SLOTS).prop_map(Event::End),
        1 => Just(Event::Deliver),
        1 => Just(Event::Acknowledge),
    ]
}

/// 0, 1, 2: whole, heads, meta.
type Step = usize;
const NAMES: [Option<&str>; 3] = [None, Some("heads"), Some("meta")];

/// What the model knows of one exchange.
#[derive(Clone, Debug, Default)]
struct Expected {
    at_request: Step,
    highest: Step,
    /// Something may not have fit: the filter may have gone further down than the model.
    was_tight: bool,
    header_len: usize,
    response_len: Option<usize>,
    sent: [usize; 2],
}

struct Game {
    vm: Vm,
    slots: Vec<Option<(u64, Stream)>>,
    expected: BTreeMap<u64, Expected>,
    posts: Vec<Sent>,
    next: u64,
    degraded: [u64; 3],
}

impl Game {
    fn new() -> Game {
        let settings = json!({
            "max_memory_bytes": MAX, "max_batch_bytes": 16_384,
            "max_request_body_bytes": MAX_BODY, "max_response_body_bytes": MAX_BODY
        });
        let slots = (0..SLOTS).map(|_| None).collect();
        Game { vm: Vm::with(settings), slots, expected: BTreeMap::new(), posts: Vec::new(), next: 0, degraded: [0; 3] }
    }

    /// The law itself: the step by the bytes held.
    fn step(&self) -> Step {
        let held = self.vm.plugin.held_bytes();
        usize::from(held > MAX / 2) + usize::from(held > MAX / 4 * 3)
    }

    fn is_tight(&self) -> bool {
        self.vm.plugin.held_bytes() + MUCH > MAX
    }

    fn play(&mut self, event: &Event) {
        match event {
            Event::Request(slot, len) => self.request(*slot, *len),
            Event::Response(slot, len) => self.response(*slot, *len),
            Event::Body(slot, side, len) => self.body(*slot, *side, *len),
            Event::End(slot) => self.end(*slot),
            Event::Deliver => self.posts.extend(self.vm.flush()),
            Event::Acknowledge => self.acknowledge(),
        }
        self.vm.assert_exact();
        assert!(self.vm.plugin.held_bytes() <= MAX);
    }

    fn request(&mut self, slot: usize, len: usize) {
        self.end(slot);
        let (step, was_tight, now) = (self.step(), self.is_tight(), self.vm.now());
        let (number, mut stream) = (self.next, self.vm.stream());
        self.next += 1;
        let path = format!("/{number}");
        let head = [
            (":authority", &b"h"[..]),
            (":path", path.as_bytes()),
            (":method", b"POST"),
            (":scheme", b"http"),
            ("x", &vec![b'h'; len]),
        ];
        stream.request_head(&mut self.vm.plugin, Ok(wire(&head)), now);
        if stream.is_open() {
            let expected =
                Expected { at_request: step, highest: step, was_tight, header_len: len, ..Expected::default() };
            self.expected.insert(number, expected);
            self.slots[slot] = Some((number, stream));
        } else {
            assert!(was_tight, "dropped with {} of {MAX} held", self.vm.plugin.held_bytes());
        }
    }

    fn response(&mut self, slot: usize, len: usize) {
        let (step, is_tight) = (self.step(), self.is_tight());
        let Some((number, stream)) = &mut self.slots[slot] else { return };
        let expected = self.expected.get_mut(number).unwrap();
        if expected.response_len.is_some() {
            return;
        }
        stream.response_head(&mut self.vm.plugin, Ok(wire(&[(":status", b"200"), ("x", &vec![b'h'; len])])));
        expected.highest = expected.highest.max(step);
        expected.was_tight |= is_tight;
        expected.response_len = Some(len);
    }

    fn body(&mut self, slot: usize, side: Side, len: usize) {
        let (step, is_tight) = (self.step(), self.is_tight());
        let Some((number, stream)) = &mut self.slots[slot] else { return };
        let expected = self.expected.get_mut(number).unwrap();
        if side == Side::Response && expected.response_len.is_none() {
            return;
        }
        let given = stream.wanted(&self.vm.plugin, side, len).map(|wanted| Ok(vec![b'b'; wanted]));
        assert!(step == 0 || given.is_none(), "bodies are asked for on step {step}");
        stream.body(&mut self.vm.plugin, side, len, given);
        let sent = &mut expected.sent[side as usize];
        if *sent < MAX_BODY {
            expected.highest = expected.highest.max(step.min(1));
            expected.was_tight |= is_tight;
        }
        *sent += len;
    }

    fn end(&mut self, slot: usize) {
        let Some((number, mut stream)) = self.slots[slot].take() else { return };
        let (clock, is_tight) = (self.vm.clock(), self.is_tight());
        let dropped = self.vm.count(Counter::DroppedBudget);
        stream.finish(&mut self.vm.plugin, facts(), clock);
        let expected = self.expected.get_mut(&number).unwrap();
        expected.was_tight |= is_tight;
        if self.vm.count(Counter::DroppedBudget) > dropped {
            assert!(expected.was_tight, "dropped at its end: {expected:?}");
            self.expected.remove(&number);
        }
    }

    fn acknowledge(&mut self) {
        for sent in std::mem::take(&mut self.posts) {
            for line in sent.exchanges() {
                self.check(&line);
            }
            self.vm.ack(&sent);
        }
    }

    fn check(&mut self, line: &Value) {
        let number: u64 = line["request"]["path"].as_str().unwrap()[1..].parse().unwrap();
        let expected = self.expected.remove(&number).expect("a line that came twice, or was dropped");
        let said = line["meta"]["degraded"].as_str();
        let step = NAMES.iter().position(|name| *name == said).unwrap();
        assert!(step >= expected.highest, "step {step}: {expected:?}");
        assert!(step == expected.highest || expected.was_tight, "step {step}: {expected:?}");
        self.degraded[step] += 1;
        let header = |side: &str| line[side]["headers"]["x"].as_str().map(str::len);
        if step < 2 {
            assert_eq!(header("request"), Some(expected.header_len));
            assert_eq!(header("response"), expected.response_len);
        }
        if expected.at_request == 2 {
            assert_eq!((&line["request"]["headers"], header("response")), (&json!({}), None));
        }
        for (side, facts, sent) in
            [("request", "requestBody", expected.sent[0]), ("response", "responseBody", expected.sent[1])]
        {
            let kept = line[side]["body"].as_str().map_or(0, str::len);
            assert_eq!(line["meta"][facts]["bytes"].as_u64().unwrap_or(0), sent as u64);
            assert!(if step == 0 { kept == sent.min(MAX_BODY) } else { kept <= sent.min(MAX_BODY) });
            assert!(expected.at_request == 0 || kept == 0, "a body on a step that keeps none");
        }
    }

    /// Ends everything and has it delivered: memory is free again.
    fn settle(&mut self) {
        (0..SLOTS).for_each(|slot| self.end(slot));
        for _ in 0..200 {
            self.posts.extend(self.vm.flush());
            if self.posts.is_empty() {
                break;
            }
            self.acknowledge();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_line_lacks_is_what_its_step_takes(events in vec(event(), 1..200)) {
        let mut game = Game::new();

        events.iter().for_each(|event| game.play(event));
        game.settle();
        game.play(&Event::Request(0, 10));
        game.settle();

        prop_assert!(game.expected.is_empty(), "neither delivered nor dropped: {:?}", game.expected);
        prop_assert_eq!(game.degraded[1], game.vm.count(Counter::DegradedHeads));
        prop_assert_eq!(game.degraded[2], game.vm.count(Counter::DegradedMeta));
        // The last one came when all was free.
        prop_assert!(game.degraded[0] > 0 && game.vm.plugin.held_bytes() == 0);
    }
}
