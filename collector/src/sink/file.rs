//! The sink that appends exchanges to a file: the way to try Tributary without Kafka.
//!
//! A line counts as stored when it is written and the file is synced. Posts that come at the same time share one
//! sync. What could not be synced is cut off again and refused, so the file always ends with a whole, synced line;
//! what a crash left behind is repaired at the next start.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::oneshot;

use super::{BoxFuture, Condition, Sink, Trouble, Verdict, rfc3339};
use crate::{accounting::StoredIn, lines::Exchange};

use tail::Tail;

mod tail;
#[cfg(test)]
mod tests;

/// Posts that share one sync at most.
const MAX_POSTS_A_SYNC: usize = 256;

/// How long a failed append is held against the disk when nobody tries again: a collector that is not ready gets no
/// posts, and without posts would never learn that there is room again.
const FAILURE_LASTS: Duration = Duration::from_secs(30);

/// Posts that may wait for the disk.
const MAX_WAITING: usize = 1024;

/// Why the file cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// It cannot be opened, read or repaired.
    #[error("{action} {path}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is a directory, a pipe or a device.
    #[error("{path} is no regular file", path = .0.display())]
    NotRegular(PathBuf),
    /// Another process writes it.
    #[error("{path} is in use by another process", path = .0.display())]
    InUse(PathBuf),
}

/// Stores exchanges in a file, one a line.
pub(crate) struct FileSink {
    jobs: Mutex<Option<mpsc::SyncSender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    failure: Mutex<Option<Failure>>,
    queued: AtomicU64,
}

/// Appends that failed, without a good one in between.
#[derive(Clone)]
struct Failure {
    why: String,
    since: SystemTime,
    last: Instant,
}

struct Job {
    lines: Vec<Bytes>,
    bytes: u64,
    done: oneshot::Sender<bool>,
}

impl FileSink {
    /// Opens the file, makes it if it is missing, and repairs its end.
    ///
    /// # Errors
    /// All of [`FileError`]: choose another file, or repair what it names.
    pub(crate) fn open(path: &Path) -> Result<FileSink, FileError> {
        let tail = Tail::open(path)?;
        let shared = Arc::new(Shared::default());
        let (jobs, waiting) = mpsc::sync_channel(MAX_WAITING);
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("file-sink".to_owned())
            .spawn(move || run(tail, &waiting, &of_thread))
            .map_err(|source| FileError::Io { action: "start a thread for", path: path.to_owned(), source })?;
        Ok(FileSink { jobs: Mutex::new(Some(jobs)), thread: Mutex::new(Some(thread)), shared })
    }

    async fn append(&self, exchanges: &[Exchange]) -> bool {
        let lines: Vec<Bytes> = exchanges.iter().map(|exchange| exchange.line.clone()).collect();
        let bytes = lines.iter().map(|line| line.len() as u64 + 1).sum();
        let (done, outcome) = oneshot::channel();
        self.shared.queued.fetch_add(bytes, Ordering::Relaxed);
        let sent = match self.jobs.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(jobs) => jobs.try_send(Job { lines, bytes, done }).is_ok(),
            None => false,
        };
        if !sent {
            self.shared.queued.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        outcome.await.unwrap_or(false)
    }
}

impl Sink for FileSink {
    fn stored_in(&self) -> StoredIn {
        StoredIn::File
    }

    fn store<'a>(&'a self, exchanges: &'a [Exchange]) -> BoxFuture<'a, Vec<Verdict>> {
        Box::pin(async move {
            let verdict = if self.append(exchanges).await { Verdict::Stored } else { Verdict::Unknown };
            vec![verdict; exchanges.len()]
        })
    }

    fn is_blocked(&self) -> bool {
        // Only a try tells whether a disk has room again.
        false
    }

    fn condition(&self) -> Condition {
        self.shared.condition_at(Instant::now())
    }

    fn queued_bytes(&self) -> u64 {
        self.shared.queued.load(Ordering::Relaxed)
    }

    fn close(&self, within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
            let joined = tokio::task::spawn_blocking(move || thread.join().is_ok());
            if tokio::time::timeout(within, joined).await.is_err() {
                tracing::warn!("The disk did not finish in time; what it holds back was never acknowledged.");
            }
        })
    }
}

/// The thread that writes: everything that waits, then one sync, then the answers.
fn run(mut tail: Tail, waiting: &mpsc::Receiver<Job>, shared: &Shared) {
    while let Ok(first) = waiting.recv() {
        let mut jobs = vec![first];
        jobs.extend(waiting.try_iter().take(MAX_POSTS_A_SYNC - 1));
        let outcome = tail.append(jobs.iter().flat_map(|job| &job.lines));
        shared.tell(outcome.as_ref().err());
        for job in jobs {
            shared.queued.fetch_sub(job.bytes, Ordering::Relaxed);
            // Whoever does not wait any more was refused already.
            let _ = job.done.send(outcome.is_ok());
        }
    }
}

impl Shared {
    /// Remembers how the last append went, and logs when that changes.
    fn tell(&self, error: Option<&io::Error>) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match (error, failure.as_mut()) {
            (None, None) => {}
            (None, Some(_)) => {
                *failure = None;
                tracing::info!("The file takes exchanges again.");
            }
            (Some(error), Some(known)) => {
                known.why = error.to_string();
                known.last = Instant::now();
            }
            (Some(error), None) => {
                tracing::warn!(%error, "The file cannot take exchanges.");
                *failure = Some(Failure { why: error.to_string(), since: SystemTime::now(), last: Instant::now() });
            }
        }
    }

    fn condition_at(&self, now: Instant) -> Condition {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let present = failure.filter(|failure| now.duration_since(failure.last) < FAILURE_LASTS);
        let trouble = |failure: Failure| Trouble { cause: "file", why: failure.why, since: rfc3339(failure.since) };
        let degraded: Vec<Trouble> = present.map(trouble).into_iter().collect();
        Condition { refuses: !degraded.is_empty(), degraded, warnings: Vec::new() }
    }
}
