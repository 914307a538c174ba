//! The guard: a small shell that outlives its owner by a moment and ends what the owner started.
//!
//! It reads a pipe that only the owner holds. When the owner dies, by SIGKILL too, the pipe closes and the guard
//! kills the process groups that are still on its list and removes the scratch folders.

use std::{
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
};

use anyhow::{Context as _, Result, ensure};

/// What the guard runs.
const SCRIPT: &str = include_str!("guard.sh");

/// One guard per process, started with the first thing to guard.
static GUARD: OnceLock<Result<Guard, String>> = OnceLock::new();

struct Guard {
    /// Kept for the life of the process: dropping it would close the pipe.
    pipe: Mutex<ChildStdin>,
    _shell: Child,
}

/// Puts a process group under guard.
///
/// # Errors
/// The guard cannot be started or is gone; nothing must be started then.
pub(super) fn watch(group: u32) -> Result<()> {
    tell(&format!("+ {group}\n"))
}

/// Takes a group that is dead off the list, while its number cannot have been given to another yet.
pub(super) fn forget(group: u32) {
    // A guard that is gone has nothing to forget.
    let _ = tell(&format!("- {group}\n"));
}

/// Puts a folder under guard: it is removed when this process has ended.
///
/// # Errors
/// As [`watch`]; also for a path that the guard's line cannot carry.
pub(crate) fn watch_folder(folder: &Path) -> Result<()> {
    let path = folder.to_str().filter(|path| path.starts_with('/') && !path.contains(['\n', '\\']));
    let path = path.with_context(|| format!("{} is no path that can be looked after", folder.display()))?;
    ensure!(path.trim() == path, "a scratch folder's name must not begin or end with a space: {path:?}");
    tell(&format!("d {path}\n"))
}

fn tell(line: &str) -> Result<()> {
    let guard = GUARD.get_or_init(|| start().map_err(|error| format!("{error:#}")));
    let guard = guard.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
    let mut pipe = guard.pipe.lock().unwrap_or_else(PoisonError::into_inner);
    pipe.write_all(line.as_bytes()).context("tell the guard: it is gone")
}

fn start() -> Result<Guard> {
    let mut shell = Command::new("sh")
        .args(["-c", SCRIPT, "tributary-guard"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("start the guard (sh)")?;
    let pipe = shell.stdin.take().context("the guard has no pipe")?;
    Ok(Guard { pipe: Mutex::new(pipe), _shell: shell })
}
