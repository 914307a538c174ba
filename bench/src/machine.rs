//! On what machine, of what versions and when something was measured: a figure without these says nothing.

use std::{fmt, fs, process::Command, thread};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use xtask::parts::{self, Part};

/// The machine and what ran on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// `2026-02-28`, UTC.
    pub date: String,
    /// The commit, short; `+` behind it if files differed from it.
    pub commit: String,
    /// Model of the CPU, as the kernel names it.
    pub cpu: String,
    /// Cores that we may use.
    pub cores: usize,
    /// Memory in GiB, rounded up.
    pub memory_gib: u64,
    /// Release of the kernel.
    pub kernel: String,
    /// Load average of the last minute when the run began: what others did on this machine.
    pub load: String,
    /// Versions of what took part, `Envoy 1.40.0`.
    pub versions: Vec<String>,
}

impl Machine {
    /// Looks at this machine. What it does not tell is `unknown`.
    ///
    /// # Errors
    /// The versions of the parts cannot be told.
    pub fn look() -> Result<Machine> {
        let cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| value(&text, "model name"));
        let memory = fs::read_to_string("/proc/meminfo").ok().and_then(|text| value(&text, "MemTotal"));
        let kibibytes: u64 =
            memory.and_then(|text| text.split(' ').next().and_then(|word| word.parse().ok())).unwrap_or(0);
        let load = fs::read_to_string("/proc/loadavg").ok();
        Ok(Machine {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            commit: commit(),
            cpu: cpu.unwrap_or_else(unknown),
            cores: thread::available_parallelism().context("count the cores")?.get(),
            memory_gib: kibibytes.div_ceil(1024 * 1024),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| unknown(), |it| it.trim().to_owned()),
            load: load.and_then(|text| text.split(' ').next().map(str::to_owned)).unwrap_or_else(unknown),
            versions: versions()?,
        })
    }

    /// Whether figures of the two can be compared: the same hardware and kernel.
    pub fn is_like(&self, other: &Machine) -> bool {
        let facts = |machine: &Machine| (machine.cpu.clone(), machine.cores, machine.kernel.clone());
        facts(self) == facts(other)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { date, commit, cpu, cores, memory_gib, kernel, load, versions } = self;
        write!(formatter, "{date}, commit {commit}; {cpu}, {cores} cores, {memory_gib} GiB, Linux {kernel}, ")?;
        write!(formatter, "load {load} before; {}", versions.join(", "))
    }
}

fn versions() -> Result<Vec<String>> {
    Ok(vec![
        format!("Envoy {}", Part::Envoy.pin().version()?),
        format!("Kafka {}", Part::Kafka.pin().version()?),
        said("rustc", &["--version"]).map_or_else(unknown, |text| text.split(" (").next().unwrap_or("").to_owned()),
    ])
}

fn commit() -> String {
    let head = said("git", &["rev-parse", "--short", "HEAD"]).unwrap_or_else(unknown);
    let changed = said("git", &["status", "--porcelain", "--untracked-files=no"]).is_some_and(|text| !text.is_empty());
    if changed { head + "+" } else { head }
}

/// What a program says, run at the root of the repository; `None` if it cannot be run or fails.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).current_dir(parts::workspace_root()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The value of the first line `key : value`.
fn value(text: &str, key: &str) -> Option<String> {
    let is_it = |line: &str| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim().to_owned())
    };
    text.lines().find_map(is_it)
}

fn unknown() -> String {
    "unknown".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_value_of_a_key_counts() {
        let text = "processor\t: 0\nmodel name\t: Some CPU\nmodel name\t: Another\n";

        assert_eq!(value(text, "model name"), Some("Some CPU".to_owned()));
        assert_eq!(value(text, "model"), None);
    }

    #[test]
    fn this_machine_is_described_whole() {
        let machine = Machine::look().unwrap();

        assert!(machine.cores > 0 && machine.date.len() == 10, "{machine:?}");
        assert!(machine.is_like(&machine));
        assert!(!machine.is_like(&Machine { cores: machine.cores + 1, ..machine.clone() }));
        assert!(machine.to_string().contains("Envoy "));
    }
}
