//! `cargo xtask demo`: fetches what is missing, builds, and becomes the demo program of the testbed.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use xtask::parts::{self, Part};

use crate::{build, fetch};

/// How the demo is to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// End after the first calls: exit code 0 only if all of them came out of Kafka (or the file) as they should
    #[arg(long)]
    once: bool,
    /// Write the exchanges to this file instead of Kafka; needs no Java
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Listen on ports from this one on, for when 3000, 9092 and their like are taken
    #[arg(long, value_name = "N")]
    port_base: Option<u16>,
}

/// Fetches, builds and runs; returns only if that could not be done.
///
/// # Errors
/// A part or a tool is missing, the build fails, or the demo does not start.
pub(crate) fn demo(demo: &Demo) -> Result<()> {
    build::check_tools()?;
    let needed = if demo.file.is_some() { vec![Part::RustTargets, Part::Envoy] } else { fetch::FOR_DEMO.to_vec() };
    fetch::fetch(&needed)?;
    build::run(build::everything())?;

    let mut program = Command::new(parts::binary("demo"));
    program.args(demo.once.then_some("--once"));
    // Where the user stands, not where the repository is: a relative path means what it says.
    program.args(demo.file.iter().flat_map(|file| [OsStr::new("--file"), file.as_os_str()]));
    program.args(demo.port_base.iter().flat_map(|base| ["--port-base".to_owned(), base.to_string()]));
    // In our place, not as a child: signals, terminal and exit code are the demo's own.
    let error = program.exec();
    Err(error).with_context(|| format!("start {}", parts::binary("demo").display()))
}
