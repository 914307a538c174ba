//! The command line of the fault suite; `cargo xtask faults` has the same options.

use clap::Parser;

/// Does harm to the running path, heals it, and judges what came out: one row for each fault.
#[derive(Debug, Parser)]
#[command(name = "faults", version)]
pub(crate) struct Args {
    /// Only rows whose names are or begin like this [default: all]
    #[arg(value_name = "ROW")]
    pub(crate) rows: Vec<String>,

    /// The counts of the promises instead of small ones: up to an hour
    #[arg(long)]
    pub(crate) full: bool,

    /// What all choices are made from: the same number repeats a run
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Rows at a time
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub(crate) jobs: u16,

    /// Show the rows and end
    #[arg(long)]
    pub(crate) list: bool,

    /// Print docs/faults.md and end
    #[arg(long)]
    pub(crate) page: bool,
}
