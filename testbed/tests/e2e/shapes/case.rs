//! One case of the tables: what the client asks, what the origin says, and the line that must come of it.
//!
//! The expected line is made here from the case alone, by the rules of the format's description, not by the code that
//! is tested. Plain parts follow from the request and the answer; whatever is special about a case stands in the table,
//! written out.

use anyhow::Result;
use bytes::Bytes;
use tributary_testbed::{
    message::{Call, Fields, Head, Payload, Reply},
    origin::{Answer, Step},
};

use super::line::{Hosts, Line};

/// Which HTTP versions are spoken on the way from the client through Envoy to the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// HTTP/1.1 on both sides.
    Http1,
    /// HTTP/1.1 to Envoy, HTTP/2 to the origin.
    Http1ToHttp2,
    /// HTTP/2 to Envoy, HTTP/1.1 to the origin.
    Http2ToHttp1,
    /// HTTP/2 on both sides.
    Http2,
}

impl Way {
    /// All four.
    pub(crate) const ALL: &'static [Way] = &[Way::Http1, Way::Http1ToHttp2, Way::Http2ToHttp1, Way::Http2];
    /// Those of a client that speaks HTTP/1.1.
    pub(crate) const FROM_HTTP1: &'static [Way] = &[Way::Http1, Way::Http1ToHttp2];
    /// Those of a client that speaks HTTP/2.
    pub(crate) const FROM_HTTP2: &'static [Way] = &[Way::Http2ToHttp1, Way::Http2];
    /// Those to an origin that speaks HTTP/1.1.
    pub(crate) const TO_HTTP1: &'static [Way] = &[Way::Http1, Way::Http2ToHttp1];
    /// HTTP/1.1 alone, for bytes that only it can carry.
    pub(crate) const HTTP1_ONLY: &'static [Way] = &[Way::Http1];

    /// Whether the client speaks HTTP/2.
    pub(crate) fn is_from_http2(self) -> bool {
        Way::FROM_HTTP2.contains(&self)
    }

    /// Whether the origin speaks HTTP/2.
    pub(crate) fn is_to_http2(self) -> bool {
        !Way::TO_HTTP1.contains(&self)
    }
}

/// How a request goes out.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// As the clients write it.
    Call,
    /// These bytes of HTTP/1.x instead of the head; the case's name is added as a header, then the empty line.
    Head(&'static [u8]),
    /// The head, and the body once the client was told to go on (`100 Continue`).
    InTwoSteps,
}

/// What the filter owes for a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// One line.
    Recorded,
    /// No line; counted under this name.
    Excluded(&'static str),
    /// Nothing: Envoy took the bytes for no request, so there was no exchange.
    NoRequest,
}

type Expect = Box<dyn Fn(&mut Line, Way) + Send + Sync>;
type See = fn(&Reply, Way) -> Result<()>;

/// One case. Without further words it goes [all ways](Way::ALL) and is recorded.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) ask: Ask,
    pub(crate) call: Call,
    pub(crate) says: Says,
    pub(crate) ways: &'static [Way],
    pub(crate) outcome: Outcome,
    pub(crate) sees: See,
    expects: Expect,
}

impl Case {
    /// A request and its answer.
    pub(crate) fn new(name: &'static str, call: Call, says: Says) -> Case {
        Case {
            name,
            ask: Ask::Call,
            call,
            says,
            ways: Way::ALL,
            outcome: Outcome::Recorded,
            sees: |_, _| Ok(()),
            expects: Box::new(|_, _| {}),
        }
    }

    /// A request head in bytes; `call` says what it means. HTTP/1.x only.
    pub(crate) fn raw(name: &'static str, head: &'static [u8], call: Call, says: Says) -> Case {
        Case { ask: Ask::Head(head), ways: Way::FROM_HTTP1, ..Case::new(name, call, says) }
    }

    /// A request that waits for `100 Continue` between head and body.
    pub(crate) fn in_two_steps(self) -> Case {
        Case { ask: Ask::InTwoSteps, ..self }
    }

    /// Only these ways.
    pub(crate) fn ways(self, ways: &'static [Way]) -> Case {
        Case { ways, ..self }
    }

    /// Not recorded, but counted under this name.
    pub(crate) fn excluded(self, counter: &'static str) -> Case {
        Case { outcome: Outcome::Excluded(counter), ..self }
    }

    /// No request at all in Envoy's eyes.
    pub(crate) fn no_request(self) -> Case {
        Case { outcome: Outcome::NoRequest, ..self }
    }

    /// What is special about the line.
    pub(crate) fn line(self, expects: impl Fn(&mut Line, Way) + Send + Sync + 'static) -> Case {
        Case { expects: Box::new(expects), ..self }
    }

    /// What the client must have seen, so that the case is known to be the case it is called.
    pub(crate) fn sees(self, sees: See) -> Case {
        Case { sees, ..self }
    }

    /// The name of one run of this case, which the request carries as a header.
    pub(crate) fn label(&self, way: Way) -> String {
        format!("{}/{way:?}", self.name)
    }

    /// The request of one run.
    pub(crate) fn call(&self, way: Way) -> Call {
        let call = self.call.clone().header(LABEL, self.label(way));
        // The route to the origin over HTTP/2.
        if way.is_to_http2() { call.header("x-upstream", "http2") } else { call }
    }

    /// The line of one run.
    pub(crate) fn expected(&self, way: Way, hosts: Hosts) -> Line {
        let mut line = Line::of(&self.call(way), &self.says, way, hosts);
        (self.expects)(&mut line, way);
        line
    }
}

/// The request header with the name of the run.
pub(crate) const LABEL: &str = "x-case";

/// What the origin says.
#[derive(Clone, Debug)]
pub(crate) struct Says {
    pub(crate) interim: Vec<Head>,
    pub(crate) status: u16,
    pub(crate) headers: Fields,
    pub(crate) body: SaidBody,
}

/// The body of an answer, and how its end is told.
#[derive(Clone, Debug)]
pub(crate) enum SaidBody {
    /// No body and no length: 204, 304.
    Bare,
    /// A length of this many bytes and no body: the answer to HEAD.
    Declared(u64),
    /// With its length.
    Whole(Bytes),
    /// In chunks.
    Chunks(Vec<Bytes>),
    /// Up to the end of the connection.
    UntilClose(Bytes),
}

impl Says {
    /// A status with an empty body of known length; none at all for 204 and 304.
    pub(crate) fn status(status: u16) -> Says {
        let body = if matches!(status, 204 | 304) { SaidBody::Bare } else { SaidBody::Whole(Bytes::new()) };
        Says { interim: Vec::new(), status, headers: Fields::new(), body }
    }

    /// 200 with a text.
    pub(crate) fn text(text: impl Into<Bytes>) -> Says {
        Says::status(200).header("content-type", "text/plain; charset=utf-8").body(text)
    }

    /// An interim response in front.
    pub(crate) fn interim(mut self, status: u16, headers: Fields) -> Says {
        self.interim.push(Head { status, headers });
        self
    }

    /// A header.
    pub(crate) fn header(mut self, name: &str, value: impl Into<Bytes>) -> Says {
        self.headers.push(name, value);
        self
    }

    /// A body with its length.
    pub(crate) fn body(self, body: impl Into<Bytes>) -> Says {
        Says { body: SaidBody::Whole(body.into()), ..self }
    }

    /// A body in chunks.
    pub(crate) fn chunks<B: Into<Bytes>>(self, pieces: impl IntoIterator<Item = B>) -> Says {
        Says { body: SaidBody::Chunks(pieces.into_iter().map(Into::into).collect()), ..self }
    }

    /// Only the length of a body.
    pub(crate) fn declared(self, bytes: u64) -> Says {
        Says { body: SaidBody::Declared(bytes), ..self }
    }

    /// A body that ends with the connection.
    pub(crate) fn until_close(self, body: impl Into<Bytes>) -> Says {
        Says { body: SaidBody::UntilClose(body.into()), ..self }
    }

    /// As the origin is told to do it.
    pub(crate) fn answer(&self) -> Answer {
        let mut answer = Answer::new(self.status);
        for head in &self.interim {
            answer = answer.interim(head.status, head.headers.clone());
        }
        for (name, value) in self.headers.iter() {
            answer = answer.header(name, Bytes::copy_from_slice(value));
        }
        match &self.body {
            SaidBody::Bare => answer,
            SaidBody::Declared(bytes) => answer.declare_length(*bytes),
            SaidBody::Whole(body) => answer.body(body.clone()),
            SaidBody::Chunks(pieces) => answer.chunks(pieces.clone()),
            // Without a length and without chunks: the steps are sent as they are.
            SaidBody::UntilClose(body) => answer.step(Step::Send(body.clone())).until_close(),
        }
    }

    /// All bytes of the body that are sent.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match &self.body {
            SaidBody::Bare | SaidBody::Declared(_) => Vec::new(),
            SaidBody::Whole(body) | SaidBody::UntilClose(body) => body.to_vec(),
            SaidBody::Chunks(pieces) => pieces.concat(),
        }
    }
}

/// All bytes of a request body.
pub(crate) fn bytes_of(body: &Payload) -> Vec<u8> {
    body.pieces().concat()
}
