//! The other end of the spool: everything in it, oldest first, in batches.
//!
//! A batch is handed out, settled, and only then comes the next one. A segment is deleted when all of it is settled and
//! the mark that says so is on the disk. What SQLite cannot read is salvaged; what cannot be salvaged is counted as lost
//! and the files are set aside.

use std::{
    collections::VecDeque,
    io,
    ops::Range,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use super::{
    Shared,
    frame::{self, Assembled, Assembly, Item, count},
    mark::Sync,
    salvage::{Salvage, forget_cached},
    segment::Rows,
    state::{Sealed, Trust},
};
use crate::fail_point::fail_point;

/// Items in order. Numbers of the range that have no item are lost.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The items.
    pub items: Vec<Item>,
    /// The numbers that are settled with it.
    pub range: Range<u64>,
}

/// Where the items of a batch went; those that are in none of these were not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fates {
    /// Kafka has them.
    pub replayed: u64,
    /// The dead-letter topic has them.
    pub dead_lettered: u64,
    /// They lie in a file.
    pub set_aside: u64,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A batch.
    Batch(Batch),
    /// All that is left is in the segment that is written: [seal](super::Spool::seal) it, and ask again.
    Unsealed,
    /// Nothing waits.
    Nothing,
}

/// Hands out what waits. It touches the disk: keep it off the threads that serve.
pub(crate) struct Replay {
    shared: Arc<Shared>,
    open: Option<Open>,
}

/// The segment that is handed out.
struct Open {
    segment: Sealed,
    source: Source,
    next: u64,
    lost: u64,
    was_salvaged: bool,
}

enum Source {
    Rows { rows: Rows, assembly: Assembly, ready: VecDeque<Item> },
    Salvage(Salvage),
}

impl Replay {
    pub(super) fn new(shared: Arc<Shared>) -> Replay {
        Replay { shared, open: None }
    }

    /// The next batch: at most `max_items`, and no item more once there are `max_bytes`. Items that were handed out and
    /// not settled come again only in the next process.
    ///
    /// # Errors
    /// Those of the disk that may pass. Try again later.
    pub(crate) fn next(&mut self, max_items: usize, max_bytes: usize) -> io::Result<Next> {
        loop {
            if let Some(open) = &mut self.open {
                if open.next < open.segment.range.end {
                    return Ok(Next::Batch(open.batch(&self.shared, max_items, max_bytes)?));
                }
                self.finish()?;
                continue;
            }
            let (front, settled_below, filled_below, is_active) = {
                let state = self.shared.lock();
                (state.sealed.front().cloned(), state.settled_below, state.filled_below, state.active.is_some())
            };
            match front {
                // A hole before it: a segment is gone.
                Some(segment) if segment.range.start > settled_below => {
                    return Ok(Next::Batch(Batch { items: Vec::new(), range: settled_below..segment.range.start }));
                }
                Some(segment) => self.open = Some(Open::new(&self.shared, segment, settled_below)?),
                None if settled_below == filled_below => return Ok(Next::Nothing),
                None if is_active => return Ok(Next::Unsealed),
                None => return Ok(Next::Batch(Batch { items: Vec::new(), range: settled_below..filled_below })),
            }
        }
    }

    /// Enters where the items of a batch went. Deletes the segment if it was the last of it.
    ///
    /// # Errors
    /// Those of the disk; what was entered is entered, the deletion comes later.
    pub(crate) fn settle(&mut self, batch: &Batch, fates: Fates) -> io::Result<()> {
        let at = batch.items.last().map(|item| UNIX_EPOCH + Duration::from_millis(item.at_millis));
        let lost = count(&batch.range).saturating_sub(batch.items.len() as u64);
        if lost > 0 {
            self.tell_lost(&batch.range, lost);
        }
        let mark = {
            let mut state = self.shared.lock();
            state.settle(&batch.range, fates, at);
            state.mark()
        };
        if let Some(open) = &mut self.open {
            open.lost += lost;
            if open.segment.range.end <= batch.range.end {
                return self.finish();
            }
        }
        mark.write(self.shared.directory.path(), Sync::No)
    }

    /// Keeps a line that nobody takes in a file.
    ///
    /// # Errors
    /// Those of the disk: the item is not settled.
    pub(crate) fn set_aside(&self, item: &Item) -> io::Result<()> {
        let outcome = self.shared.directory.keep_line_aside(super::REFUSED, &item.bytes);
        let aside = self.shared.directory.aside();
        self.shared.lock().aside = aside;
        outcome
    }

    fn tell_lost(&self, range: &Range<u64>, lost: u64) {
        let segment = self.open.as_ref().map(|open| open.segment.range.start);
        let words = match segment {
            Some(segment) => format!("segment {segment}: {lost} items of {}..{} are lost", range.start, range.end),
            None => format!("{lost} items of {}..{} are lost, their segment is gone", range.start, range.end),
        };
        tracing::error!(lost, segment, from = range.start, to = range.end, "The disk has lost items of the spool.");
        self.shared.lock().damaged(words);
    }

    /// Deletes the segment that is done, or sets it aside if it is damaged.
    fn finish(&mut self) -> io::Result<()> {
        let Some(open) = &self.open else { return Ok(()) };
        let directory = &self.shared.directory;
        let mark = self.shared.lock().mark();
        mark.write(directory.path(), Sync::Yes)?;
        fail_point("replay-before-delete");
        let paths = directory.segment(open.segment.range.start);
        if open.lost > 0 {
            directory.set_aside(&paths)?;
        } else {
            paths.remove()?;
        }
        let damaged = open.was_salvaged || open.lost > 0;
        if damaged {
            let (segment, lost) = (open.segment.range.start, open.lost);
            tracing::warn!(segment, lost, "A segment of the spool was damaged; what was intact of it is replayed.");
        }
        let aside = directory.aside();
        let mut state = self.shared.lock();
        state.sealed.pop_front();
        state.aside = aside;
        state.counts.damaged_segments += u64::from(damaged);
        drop(state);
        self.open = None;
        Ok(())
    }
}

impl Open {
    fn new(shared: &Shared, segment: Sealed, settled_below: u64) -> io::Result<Open> {
        let next = settled_below.max(segment.range.start);
        let paths = shared.directory.segment(segment.range.start);
        let rows = match segment.trust {
            Trust::Good => Rows::open(&paths).ok(),
            Trust::None => {
                forget_cached(&paths);
                None
            }
        };
        let source = match rows {
            Some(rows) => Source::Rows { rows, assembly: Assembly::default(), ready: VecDeque::new() },
            None => Source::Salvage(Salvage::search(&paths, &segment.range)?),
        };
        let was_salvaged = matches!(source, Source::Salvage(_)) && segment.trust == Trust::Good;
        Ok(Open { segment, source, next, lost: 0, was_salvaged })
    }

    fn batch(&mut self, shared: &Shared, max_items: usize, max_bytes: usize) -> io::Result<Batch> {
        if let Some(batch) = self.batch_of_rows(max_items, max_bytes) {
            return Ok(batch);
        }
        if let Source::Rows { .. } = self.source {
            // SQLite has met damage, or ends too soon: it takes a log for ended where it is damaged.
            let paths = shared.directory.segment(self.segment.range.start);
            self.source = Source::Salvage(Salvage::search(&paths, &self.segment.range)?);
            self.was_salvaged = true;
        }
        let Source::Salvage(salvage) = &self.source else { return Err(io::ErrorKind::Other.into()) };
        let (mut items, mut bytes, mut end) = (Vec::new(), 0, self.segment.range.end);
        for item in salvage.items(self.next) {
            if items.len() >= max_items || bytes >= max_bytes {
                // Numbers without an item go with the batch before them.
                end = item.seq;
                break;
            }
            bytes += item.bytes.len();
            items.push(item);
        }
        Ok(self.handed_out(items, end))
    }

    /// The next items as SQLite gives them; `None` if the very next one does not come.
    fn batch_of_rows(&mut self, max_items: usize, max_bytes: usize) -> Option<Batch> {
        let Source::Rows { rows, assembly, ready } = &mut self.source else { return None };
        let (mut items, mut bytes) = (Vec::new(), 0);
        while items.len() < max_items && bytes < max_bytes && self.next + (items.len() as u64) < self.segment.range.end
        {
            let expected = self.next + items.len() as u64;
            while ready.is_empty() {
                if !fetch(rows, assembly, ready, expected) {
                    break;
                }
            }
            match ready.pop_front() {
                Some(item) if item.seq == expected => {
                    bytes += item.bytes.len();
                    items.push(item);
                }
                _ => break,
            }
        }
        let end = items.last()?.seq + 1;
        Some(self.handed_out(items, end))
    }

    fn handed_out(&mut self, items: Vec<Item>, end: u64) -> Batch {
        let range = self.next..end;
        self.next = end;
        Batch { items, range }
    }
}

/// Gets more items from number `from` on ready. `false`: there are none, or SQLite has met damage.
fn fetch(rows: &mut Rows, assembly: &mut Assembly, ready: &mut VecDeque<Item>, from: u64) -> bool {
    let Ok(frames) = rows.next() else { return false };
    if frames.is_empty() {
        return false;
    }
    for frame in &frames {
        match frame::read(frame).map(|frame| assembly.add(&frame)) {
            // What was settled before the last end of the process is still in the segment.
            Some(Assembled::Whole(item)) if item.seq >= from => ready.push_back(item),
            Some(Assembled::Whole(_) | Assembled::Begun) => {}
            Some(Assembled::Broken) | None => return false,
        }
    }
    true
}
