//! What the spool costs and bears, on a real broker: CPU of the collector a line while all is well, memory while Kafka
//! is away at full load, how fast the spool empties under load, and the start after a kill with much in it.
//!
//! ```text
//! cargo build --release -p tributary-collector
//! TRIBUTARY_COLLECTOR=target/release/tributary-collector \
//!     cargo run -p tributary-testbed --example spool_costs -- [--before OTHER_COLLECTOR] [--gib 1] [--outage SECONDS]
//! ```
//! With `--before` another build of the collector takes its turn in each round. CPU is that of the collector's process,
//! user and system, from `/proc`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tributary_testbed::{
    client::{self, h1::Connection},
    kafka::Kafka,
    message::Call,
    ports::Port,
    process::Scratch,
    wait,
};

const PATIENCE: Duration = Duration::from_secs(600);
const LINES: u64 = 100;
const CONNECTIONS: usize = 8;
const ROUNDS: usize = 5;

#[derive(Parser)]
struct Args {
    /// The collector to measure
    #[arg(long, env = "TRIBUTARY_COLLECTOR", default_value = "target/release/tributary-collector")]
    collector: PathBuf,
    /// Another one, measured in turn with it
    #[arg(long)]
    before: Option<PathBuf>,
    /// Posts of a round
    #[arg(long, default_value_t = 2000)]
    posts: u64,
    /// Seconds without Kafka at full load
    #[arg(long, default_value_t = 60)]
    outage: u64,
    /// GiB in the spool when the collector is killed
    #[arg(long, default_value_t = 1)]
    gib: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let scratch = Scratch::new("spool-costs")?;
    let mut kafka = Kafka::builder().start().await?;
    healthy(&args, &kafka, scratch.path()).await?;
    outage(&args, &mut kafka, scratch.path()).await?;
    restart(&args, &mut kafka, scratch.path()).await
}

/// µs CPU a line, all variants in turn.
async fn healthy(args: &Args, kafka: &Kafka, scratch: &Path) -> Result<()> {
    let spool = scratch.join("healthy").display().to_string();
    let mut variants: Vec<(&str, &Path, Vec<&str>)> =
        vec![("--spool off", &args.collector, vec![]), ("--spool on", &args.collector, vec!["--spool", &spool])];
    if let Some(before) = &args.before {
        variants.insert(0, ("before", before, vec![]));
    }
    let mut costs: Vec<Vec<f64>> = vec![Vec::new(); variants.len()];
    for round in 0..=ROUNDS {
        for ((name, program, more), costs) in variants.iter().zip(&mut costs) {
            let collector = Started::new(program, kafka.brokers(), "costs", more)?;
            collector.ready().await?;
            post(collector.address, args.posts / 10).await?;
            let before = collector.cpu()?;
            post(collector.address, args.posts).await?;
            let cost = (collector.cpu()? - before).as_secs_f64() * 1e6 / (args.posts * LINES) as f64;
            // The first round warms up.
            if round > 0 {
                costs.push(cost);
            }
            println!("round {round}: {name}: {cost:.2} us CPU a line");
        }
    }
    for ((name, ..), costs) in variants.iter().zip(&mut costs) {
        costs.sort_by(f64::total_cmp);
        println!(
            "{name}: median {:.2} us CPU a line of {ROUNDS} rounds {costs:.2?}",
            costs.get(ROUNDS / 2).unwrap_or(&f64::NAN)
        );
    }
    Ok(())
}

/// Memory without Kafka at full load, then how fast the spool empties while the load goes on at a third of its rate.
async fn outage(args: &Args, kafka: &mut Kafka, scratch: &Path) -> Result<()> {
    let spool = scratch.join("outage").display().to_string();
    let more = ["--spool", &spool, "--spool-max-bytes", "64GiB"];
    let collector = Started::new(&args.collector, kafka.brokers(), "outage", &more)?;
    collector.ready().await?;
    let load = Load::start(collector.address, None);
    tokio::time::sleep(Duration::from_secs(3)).await;
    kafka.kill()?;
    let (began, before, cpu) = (Instant::now(), load.lines(), collector.cpu()?);
    tokio::time::sleep(Duration::from_secs(args.outage)).await;
    let lines = load.lines() - before;
    let rate = lines as f64 / began.elapsed().as_secs_f64();
    let cpu = (collector.cpu()? - cpu).as_secs_f64() * 1e6 / lines as f64;
    println!("without Kafka: {rate:.0} lines a second, {cpu:.2} us CPU a line, {} refused", load.refused());
    println!("memory: {} MiB at most", collector.memory("VmHWM")? / 1024);
    load.stop().await;
    kafka.start_again().await?;

    println!("{} items wait in {} MiB", collector.spool("waiting").await?, collector.spool("bytes").await? >> 20);
    let input = rate / 6.0;
    let load = Load::start(collector.address, Some(input));
    wait::until("the replay begins", PATIENCE, async || {
        ensure!(collector.spool("replayed").await? > 0, "nothing is replayed yet");
        Ok(())
    })
    .await?;
    let (began, before) = (Instant::now(), collector.spool("replayed").await?);
    let lines_before = load.lines();
    wait::until("an empty spool", PATIENCE, async || {
        ensure!(collector.spool("waiting").await? == 0, "not yet");
        Ok(())
    })
    .await?;
    let took = began.elapsed().as_secs_f64();
    let replayed = collector.spool("replayed").await? - before;
    let came = (load.lines() - lines_before) as f64 / took;
    let drain = replayed as f64 / took;
    println!("drain: {drain:.0} lines a second while {came:.0} a second came in: {:.1} times", drain / came);
    println!("memory: {} MiB at most", collector.memory("VmHWM")? / 1024);
    load.stop().await;
    Ok(())
}

/// The start after a kill with much in the spool.
async fn restart(args: &Args, kafka: &mut Kafka, scratch: &Path) -> Result<()> {
    let spool = scratch.join("restart").display().to_string();
    let more = ["--spool", &spool, "--spool-max-bytes", "64GiB"];
    kafka.stop().await?;
    let collector = Started::new(&args.collector, kafka.brokers(), "restart", &more)?;
    wait::until("a collector", PATIENCE, async || collector.spool("bytes").await).await?;
    let load = Load::start(collector.address, None);
    wait::until("a spool so large", PATIENCE, async || {
        let bytes = collector.spool("bytes").await?;
        ensure!(bytes >= args.gib << 30, "{} MiB", bytes >> 20);
        Ok(())
    })
    .await?;
    let bytes = collector.spool("bytes").await?;
    drop(collector);
    load.stop().await;
    for _ in 0..3 {
        let began = Instant::now();
        let collector = Started::new(&args.collector, kafka.brokers(), "restart", &more)?;
        collector.ready().await?;
        let cpu = collector.cpu()?;
        println!("ready {:?} after a kill with {} MiB spooled, {cpu:?} CPU", began.elapsed(), bytes >> 20);
    }
    Ok(())
}

/// A collector process; dropping it kills it (SIGKILL).
struct Started {
    child: Child,
    address: SocketAddr,
    _port: Port,
}

impl Started {
    fn new(program: &Path, brokers: &str, topic: &str, more: &[&str]) -> Result<Started> {
        let port = Port::tcp()?;
        let address = port.address();
        let child = Command::new(program)
            .args(["--brokers", brokers, "--topic", topic, "--listen", &address.to_string(), "--log-level", "error"])
            .args(more)
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| program.display().to_string())?;
        Ok(Started { child, address, _port: port })
    }

    async fn ready(&self) -> Result<()> {
        for _ in 0..60_000 {
            let reply = client::call(self.address, &Call::get("/ready")).await;
            if reply.is_ok_and(|reply| reply.status == 200) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        anyhow::bail!("not ready")
    }

    /// A number of the spool.
    async fn spool(&self, name: &str) -> Result<u64> {
        let account = client::call(self.address, &Call::get("/v1/accounting")).await?.json()?;
        account.pointer(&format!("/spool/{name}")).and_then(Value::as_u64).with_context(|| name.to_owned())
    }

    fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().context("stat")?.split_whitespace().collect();
        let ticks: u64 = fields.get(11..13).context("times")?.iter().filter_map(|text| text.parse::<u64>().ok()).sum();
        // The kernel counts in hundredths for everybody (`USER_HZ`).
        Ok(Duration::from_millis(ticks * 10))
    }

    /// In KiB.
    fn memory(&self, name: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with(name)).context("memory")?;
        Ok(line.split_whitespace().nth(1).context("memory")?.parse()?)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Posts as fast as they are answered, or at a rate.
struct Load {
    lines: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

impl Load {
    fn start(address: SocketAddr, lines_a_second: Option<f64>) -> Load {
        let (lines, refused, stop) = <(Arc<AtomicU64>, Arc<AtomicU64>, Arc<AtomicBool>)>::default();
        let mut clients = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (lines, refused, stop) = (lines.clone(), refused.clone(), stop.clone());
            let call = body();
            clients.spawn(async move {
                let began = Instant::now();
                let mut sent = 0.0;
                while !stop.load(Ordering::Relaxed) {
                    let Ok(mut connection) = Connection::open(address).await else { break };
                    while let Ok(reply) = connection.call(&call).await {
                        let counted = if reply.status == 200 { &lines } else { &refused };
                        counted.fetch_add(LINES, Ordering::Relaxed);
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        sent += LINES as f64;
                        if let Some(rate) = lines_a_second {
                            let due = Duration::from_secs_f64(sent / (rate / CONNECTIONS as f64));
                            tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
                        }
                    }
                }
            });
        }
        Load { lines, refused, stop, clients }
    }

    fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while self.clients.join_next().await.is_some() {}
    }
}

/// So many posts over all connections.
async fn post(address: SocketAddr, posts: u64) -> Result<()> {
    let left = Arc::new(AtomicU64::new(posts));
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (left, call) = (left.clone(), body());
        clients.spawn(async move {
            let mut connection = Connection::open(address).await?;
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                let reply = connection.call(&call).await?;
                ensure!(reply.status == 200, "{}", reply.status);
            }
            Ok(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(())
}

/// A post of lines of 700 bytes.
fn body() -> Call {
    let bare = line("").len();
    let lines: String = (0..LINES).map(|_| line(&filling(700 - bare)) + "\n").collect();
    Call::post("/v1/exchanges").header("content-type", "application/x-ndjson").body(lines)
}

fn line(body: &str) -> String {
    json!({
        "request": {
            "timestamp": "2026-01-01T00:00:00.000Z", "method": "post", "protocol": "http", "host": "shop.example",
            "headers": {"content-type": "text/plain"}, "body": body, "path": "/", "pathname": "/", "query": {},
        },
        "response": {"timestamp": "2026-01-01T00:00:00.012Z", "statusCode": 201, "headers": {}, "body": ""},
    })
    .to_string()
}

fn filling(len: usize) -> String {
    let uuid = || uuid::Uuid::new_v4().simple().to_string();
    let text: String = std::iter::repeat_with(uuid).take(len / 32 + 1).collect();
    text.chars().take(len).collect()
}
