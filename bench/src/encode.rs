//! Area `encode`: what redaction and the writing of lines cost, natively and in V8, part by part.
//!
//! The parts are timed by a program of their own (`bench/encode`), built for both: what Envoy runs is WebAssembly, and an
//! idea that pays here need not pay there. V8 is Node's, without Envoy around it.

use std::process::Command;

use anyhow::{Context as _, Result, bail};
use xtask::parts;

use crate::{
    report::Measure,
    run::{Options, Run},
};

/// Of one exchange.
const TIME: Measure = Measure::cost("time", "ns");

/// Where the parts are timed; the ratio says what WebAssembly adds.
const VARIANTS: [&str; 2] = ["native", "V8"];

/// Measures the area.
///
/// # Errors
/// A program was not built, does not start, or fails.
pub(crate) async fn measure(run: &mut Run) -> Result<()> {
    let has_node = Command::new("node").arg("--version").output().is_ok_and(|ran| ran.status.success());
    if !has_node {
        run.absent("V8", "`node` is not on the path; Node 20 or newer has it");
    }
    for round in run.rounds() {
        for variant in round.order(VARIANTS.len()).filter_map(|turn| VARIANTS.get(turn).copied()) {
            if variant == "V8" && !has_node {
                continue;
            }
            let figures = figures(&mut program(variant, run.options()))?;
            for (case, nanos) in figures.iter().filter(|_| round.is_counted()) {
                run.compare_with(case, "native");
                run.add(case, variant, &TIME, *nanos);
            }
        }
    }
    Ok(())
}

fn program(variant: &str, options: &Options) -> Command {
    if variant == "native" {
        return Command::new(options.program("bench-encode"));
    }
    let mut node = Command::new("node");
    node.arg("--no-warnings").arg(parts::wasi_runner()).arg(parts::encode_wasm());
    node
}

/// What the program says of each part, in nanoseconds.
fn figures(program: &mut Command) -> Result<Vec<(String, f64)>> {
    let ran = program.output().with_context(|| format!("start {}", program.get_program().display()))?;
    if !ran.status.success() {
        bail!("{:?} ended with {}: {}", program, ran.status, String::from_utf8_lossy(&ran.stderr));
    }
    let said = String::from_utf8(ran.stdout).context("read what bench-encode says")?;
    said.lines().map(figure).collect()
}

fn figure(line: &str) -> Result<(String, f64)> {
    let (case, nanos) = line.split_once('\t').with_context(|| format!("no case and time: {line:?}"))?;
    let nanos = nanos.parse().with_context(|| format!("no time in nanoseconds: {line:?}"))?;
    Ok((case.to_owned(), nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_a_case_and_its_nanoseconds() {
        assert_eq!(figure("line, 60 B of JSON\t987.5").unwrap(), ("line, 60 B of JSON".to_owned(), 987.5));
        for line in ["", "line 987.5", "line\tfast"] {
            assert!(figure(line).unwrap_err().to_string().contains(&format!("{line:?}")), "{line}");
        }
    }
}
