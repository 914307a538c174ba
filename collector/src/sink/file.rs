//! The sink that appends exchanges to a file: the way to try Tributary without Kafka.
//!
//! A line counts as stored when it is written and the file is synced. Posts that come at the same time share one
//! sync. What could not be synced is cut off again and refused, so the file always ends with a whole, synced line;
//! what a crash left behind is repaired at the next start.
//!
//! The accounts of the sources lie beside it in `<file>.accounts`, one a line, newer ones behind older ones.

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
use tributary_http_types::{SourceAccount, check_line};

use super::{BoxFuture, Condition, Sink, Stored, Trouble, Verdict, rfc3339};
use crate::{
    accounting::{Account, StoredIn},
    lines::Exchange,
};

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
    /// Why the last accounts could not be appended.
    accounts_failure: Mutex<Option<String>>,
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
    accounts: Vec<Bytes>,
    bytes: u64,
    done: oneshot::Sender<Appended>,
}

/// What of a job is synced.
#[derive(Clone, Copy, Debug, Default)]
struct Appended {
    lines: bool,
    accounts: bool,
}

/// Both files.
struct Tails {
    lines: Tail,
    accounts: Tail,
}

impl FileSink {
    /// Opens the file, makes it if it is missing, and repairs its end.
    ///
    /// # Errors
    /// All of [`FileError`]: choose another file, or repair what it names.
    pub(crate) fn open(path: &Path) -> Result<FileSink, FileError> {
        let tails = Tails {
            lines: Tail::open(path, |line| check_line(line).is_ok())?,
            accounts: Tail::open(&accounts_path(path), |line| SourceAccount::from_line(line).is_ok())?,
        };
        let shared = Arc::new(Shared::default());
        let (jobs, waiting) = mpsc::sync_channel(MAX_WAITING);
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("file-sink".to_owned())
            .spawn(move || run(tails, &waiting, &of_thread))
            .map_err(|source| FileError::Io { action: "start a thread for", path: path.to_owned(), source })?;
        Ok(FileSink { jobs: Mutex::new(Some(jobs)), thread: Mutex::new(Some(thread)), shared })
    }

    async fn append(&self, exchanges: &[Exchange], accounts: &[Account]) -> Appended {
        let lines: Vec<Bytes> = exchanges.iter().map(|exchange| exchange.line.clone()).collect();
        let accounts: Vec<Bytes> = accounts.iter().map(|account| account.line.clone()).collect();
        let bytes = lines.iter().chain(&accounts).map(|line| line.len() as u64 + 1).sum();
        let (done, outcome) = oneshot::channel();
        self.shared.queued.fetch_add(bytes, Ordering::Relaxed);
        let sent = match self.jobs.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(jobs) => jobs.try_send(Job { lines, accounts, bytes, done }).is_ok(),
            None => false,
        };
        if !sent {
            self.shared.queued.fetch_sub(bytes, Ordering::Relaxed);
            return Appended::default();
        }
        outcome.await.unwrap_or_default()
    }
}

/// Where the accounts of a file lie.
fn accounts_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".accounts");
    PathBuf::from(name)
}

impl Sink for FileSink {
    fn stored_in(&self) -> StoredIn {
        StoredIn::File
    }

    fn store<'a>(&'a self, exchanges: &'a [Exchange], accounts: &'a [Account]) -> BoxFuture<'a, Stored> {
        Box::pin(async move {
            let appended = self.append(exchanges, accounts).await;
            let verdict = if appended.lines { Verdict::Stored } else { Verdict::Unknown };
            Stored { verdicts: vec![verdict; exchanges.len()], accounts: appended.accounts }
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

/// The thread that writes: everything that waits, then one sync a file, then the answers.
fn run(mut tails: Tails, waiting: &mpsc::Receiver<Job>, shared: &Shared) {
    while let Ok(first) = waiting.recv() {
        let mut jobs = vec![first];
        jobs.extend(waiting.try_iter().take(MAX_POSTS_A_SYNC - 1));
        let appended = tails.append(&jobs, shared);
        for job in jobs {
            shared.queued.fetch_sub(job.bytes, Ordering::Relaxed);
            // Whoever does not wait any more was refused already.
            let _ = job.done.send(appended);
        }
    }
}

impl Tails {
    /// The accounts first: a line must not be there without what explains the gap before it.
    fn append(&mut self, jobs: &[Job], shared: &Shared) -> Appended {
        let mut appended = Appended { lines: true, accounts: true };
        if jobs.iter().any(|job| !job.accounts.is_empty()) {
            let outcome = self.accounts.append(jobs.iter().flat_map(|job| &job.accounts));
            shared.tell_accounts(outcome.as_ref().err());
            appended.accounts = outcome.is_ok();
        }
        if jobs.iter().any(|job| !job.lines.is_empty()) {
            let outcome = self.lines.append(jobs.iter().flat_map(|job| &job.lines));
            shared.tell(outcome.as_ref().err());
            appended.lines = outcome.is_ok();
        }
        appended
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

    /// Remembers how the last accounts went, and logs when that changes.
    fn tell_accounts(&self, error: Option<&io::Error>) {
        let mut failure = self.accounts_failure.lock().unwrap_or_else(PoisonError::into_inner);
        if let (None, Some(error)) = (&*failure, error) {
            tracing::warn!(%error, "The accounts of the sources cannot be written.");
        }
        *failure = error.map(ToString::to_string);
    }

    fn condition_at(&self, now: Instant) -> Condition {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let present = failure.filter(|failure| now.duration_since(failure.last) < FAILURE_LASTS);
        let trouble = |failure: Failure| Trouble { cause: "file", why: failure.why, since: rfc3339(failure.since) };
        let degraded: Vec<Trouble> = present.map(trouble).into_iter().collect();
        let accounts = self.accounts_failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let warnings = accounts.map(|why| format!("accounts are not written: {why}")).into_iter().collect();
        Condition { refuses: !degraded.is_empty(), degraded, warnings }
    }
}
