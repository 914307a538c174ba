//! Plays Envoy for the filter's pure parts: one VM, its roots, the clock, and a collector that answers as told.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "shared by several test targets; a helper of a test may panic"
)]

mod call;

use std::rc::Rc;

use serde_json::{Value, json};
use tributary_filter::{
    Answer, Clock, Config, Counter, Moment, Pending, Plugin, RANDOM_BYTES, Refusal, RootId, Stream,
};
use tributary_http_types::Timestamp;

pub(crate) use call::{Call, facts, wire};

/// The wall clock at the origin of the steady clock: 2026-01-01T00:00:00Z.
const WALL_ORIGIN_MILLIS: i64 = 1_767_225_600_000;

/// The root that a VM has from the start.
pub(crate) const ROOT: RootId = 1;

/// One VM of Envoy.
pub(crate) struct Vm {
    pub(crate) plugin: Plugin,
    /// What the host's steady clock shows.
    pub(crate) now_millis: u64,
    /// How far the host's wall clock was set away from it.
    pub(crate) wall_set_millis: i64,
    pub(crate) config: Rc<Config>,
    next_token: u32,
}

/// A post that Envoy took.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) token: u32,
    pub(crate) number: u64,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Sent {
    pub(crate) fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(found, _)| *found == name).unwrap_or_else(|| panic!("no header {name}")).1
    }

    /// One of the numbers in `x-tributary-counters`.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let counters = self.header("x-tributary-counters").split(',').filter_map(|pair| pair.split_once('='));
        counters.into_iter().find(|(found, _)| *found == name).unwrap().1.parse().unwrap()
    }

    /// The exchanges; each line must be JSON and end in a newline.
    pub(crate) fn exchanges(&self) -> Vec<Value> {
        let text = std::str::from_utf8(&self.body).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{text}");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.exchanges().iter().map(|exchange| exchange["request"]["path"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) fn config(settings: &Value) -> Rc<Config> {
    let mut whole = json!({"collector": {"cluster": "collector"}});
    for (name, value) in settings.as_object().unwrap() {
        whole[name] = value.clone();
    }
    Rc::new(Config::load(whole.to_string().as_bytes(), b"TOKEN=s3cret\0").unwrap())
}

impl Default for Vm {
    fn default() -> Vm {
        Vm::with(json!({}))
    }
}

impl Vm {
    /// A VM with one root; the settings go over the defaults.
    pub(crate) fn with(settings: Value) -> Vm {
        let config = config(&settings);
        let mut plugin = Plugin::new(&std::array::from_fn::<u8, RANDOM_BYTES, _>(|place| place as u8));
        plugin.configured(ROOT, config.clone());
        Vm { plugin, now_millis: 1_000, wall_set_millis: 0, config, next_token: 1 }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::from_millis(self.now_millis)
    }

    pub(crate) fn clock(&self) -> Clock {
        let wall = Timestamp::from_unix_millis(WALL_ORIGIN_MILLIS + self.now_millis as i64 + self.wall_set_millis);
        Clock { steady: self.now(), wall }
    }

    /// Lets time pass as a VM lives it: it looks at the clock at least once a second.
    pub(crate) fn wait(&mut self, mut millis: u64) {
        while millis > 0 {
            let step = millis.min(1_000);
            millis -= step;
            self.now_millis += step;
            self.plugin.now(self.now());
        }
    }

    /// Sets the host's steady clock: what it should never do.
    pub(crate) fn jump(&mut self, millis: i64) {
        self.now_millis = self.now_millis.saturating_add_signed(millis);
    }

    /// Envoy's timer fires as it was set, whatever the clocks show.
    pub(crate) fn fire_timer(&mut self) -> Vec<Sent> {
        let now = self.now();
        self.plugin.tick_for(ROOT, now);
        self.plugin.ticked(ROOT, now);
        let sent = self.posts();
        self.plugin.tick_for(ROOT, now);
        sent
    }

    pub(crate) fn stream(&self) -> Stream {
        Stream::new(Some(&self.config))
    }

    /// Runs a whole call through the filter.
    pub(crate) fn run(&mut self, call: Call) {
        let mut stream = self.stream();
        call.pass(self, &mut stream);
    }

    /// Runs a call, has it posted and acknowledged, and gives its line.
    pub(crate) fn record(&mut self, call: Call) -> Value {
        self.run(call);
        let sent = self.flush();
        assert_eq!(sent.len(), 1, "{sent:?}");
        let exchange = sent[0].exchanges().remove(0);
        self.ack(&sent[0]);
        exchange
    }

    /// Runs as many calls `/0`, `/1` … as said.
    pub(crate) fn run_many(&mut self, count: usize) {
        for number in 0..count {
            self.run(Call::get(&format!("/{number}")));
        }
    }

    /// What leaves now.
    pub(crate) fn posts_of(&mut self, root: RootId) -> Vec<Sent> {
        let mut sent = Vec::new();
        while let Some(post) = self.plugin.next_post(root, self.now()) {
            let token = self.next_token;
            self.next_token += 1;
            self.plugin.posted(post.number, Ok(token), self.now());
            sent.push(Sent { token, number: post.number, headers: post.headers, body: post.body.to_vec() });
            assert!(sent.len() < 100, "posts without end");
        }
        self.assert_exact();
        sent
    }

    pub(crate) fn posts(&mut self) -> Vec<Sent> {
        self.posts_of(ROOT)
    }

    pub(crate) fn tick(&mut self) -> Vec<Sent> {
        self.plugin.ticked(ROOT, self.now());
        self.posts()
    }

    /// Lets the flush time pass, then ticks.
    pub(crate) fn flush(&mut self) -> Vec<Sent> {
        self.wait(200);
        self.tick()
    }

    /// Ticks every 100 ms until something is posted, at most for so long.
    pub(crate) fn tick_until_post(&mut self, at_most_millis: u64) -> (u64, Vec<Sent>) {
        let start = self.now_millis;
        while self.now_millis - start < at_most_millis {
            self.wait(100);
            let sent = self.tick();
            if !sent.is_empty() {
                return (self.now_millis - start, sent);
            }
        }
        (at_most_millis, Vec::new())
    }

    pub(crate) fn answer(&mut self, sent: &Sent, status: u16, headers: &[(&str, &str)], body: &str) {
        let status = status.to_string();
        let mut pairs = vec![(":status", status.as_bytes())];
        pairs.extend(headers.iter().map(|(name, value)| (*name, value.as_bytes())));
        self.plugin.replied(sent.token, Answer { head: Ok(wire(&pairs)), body: Ok(body.into()) }, self.now());
        self.assert_exact();
    }

    /// The host has no answer: the connection was reset in the middle of it.
    pub(crate) fn no_answer(&mut self, sent: &Sent) {
        self.plugin.replied(sent.token, Answer { head: Ok(Vec::new()), body: Ok(Vec::new()) }, self.now());
        self.assert_exact();
    }

    pub(crate) fn ack(&mut self, sent: &Sent) {
        let count = sent.exchanges().len();
        self.ack_with(sent, &json!({"accepted": count, "rejected": []}).to_string());
    }

    pub(crate) fn ack_with(&mut self, sent: &Sent, body: &str) {
        let ack = format!("{}-{}", self.plugin.source().as_str(), sent.number);
        self.answer(sent, 200, &[("x-tributary-ack", &ack)], body);
    }

    pub(crate) fn count(&self, counter: Counter) -> u64 {
        self.plugin.counters().get(counter)
    }

    pub(crate) fn pending(&self) -> Pending {
        self.plugin.pending()
    }

    pub(crate) fn assert_exact(&self) {
        let (counters, pending) = (self.plugin.counters(), self.plugin.pending());
        assert!(counters.are_exact(pending), "{}", counters.render(pending));
    }
}

pub(crate) const REFUSED: Refusal = Refusal { status: 2 };
