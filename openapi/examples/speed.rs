//! What learning costs, and how much memory it holds: the figures of docs/openapi-figures.md.
//!
//! ```text
//! cargo run --release -p tributary-openapi --example speed
//! ```
//! Each case runs in a process of its own, reads a file of exchanges of about 700 bytes and describes them. Times are
//! CPU time of that process (Linux, `/proc/self/schedstat`), so that a busy machine does not falsify them; each case
//! runs three times in turn with the others, and the best counts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a measurement: what does not work must end it"
)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::Command;

use tributary_http_types::HttpExchange;
use tributary_openapi::{Learner, Settings, describe};

/// Exchanges and operations of each case.
const CASES: [(usize, usize); 5] = [(10_000, 100), (100_000, 100), (1_000_000, 100), (100_000, 10), (100_000, 2_000)];

/// Distinct paths that have nothing in common, one exchange each: what took the original builder 90 s.
const UNLIKE: usize = 600;

const ROUNDS: usize = 3;

/// What one run of a case took.
#[derive(Clone, Copy)]
struct Cost {
    learn_nanos: u64,
    describe_nanos: u64,
    peak_kib: u64,
    line_bytes: u64,
}

fn main() {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    if let [file, operations] = arguments.as_slice() {
        return measure(Path::new(file), operations.parse().unwrap());
    }
    let folder = std::env::temp_dir().join(format!("tributary-openapi-speed-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut cases = CASES.map(|case| (case, folder.join(format!("{}-{}.jsonl", case.0, case.1)))).to_vec();
    cases.push(((UNLIKE, UNLIKE), folder.join("unlike.jsonl")));
    for ((exchanges, operations), file) in &cases {
        write(file, *exchanges, *operations);
    }
    let mut best = BTreeMap::<usize, Cost>::new();
    for _ in 0..ROUNDS {
        for (index, ((_, operations), file)) in cases.iter().enumerate() {
            let cost = run(file, *operations);
            let known = best.entry(index).or_insert(cost);
            known.learn_nanos = known.learn_nanos.min(cost.learn_nanos);
            known.describe_nanos = known.describe_nanos.min(cost.describe_nanos);
            known.peak_kib = known.peak_kib.max(cost.peak_kib);
        }
    }
    fs::remove_dir_all(&folder).unwrap();
    report(&cases.iter().map(|(case, _)| *case).collect::<Vec<_>>(), &best);
}

fn report(cases: &[(usize, usize)], best: &BTreeMap<usize, Cost>) {
    println!("| exchanges | operations | bytes each | µs each | exchanges/s | to the first | describe | peak RSS |");
    println!("|---|---|---|---|---|---|---|---|");
    let each = |index: usize| best[&index].learn_nanos as f64 / cases[index].0 as f64;
    for (index, (exchanges, operations)) in cases.iter().enumerate() {
        let cost = best[&index];
        println!(
            "| {exchanges} | {operations} | {} | {:.1} | {:.0} | {:.2} | {:.0} ms | {:.0} MiB |",
            cost.line_bytes,
            each(index) / 1e3,
            1e9 / each(index),
            each(index) / each(0),
            cost.describe_nanos as f64 / 1e6,
            cost.peak_kib as f64 / 1024.0,
        );
    }
    println!(
        "\nper exchange, 1,000,000 to 10,000: {:.2}; 2,000 operations to 10: {:.2}",
        each(2) / each(0),
        each(4) / each(3)
    );
}

fn run(file: &Path, operations: usize) -> Cost {
    let child = Command::new(std::env::current_exe().unwrap()).arg(file).arg(operations.to_string()).output().unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let text = String::from_utf8(child.stdout).unwrap();
    let [learn_nanos, describe_nanos, peak_kib, line_bytes] =
        text.split_whitespace().map(|number| number.parse().unwrap()).collect::<Vec<u64>>()[..]
    else {
        panic!("{text}")
    };
    Cost { learn_nanos, describe_nanos, peak_kib, line_bytes }
}

/// The child: reads, learns, describes, and prints what it took.
fn measure(file: &Path, operations: usize) {
    let mut lines = BufReader::with_capacity(1 << 20, File::open(file).unwrap());
    let mut learner = Learner::new();
    let (mut line, mut bytes, mut count) = (Vec::new(), 0, 0);
    let begin = cpu_nanos();
    while lines.read_until(b'\n', &mut line).unwrap() > 0 {
        learner.learn(&HttpExchange::from_line(&line).unwrap());
        bytes += line.len() as u64;
        count += 1;
        line.clear();
    }
    let learnt = cpu_nanos();
    let document = describe(&learner, "bench.example", &Settings::default(), None).document;
    let described = cpu_nanos();

    let paths = document["paths"].as_object().unwrap();
    let methods =
        |item: &serde_json::Value| item.as_object().unwrap().keys().filter(|key| *key != "parameters").count();
    let found = paths.values().map(methods).sum::<usize>();
    assert_eq!(found, operations, "operations in the document");
    assert_eq!(learner.account().learnt, count);
    println!("{} {} {} {}", learnt - begin, described - learnt, peak_kib(), bytes / count);
}

/// A file of exchanges, spread over the operations: `get /v1/NAME/{id}` and `post /v1/NAME`, or only literals.
fn write(file: &Path, exchanges: usize, operations: usize) {
    let mut out = BufWriter::new(File::create(file).unwrap());
    for number in 0..exchanges {
        let (name, is_get) = (name(number % operations / if operations == UNLIKE { 1 } else { 2 }), number % 2 == 0);
        let id = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let uuid =
            format!("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", id >> 32, id & 0xffff, id & 0xfff, id >> 52, id >> 16);
        let body = format!(
            r#"{{\"{name}Id\":\"{uuid}\",\"{name}Name\":\"name of {number}\",\"{name}Mail\":\"m{number}@mail.example\",\"{name}At\":\"2026-01-05T08:{:02}:{:02}Z\",\"{name}State\":\"{}\",\"{name}Sum\":{}.5,\"{name}Tags\":[\"a{}\"]}}"#,
            number / 60 % 60,
            number % 60,
            ["open", "paid", "sent"][number % 3],
            number % 1_000,
            number % 17,
        );
        let (method, path) = match (operations, is_get) {
            (UNLIKE, _) => ("get", format!("/{name}")),
            (_, true) => ("get", format!("/v1/{name}/{uuid}")),
            (_, false) => ("post", format!("/v1/{name}")),
        };
        writeln!(
            out,
            r#"{{"request":{{"timestamp":"2026-01-05T08:00:00.000Z","method":"{method}","protocol":"https","host":"bench.example","headers":{{"accept":"*/*","user-agent":"bench/1"}},"body":"","path":"{path}","pathname":"{path}","query":{{}}}},"response":{{"timestamp":"2026-01-05T08:00:00.010Z","statusCode":200,"headers":{{"content-type":"application/json"}},"body":"{body}"}},"meta":{{"id":"5f0c1d2e3a4b596877665544332211ff-{number}","source":"5f0c1d2e3a4b596877665544332211ff","seq":{number},"durationMs":{}}}}}"#,
            number % 90,
        )
        .unwrap();
    }
    out.flush().unwrap();
}

/// A word for a number, in letters: names with digits would look like identifiers.
fn name(number: usize) -> String {
    let letter = |digit: usize| char::from(b'a' + (digit % 26) as u8);
    format!("kind{}{}{}", letter(number), letter(number / 26), letter(number / 676))
}

fn cpu_nanos() -> u64 {
    let text = fs::read_to_string("/proc/self/schedstat").expect("CPU time is read from /proc: Linux only");
    text.split_whitespace().next().unwrap().parse().unwrap()
}

fn peak_kib() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
