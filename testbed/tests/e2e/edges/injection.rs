//! Traffic that wants to be more than traffic: a second line, a second event in the log, another topic, another file.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tributary_testbed::{client::h1::Connection, collector::Collector, message::Call, process::Scratch, stack::Bed};
use tributary_topic::{Reader, ReaderConfig, Start, TopicError};

use crate::collector::{account, alone, number};

/// Ends a line, ends a text, colours a terminal, turns the reading direction, and then looks like our log.
const EVIL: &str = "\r\n\0\u{1b}[31m\u{85}\u{2028}\u{2029}\u{202e}\n2026-01-01T00:00:00.000000Z ERROR forged: FORGED";

/// A value of a header that HTTP lets through: no control characters, but everything else.
const EVIL_HEADER: &str = "\u{9b}31m\u{2028}FORGED";

/// Whatever stands in an exchange or in the head of a post, it is one record, and one event of the log or none, in both
/// forms of the log and at its most talkative.
pub(super) async fn no_field_makes_a_second_line_or_event(bed: &Bed) -> Result<()> {
    for format in ["text", "json"] {
        let change = |collector: tributary_testbed::collector::CollectorBuilder| {
            collector.args(&["--log-format", format, "--log-level", "trace,rdkafka=info,librdkafka=info"])
        };
        let (collector, mut recordings) = alone(bed, "injection", change).await?;
        let good = format!("{}\n", exchange());
        ensure!(!good.trim_end().contains(['\n', '\r', '\0']), "JSON escapes them");
        ensure!(collector.post(good.clone()).await?.status == 200, "a good line");
        for bad in bad_lines() {
            ensure!(collector.post(format!("{bad}\n")).await?.status == 200, "a bad line alone is no bad post");
        }
        for call in bad_heads() {
            let status = collector.call(&call).await?.status;
            ensure!((400..500).contains(&status), "{status} for {call:?}");
        }
        send_raw(&collector).await?;

        let lines = recordings.read().await?;
        ensure!(lines.len() == 1 && lines[0].bytes == good.trim_end().as_bytes(), "{} records", lines.len());
        let account = account(&collector).await?;
        ensure!(number(&account, "/accepted")? == 1 && account["identity_exact"] == true, "{account}");
        let log = collector.log().text();
        ensure!(log.contains("Lines rejected.") && log.contains("Post refused."), "it says nothing: {log}");
        ensure!(!log.contains("FORGED"), "traffic is in the log: {}", collector.log().lines_with("FORGED").join("\n"));
        for line in log.lines() {
            is_event(line, format).with_context(|| format!("{format} log: {line:?}"))?;
        }
    }
    Ok(())
}

/// An exchange with [`EVIL`] in each of its texts.
fn exchange() -> Value {
    json!({
        "request": {
            "method": "get", "protocol": "http", "host": EVIL, "headers": {"x": EVIL, "y": [EVIL, EVIL]}, "body": EVIL,
            "path": EVIL, "pathname": EVIL, "query": {"q": EVIL, EVIL: EVIL}, "timestamp": "2026-01-01T00:00:00.000Z",
        },
        "response": {"statusCode": 200, "headers": {"z": EVIL}, "body": EVIL, "timestamp": "2026-01-01T00:00:00.000Z"},
        "meta": {"id": EVIL, "source": EVIL, "seq": 1, "clientAddress": EVIL, "route": EVIL, EVIL: EVIL},
    })
}

/// Lines that are refused, for what the errors may want to quote.
fn bad_lines() -> Vec<String> {
    let with = |pointer: &str, value: Value| {
        let mut exchange = exchange();
        *exchange.pointer_mut(pointer).unwrap() = value;
        exchange.to_string()
    };
    vec![
        with("/request/method", json!(EVIL)),
        with("/request/protocol", json!(EVIL)),
        with("/request/timestamp", json!(EVIL)),
        with("/request/query", json!({EVIL: 7})),
        with("/request/headers", json!({EVIL: {EVIL: 1}})),
        with("/response/statusCode", json!(EVIL)),
        json!({EVIL: EVIL}).to_string(),
        format!("FORGED\u{2028}\u{1b}[31m{EVIL}").replace(['\n', '\r'], " "),
    ]
}

/// Heads that are refused.
fn bad_heads() -> Vec<Call> {
    let post = || Call::post("/v1/exchanges").body("");
    vec![
        post().header("content-type", EVIL_HEADER),
        post().header("content-type", "application/jsonl").header("content-encoding", EVIL_HEADER),
        post()
            .header("content-type", "application/jsonl")
            .header("x-tributary-source", EVIL_HEADER)
            .header("x-tributary-batch", "1"),
        post()
            .header("content-type", "application/jsonl")
            .header("x-tributary-source", "a")
            .header("x-tributary-batch", EVIL_HEADER),
        post()
            .header("content-type", "application/jsonl")
            .header("x-tributary-source", "a")
            .header("x-tributary-batch", "1")
            .header("x-tributary-counters", EVIL_HEADER),
        Call::get("/FORGED%0d%0a%1b[31m").header("x", EVIL_HEADER),
    ]
}

/// Bytes that are no HTTP: the answer is a 400 or the end of the connection, and no event.
async fn send_raw(collector: &Collector) -> Result<()> {
    for bytes in [
        &b"GET /live HTTP/1.1\r\nhost: c\r\nx: \x1b[31m\0FORGED\r\n\r\n"[..],
        b"GET /live HTTP/1.1\r\nFORGED\r\n\r\n",
        b"FORGED\r\n\r\n",
        b"GET /FORGED\x1b[31m HTTP/1.1\r\nhost: FORGED\r\n\r\n",
        b"\x16\x03\x01FORGED\r\n\r\n",
    ] {
        let mut connection = Connection::open(collector.address()).await?;
        connection.send(bytes).await?;
        connection.finish().await?;
        // Refused, or closed without a word.
        if let Ok(reply) = connection.reply("GET").await {
            ensure!((400..500).contains(&reply.status), "{}", reply.status);
        }
    }
    Ok(())
}

/// Whether the line is one event: it begins with its time.
fn is_event(line: &str, format: &str) -> Result<()> {
    let time = match format {
        "json" => {
            let event: Value = serde_json::from_str(line).context("no JSON")?;
            event.get("timestamp").and_then(Value::as_str).context("no time")?.to_owned()
        }
        _ => line.split(' ').next().unwrap_or_default().to_owned(),
    };
    ensure!(time.len() == 27 && time.starts_with("20") && time.ends_with('Z'), "no event of ours");
    ensure!(!line.contains(|c: char| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c)), "control characters");
    Ok(())
}

/// Nothing that a sender writes chooses where it lands: no header, no field, no name of a source.
pub(super) async fn no_traffic_chooses_a_topic_or_a_file(bed: &Bed) -> Result<()> {
    const ELSEWHERE: &str = "chosen-by-traffic";
    let scratch = Scratch::new("elsewhere")?;
    let file = scratch.file("exchanges.jsonl");
    let to_file = Collector::builder().file(&file).start().await?;
    let (to_topic, mut recordings) = alone(bed, "elsewhere", |collector| collector).await?;
    let places = [
        ELSEWHERE.to_owned(),
        format!("../{ELSEWHERE}"),
        format!("/tmp/{ELSEWHERE}"),
        format!("http://127.0.0.1:1/{ELSEWHERE}"),
    ];

    let mut posts = 0;
    for place in &places {
        for collector in [&to_file, &to_topic] {
            let mut line = exchange_to(place);
            line.push('\n');
            let mut post = Call::post(format!("/v1/exchanges?topic={ELSEWHERE}&file={ELSEWHERE}")).body(line);
            for name in [
                "topic",
                "x-topic",
                "x-tributary-topic",
                "x-tributary-file",
                "kafka-topic",
                "location",
                "forwarded",
                "x-forwarded-host",
                "x-original-url",
            ] {
                post = post.header(name, place.clone());
            }
            let reply = collector.call(&post.header("content-type", "application/x-ndjson")).await?;
            ensure!(reply.status == 200 && reply.json()?["accepted"] == 1, "{} {:?}", reply.status, reply.body);
        }
        posts += 1;
    }

    ensure!(recordings.read().await?.len() == posts, "not all of them are in the topic");
    ensure!(std::fs::read_to_string(&file)?.lines().count() == posts, "not all of them are in the file");
    let mut names = std::fs::read_dir(scratch.path())?
        .map(|entry| Ok(entry?.file_name().into_string().unwrap()))
        .collect::<Result<Vec<_>>>()?;
    names.retain(|name| !name.starts_with("exchanges.jsonl"));
    ensure!(names.is_empty(), "other files: {names:?}");
    ensure!(!std::path::Path::new(&places[2]).exists(), "a file elsewhere");
    let brokers = bed.kafka().await?.brokers().to_owned();
    let other = ReaderConfig { brokers, topic: ELSEWHERE.to_owned(), start: Start::Beginning, settings: Vec::new() };
    let opened = Reader::open(other).await.map(drop);
    ensure!(matches!(opened, Err(TopicError::TopicMissing { .. })), "a topic that traffic has chosen: {opened:?}");
    Ok(())
}

fn exchange_to(place: &str) -> String {
    json!({
        "topic": null,
        "request": {"method": "get", "host": place, "path": place, "headers": {"topic": place, "host": place}},
        "meta": {"id": place, "source": place, "seq": 0, "topic": place, "file": place, "cluster": place, "route": place},
    })
    .to_string()
    .replacen("\"topic\":null,", "", 1)
}
