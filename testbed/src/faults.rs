//! The fault suite: each [`Row`] does one harm to a running path (real Envoy, collector, Kafka), heals it, and lets one
//! judge say what is missing, spurious, altered or unexplained. `cargo xtask faults` runs it.
//!
//! ```text
//! Row::run ──► Trial (seed, scale) ──► Scene (stack, load) ── fault … heal ──► Outcome (proof, verdict)
//!                                                                                  │
//! Plan ──► one thread a row, two at a time, each bounded in time ◄─────────────────┘──► Report
//! ```
//!
//! # A row in ten lines
//!
//! ```
//! use anyhow::Result;
//! use tributary_testbed::faults::{Group, Outcome, Row, Scene, Trial};
//!
//! const ROWS: &[Row] = &[Row::new("collector-frozen", Group::Collector, |trial| Box::pin(frozen(trial)))
//!     .fault("The collector is frozen (SIGSTOP) and goes on")
//!     .proof("posts that failed meanwhile")];
//!
//! async fn frozen(trial: &Trial) -> Result<Outcome> {
//!     let scene = Scene::start(trial, trial.stack().await?).await?;
//!     let before = scene.counter("post_failures").await?;
//!     scene.stack.collector.process().pause()?;
//!     scene.pass(100).await?;
//!     let failed = scene.until_grown("post_failures", before, 1).await?;
//!     scene.stack.collector.process().resume()?;
//!     scene.healed(failed).await
//! }
//! ```
//! It stands in a file of its topic, and the file's `ROWS` in [`rows`]. `docs/faults.md` is made from the rows
//! (`cargo xtask faults --page`); a check compares them.

mod clock;
mod collector;
mod disk;
mod envoy;
mod kafka;
mod kafka_mock;
mod memory;
mod order;
mod page;
mod plan;
mod replies;
mod report;
mod row;
mod scene;
mod spool;
mod spooling;
mod strace;
mod trial;

pub use page::page;
pub use plan::{Finished, Plan};
pub use report::Report;
pub use row::{Expects, Group, Outcome, Row, Work};
pub use scene::Scene;
pub use trial::{Scale, Trial};

/// All rows, by group and in the order of the page.
pub fn rows() -> Vec<&'static Row> {
    let all = [
        collector::ROWS,
        replies::ROWS,
        disk::ROWS,
        spool::ROWS,
        envoy::ROWS,
        memory::ROWS,
        order::ROWS,
        clock::ROWS,
        kafka::ROWS,
        kafka_mock::ROWS,
    ];
    let mut rows: Vec<&Row> = all.into_iter().flatten().collect();
    // Stable: within a group the order is the files'.
    rows.sort_by_key(|row| row.group);
    rows
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_row_has_a_name_of_its_own_and_says_what_it_does_and_what_proves_it() {
        let rows = rows();

        let names: BTreeSet<&str> = rows.iter().map(|row| row.id).collect();
        assert_eq!(names.len(), rows.len());
        for row in rows {
            assert!(row.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
            assert!(!row.fault.is_empty() && !row.proof.is_empty(), "{}", row.id);
            assert!(!row.fault.contains('|') && !row.proof.contains('|'), "{}", row.id);
        }
    }
}
