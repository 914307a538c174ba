//! What the origin does with a request: a head, then steps, one after the other.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::message::{Fields, Head};

/// A gate that an answer waits at until the test opens it: the way to hold a response half way, without sleeping.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// A closed gate.
    pub fn closed() -> Gate {
        Gate(Arc::new(Semaphore::new(0)))
    }

    /// Opens it for good.
    pub fn open(&self) {
        self.0.close();
    }

    pub(super) async fn passed(&self) {
        // Ends with an error when the gate is opened: no permit is ever given.
        let _ = self.0.acquire().await;
    }
}

/// One thing that happens after the head is sent.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends a piece of the body.
    Send(Bytes),
    /// Waits, to be slow on purpose.
    Pause(Duration),
    /// Waits until the test opens the gate.
    Wait(Gate),
    /// Sends back whatever comes in, until the client ends.
    Echo,
    /// Breaks off: connection reset (HTTP/1.1), RST_STREAM (HTTP/2).
    Reset,
    /// Ends the connection in good order although the answer is not complete.
    Close,
}

/// What the origin answers. The default framing is `content-length`; see [`chunks`](Self::chunks).
///
/// ```
/// use tributary_testbed::origin::Answer;
///
/// let small = Answer::new(200).header("content-type", "text/plain").body("hello");
/// let streamed = Answer::new(200).chunks(["a", "b"]).trailer("grpc-status", "0");
/// let broken = Answer::new(200).declare_length(1_000).chunks(["only this"]).reset();
/// ```
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) interim: Vec<Head>,
    pub(super) head: Start,
    pub(super) headers: Fields,
    pub(super) framing: AnswerFraming,
    pub(super) steps: Vec<Step>,
    pub(super) trailers: Fields,
}

/// How an answer begins.
#[derive(Clone, Debug)]
pub(super) enum Start {
    /// With a head of this status.
    Status(u16),
    /// With no head: these steps are all there is (HTTP/1.1 sends their bytes as they are).
    Nothing,
}

/// How the end of the body is told, on HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnswerFraming {
    /// `content-length` of this many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Neither: no body at all (204, 304, 101), or up to the end of the connection.
    Bare,
}

impl Answer {
    /// A head with this status and an empty body.
    pub fn new(status: u16) -> Answer {
        let bare = status == 204 || status == 304 || status == 101;
        let framing = if bare { AnswerFraming::Bare } else { AnswerFraming::Length(0) };
        Answer::starting(Start::Status(status), framing)
    }

    /// These bytes and nothing else, then the end of the connection (HTTP/1.1 only).
    pub fn raw(bytes: impl Into<Bytes>) -> Answer {
        Answer::starting(Start::Nothing, AnswerFraming::Bare).step(Step::Send(bytes.into())).step(Step::Close)
    }

    /// No answer: the request hangs until the client or Envoy gives up.
    pub fn silence() -> Answer {
        Answer::starting(Start::Nothing, AnswerFraming::Bare).step(Step::Wait(Gate::closed()))
    }

    /// No answer: the connection is reset at once.
    pub fn hang_up() -> Answer {
        Answer::starting(Start::Nothing, AnswerFraming::Bare).step(Step::Reset)
    }

    fn starting(head: Start, framing: AnswerFraming) -> Answer {
        Answer {
            interim: Vec::new(),
            head,
            headers: Fields::new(),
            framing,
            steps: Vec::new(),
            trailers: Fields::new(),
        }
    }

    /// Sends an interim response (103 …) before the head.
    #[must_use]
    pub fn interim(mut self, status: u16, headers: Fields) -> Answer {
        self.interim.push(Head { status, headers });
        self
    }

    /// Adds a header; framing headers are added by the origin.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Bytes>) -> Answer {
        self.headers.push(name, value);
        self
    }

    /// A body of known length.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Answer {
        let body = body.into();
        self.framing = AnswerFraming::Length(body.len() as u64);
        self.step(Step::Send(body))
    }

    /// A body of known length in one piece repeated: 50 MB without 50 MB of memory.
    #[must_use]
    pub fn repeated(mut self, piece: impl Into<Bytes>, times: usize) -> Answer {
        let piece = piece.into();
        self.framing = AnswerFraming::Length(piece.len() as u64 * times as u64);
        self.steps.extend(std::iter::repeat_n(Step::Send(piece), times));
        self
    }

    /// Further pieces of a body of unknown length: chunks of HTTP/1.1, DATA frames of HTTP/2.
    #[must_use]
    pub fn chunks<B: Into<Bytes>>(mut self, pieces: impl IntoIterator<Item = B>) -> Answer {
        if self.framing == AnswerFraming::Length(0) {
            self.framing = AnswerFraming::Chunked;
        }
        self.steps.extend(pieces.into_iter().map(|piece| Step::Send(piece.into())));
        self
    }

    /// Declares this `content-length`, whatever is sent: for HEAD, and for bodies that are broken off.
    #[must_use]
    pub fn declare_length(mut self, bytes: u64) -> Answer {
        self.framing = AnswerFraming::Length(bytes);
        self
    }

    /// Neither length nor chunks: the body ends with the connection.
    #[must_use]
    pub fn until_close(mut self) -> Answer {
        self.framing = AnswerFraming::Bare;
        self.step(Step::Close)
    }

    /// Adds a trailer; on HTTP/1.1 the body then goes in chunks.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: impl Into<Bytes>) -> Answer {
        self.framing = AnswerFraming::Chunked;
        self.trailers.push(name, value);
        self
    }

    /// Adds a step.
    #[must_use]
    pub fn step(mut self, step: Step) -> Answer {
        self.steps.push(step);
        self
    }

    /// Waits here until the gate is open.
    #[must_use]
    pub fn wait(self, gate: &Gate) -> Answer {
        self.step(Step::Wait(gate.clone()))
    }

    /// Sends back all that comes in, until the client ends: with 101 a WebSocket or CONNECT tunnel, on HTTP/2 a
    /// stream that goes both ways. Only in an early answer, before the request was read.
    #[must_use]
    pub fn echo(mut self) -> Answer {
        if self.framing == AnswerFraming::Length(0) {
            self.framing = AnswerFraming::Chunked;
        }
        self.step(Step::Echo)
    }

    /// Breaks off here.
    #[must_use]
    pub fn reset(self) -> Answer {
        self.step(Step::Reset)
    }
}
