//! `cargo xtask fetch`: brings what is missing into the cache folder, all parts at once, each by its own client.
//!
//! A part is made in a temporary folder beside its place and renamed when it is whole, under a lock per part:
//! an interrupted fetch leaves nothing half done, two fetches at once make each part once.

mod recipes;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use xtask::parts::{self, Client, JAVA, MAVEN, NODE, NPM, PINS, PIP, PYTHON, Part, Pin, RUSTUP, Tool};

/// How often a part that takes its time says what it is doing.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// Parts that the demo needs; `Part::Kafka` not with the file sink.
pub(crate) const FOR_DEMO: [Part; 3] = [Part::RustTargets, Part::Envoy, Part::Kafka];

/// Parts that `check` needs.
pub(crate) const FOR_CHECK: [Part; 2] = [Part::RustTargets, Part::CargoDeny];

/// Parts that the tests need: all but what only the benchmarks compare with.
pub(crate) fn for_tests() -> Vec<Part> {
    PINS.iter().map(|pin| pin.part).filter(|part| *part != Part::NodeKafka).collect()
}

/// Fetches those of `parts` that are not there.
///
/// # Errors
/// Tools that are missing, all of them, each with the command that installs it, before anything is fetched; or what
/// the clients of the parts that failed said. The other parts are there all the same.
pub(crate) fn fetch(wanted: &[Part]) -> Result<()> {
    let missing = wanted.iter().copied().filter(|part| !is_there(*part)).collect::<Vec<_>>();
    check_tools(wanted, &missing)?;
    if missing.is_empty() {
        return Ok(());
    }
    let root = parts::cache_root()?;
    fs::create_dir_all(&root).with_context(|| format!("make the cache folder {}", root.display()))?;

    let (reports, inbox) = channel();
    let started = Instant::now();
    let failed = thread::scope(|scope| {
        for part in &missing {
            let reports = reports.clone();
            println!("fetch   {}", described(part.pin()));
            // The receiver outlives all senders: it waits for one report of each part.
            scope.spawn(move || drop(reports.send((*part, fetch_one(*part)))));
        }
        report(&inbox, &missing, started)
    });
    match failed.len() {
        0 => Ok(()),
        count => bail!("{count} of {} parts could not be fetched:\n\n{}", missing.len(), failed.join("\n\n")),
    }
}

/// Prints the table of the parts: what, which version, who fetches it, whether it is there, what it is for.
///
/// # Errors
/// No cache root, or a version that cannot be read.
pub(crate) fn list() -> Result<()> {
    println!("parts in {}\n", parts::cache_root()?.display());
    println!("{:<17} {:<11} {:<14} {:<18} purpose", "part", "version", "fetched by", "there");
    for pin in &PINS {
        let there = match (is_there(pin.part), overridden(pin.part)) {
            (true, Some(variable)) => format!("yes, {variable}"),
            (true, None) => "yes".to_owned(),
            (false, _) => "no".to_owned(),
        };
        println!("{:<17} {:<11} {:<14} {there:<18} {}", pin.name, pin.version()?, pin.client.name(), pin.purpose);
        for package in pin.packages {
            println!("{:17} · {}", "", package.split(' ').next().unwrap_or(package));
        }
    }
    Ok(())
}

/// Whether the part can be used: fetched, installed, or given by an environment variable.
pub(crate) fn is_there(part: Part) -> bool {
    match part {
        Part::Envoy => parts::envoy().is_ok(),
        Part::Kafka => parts::kafka().is_ok(),
        Part::CargoDeny => parts::cargo_deny().is_ok(),
        Part::RustTargets => recipes::missing_targets().is_ok_and(|missing| missing.is_empty()),
        Part::WasmBindgen
        | Part::PythonReader
        | Part::NodeReader
        | Part::PythonValidator
        | Part::NodeValidator
        | Part::NodeKafka => parts::fetched(part).is_ok_and(|it| it.is_some()),
    }
}

fn overridden(part: Part) -> Option<&'static str> {
    let variables: &[&str] = match part {
        Part::Envoy => &["ENVOY"],
        Part::Kafka => &["KAFKA_BROKERS", "KAFKA_HOME"],
        Part::RustTargets
        | Part::WasmBindgen
        | Part::PythonReader
        | Part::NodeReader
        | Part::PythonValidator
        | Part::NodeValidator
        | Part::CargoDeny
        | Part::NodeKafka => &[],
    };
    variables.iter().copied().find(|variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty()))
}

/// Looks for everything that fetching `missing` and then using `wanted` takes, before the first download.
fn check_tools(wanted: &[Part], missing: &[Part]) -> Result<()> {
    let mut errors = Vec::new();
    let mut need = |tool: &'static Tool| {
        let there = if *tool == PIP { recipes::has_pip() } else { parts::on_path(tool.program).is_some() };
        if !there && !errors.contains(&tool.missing()) {
            errors.push(tool.missing());
        }
    };
    for part in missing {
        match part.pin().client {
            Client::PipDownload | Client::PipInstall => {
                need(&PYTHON);
                need(&PIP);
            }
            Client::Maven => need(&MAVEN),
            Client::Rustup => need(&RUSTUP),
            Client::Npm => need(&NPM),
            Client::CargoInstall => {}
        }
    }
    if [Part::WasmBindgen, Part::NodeReader, Part::NodeValidator, Part::NodeKafka]
        .iter()
        .any(|part| wanted.contains(part))
    {
        need(&NODE);
    }
    // Maven runs on Java too, so it is asked for even when the jars are not there yet.
    let starts_kafka = !matches!(parts::kafka(), Ok(parts::KafkaPart::Running(_)));
    if wanted.contains(&Part::Kafka)
        && starts_kafka
        && let Err(error) = parts::java()
    {
        let text = format!("{error:#}");
        errors.push(if text.contains(JAVA.program) { text } else { JAVA.missing() });
    }
    if errors.is_empty() { Ok(()) } else { bail!("{}", errors.join("\n")) }
}

/// Waits for all parts, prints a line for each, and returns what went wrong.
fn report(inbox: &Receiver<(Part, Result<Fetched>)>, missing: &[Part], started: Instant) -> Vec<String> {
    let mut open = missing.to_vec();
    let mut failed = Vec::new();
    while !open.is_empty() {
        let (part, outcome) = match inbox.recv_timeout(HEARTBEAT) {
            Ok(report) => report,
            Err(RecvTimeoutError::Timeout) => {
                open.iter()
                    .for_each(|part| println!("…       {}: {}", described(part.pin()), progress(*part, started)));
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        open.retain(|other| *other != part);
        match outcome {
            Ok(fetched) => println!("done    {}: {fetched}", described(part.pin())),
            Err(error) => {
                println!("FAILED  {}", described(part.pin()));
                failed.push(format!("{}: {error:#}", part.pin().name));
            }
        }
    }
    failed
}

/// What one part took.
#[derive(Debug)]
enum Fetched {
    Made {
        bytes: u64,
        took: Duration,
    },
    /// Another fetch made it while this one waited.
    ByAnother,
}

impl std::fmt::Display for Fetched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Made { bytes: 0, took } => write!(f, "{:.0} s", took.as_secs_f64()),
            Self::Made { bytes, took } => write!(f, "{} MB, {:.0} s", bytes / 1_000_000, took.as_secs_f64()),
            Self::ByAnother => f.write_str("made by another fetch meanwhile"),
        }
    }
}

fn fetch_one(part: Part) -> Result<Fetched> {
    let started = Instant::now();
    let _lock = lock(part)?;
    if is_there(part) {
        return Ok(Fetched::ByAnother);
    }
    let log = log_file(part)?;
    if part == Part::RustTargets {
        recipes::add_targets(&log).map_err(|error| with_log(&error, &log))?;
        return Ok(Fetched::Made { bytes: 0, took: started.elapsed() });
    }

    let place = parts::folder(part)?;
    let temporary = beside(&place, "part")?;
    // Left by a fetch that was killed: we hold the lock, so nobody works in it.
    remove(&temporary)?;
    fs::create_dir_all(&temporary).with_context(|| format!("make {}", temporary.display()))?;
    if let Err(error) = recipes::make(part, &temporary, &log) {
        remove(&temporary)?;
        return Err(with_log(&error, &log));
    }
    let proof = temporary.join(part.pin().proof);
    if !proof.exists() {
        bail!("{} did its work, but there is no {}", part.pin().client.name(), proof.display());
    }
    parts::stamp(part, &temporary)?;
    remove(&place)?;
    fs::rename(&temporary, &place).with_context(|| format!("name the finished folder {}", place.display()))?;
    Ok(Fetched::Made { bytes: size(&place), took: started.elapsed() })
}

/// Holds the part for this process until the file is dropped; the system frees it when the process dies.
fn lock(part: Part) -> Result<File> {
    let path = beside(&parts::folder(part)?, "lock")?;
    let file = File::create(&path).with_context(|| format!("make the lock file {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => println!("wait    {}: another fetch is at it", described(part.pin())),
        Err(TryLockError::Error(error)) => return Err(anyhow!(error).context(format!("lock {}", path.display()))),
    }
    file.lock().with_context(|| format!("lock {}", path.display()))?;
    Ok(file)
}

/// `<cache root>/.<name>-<version>.<ending>`: what belongs to a part but is not the part.
fn beside(place: &Path, ending: &str) -> Result<PathBuf> {
    let name = place.file_name().context("a part's folder has a name")?.to_string_lossy();
    Ok(place.with_file_name(format!(".{name}.{ending}")))
}

fn log_file(part: Part) -> Result<PathBuf> {
    let path = beside(&parts::folder(part)?, "log")?;
    File::create(&path).with_context(|| format!("make the log file {}", path.display()))?;
    Ok(path)
}

/// The error, and the end of what the client said.
fn with_log(error: &anyhow::Error, log: &Path) -> anyhow::Error {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines = text.lines().collect::<Vec<_>>();
    let end = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default().join("\n  ");
    anyhow!("{error:#}\n  {end}\n  (all of it: {})", log.display())
}

/// How long, and the last thing the client said.
fn progress(part: Part, started: Instant) -> String {
    let log = parts::folder(part).and_then(|place| beside(&place, "log"));
    let text = log.ok().and_then(|log| fs::read_to_string(log).ok()).unwrap_or_default();
    let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("started");
    format!("{:.0} s, {last}", started.elapsed().as_secs_f64())
}

fn described(pin: &Pin) -> String {
    let version = pin.version().unwrap_or_default();
    format!("{} {version} ({})", pin.name, pin.client.name())
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(anyhow!(error).context(format!("remove {}", folder.display())))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Bytes of all files under a folder; what cannot be read counts nothing, it is a number for people.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => size(&entry.path()),
        Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |meta| meta.len()),
        _ => 0,
    };
    entries.map(of).sum()
}
