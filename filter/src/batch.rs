//! Finished lines on their way into batches: one queue for the whole VM, in the order in which exchanges ended.

use std::{collections::VecDeque, rc::Rc};

use crate::{clock::Moment, config::BatchLimits};

/// Lines that travel together in one post.
///
/// Its bytes and its number never change, so that a second try is the same post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// 0, 1, 2 … per source.
    pub(crate) number: u64,
    /// The lines, each with its `\n`. Shared with the post in flight, never copied.
    pub(crate) lines: Rc<Vec<u8>>,
    /// How many.
    pub(crate) count: u64,
    /// When the first of them was written: the age of the batch.
    pub(crate) since: Moment,
}

/// Why a line was not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unqueued<E> {
    /// It is longer than the room there is.
    NoRoom,
    /// It could not be written.
    Unwritable(E),
}

/// Batches that wait, and the one that is being filled.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Batch>,
    filling: Filling,
    next_number: u64,
    /// Lines of `waiting`.
    waiting_count: u64,
}

#[derive(Debug, Default)]
struct Filling {
    lines: Vec<u8>,
    count: u64,
    since: Moment,
}

impl Queue {
    /// Writes one line behind the last one and says how many bytes it took.
    ///
    /// A line that would carry the batch over `max_bytes` starts the next one; a line that is longer by itself is a
    /// batch of its own.
    ///
    /// # Errors
    /// [`Unqueued`]; the queue is as before.
    pub(crate) fn append<E>(
        &mut self,
        now: Moment,
        limits: &BatchLimits,
        room: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Unqueued<E>>,
    ) -> Result<usize, Unqueued<E>> {
        let start = self.filling.lines.len();
        write(&mut self.filling.lines)?;
        let written = self.filling.lines.len().saturating_sub(start);
        if written > room {
            self.filling.lines.truncate(start);
            return Err(Unqueued::NoRoom);
        }
        if self.filling.lines.len() > limits.max_bytes && start > 0 {
            let line = self.filling.lines.split_off(start);
            self.close();
            self.filling.lines = line;
        }
        if self.filling.count == 0 {
            self.filling.since = now;
        }
        self.filling.count = self.filling.count.saturating_add(1);
        if self.filling.lines.len() >= limits.max_bytes || self.filling.count >= limits.max_exchanges {
            self.close();
        }
        Ok(written)
    }

    /// Ends the batch that is being filled, if there is a line in it.
    pub(crate) fn close(&mut self) {
        if self.filling.count == 0 {
            return;
        }
        let Filling { mut lines, count, since } = std::mem::take(&mut self.filling);
        // Up to half of a grown buffer is unused; a queue full of those would hold twice what the budget counts.
        lines.shrink_to_fit();
        let number = self.take_number();
        self.waiting_count = self.waiting_count.saturating_add(count);
        self.waiting.push_back(Batch { number, lines: Rc::new(lines), count, since });
    }

    /// The number of the next batch; also for a post without lines.
    pub(crate) fn take_number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number = number.saturating_add(1);
        number
    }

    /// The oldest waiting batch.
    pub(crate) fn take(&mut self) -> Option<Batch> {
        let batch = self.waiting.pop_front()?;
        self.waiting_count = self.waiting_count.saturating_sub(batch.count);
        Some(batch)
    }

    /// Puts a batch back into its place, for another try.
    pub(crate) fn put_back(&mut self, batch: Batch) {
        self.waiting_count = self.waiting_count.saturating_add(batch.count);
        let place = self.waiting.partition_point(|other| other.number < batch.number);
        self.waiting.insert(place, batch);
    }

    /// Takes a batch that began before `moment`.
    pub(crate) fn take_older_than(&mut self, moment: Moment) -> Option<Batch> {
        let place = self.waiting.iter().position(|batch| batch.since < moment)?;
        let batch = self.waiting.remove(place)?;
        self.waiting_count = self.waiting_count.saturating_sub(batch.count);
        Some(batch)
    }

    /// Whether a closed batch waits.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When the first line of the batch being filled was written; `None` if it is empty.
    pub(crate) fn filling_since(&self) -> Option<Moment> {
        (self.filling.count > 0).then_some(self.filling.since)
    }

    /// Lines in the batch being filled.
    pub(crate) fn filling_count(&self) -> u64 {
        self.filling.count
    }

    /// Lines held, waiting and being filled.
    pub(crate) fn count(&self) -> u64 {
        self.waiting_count.saturating_add(self.filling.count)
    }
}

#[cfg(test)]
mod tests;
