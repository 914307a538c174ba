//! The stages, in their order: what is cheap and often wrong comes first.

use std::process::Command;

use anyhow::{Context as _, Result};
use xtask::parts;

use super::Findings;
use crate::build::{self, cargo};
use crate::{compose, docs, fuzz, style, supply, wasm};

/// One stage of `check` and `test`.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Its name on the command line and in the summary.
    pub(crate) name: &'static str,
    /// What it looks at, in a few words.
    pub(crate) about: &'static str,
    /// Whether `check` runs it too.
    pub(crate) fast: bool,
    /// Whether it needs what `fetch` brings.
    pub(crate) needs_parts: bool,
    /// What it does.
    pub(crate) work: Work,
}

/// What a stage does.
#[derive(Debug)]
pub(crate) enum Work {
    /// Commands that all have to succeed.
    Commands(fn() -> Result<Vec<Command>>),
    /// A look at files.
    Look(fn() -> Result<Findings>),
    /// Runners that print `test result:` lines, after commands that prepare for them.
    Tests {
        /// Have to succeed first.
        prepare: fn() -> Result<Vec<Command>>,
        /// Run the tests with the given text in their name.
        runners: fn(Option<&str>) -> Result<Vec<Command>>,
    },
}

/// All stages.
pub(crate) const STAGES: [Stage; 12] = [
    Stage {
        name: "fmt",
        about: "the code is formatted",
        fast: true,
        needs_parts: false,
        work: Work::Commands(|| Ok(vec![cargo(&["fmt", "--all", "--check"])])),
    },
    Stage {
        name: "style",
        about: "what the style rules say that a program can see",
        fast: true,
        needs_parts: false,
        work: Work::Look(style::look),
    },
    Stage {
        name: "docs",
        about: "links, anchors and tables of the docs",
        fast: true,
        needs_parts: false,
        work: Work::Look(docs::look),
    },
    Stage {
        name: "containers",
        about: "compose file and Dockerfile: pinned, complete, the testbed's Envoy configuration",
        fast: true,
        needs_parts: false,
        work: Work::Look(compose::look),
    },
    Stage {
        name: "deny",
        about: "licences, sources and doubled versions of what we link",
        fast: true,
        needs_parts: false,
        work: Work::Commands(supply::deny),
    },
    Stage {
        name: "clippy",
        about: "lints, for this machine and for Envoy",
        fast: true,
        needs_parts: false,
        work: Work::Commands(clippy),
    },
    Stage {
        name: "wasm",
        about: "the filter as it ships: imports, exports, memory bound, size",
        fast: true,
        needs_parts: false,
        work: Work::Look(wasm::look),
    },
    Stage {
        name: "unit",
        about: "unit, property and doc tests on this machine",
        fast: true,
        needs_parts: false,
        work: Work::Tests { prepare: || Ok(Vec::new()), runners: unit },
    },
    Stage {
        name: "settings",
        about: "the tables and pages in the docs say what the programs say",
        fast: true,
        needs_parts: false,
        work: Work::Look(docs::look_at_settings),
    },
    Stage {
        name: "unit-wasm",
        about: "the tests of the filter, and of what it stands on, compiled to wasm, on Node",
        fast: false,
        needs_parts: true,
        work: Work::Tests { prepare: || Ok(Vec::new()), runners: unit_wasm },
    },
    Stage {
        name: "doc",
        about: "the code's documentation builds without a warning",
        fast: false,
        needs_parts: false,
        work: Work::Commands(rustdoc),
    },
    Stage {
        name: "e2e",
        about: "real Envoy, real Kafka, the whole path",
        fast: false,
        needs_parts: true,
        work: Work::Tests { prepare: || Ok(parts_of_e2e()), runners: e2e },
    },
];

fn clippy() -> Result<Vec<Command>> {
    let warnings = ["--", "--deny", "warnings"];
    let mut native = cargo(&["clippy", "--workspace", "--all-targets"]);
    let mut envoy = cargo(&["clippy", "--package", "tributary-filter", "--target", "wasm32-wasip1"]);
    envoy.args(["--package", "tributary-http-types", "--package", "tributary-redact"]);
    native.args(warnings);
    envoy.args(warnings);
    Ok(vec![native, envoy])
}

/// Everything but what needs real parts. Two runs: cargo cannot leave out one target of one package.
fn unit(filter: Option<&str>) -> Result<Vec<Command>> {
    let mut most = cargo(&["test", "--no-fail-fast", "--workspace"]);
    most.args(["--exclude", "tributary-testbed", "--exclude", "tributary-bench"]);
    let mut testbed = cargo(&["test", "--no-fail-fast", "--package", "tributary-testbed"]);
    testbed.args(["--package", "tributary-bench", "--lib", "--bins"]);
    most.args(filter);
    testbed.args(filter);
    [&mut most, &mut testbed].into_iter().for_each(fuzz::fix_seed);
    Ok(vec![most, testbed])
}

fn unit_wasm(filter: Option<&str>) -> Result<Vec<Command>> {
    let mut tests = cargo(&["test", "--no-fail-fast", "--package", "tributary-filter"]);
    tests.args(["--target", "wasm32-unknown-unknown", "--lib", "--tests"]).args(filter);
    tests.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", parts::wasm_test_runner()?);
    // Masking and writing have code of their own for the 128-bit instructions of the target that ships.
    let mut under = cargo(&["test", "--no-fail-fast", "--package", "tributary-http-types"]);
    under.args(["--package", "tributary-redact", "--target", "wasm32-wasip1", "--lib"]).args(filter);
    let runner = parts::wasi_runner();
    let runner = runner.to_str().context("a path in UTF-8 to this repository")?;
    under.arg("--config").arg(format!("target.wasm32-wasip1.runner = ['node', '--no-warnings', '{runner}']"));
    fuzz::fix_seed(&mut under);
    Ok(vec![tests, under])
}

fn rustdoc() -> Result<Vec<Command>> {
    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
    doc.env("RUSTDOCFLAGS", "--deny warnings");
    Ok(vec![doc])
}

fn parts_of_e2e() -> Vec<Command> {
    let mut builds = build::everything();
    builds.extend([build::filter_of_the_drill(), build::bench_encode_for_v8()]);
    builds
}

fn e2e(filter: Option<&str>) -> Result<Vec<Command>> {
    // Each of the two has a test program of this name.
    let mut tests =
        cargo(&["test", "--no-fail-fast", "--package", "tributary-testbed", "--package", "tributary-bench"]);
    tests.args(["--test", "e2e"]);
    tests.args(filter);
    Ok(vec![tests])
}
