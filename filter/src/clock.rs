//! Time as the filter uses it: a steady clock for waiting, a wall clock for the record.
//!
//! Both are arguments everywhere; only `envoy.rs` asks the host for them. Waits never use the wall clock, so a clock
//! that jumps neither stalls a retry nor fires a thousand.

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

/// Both clocks, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// For waiting and for durations.
    pub steady: Moment,
    /// For the record.
    pub wall: Timestamp,
}
