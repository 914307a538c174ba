//! What a run has measured, as it is saved: area → case → variant → series of samples, one for each round.

use std::{borrow::Cow, fs, path::Path};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::{machine::Machine, statistics};

/// All areas that were measured, each when it was measured last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// In the order of [`AREAS`](crate::area::AREAS) as far as they were run.
    pub areas: Vec<AreaReport>,
}

/// What one run of one area has measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AreaReport {
    /// Name of the area: `filter`.
    pub area: String,
    /// Whether only the cells of the budgets were measured, with shorter turns.
    pub quick: bool,
    /// Where, when and of what.
    pub machine: Machine,
    /// How long the run took, in seconds.
    pub took_s: f64,
    /// What a reader has to know about this run, a sentence each.
    pub notes: Vec<String>,
    /// What was to be measured and could not be.
    pub absent: Vec<Absent>,
    /// In the order in which they were first measured.
    pub cases: Vec<Case>,
}

/// Something that was to be measured, and why it was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// What: `instructions per request`.
    pub what: String,
    /// Why not.
    pub why: String,
}

/// One load on which variants were compared: `70 B, HTTP/1.1, 1 worker`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Its name, unique in the area.
    pub name: String,
    /// The variant to which the others are set in relation.
    pub baseline: Option<String>,
    /// In the order in which they were first measured.
    pub variants: Vec<Variant>,
}

/// One of the things compared: `off`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// Its name, unique in the case.
    pub name: String,
    /// One for each thing measured.
    pub series: Vec<Series>,
}

/// The samples of one thing measured, one for each counted round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// What was measured.
    pub measure: Measure,
    /// In the order of the rounds.
    pub samples: Vec<f64>,
}

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// `CPU per request`.
    pub name: Cow<'static, str>,
    /// `µs`; empty for a mere number.
    pub unit: Cow<'static, str>,
    /// Which direction is good.
    pub better: Better,
}

/// Which direction of a measure is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    /// A cost.
    Lower,
    /// A yield.
    Higher,
    /// A fact about the run, not to be compared: lines dropped, bytes a line.
    Neither,
}

impl Measure {
    /// A cost.
    pub const fn cost(name: &'static str, unit: &'static str) -> Measure {
        Measure { name: Cow::Borrowed(name), unit: Cow::Borrowed(unit), better: Better::Lower }
    }

    /// A yield.
    pub const fn yielded(name: &'static str, unit: &'static str) -> Measure {
        Measure { name: Cow::Borrowed(name), unit: Cow::Borrowed(unit), better: Better::Higher }
    }

    /// A fact about the run.
    pub const fn fact(name: &'static str, unit: &'static str) -> Measure {
        Measure { name: Cow::Borrowed(name), unit: Cow::Borrowed(unit), better: Better::Neither }
    }
}

impl Report {
    /// Reads a saved one.
    ///
    /// # Errors
    /// There is none, or it is of another version of this program: measure anew.
    pub fn read(file: &Path) -> Result<Report> {
        let text = fs::read(file).with_context(|| format!("read {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no report of this version", file.display()))
    }

    /// Writes it, making the folder if need be. A reader never sees half of it.
    ///
    /// # Errors
    /// The disk is full, or nothing may be written there.
    pub fn write(&self, file: &Path) -> Result<()> {
        let folder = file.parent().context("a report needs a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        let next = file.with_extension("next");
        let text = serde_json::to_string_pretty(self).context("write a report")?;
        fs::write(&next, text + "\n").with_context(|| format!("write {}", next.display()))?;
        fs::rename(&next, file).with_context(|| format!("write {}", file.display()))
    }

    /// Puts an area in the place of what was known of it.
    pub fn put(&mut self, area: AreaReport) {
        match self.areas.iter_mut().find(|known| known.area == area.area) {
            Some(known) => *known = area,
            None => self.areas.push(area),
        }
    }

    /// What was measured in this area.
    pub fn area(&self, name: &str) -> Option<&AreaReport> {
        self.areas.iter().find(|area| area.area == name)
    }
}

impl AreaReport {
    /// Nothing measured yet.
    pub fn new(area: &str, quick: bool, machine: Machine) -> AreaReport {
        AreaReport {
            area: area.to_owned(),
            quick,
            machine,
            took_s: 0.0,
            notes: Vec::new(),
            absent: Vec::new(),
            cases: Vec::new(),
        }
    }

    /// Says to which variant the others of a case are set in relation.
    pub fn compare_with(&mut self, case: &str, baseline: &str) {
        self.with_case(case, |case| case.baseline = Some(baseline.to_owned()));
    }

    /// Adds the sample of one round.
    pub fn add(&mut self, case: &str, variant: &str, measure: &Measure, sample: f64) {
        self.with_case(case, |case| {
            let new = || Variant { name: variant.to_owned(), series: Vec::new() };
            with(
                &mut case.variants,
                |known| known.name == variant,
                new,
                |variant| {
                    let new = || Series { measure: measure.clone(), samples: Vec::new() };
                    let is_it = |known: &Series| known.measure.name == measure.name;
                    with(&mut variant.series, is_it, new, |series| series.samples.push(sample));
                },
            );
        });
    }

    /// The case with this name.
    pub fn case(&self, name: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.name == name)
    }

    fn with_case(&mut self, name: &str, change: impl FnOnce(&mut Case)) {
        let new = || Case { name: name.to_owned(), baseline: None, variants: Vec::new() };
        with(&mut self.cases, |known| known.name == name, new, change);
    }
}

impl Case {
    /// The samples of a variant; `None` if it was not measured.
    pub fn samples(&self, variant: &str, measure: &str) -> Option<&[f64]> {
        let variant = self.variants.iter().find(|known| known.name == variant)?;
        let series = variant.series.iter().find(|series| series.measure.name == measure)?;
        Some(&series.samples)
    }

    /// The samples of a variant divided by those of the baseline, round by round; `None` if one of them was not measured, or
    /// there is no baseline, or this is it.
    pub fn ratios(&self, variant: &str, measure: &str) -> Option<Vec<f64>> {
        let baseline = self.baseline.as_deref().filter(|baseline| *baseline != variant)?;
        self.ratios_to(variant, baseline, measure)
    }

    /// The same to any other variant.
    pub fn ratios_to(&self, variant: &str, other: &str, measure: &str) -> Option<Vec<f64>> {
        let (samples, others) = (self.samples(variant, measure)?, self.samples(other, measure)?);
        let ratios = statistics::paired(samples, others, |sample, other| sample / other);
        (!ratios.is_empty()).then_some(ratios)
    }

    /// What was measured in it, each measure once.
    pub fn measures(&self) -> Vec<&Measure> {
        let mut measures: Vec<&Measure> = Vec::new();
        for series in self.variants.iter().flat_map(|variant| &variant.series) {
            if measures.iter().all(|known| known.name != series.measure.name) {
                measures.push(&series.measure);
            }
        }
        measures
    }
}

/// Changes the element that is it, which is put at the end if it is not there yet.
fn with<T>(list: &mut Vec<T>, is_it: impl Fn(&T) -> bool, new: impl FnOnce() -> T, change: impl FnOnce(&mut T)) {
    match list.iter_mut().find(|element| is_it(element)) {
        Some(found) => change(found),
        None => {
            let mut element = new();
            change(&mut element);
            list.push(element);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: Measure = Measure::cost("CPU", "µs");

    fn area(name: &str) -> AreaReport {
        AreaReport::new(name, false, Machine::default())
    }

    #[test]
    fn samples_find_their_place_by_name_and_keep_their_order() {
        let mut report = area("filter");
        report.compare_with("small", "off");
        for (off, on) in [(10.0, 12.5), (8.0, 6.0)] {
            report.add("small", "on", &CPU, on);
            report.add("small", "off", &CPU, off);
        }

        let case = report.case("small").unwrap();

        assert_eq!(case.samples("off", "CPU"), Some([10.0, 8.0].as_slice()));
        assert_eq!(case.ratios("on", "CPU"), Some(vec![1.25, 0.75]));
        assert_eq!(case.ratios("off", "CPU"), None);
        assert_eq!(case.ratios_to("off", "on", "RSS"), None);
        assert_eq!(case.measures(), [&CPU]);
    }

    #[test]
    fn what_is_written_is_read_and_an_area_takes_the_place_of_its_former_self() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep").join("one.json");
        let mut report = Report::default();
        report.put(area("filter"));
        report.put(area("encode"));
        let mut again = area("filter");
        again.add("small", "off", &CPU, 1.0);

        report.put(again.clone());
        report.write(&file).unwrap();

        let read = Report::read(&file).unwrap();
        assert_eq!(read, report);
        assert_eq!(read.area("filter"), Some(&again));
        assert_eq!(read.areas.len(), 2);
    }

    #[test]
    fn a_file_that_is_no_report_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("one.json");
        fs::write(&file, "{").unwrap();

        assert!(format!("{:#}", Report::read(&file).unwrap_err()).contains("one.json"));
        assert!(Report::read(&folder.path().join("none.json")).is_err());
    }
}
