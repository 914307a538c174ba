//! `cargo xtask bench`: fetches what is missing, builds, and becomes the program that measures.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use xtask::parts::{self, Part};

use crate::{build, fetch};

/// What is to be measured, and what becomes of the result.
#[derive(Debug, clap::Args)]
pub(crate) struct Bench {
    /// Only these areas, in this order [default: all]
    #[arg(value_name = "AREA", value_parser = AREAS.map(|area| area.name))]
    areas: Vec<String>,
    /// Only the cells of the budgets, with shorter turns: up to five minutes an area
    #[arg(long)]
    quick: bool,
    /// Counted rounds [default: 5]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Keep the result under this name (target/bench/NAME.json), beside what is kept under it of other areas
    #[arg(long, value_name = "NAME")]
    save: Option<String>,
    /// Say what differs from the result kept under this name, and whether that can be chance
    #[arg(long, value_name = "NAME")]
    compare: Option<String>,
    /// Compare builds of the filter, in areas filter and instructions: once for each
    #[arg(long, value_name = "FILE")]
    wasm: Vec<PathBuf>,
    /// Compare builds of the collector, in area collector: once for each
    #[arg(long, value_name = "FILE")]
    collector: Vec<PathBuf>,
    /// Only the cases whose names contain this text, in areas filter, instructions and collector
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Write the tables into docs/performance.md
    #[arg(long)]
    page: bool,
    /// Measure nothing: show the result kept under this name; with --page, write it
    #[arg(long, value_name = "NAME")]
    show: Option<String>,
}

/// An area of the benchmarks, as the program of the benchmarks names it, and what has to be there for it.
#[derive(Debug)]
struct Area {
    name: &'static str,
    parts: &'static [Part],
    /// What ours is compared with. The benchmark goes on without it, and its report says that it is absent.
    others: &'static [Part],
    /// Programs built in release.
    programs: &'static [&'static str],
    /// Builds of what runs in WebAssembly.
    modules: &'static [fn() -> Command],
}

const AREAS: [Area; 6] = [
    Area { name: "filter", ..IN_ENVOY },
    Area { name: "instructions", ..IN_ENVOY },
    Area {
        name: "encode",
        parts: &[Part::RustTargets],
        others: &[],
        programs: &["bench", "bench-encode"],
        modules: &[build::bench_encode_for_v8],
    },
    Area {
        name: "collector",
        parts: &[Part::RustTargets, Part::Kafka],
        others: &[Part::NodeKafka],
        programs: &["bench", "floor", "tributary-collector"],
        modules: &[],
    },
    Area { name: "end-to-end", ..WHOLE_PATH },
    Area { name: "scale", ..WHOLE_PATH },
];

const IN_ENVOY: Area = Area {
    name: "",
    parts: &[Part::RustTargets, Part::Envoy],
    others: &[],
    programs: &["bench"],
    modules: &[build::filter],
};

const WHOLE_PATH: Area = Area {
    name: "",
    parts: &[Part::RustTargets, Part::Envoy, Part::Kafka],
    others: &[],
    programs: &["bench", "tributary-collector"],
    modules: &[build::filter],
};

/// Fetches, builds and runs; returns only if that could not be done.
///
/// # Errors
/// A part or a tool is missing, the build fails, or the program does not start.
pub(crate) fn bench(bench: &Bench) -> Result<()> {
    build::check_tools()?;
    let is_wanted = |area: &&Area| bench.areas.is_empty() || bench.areas.iter().any(|name| name == area.name);
    let areas: Vec<&Area> = AREAS.iter().filter(is_wanted).collect();
    fetch::fetch(&parts_of(&areas, |area| area.parts))?;
    if let Err(error) = fetch::fetch(&parts_of(&areas, |area| area.others)) {
        eprintln!("bench: some of what ours is compared with is missing: {error:#}");
    }
    let programs: Vec<&str> = areas.iter().flat_map(|area| area.programs).copied().collect();
    let modules = areas.iter().flat_map(|area| area.modules).map(|build| build());
    build::run(modules.chain([build::bench_programs(&programs)]).collect())?;

    let mut program = Command::new(parts::release_binary("bench"));
    program.args(&bench.areas);
    for (flag, wanted) in [("--quick", bench.quick), ("--page", bench.page)] {
        program.args(wanted.then_some(flag));
    }
    program.args(bench.rounds.iter().flat_map(|rounds| ["--rounds".to_owned(), rounds.to_string()]));
    let texts =
        [("--save", &bench.save), ("--compare", &bench.compare), ("--only", &bench.only), ("--show", &bench.show)];
    for (flag, name) in texts {
        program.args(name.iter().flat_map(|name| [flag, name]));
    }
    for (flag, builds) in [("--wasm", &bench.wasm), ("--collector", &bench.collector)] {
        builds.iter().for_each(|file| {
            program.arg(flag).arg(file);
        });
    }
    // In our place, not as a child: signals, terminal and exit code are the program's own.
    let error = program.exec();
    Err(error).with_context(|| format!("start {}", parts::release_binary("bench").display()))
}

/// Each once.
fn parts_of(areas: &[&Area], of: impl Fn(&Area) -> &'static [Part]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for part in areas.iter().flat_map(|area| of(area)) {
        if !parts.contains(part) {
            parts.push(*part);
        }
    }
    parts
}
