//! The second wall: the collector masks what others post, and leaves alone what the filter has masked already.

use anyhow::{Result, ensure};
use serde_json::json;
use tributary_testbed::{
    canary::{self, ROW, Row, Said, harmless},
    collector::Collector,
    message::Call,
    process::Scratch,
    recordings::{Line, Recordings},
    stack::{Bed, DELIVERED_WITHIN},
};

use super::{places::Documents, rig::Canaries};

/// Lines of a post.
const LINES: usize = 50;

/// Lines with every secret in them, posted by a program that masks nothing.
pub(super) async fn what_others_post_is_masked_by_the_collector(_: &Bed) -> Result<()> {
    let canaries = Canaries::new();
    let lines: Vec<Vec<u8>> = canaries.rows.iter().map(unmasked).collect::<Result<_>>()?;

    let walled = Walled::post(&lines).await?;

    ensure!(canaries.by_row(&walled.lines)?.iter().all(|(_, lines)| lines.len() == 1), "a row without its line");
    let mut documents = Documents::of_lines("file", &walled.lines);
    documents.add_folder("the folder of the file", walled.scratch.path())?;
    documents.add_collector(&walled.collector).await?;
    canaries.none_in(&documents)
}

/// `meta` is free-form: what somebody else writes there is masked too, in Tributary's own facts as well.
pub(super) async fn what_others_post_in_meta_is_masked_by_the_collector(_: &Bed) -> Result<()> {
    let posted = canary::posted();
    let lines: Vec<Vec<u8>> = posted.iter().map(|posted| format!("{}\n", posted.line).into_bytes()).collect();
    let canaries = Canaries::posted(&posted);

    let walled = Walled::post(&lines).await?;

    for (posted, line) in posted.iter().zip(&walled.lines) {
        let counted = line.exchange()?.meta.and_then(|meta| meta.get("redactions")?.as_object().cloned());
        ensure!(counted.is_some_and(|counts| !counts.is_empty()), "{}: {}", posted.name, line.text()?);
    }
    let mut documents = Documents::of_lines("file", &walled.lines);
    documents.add_folder("the folder of the file", walled.scratch.path())?;
    documents.add_collector(&walled.collector).await?;
    canaries.none_in(&documents)
}

/// What others post and is no secret comes out byte for byte, headers among it that no proxy would pass on.
pub(super) async fn what_others_post_and_is_harmless_is_left_as_it_is(_: &Bed) -> Result<()> {
    let mut rows = harmless::rows();
    let call =
        harmless::HOP_BY_HOP_HEADERS.iter().fold(Call::get("/hop"), |call, (name, value)| call.header(name, *value));
    let call = call.header(ROW, rows.len().to_string());
    rows.push(Row { name: "hop by hop".to_owned(), call, said: Said::default(), secrets: Vec::new() });
    let lines: Vec<Vec<u8>> = rows.iter().map(unmasked).collect::<Result<_>>()?;

    let walled = Walled::post(&lines).await?;

    for (given, recorded) in lines.iter().zip(&walled.lines) {
        let given = String::from_utf8_lossy(given);
        ensure!(recorded.text()? == given.trim_end(), "was\n{given}and became\n{}", recorded.text()?);
    }
    Ok(())
}

/// What became of lines that were posted to a collector with the settings of the canaries.
struct Walled {
    lines: Vec<Line>,
    collector: Collector,
    scratch: Scratch,
}

impl Walled {
    async fn post(lines: &[Vec<u8>]) -> Result<Walled> {
        let scratch = Scratch::new("canary-wall")?;
        let (file, config) = (scratch.file("exchanges.jsonl"), scratch.file("redact.json"));
        std::fs::write(&config, canary::redaction().to_string())?;
        let config = config.to_string_lossy().into_owned();
        let collector = Collector::builder().file(&file).args(&["--redact-config", &config]).start().await?;
        collector.ready(DELIVERED_WITHIN).await?;
        for post in lines.chunks(LINES) {
            let reply = collector.post(post.concat()).await?;
            let expected = json!({"accepted": post.len(), "rejected": []});
            ensure!(reply.status == 200 && reply.json()? == expected, "{} {:?}", reply.status, reply.json());
        }
        let recorded = Recordings::of_file(&file).read().await?.to_vec();
        ensure!(recorded.len() == lines.len(), "{} of {} lines", recorded.len(), lines.len());
        Ok(Walled { lines: recorded, collector, scratch })
    }
}

/// The line of a row as it is, by the writer of the format.
fn unmasked(row: &Row) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    row.with_exchange(|exchange| exchange.write_line(&mut line))?;
    Ok(line)
}

/// What has come through the filter is posted again: not one byte of it changes.
pub(super) async fn what_the_filter_masked_is_left_as_it_is(bed: &Bed) -> Result<()> {
    let canaries = Canaries::few();
    let stack = canaries.stack(bed.stack("twice").await?).await?.start().await?;
    canaries.sent(&stack).await?;
    let first = canaries.travelled(&stack, 0).await?;

    let lines: Vec<Vec<u8>> = first.iter().map(|line| [line.bytes.as_slice(), b"\n"].concat()).collect();
    let second = Walled::post(&lines).await?.lines;
    for (first, second) in first.iter().zip(&second) {
        ensure!(first.bytes == second.bytes, "was\n{}\nand became\n{}", first.text()?, second.text()?);
    }
    Ok(())
}
