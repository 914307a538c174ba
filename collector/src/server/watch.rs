//! What a connection is doing, and how long it may go on doing it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::Version;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ServerLimits;

/// How often a connection with requests under way is looked at; the requests have time-outs of their own.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    under_way: usize,
    requests: u64,
    is_http2: bool,
    /// Since when no request has been under way.
    quiet_since: Instant,
    /// When the first byte came after that: the beginning of a head.
    head_since: Option<Instant>,
    /// Since when the client has not read what is to be written to it.
    stalled_since: Option<Instant>,
}

/// When a connection has to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Not before then.
    At(Instant),
    /// Its time is up.
    Now,
}

impl Activity {
    pub(super) fn new(now: Instant) -> Activity {
        Activity(Mutex::new(State {
            under_way: 0,
            requests: 0,
            is_http2: false,
            quiet_since: now,
            head_since: None,
            stalled_since: None,
        }))
    }

    /// A request begins; it ends when the value is dropped.
    pub(super) fn request(this: &Arc<Activity>, version: Version) -> UnderWay {
        let mut state = this.lock();
        state.under_way += 1;
        state.requests += 1;
        state.is_http2 = version == Version::HTTP_2;
        UnderWay(Arc::clone(this))
    }

    fn read(&self, now: Instant) {
        let mut state = self.lock();
        if state.under_way == 0 && state.head_since.is_none() {
            state.head_since = Some(now);
        }
    }

    fn written(&self, outcome: &Poll<io::Result<impl Sized>>, now: Instant) {
        let mut state = self.lock();
        match outcome {
            Poll::Pending => _ = state.stalled_since.get_or_insert(now),
            Poll::Ready(_) => state.stalled_since = None,
        }
    }

    fn request_ended(&self, now: Instant) {
        let mut state = self.lock();
        state.under_way -= 1;
        state.quiet_since = now;
        state.head_since = None;
    }

    pub(super) fn due(&self, limits: &ServerLimits, now: Instant) -> Due {
        let state = self.lock();
        let due = match (state.under_way, state.head_since) {
            (1.., _) => now + LOOK_EVERY,
            // What comes on an HTTP/2 connection need not be a head: pings, settings.
            (0, Some(head)) if !state.is_http2 => head + limits.header_within,
            (0, _) if state.requests == 0 => state.quiet_since + limits.first_byte_within,
            (0, _) => state.quiet_since + limits.max_idle,
        };
        // Whoever does not read gets no further answers either, whatever is under way for it.
        let due = state.stalled_since.map_or(due, |since| due.min(since + limits.write_within));
        if due <= now { Due::Now } else { Due::At(due) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way.
pub(super) struct UnderWay(Arc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.request_ended(Instant::now());
    }
}

/// A stream that tells when something is read from it.
pub(super) struct Watched<I> {
    stream: I,
    activity: Arc<Activity>,
}

impl<I> Watched<I> {
    pub(super) fn new(stream: I, activity: Arc<Activity>) -> Watched<I> {
        Watched { stream, activity }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.read(Instant::now());
        }
        outcome
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.activity.written(&outcome, Instant::now());
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.activity.written(&outcome, Instant::now());
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.activity.written(&outcome, Instant::now());
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ServerLimits = ServerLimits {
        max_connections: 1,
        first_byte_within: Duration::from_secs(5),
        tls_handshake_within: Duration::from_secs(5),
        header_within: Duration::from_secs(10),
        max_idle: Duration::from_secs(60),
        write_within: Duration::from_secs(20),
        max_header_bytes: 32 * 1024,
        max_headers: 100,
        max_streams: 64,
    };

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_silent_connection_is_due_after_the_first_byte_time() {
        let start = Instant::now();
        let activity = Activity::new(start);

        assert_eq!(activity.due(&LIMITS, start), Due::At(start + seconds(5)));
        assert_eq!(activity.due(&LIMITS, start + seconds(5)), Due::Now);
    }

    #[test]
    fn a_head_that_drips_is_due_after_the_header_time() {
        let start = Instant::now();
        let activity = Activity::new(start);

        activity.read(start + seconds(1));
        activity.read(start + seconds(9));

        assert_eq!(activity.due(&LIMITS, start + seconds(9)), Due::At(start + seconds(11)));
    }

    #[test]
    fn a_request_under_way_is_never_due() {
        let start = Instant::now();
        let activity = Arc::new(Activity::new(start));
        let _request = Activity::request(&activity, Version::HTTP_11);

        assert_eq!(activity.due(&LIMITS, start + seconds(1000)), Due::At(start + seconds(1001)));
    }

    #[test]
    fn an_answer_that_is_not_read_is_due_though_requests_are_under_way() {
        let start = Instant::now();
        let activity = Arc::new(Activity::new(start));
        let _request = Activity::request(&activity, Version::HTTP_2);
        let pending: Poll<io::Result<usize>> = Poll::Pending;

        activity.written(&pending, start);
        activity.written(&pending, start + seconds(15));
        assert_eq!(activity.due(&LIMITS, start + seconds(20)), Due::Now);
        activity.written(&Poll::Ready(Ok(1)), start + seconds(19));
        activity.written(&pending, start + seconds(20));

        assert_eq!(activity.due(&LIMITS, start + seconds(39)), Due::At(start + seconds(40)));
    }

    #[test]
    fn between_requests_a_connection_may_idle() {
        let activity = Arc::new(Activity::new(Instant::now()));
        drop(Activity::request(&activity, Version::HTTP_11));
        let ended = activity.lock().quiet_since;

        assert_eq!(activity.due(&LIMITS, ended), Due::At(ended + seconds(60)));
        activity.read(ended + seconds(30));
        assert_eq!(activity.due(&LIMITS, ended + seconds(30)), Due::At(ended + seconds(40)));
    }

    #[test]
    fn frames_of_an_idle_http2_connection_are_no_heads() {
        let activity = Arc::new(Activity::new(Instant::now()));
        drop(Activity::request(&activity, Version::HTTP_2));
        let ended = activity.lock().quiet_since;

        activity.read(ended + seconds(1));

        assert_eq!(activity.due(&LIMITS, ended + seconds(30)), Due::At(ended + seconds(60)));
    }
}
