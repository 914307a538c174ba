use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{
    faults::{Group, Report},
    oracle::Verdict,
    process::Scratch,
};

fn passes() -> Outcome {
    let verdict = Verdict { exchanges: 5, lines: 5, duplicates: 2, ..Verdict::default() };
    Outcome { injected: 3, verdict, findings: Vec::new() }
}

static PASSES: Row = Row::new("passes", Group::Disk, |trial| {
    Box::pin(async {
        trial.note(format!("chose {}", trial.choose(0..1_000_000)));
        Ok(passes())
    })
})
.fault("F")
.proof("P");

static FAILS: Row = Row::new("fails", Group::Disk, |_| {
    Box::pin(async {
        let scratch = Scratch::new("part")?;
        std::fs::write(scratch.file("part.log"), "last words")?;
        bail!("no luck")
    })
})
.fault("F")
.proof("P");

static HANGS: Row = Row::new("hangs", Group::Disk, |_| {
    Box::pin(async {
        std::future::pending::<()>().await;
        Ok(passes())
    })
})
.within_s(0, 0);

fn panic_now() -> Result<Outcome> {
    panic!("a row that panics")
}

static PANICS: Row = Row::new("panics", Group::Disk, |_| Box::pin(async { panic_now() }));

fn run(rows: &[&'static Row], seed: u64, folder: &Path) -> Vec<Finished> {
    let plan = Plan { rows: rows.to_vec(), seed, scale: Scale::Short, jobs: 2, folder: folder.to_owned() };
    let mut finished = Vec::new();
    plan.run(|row| finished.push(row.clone())).unwrap();
    finished.sort_by_key(|finished| finished.row.id);
    finished
}

#[test]
fn each_row_is_told_of_once_and_only_failed_ones_keep_their_logs() {
    let folder = tempfile::tempdir().unwrap();

    let finished = run(&[&PASSES, &FAILS, &HANGS, &PANICS], 1, folder.path());

    let told: Vec<(&str, Option<&str>)> = finished.iter().map(|row| (row.row.id, row.failure.as_deref())).collect();
    let expected = [
        ("fails", Some("no luck")),
        ("hangs", Some("not finished within 0 s: deadline has elapsed")),
        ("panics", Some("it panicked: see above")),
        ("passes", None),
    ];
    assert_eq!(told, expected);
    let kept = |name: &str| folder.path().join(name);
    assert!(!kept("passes").exists());
    let part = std::fs::read_dir(kept("fails")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(std::fs::read_to_string(part.join("part.log")).unwrap(), "last words");
}

#[test]
fn same_seed_makes_the_same_choices() {
    let folder = tempfile::tempdir().unwrap();
    let notes = |seed| run(&[&PASSES], seed, folder.path()).remove(0).notes;

    assert_eq!(notes(7), notes(7));
    assert_ne!(notes(7), notes(8));
}

#[test]
fn rows_are_chosen_by_the_beginning_of_their_names() {
    let ids = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Plan::choose(&names).map(|rows| rows.iter().map(|row| row.id).collect::<Vec<_>>())
    };

    assert_eq!(ids(&["collector-kill"]).unwrap(), ["collector-kill"]);
    assert_eq!(ids(&[]).unwrap().len(), rows().len());
    assert!(ids(&["reply-"]).unwrap().len() > 3);
    let error = ids(&["collector-kill", "nonsense"]).unwrap_err().to_string();
    assert!(error.starts_with("no row nonsense: ") && error.contains("collector-kill"), "{error}");
}

#[test]
fn report_counts_rows_and_says_how_to_repeat_the_failed_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut report = Report::new(42, Scale::Full);

    for finished in run(&[&PASSES, &FAILS], 42, folder.path()) {
        report.add(&finished);
    }

    assert_eq!(report.closing_line(), "1 passed, 1 failed");
    let json = report.json();
    assert_eq!(json["seed"], 42);
    assert_eq!(json["rows"][0]["error"], "no luck");
    assert_eq!(json["rows"][0]["again"], "cargo xtask faults fails --seed 42 --full");
    let passed = &json["rows"][1];
    assert_eq!(
        (&passed["injected"], &passed["duplicates"], &passed["verdict"]),
        (&3.into(), &2.into(), &"passed".into())
    );
}

static WITH_BROKER: AtomicUsize = AtomicUsize::new(0);

static STARTS_A_BROKER: Row = Row::new("starts-a-broker", Group::Kafka, |_| {
    Box::pin(async {
        anyhow::ensure!(WITH_BROKER.fetch_add(1, Ordering::SeqCst) == 0, "another is running");
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
        WITH_BROKER.fetch_sub(1, Ordering::SeqCst);
        Ok(passes())
    })
})
.with_broker();

#[test]
fn rows_that_start_a_broker_run_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();

    let finished = run(&[&STARTS_A_BROKER, &PASSES, &STARTS_A_BROKER, &STARTS_A_BROKER], 1, folder.path());

    assert_eq!(finished.len(), 4);
    assert!(finished.iter().all(|row| row.failure.is_none()), "{finished:?}");
}
