//! One run of one area: what was asked for, and what has been measured so far.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use xtask::parts;

use crate::{
    machine::Machine,
    report::{Absent, AreaReport, Measure},
    rounds::{self, Round},
};

/// What a trial does of each turn: one of so many.
const TRIAL_SHARE: u64 = 100;

/// Milliseconds of a turn that is measured by time.
const SPAN: u64 = 4_000;

/// The same in a quick run.
const QUICK_SPAN: u64 = 2_000;

/// In less, a busy machine answers no call.
const FEWEST_MILLIS: u64 = 200;

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only the cells of the budgets, with shorter turns.
    pub quick: bool,
    /// Rounds that are counted.
    pub rounds: usize,
    /// Builds of the filter to compare with each other, instead of with what else there is.
    pub wasm: Vec<PathBuf>,
    /// Builds of the collector to compare with each other, instead of with what else there is.
    pub collector: Vec<PathBuf>,
    /// Only the cases whose names contain this text.
    pub only: Option<String>,
    /// For tests: all of the path and none of the time. The programs are those of the dev build, turns are a hundredth as
    /// long, and the figures mean nothing.
    pub is_trial: bool,
}

impl Options {
    /// Where a program of ours lies.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        if self.is_trial { parts::binary(name) } else { parts::release_binary(name) }
    }

    /// How much of a turn's work is done.
    pub(crate) fn share(&self, whole: u64) -> u64 {
        if self.is_trial { whole.div_ceil(TRIAL_SHARE) } else { whole }
    }

    /// How long a turn lasts that is measured by time.
    pub(crate) fn span(&self) -> Duration {
        let whole = if self.quick { QUICK_SPAN } else { SPAN };
        Duration::from_millis(self.share(whole).max(FEWEST_MILLIS))
    }

    /// The cases that are wanted, by their names.
    ///
    /// # Errors
    /// None is; the error names those there are.
    pub(crate) fn wanted<C>(&self, cases: Vec<C>, name: impl Fn(&C) -> String) -> Result<Vec<C>> {
        let Some(only) = &self.only else { return Ok(cases) };
        let known: Vec<String> = cases.iter().map(&name).collect();
        let wanted: Vec<C> = cases.into_iter().filter(|case| name(case).contains(only)).collect();
        ensure!(!wanted.is_empty(), "--only {only:?}: no case has that in its name; there are: {}", known.join("; "));
        Ok(wanted)
    }
}

/// One run of one area.
#[derive(Debug)]
pub struct Run {
    options: Options,
    report: AreaReport,
    began: Instant,
}

impl Run {
    /// Nothing measured yet.
    ///
    /// # Errors
    /// This machine cannot be described.
    pub fn new(area: &str, options: Options) -> Result<Run> {
        let report = AreaReport::new(area, options.quick, Machine::look()?);
        Ok(Run { options, report, began: Instant::now() })
    }

    /// What was asked for.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The rounds to be run; says on standard error when each begins.
    pub fn rounds(&self) -> impl Iterator<Item = Round> + use<> {
        let (area, counted) = (self.report.area.clone(), self.options.rounds);
        rounds::rounds(counted).inspect(move |round| match round.number() {
            0 => eprintln!("{area}: warming up"),
            number => eprintln!("{area}: round {number} of {counted}"),
        })
    }

    /// Says to which variant the others of a case are set in relation.
    pub fn compare_with(&mut self, case: &str, baseline: &str) {
        self.report.compare_with(case, baseline);
    }

    /// Adds what a variant's turn in a counted round has measured.
    pub fn add(&mut self, case: &str, variant: &str, measure: &Measure, sample: f64) {
        self.report.add(case, variant, measure, sample);
    }

    /// Tells what was to be measured and cannot be, once.
    pub fn absent(&mut self, what: impl Into<String>, why: impl Into<String>) {
        let absent = Absent { what: what.into(), why: why.into() };
        if !self.report.absent.contains(&absent) {
            eprintln!("{}: not measured: {}: {}", self.report.area, absent.what, absent.why);
            self.report.absent.push(absent);
        }
    }

    /// Tells what a reader has to know about this run, a sentence, once.
    pub fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.report.notes.contains(&note) {
            self.report.notes.push(note);
        }
    }

    /// What has been measured; the run is over.
    pub fn finish(mut self) -> AreaReport {
        self.report.took_s = self.began.elapsed().as_secs_f64();
        self.report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_twice_stands_once() {
        let options = Options { rounds: 2, ..Options::default() };
        let mut run = Run::new("filter", options).unwrap();
        for _ in 0..2 {
            run.absent("instructions", "no counter");
            run.note("A note.");
        }
        assert_eq!(run.rounds().filter(|round| round.is_counted()).count(), 2);

        let report = run.finish();

        assert_eq!((report.absent.len(), report.notes.len()), (1, 1));
    }

    #[test]
    fn only_the_cases_that_are_named_are_wanted_and_a_name_of_none_is_refused() {
        let of = |only: Option<&str>| {
            let options = Options { only: only.map(str::to_owned), ..Options::default() };
            options.wanted(vec!["70 B", "10 KB", "64 KB"], |case| (*case).to_owned())
        };

        assert_eq!(of(None).unwrap().len(), 3);
        assert_eq!(of(Some("KB")).unwrap(), ["10 KB", "64 KB"]);
        let refusal = of(Some("moon")).unwrap_err().to_string();
        assert!(refusal.contains("moon") && refusal.contains("70 B; 10 KB; 64 KB"), "{refusal}");
    }
}
