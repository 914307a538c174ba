//! Whether a write is worth its time.
//!
//! A write to a Kafka that does not take records costs its whole delivery time-out. So after some that failed in a row
//! only one a second may try, and none at all while nobody answers: looks at the topic cost the writers nothing and tell
//! when Kafka is back. One write that succeeds lets all pass again.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Writes in a row that must fail until the others are refused: one alone may be a slow moment.
const WRITES_UNTIL_OPEN: u32 = 2;

/// Looks in a row that must fail until no write may try.
const LOOKS_UNTIL_OPEN: u32 = 2;

/// How long after a try another write may try.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// Nobody has tried for so long: what the last write met says nothing about the next.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(6);

/// Counts what fails in a row, and lets writes pass or not.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    /// So that the happy path costs one relaxed load.
    troubled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failed_writes: u32,
    failed_looks: u32,
    /// When a write last failed.
    failed: Option<Instant>,
    /// When a write was last let through to try.
    tried: Option<Instant>,
}

impl State {
    fn admits(&self, now: Instant) -> bool {
        let is_due = self.tried.is_none_or(|tried| now.saturating_duration_since(tried) >= TRY_EVERY);
        self.failed_looks < LOOKS_UNTIL_OPEN && (self.failed_writes < WRITES_UNTIL_OPEN || is_due)
    }
}

impl Circuit {
    /// Whether a write may pass now; the answer holds for one write.
    pub(super) fn enter(&self, now: Instant) -> bool {
        if !self.troubled.load(Ordering::Relaxed) {
            return true;
        }
        let mut state = self.lock();
        let admits = state.admits(now);
        if admits && state.failed_writes >= WRITES_UNTIL_OPEN {
            state.tried = Some(now);
        }
        admits
    }

    /// Whether a write would pass now.
    pub(super) fn admits(&self, now: Instant) -> bool {
        !self.troubled.load(Ordering::Relaxed) || self.lock().admits(now)
    }

    /// Whether most writes are being refused. Unlike [`admits`](Self::admits) it does not change with each try, and it
    /// ends by itself when nobody writes, for then nobody would ever find out that all is well again.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        if !self.troubled.load(Ordering::Relaxed) {
            return false;
        }
        let state = self.lock();
        let is_recent = state.failed.is_some_and(|failed| now.saturating_duration_since(failed) < FORGOTTEN_AFTER);
        state.failed_looks >= LOOKS_UNTIL_OPEN || (state.failed_writes >= WRITES_UNTIL_OPEN && is_recent)
    }

    /// A write was acknowledged as a whole.
    pub(super) fn succeeded(&self) {
        if self.troubled.swap(false, Ordering::Relaxed) {
            *self.lock() = State::default();
        }
    }

    /// A write failed, at least in part, and not by its own fault.
    pub(super) fn failed(&self, now: Instant) {
        let mut state = self.lock();
        state.failed_writes = state.failed_writes.saturating_add(1);
        state.failed = Some(now);
        if state.failed_writes == WRITES_UNTIL_OPEN {
            state.tried = Some(now);
        }
        self.troubled.store(true, Ordering::Relaxed);
    }

    /// A look at the topic succeeded or failed.
    pub(super) fn looked(&self, is_good: bool) {
        if is_good && !self.troubled.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.lock();
        if !is_good {
            state.failed_looks = state.failed_looks.saturating_add(1);
            self.troubled.store(true, Ordering::Relaxed);
        } else if std::mem::take(&mut state.failed_looks) >= LOOKS_UNTIL_OPEN {
            // Kafka is back: the next write tries at once, and its outcome counts for the others.
            state.tried = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_write_refuses_nothing() {
        let (circuit, now) = (Circuit::default(), Instant::now());

        circuit.failed(now);

        assert!(circuit.enter(now) && circuit.enter(now));
        assert!(!circuit.is_open(now));
    }

    #[test]
    fn after_failed_writes_one_a_second_may_try() {
        let (circuit, now) = (Circuit::default(), Instant::now());
        circuit.failed(now);
        circuit.failed(now);

        let almost = now + TRY_EVERY - Duration::from_millis(1);
        assert!(!circuit.enter(almost) && !circuit.admits(almost));
        let due = now + TRY_EVERY;
        assert!(circuit.admits(due) && circuit.enter(due));
        assert!(!circuit.enter(due), "one has taken the turn");
        assert!(circuit.is_open(due));
    }

    #[test]
    fn a_write_that_succeeds_lets_all_pass() {
        let (circuit, now) = (Circuit::default(), Instant::now());
        circuit.failed(now);
        circuit.failed(now);

        circuit.succeeded();

        assert!(circuit.enter(now) && circuit.enter(now));
        assert!(!circuit.is_open(now));
        circuit.failed(now);
        assert!(circuit.enter(now), "it counts from the beginning");
    }

    #[test]
    fn failed_looks_let_no_write_try_and_a_good_one_lets_one() {
        let (circuit, now) = (Circuit::default(), Instant::now());
        circuit.failed(now);
        circuit.failed(now);

        circuit.looked(false);
        assert!(circuit.enter(now + TRY_EVERY), "one failed look may be a slow moment");
        circuit.looked(false);
        assert!(!circuit.enter(now + 10 * TRY_EVERY));
        circuit.looked(true);

        assert!(circuit.enter(now + 10 * TRY_EVERY));
        assert!(!circuit.enter(now + 10 * TRY_EVERY));
    }

    #[test]
    fn looks_alone_open_and_close_it() {
        let (circuit, now) = (Circuit::default(), Instant::now());

        circuit.looked(false);
        assert!(!circuit.is_open(now));
        circuit.looked(false);
        assert!(circuit.is_open(now) && !circuit.admits(now));
        circuit.looked(true);

        assert!(!circuit.is_open(now));
        assert!(circuit.enter(now) && circuit.enter(now));
    }

    // Who is told that nothing is taken sends nothing, and then nobody finds out that Kafka is back.
    #[test]
    fn it_does_not_stay_open_when_nobody_writes() {
        let (circuit, now) = (Circuit::default(), Instant::now());
        circuit.failed(now);
        circuit.failed(now);

        assert!(circuit.is_open(now + FORGOTTEN_AFTER - Duration::from_millis(1)));
        assert!(!circuit.is_open(now + FORGOTTEN_AFTER));
    }
}
