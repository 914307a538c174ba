//! How the workspace is built: the one place that knows profiles, targets and packages.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use xtask::parts::{self, CC, MAKE, OPENSSL, PKG_CONFIG};

use crate::process;

/// Packages whose binaries run in the demo and the tests.
const PROGRAMS: [&str; 5] =
    ["tributary-collector", "tributary-cli", "users", "tributary-testbed", "tributary-bench-encode"];

/// `cargo` with these arguments, at the root of the repository.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(arguments).current_dir(parts::workspace_root());
    cargo
}

/// The filter as it ships, at [`parts::filter_wasm`].
///
/// As a cdylib alone: the library is an rlib too, for its tests, and for that cargo would leave out the LTO of the profile.
pub(crate) fn filter() -> Command {
    let mut build = cargo(&["rustc", "--profile", "wasm", "--target", "wasm32-wasip1"]);
    build.args(["--package", "tributary-filter", "--lib", "--crate-type", "cdylib"]);
    build
}

/// The filter that panics on demand, at [`parts::filter_wasm_of_the_drill`].
pub(crate) fn filter_of_the_drill() -> Command {
    let mut build = cargo(&["build", "--profile", "wasm-drill", "--target", "wasm32-wasip1"]);
    build.args(["--package", "tributary-filter", "--features", "panic-drill"]);
    build
}

/// The programs of the demo and the tests, at [`parts::binary`].
pub(crate) fn programs() -> Command {
    let mut build = cargo(&["build", "--bins"]);
    build.args(PROGRAMS.iter().flat_map(|package| ["--package", package]));
    build
}

/// These programs of the benchmarks, optimised, at [`parts::release_binary`]; named twice, one is built once.
pub(crate) fn bench_programs(names: &[&str]) -> Command {
    // Always of the same packages, or cargo would choose other features for what they stand on and build all of that again.
    let mut build = cargo(&["build", "--release", "--package", "tributary-collector", "--package", "tributary-bench"]);
    build.args(["--package", "tributary-bench-encode"]);
    build.args(names.iter().flat_map(|name| ["--bin", name]));
    build
}

/// The benchmark of redaction and writing as V8 runs it, built as the filter is, at [`parts::encode_wasm`].
pub(crate) fn bench_encode_for_v8() -> Command {
    cargo(&["build", "--profile", "wasm", "--target", "wasm32-wasip1", "--package", "tributary-bench-encode"])
}

/// The collector that ends itself at named points, at [`parts::collector_with_fail_points`].
///
/// Built with the others, or cargo would choose other features for what they stand on and build all of that again. It
/// takes the place of the usual collector, so it is moved away, and [`programs`] has to be built after it.
///
/// # Errors
/// The build failed, or the program cannot be copied.
pub(crate) fn collector_with_fail_points() -> Result<()> {
    let mut build = programs();
    build.args(["--features", "tributary-collector/fail-points"]);
    run(vec![build])?;
    let place = parts::collector_with_fail_points();
    let folder = place.parent().context("a place for the collector with fail points")?;
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    // Under another name first: the old one may run.
    let next = place.with_extension("next");
    fs::copy(parts::binary("tributary-collector"), &next).with_context(|| format!("write {}", next.display()))?;
    fs::rename(&next, &place).with_context(|| format!("write {}", place.display()))
}

/// Filter and programs.
pub(crate) fn everything() -> Vec<Command> {
    vec![filter(), programs()]
}

/// Runs build commands, one after the other.
///
/// # Errors
/// One of them failed; what it said stands above.
pub(crate) fn run(commands: Vec<Command>) -> Result<()> {
    for mut command in commands {
        let status = process::run(&mut command)?;
        process::succeeded(&command, status)?;
    }
    Ok(())
}

/// Looks for what building the Kafka client takes, because its own message for a missing OpenSSL is pages long.
///
/// # Errors
/// All that is missing, each with the command that installs it.
pub(crate) fn check_tools() -> Result<()> {
    let mut missing = [&CC, &MAKE].into_iter().filter(|tool| tool.path().is_err()).collect::<Vec<_>>();
    // On macOS the build finds Homebrew's OpenSSL by itself, and says so in one line if there is none.
    if cfg!(target_os = "linux") && std::env::var_os("OPENSSL_DIR").is_none() {
        let mut pkg_config = Command::new(PKG_CONFIG.program);
        match PKG_CONFIG.path() {
            Err(_) => missing.push(&PKG_CONFIG),
            Ok(_) if process::run(pkg_config.args(["--exists", "openssl"]))?.success() => {}
            Ok(_) => missing.push(&OPENSSL),
        }
    }
    match missing.as_slice() {
        [] => Ok(()),
        tools => bail!("{}", tools.iter().map(|tool| tool.missing()).collect::<Vec<_>>().join("\n")),
    }
}
