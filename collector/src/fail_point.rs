//! Places where a test may stop or end the process: `FAILPOINTS=spool-before-sync=return` and its like, in a build
//! with the feature `fail-points`. In any other build nothing is left of them.
//!
//! | point | between |
//! |---|---|
//! | `spool-after-append` | the items are handed to the store, nothing is committed |
//! | `spool-before-sync` | right before the commit, which writes and syncs |
//! | `spool-after-sync` | the items are durable, nobody is told yet |
//! | `replay-mid` | a batch of the spool is in Kafka, the spool does not know yet |
//! | `replay-before-delete` | a segment is replayed and the mark says so, its files are still there |
//! | `kafka-after-ack` | Kafka has acknowledged a write, nobody is told yet |
//!
//! Actions are those of the crate `fail` (`pause`, `sleep(ms)`, `panic`, `5*off->…`); `return` ends the process at once,
//! without destructors, as SIGKILL would.

/// A point of this name.
#[cfg(feature = "fail-points")]
pub(crate) fn fail_point(name: &str) {
    let _: Option<()> = fail::eval(name, |_| std::process::abort());
}

/// A point of this name.
#[cfg(not(feature = "fail-points"))]
#[inline(always)]
pub(crate) fn fail_point(_: &str) {}

/// Reads `FAILPOINTS`; the points are set while the value lives.
#[cfg(feature = "fail-points")]
pub fn set_up() -> fail::FailScenario<'static> {
    fail::FailScenario::setup()
}

/// This build has no points.
#[cfg(not(feature = "fail-points"))]
#[derive(Debug)]
pub struct NoPoints;

/// Nothing to read: this build has no points.
#[cfg(not(feature = "fail-points"))]
pub fn set_up() -> NoPoints {
    NoPoints
}
