//! Child processes that never outlive the command: not on Ctrl-C, not on SIGTERM, not when xtask is killed.
//!
//! Each child leads a process group of its own. A signal to xtask goes on to every group; a small `sh` next to
//! each child reads a pipe that closes when xtask dies by whatever cause, and then ends the group.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long children have to end by themselves after a signal, before they are killed.
const GRACE: Duration = Duration::from_secs(10);

/// Ends the group of process `$1` if the pipe closes without a word, which it does when xtask dies.
const GUARD: &str = r#"
read -r _ && exit
kill -s TERM -- "-$1"
tenths=0
while kill -s 0 -- "-$1" && [ "$tenths" -lt 50 ]; do
    sleep 0.1
    tenths=$((tenths + 1))
done
kill -s KILL -- "-$1"
"#;

static RUNNING: Mutex<Running> = Mutex::new(Running { groups: Vec::new(), stopped: false });
static ENDED: Condvar = Condvar::new();

struct Running {
    groups: Vec<Pid>,
    /// A signal came: nothing may start any more.
    stopped: bool,
}

/// Passes SIGINT, SIGTERM and SIGHUP on to all children, waits for them, and exits with 128 + the signal's number.
///
/// # Errors
/// The signal handler or its thread cannot be set up.
pub(crate) fn stop_with_the_children() -> Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("set up the signal handler")?;
    let wait = move || {
        let Some(number) = signals.forever().next() else { return };
        let mut running = lock();
        running.stopped = true;
        signal_all(&running, Signal::TERM);
        let ended = ENDED.wait_timeout_while(running, GRACE, |running| !running.groups.is_empty());
        signal_all(&ended.unwrap_or_else(PoisonError::into_inner).0, Signal::KILL);
        std::process::exit(128 + number);
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).context("start the signal thread")?;
    Ok(())
}

/// Runs a command to its end; it writes where xtask writes.
///
/// # Errors
/// It cannot be started.
pub(crate) fn run(command: &mut Command) -> Result<ExitStatus> {
    Owned::spawn(command)?.finish()
}

/// Runs a command to its end and gives each piece of its standard output, as it comes, to `on_output`.
///
/// # Errors
/// It cannot be started or read.
pub(crate) fn run_reading(command: &mut Command, mut on_output: impl FnMut(&[u8])) -> Result<ExitStatus> {
    let mut owned = Owned::spawn(command.stdout(Stdio::piped()))?;
    if let Some(stdout) = owned.child.stdout.take() {
        let mut reader = BufReader::new(stdout);
        loop {
            let piece = reader.fill_buf().context("read the output of a child process")?;
            if piece.is_empty() {
                break;
            }
            on_output(piece);
            let len = piece.len();
            reader.consume(len);
        }
    }
    owned.finish()
}

/// Runs a command to its end and returns its standard output; the rest goes where xtask writes.
///
/// # Errors
/// It cannot be started or read, or it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let mut text = Vec::new();
    let status = run_reading(command, |piece| text.extend_from_slice(piece))?;
    succeeded(command, status)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// As [`output`], of a command that has no better way to end than to fail.
///
/// # Errors
/// It cannot be started or read.
pub(crate) fn output_of_any_end(command: &mut Command) -> Result<String> {
    let mut text = Vec::new();
    run_reading(command, |piece| text.extend_from_slice(piece))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Turns a status other than success into an error that names the command.
///
/// # Errors
/// The command failed.
pub(crate) fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    match (status.code(), status.signal()) {
        (Some(code), _) => bail!("`{line}` failed with exit code {code}"),
        (None, signal) => bail!("`{line}` was ended by signal {}", signal.unwrap_or_default()),
    }
}

/// A child with its guard.
struct Owned {
    child: Child,
    guard: Child,
    group: Pid,
}

impl Owned {
    fn spawn(command: &mut Command) -> Result<Self> {
        let mut running = not_while_stopping();
        let program = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).process_group(0);
        let mut child = command.spawn().with_context(|| format!("start {program}"))?;
        let group = Pid::from_child(&child);
        match guard(group) {
            Ok(guard) => {
                running.groups.push(group);
                Ok(Self { child, guard, group })
            }
            Err(error) => {
                // Without a guard it could outlive us: rather not at all. Both calls fail only if it is gone already.
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Waits for its end. During a stop it does not return: the caller would take the end for a failure and go on.
    fn finish(mut self) -> Result<ExitStatus> {
        let status = self.child.wait().context("wait for a child process");
        drop(self);
        drop(not_while_stopping());
        status
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // What is left of the group (a grandchild that outlived its parent, a child we failed to wait for) ends here;
        // the calls fail only if there is nothing left, which is the usual case.
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.child.wait();
        let _ = self.guard.stdin.take().map(|mut pipe| pipe.write_all(b"done\n"));
        let _ = self.guard.wait();
        lock().groups.retain(|group| *group != self.group);
        ENDED.notify_all();
    }
}

/// Starts the watcher of one group. In a group of its own, so that Ctrl-C at the terminal does not end it first.
fn guard(group: Pid) -> Result<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", GUARD, "guard"]).arg(group.as_raw_nonzero().to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command.spawn().context("start sh, which guards a child process")
}

fn signal_all(running: &Running, signal: Signal) {
    for group in &running.groups {
        // Fails only if the group has ended meanwhile.
        let _ = kill_process_group(*group, signal);
    }
}

/// The register, unless a signal has come: then the thread stays here until the signal thread ends the program.
fn not_while_stopping() -> MutexGuard<'static, Running> {
    let running = lock();
    if !running.stopped {
        return running;
    }
    drop(running);
    loop {
        thread::park();
    }
}

fn lock() -> MutexGuard<'static, Running> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
