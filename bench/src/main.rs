//! The benchmarks as a program: `cargo xtask bench` fetches and builds what they need and becomes it.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use tributary_bench::{
    area::{AREAS, Area},
    compare, page,
    report::{AreaReport, Report},
    rounds,
    run::{Options, Run},
};
use xtask::parts;

/// Measures what Tributary costs, side by side with what else there is.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Args {
    /// Only these areas, in this order [default: all]
    #[arg(value_name = "AREA", value_parser = AREAS.iter().map(|area| area.name).collect::<Vec<_>>())]
    areas: Vec<String>,

    /// Only the cells of the budgets, with shorter turns: up to five minutes an area
    #[arg(long)]
    quick: bool,

    /// Counted rounds
    #[arg(long, value_name = "N", default_value_t = rounds::FEWEST, value_parser = between())]
    rounds: usize,

    /// Keep the result under this name, beside what is kept under it of other areas
    #[arg(long, value_name = "NAME", value_parser = name)]
    save: Option<String>,

    /// Say what differs from the result kept under this name, and whether that can be chance
    #[arg(long, value_name = "NAME", value_parser = name)]
    compare: Option<String>,

    /// Compare builds of the filter, in areas `filter` and `instructions`: once for each
    #[arg(long, value_name = "FILE")]
    wasm: Vec<PathBuf>,

    /// Compare builds of the collector, in area `collector`: once for each
    #[arg(long, value_name = "FILE")]
    collector: Vec<PathBuf>,

    /// Only the cases whose names contain this text, in areas `filter`, `instructions` and `collector`
    #[arg(long, value_name = "TEXT", conflicts_with = "page")]
    only: Option<String>,

    /// Write the tables into docs/performance.md
    #[arg(long)]
    page: bool,

    /// Measure nothing: show the result kept under this name; with --page, write it
    #[arg(long, value_name = "NAME", value_parser = name, conflicts_with_all = ["quick", "rounds", "save", "wasm", "collector", "only"])]
    show: Option<String>,
}

/// Tests of this program run fewer rounds than what is reported.
fn between() -> impl clap::builder::TypedValueParser<Value = usize> {
    use clap::builder::TypedValueParser as _;
    clap::value_parser!(u16).range(1..=rounds::MOST as i64).map(usize::from)
}

/// A name that is a file name without surprises.
fn name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits = !text.is_empty() && text.len() <= 100 && !text.starts_with('.') && text.chars().all(is_plain);
    match fits {
        true => Ok(text.to_owned()),
        false => Err("letters, digits, `-`, `_` and `.` make a name, up to 100 of them, no `.` in front".to_owned()),
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let named: Vec<&Area> = args.areas.iter().map(|name| Area::named(name)).collect::<Result<_>>()?;
    let areas = if named.is_empty() { AREAS.iter().collect() } else { named };
    let given = [
        ("--wasm", !args.wasm.is_empty()),
        ("--collector", !args.collector.is_empty()),
        ("--only", args.only.is_some()),
    ];
    given.into_iter().filter(|(_, is_given)| *is_given).try_for_each(|(option, _)| known_to_all(&areas, option))?;
    // Read first: a name that does not exist is told before the minutes are spent.
    let compared = args.compare.as_ref().map(|name| Ok::<_, anyhow::Error>((name, Report::read(&file(name))?)));
    let compared = compared.transpose()?;
    if let Some(name) = &args.show {
        let kept = Report::read(&file(name))?;
        // Areas that were not measured under that name have nothing to show.
        let kept = areas.iter().filter_map(|area| Some((area, kept.area(area.name)?)));
        return kept.into_iter().try_for_each(|(area, kept)| show(args, area, kept, compared.as_ref()));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    for area in areas {
        let (wasm, collector) = (args.wasm.clone(), args.collector.clone());
        let options = Options {
            quick: args.quick,
            rounds: args.rounds,
            wasm,
            collector,
            only: args.only.clone(),
            is_trial: false,
        };
        let mut run = Run::new(area.name, options)?;
        runtime.block_on((area.measure)(&mut run)).with_context(|| format!("measure {}", area.name))?;
        let measured = run.finish();
        show(args, area, &measured, compared.as_ref())?;
        // After each area: an interrupted run leaves what it knows.
        for name in std::iter::once("last").chain(args.save.as_deref()) {
            let file = file(name);
            let mut report = read_if_there(&file)?;
            report.put(measured.clone());
            report.write(&file)?;
            println!("kept as {}", file.display());
        }
    }
    Ok(())
}

/// Some options choose what is compared; an area that would not listen is refused.
fn known_to_all(areas: &[&Area], option: &str) -> Result<()> {
    let knows = |area: &&&Area| area.takes.contains(&option);
    let Some(other) = areas.iter().find(|area| !knows(area)) else { return Ok(()) };
    let knowing: Vec<&str> = AREAS.iter().filter(|area| knows(&area)).map(|area| area.name).collect();
    bail!("area {} does not know {option}: name only areas that do: {}", other.name, knowing.join(", "))
}

/// Prints an area, and what differs from the run that it is compared with; writes the page if that is asked for.
fn show(args: &Args, area: &Area, measured: &AreaReport, compared: Option<&(&String, Report)>) -> Result<()> {
    println!("\n{}: {}\n\n{}", area.name, area.about, page::tables(measured));
    if let Some((name, saved)) = compared {
        println!("{}", compare::text(name, saved, measured));
    }
    if args.page {
        page::write_into(&parts::workspace_root().join("docs").join("performance.md"), measured)?;
    }
    Ok(())
}

fn file(name: &str) -> PathBuf {
    parts::target_dir().join("bench").join(format!("{name}.json"))
}

fn read_if_there(file: &Path) -> Result<Report> {
    if file.is_file() { Report::read(file) } else { Ok(Report::default()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from(std::iter::once("bench").chain(words.iter().copied()))
    }

    #[test]
    fn words_that_are_no_area_and_names_that_are_no_file_are_refused() {
        assert!(parsed(&["filter", "--quick", "--save", "before-1.2"]).is_ok());
        assert!(parsed(&["moon"]).is_err());
        assert!(parsed(&["--save", "../up"]).is_err());
        assert!(parsed(&["--compare", ".hidden"]).is_err());
        assert!(parsed(&["--save", ""]).is_err());
    }

    #[test]
    fn rounds_have_bounds() {
        assert_eq!(parsed(&[]).unwrap().rounds, 5);
        assert_eq!(parsed(&["--rounds", "1"]).unwrap().rounds, 1);
        assert!(parsed(&["--rounds", "0"]).is_err());
        assert_eq!(parsed(&["--rounds", "50"]).unwrap().rounds, 50);
        assert!(parsed(&["--rounds", "51"]).is_err());
    }

    #[test]
    fn what_cannot_go_together_is_told_before_anything_is_measured() {
        let told = |words: &[&str]| format!("{:#}", run(&parsed(words).unwrap()).unwrap_err());

        assert!(parsed(&["--show", "one", "--quick"]).is_err());
        assert!(told(&["--show", "never-saved"]).contains("never-saved.json"));
        assert!(told(&["filter", "--compare", "never-saved"]).contains("never-saved.json"));
        let knowing = "area filter does not know --collector: name only areas that do: collector";
        assert_eq!(told(&["filter", "--collector", "a"]), knowing);
        let knowing = "area collector does not know --wasm: name only areas that do: filter, instructions";
        assert_eq!(told(&["instructions", "collector", "--wasm", "a"]), knowing);
        let knowing = "area scale does not know --only: name only areas that do: filter, instructions, collector";
        assert_eq!(told(&["scale", "--only", "a"]), knowing);
        assert!(parsed(&["filter", "--only", "70 B", "--page"]).is_err());
    }
}
