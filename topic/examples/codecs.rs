//! Which compression a producer should use: CPU of this process and of the broker, and bytes in the log, for each.
//!
//! ```text
//! cargo run --release -p tributary-topic --example codecs -- BROKERS [BROKER_PID DATA_DIR] [ROUNDS] [RECORDS]
//! ```
//! The recordings are made up, but as varied as traffic is: ids, times, tokens of browsers, JSON answers of three
//! sizes, and some bodies in base64 that cannot be compressed. Rounds are interleaved, medians printed.

use std::{collections::BTreeMap, env, error::Error, fmt::Write as _, fs, path::Path, time::Instant};

use tributary_topic::{Compression, Record, Writer, WriterConfig};

const WRITERS: usize = 8;
const BATCH: usize = 100;

#[derive(Clone, Copy, Default)]
struct Cost {
    own_micros: f64,
    broker_micros: f64,
    log_bytes: f64,
    seconds: f64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let Some(brokers) = args.first() else { return Err("BROKERS [BROKER_PID DATA_DIR] [ROUNDS] [RECORDS]".into()) };
    let broker = args.get(1).zip(args.get(2));
    let rounds: usize = args.get(3).map_or(Ok(3), |text| text.parse())?;
    let count: usize = args.get(4).map_or(Ok(40_000), |text| text.parse())?;
    let recordings = recordings(count);
    let bytes: usize = recordings.iter().map(|record| record.value.len()).sum();
    println!("{count} records of {} bytes in the mean, {WRITERS} writers, {BATCH} records a write", bytes / count);

    let mut costs: BTreeMap<&str, Vec<Cost>> = BTreeMap::new();
    for round in 0..=rounds {
        for compression in Compression::ALL {
            let cost = run(brokers, broker, compression, round, &recordings).await?;
            // The first round warms everything up.
            if round > 0 {
                costs.entry(compression.as_str()).or_default().push(cost);
            }
        }
    }
    println!(
        "{:8} {:>14} {:>14} {:>14} {:>10}",
        "codec", "own µs/record", "broker µs/rec", "log bytes/rec", "records/s"
    );
    for (name, costs) in costs {
        let each = |get: fn(&Cost) -> f64| median(costs.iter().map(get).collect()) / count as f64;
        println!(
            "{name:8} {:14.2} {:14.2} {:14.0} {:10.0}",
            each(|cost| cost.own_micros),
            each(|cost| cost.broker_micros),
            each(|cost| cost.log_bytes),
            1.0 / each(|cost| cost.seconds)
        );
    }
    Ok(())
}

async fn run(
    brokers: &str,
    broker: Option<(&String, &String)>,
    compression: Compression,
    round: usize,
    recordings: &[Record],
) -> Result<Cost, Box<dyn Error>> {
    let topic = format!("codecs-{compression}-{}-{round}", std::process::id());
    let mut config = WriterConfig::new(brokers, &topic);
    config.compression = compression;
    config.delivery_timeout = std::time::Duration::from_secs(60);
    let writer = std::sync::Arc::new(Writer::new(config)?);
    writer.ensure_topic(3, 1).await?;
    let measured = |pid: &str| cpu_micros(pid).unwrap_or_default();
    let before = (measured("self"), broker.map_or(0.0, |(pid, _)| measured(pid)), Instant::now());
    let share = recordings.len().div_ceil(WRITERS);
    let mut tasks = Vec::new();
    for part in recordings.chunks(share) {
        let (writer, part) = (std::sync::Arc::clone(&writer), part.to_vec());
        tasks.push(tokio::spawn(async move {
            let mut failed = 0;
            for batch in part.chunks(BATCH) {
                failed += writer.write(batch).await.iter().filter(|verdict| verdict.is_err()).count();
            }
            failed
        }));
    }
    for task in tasks {
        if task.await? > 0 {
            return Err("records were not acknowledged".into());
        }
    }
    Ok(Cost {
        seconds: before.2.elapsed().as_secs_f64(),
        own_micros: measured("self") - before.0,
        broker_micros: broker.map_or(0.0, |(pid, _)| measured(pid)) - before.1,
        log_bytes: broker.map_or(0.0, |(_, data)| log_bytes(Path::new(data), &topic) as f64),
    })
}

/// CPU time of a process, from `/proc/PID/stat`, in ticks of 10 ms.
fn cpu_micros(pid: &str) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks * 10_000.0)
}

/// Bytes of the segments of a topic.
fn log_bytes(data: &Path, topic: &str) -> u64 {
    let partitions = fs::read_dir(data).into_iter().flatten().flatten();
    let ours = partitions.filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{topic}-")));
    let files = ours.flat_map(|partition| fs::read_dir(partition.path()).into_iter().flatten().flatten());
    files
        .filter(|file| file.path().extension().is_some_and(|extension| extension == "log"))
        .filter_map(|file| file.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Deterministic noise: splitmix64.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        let place = self.below(words.len() as u64) as usize;
        words.get(place).copied().unwrap_or_default()
    }
}

const NAMES: [&str; 10] = ["Aino", "Kimmo", "Sofía", "Chen", "Priya", "Oluwaseun", "Björn", "Mei", "Kateryna", "Tom"];
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "okhttp/5.1.0",
    "Go-http-client/2.0",
];

fn recordings(count: usize) -> Vec<Record> {
    let mut noise = Noise(42);
    (0..count).map(|seq| recording(&mut noise, seq)).collect()
}

fn recording(noise: &mut Noise, seq: usize) -> Record {
    let (users, packed) = match noise.below(100) {
        0..70 => (1, 0),
        70..95 => (10, 0),
        _ => (0, 6000),
    };
    let source = "8f1d6a3c97e2b4055a6c0d9e1f2b3a47";
    let (name, id) = (noise.pick(&NAMES), noise.next());
    let mut body = String::new();
    for _ in 0..users {
        let (one, other) = (noise.next(), noise.below(2_000_000_000));
        let _ = write!(
            body,
            "{{\\\"id\\\":\\\"{one:016x}\\\",\\\"name\\\":\\\"{}\\\",\\\"email\\\":\\\"{}.{other}@example.com\\\",\\\"active\\\":{}}},",
            noise.pick(&NAMES),
            noise.pick(&NAMES),
            noise.below(2) == 0
        );
    }
    let base64: String = (0..packed).map(|_| BASE64.chars().nth(noise.below(64) as usize).unwrap_or('A')).collect();
    let millis = 833 + seq % 60_000;
    let time = format!("2026-11-23T10:{:02}:{:02}.{:03}Z", millis / 60_000 % 60, millis / 1000 % 60, millis % 1000);
    let line = format!(
        "{{\"request\":{{\"timestamp\":\"{time}\",\"method\":\"get\",\"protocol\":\"http\",\"host\":\"users.shop.svc:8080\",\"headers\":{{\"user-agent\":\"{agent}\",\"accept\":\"*/*\",\"accept-encoding\":\"gzip, br\",\"x-request-id\":\"{id:016x}\",\"traceparent\":\"00-{trace:016x}{id:016x}-{span:016x}-01\",\"x-forwarded-proto\":\"http\"}},\"body\":\"\",\"path\":\"/users/{name}?page={page}\",\"pathname\":\"/users/{name}\",\"query\":{{\"page\":\"{page}\"}}}},\"response\":{{\"timestamp\":\"{time}\",\"statusCode\":200,\"headers\":{{\"content-type\":\"application/json; charset=utf-8\",\"content-length\":\"{length}\",\"x-envoy-upstream-service-time\":\"{took}\",\"server\":\"envoy\"}},\"body\":\"{body}\"}},\"meta\":{{\"id\":\"{source}-{seq}\",\"source\":\"{source}\",\"seq\":{seq},\"durationMs\":{took},\"responseBody\":{{\"bytes\":{length},\"kept\":{length},\"truncated\":false,\"base64\":\"{base64}\"}},\"httpVersion\":\"HTTP/1.1\",\"clientAddress\":\"10.1.{octet}.7:{port}\",\"cluster\":\"users\",\"route\":\"users\",\"codeDetails\":\"via_upstream\"}}}}",
        agent = noise.pick(&AGENTS),
        trace = noise.next(),
        span = noise.next(),
        page = noise.below(50),
        length = body.len() + base64.len(),
        took = noise.below(300),
        octet = noise.below(256),
        port = 1024 + noise.below(60_000),
    );
    Record {
        key: Some(format!("{source}-{seq}").into()),
        value: line.into(),
        headers: vec![
            ("source", source.into()),
            ("seq", seq.to_string().into()),
            ("content-type", "application/json".into()),
        ],
    }
}
