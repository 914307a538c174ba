//! Compares stores for the spool on its own workload: groups of 100 lines of 700 bytes, each group durable before the
//! next; then read back in order; then deleted; then 1 GiB, a SIGKILL, and opened again.
//!
//! ```text
//! cargo run --release                       the table: every store, in child processes, in turn
//! cargo run --release -- run STORE DIR N    one store, N groups
//! cargo run --release -- fill STORE DIR N   N groups, then dies without closing
//! cargo run --release -- open STORE DIR     opens what `fill` left, appends one group
//! ```
//! Environment: `STORE_GROUPS` (default 2000), `ROUNDS` (3), `FILL_GROUPS` (15340: 1 GiB), `WHERE` (a folder on the disk to
//! measure, default the temporary one). Syncs are counted by `strace -c`, which must be installed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, abort},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rustix::time::{ClockId, clock_gettime};

use stores::open;

mod stores;

const NAMES: [&str; 6] = ["sqlite", "sqlite-segments", "redb", "redb-segments", "fjall", "plain-log"];
const LINES_A_GROUP: u64 = 100;
const LINE_BYTES: usize = 700;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => table(),
        ["run", store, folder, groups] => run(store, Path::new(folder), groups.parse()?),
        ["fill", store, folder, groups] => fill(store, Path::new(folder), groups.parse()?),
        ["open", store, folder] => reopen(store, Path::new(folder)),
        _ => bail!("see the head of src/main.rs"),
    }
}

/// CPU of this process, user and system, all threads: what a store does in the background counts.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The lines of one group: no two alike, about as compressible as traffic.
fn group(number: u64) -> Vec<(u64, Vec<u8>)> {
    (0..LINES_A_GROUP)
        .map(|place| {
            let id = number * LINES_A_GROUP + place + 1;
            let mut line = format!("{{\"id\":{id},\"body\":\"").into_bytes();
            let mut state = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            while line.len() < LINE_BYTES {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                line.push(b'a' + (state % 26) as u8);
            }
            (id, line)
        })
        .collect()
}

/// Prints `append_us replay_us delete_us bytes_on_disk wall_ms`, the first three in µs CPU a line.
fn run(name: &str, folder: &Path, groups: u64) -> anyhow::Result<()> {
    let lines = (groups * LINES_A_GROUP) as f64;
    let mut store = open(name, folder)?;
    let (mut append, mut wall) = (Duration::ZERO, Duration::ZERO);
    for number in 0..groups {
        let group = group(number);
        let (before, started) = (cpu(), Instant::now());
        store.append(&group)?;
        append += cpu() - before;
        wall += started.elapsed();
    }
    let bytes = size_of(folder)?;
    let before = cpu();
    let mut next = 1;
    store.replay(&mut |id, line| {
        ensure!(id == next && line.len() == LINE_BYTES, "line {next} came back as {id}");
        next += 1;
        Ok(())
    })?;
    ensure!(next == groups * LINES_A_GROUP + 1, "only {next} lines came back");
    let replay = cpu() - before;
    let before = cpu();
    store.delete_all()?;
    let delete = cpu() - before;
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / lines;
    println!("{} {} {} {bytes} {}", micros(append), micros(replay), micros(delete), wall.as_secs_f64() * 1e3);
    Ok(())
}

fn fill(name: &str, folder: &Path, groups: u64) -> anyhow::Result<()> {
    let mut store = open(name, folder)?;
    for number in 0..groups {
        store.append(&group(number))?;
    }
    // As SIGKILL would: nothing is closed, no destructor runs.
    abort();
}

/// Prints the milliseconds until a store with everything in it has taken one more group.
fn reopen(name: &str, folder: &Path) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut store = open(name, folder)?;
    store.append(&group(1_000_000))?;
    println!("{}", started.elapsed().as_secs_f64() * 1e3);
    // Closing is not measured.
    std::process::exit(0);
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn scratch() -> anyhow::Result<tempfile::TempDir> {
    let place = env::var_os("WHERE").map_or_else(env::temp_dir, PathBuf::from);
    Ok(tempfile::tempdir_in(place)?)
}

fn table() -> anyhow::Result<()> {
    let (groups, rounds, fill_groups) = (number("STORE_GROUPS", 2000), number("ROUNDS", 3), number("FILL_GROUPS", 15_340));
    let mut rows: Vec<Vec<Vec<f64>>> = vec![Vec::new(); NAMES.len()];
    for _ in 0..rounds {
        for (row, name) in rows.iter_mut().zip(NAMES) {
            let folder = scratch()?;
            row.push(numbers(&itself(&["run", name, text(folder.path())?, &groups.to_string()]).output()?.stdout)?);
        }
    }
    println!("{groups} groups of {LINES_A_GROUP} lines of {LINE_BYTES} bytes, medians of {rounds} interleaved rounds\n");
    println!("| store | append, µs CPU a line | replay | delete | syncs a group | bytes on disk ÷ bytes | open with 1 GiB, ms |");
    println!("|---|---|---|---|---|---|---|");
    for (name, row) in NAMES.iter().zip(&rows) {
        let column = |place: usize| median(row.iter().filter_map(|run| run.get(place).copied()).collect());
        let stored = (groups * LINES_A_GROUP) as f64 * LINE_BYTES as f64;
        println!(
            "| {name} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} |",
            column(0),
            column(1),
            column(2),
            syncs(name)?,
            column(3) / stored,
            restart(name, fill_groups)?,
        );
    }
    Ok(())
}

/// Syncs a group, of 400 groups and the store's opening, which is counted apart and taken off.
fn syncs(name: &str) -> anyhow::Result<f64> {
    let count = |groups: u64| -> anyhow::Result<u64> {
        let folder = scratch()?;
        let log = folder.path().join("strace");
        let inside = folder.path().join("store");
        let program = env::current_exe()?;
        let status = Command::new("strace")
            .args(["-f", "-c", "-e", "trace=fsync,fdatasync,msync,sync_file_range", "-o"])
            .arg(&log)
            .arg(program)
            .args(["fill", name, text(&inside)?, &groups.to_string()])
            .stderr(std::process::Stdio::null())
            .status()
            .context("strace")?;
        let _ = status;
        let log = fs::read_to_string(&log)?;
        // "% time  seconds  usecs/call  calls  [errors]  syscall"
        let calls = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let is_sync = words.last().is_some_and(|name| name.contains("sync"));
            if is_sync { words.get(3)?.parse::<u64>().ok() } else { None }
        };
        Ok(log.lines().filter_map(calls).sum())
    };
    Ok((count(410)?.saturating_sub(count(10)?)) as f64 / 400.0)
}

fn restart(name: &str, groups: u64) -> anyhow::Result<f64> {
    let folder = scratch()?;
    let place = text(folder.path())?;
    itself(&["fill", name, place, &groups.to_string()]).output()?;
    let mut times = Vec::new();
    let output = itself(&["open", name, place]).output()?;
    times.extend(numbers(&output.stdout)?.first().copied());
    Ok(median(times))
}

fn itself(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::current_exe().unwrap_or_default());
    command.args(arguments);
    command
}

fn numbers(output: &[u8]) -> anyhow::Result<Vec<f64>> {
    let text = String::from_utf8_lossy(output);
    let numbers = text.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    ensure!(!numbers.is_empty(), "a child said nothing");
    Ok(numbers)
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}

fn size_of(folder: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size_of(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}
