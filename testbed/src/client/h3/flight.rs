//! What one poll writes leaves together, whatever else runs meanwhile.

use std::{
    io,
    net::UdpSocket,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime};

/// A runtime whose tasks stand still while a request is written.
///
/// QUIC sends from a task of its own. The head of a request and its end are two writes: where that task runs between them, the
/// server sees a request that goes on, and Envoy asks its upstream with `transfer-encoding: chunked` where it otherwise does
/// not. Two equal calls would then differ by themselves.
#[derive(Clone, Debug, Default)]
pub(super) struct Flight(Arc<Mutex<()>>);

impl Flight {
    /// Runs `future`; while it is polled, no other future of this flight is.
    pub(super) async fn together<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        std::future::poll_fn(|context| {
            let _alone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            future.as_mut().poll(context)
        })
        .await
    }
}

impl Runtime for Flight {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let flight = self.clone();
        tokio::spawn(async move { flight.together(task).await });
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}
