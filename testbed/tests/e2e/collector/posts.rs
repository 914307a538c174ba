//! What the collector takes and refuses: lines, sizes, types, encodings. What it says it took is in the topic.

use std::io::Write as _;

use anyhow::{Result, ensure};
use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use tributary_testbed::{message::Call, stack::Bed};

use super::{accepted, account, alone, came_out, ended, line, line_of, number, post, refused};

/// Good and bad lines in one post: each bad one named by its number, blank ones skipped but counted as lines, both line
/// ends, a byte order mark, and a last line without an end.
pub(super) async fn bad_lines_are_named_and_good_ones_pass(bed: &Bed) -> Result<()> {
    let (collector, mut recordings) = alone(bed, "bad-lines", |collector| collector).await?;
    let good = [line("/first", ""), line("/fifth", "caf\u{e9} \u{2028}"), line("/tenth", "last")];
    let mut body = b"\xef\xbb\xbf".to_vec();
    body.extend(format!("{}\n", good[0]).bytes());
    body.extend(b"{\"request\":\n");
    body.extend(b" \t \n");
    body.extend(b"{\"request\":{\"method\":\"get\"},\"extra\":1}\n");
    body.extend(format!("{}\r\n", good[1]).bytes());
    body.extend(b"{\"request\":{\"method\":\"propfind\"}}\n");
    body.extend(b"[]\n");
    body.extend(b"\xff\xfe\n");
    body.extend(b"{\"request\":{\"method\":\"get\",\"query\":{\"token\":7}}}\n");
    body.extend(good[2].bytes());

    let reply = collector.call(&post(body)).await?;

    let methods = "(lower case: get, put, post, patch, delete, options, trace, head, connect)";
    let rejected = json!([
        {"line": 2, "error": "not JSON: EOF while parsing a value at column 11"},
        {"line": 4, "error": "extra: unknown field `extra`, expected one of `request`, `response`, `meta`"},
        {"line": 6, "error": format!("request.method: \"propfind\" is not a method of the format {methods}")},
        {"line": 7, "error": "exchange: invalid type: sequence, expected an object"},
        {"line": 8, "error": "not JSON: expected value at column 1"},
        {"line": 9, "error": "request.query.token: invalid type: integer, expected a string or an array of strings"},
    ]);
    accepted(&reply, 3, rejected)?;
    came_out(recordings.read().await?, &good)?;
    let account = account(&collector).await?;
    let totals = ["/received", "/accepted", "/rejected", "/kafka_acked"].map(|name| number(&account, name).ok());
    ensure!(totals == [Some(9), Some(3), Some(6), Some(3)] && account["identity_exact"] == true, "{account}");
    Ok(())
}

/// The limits of a post as sent and unpacked, one under, at and one over.
pub(super) async fn sizes_of_posts_hold_at_their_edges(bed: &Bed) -> Result<()> {
    let limits = ["--max-encoded-bytes", "4096", "--max-decoded-bytes", "8192"];
    let (collector, mut recordings) = alone(bed, "sizes", |collector| collector.args(&limits)).await?;
    let two = |path: &str, last| [line_of(path, 2047), line_of(path, last)];
    let four = |path: &str, last| [line_of(path, 2047), line_of(path, 2047), line_of(path, 2047), line_of(path, last)];
    let mut stored = Vec::new();

    for (path, last) in [("/encoded-under", 2046), ("/encoded-at", 2047)] {
        stored.extend(two(path, last));
        accepted(&collector.call(&post(ended(two(path, last)))).await?, 2, json!([]))?;
    }
    // Told by its length, and found out by its bytes.
    let over = ended(two("/encoded-over", 2048));
    let chunked = Call::post("/v1/exchanges").header("content-type", "application/x-ndjson").chunks([over.clone()]);
    for call in [post(over), chunked] {
        refused(&collector.call(&call).await?, 413, "body is larger than 4096 bytes")?;
    }

    for (path, last) in [("/decoded-under", 2046), ("/decoded-at", 2047)] {
        stored.extend(four(path, last));
        accepted(&collector.call(&gzipped(&ended(four(path, last)))?).await?, 4, json!([]))?;
    }
    let over = gzipped(&ended(four("/decoded-over", 2048)))?;
    refused(&collector.call(&over).await?, 413, "unpacked body is larger than 8192 bytes")?;

    came_out(recordings.read().await?, &stored)?;
    let account = account(&collector).await?;
    ensure!(number(&account, "/posts/refused/limit")? == 3, "{account}");
    ensure!(number(&account, "/accepted")? == stored.len() as u64 && account["identity_exact"] == true, "{account}");
    Ok(())
}

/// The limits of lines, one under, at and one over: a line that is too long or too deep is refused alone, a post of too
/// many as a whole.
pub(super) async fn limits_of_lines_hold_at_their_edges(bed: &Bed) -> Result<()> {
    let limits = ["--max-line-bytes", "2048", "--max-lines", "5", "--max-json-depth", "10"];
    let (collector, mut recordings) = alone(bed, "lines", |collector| collector.args(&limits)).await?;
    let mut stored = Vec::new();

    stored.extend([line_of("/line-under", 2047), line_of("/line-at", 2048)]);
    let body = ended([line_of("/line-under", 2047), line_of("/line-over", 2049), line_of("/line-at", 2048)]);
    let rejected = json!([{"line": 2, "error": "line of 2049 bytes is longer than 2048"}]);
    accepted(&collector.call(&post(body)).await?, 2, rejected)?;

    // Blank lines do not count.
    let some = |path: &str, count: usize| (0..count).map(|n| line(path, &n.to_string())).collect::<Vec<String>>();
    for count in [4, 5] {
        stored.extend(some("/lines", count));
        let body = format!("\n{}\n\n", ended(some("/lines", count)));
        accepted(&collector.call(&post(body)).await?, count as u64, json!([]))?;
    }
    refused(&collector.call(&post(ended(some("/lines-over", 6)))).await?, 413, "6 lines are more than 5")?;

    // The exchange and its meta are two of the levels.
    let nested = |levels: usize| {
        let meta = format!("{{\"deep\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        line("/nested", "").replacen('{', &format!("{{\"meta\":{meta},"), 1)
    };
    stored.extend([nested(7), nested(8)]);
    let reply = collector.call(&post(ended([nested(7), nested(8), nested(9)]))).await?;
    accepted(&reply, 2, json!([{"line": 3, "error": "nested deeper than 10 levels"}]))?;

    came_out(recordings.read().await?, &stored)?;
    let account = account(&collector).await?;
    ensure!(number(&account, "/refused/limit")? == 6 && account["identity_exact"] == true, "{account}");
    Ok(())
}

/// JSON Lines under their usual names; everything else is refused with what is wanted, or is not here.
pub(super) async fn only_json_lines_are_taken(bed: &Bed) -> Result<()> {
    let (collector, mut recordings) = alone(bed, "types", |collector| collector).await?;
    let body = || ended([line("/", "")]);
    let typed = |content_type: &str| Call::post("/v1/exchanges").header("content-type", content_type.to_owned());

    let taken = ["application/x-ndjson", "application/jsonl", "Application/X-NDJSON; charset=\"UTF-8\""];
    for content_type in taken {
        accepted(&collector.call(&typed(content_type).body(body())).await?, 1, json!([]))?;
    }
    let others = ["application/json", "text/plain", "application/x-ndjson; charset=latin1"].map(&typed);
    let twice = typed("application/jsonl").header("content-type", "application/jsonl");
    let unwanted = "content-type must be application/x-ndjson (or application/jsonl), in UTF-8";
    for call in others.into_iter().chain([Call::post("/v1/exchanges"), twice]) {
        refused(&collector.call(&call.body(body())).await?, 415, unwanted)?;
    }
    for (call, status) in [(Call::get("/v1/exchanges"), 405), (Call::post("/v1/other").body(""), 404)] {
        let reply = collector.call(&call).await?;
        ensure!(reply.status == status, "{} {}: {}", call.method, call.target, reply.status);
    }

    came_out(recordings.read().await?, &taken.map(|_| line("/", "")))?;
    let account = account(&collector).await?;
    ensure!(number(&account, "/posts/refused/bad_request")? == 5 && account["identity_exact"] == true, "{account}");
    Ok(())
}

/// gzip of several members and zstd are unpacked; other codings, and bodies that are not what they say, are refused.
pub(super) async fn only_known_encodings_are_taken(bed: &Bed) -> Result<()> {
    let (collector, mut recordings) = alone(bed, "encodings", |collector| collector).await?;
    let encoded = |coding: &str, body: Vec<u8>| post(body).header("content-encoding", coding.to_owned());
    let two = |path: &str| [line(path, "one"), line(path, "two")];

    let mut members = gzip(&format!("{}\n", two("/gzip")[0]))?;
    members.extend(gzip(&two("/gzip")[1])?);
    let zstd = zstd::encode_all(ended(two("/zstd")).as_bytes(), 3)?;
    accepted(&collector.call(&encoded("gzip", members)).await?, 2, json!([]))?;
    accepted(&collector.call(&encoded("ZSTD", zstd.clone())).await?, 2, json!([]))?;

    for coding in ["br", "deflate", "gzip, gzip", "unknown"] {
        let reply = collector.call(&encoded(coding, gzip("x")?)).await?;
        refused(&reply, 415, "content-encoding must be identity, gzip or zstd")?;
    }
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    let zstd_error = "body: not zstd, or of a window over 8 MiB";
    for (coding, body, error) in [
        ("gzip", b"this is no gzip".to_vec(), "body: not gzip"),
        ("gzip", half(gzip(&line("/cut", "cut"))?), "body: not gzip"),
        ("zstd", b"this is no zstd".to_vec(), zstd_error),
        ("zstd", half(zstd), zstd_error),
    ] {
        refused(&collector.call(&encoded(coding, body)).await?, 400, error)?;
    }

    came_out(recordings.read().await?, &[two("/gzip"), two("/zstd")].concat())?;
    let account = account(&collector).await?;
    ensure!(number(&account, "/posts/refused/bad_request")? == 8 && account["identity_exact"] == true, "{account}");
    Ok(())
}

fn gzipped(text: &str) -> Result<Call> {
    Ok(post(gzip(text)?).header("content-encoding", "gzip"))
}

fn gzip(text: &str) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes())?;
    Ok(encoder.finish()?)
}
