//! The areas: what can be measured, in the order of the flow.

use std::{future::Future, pin::Pin};

use anyhow::{Context as _, Result};

use crate::{collector, encode, filter, path, run::Run, scale};

/// One stage, and how it is measured.
#[derive(Debug)]
pub struct Area {
    /// Its name on the command line, in reports and in the markers of the page.
    pub name: &'static str,
    /// What is measured, in a few words.
    pub about: &'static str,
    /// The options that choose what is compared and that it knows.
    pub takes: &'static [&'static str],
    /// Measures it.
    pub measure: for<'run> fn(&'run mut Run) -> Measuring<'run>,
}

/// An area being measured.
pub type Measuring<'run> = Pin<Box<dyn Future<Output = Result<()>> + 'run>>;

/// All areas.
pub const AREAS: &[Area] = &[
    Area {
        name: "filter",
        about: "CPU, latency and memory of Envoy, with the filter and with what else records traffic in it",
        takes: &["--wasm", "--only"],
        measure: |run| Box::pin(filter::measure(run)),
    },
    Area {
        name: "instructions",
        about: "instructions that Envoy spends on a request, with the filter and with what else records traffic in it",
        takes: &["--wasm", "--only"],
        measure: |run| Box::pin(filter::instructions::measure(run)),
    },
    Area {
        name: "encode",
        about: "redaction and the writing of lines, natively and in V8",
        takes: &[],
        measure: |run| Box::pin(encode::measure(run)),
    },
    Area {
        name: "collector",
        about: "CPU, rate, latency and memory of the collector, beside the smallest program that does it and beside Node",
        takes: &["--collector", "--only"],
        measure: |run| Box::pin(collector::measure(run)),
    },
    Area {
        name: "end-to-end",
        about: "what Envoy, collector and Kafka cost together, and how long a record takes from the answer into Kafka",
        takes: &[],
        measure: |run| Box::pin(path::measure(run)),
    },
    Area {
        name: "scale",
        about: "cost per exchange from one source to ten thousand, by size of exchange, collectors and partitions",
        takes: &[],
        measure: |run| Box::pin(scale::measure(run)),
    },
];

impl Area {
    /// The area with this name.
    ///
    /// # Errors
    /// There is none; the error names those there are.
    pub fn named(name: &str) -> Result<&'static Area> {
        let known = || AREAS.iter().map(|area| area.name).collect::<Vec<_>>().join(", ");
        AREAS.iter().find(|area| area.name == name).with_context(|| format!("no area {name}: there are {}", known()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use xtask::parts;

    use super::*;
    use crate::budget::BUDGETS;

    #[test]
    fn an_area_that_is_not_there_is_told_with_those_that_are() {
        let error = Area::named("moon").unwrap_err().to_string();

        assert!(error.contains("no area moon") && error.contains("filter"), "{error}");
        assert!(AREAS.iter().all(|area| Area::named(area.name).is_ok()));
    }

    #[test]
    fn each_budget_has_an_area_that_measures_it() {
        let orphans: Vec<_> = BUDGETS.iter().filter(|budget| Area::named(budget.area).is_err()).collect();

        assert_eq!(orphans, Vec::<&crate::budget::Budget>::new());
    }

    #[test]
    fn the_page_has_a_place_for_each_area() {
        let page = fs::read_to_string(parts::workspace_root().join("docs").join("performance.md")).unwrap();

        for area in AREAS {
            for end in ["begin", "end"] {
                let marker = format!("\n<!-- bench {}: {end} -->\n", area.name);
                assert_eq!(page.matches(&marker).count(), 1, "{marker}");
            }
        }
    }
}
