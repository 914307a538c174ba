//! The fault suite as a program: `cargo xtask faults` fetches and builds what it needs and becomes it.

mod args;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use tributary_testbed::faults::{self, Plan, Report, Scale};
use xtask::parts;

use args::Args;

/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    let args = Args::parse();
    if args.page {
        print!("{}", faults::page());
        return ExitCode::SUCCESS;
    }
    match end_on_signals().and_then(|()| run(&args)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("faults: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the rows; whether all passed.
fn run(args: &Args) -> Result<bool> {
    let rows = Plan::choose(&args.rows)?;
    if args.list {
        rows.iter().for_each(|row| println!("{:<28} {}", row.id, row.fault));
        return Ok(true);
    }
    let seed = args.seed.unwrap_or_else(|| u64::from(std::process::id()));
    let scale = if args.full { Scale::Full } else { Scale::Short };
    let folder = parts::target_dir().join("faults");
    let plan = Plan { rows, seed, scale, jobs: usize::from(args.jobs), folder: folder.clone() };
    let mut report = Report::new(seed, scale);
    println!("{} rows, seed {seed}, {} at a time\n\n{}", plan.rows.len(), args.jobs, Report::heading());
    let file = folder.join("report.json");
    let mut written = Ok(());
    plan.run(|finished| {
        println!("{}", report.add(finished));
        // After each row: an interrupted run leaves what it knows.
        written = report.write(&file);
    })?;
    written?;
    println!("\nreport: {}\n{}", file.display(), report.closing_line());
    Ok(report.is_good())
}

/// Ends this program, and with it all that the rows have started, on Ctrl-C, SIGTERM, or when the terminal goes.
fn end_on_signals() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let wait = move || {
        runtime.block_on(async {
            let listen = |kind| signal(kind).ok();
            let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(listen);
            let [Some(mut interrupt), Some(mut terminate), Some(mut hangup)] = signals else { return };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            eprintln!("\nEnding.");
            std::process::exit(INTERRUPTED);
        });
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).context("start the signal thread").map(drop)
}
