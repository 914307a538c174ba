//! What we did not write and ship all the same: what may stand in Cargo.lock (`deny.toml`), and what does ([`bill`]).

pub(crate) mod bill;

use std::process::Command;

use anyhow::{Context, Result};
use xtask::parts;

use crate::process;

/// The look at licences, sources and doubled versions. Needs no network beyond what cargo needs to know the crates.
///
/// # Errors
/// cargo-deny is not there.
pub(crate) fn deny() -> Result<Vec<Command>> {
    let mut check = cargo_deny()?;
    // An exception that nobody needs any more hides the next duplicate.
    check.args(["check", "--hide-inclusion-graph", "--deny", "unmatched-skip", "bans", "licenses", "sources"]);
    Ok(vec![check])
}

/// The look at known vulnerabilities, and at crates that were withdrawn or that nobody maintains.
///
/// # Errors
/// There are some, or the database cannot be had; what cargo-deny said stands above.
pub(crate) fn advisories() -> Result<()> {
    let mut check = cargo_deny()?;
    check.args(["check", "advisories"]);
    let status = process::run(&mut check)?;
    process::succeeded(&check, status).context(
        "known vulnerabilities, or none that could be looked for: the RustSec advisory database is fetched by git",
    )
}

fn cargo_deny() -> Result<Command> {
    let mut deny = Command::new(parts::cargo_deny()?);
    deny.args(["--all-features", "--locked", "--log-level", "warn"]).current_dir(parts::workspace_root());
    Ok(deny)
}
