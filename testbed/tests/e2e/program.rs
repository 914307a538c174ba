//! The program `tributary`, run as a user runs it.

use std::{
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
};
use xtask::parts;

/// For a program, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the program to its end, with this text as its standard input.
pub(crate) async fn run(arguments: &[&str], input: &str) -> Result<Output> {
    let mut child = start(arguments)?;
    let mut stdin = child.stdin.take().context("input")?;
    let text = input.to_owned();
    let writing = tokio::spawn(async move {
        // A program that ends early, because its arguments are wrong, reads nothing.
        let _ = stdin.write_all(text.as_bytes()).await;
    });
    let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    writing.abort();
    Ok(ended.with_context(|| format!("tributary {arguments:?} did not end"))??)
}

/// Starts the program; it is killed when the handle is dropped.
pub(crate) fn start(arguments: &[&str]) -> Result<Child> {
    let program = parts::binary("tributary");
    let child = Command::new(&program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    child.with_context(|| format!("start {} (cargo xtask builds it)", program.display()))
}

/// Waits for its end.
pub(crate) async fn ended(child: &mut Child) -> Result<ExitStatus> {
    tokio::time::timeout(PATIENCE, child.wait()).await.context("it does not end")?.context("wait for it")
}

/// Asks it to end (SIGTERM).
pub(crate) fn terminate(child: &Child) -> Result<()> {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(id.context("it has ended")?, rustix::process::Signal::TERM).context("SIGTERM")
}
