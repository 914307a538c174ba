//! Runs rows: a few at a time, each on a thread and a runtime of its own, each bounded in time. Those that start a broker
//! run one after the other, beside others.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};

use super::{
    row::{Outcome, Row},
    rows,
    trial::{Scale, Trial},
};
use crate::{process::keep_under, stack::Bed};

/// How long what a row leaves running in its runtime may take to end.
const LEFTOVERS_WITHIN: Duration = Duration::from_secs(5);

/// Which rows are run, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In this order.
    pub rows: Vec<&'static Row>,
    /// What all choices are made from.
    pub seed: u64,
    /// How much is done.
    pub scale: Scale,
    /// Rows at a time, at least 1.
    pub jobs: usize,
    /// Where the logs of rows that fail stay, one folder a row.
    pub folder: PathBuf,
}

/// A row that has run.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The row.
    pub row: &'static Row,
    /// What came of it; the empty outcome if it did not get that far.
    pub outcome: Outcome,
    /// Why it has failed; `None` if it passed.
    pub failure: Option<String>,
    /// Facts it told.
    pub notes: Vec<String>,
    /// How long it took.
    pub took: Duration,
    /// Where its logs are, if it failed.
    pub logs: PathBuf,
}

impl Plan {
    /// The rows with these names, or whose names begin so; all without names.
    ///
    /// # Errors
    /// A name fits no row.
    pub fn choose(names: &[String]) -> Result<Vec<&'static Row>> {
        let all = rows();
        if let Some(name) = names.iter().find(|name| !all.iter().any(|row| row.id.starts_with(name.as_str()))) {
            let known: Vec<&str> = all.iter().map(|row| row.id).collect();
            bail!("no row {name}: {}", known.join(", "));
        }
        let is_wanted = |row: &&Row| names.is_empty() || names.iter().any(|name| row.id.starts_with(name.as_str()));
        Ok(all.into_iter().filter(is_wanted).collect())
    }

    /// Runs them and tells of each when it has ended.
    ///
    /// # Errors
    /// The folder for the logs cannot be made.
    pub fn run(&self, mut ended: impl FnMut(&Finished)) -> Result<()> {
        let bed = Bed::new();
        let (with_broker, others): (Vec<_>, Vec<_>) = self.rows.iter().copied().partition(|row| row.has_broker);
        let [with_broker, others] = [with_broker, others].map(|rows| Mutex::new(rows.into_iter()));
        std::fs::create_dir_all(&self.folder).with_context(|| format!("make {}", self.folder.display()))?;
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            for job in 0..self.jobs.max(1) {
                let (tell, with_broker, others, bed) = (tell.clone(), &with_broker, &others, &bed);
                scope.spawn(move || {
                    let queues = if job == 0 { vec![with_broker, others] } else { vec![others] };
                    let next =
                        || queues.iter().find_map(|queue| queue.lock().unwrap_or_else(PoisonError::into_inner).next());
                    while let Some(row) = next() {
                        // The receiver outlives the threads.
                        let _ = tell.send(self.run_row(row, bed));
                    }
                });
            }
            drop(tell);
            told.iter().for_each(|finished| ended(&finished));
        });
        Ok(())
    }

    fn run_row(&self, row: &'static Row, bed: &Arc<Bed>) -> Finished {
        let started = Instant::now();
        let logs = self.folder.join(row.id);
        let trial = Trial::new(row, self.seed, self.scale, bed.clone());
        let limit = row.limit(self.scale);
        let ran = catch_unwind(AssertUnwindSafe(|| run_within(limit, &trial, &logs)));
        let ran = ran.unwrap_or_else(|_| Err(anyhow!("it panicked: see above")));
        let (outcome, failure) = match ran {
            Ok(outcome) => {
                let failure = outcome.check(row).err().map(|error| format!("{error:#}"));
                (outcome, failure)
            }
            Err(error) => (Outcome::default(), Some(format!("{error:#}"))),
        };
        if failure.is_none() {
            // Nobody needs them; what cannot be removed is removed before the next run.
            let _ = std::fs::remove_dir_all(&logs);
        }
        Finished { row, outcome, failure, notes: trial.notes(), took: started.elapsed(), logs }
    }
}

fn run_within(limit: Duration, trial: &Trial, logs: &Path) -> Result<Outcome> {
    if logs.exists() {
        std::fs::remove_dir_all(logs).with_context(|| format!("empty {}", logs.display()))?;
    }
    std::fs::create_dir_all(logs).with_context(|| format!("make {}", logs.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(keep_under(logs, async {
        let ran = tokio::time::timeout(limit, (trial.row().run)(trial)).await;
        ran.with_context(|| format!("not finished within {} s", limit.as_secs()))?
    }));
    runtime.shutdown_timeout(LEFTOVERS_WITHIN);
    outcome
}

#[cfg(test)]
mod tests;
