//! What it may cost: the one table of budgets, and the verdict on each.
//!
//! Budgets are ratios of what was measured in the same round, wherever they can be: absolute times are those of a machine.
//! The median of the rounds is judged.

use crate::{
    report::{AreaReport, Case},
    statistics::{self, Summary},
};

mod table;

pub use table::BUDGETS;

/// One bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// What is bounded, for a reader.
    pub what: &'static str,
    /// Name of the area that measures it.
    pub area: &'static str,
    /// The case; one that the run does not have is not judged.
    pub case: &'static str,
    /// The variant.
    pub variant: &'static str,
    /// Name of the measure.
    pub measure: &'static str,
    /// What of it is bounded.
    pub bounds: Bounds,
    /// Unit of the bounds: `x` for ratios.
    pub unit: &'static str,
    /// The most that is accepted.
    pub must: f64,
    /// The most that is wanted.
    pub aim: Option<f64>,
}

/// What is compared with a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bounds {
    /// The measure itself, as it is.
    Value,
    /// The measure divided by that of another variant.
    RatioTo(&'static str),
    /// What it is more than that of another variant.
    Over(&'static str),
    /// What it adds to a variant, divided by what another one adds.
    ShareOfAdded {
        /// That to which both add.
        to: &'static str,
        /// The other one.
        by: &'static str,
    },
}

/// How a budget was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Which one.
    pub budget: &'static Budget,
    /// What was measured; `None` if the run does not have it.
    pub measured: Option<Summary>,
}

impl Verdict {
    /// In words: `met`, `met, aim missed`, `missed`, `not measured`.
    pub fn word(&self) -> &'static str {
        let Some(measured) = self.measured else { return "not measured" };
        match (measured.median <= self.budget.must, self.budget.aim.is_none_or(|aim| measured.median <= aim)) {
            (true, true) => "met",
            (true, false) => "met, aim missed",
            (false, _) => "**missed**",
        }
    }
}

/// Judges the budgets of an area, in the order of the table.
pub fn judge(area: &AreaReport) -> Vec<Verdict> {
    let budgets = BUDGETS.iter().filter(|budget| budget.area == area.area);
    let verdict = |budget: &'static Budget| Verdict {
        budget,
        measured: area.case(budget.case).and_then(|case| budget.samples(case)).and_then(|it| Summary::of(&it)),
    };
    budgets.map(verdict).collect()
}

impl Budget {
    /// What is to be compared with the bounds, round by round.
    fn samples(&self, case: &Case) -> Option<Vec<f64>> {
        let of = |variant| case.samples(variant, self.measure);
        let over = |sample: f64, other: f64| sample - other;
        let own = of(self.variant)?;
        Some(match self.bounds {
            Bounds::Value => own.to_vec(),
            Bounds::RatioTo(other) => case.ratios_to(self.variant, other, self.measure)?,
            Bounds::Over(other) => statistics::paired(own, of(other)?, over),
            Bounds::ShareOfAdded { to, by } => {
                let added = statistics::paired(own, of(to)?, over);
                let added_by = statistics::paired(of(by)?, of(to)?, over);
                statistics::paired(&added, &added_by, |added, by| added / by)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{machine::Machine, report::Measure};

    const COST: Measure = Measure::cost("CPU", "µs");

    fn case() -> Case {
        let mut area = AreaReport::new("filter", false, Machine::default());
        for round in [0.0, 1.0] {
            area.add("small", "off", &COST, 10.0 + round);
            area.add("small", "ours", &COST, 12.0 + round);
            area.add("small", "tap", &COST, 30.0 + round);
        }
        area.cases.remove(0)
    }

    fn budget(bounds: Bounds) -> Budget {
        Budget {
            what: "small",
            area: "filter",
            case: "small",
            variant: "ours",
            measure: "CPU",
            bounds,
            unit: "x",
            must: 1.3,
            aim: Some(1.1),
        }
    }

    #[test]
    fn each_kind_of_bound_is_taken_round_by_round() {
        let samples = |bounds| budget(bounds).samples(&case()).unwrap();

        assert_eq!(samples(Bounds::Value), [12.0, 13.0]);
        assert_eq!(samples(Bounds::RatioTo("off")), [1.2, 13.0 / 11.0]);
        assert_eq!(samples(Bounds::Over("off")), [2.0, 2.0]);
        assert_eq!(samples(Bounds::ShareOfAdded { to: "off", by: "tap" }), [0.1, 0.1]);
        assert_eq!(budget(Bounds::RatioTo("lua")).samples(&case()), None);
    }

    #[test]
    fn the_median_is_judged_by_both_bounds() {
        static BUDGET: Budget = Budget {
            what: "small",
            area: "filter",
            case: "small",
            variant: "ours",
            measure: "CPU",
            bounds: Bounds::Value,
            unit: "x",
            must: 1.3,
            aim: Some(1.1),
        };
        let word = |samples: &[f64]| Verdict { budget: &BUDGET, measured: Summary::of(samples) }.word();

        assert_eq!(word(&[1.1]), "met");
        assert_eq!(word(&[1.11]), "met, aim missed");
        assert_eq!(word(&[1.3, 1.0, 9.0]), "met, aim missed");
        assert_eq!(word(&[1.31]), "**missed**");
        assert_eq!(word(&[]), "not measured");
    }

    #[test]
    fn what_a_run_does_not_have_is_not_measured() {
        let verdicts = judge(&AreaReport::new("filter", false, Machine::default()));

        assert!(!verdicts.is_empty());
        assert!(verdicts.iter().all(|verdict| verdict.word() == "not measured"));
    }

    #[test]
    fn aims_are_never_wider_than_musts() {
        assert!(BUDGETS.iter().all(|budget| budget.aim.is_none_or(|aim| aim <= budget.must)));
    }
}
