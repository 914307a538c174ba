//! What `check` and `test` are made of: stages that run one after the other, and the count at the end.
//!
//! Every stage runs, whatever the ones before it said, so that one run shows all that is wrong. A stage that
//! should have tests and ran none has failed: a filter that matches nothing by mistake must not look green.

mod catalogue;
mod results;

use std::fmt;
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

pub(crate) use catalogue::{STAGES, Stage, Work};
pub(crate) use results::Results;

use crate::process;

/// How many checks or tests went well and how many did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed, and checks: each command or looked-at thing is one.
    pub(crate) passed: u64,
    /// Those that did not; at least one for a stage that could not do its work.
    pub(crate) failed: u64,
}

/// What a look at the files of the repository found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// How many things were looked at.
    pub(crate) looked_at: u64,
    /// One sentence for each thing that is not as it should be, `file:line: …`.
    pub(crate) problems: Vec<String>,
}

/// The stages to run, and which of their tests.
#[derive(Debug)]
pub(crate) struct Plan {
    stages: Vec<&'static Stage>,
    /// Part of the names of the tests to run; all if there is none.
    filter: Option<String>,
}

impl Plan {
    /// The fast stages.
    pub(crate) fn check() -> Self {
        Self { stages: STAGES.iter().filter(|stage| stage.fast).collect(), filter: None }
    }

    /// All stages; or the one that the first word names; or, by another word, the tests that have it in their name.
    ///
    /// # Errors
    /// Two words and the first is no stage, or a stage without tests to choose from.
    pub(crate) fn test(words: &[String]) -> Result<Self> {
        let stage = |name: &str| STAGES.iter().find(|stage| stage.name == name);
        match words {
            [] => Ok(Self { stages: STAGES.iter().collect(), filter: None }),
            [word] => Ok(match stage(word) {
                Some(stage) => Self { stages: vec![stage], filter: None },
                None => Self {
                    stages: STAGES.iter().filter(|stage| stage.has_tests()).collect(),
                    filter: Some(word.clone()),
                },
            }),
            [first, second] => {
                let stage = stage(first).with_context(|| format!("no stage {first}: {}", names()))?;
                if !stage.has_tests() {
                    bail!("stage {first} has no tests to choose from");
                }
                Ok(Self { stages: vec![stage], filter: Some(second.clone()) })
            }
            _ => bail!("a stage and a test name at most"),
        }
    }

    /// Whether any stage needs Envoy and Kafka.
    pub(crate) fn needs_parts(&self) -> bool {
        self.stages.iter().any(|stage| stage.needs_parts)
    }

    /// Runs the stages and prints how each went, and the count alone on the last line.
    ///
    /// # Errors
    /// Something failed, or no test has the wanted name.
    pub(crate) fn run(&self) -> Result<()> {
        let mut rows = Vec::new();
        for stage in &self.stages {
            println!("\n── {}: {}", stage.name, stage.about);
            let started = Instant::now();
            let tally = stage.run(self.filter.as_deref()).unwrap_or_else(|error| {
                println!("xtask: {error:#}");
                Tally { passed: 0, failed: 1 }
            });
            rows.push(Row { name: stage.name, tally, took: started.elapsed() });
        }
        let total = rows.iter().fold(Tally::default(), |sum, row| sum + row.tally);
        println!("\n── summary");
        rows.iter().for_each(|row| println!("{row}"));
        println!("\n{total}");
        match (total, &self.filter) {
            (Tally { passed: 0, failed: 0 }, Some(filter)) => bail!("no test has {filter} in its name"),
            (Tally { failed: 0, .. }, _) => Ok(()),
            (Tally { failed, .. }, _) => bail!("{failed} failed"),
        }
    }
}

impl Stage {
    fn has_tests(&self) -> bool {
        matches!(self.work, Work::Tests { .. })
    }

    fn run(&self, filter: Option<&str>) -> Result<Tally> {
        match self.work {
            Work::Commands(commands) => {
                commands()?.iter_mut().map(run_check).try_fold(Tally::default(), |sum, one| Ok(sum + one?))
            }
            Work::Look(look) => Ok(look()?.tally()),
            Work::Tests { prepare, runners } => {
                for mut command in prepare()? {
                    let status = process::run(&mut command)?;
                    process::succeeded(&command, status)?;
                }
                let runs = runners(filter)?.into_iter().map(|mut runner| run_tests(&mut runner));
                let tally = runs.collect::<Result<Vec<_>>>()?.into_iter().fold(Tally::default(), |sum, one| sum + one);
                match (tally, filter) {
                    (Tally { passed: 0, failed: 0 }, None) => bail!("no test ran"),
                    _ => Ok(tally),
                }
            }
        }
    }
}

/// One command that has to succeed.
fn run_check(command: &mut Command) -> Result<Tally> {
    let status = process::run(command)?;
    Ok(match process::succeeded(command, status) {
        Ok(()) => Tally { passed: 1, failed: 0 },
        Err(error) => {
            println!("xtask: {error}");
            Tally { passed: 0, failed: 1 }
        }
    })
}

/// One runner of tests: its output is passed on as it comes, and its counts are added up.
fn run_tests(command: &mut Command) -> Result<Tally> {
    let mut results = Results::default();
    let status = process::run_reading(command, |piece| {
        results.read(piece);
        let mut stdout = std::io::stdout().lock();
        // Nobody reads on: the exit code still says how it went.
        let _ = stdout.write_all(piece).and_then(|()| stdout.flush());
    })?;
    let mut tally = results.tally();
    if let Err(error) = process::succeeded(command, status) {
        println!("xtask: {error}");
        // Did not compile, or died: what it did not report as failed has failed all the same.
        tally.failed = tally.failed.max(1);
    }
    Ok(tally)
}

/// One line of the summary.
struct Row {
    name: &'static str,
    tally: Tally,
    took: Duration,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { passed, failed } = self.tally;
        let outcome = if failed == 0 { "ok" } else { "FAILED" };
        let seconds = self.took.as_secs_f64();
        write!(f, "{:<12} {outcome:<7} {passed:>5} ok {failed:>4} failed {seconds:>7.1} s", self.name)
    }
}

impl Findings {
    /// Counts a thing looked at, and the problem if there is one.
    pub(crate) fn add(&mut self, problem: Option<String>) {
        self.looked_at += 1;
        self.problems.extend(problem);
    }

    /// Takes over what another look found.
    pub(crate) fn extend(&mut self, other: Self) {
        self.looked_at += other.looked_at;
        self.problems.extend(other.problems);
    }

    fn tally(&self) -> Tally {
        self.problems.iter().for_each(|problem| println!("{problem}"));
        let failed = self.problems.len() as u64;
        println!("{} looked at, {failed} not right", self.looked_at);
        Tally { passed: self.looked_at.saturating_sub(failed), failed }
    }
}

impl std::ops::Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The names of all stages, for messages and help.
pub(crate) fn names() -> String {
    STAGES.iter().map(|stage| stage.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
