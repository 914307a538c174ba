//! One run of one area: what was asked for, and what has been measured so far.

use std::{path::PathBuf, time::Instant};

use anyhow::Result;

use crate::{
    machine::Machine,
    report::{Absent, AreaReport, Measure},
    rounds::{self, Round},
};

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only the cells of the budgets, with shorter turns.
    pub quick: bool,
    /// Rounds that are counted.
    pub rounds: usize,
    /// Builds of the filter to compare with each other, instead of with what else there is.
    pub wasm: Vec<PathBuf>,
    /// Builds of the collector to compare with each other, instead of with what else there is.
    pub collector: Vec<PathBuf>,
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
        let options = Options { quick: true, rounds: 2, wasm: Vec::new(), collector: Vec::new() };
        let mut run = Run::new("filter", options).unwrap();
        for _ in 0..2 {
            run.absent("instructions", "no counter");
            run.note("A note.");
        }
        assert_eq!(run.rounds().filter(|round| round.is_counted()).count(), 2);

        let report = run.finish();

        assert_eq!((report.absent.len(), report.notes.len(), report.quick), (1, 1, true));
    }
}
