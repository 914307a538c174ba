//! `cargo xtask fuzz`: plays the property tests that face hostile input with new seeds, for as long as it is told.
//!
//! The targets are ordinary tests on the stable toolchain: what is found here fails there too, shrunk, and needs no
//! other build. libFuzzer would see which branches it reaches, but it needs a nightly compiler and instruments
//! librdkafka's crate too; instead the targets start from seeds that readers accept (`fuzz/`).

mod targets;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::build::cargo;
use crate::process;
use crate::stages::Results;
use targets::{TARGETS, Target};

/// The seed of the usual test runs: a failure is of the change at hand, not of the day's luck.
const FIXED_SEED: &str = "11";

/// proptest's own name for it.
const SEED_VARIABLE: &str = "PROPTEST_RNG_SEED";

/// Cases of a property in a round, as in the usual run: the largest targets take ten seconds or so for them.
const CASES: u64 = 256;

/// Which targets, how long, from where.
#[derive(Debug, clap::Args)]
pub(crate) struct Fuzz {
    /// Only this target [default: all, one after the other]
    #[arg(value_name = "TARGET", value_parser = TARGETS.map(|target| target.name))]
    target: Option<String>,
    /// How long each target is played; 0: one round
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// The seed of the first round; each further one adds 1 [default: the clock]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// Gives the tests that a command runs the fixed seed, unless the environment has one.
pub(crate) fn fix_seed(command: &mut Command) {
    if std::env::var_os(SEED_VARIABLE).is_none() {
        command.env(SEED_VARIABLE, FIXED_SEED);
    }
}

/// Builds, and plays each target for its time.
///
/// # Errors
/// It does not build, a target has no test, or one has found something: the error says how to repeat it.
pub(crate) fn fuzz(fuzz: &Fuzz) -> Result<()> {
    let executables = executables()?;
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let first_seed = fuzz.seed.unwrap_or_else(clock);
    let wanted = TARGETS.iter().filter(|target| fuzz.target.as_deref().is_none_or(|name| name == target.name));
    let mut found = Vec::new();
    for target in wanted {
        found.extend(play(target, &executables, Duration::from_secs(fuzz.seconds), first_seed)?);
    }
    match found.as_slice() {
        [] => Ok(()),
        repeats => bail!("something was found; to repeat it:\n  {}", repeats.join("\n  ")),
    }
}

/// The stages of the help.
pub(crate) fn help() -> String {
    let lines = TARGETS.iter().map(|target| format!("  {:<18} {}\n", target.name, target.about)).collect::<String>();
    format!(
        "Targets:\n{lines}\nExamples:\n  cargo xtask fuzz                         # a minute each\n  \
         cargo xtask fuzz post --seconds 3600\n  cargo xtask fuzz post --seed 7 --seconds 0   # repeats one round"
    )
}

/// Plays a target until its time is over or it has found something; then returns the command that repeats it.
fn play(target: &Target, executables: &[Executable], time: Duration, first_seed: u64) -> Result<Option<String>> {
    let executable = executables.iter().find(|it| it.package == target.package && it.name == target.test);
    let executable =
        executable.with_context(|| format!("{}: {} has no test {}", target.name, target.package, target.test))?;
    let started = Instant::now();
    let (mut rounds, mut cases) = (0_u64, 0_u64);
    loop {
        let seed = first_seed.wrapping_add(rounds);
        let mut round = Command::new(&executable.path);
        round.args(target.filters).current_dir(&executable.folder);
        round.env(SEED_VARIABLE, seed.to_string()).env("PROPTEST_CASES", CASES.to_string());
        let (mut results, mut output) = (Results::default(), Vec::new());
        let status = process::run_reading(&mut round, |piece| {
            results.read(piece);
            output.extend_from_slice(piece);
        })?;
        let tally = results.tally();
        if tally.failed > 0 || !status.success() {
            println!("{}", String::from_utf8_lossy(&output));
            println!("{:<18} found something in round {rounds}", target.name);
            return Ok(Some(format!("cargo xtask fuzz {} --seed {seed} --seconds 0", target.name)));
        }
        if tally.passed == 0 {
            bail!("{}: no test is named like {:?}", target.name, target.filters);
        }
        rounds += 1;
        cases += tally.passed * CASES;
        if started.elapsed() >= time {
            let seconds = started.elapsed().as_secs_f64();
            println!(
                "{:<18} {rounds:>6} rounds {cases:>10} cases {seconds:>7.1} s, seeds from {first_seed}",
                target.name
            );
            return Ok(None);
        }
    }
}

/// A built program of tests.
#[derive(Debug, PartialEq, Eq)]
struct Executable {
    package: String,
    /// The library or the file in `tests/` that it is made of.
    name: String,
    path: PathBuf,
    /// Where cargo would run it.
    folder: PathBuf,
}

/// Builds what the stage `unit` builds, so that neither builds again after the other.
fn executables() -> Result<Vec<Executable>> {
    let mut build = cargo(&["test", "--no-run", "--workspace", "--exclude", "tributary-testbed"]);
    let messages = process::output(build.arg("--message-format=json-render-diagnostics"))?;
    Ok(messages.lines().filter_map(executable).collect())
}

/// Reads one message of cargo; `None` if it is of something else than a program of tests.
fn executable(message: &str) -> Option<Executable> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_test = message.pointer("/profile/test")?.as_bool()?;
    let folder = Path::new(message.get("manifest_path")?.as_str()?).parent()?.to_path_buf();
    let found = Executable {
        package: folder.file_name()?.to_str()?.to_owned(),
        name: message.pointer("/target/name")?.as_str()?.to_owned(),
        path: message.get("executable")?.as_str()?.into(),
        folder,
    };
    is_test.then_some(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn programs_of_tests_are_found_among_the_messages() {
        let message = |test: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/clone/http-types/Cargo.toml",
                    "target":{{"kind":["test"],"name":"fuzz"}},"profile":{{"test":{test}}},"executable":"/clone/target/fuzz-1"}}"#
            )
        };

        let expected = Executable {
            package: "http-types".to_owned(),
            name: "fuzz".to_owned(),
            path: "/clone/target/fuzz-1".into(),
            folder: "/clone/http-types".into(),
        };
        assert_eq!(executable(&message(true)), Some(expected));
        assert_eq!(executable(&message(false)), None);
        assert_eq!(executable(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(executable("warning: no json"), None);
    }

    #[test]
    fn every_target_has_a_name_of_its_own() {
        let names: BTreeSet<_> = TARGETS.iter().map(|target| target.name).collect();

        assert_eq!(names.len(), TARGETS.len());
    }

    #[test]
    fn the_environment_s_seed_is_kept() {
        let mut command = Command::new("true");
        fix_seed(&mut command);

        let set: Vec<_> = command.get_envs().collect();
        let expected = std::env::var_os(SEED_VARIABLE).is_none();
        assert_eq!(set == [(SEED_VARIABLE.as_ref(), Some(FIXED_SEED.as_ref()))], expected);
    }
}
