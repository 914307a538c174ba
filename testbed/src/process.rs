//! Processes that belong to this one: each in its own group, its output in a file, gone when the owner is gone.
//!
//! However the owner ends (return, panic, Ctrl-C, SIGKILL), the groups end with it: `guard` sees to it.
//! A process starts behind a gate that is opened only after the guard knows its group, so that no moment is left in
//! which the owner's death would leave it behind.

mod guard;
mod log;
mod scratch;

pub use log::Log;
pub use scratch::{Scratch, keep_nothing, keep_under};

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::Write as _,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use crate::wait;

/// Waits for the owner's word, then becomes the program. End of input (the owner died) means: do not begin.
const GATE: &str = r#"read -r go && exec "$@" </dev/null"#;

/// What to start: a program with its arguments and environment.
#[derive(Clone, Debug)]
pub struct Launch {
    name: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
}

impl Launch {
    /// The program at `program`, spoken of as `name` ("collector") in messages and log file names.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Launch {
        Launch { name: name.into(), program: program.into(), arguments: Vec::new(), environment: Vec::new() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Launch {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Launch {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable; the rest is inherited.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Launch {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Takes an environment variable back that [`env`](Self::env) has set.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Launch {
        self.environment.retain(|(known, _)| known != name);
        self
    }

    /// Starts it by a shell that runs `script` and then has to become the program: `…; exec "$0" "$@"`.
    #[must_use]
    pub fn through_shell(mut self, script: &str) -> Launch {
        let program = std::mem::replace(&mut self.program, PathBuf::from("sh"));
        self.arguments.splice(0..0, ["-c".into(), script.into(), program.into_os_string()]);
        self
    }

    /// Starts it by another program that takes the program and its arguments at its end: `strace`, `faketime`.
    #[must_use]
    pub fn through(mut self, program: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Launch {
        let inner = std::mem::replace(&mut self.program, program.to_owned());
        let arguments = arguments.into_iter().map(|argument| argument.as_ref().to_owned());
        self.arguments.splice(0..0, arguments.chain([inner.into_os_string()]).collect::<Vec<_>>());
        self
    }

    /// Replaces the program and keeps its arguments: another build of the same.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Launch {
        self.program = program.into();
        self
    }

    /// Starts it; standard output and error go to the end of `log`.
    ///
    /// # Errors
    /// The program is no file, the log cannot be opened, or the system refuses a process.
    pub fn start(&self, log: &Log) -> Result<Process> {
        self.start_with(log.appender()?, log.appender()?, log)
    }

    /// Starts it and hands out its standard output; errors go to the end of `log`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_piped(&self, log: &Log) -> Result<(Process, ChildStdout)> {
        let process = self.start_with(Stdio::piped(), log.appender()?, log)?;
        let output = match &mut *process.life() {
            Life::Unreaped(child) => child.stdout.take(),
            Life::Over(_) => None,
        };
        Ok((process, output.with_context(|| format!("{} has no output", self.name))?))
    }

    fn start_with(&self, out: impl Into<Stdio>, errors: impl Into<Stdio>, log: &Log) -> Result<Process> {
        let (name, program) = (&self.name, self.program.display());
        let known = !self.program.is_absolute() || self.program.is_file();
        ensure!(
            known,
            "{name} is missing: there is no {program}; cargo xtask builds what is ours and fetches the rest"
        );
        let mut child = Command::new("sh")
            .args(["-c", GATE, &self.name])
            .arg(&self.program)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", self.name))?;
        let gate = child.stdin.take();
        let id = child.id();
        let process =
            Process { name: self.name.clone(), id, life: Mutex::new(Life::Unreaped(child)), log: log.clone() };
        // On an error here `process` is dropped: the gate closes and the group is killed.
        guard::watch(process.id)?;
        gate.context("no gate")?.write_all(b"go\n").with_context(|| format!("start {}", self.name))?;
        Ok(process)
    }
}

/// A running process and its group. Dropping it kills the group at once (SIGKILL).
#[derive(Debug)]
pub struct Process {
    name: String,
    id: u32,
    life: Mutex<Life>,
    log: Log,
}

/// A process id is its own until the process is reaped; after that nothing may be sent to it.
#[derive(Debug)]
enum Life {
    /// It runs, or has ended and nobody has asked yet.
    Unreaped(Child),
    /// It has ended, its group was killed and the guard knows.
    Over(ExitStatus),
}

impl Process {
    /// The name given at the launch.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id, which is the id of its group too.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Where its output goes.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// How it ended, or `None` while it runs. Whatever it leaves behind in its group is killed.
    pub fn exit(&self) -> Option<ExitStatus> {
        let mut life = self.life();
        match &*life {
            Life::Unreaped(_) if !has_ended(self.id) => None,
            _ => Some(self.bury(&mut life)),
        }
    }

    /// Whether it runs (or is paused).
    pub fn is_running(&self) -> bool {
        self.exit().is_none()
    }

    /// An error with the end of its log if it does not run any more: for probes that wait until a part is ready.
    ///
    /// # Errors
    /// It has ended.
    pub fn must_run(&self) -> Result<()> {
        match self.exit() {
            None => Ok(()),
            Some(status) => Err(self.with_log(anyhow!("{} ended by itself ({})", self.name, told(status)))),
        }
    }

    /// Adds the end of the log to an error.
    pub fn with_log(&self, error: anyhow::Error) -> anyhow::Error {
        let tail = self.log.tail(30);
        anyhow!("{error:#}\n--- the end of {}'s log ({}) ---\n{tail}", self.name, self.log.path().display())
    }

    /// Waits until `probe` answers, as [`wait::until`], but gives up as soon as the process has ended.
    ///
    /// # Errors
    /// It ended or the time is over; both with the end of the log.
    pub async fn ready(&self, within: Duration, mut probe: impl AsyncFnMut() -> Result<()>) -> Result<()> {
        let what = format!("{} ready", self.name);
        let answer = wait::until(&what, within, async || match self.exit() {
            Some(status) => Ok(Err(anyhow!("{} ended while starting ({})", self.name, told(status)))),
            None => probe().await.map(Ok),
        });
        answer.await.and_then(|ended| ended).map_err(|error| self.with_log(error))
    }

    /// Sends a signal to the whole group.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        // Under the lock: nobody reaps it meanwhile, so the number is still its own.
        let life = self.life();
        if matches!(*life, Life::Over(_)) || has_ended(self.id) {
            bail!("{} does not run any more", self.name);
        }
        rustix::process::kill_process_group(group_of(self.id)?, signal).with_context(|| format!("signal {}", self.name))
    }

    /// Freezes it (SIGSTOP): it keeps its ports and connections and answers nothing.
    ///
    /// # Errors
    /// It has ended.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on after [`pause`](Self::pause).
    ///
    /// # Errors
    /// It has ended.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Kills the group (SIGKILL) and waits for the end; nothing happens if it has ended already.
    pub fn kill(&self) {
        self.bury(&mut self.life());
    }

    /// Asks it to end (SIGTERM) and waits for that.
    ///
    /// # Errors
    /// It had ended already, or is still there after `within` (it is killed then).
    pub async fn terminate(&self, within: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let what = format!("the end of {} after SIGTERM", self.name);
        let ended = wait::until(&what, within, async || self.exit().context("it still runs")).await;
        ended.map_err(|error| {
            self.kill();
            self.with_log(error)
        })
    }

    /// The most memory it ever held, in bytes (`VmHWM` of Linux).
    ///
    /// # Errors
    /// It has ended, or this system has no `/proc`.
    pub fn peak_memory_bytes(&self) -> Result<u64> {
        self.memory("VmHWM")
    }

    /// The memory that it holds now, in bytes (`VmRSS` of Linux).
    ///
    /// # Errors
    /// As [`peak_memory_bytes`](Self::peak_memory_bytes).
    pub fn memory_bytes(&self) -> Result<u64> {
        self.memory("VmRSS")
    }

    fn memory(&self, name: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id))
            .with_context(|| format!("read the memory of {}", self.name))?;
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(':').map(str::to_owned);
        let value = status.lines().find_map(value).with_context(|| format!("no {name} in /proc"))?;
        let kibibytes: u64 = value.trim().trim_end_matches("kB").trim().parse().context("memory")?;
        Ok(kibibytes * 1024)
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills what is left of the group, takes it off the guard's list, and only then reaps the leader.
    fn bury(&self, life: &mut Life) -> ExitStatus {
        let child = match life {
            Life::Over(status) => return *status,
            Life::Unreaped(child) => child,
        };
        if let Ok(group) = group_of(self.id) {
            // No such group: the leader ended alone and is the only member.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        guard::forget(self.id);
        let status = child.wait().unwrap_or_default();
        *life = Life::Over(status);
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a child that is not yet reaped has ended. Looks without reaping.
fn has_ended(id: u32) -> bool {
    let Ok(id) = group_of(id) else { return true };
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(rustix::process::waitid(WaitId::Pid(id), look), Ok(None))
}

fn group_of(id: u32) -> Result<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw).with_context(|| format!("{id} is no process id"))
}

fn told(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// Opens a file to write at its end, made if missing.
fn append_to(path: &Path) -> Result<File> {
    File::options().create(true).append(true).open(path).with_context(|| format!("open {}", path.display()))
}

#[cfg(test)]
mod tests;
