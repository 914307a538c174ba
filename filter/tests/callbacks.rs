//! Any order of callbacks, any omission, any lie, any refusal: the promises hold.
//!
//! proptest plays a host that keeps no rule: callbacks in any order and number, chunks given short, long or refused,
//! maps that are no maps, ends that come twice or never, answers of any status to any post, roots that come and go.
//! After every step the budget and both identities hold; in the end each captured exchange is in exactly one line
//! that was acknowledged, or in one counted drop.

#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic, and says so by failing"
)]

mod support;

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};
use serde_json::json;
use support::{ROOT, Sent, Vm, config, facts, wire};
use tributary_filter::{Answer, Counter, Facts, Pending, Refusal, RootId, Side, Stream};

const STREAMS: usize = 4;
const MAX_MEMORY: usize = 65_536;

/// What the host may do next. A stream or post is named by a number that is taken modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
    RequestHead(usize, Map),
    ResponseHead(usize, Map),
    Body(usize, Side, usize, Chunk),
    Trailers(usize, Side, Map),
    Log(usize, Map, Map),
    Finish(usize, bool),
    Replace(usize),
    Wait(u64),
    Jump(i64),
    Tick(RootId),
    PeriodRefused(RootId),
    Post(RootId, Option<u32>),
    Answer(usize, u16, AckHeader, Map, String),
    LateAnswer(u32),
    Configure(RootId),
    Done(RootId),
    Deleted(RootId),
}

#[derive(Clone, Debug)]
enum Map {
    Request(&'static str, usize),
    Response(&'static str, usize),
    Junk(Vec<u8>),
    Refused(u32),
}

#[derive(Clone, Debug)]
enum Chunk {
    Whole,
    Given(usize),
    NotAsked,
    Refused(u32),
}

#[derive(Clone, Copy, Debug)]
enum AckHeader {
    Right,
    Wrong,
    None,
}

impl Map {
    fn value(&self) -> Result<Vec<u8>, Refusal> {
        let padding = |len: &usize| vec![b'p'; *len];
        match self {
            Map::Request(method, len) => {
                Ok(wire(&[(":authority", b"h"), (":path", b"/"), (":method", method.as_bytes()), ("x", &padding(len))]))
            }
            Map::Response(status, len) => Ok(wire(&[(":status", status.as_bytes()), ("x", &padding(len))])),
            Map::Junk(bytes) => Ok(bytes.clone()),
            Map::Refused(status) => Err(Refusal { status: *status }),
        }
    }
}

fn map() -> impl Strategy<Value = Map> {
    prop_oneof![
        4 => (prop_oneof![Just("GET"), Just("POST"), Just("PROPFIND"), Just("")], 0usize..3_000).prop_map(|(method, len)| Map::Request(method, len)),
        4 => (prop_oneof![Just("200"), Just("503"), Just("100"), Just("x")], 0usize..3_000).prop_map(|(status, len)| Map::Response(status, len)),
        1 => vec(any::<u8>(), 0..40).prop_map(Map::Junk),
        1 => (1u32..13).prop_map(Map::Refused),
    ]
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Request), Just(Side::Response)]
}

fn chunk() -> impl Strategy<Value = Chunk> {
    prop_oneof![
        5 => Just(Chunk::Whole),
        1 => (0usize..20_000).prop_map(Chunk::Given),
        1 => Just(Chunk::NotAsked),
        1 => (1u32..13).prop_map(Chunk::Refused),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let stream = 0..STREAMS;
    let root = 1..4u32;
    let ack = prop_oneof![4 => Just(AckHeader::Right), 1 => Just(AckHeader::Wrong), 1 => Just(AckHeader::None)];
    let status = prop_oneof![4 => Just(200u16), 1 => Just(503), 1 => Just(400), 1 => Just(413), 1 => Just(401), 1 => 0u16..1_000];
    let answer = (any::<usize>(), status, ack, map(), r#"\{"accepted":[0-9],"rejected":\[\]\}|[a-z{]{0,9}"#);
    prop_oneof![
        10 => (stream.clone(), map()).prop_map(|(stream, map)| Step::RequestHead(stream, map)),
        8 => (stream.clone(), map()).prop_map(|(stream, map)| Step::ResponseHead(stream, map)),
        12 => (stream.clone(), side(), 0usize..20_000, chunk()).prop_map(|(stream, side, len, chunk)| Step::Body(stream, side, len, chunk)),
        4 => (stream.clone(), side(), map()).prop_map(|(stream, side, map)| Step::Trailers(stream, side, map)),
        5 => (stream.clone(), map(), map()).prop_map(|(stream, request, response)| Step::Log(stream, request, response)),
        6 => (stream.clone(), any::<bool>()).prop_map(|(stream, has_facts)| Step::Finish(stream, has_facts)),
        8 => stream.prop_map(Step::Replace),
        8 => prop_oneof![0u64..400, 0u64..60_000].prop_map(Step::Wait),
        1 => (-7_200_000i64..7_200_000).prop_map(Step::Jump),
        8 => root.clone().prop_map(Step::Tick),
        1 => root.clone().prop_map(Step::PeriodRefused),
        8 => (root.clone(), prop_oneof![4 => Just(None), 1 => (1u32..13).prop_map(Some)]).prop_map(|(root, refusal)| Step::Post(root, refusal)),
        8 => answer.prop_map(|(post, status, ack, map, body)| Step::Answer(post, status, ack, map, body)),
        1 => (0u32..200).prop_map(Step::LateAnswer),
        2 => root.clone().prop_map(Step::Configure),
        1 => root.clone().prop_map(Step::Done),
        1 => root.prop_map(Step::Deleted),
    ]
}

/// A VM under a host without rules.
struct Game {
    vm: Vm,
    streams: Vec<Stream>,
    posts: Vec<Sent>,
    /// Lines of acknowledged batches.
    delivered: u64,
    /// Every `seq` that ever left in a post.
    seqs_posted: BTreeSet<u64>,
    next_token: u32,
}

impl Game {
    fn new() -> Game {
        let vm = Vm::with(json!({
            "max_memory_bytes": MAX_MEMORY, "max_batch_bytes": 4_096, "max_batch_exchanges": 3,
            "max_request_body_bytes": 10_000, "give_up_after_ms": 30_000
        }));
        let streams = (0..STREAMS).map(|_| vm.stream()).collect();
        Game { vm, streams, posts: Vec::new(), delivered: 0, seqs_posted: BTreeSet::new(), next_token: 1 }
    }

    fn play(&mut self, step: &Step) {
        let (now, clock) = (self.vm.now(), self.vm.clock());
        let (streams, plugin) = (&mut self.streams, &mut self.vm.plugin);
        match step {
            Step::RequestHead(stream, map) => streams[*stream].request_head(plugin, map.value(), now),
            Step::ResponseHead(stream, map) => streams[*stream].response_head(plugin, map.value()),
            Step::Body(stream, side, len, chunk) => {
                let wanted = streams[*stream].wanted(plugin, *side, *len);
                let given = match chunk {
                    Chunk::Whole => wanted.map(|wanted| Ok(vec![b'b'; wanted])),
                    Chunk::Given(len) => Some(Ok(vec![b'g'; *len])),
                    Chunk::NotAsked => None,
                    Chunk::Refused(status) => Some(Err(Refusal { status: *status })),
                };
                streams[*stream].body(plugin, *side, *len, given);
            }
            Step::Trailers(stream, side, map) => streams[*stream].trailers(plugin, *side, map.value()),
            Step::Log(stream, request, response) => {
                streams[*stream].late_heads(plugin, Some(request.value()), response.value(), now);
                streams[*stream].finish(plugin, facts(), clock);
            }
            Step::Finish(stream, has_facts) => {
                let facts = if *has_facts { facts() } else { Facts::default() };
                streams[*stream].finish(plugin, facts, clock);
            }
            Step::Replace(stream) => {
                streams[*stream].finish(plugin, Facts::default(), clock);
                streams[*stream] = Stream::new(Some(&self.vm.config));
            }
            Step::Wait(millis) => self.vm.wait(*millis),
            Step::Jump(millis) => self.vm.jump(*millis),
            Step::Tick(root) => {
                plugin.ticked(*root, now);
                plugin.tick_for(*root, now);
                plugin.release(*root);
            }
            Step::PeriodRefused(root) => plugin.tick_refused(*root),
            Step::Post(root, refusal) => self.post(*root, *refusal),
            Step::Answer(post, status, ack, map, body) => self.answer(*post, *status, *ack, map, body),
            Step::LateAnswer(token) if !self.posts.iter().any(|post| post.token == *token) => {
                plugin.replied(*token, Answer { head: Ok(Vec::new()), body: Ok(Vec::new()) }, now);
            }
            Step::LateAnswer(_) => (),
            Step::Configure(root) => plugin.configured(*root, self.vm.config.clone()),
            Step::Done(root) => {
                plugin.done(*root, now);
                plugin.may_go(*root);
            }
            Step::Deleted(root) => plugin.deleted(*root, now),
        }
        self.check();
    }

    fn post(&mut self, root: RootId, refusal: Option<u32>) {
        let now = self.vm.now();
        let Some(post) = self.vm.plugin.next_post(root, now) else { return };
        let token = self.next_token;
        let taken = refusal.map_or(Ok(token), |status| Err(Refusal { status }));
        self.vm.plugin.posted(post.number, taken, now);
        if refusal.is_none() {
            self.next_token += 1;
            let sent = Sent { token, number: post.number, headers: post.headers, body: post.body.to_vec() };
            let seqs = sent.exchanges().into_iter().map(|exchange| exchange["meta"]["seq"].as_u64().unwrap());
            self.seqs_posted.extend(seqs);
            self.posts.push(sent);
        }
    }

    fn answer(&mut self, post: usize, status: u16, ack: AckHeader, map: &Map, body: &str) {
        if self.posts.is_empty() {
            return;
        }
        let sent = self.posts.remove(post % self.posts.len());
        let source = self.vm.plugin.source().as_str().to_owned();
        let status = status.to_string();
        let ack = match ack {
            AckHeader::Right => format!("{source}-{}", sent.number),
            AckHeader::Wrong => format!("{source}-{}", sent.number + 1),
            AckHeader::None => String::new(),
        };
        let head = match map {
            Map::Junk(_) | Map::Refused(_) => map.value(),
            _ => Ok(wire(&[(":status", status.as_bytes()), ("x-tributary-ack", ack.as_bytes())])),
        };
        let before = self.settled();
        let now = self.vm.now();
        self.vm.plugin.replied(sent.token, Answer { head, body: Ok(body.into()) }, now);
        self.delivered += self.settled() - before;
    }

    fn settled(&self) -> u64 {
        self.vm.count(Counter::Acked) + self.vm.count(Counter::Rejected)
    }

    fn check(&self) {
        self.vm.assert_exact();
        assert!(self.vm.plugin.held_bytes() <= MAX_MEMORY);
        assert!(self.vm.plugin.posts_in_flight() <= 10);
    }

    /// Ends every stream, heals the collector, and lets everything go.
    fn heal(&mut self) {
        self.vm.plugin.configured(ROOT, self.vm.config.clone());
        for stream in 0..STREAMS {
            self.play(&Step::Finish(stream, true));
        }
        for _ in 0..400 {
            if self.vm.pending() == Pending::default() && self.vm.plugin.posts_in_flight() == 0 {
                return;
            }
            self.vm.wait(100);
            for sent in self.vm.tick() {
                let seqs = sent.exchanges().into_iter().map(|exchange| exchange["meta"]["seq"].as_u64().unwrap());
                self.seqs_posted.extend(seqs);
                self.vm.ack(&sent);
            }
            self.check();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_host_does_each_captured_exchange_is_delivered_or_counted(steps in vec(step(), 1..250)) {
        let mut game = Game::new();

        steps.iter().for_each(|step| game.play(step));
        game.heal();

        let vm = &game.vm;
        prop_assert_eq!((vm.pending(), vm.plugin.held_bytes()), (Pending::default(), 0));
        let dropped: u64 = Counter::DROPPED.iter().map(|&reason| vm.count(reason)).sum();
        prop_assert_eq!(vm.count(Counter::Captured), vm.count(Counter::Acked) + vm.count(Counter::Rejected) + dropped);
        // Each acknowledged line was posted, and no number twice for two exchanges.
        prop_assert!(game.settled() <= game.seqs_posted.len() as u64);
        prop_assert!(game.seqs_posted.iter().all(|seq| *seq < vm.count(Counter::Captured)));
        prop_assert_eq!(vm.plugin.posts_in_flight(), 0);
    }

    #[test]
    fn with_a_collector_that_answers_every_captured_exchange_arrives_exactly_once(steps in vec(step(), 1..150)) {
        let honest = |step: &&Step| {
            !matches!(step, Step::Deleted(_) | Step::Done(_) | Step::Answer(..) | Step::LateAnswer(_) | Step::Post(..) | Step::Wait(_))
        };
        let mut game = Game::new();
        let mut seqs = Vec::new();

        for step in steps.iter().filter(honest) {
            game.play(step);
            game.vm.wait(100);
            for sent in game.vm.tick() {
                seqs.extend(sent.exchanges().iter().map(|exchange| exchange["meta"]["seq"].as_u64().unwrap()));
                game.vm.ack(&sent);
            }
        }
        for stream in 0..STREAMS {
            game.play(&Step::Finish(stream, true));
        }
        for sent in game.vm.flush() {
            seqs.extend(sent.exchanges().iter().map(|exchange| exchange["meta"]["seq"].as_u64().unwrap()));
            game.vm.ack(&sent);
        }

        let distinct: BTreeSet<u64> = seqs.iter().copied().collect();
        let lost = game.vm.count(Counter::DroppedBudget) + game.vm.count(Counter::DroppedUnwritable);
        prop_assert_eq!(distinct.len(), seqs.len());
        prop_assert_eq!(seqs.len() as u64 + lost, game.vm.count(Counter::Captured));
    }

    #[test]
    fn a_delivery_configuration_of_any_root_never_breaks_the_tick(
        waits in vec((0u64..3_000, 1u32..4, any::<bool>()), 1..100),
    ) {
        let mut vm = Vm::default();
        vm.plugin.configured(2, config(&json!({"flush_after_ms": 10})));
        for (wait, root, has_traffic) in waits {
            if has_traffic {
                vm.run_many(1);
            }
            vm.wait(wait);
            let now = vm.now();
            let period = vm.plugin.tick_for(root, now);
            prop_assert!(period.is_none_or(|period| (1..=1_000).contains(&(period.as_millis() as u64))));
        }
    }
}
