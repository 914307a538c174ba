//! Time as the filter uses it: a steady clock for waiting, a wall clock for the record.
//!
//! Both are arguments everywhere; only `envoy.rs` asks the host for them. Waits never use the wall clock, so a clock
//! that jumps neither stalls a retry nor fires a thousand. Nor do they trust the steady one: see [`Pace`].

use std::time::Duration;

use tributary_http_types::Timestamp;

/// A point on the host's monotonic clock, in milliseconds from an origin that means nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    millis: u64,
}

impl Moment {
    /// The point `millis` milliseconds after the origin.
    pub const fn from_millis(millis: u64) -> Moment {
        Moment { millis }
    }

    /// The point `wait` later; the end of time if that lies beyond it.
    pub fn after(self, wait: Duration) -> Moment {
        Moment { millis: self.millis.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)) }
    }

    /// The point `wait` earlier; the origin if that lies before it.
    pub fn before(self, wait: Duration) -> Moment {
        Moment { millis: self.millis.saturating_sub(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)) }
    }

    /// How long after `earlier` this is; zero if it is not later.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_millis(self.millis.saturating_sub(earlier.millis))
    }
}

/// The longest time that counts between two looks at the clock. A VM looks at least once a second, so more than this is
/// a clock that jumped or a process that stood still; neither is a reason to give up what waits.
const LONGEST_STEP: Duration = Duration::from_secs(2);

/// A VM's own time: it follows the host's steady clock, and stays steady when that does not.
///
/// Envoy's is the process's monotonic clock. But a host that refuses it (a capability restriction without
/// `clock_time_get`) leaves only the wall clock, which people and daemons set. A step back counts as none, one of hours as
/// [`LONGEST_STEP`]; and where the clock stands still, each tick proves that its period has passed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace {
    read: Option<Moment>,
    lived: Moment,
    /// Whether the clock has gone on since the last tick.
    has_moved: bool,
}

impl Pace {
    /// The VM's time at this reading of the clock.
    pub(crate) fn at(&mut self, read: Moment) -> Moment {
        match self.read.replace(read) {
            None => self.lived = self.lived.max(read),
            Some(before) => {
                self.has_moved |= read > before;
                self.lived = self.lived.after(read.since(before).min(LONGEST_STEP));
            }
        }
        self.lived
    }

    /// The VM's time at a tick, read from the clock, that was due at this moment of the VM's time.
    ///
    /// Only a clock that stands still is helped on. Envoy reckons its timers from the beginning of the turn in which they
    /// are set, so on a busy proxy a tick comes early by as much as the turn is long, again and again.
    pub(crate) fn at_tick(&mut self, read: Moment, due: Option<Moment>) -> Moment {
        self.at(read);
        if !std::mem::take(&mut self.has_moved) {
            self.lived = self.lived.max(due.unwrap_or_default());
        }
        self.lived
    }
}

/// Both clocks, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// For waiting and for durations.
    pub steady: Moment,
    /// For the record.
    pub wall: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    #[test]
    fn a_sound_clock_is_followed_from_where_it_stands() {
        let mut pace = Pace::default();

        assert_eq!([9_000_000, 9_000_250, 9_002_250].map(|millis| pace.at(at(millis))), {
            [9_000_000, 9_000_250, 9_002_250].map(at)
        });
    }

    #[test]
    fn a_jump_back_counts_as_nothing_and_one_forward_as_the_longest_step() {
        let mut pace = Pace::default();
        let hours = 2 * 3_600_000;
        pace.at(at(hours));

        let lived = [0, 100, hours, hours + 100].map(|millis| pace.at(at(millis)));

        assert_eq!(lived, [hours, hours + 100, hours + 2_100, hours + 2_200].map(at));
    }

    #[test]
    fn on_a_stopped_clock_time_passes_by_ticks() {
        let mut pace = Pace::default();
        pace.at(at(50));

        let lived = [Some(at(1_050)), Some(at(900)), None].map(|due| pace.at_tick(at(50), due));

        assert_eq!(lived, [1_050; 3].map(at));
        assert_eq!([50, 150].map(|millis| pace.at(at(millis))), [1_050, 1_150].map(at));
    }

    // Seen on a busy machine: a collector's Retry-After of a second was over after 960 ms.
    #[test]
    fn a_tick_that_comes_early_does_not_hurry_a_clock_that_goes() {
        let mut pace = Pace::default();
        pace.at(at(0));

        let lived = [160, 320, 480].map(|millis| pace.at_tick(at(millis), Some(at(millis + 40))));

        assert_eq!(lived, [160, 320, 480].map(at));
    }
}
