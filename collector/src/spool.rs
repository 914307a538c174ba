//! The spool: a folder that keeps what was acknowledged while Kafka could not take it.
//!
//! ```text
//! append ──► writer (a thread): groups of posts, one commit and sync a group ──► segment, segment, segment …
//!                                                                                     │ oldest first
//! replay ◄── Replay: batches in order, each settled before the next ◄─────────────────┘ deleted when all is settled
//! ```
//! It promises: what [`Spool::append`] has said yes to is handed out by [`Replay`] in the order of the appends, byte for
//! byte, after whatever end of the process, until it is settled; or, if the disk has lost or changed it, is counted as
//! lost. A few items may be handed out again after a crash. Nothing is ever evicted; what does not fit is refused.
//!
//! The store is SQLite, one database a segment: see `segment`, and ARCHITECTURE.md for the comparison. What stands in
//! it proves itself (`frame`), so that damage costs only what it hits (`salvage`).

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::oneshot;

use directory::Directory;
use state::State;
use writer::{Append, Job};

pub use directory::SpoolError;
pub(crate) use frame::{Item, Kind};
pub(crate) use replay::{Batch, Fates, Next, Replay};
pub(crate) use state::SpoolReport;

mod directory;
mod frame;
mod mark;
#[cfg(test)]
mod mutations;
mod replay;
mod salvage;
mod segment;
mod state;
mod stock;
#[cfg(test)]
mod tests;
mod writer;

/// Posts that may wait for the disk.
const MAX_WAITING: usize = 1024;

/// The lines that Kafka refuses for good and no dead-letter topic takes, in `aside/`.
const REFUSED: &str = "refused.jsonl";

/// What a spool is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpoolSettings {
    /// The folder; made if it is missing.
    pub(crate) folder: PathBuf,
    /// Bytes of all files in it at most.
    pub(crate) max_bytes: u64,
    /// Bytes of a segment after which the next one is begun.
    pub(crate) segment_bytes: u64,
}

impl SpoolSettings {
    /// A folder, and how many bytes may lie in it.
    pub(crate) fn new(folder: PathBuf, max_bytes: u64) -> SpoolSettings {
        // A small spool still has several segments, so that space comes back while it is replayed.
        SpoolSettings { folder, max_bytes, segment_bytes: segment::SEGMENT_BYTES.min(max_bytes / 8) }
    }
}

/// Why items were not taken. Nothing is promised for them then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum AppendError {
    /// They do not fit into the bound.
    #[error("the spool is full")]
    Full,
    /// The disk failed, or too many wait for it.
    #[error("the spool cannot be written")]
    Failed,
}

/// What keeps a spool from taking items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpoolTrouble {
    /// What was seen.
    pub why: String,
    /// Since when.
    pub since: std::time::SystemTime,
}

/// A spool in use. Two halves may be used at once: [`append`](Self::append) by anybody, [`Replay`] by one.
pub(crate) struct Spool {
    shared: Arc<Shared>,
    jobs: Mutex<Option<mpsc::SyncSender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the writer and the replay share.
struct Shared {
    directory: Directory,
    settings: SpoolSettings,
    state: Mutex<State>,
    /// Bytes of items that wait for the disk.
    queued: AtomicU64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under this lock, and no disk is touched.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spool {
    /// Takes a folder, and stock of what lies in it: damaged and foreign files never keep it from opening.
    ///
    /// # Errors
    /// All of [`SpoolError`].
    pub(crate) fn open(settings: SpoolSettings) -> Result<Spool, SpoolError> {
        let directory = Directory::open(&settings.folder)?;
        let state = stock::take(&directory)?;
        let shared = Arc::new(Shared { directory, settings, state: Mutex::new(state), queued: AtomicU64::new(0) });
        let (jobs, waiting) = mpsc::sync_channel(MAX_WAITING);
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || writer::run(&of_thread, &waiting))
            .map_err(shared.directory.failed("start a thread for"))?;
        Ok(Spool { shared, jobs: Mutex::new(Some(jobs)), thread: Mutex::new(Some(thread)) })
    }

    /// Keeps items, in this order; all or nothing. `Ok` is a promise: synced, whatever dies now.
    ///
    /// # Errors
    /// - [`AppendError::Full`]: come again when some of it is replayed.
    /// - [`AppendError::Failed`]: come again.
    pub(crate) async fn append(&self, items: Vec<(Kind, Bytes)>) -> Result<(), AppendError> {
        let bytes = items.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        let (done, outcome) = oneshot::channel();
        self.shared.queued.fetch_add(bytes, Ordering::Relaxed);
        let sent = self.send(Job::Append(Append { items, done }));
        let outcome = if sent { outcome.await.unwrap_or(Err(AppendError::Failed)) } else { Err(AppendError::Failed) };
        self.shared.queued.fetch_sub(bytes, Ordering::Relaxed);
        outcome
    }

    /// The other half. Two at a time would hand out the same items twice.
    pub(crate) fn replay(&self) -> Replay {
        Replay::new(Arc::clone(&self.shared))
    }

    /// Begins a new segment, so that all that is there now can be replayed.
    pub(crate) async fn seal(&self) {
        let (done, sealed) = oneshot::channel();
        if self.send(Job::Seal(done)) {
            // The thread ends: then everything is sealed.
            let _ = sealed.await;
        }
    }

    /// Items that wait to be replayed.
    pub(crate) fn waiting(&self) -> u64 {
        self.shared.lock().waiting()
    }

    /// Bytes of items that wait for the disk.
    pub(crate) fn queued_bytes(&self) -> u64 {
        self.shared.queued.load(Ordering::Relaxed)
    }

    /// Whether what was refused last for want of space would not fit now either.
    pub(crate) fn is_full(&self) -> bool {
        self.shared.lock().is_full(self.shared.settings.max_bytes)
    }

    /// Whether the disk failed last time.
    pub(crate) fn trouble(&self) -> Option<SpoolTrouble> {
        self.shared.lock().trouble.clone()
    }

    /// All numbers, at one moment.
    pub(crate) fn report(&self) -> SpoolReport {
        self.shared.lock().report(self.shared.settings.max_bytes)
    }

    /// Lets the thread finish what it has, at most `within`. Nothing is taken after that. `false`: it did not finish.
    pub(crate) async fn close(&self, within: Duration) -> bool {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() else { return true };
        let joined = tokio::task::spawn_blocking(move || thread.join().is_ok());
        matches!(tokio::time::timeout(within, joined).await, Ok(Ok(true)))
    }

    fn send(&self, job: Job) -> bool {
        // Not a waiting send: whoever finds the queue full is told so at once.
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.as_ref().is_some_and(|jobs| jobs.try_send(job).is_ok())
    }
}
