//! `cargo xtask faults`: fetches what is missing, builds, and becomes the fault suite of the testbed.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};
use xtask::parts::{self, Part};

use crate::{build, fetch};

/// Which rows are to run, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Faults {
    /// Only rows whose names are or begin like this [default: all]
    #[arg(value_name = "ROW")]
    rows: Vec<String>,
    /// The counts of the promises instead of small ones: up to an hour
    #[arg(long)]
    full: bool,
    /// What all choices are made from: the same number repeats a run
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Rows at a time [default: 2]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Show the rows and end
    #[arg(long)]
    list: bool,
    /// Print docs/faults.md and end
    #[arg(long)]
    page: bool,
}

/// Spools that the full form damages at random, each against the model: some minutes.
const MUTATIONS: &str = "10000";

/// Damage to spools needs no stack, so it is a test of the collector; with its usual few it is part of `cargo xtask test`.
fn mutations(seed: Option<u64>) -> Result<()> {
    let mut test = build::cargo(&["test", "--workspace", "--lib", "--", "spool::mutations"]);
    test.env("TRIBUTARY_SPOOL_MUTATIONS", MUTATIONS);
    test.envs(seed.map(|seed| ("TRIBUTARY_SPOOL_SEED", seed.to_string())));
    build::run(vec![test])
}

/// Fetches, builds and runs; returns only if that could not be done.
///
/// # Errors
/// A part or a tool is missing, the build fails, or the suite does not start.
pub(crate) fn faults(faults: &Faults) -> Result<()> {
    build::check_tools()?;
    if !faults.list && !faults.page {
        fetch::fetch(&[Part::RustTargets, Part::Envoy, Part::Kafka])?;
        build::run(vec![build::filter()])?;
        build::collector_with_fail_points()?;
    }
    build::run(vec![build::programs()])?;
    if faults.full && faults.rows.is_empty() {
        mutations(faults.seed)?;
    }

    let mut program = Command::new(parts::binary("faults"));
    program.args(&faults.rows);
    for (flag, wanted) in [("--full", faults.full), ("--list", faults.list), ("--page", faults.page)] {
        program.args(wanted.then_some(flag));
    }
    program.args(faults.seed.iter().flat_map(|seed| ["--seed".to_owned(), seed.to_string()]));
    program.args(faults.jobs.iter().flat_map(|jobs| ["--jobs".to_owned(), jobs.to_string()]));
    // In our place, not as a child: signals, terminal and exit code are the suite's own.
    let error = program.exec();
    Err(error).with_context(|| format!("start {}", parts::binary("faults").display()))
}
