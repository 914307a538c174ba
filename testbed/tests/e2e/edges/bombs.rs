//! Bodies that are small on the wire and huge in memory.

use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use futures_util::future::try_join_all;
use serde_json::json;
use tributary_testbed::{collector::Collector, message::Call, process::Scratch, stack::Bed};

const MIB: usize = 1 << 20;

/// What the collector may hold more than before, whatever is thrown at it.
const MAX_GROWTH: u64 = 40 << 20;

/// Every kind of bomb, several at a time: refused with 413 or 415, or taken with the body left as it was; the memory of the
/// process stays where it was, and a good post passes in between and after.
pub(super) async fn bombs_are_refused_and_cost_no_memory(_: &Bed) -> Result<()> {
    let scratch = Scratch::new("bombs")?;
    let collector = Collector::builder().file(&scratch.file("exchanges.jsonl")).start().await?;
    let good = || Call::post("/v1/exchanges").header("content-type", "application/x-ndjson").body(GOOD);
    for _ in 0..20 {
        ensure!(collector.call(&good()).await?.status == 200, "a good post");
    }
    let before = collector.process().memory_bytes()?;

    for (name, coding, body, status) in bombs()? {
        let many = if body.len() < MIB { 6 } else { 1 };
        let bomb = Call::post("/v1/exchanges").header("content-type", "application/x-ndjson");
        let bomb = bomb.header("content-encoding", coding).body(body);
        // Bytes on the wire are no bomb: of large bodies one at a time.
        let replies = try_join_all((0..many).map(|_| collector.call(&bomb))).await.context(name)?;
        for reply in replies {
            ensure!(reply.status == status, "{name}: {}", reply.status);
        }
        ensure!(collector.call(&good()).await?.status == 200, "a good post after {name}");
        let growth = collector.process().peak_memory_bytes()?.saturating_sub(before);
        eprintln!("bombs: {name}: {} KiB more than before", growth >> 10);
        ensure!(growth <= MAX_GROWTH, "{name}: {} MiB more than before", growth >> 20);
    }
    let growth = collector.process().peak_memory_bytes()?.saturating_sub(before);
    eprintln!("bombs: {} KiB more than before at most", growth >> 10);
    let account = collector.accounting().await?;
    ensure!(account.identity_exact, "{account:?}");
    Ok(())
}

const GOOD: &str = "{\"request\":{\"method\":\"get\"}}\n";

type Bomb = (&'static str, &'static str, Vec<u8>, u16);

/// Name, content-encoding, body and the status that it gets.
fn bombs() -> Result<Vec<Bomb>> {
    // Members of gzip behind each other are one body.
    let gzip = gzip(&vec![0; 4 * MIB])?.repeat(16);
    let zstd = zstd_zeros(1024 * MIB)?;
    ensure!(
        64 * MIB / gzip.len() > 1000 && 1024 * MIB / zstd.len() > 30_000,
        "{} and {} bytes",
        gzip.len(),
        zstd.len()
    );
    let repeated =
        |part: &[u8], bytes: usize| part.iter().copied().cycle().take(bytes / part.len() * part.len()).collect();
    // A frame of RFC 8878 §3.1.2 that is skipped, one that holds nothing, and a member of gzip that holds nothing.
    let skipped = [&[0x50, 0x2A, 0x4D, 0x18][..], &1000u32.to_le_bytes(), &[0; 1000]].concat();
    let empty = zstd::encode_all(&b""[..], 1)?;
    let nothing = self::gzip(b"")?;
    Ok(vec![
        ("gzip 1000:1", "gzip", gzip.clone(), 413),
        ("zstd 30000:1", "zstd", zstd.clone(), 413),
        ("gzip in gzip, said", "gzip, gzip", self::gzip(&gzip)?, 415),
        ("brotli", "br", vec![0; 100], 415),
        // One layer is undone, and what is in it is no JSON Lines: one bad line.
        ("gzip in gzip, not said", "gzip", self::gzip(&gzip)?, 200),
        ("skippable frames within the limit", "zstd", repeated(&skipped, 7 * MIB), 200),
        ("skippable frames over the limit", "zstd", repeated(&skipped, 9 * MIB), 413),
        ("empty frames", "zstd", repeated(&empty, MIB), 200),
        ("empty members", "gzip", repeated(&nothing, 2 * MIB), 400),
        ("zeros behind skippable frames", "zstd", [repeated(&skipped, MIB), zstd].concat(), 413),
        ("bombs inside exchanges", "identity", inside()?.into_bytes(), 200),
    ])
}

/// Exchanges whose bodies are bombs: taken, with the bodies as they came.
fn inside() -> Result<String> {
    let gzip = gzip(&vec![0; 2 * MIB])?;
    let nested = self::gzip(&gzip)?;
    let mut lines = String::new();
    for (coding, body) in [("gzip", gzip), ("gzip, gzip", nested), ("zstd", zstd_zeros(256 * MIB)?)] {
        let meta = json!({"bytes": 1, "kept": 1, "truncated": false, "base64": STANDARD.encode(body)});
        let exchange = json!({
            "request": {"method": "post", "headers": {"content-encoding": coding}, "body": ""},
            "meta": {"requestBody": meta}
        });
        lines.push_str(&format!("{exchange}\n").repeat(10));
    }
    Ok(lines)
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn zstd_zeros(bytes: usize) -> Result<Vec<u8>> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1)?;
    // The largest that a decoder has to support: it holds that much.
    encoder.window_log(23)?;
    let zeros = vec![0; MIB];
    for _ in 0..bytes / MIB {
        encoder.write_all(&zeros)?;
    }
    Ok(encoder.finish()?)
}
