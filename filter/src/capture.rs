//! One stream, callback by callback: what is seen, whether it is captured, and that it ends exactly once.
//!
//! Envoy's callbacks come in many orders: no head for a request that was refused before this filter, no end of a body
//! before trailers or a reset, no `on_log` for HTTP/3. So nothing here waits for a particular one. A stream is
//! [waiting](Stage::Waiting) for its request, then open, then over, and each callback is good for what it brings.
//!
//! What the host answered comes in as a value, a [`Refusal`] included: no answer can stop the traffic.

use std::rc::Rc;

use tributary_http_types::Method;

use crate::{
    budget::Step,
    clock::{Clock, Moment},
    config::Config,
    counters::Counter,
    exchange::{Exchange, Message, OVERHEAD_BYTES, Side},
    facts::{Facts, Need},
    head::Head,
    plugin::Plugin,
    reply::status_code,
    roots::RootId,
};

/// The host refused a call with this status (proxy-wasm's `proxy_result_t`, 0 is never one).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// As the host gave it.
    pub status: u32,
}

/// The state of one stream.
#[derive(Debug)]
pub struct Stream {
    stage: Stage,
    /// Of its root.
    config: Option<Rc<Config>>,
}

#[derive(Debug)]
enum Stage {
    /// No request head yet.
    Waiting,
    /// Captured.
    Open(Box<Exchange>),
    /// Ended, dropped or left out: nothing more to do.
    Over,
}

/// What to do with a request, seen from its head.
enum Decision {
    Capture(Method),
    Exclude(Counter),
}

impl Stream {
    /// A new stream under the capture settings of its root; without any (a root that was refused) it is passed over.
    pub fn new(config: Option<&Rc<Config>>) -> Stream {
        let stage = if config.is_some() { Stage::Waiting } else { Stage::Over };
        Stream { stage, config: config.cloned() }
    }

    /// Whether there is an exchange to end; if not, its facts need not be read.
    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_))
    }

    /// Which facts its end needs; `None` if there is no exchange to end.
    pub fn need(&self, vm: &Plugin, root: RootId) -> Option<Need> {
        let Stage::Open(exchange) = &self.stage else { return None };
        Some(Need {
            omitted: exchange.config.omitted_facts,
            local_address: exchange.request.head.host().is_none(),
            direction: vm.direction(root),
        })
    }

    /// The request head passed.
    pub fn request_head(&mut self, vm: &mut Plugin, map: Result<Vec<u8>, Refusal>, now: Moment) {
        if !matches!(self.stage, Stage::Waiting) {
            return;
        }
        vm.see();
        self.stage = match readable(map) {
            Some(head) => self.decide(vm, head, now),
            None => {
                vm.capture_unreadable();
                Stage::Over
            }
        };
    }

    fn decide(&self, vm: &mut Plugin, head: Head, now: Moment) -> Stage {
        let Some(config) = &self.config else { return Stage::Over };
        let method = match decision(&head) {
            Decision::Capture(method) => method,
            Decision::Exclude(reason) => {
                vm.exclude(reason);
                return Stage::Over;
            }
        };
        let mut request = Message::new(head, config.max_request_body_bytes, vm.step());
        let held = |request: &Message| request.head.len().saturating_add(OVERHEAD_BYTES);
        if !vm.has_room(held(&request)) {
            request.shed(Step::Meta);
        }
        let held = held(&request);
        match vm.capture(held) {
            None => Stage::Over,
            Some(seq) => Stage::Open(Box::new(Exchange {
                seq,
                config: config.clone(),
                method,
                started: vm.now(now),
                request,
                response: Message::default(),
                status: None,
                held,
            })),
        }
    }

    /// The response head passed. A later one takes the place of an earlier one (an interim response), with its body.
    pub fn response_head(&mut self, vm: &mut Plugin, map: Result<Vec<u8>, Refusal>) {
        let Some(head) = readable(map) else { return };
        let Some(status) = head.first(b":status").and_then(status_code) else { return };
        let Stage::Open(exchange) = &mut self.stage else { return };
        let mut response = Message::new(head, exchange.config.max_response_body_bytes, exchange.step().max(vm.step()));
        if !vm.grow(exchange, response.head.len()) {
            response.shed(Step::Meta);
        }
        exchange.status = Some(status);
        exchange.response = response;
    }

    /// How many bytes of a chunk to ask the host for; `None`: make no host call.
    pub fn wanted(&self, vm: &Plugin, side: Side, chunk_len: usize) -> Option<usize> {
        let Stage::Open(exchange) = &self.stage else { return None };
        let message = match side {
            Side::Request => &exchange.request,
            Side::Response => &exchange.response,
        };
        Some(message.wanted(vm.step(), chunk_len)).filter(|&wanted| wanted > 0)
    }

    /// A chunk of a body passed; `chunk` is the beginning that [`wanted`](Self::wanted) asked for.
    pub fn body(&mut self, vm: &mut Plugin, side: Side, chunk_len: usize, chunk: Option<Result<Vec<u8>, Refusal>>) {
        let Stage::Open(exchange) = &mut self.stage else { return };
        let step = vm.step();
        let message = exchange.message(side);
        let wanted = message.wanted(step, chunk_len);
        let Some(Ok(mut chunk)) = chunk.filter(|_| wanted > 0) else {
            message.pass(step, chunk_len);
            return;
        };
        chunk.truncate(wanted);
        let growth = message.body.growth(&chunk);
        if vm.grow(exchange, growth) {
            exchange.message(side).body.keep(chunk_len, chunk);
        } else {
            exchange.message(side).pass(Step::Heads, chunk_len);
        }
    }

    /// Trailers passed.
    pub fn trailers(&mut self, vm: &mut Plugin, side: Side, map: Result<Vec<u8>, Refusal>) {
        let Some(trailers) = readable(map) else { return };
        let Stage::Open(exchange) = &mut self.stage else { return };
        let is_kept = exchange.message(side).step < Step::Meta && vm.grow(exchange, trailers.len());
        let message = exchange.message(side);
        if is_kept {
            message.trailers = trailers;
        } else {
            message.shed(Step::Meta);
        }
    }

    /// Which heads never passed and should be read in `on_log`, where Envoy still has them: of a request refused
    /// before this filter, and of a response that never came this way.
    pub fn missing_head(&self) -> Option<MissingHeads> {
        match &self.stage {
            Stage::Waiting => Some(MissingHeads::Both),
            Stage::Open(exchange) if exchange.status.is_none() => Some(MissingHeads::Response),
            _ => None,
        }
    }

    /// The heads as `on_log` has them. Without a request there was no exchange (Envoy refused bytes that were no
    /// request), so nothing is counted.
    pub fn late_heads(
        &mut self,
        vm: &mut Plugin,
        request: Option<Result<Vec<u8>, Refusal>>,
        response: Result<Vec<u8>, Refusal>,
        now: Moment,
    ) {
        if let Some(Ok(map)) = request.filter(|map| map.as_ref().is_ok_and(|map| !map.is_empty())) {
            self.request_head(vm, Ok(map), now);
        }
        if self.missing_head() == Some(MissingHeads::Response) {
            self.response_head(vm, response);
        }
    }

    /// The stream ended: in the first of `on_log`, `on_done` and drop. Later calls do nothing.
    pub fn finish(&mut self, vm: &mut Plugin, facts: Facts, clock: Clock) {
        if let Stage::Open(exchange) = std::mem::replace(&mut self.stage, Stage::Over) {
            vm.finish(exchange, facts, clock);
        }
    }
}

/// See [`Stream::missing_head`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingHeads {
    /// Request and response.
    Both,
    /// Only the response's.
    Response,
}

/// A map with at least one pair; an empty one is how Envoy answers outside the map's phase.
fn readable(map: Result<Vec<u8>, Refusal>) -> Option<Head> {
    Head::from_wire(map.ok()?).ok().filter(|head| !head.is_empty())
}

fn decision(head: &Head) -> Decision {
    if head.first(b"x-tributary-batch").is_some() {
        return Decision::Exclude(Counter::ExcludedSelf);
    }
    match head.first(b":method").and_then(Method::from_wire) {
        Some(method) => Decision::Capture(method),
        None => Decision::Exclude(Counter::ExcludedMethod),
    }
}
