//! The sockets: an accept loop of our own, for `axum::serve` has no time-out for a connection that says nothing.
//!
//! Every connection has a watch: it must say something soon, finish a request's head in time, and not be idle for
//! too long. HTTP/1.1 and HTTP/2 (with prior knowledge or by ALPN) share one port.

use std::{
    convert::Infallible,
    future::{Future as _, poll_fn},
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::{Duration, Instant},
};

use axum::{Router, body::Body, response::IntoResponse as _};
use http::{Request, StatusCode};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulConnection},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    time::{sleep, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service as _;

use crate::{app::App, log::Gate};

use tls::{Client, Tls};
use watch::{Activity, Due, Watched};

#[cfg(test)]
mod tests;
pub(crate) mod tls;
mod watch;

/// The bounds of connections.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Connections at a time; one more is closed at once.
    pub max_connections: u64,
    /// From the connection to its first byte.
    pub first_byte_within: Duration,
    /// From the connection to the end of the TLS handshake.
    pub tls_handshake_within: Duration,
    /// From the first byte of a request to the end of its head.
    pub header_within: Duration,
    /// Without a request.
    pub max_idle: Duration,
    /// For the client to read on, when an answer waits to be written.
    pub write_within: Duration,
    /// Bytes of the head of a request, as HTTP/1.1 writes it.
    pub max_header_bytes: u32,
    /// Headers of a request.
    pub max_headers: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub max_streams: u32,
}

/// Connections that wait to be taken; more are tried again by their kernels.
const BACKLOG: u32 = 1024;

/// Bytes of answers that the kernel keeps for a client (it doubles them): some hundred receipts. Left alone it keeps
/// megabytes, and whoever asks for `/metrics` and never reads would have us write it hundreds of times.
const SEND_BUFFER_BYTES: u32 = 64 * 1024;

/// Opens the port. Needs a runtime.
///
/// # Errors
/// The address is taken, or not ours.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // The port of a collector that has just ended is free for the next one.
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A server that can be ended.
pub(crate) struct Server {
    app: Arc<App>,
    router: Router,
    tls: Option<Arc<Tls>>,
    limits: ServerLimits,
    http: auto::Builder<TokioExecutor>,
    /// Cancelled: take no connections any more, and let those that are there finish.
    ending: CancellationToken,
    connections: TaskTracker,
}

impl Server {
    /// A server for `app`; with `tls` it speaks nothing else.
    pub(crate) fn new(app: Arc<App>, tls: Option<Arc<Tls>>, limits: ServerLimits) -> Arc<Server> {
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1()
            .timer(TokioTimer::new())
            // It would end idle connections too; the watch knows the difference.
            .header_read_timeout(None)
            .max_buf_size(limits.max_header_bytes as usize)
            .max_headers(limits.max_headers);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.max_streams)
            .max_header_list_size(limits.max_header_bytes)
            // "Rapid reset", CVE-2023-44487: a client that cancels what it sends is cut off early.
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(64);
        let router = app.router();
        let (ending, connections) = (CancellationToken::new(), TaskTracker::new());
        Arc::new(Server { app, router, tls, limits, http, ending, connections })
    }

    /// Takes connections until [`end`](Self::end).
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        static ACCEPT: Gate = Gate::new();
        loop {
            let accepted = tokio::select! {
                () = self.ending.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => self.take(stream),
                Err(error) => {
                    if let Some(held_back) = ACCEPT.pass() {
                        tracing::warn!(%error, held_back, "Connection not accepted.");
                    }
                    // Nearly always no file descriptor is free; the next try would fail at once.
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Takes no more connections, lets each finish its requests, and cuts what is left after `within`. `false`: some
    /// were cut.
    pub(crate) async fn end(&self, within: Duration) -> bool {
        self.ending.cancel();
        self.connections.close();
        timeout(within, self.connections.wait()).await.is_ok()
    }

    fn take(self: &Arc<Self>, stream: TcpStream) {
        static FULL: Gate = Gate::new();
        let counts = &self.app.connections;
        if counts.open.load(Ordering::Relaxed) >= self.limits.max_connections {
            counts.turned_away.fetch_add(1, Ordering::Relaxed);
            if let Some(held_back) = FULL.pass() {
                tracing::warn!(limit = self.limits.max_connections, held_back, "Too many connections.");
            }
            return;
        }
        counts.open.fetch_add(1, Ordering::Relaxed);
        counts.accepted.fetch_add(1, Ordering::Relaxed);
        let server = Arc::clone(self);
        self.connections.spawn(async move {
            let guard = Leave(&server.app);
            server.connection(stream).await;
            drop(guard);
        });
    }

    async fn connection(&self, stream: TcpStream) {
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        let mut first_byte = [0];
        let begins = timeout(self.limits.first_byte_within, stream.peek(&mut first_byte));
        let begun = tokio::select! {
            () = self.ending.cancelled() => return,
            begun = begins => begun,
        };
        match begun {
            Ok(Ok(1)) => {}
            Ok(_) => return,
            Err(_) => return self.count_time_out(),
        }
        let Some(tls) = &self.tls else { return self.http(stream, None).await };
        let handshake = tls.acceptor(Instant::now()).accept(stream);
        match timeout(self.limits.tls_handshake_within, handshake).await {
            Ok(Ok(stream)) => {
                let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
                let client = Client::new(Arc::clone(tls), chain.iter().map(|one| one.clone().into_owned()).collect());
                self.http(stream, Some(client)).await;
            }
            Ok(Err(error)) => {
                self.app.connections.tls_failed.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%error, "TLS handshake failed.");
            }
            Err(_) => self.count_time_out(),
        }
    }

    async fn http(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, client: Option<Arc<Client>>) {
        let activity = Arc::new(Activity::new(Instant::now()));
        let max_header_bytes = self.limits.max_header_bytes as usize;
        let service = {
            let (activity, router) = (Arc::clone(&activity), self.router.clone());
            service_fn(move |mut request: Request<Incoming>| {
                if let Some(client) = &client {
                    request.extensions_mut().insert(Arc::clone(client));
                }
                let under_way = Activity::request(&activity, request.version());
                // The reader of HTTP/1 takes in more at a time than it has to; here the bound is exact.
                let fits = head_bytes(&request) <= max_header_bytes;
                let answer = fits.then(|| router.clone().call(request.map(Body::new)));
                async move {
                    let answer = match answer {
                        Some(answer) => answer.await,
                        None => Ok(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response()),
                    };
                    drop(under_way);
                    answer as Result<_, Infallible>
                }
            })
        };
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&activity)));
        let connection = self.http.serve_connection(io, service);
        if self.watch(connection, &activity).await == End::TimeUp {
            self.count_time_out();
        }
    }

    /// Drives the connection to its end, or until its time is up. After every step of it, for each may have changed
    /// how much time it has.
    async fn watch<C: GracefulConnection>(&self, connection: C, activity: &Activity) -> End {
        let mut connection = pin!(connection);
        let mut ending = pin!(self.ending.cancelled());
        let mut is_ending = false;
        let mut timer = pin!(sleep_until((Instant::now() + self.limits.first_byte_within).into()));
        poll_fn(|cx| {
            // A broken connection is the client's affair; its posts are in the account either way.
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Done);
            }
            if !is_ending && ending.as_mut().poll(cx).is_ready() {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
                if connection.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(End::Done);
                }
            }
            loop {
                let Due::At(due) = activity.due(&self.limits, Instant::now()) else {
                    return Poll::Ready(End::TimeUp);
                };
                if due < timer.deadline().into_std() {
                    timer.as_mut().reset(due.into());
                }
                match timer.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) => timer.as_mut().reset(due.into()),
                }
            }
        })
        .await
    }

    fn count_time_out(&self) {
        self.app.connections.timed_out.fetch_add(1, Ordering::Relaxed);
    }
}

/// Bytes of a head as HTTP/1.1 writes it: the line of the request, a line for each header, and an empty one.
fn head_bytes<B>(request: &Request<B>) -> usize {
    let uri = request.uri();
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    let absolute = uri.scheme_str().map_or(0, |scheme| scheme.len() + "://".len());
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let line = request.method().as_str().len() + absolute + authority + target + "  HTTP/1.1\r\n".len();
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    line + headers.sum::<usize>() + "\r\n".len()
}

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Done,
    TimeUp,
}

/// Counts a connection out, however it ends.
struct Leave<'a>(&'a App);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.connections.open.fetch_sub(1, Ordering::Relaxed);
    }
}
