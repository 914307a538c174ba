//! The thread that writes: everything that waits, then one commit, then the answers.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{
    AppendError, Shared, SpoolTrouble,
    frame::{self, Item, Kind},
    mark::Sync,
    segment::{PAGE_BYTES, Segment, StoreError},
    state::{Active, Trust},
};

/// Posts and bytes that share one commit at most.
const MAX_POSTS_A_COMMIT: usize = 256;
const MAX_BYTES_A_COMMIT: u64 = 8 * 1024 * 1024;

/// After a failure the disk is left alone for so long, and then tried without waiting for a post: a collector that is
/// not ready gets none, and without one would never learn that there is room again.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What the thread is asked for.
pub(super) enum Job {
    /// To keep items.
    Append(Append),
    /// To begin a new segment.
    Seal(oneshot::Sender<()>),
}

/// Items to keep, all or none.
pub(super) struct Append {
    pub(super) items: Vec<(Kind, Bytes)>,
    pub(super) done: oneshot::Sender<Result<(), AppendError>>,
}

impl Append {
    /// Bytes that it takes on the disk at most: a page takes frames until the next one does not fit, so at least half
    /// of it is used.
    fn disk_bytes(&self) -> u64 {
        let of_item = |bytes: &Bytes| (bytes.len() + frame::parts_of(bytes.len()) * (frame::HEAD_BYTES + 16)) as u64;
        self.items.iter().map(|(_, bytes)| 2 * of_item(bytes)).sum::<u64>() + 4 * PAGE_BYTES as u64
    }
}

/// Serves until all senders are gone.
pub(super) fn run(shared: &Shared, jobs: &Receiver<Job>) {
    let mut writer = Writer { shared, segment: None, failed: None };
    loop {
        match jobs.recv_timeout(writer.patience()) {
            Ok(first) => writer.serve(first, jobs),
            Err(RecvTimeoutError::Timeout) => writer.try_again(),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    writer.seal(Trust::Good);
    let mark = shared.lock().mark();
    if let Err(error) = mark.write(shared.directory.path(), Sync::Yes) {
        tracing::warn!(%error, "The spool's mark could not be written: what was replayed may be replayed again.");
    }
}

struct Writer<'a> {
    shared: &'a Shared,
    segment: Option<Segment>,
    /// When the last try failed.
    failed: Option<Instant>,
}

impl Writer<'_> {
    fn patience(&self) -> Duration {
        // Without a failure there is nothing to wake up for; an hour is as good as any.
        if self.failed.is_some() { TRY_AGAIN_AFTER } else { Duration::from_secs(3600) }
    }

    /// Serves a job, and those that came in the meantime together with it.
    fn serve(&mut self, first: Job, jobs: &Receiver<Job>) {
        let mut group = Group::default();
        let mut next = Some(first);
        while let Some(job) = next {
            match job {
                Job::Seal(done) => {
                    self.commit(std::mem::take(&mut group));
                    self.seal(Trust::Good);
                    let _ = done.send(());
                }
                Job::Append(append) => self.admit(append, &mut group),
            }
            if group.posts.len() >= MAX_POSTS_A_COMMIT || group.bytes >= MAX_BYTES_A_COMMIT {
                break;
            }
            next = jobs.try_recv().ok();
        }
        self.commit(group);
    }

    /// Adds a post to the group if it fits into the spool.
    fn admit(&self, append: Append, group: &mut Group) {
        let bytes = append.disk_bytes();
        let fits = {
            let mut state = self.shared.lock();
            let fits = state.bytes() + group.disk_bytes + bytes <= self.shared.settings.max_bytes;
            if !fits {
                state.refused_bytes = Some(bytes);
            }
            fits
        };
        if !fits {
            let _ = append.done.send(Err(AppendError::Full));
            return;
        }
        group.disk_bytes += bytes;
        group.bytes += append.items.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
        group.posts.push(append);
    }

    fn commit(&mut self, group: Group) {
        if group.posts.is_empty() {
            return;
        }
        let outcome = self.write(&group);
        let answer = outcome.map_err(|()| AppendError::Failed);
        for post in group.posts {
            // Whoever does not wait any more was refused already.
            let _ = post.done.send(answer);
        }
        let is_long_enough = |active: &Active| active.bytes >= self.shared.settings.segment_bytes;
        let full = self.shared.lock().active.as_ref().is_some_and(is_long_enough);
        if full {
            self.seal(Trust::Good);
        }
    }

    fn write(&mut self, group: &Group) -> Result<(), ()> {
        if self.failed.is_some_and(|when| when.elapsed() < TRY_AGAIN_AFTER) {
            return Err(());
        }
        let now = SystemTime::now();
        let at_millis = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let first = self.shared.lock().filled_below;
        let kept = group.posts.iter().flat_map(|post| &post.items);
        let items: Vec<Item> = (first..)
            .zip(kept)
            .map(|(seq, (kind, bytes))| Item { seq, at_millis, kind: *kind, bytes: bytes.clone() })
            .collect();
        let segment = self.segment(first)?;
        if let Err(error) = segment.append(items.iter()) {
            self.fail(&error);
            return Err(());
        }
        let bytes = self.active_bytes();
        let mut state = self.shared.lock();
        state.appended(items.len() as u64, bytes, now);
        if state.trouble.take().is_some() {
            tracing::info!("The spool takes exchanges again.");
        }
        self.failed = None;
        Ok(())
    }

    /// The segment that is written, a new one if there is none.
    fn segment(&mut self, first: u64) -> Result<&mut Segment, ()> {
        if self.segment.is_none() {
            let paths = self.shared.directory.segment(first);
            let make = || -> Result<Segment, StoreError> {
                paths.remove()?;
                let segment = Segment::create(&paths)?;
                self.shared.directory.sync()?;
                Ok(segment)
            };
            match make() {
                Ok(segment) => {
                    self.shared.lock().active = Some(Active { first, bytes: paths.bytes() });
                    self.segment = Some(segment);
                }
                Err(error) => {
                    // If it cannot be removed now, it is before the next try.
                    let _ = paths.remove();
                    self.fail(&error);
                }
            }
        }
        self.segment.as_mut().ok_or(())
    }

    /// Tries the disk without a post.
    fn try_again(&mut self) {
        let first = self.shared.lock().filled_below;
        if self.failed.is_some() && self.segment(first).is_ok() {
            self.failed = None;
            self.shared.lock().trouble = None;
            tracing::info!("The spool can be written again.");
        }
    }

    /// A commit failed: what the segment holds is read from the disk before any of it is believed, and nothing is
    /// added to it.
    fn fail(&mut self, error: &StoreError) {
        let known = {
            let mut state = self.shared.lock();
            state.counts.failed_commits += 1;
            let why = error.to_string();
            let since = state.trouble.as_ref().map(|trouble| trouble.since);
            state.trouble = Some(SpoolTrouble { why, since: since.unwrap_or_else(SystemTime::now) });
            since.is_some()
        };
        if !known {
            tracing::error!(%error, "The spool cannot be written; what came last is not acknowledged.");
        }
        self.failed = Some(Instant::now());
        self.seal(Trust::None);
    }

    /// Ends the segment that is written, if there is one.
    fn seal(&mut self, trust: Trust) {
        self.segment = None;
        let Some(first) = self.shared.lock().active.as_ref().map(|active| active.first) else { return };
        let sealed = self.shared.lock().seal(trust);
        let outcome = match sealed {
            // Nothing in it was acknowledged.
            None => self.shared.directory.segment(first).remove(),
            Some(_) => self.shared.lock().mark().write(self.shared.directory.path(), Sync::No),
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, "The spool's directory could not be tidied.");
        }
    }

    fn active_bytes(&self) -> u64 {
        let first = self.shared.lock().active.as_ref().map(|active| active.first);
        first.map_or(0, |first| self.shared.directory.segment(first).bytes())
    }
}

/// Posts that share a commit.
#[derive(Default)]
struct Group {
    posts: Vec<Append>,
    bytes: u64,
    disk_bytes: u64,
}
