//! The threads that unpack and judge large posts.
//!
//! Few, and always the same: a decoder of zstd holds up to 8 MiB, and what a thread has once held its allocator keeps for
//! it. On the runtime's pool, which grows to hundreds of threads, a flood of packed posts would keep that many times as
//! much.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// How many: what they hold at most must not grow with the machine, and beyond that Kafka is the slower part.
const THREADS: usize = 2;

/// The threads, which end when this is dropped and their work is done.
pub(crate) struct Computers {
    queue: Sender<Job>,
}

impl Computers {
    /// Starts them.
    pub(crate) fn start() -> Computers {
        let (queue, jobs) = channel();
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..THREADS {
            let jobs = Arc::clone(&jobs);
            let thread = thread::Builder::new().name("computing".to_owned());
            if let Err(error) = thread.spawn(move || work(&jobs)) {
                tracing::error!(%error, "A thread for large posts did not start.");
            }
        }
        Computers { queue }
    }

    /// Computes it, when its turn has come. `None`: nobody could.
    pub(crate) async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (done, outcome) = oneshot::channel();
        // Nobody may wait for it any more; then its work was for nothing.
        let job = move || {
            if !done.is_closed() {
                drop(done.send(work()))
            }
        };
        self.queue.send(Box::new(job)).ok()?;
        outcome.await.ok()
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // A decoder that panics costs its post an answer, and not all later ones their thread.
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("A post could not be unpacked: the program is wrong.");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn many_at_a_time_are_all_computed() {
        let computers = Computers::start();

        let all = (0..100).map(|number| computers.compute(move || number * 2));

        let expected: Vec<_> = (0..100).map(|number| Some(number * 2)).collect();
        assert_eq!(futures_util::future::join_all(all).await, expected);
    }

    #[tokio::test]
    async fn a_panic_costs_no_thread() {
        let computers = Computers::start();

        for _ in 0..10 {
            assert_eq!(computers.compute(|| -> u8 { panic!("a test") }).await, None);
        }

        assert_eq!(computers.compute(|| 1).await, Some(1));
    }
}
