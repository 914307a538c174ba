//! How often something costly is done: not more often than a second, and for a tenth of the time at most.

use std::time::{Duration, Instant};

/// The shortest pause.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// The pause is so many times as long as what is done takes.
const REST: u32 = 9;

/// When it may be done again.
#[derive(Debug)]
pub(super) struct Pace {
    due: Instant,
}

impl Pace {
    /// Due at once.
    pub(super) fn new(now: Instant) -> Pace {
        Pace { due: now }
    }

    /// Whether it may be done now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    /// It was done.
    pub(super) fn done(&mut self, begun: Instant, ended: Instant) {
        let took = ended.saturating_duration_since(begun);
        self.due = ended + SHORTEST_PAUSE.saturating_sub(took).max(took.saturating_mul(REST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_work_is_done_once_a_second_and_slow_work_a_tenth_of_the_time() {
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let mut pace = Pace::new(start);
        assert!(pace.is_due(start));

        pace.done(start, at(10));
        assert!(!pace.is_due(at(999)) && pace.is_due(at(1000)));

        pace.done(at(1000), at(1500));
        assert!(!pace.is_due(at(5999)) && pace.is_due(at(6000)));
    }
}
