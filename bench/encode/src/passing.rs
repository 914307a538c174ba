//! One exchange through all stages of the filter, as Envoy would drive them: its heads and its body are captured, the line is
//! masked, written and queued, and each full batch is posted and acknowledged.

use std::rc::Rc;

use tributary_filter::{Answer, Clock, Config, Counter, Facts, Moment, Plugin, RANDOM_BYTES, RootId, Side, Stream};
use tributary_http_types::Timestamp;

use crate::sample::Sample;

const ROOT: RootId = 1;

/// How many exchanges end between two looks for a full batch.
const EXCHANGES_A_LOOK: u64 = 20;

/// The filter of one VM, with its defaults, and a collector that takes everything.
pub(crate) struct Filter {
    plugin: Plugin,
    config: Rc<Config>,
    /// Exchanges since the last look for a full batch.
    unlooked: u64,
    /// When all of it happens: no exchange waits for its batch to grow old.
    now: Clock,
    next_token: u32,
}

impl Filter {
    /// Nothing has passed yet; `None` if the filter does not take its own defaults.
    pub(crate) fn start() -> Option<Filter> {
        let config = Rc::new(Config::load(br#"{"collector":{"cluster":"collector"}}"#, b"").ok()?);
        let mut plugin = Plugin::new(&[7; RANDOM_BYTES]);
        plugin.configured(ROOT, Rc::clone(&config));
        let now = Clock { steady: Moment::from_millis(1_000), wall: Timestamp::from_unix_millis(1_767_225_600_000) };
        Some(Filter { plugin, config, unlooked: 0, now, next_token: 1 })
    }

    /// One exchange passes, its response body in one chunk.
    pub(crate) fn pass(&mut self, request: &[u8], response: &[u8], body: &[u8]) {
        let (plugin, now) = (&mut self.plugin, self.now);
        let mut stream = Stream::new(Some(&self.config));
        stream.request_head(plugin, Ok(request.to_vec()), now.steady);
        stream.response_head(plugin, Ok(response.to_vec()));
        // What the host gives is a copy, and no longer than asked for.
        let chunk = stream.wanted(plugin, Side::Response, body.len()).and_then(|wanted| body.get(..wanted));
        stream.body(plugin, Side::Response, body.len(), chunk.map(|chunk| Ok(chunk.to_vec())));
        stream.finish(plugin, Facts::default(), now);
        // A look writes what has ended. Envoy looks at ticks, so that there are several; so it is here.
        self.unlooked += 1;
        if self.unlooked >= EXCHANGES_A_LOOK {
            self.unlooked = 0;
            self.post();
        }
    }

    /// Whether every exchange that passed was acknowledged or still waits for its batch: one that drops is cheap.
    pub(crate) fn has_lost_none(&self) -> bool {
        let counters = self.plugin.counters();
        counters.get(Counter::Acked).saturating_add(self.plugin.pending().total()) == counters.get(Counter::Seen)
    }

    /// Posts what is full, and acknowledges it.
    fn post(&mut self) {
        while let Some(post) = self.plugin.next_post(ROOT, self.now.steady) {
            let token = self.next_token;
            self.next_token = self.next_token.wrapping_add(1);
            self.plugin.posted(post.number, Ok(token), self.now.steady);
            let ack = format!("{}-{}", self.plugin.source().as_str(), post.number);
            let head = wire(&[(b":status", b"200"), (b"x-tributary-ack", ack.as_bytes())]);
            // Nothing else is on its way: each post is answered before the next.
            let lines = self.plugin.pending().in_flight;
            let body = format!(r#"{{"accepted":{lines},"rejected":[]}}"#).into_bytes();
            self.plugin.replied(token, Answer { head: Ok(head), body: Ok(body) }, self.now.steady);
        }
    }
}

/// The request head of a sample, as Envoy hands it over.
pub(crate) fn request_head(sample: &Sample) -> Vec<u8> {
    let line: [(&[u8], &[u8]); 4] =
        [(b":method", b"GET"), (b":path", sample.path()), (b":scheme", b"http"), (b":authority", b"shop.example")];
    wire(&[&line, sample.request_headers()].concat())
}

/// The response head of a sample, as Envoy hands it over.
pub(crate) fn response_head(sample: &Sample) -> Vec<u8> {
    wire(&[&[(b":status".as_slice(), b"200".as_slice())], sample.response_headers()].concat())
}

/// A header map in the form of proxy-wasm: count, lengths, then names and values, each with a zero behind.
fn wire(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut map = number(pairs.len()).to_vec();
    for (name, value) in pairs {
        map.extend(number(name.len()));
        map.extend(number(value.len()));
    }
    for (name, value) in pairs {
        map.extend([name, b"\0".as_slice(), value, b"\0"].concat());
    }
    map
}
