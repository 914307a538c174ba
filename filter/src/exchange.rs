//! One exchange while it passes: what was seen of it, until it is written as a line.

use std::rc::Rc;

use tributary_http_types::{
    BodyRef, ExchangeRef, MetaRef, Method, Protocol, RequestRef, ResponseRef, Timestamp, WriteError,
};
use tributary_redact::Counts;

use crate::{
    batch::Unqueued,
    body::Body,
    budget::Step,
    clock::{Clock, Moment},
    config::Config,
    facts::Facts,
    head::{Head, Pair},
    source::Source,
};

/// What an open exchange takes beside the bytes it keeps: its own fields, the stream's, the allocator's.
pub(crate) const OVERHEAD_BYTES: usize = 512;

/// The way of a body or a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// From the client.
    Request,
    /// To the client.
    Response,
}

/// A captured exchange that has not ended.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) seq: u64,
    /// Of its root: what is kept, and what is masked.
    pub(crate) config: Rc<Config>,
    pub(crate) method: Method,
    pub(crate) started: Moment,
    pub(crate) request: Message,
    /// Its head is `None` until a response head was seen.
    pub(crate) response: Message,
    pub(crate) status: Option<u16>,
    /// What it holds of the VM's budget.
    pub(crate) held: usize,
}

/// Head, body and trailers of one side.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub(crate) head: Head,
    pub(crate) body: Body,
    pub(crate) trailers: Head,
    /// Only rises. On [`Step::Meta`] the head is a request line, or empty.
    pub(crate) step: Step,
}

impl Message {
    /// A side whose head came while this step held.
    pub(crate) fn new(head: Head, max_body_bytes: usize, step: Step) -> Message {
        let body = Body::with_limit(max_body_bytes);
        let mut message = Message { head, body, trailers: Head::default(), step: Step::Whole };
        message.shed(step);
        message
    }

    /// How many bytes of a chunk of this size to keep while this step holds.
    pub(crate) fn wanted(&self, step: Step, chunk_len: usize) -> usize {
        if self.step.max(step) > Step::Whole { 0 } else { self.body.wanted(chunk_len) }
    }

    /// A chunk passes of which nothing is kept; if that is for want of memory, the side has taken a step.
    pub(crate) fn pass(&mut self, step: Step, chunk_len: usize) {
        if self.body.wanted(chunk_len) > 0 {
            self.step = self.step.max(step.min(Step::Heads));
        }
        self.body.pass(chunk_len);
    }

    /// Lets go of what this step does not keep.
    pub(crate) fn shed(&mut self, step: Step) {
        self.step = self.step.max(step);
        if step >= Step::Heads {
            self.body.forget();
        }
        if step >= Step::Meta {
            self.head = self.head.request_line();
            self.trailers = Head::default();
        }
    }

    fn headers(&self) -> Vec<Pair<'_>> {
        if self.step == Step::Meta { Vec::new() } else { self.head.pairs().collect() }
    }

    fn body_ref(&self) -> BodyRef<'_> {
        BodyRef { kept: self.body.kept(), bytes: self.body.passed(), coded: self.head.is_coded(), ..BodyRef::default() }
    }
}

impl Exchange {
    pub(crate) fn message(&mut self, side: Side) -> &mut Message {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }

    /// The step it has taken.
    pub(crate) fn step(&self) -> Step {
        self.request.step.max(self.response.step)
    }

    /// Lets go of what this step does not keep.
    pub(crate) fn shed(&mut self, step: Step) {
        self.request.shed(step);
        self.response.shed(step);
    }

    /// Appends the exchange as one line, and says what was masked in it. Secrets never reach `out`.
    ///
    /// A line may be six times as long as what it is made of, so whether there is room for it is known before it is written.
    ///
    /// # Errors
    /// [`Unqueued`]; nothing was appended, and `out` has not grown.
    pub(crate) fn write_line(
        &self,
        source: &Source,
        facts: &Facts,
        clock: Clock,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Result<Counts, Unqueued<WriteError>> {
        let (arrived, ended, duration_ms) = self.times(facts, clock);
        let [request_trailers, response_trailers] =
            [&self.request.trailers, &self.response.trailers].map(|head| head.pairs().collect::<Vec<Pair<'_>>>());
        let request_headers = with_host_header(self.request.headers(), facts);
        let response_headers = self.response.headers();
        let exchange = ExchangeRef {
            request: RequestRef {
                timestamp: arrived,
                method: self.method,
                protocol: protocol_of(&self.request.head),
                host: host_of(&self.request.head, facts),
                path: self.request.head.first(b":path").unwrap_or_default(),
                headers: &request_headers,
                body: self.request.body_ref(),
            },
            response: self.status.map(|status_code| ResponseRef {
                timestamp: ended,
                status_code,
                headers: &response_headers,
                body: self.response.body_ref(),
            }),
            meta: MetaRef {
                source: source.as_str(),
                seq: self.seq,
                duration_ms: Some(duration_ms),
                request_trailers: &request_trailers,
                response_trailers: &response_trailers,
                degraded: self.step().degraded(),
                ..meta_of(facts)
            },
        };
        self.config.redactor.with_masked(&exchange, |masked, counts| {
            if !masked.fits(room) {
                return Err(Unqueued::NoRoom);
            }
            masked.write_line(out).map(|()| *counts).map_err(Unqueued::Unwritable)
        })
    }

    /// When the request arrived, when the exchange ended, and the milliseconds in between.
    ///
    /// The end is the wall clock's; the arrival is reckoned back from it by Envoy's duration, which is monotonic. So a wall
    /// clock that jumps in between cannot put a response before its request.
    fn times(&self, facts: &Facts, clock: Clock) -> (Timestamp, Timestamp, u64) {
        let duration = facts.duration.unwrap_or_else(|| clock.steady.since(self.started));
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let elapsed = i64::try_from(duration_ms).unwrap_or(i64::MAX);
        let ended = clock.wall;
        let arrived = Timestamp::from_unix_millis(ended.unix_millis().saturating_sub(elapsed));
        // From the arrival again: at the end of all times it was cut.
        let ended = Timestamp::from_unix_millis(arrived.unix_millis().saturating_add(elapsed));
        (arrived, ended, duration_ms)
    }
}

/// What Envoy's facts say in `meta`.
fn meta_of(facts: &Facts) -> MetaRef<'_> {
    MetaRef {
        http_version: facts.http_version.as_deref(),
        client_address: facts.client_address.as_deref(),
        upstream_address: facts.upstream_address.as_deref(),
        cluster: facts.cluster.as_deref(),
        route: facts.route.as_deref(),
        direction: facts.direction(),
        response_flags: &facts.response_flags,
        code_details: facts.code_details.as_deref(),
        ..MetaRef::default()
    }
}

/// The host the client asked for; the address it connected to if it named none (HTTP/1.0, an empty `Host`), for that
/// is the host it got (RFC 9110 §7.1). Empty only if Envoy does not know that address either.
fn host_of<'a>(head: &'a Head, facts: &'a Facts) -> &'a [u8] {
    head.host().or(facts.local_address.as_deref()).unwrap_or_default()
}

/// The headers as an HTTP/1 client sent them: Envoy turns its `host` into `:authority`, and leaves nothing else of it.
/// In HTTP/2 and later `:authority` is what the client sent, and pseudo-headers are no headers.
fn with_host_header<'a>(mut headers: Vec<Pair<'a>>, facts: &Facts) -> Vec<Pair<'a>> {
    if facts.http_version.as_ref().is_some_and(|version| version.starts_with(b"HTTP/1")) {
        for (name, value) in &mut headers {
            if *name == b":authority" && !value.is_empty() {
                *name = b"host";
            }
        }
    }
    headers
}

fn protocol_of(head: &Head) -> Protocol {
    let scheme = head.scheme().unwrap_or_default();
    if scheme.eq_ignore_ascii_case(b"https") { Protocol::Https } else { Protocol::Http }
}
