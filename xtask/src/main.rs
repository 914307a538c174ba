//! `cargo xtask`: the commands of the workshop. This file only connects; each command has a module of its own.

mod bench;
mod build;
mod compose;
mod demo;
mod dist;
mod docs;
mod faults;
mod fetch;
mod fuzz;
mod process;
mod repository;
mod stages;
mod style;
mod supply;
mod wasm;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use xtask::parts::{PINS, Part};

use stages::{Plan, STAGES};

/// Builds, runs and tests Tributary.
///
/// Start here: `cargo xtask demo` shows HTTP exchanges flowing from Envoy through the filter and the collector
/// into Kafka; `cargo xtask check` before each commit; `cargo xtask test` for everything.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run the whole path on this machine and show the exchanges as they come out of Kafka
    ///
    /// Fetches and builds what is missing, starts Kafka, the collector, the demo app and Envoy, makes the tutorial's
    /// calls, and goes on until Ctrl-C. Nothing is installed, no container is needed.
    #[command(after_long_help = "Examples:\n  cargo xtask demo\n  cargo xtask demo --file exchanges.jsonl   \
                                 # without Java and Kafka\n  cargo xtask demo --once; echo $?")]
    Demo(demo::Demo),
    /// Format, style, docs, lints, unit tests: under a minute when warm; before each commit
    Check,
    /// Everything: check, the filter's tests in wasm, and the whole path on real Envoy and Kafka
    ///
    /// All stages run, whatever fails; the last line says how many tests and checks passed and failed.
    #[command(after_long_help = stages_help())]
    Test {
        /// A stage, or part of the name of the tests to run, or both in this order [default: all]
        #[arg(value_name = "NAME", num_args = 0..=2)]
        names: Vec<String>,
    },
    /// Do harm to the running path (real Envoy, collector, Kafka), heal it, and judge what came out
    ///
    /// One row for each fault: docs/faults.md lists them. The last line says how many passed and failed; the result is
    /// also in target/faults/report.json, with the logs of failed rows beside it.
    #[command(after_long_help = "Examples:\n  cargo xtask faults\n  cargo xtask faults collector-kill --full\n  \
                                 cargo xtask faults reply- --seed 7   # all rows whose names begin so")]
    Faults(faults::Faults),
    /// Measure what Tributary costs, side by side with what else there is
    ///
    /// Release builds, real parts, variants in turn; ratios of one run, with their spread and the verdict on each budget.
    /// docs/performance.md says how to read it.
    #[command(
        after_long_help = "Examples:\n  cargo xtask bench filter --quick\n  cargo xtask bench filter --quick --save \
                                 before   # then change something, and:\n  cargo xtask bench filter --quick --compare before\n  \
                                 cargo xtask bench filter --quick --wasm a.wasm --wasm b.wasm   # two builds in one run"
    )]
    Bench(bench::Bench),
    /// Play the tests that face hostile input with new seeds, for as long as you like
    ///
    /// `cargo xtask test` plays each of them too, for a moment and with one fixed seed.
    #[command(after_long_help = fuzz::help())]
    Fuzz(fuzz::Fuzz),
    /// Write what is shipped to target/dist: the filter, the programs, a bill of materials for each, SHA256SUMS
    Dist,
    /// Look for known vulnerabilities in what we link
    ///
    /// Asks the RustSec advisory database, which is fetched anew each time (it needs the network), so it is no part of
    /// check and test: their verdict must not change by itself. Run it each day.
    Advisories,
    /// Build and run the containers of docker-compose.yml for real, and restart them under load
    ///
    /// Needs docker with its compose plugin and the ports 3000 and 9092. Takes 15 minutes the first time. Uses a
    /// project name of its own; if it is interrupted: `docker compose -p tributary-check down -v`.
    Compose,
    /// Bring Envoy, Kafka and the other parts that are not built here into the cache folder
    ///
    /// Other commands call it for what they need. The folder is $TRIBUTARY_PARTS, else $XDG_CACHE_HOME/tributary,
    /// else ~/.cache/tributary. Use your own with ENVOY=/path/to/envoy, KAFKA_HOME=/path/to/kafka or
    /// KAFKA_BROKERS=host:9092.
    Fetch {
        /// Only these parts [default: all]
        #[arg(value_name = "PART", value_parser = PINS.map(|pin| pin.name))]
        parts: Vec<String>,
        /// Show the parts, their versions, who fetches them, and whether they are there
        #[arg(long)]
        list: bool,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = process::stop_with_the_children().and_then(|()| run(&arguments.command));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Result<()> {
    match task {
        Task::Demo(arguments) => demo::demo(arguments),
        Task::Check => {
            build::check_tools()?;
            fetch::fetch(&fetch::FOR_CHECK)?;
            Plan::check().run()
        }
        Task::Test { names } => {
            let plan = Plan::test(names)?;
            build::check_tools()?;
            fetch::fetch(&if plan.needs_parts() { fetch::for_tests() } else { fetch::FOR_CHECK.to_vec() })?;
            plan.run()
        }
        Task::Faults(arguments) => faults::faults(arguments),
        Task::Bench(arguments) => bench::bench(arguments),
        Task::Fuzz(arguments) => {
            build::check_tools()?;
            fuzz::fuzz(arguments)
        }
        Task::Dist => {
            fetch::fetch(&[Part::RustTargets])?;
            dist::dist()
        }
        Task::Advisories => {
            fetch::fetch(&[Part::CargoDeny])?;
            supply::advisories()
        }
        Task::Compose => compose::run(),
        Task::Fetch { list: true, .. } => fetch::list(),
        Task::Fetch { parts, .. } => {
            let named = parts.iter().map(|name| Part::named(name).with_context(|| format!("no part {name}")));
            let named = named.collect::<Result<Vec<_>>>()?;
            let wanted = if named.is_empty() { fetch::for_tests() } else { named };
            fetch::fetch(&wanted)?;
            wanted.iter().for_each(|part| println!("there   {}", part.pin().name));
            Ok(())
        }
    }
}

fn stages_help() -> String {
    let line = |stage: &stages::Stage| {
        let when = if stage.fast { "also in check" } else { "" };
        format!("  {:<12} {:<14} {}\n", stage.name, when, stage.about)
    };
    let stages = STAGES.iter().map(line).collect::<String>();
    format!(
        "Stages:\n{stages}\nExamples:\n  cargo xtask test\n  cargo xtask test e2e          # one stage\n  \
         cargo xtask test http3        # all tests with http3 in their name\n  \
         cargo xtask test e2e http3    # those of one stage"
    )
}
