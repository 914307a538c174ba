//! What Tributary costs, measured side by side with what else there is: `cargo xtask bench`.
//!
//! The result is a table of ratios taken in one run; a figure that cannot be reproduced by its command stands nowhere.
//!
//! # An area in a few lines
//!
//! An area measures one stage. It is a function that is given a [`Run`](run::Run), and a row in [`AREAS`](area::AREAS):
//!
//! ```
//! use anyhow::Result;
//! use tributary_bench::{report::Measure, run::Run};
//!
//! const CPU: Measure = Measure::cost("CPU per line", "µs");
//!
//! async fn measure(run: &mut Run) -> Result<()> {
//!     let variants = ["floor", "ours"];
//!     run.compare_with("100 lines a post", "floor");
//!     for round in run.rounds() {
//!         for variant in round.order(variants.len()).filter_map(|turn| variants.get(turn)) {
//!             let spent = 3.1; // load of known count, CPU from `cpu::Reading`
//!             if round.is_counted() {
//!                 run.add("100 lines a post", variant, &CPU, spent);
//!             }
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//! What comes of it: the samples are saved, printed and written to `docs/performance.md` as a table for each measure (a row for
//! each case, a column for each variant, ratios where the case has a baseline), compared with a saved run, and judged by the
//! rows of [`BUDGETS`](budget::BUDGETS) that name the area, case, variant and measure. The page needs the area's two markers.
//! What could not be had is told by [`Run::absent`](run::Run::absent), never left out in silence.
//!
//! | module | what it gives |
//! |---|---|
//! | [`area`], [`run`] | the areas; what one is given |
//! | [`rounds`] | variants in turn, a first round that warms up |
//! | [`cpu`] | CPU time of a process; memory is in the testbed's `Process` |
//! | [`statistics`] | medians, spreads, ratios round by round, whether two runs differ |
//! | [`report`], [`machine`] | what is saved, and where it was measured |
//! | [`budget`] | what it may cost, and the verdicts |
//! | [`page`], [`compare`], [`markdown`] | what a reader sees |
//!
//! Production code calls nothing here. Timings are measured here and nowhere in the tests.

pub mod area;
pub mod budget;
mod builds;
mod collector;
pub mod compare;
pub mod cpu;
mod encode;
pub mod filter;
pub mod machine;
pub mod markdown;
pub mod page;
mod path;
pub mod report;
pub mod rounds;
pub mod run;
mod scale;
pub mod statistics;
mod traffic;
