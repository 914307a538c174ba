//! The writes that wait for their delivery reports: one counter a write, not a future a record.
//!
//! A record travels through librdkafka with a ticket (slot of its write, its place in it). When the last report of
//! a write is in, one channel resolves with the failures; a write that went well allocates nothing for them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64, atomic::Ordering};

use rdkafka::error::RDKafkaErrorCode as Code;
use tokio::sync::oneshot;

// A ticket is a pointer-sized word: slot in the upper half, place in the lower.
const _: () = assert!(usize::BITS == 64, "tickets need 64 bits");

/// The failures of one write: place of the record, librdkafka's code. All others were acknowledged.
pub(crate) type Failures = Vec<(u32, Code)>;

/// Bytes of records that wait, over all producers of a writer.
#[derive(Debug)]
pub(crate) struct Budget {
    max: u64,
    used: AtomicU64,
}

impl Budget {
    pub(crate) fn new(max: u64) -> Arc<Budget> {
        Arc::new(Budget { max, used: AtomicU64::new(0) })
    }

    /// Takes `bytes`, or nothing if they do not fit.
    pub(crate) fn take(&self, bytes: u64) -> bool {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= self.max)
            })
            .is_ok()
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Waiting {
    /// Reports still to come, and one for the hand that is still giving records away.
    left: u32,
    failures: Failures,
    bytes: u64,
    done: oneshot::Sender<Failures>,
}

#[derive(Debug, Default)]
struct Slots {
    slots: Vec<Option<Waiting>>,
    free: Vec<u32>,
}

/// All writes that wait in one producer.
#[derive(Debug)]
pub(crate) struct Pending {
    slots: Mutex<Slots>,
    budget: Arc<Budget>,
}

impl Pending {
    pub(crate) fn new(budget: Arc<Budget>) -> Pending {
        Pending { slots: Mutex::default(), budget }
    }

    /// Opens a write of `records` records whose `bytes` were taken from the budget; they go back when it is done.
    ///
    /// Each record then has to be [settled](Self::settle) once under its [`ticket`], and so has the write itself, by
    /// [`handed_over`](Self::handed_over): until then it cannot be done.
    pub(crate) fn open(&self, records: u32, bytes: u64) -> (u32, oneshot::Receiver<Failures>) {
        let (done, verdict) = oneshot::channel();
        let waiting = Waiting { left: records.saturating_add(1), failures: Vec::new(), bytes, done };
        let mut slots = self.lock();
        let slot = match slots.free.pop() {
            Some(slot) => slot,
            None => {
                slots.slots.push(None);
                u32::try_from(slots.slots.len() - 1).unwrap_or(u32::MAX)
            }
        };
        if let Some(place) = slots.slots.get_mut(slot as usize) {
            *place = Some(waiting);
        }
        (slot, verdict)
    }

    /// The report on one record.
    pub(crate) fn settle(&self, ticket: usize, outcome: Result<(), Code>) {
        let slot = (ticket >> 32) as u32;
        let failure = outcome.err().map(|code| ((ticket & 0xffff_ffff) as u32, code));
        self.count_down(slot, failure);
    }

    /// All records of the write are given to librdkafka (or settled).
    pub(crate) fn handed_over(&self, slot: u32) {
        self.count_down(slot, None);
    }

    fn count_down(&self, slot: u32, failure: Option<(u32, Code)>) {
        let done = {
            let mut slots = self.lock();
            let Some(place) = slots.slots.get_mut(slot as usize) else { return };
            let Some(waiting) = place.as_mut() else { return };
            waiting.failures.extend(failure);
            waiting.left -= 1;
            if waiting.left > 0 {
                return;
            }
            let done = place.take();
            slots.free.push(slot);
            done
        };
        if let Some(waiting) = done {
            self.budget.give_back(waiting.bytes);
            // Nobody waits any more when the caller's deadline has passed; that is its right.
            let _ = waiting.done.send(waiting.failures);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        // Nothing panics under this lock.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pending {
    /// A producer that dies with writes in it: their channels close, and their bytes go back.
    fn drop(&mut self) {
        let slots = self.slots.get_mut().unwrap_or_else(PoisonError::into_inner);
        for waiting in slots.slots.iter().flatten() {
            self.budget.give_back(waiting.bytes);
        }
    }
}

/// What librdkafka carries for us with a record.
pub(crate) fn ticket(slot: u32, place: u32) -> usize {
    ((slot as usize) << 32) | place as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_done_with_its_last_report_and_names_its_failures() {
        let budget = Budget::new(100);
        let pending = Pending::new(Arc::clone(&budget));
        assert!(budget.take(30));
        let (slot, mut verdict) = pending.open(3, 30);

        pending.settle(ticket(slot, 2), Err(Code::MessageTimedOut));
        pending.settle(ticket(slot, 0), Ok(()));
        pending.handed_over(slot);
        assert!(verdict.try_recv().is_err());
        pending.settle(ticket(slot, 1), Ok(()));

        assert_eq!(verdict.try_recv(), Ok(vec![(2, Code::MessageTimedOut)]));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn reports_that_overtake_the_hand_do_not_end_the_write() {
        let pending = Pending::new(Budget::new(100));
        let (slot, mut verdict) = pending.open(2, 0);

        pending.settle(ticket(slot, 0), Ok(()));
        pending.settle(ticket(slot, 1), Ok(()));
        assert!(verdict.try_recv().is_err());
        pending.handed_over(slot);

        assert_eq!(verdict.try_recv(), Ok(vec![]));
    }

    #[test]
    fn a_slot_is_used_again_only_when_its_write_is_done() {
        let pending = Pending::new(Budget::new(100));
        let (first, _first) = pending.open(0, 0);
        let (second, _second) = pending.open(0, 0);
        assert_ne!(first, second);

        pending.handed_over(first);
        let (third, _third) = pending.open(0, 0);

        assert_eq!(third, first);
    }

    #[test]
    fn the_budget_is_taken_whole_or_not_at_all() {
        let budget = Budget::new(10);

        assert!(budget.take(10));
        assert!(!budget.take(1));
        budget.give_back(10);
        assert!(!budget.take(11));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_producer_that_dies_gives_its_bytes_back_and_tells_its_writes() {
        let budget = Budget::new(10);
        assert!(budget.take(7));
        let pending = Pending::new(Arc::clone(&budget));
        let (_slot, mut verdict) = pending.open(1, 7);

        drop(pending);

        assert_eq!(budget.used(), 0);
        assert_eq!(verdict.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn tickets_hold_the_largest_numbers() {
        let largest = ticket(u32::MAX, u32::MAX);

        assert_eq!((largest >> 32) as u32, u32::MAX);
        assert_eq!((largest & 0xffff_ffff) as u32, u32::MAX);
    }
}
