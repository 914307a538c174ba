//! Two runs beside each other: what differs, and whether that can be chance.
//!
//! Where a case has a baseline the ratios to it are compared, for they hold from one run to the next what times do not. A
//! difference counts as shown when an exact rank-sum test finds chance unlikely; a benchmark of many cells still has one in a
//! hundred that differs by chance.

use crate::{
    markdown::Table,
    report::{AreaReport, Better, Case, Report, Series},
    statistics::{self, figure},
};

/// A difference with a probability at or above this is not shown to be one.
pub const CHANCE: f64 = 0.01;

/// One cell in two runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The case and the variant.
    pub place: String,
    /// The measure with its unit; `ratio of …` where ratios are compared.
    pub measure: String,
    /// Median before.
    pub before: f64,
    /// Median now.
    pub now: f64,
    /// How likely it is that chance alone makes such a difference.
    pub probability: f64,
    /// Which direction is good.
    pub better: Better,
}

impl Difference {
    /// By how much it has changed, in percent of what it was; infinite from nothing.
    pub fn percent(&self) -> f64 {
        if self.before == self.now { 0.0 } else { (self.now / self.before - 1.0) * 100.0 }
    }

    /// In words: `better`, `worse`, or `not shown`.
    pub fn word(&self) -> &'static str {
        if self.probability >= CHANCE || self.before == self.now {
            return "not shown";
        }
        let is_less = self.now < self.before;
        let is_better = if self.better == Better::Higher { !is_less } else { is_less };
        if is_better { "better" } else { "worse" }
    }
}

/// What both runs have of an area, but for mere facts.
pub fn differences(before: &AreaReport, now: &AreaReport) -> Vec<Difference> {
    let pairs = now.cases.iter().filter_map(|case| Some((before.case(&case.name)?, case)));
    pairs.flat_map(|(before, now)| of_case(before, now)).collect()
}

/// The differences of an area as text, with what a reader has to know of the two runs.
pub fn text(name: &str, saved: &Report, now: &AreaReport) -> String {
    let Some(before) = saved.area(&now.area) else {
        return format!("Nothing of {} is saved as {name}.\n", now.area);
    };
    let mut text = format!("{} as saved as {name} ({}) and now ({}):\n\n", now.area, before.machine, now.machine);
    if !before.machine.is_like(&now.machine) {
        text.push_str("Another machine: only ratios can be compared.\n\n");
    }
    if before.quick != now.quick {
        text.push_str("One of them is a quick run, with shorter turns.\n\n");
    }
    let mut table = Table::new(["case, variant", "measure", "before", "now", "change", "p", "difference"]);
    for it in differences(before, now) {
        let (change, p) = (format!("{:+.1} %", it.percent()), format!("{:.3}", it.probability));
        let word = it.word().to_owned();
        table.row([it.place, it.measure, figure(it.before), figure(it.now), change, p, word]);
    }
    match table.is_empty() {
        true => text.push_str("They have no cell in common.\n"),
        false => text.push_str(&table.to_string()),
    }
    text
}

fn of_case(before: &Case, now: &Case) -> Vec<Difference> {
    let series = now.variants.iter().flat_map(|variant| variant.series.iter().map(move |series| (variant, series)));
    let compared = series.filter(|(_, series)| series.measure.better != Better::Neither);
    compared.filter_map(|(variant, series)| of_series(before, now, &variant.name, series)).collect()
}

fn of_series(before: &Case, now: &Case, variant: &str, series: &Series) -> Option<Difference> {
    let name = &series.measure.name;
    let ratios = before.ratios(variant, name).zip(now.ratios(variant, name));
    let (measure, (before_samples, now_samples)) = match ratios {
        Some(ratios) => (format!("ratio of {name}"), ratios),
        None => {
            let unit = &series.measure.unit;
            let measure = if unit.is_empty() { name.to_string() } else { format!("{name}, {unit}") };
            (measure, (before.samples(variant, name)?.to_vec(), series.samples.clone()))
        }
    };
    Some(Difference {
        place: format!("{}: {variant}", now.name),
        measure,
        before: statistics::median(&before_samples)?,
        now: statistics::median(&now_samples)?,
        probability: statistics::probability_of_no_difference(&before_samples, &now_samples),
        better: series.measure.better,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{machine::Machine, report::Measure};

    const CPU: Measure = Measure::cost("CPU", "µs");
    const LINES: Measure = Measure::yielded("lines", "1/s");
    const DROPPED: Measure = Measure::fact("dropped", "");

    /// Five rounds; the ratio of `on` to `off` is `ratio`, the machine `slower` by so much.
    fn run(ratio: f64, slower: f64, lines: f64) -> AreaReport {
        let mut area = AreaReport::new("filter", false, Machine::default());
        area.compare_with("small", "off");
        for round in 0..5 {
            let off = (10.0 + f64::from(round) * 0.1) * slower;
            area.add("small", "off", &CPU, off);
            area.add("small", "on", &CPU, off * (ratio + f64::from(round) * 0.001));
            area.add("small", "alone", &LINES, lines + f64::from(round));
            area.add("small", "on", &DROPPED, 3.0);
        }
        area
    }

    #[test]
    fn a_ratio_that_grew_is_worse_whatever_the_machine_did() {
        let found = differences(&run(1.2, 1.0, 100.0), &run(1.3, 0.5, 200.0));

        let told: Vec<_> = found.iter().map(|it| (it.place.as_str(), it.measure.as_str(), it.word())).collect();
        let expected = [
            ("small: off", "CPU, µs", "better"),
            ("small: on", "ratio of CPU", "worse"),
            ("small: alone", "lines, 1/s", "better"),
        ];
        assert_eq!(told, expected);
        let ratio = found.iter().find(|it| it.place == "small: on").unwrap();
        assert!((ratio.percent() - 8.3).abs() < 0.1, "{ratio:?}");
        assert!((ratio.probability - 2.0 / 252.0).abs() < 1e-9, "{ratio:?}");
    }

    #[test]
    fn the_same_run_shows_no_difference() {
        let run = run(1.2, 1.0, 100.0);

        assert!(differences(&run, &run).iter().all(|it| it.word() == "not shown" && it.percent() == 0.0));
    }

    #[test]
    fn the_text_says_what_cannot_be_compared() {
        let now = run(1.2, 1.0, 100.0);
        let mut other = run(1.2, 1.0, 100.0);
        other.machine.cores = 64;
        other.quick = true;
        let mut saved = Report::default();
        assert_eq!(text("one", &saved, &now), "Nothing of filter is saved as one.\n");
        saved.put(other);

        let text = text("one", &saved, &now);

        assert!(text.contains("Another machine") && text.contains("quick run"), "{text}");
        assert!(text.contains("| small: on"), "{text}");
        assert!(!text.contains("dropped"), "{text}");
    }
}
