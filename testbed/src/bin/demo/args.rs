//! The command line of the demo; `cargo xtask demo` has the same options.

use std::path::PathBuf;

use clap::Parser;

/// Starts Envoy with the filter, the collector, Kafka and the demo app, makes the tutorial's calls, prints each exchange
/// as it comes out of the topic, and the description of the app that they wrote, until Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "demo", version)]
pub(crate) struct Args {
    /// End after the first calls: exit code 0 only if all of them came out as they were made and were described
    #[arg(long)]
    pub(crate) once: bool,

    /// Write the exchanges to this file instead of Kafka; needs no Java
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,

    /// Listen on the six ports from this one on, for when 3000, 9092 and their like are taken
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1024..=65_000))]
    pub(crate) port_base: Option<u16>,
}
