//! `tributary send` and `tributary tail`, the programs, against the real Kafka.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tributary_testbed::{
    ports::Port,
    process::Scratch,
    recordings::{Line, Recordings},
    stack::Bed,
};

use crate::{
    harness::trials,
    program::{PATIENCE, ended, run, start, terminate},
};

pub(crate) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    trials!(bed, "cli":
        sent_lines_are_in_the_topic_byte_for_byte,
        bad_lines_are_named_and_the_good_ones_sent,
        send_and_tail_tell_by_their_exit_code_what_went_wrong,
        tail_prints_the_exchanges_for_people,
        tail_prints_lines_as_they_are_and_only_those_asked_for,
        tail_follows_the_topic,
        tail_waits_for_a_topic_that_is_not_there_yet,
        tail_ends_quietly_when_nobody_reads,
    )
}

async fn sent_lines_are_in_the_topic_byte_for_byte(bed: &Bed) -> Result<()> {
    let (brokers, topic) = fresh(bed, "sent").await?;
    let lines = [line(0, "get", "/users/1?a=b", 200), line(1, "post", "/users", 201), foreign().to_owned()];

    // Blank lines are passed over, the last line needs no end.
    let input = format!("{}\r\n\n{}\n  \n{}", lines[0], lines[1], lines[2]);
    let sent = run(&["send", "-", "--brokers", &brokers, "--topic", &topic], &input).await?;

    ensure!(sent.status.code() == Some(0), "{sent:?}");
    let told = String::from_utf8(sent.stdout)?;
    let bytes: usize = lines.iter().map(String::len).sum();
    let expected = format!("3 delivered to {topic} at {brokers}, 0 not delivered, 2 blank; ");
    ensure!(
        told.starts_with(&expected) && told.lines().count() == 1,
        "{told:?} instead of {expected:?} ({bytes} bytes)"
    );
    ensure!(sent.stderr.is_empty(), "{}", String::from_utf8_lossy(&sent.stderr));
    let recorded = recorded(&brokers, &topic).await?;
    ensure!(texts(&recorded)? == sorted(&lines), "{recorded:?}");
    let ours = recorded.iter().find(|line| line.key.is_some()).context("no record has a key")?;
    let headers = [ours.header("source"), ours.header("content-type")];
    ensure!(headers == [Some("cafe"), Some("application/json")], "{:?}", ours.headers);
    Ok(())
}

async fn bad_lines_are_named_and_the_good_ones_sent(bed: &Bed) -> Result<()> {
    let (brokers, topic) = fresh(bed, "bad").await?;
    let (scratch, good) = (Scratch::new("cli")?, [line(0, "get", "/a", 200), line(1, "get", "/b", 404)]);
    let file = scratch.file("recordings.jsonl");
    let name = file.to_string_lossy();
    let long = format!("{{\"request\":{{\"body\":\"{}\"", "x".repeat(33 * 1024 * 1024));
    std::fs::write(&file, format!("{}\n{{\"request\":\n\n[]\n{}\n{long}\n", good[0], good[1]))?;

    let sent = run(&["send", &name, "--brokers", &brokers, "--topic", &topic], "").await?;

    ensure!(sent.status.code() == Some(1), "{:?}", sent.status);
    let told = String::from_utf8(sent.stderr)?;
    let expected = [
        format!("tributary: {name}:2: not JSON: EOF while parsing a value at column 11"),
        format!("tributary: {name}:4: exchange: invalid type: sequence, expected an object"),
        format!("tributary: {name}:6: line of {} bytes; at most 33554432 are allowed", long.len()),
    ];
    ensure!(told.lines().eq(expected.iter().map(String::as_str)), "{told}\ninstead of\n{}", expected.join("\n"));
    let sum = String::from_utf8(sent.stdout)?;
    ensure!(sum.starts_with(&format!("2 delivered to {topic} at {brokers}, 3 not delivered, 1 blank; ")), "{sum}");
    ensure!(texts(&recorded(&brokers, &topic).await?)? == sorted(&good), "not the good lines and nothing else");
    Ok(())
}

async fn send_and_tail_tell_by_their_exit_code_what_went_wrong(_: &Bed) -> Result<()> {
    let nobody = Port::tcp()?.address().to_string();
    let nowhere = ["--brokers", &nobody];
    let cases: [(&[&str], i32, &str); 6] = [
        (&["send", "no-such-file.jsonl"], 66, "cannot open no-such-file.jsonl"),
        (&["send", "-", "--give-up-after", "soon"], 64, "it must be a duration from 1s to 1h, like 30s or 5m"),
        (&["send", "-", "--give-up-after", "1s"], 69, &nobody),
        (&["tail", "--until-end"], 64, "--until-end needs --from-beginning"),
        (&["tail", "--status", "20x"], 64, "it must be a status (200), a class (4xx), a range (500-599), or none"),
        (&["tail", "--from-beginning", "--until-end"], 69, &nobody),
    ];

    let runs = cases.map(|(arguments, ..)| async move { run(&[arguments, &nowhere].concat(), "").await });
    for ((arguments, code, words), ended) in cases.into_iter().zip(futures_util::future::join_all(runs).await) {
        let ended = ended?;
        let told = String::from_utf8_lossy(&ended.stderr);
        ensure!(ended.status.code() == Some(code), "{arguments:?}: {} instead of {code}: {told}", ended.status);
        ensure!(told.contains(words), "{arguments:?}: {told}");
        ensure!(ended.stdout.is_empty(), "{arguments:?} wrote to standard output");
    }
    Ok(())
}

async fn tail_prints_the_exchanges_for_people(bed: &Bed) -> Result<()> {
    let (brokers, topic) = fresh(bed, "human").await?;
    let escape = line(3, "get", "/escape/\u{1b}[31m", 200);
    let aborted = json!({
        "request": {"timestamp": "2026-01-01T00:00:04.000Z", "method": "delete", "host": "shop.example", "path": "/slow"},
        "meta": {"id": "cafe-4", "source": "cafe", "seq": 4, "durationMs": 12_345, "responseFlags": "DC"},
    });
    let lines = [line(0, "get", "/users/1?a=b", 200), line(1, "post", "/users", 404), escape, aborted.to_string()];
    send_in_order(&brokers, &topic, &lines).await?;

    let arguments = ["tail", "--from-beginning", "--until-end", "--brokers", &brokers, "--topic", &topic];
    let printed = run(&arguments, "").await?;

    ensure!(printed.status.code() == Some(0) && printed.stderr.is_empty(), "{printed:?}");
    let expected = "\
2026-01-01T00:00:00.000Z GET     200       12ms      7B      2B shop.example/users/1?a=b
2026-01-01T00:00:01.000Z POST    404       12ms      7B      2B shop.example/users
2026-01-01T00:00:03.000Z GET     200       12ms      7B      2B shop.example/escape/\\x1b[31m
2026-01-01T00:00:04.000Z DELETE  ---      12.3s       -       - shop.example/slow [no response] [DC]
";
    let printed = String::from_utf8(printed.stdout)?;
    ensure!(printed == expected, "{printed}\ninstead of\n{expected}");
    let coloured = run(&[&arguments[..], &["--color", "always"]].concat(), "").await?;
    let coloured = String::from_utf8(coloured.stdout)?;
    ensure!(coloured.contains("\u{1b}[32m200") && coloured.contains("\u{1b}[33m404"), "{coloured:?}");
    ensure!(!coloured.contains("\u{1b}[31m"), "the traffic has coloured the terminal: {coloured:?}");
    Ok(())
}

async fn tail_prints_lines_as_they_are_and_only_those_asked_for(bed: &Bed) -> Result<()> {
    let (brokers, topic) = fresh(bed, "filtered").await?;
    let lines = [
        line(0, "get", "/users/1?a=b", 200),
        line(1, "post", "/users", 404),
        line(2, "post", "/users/2/posts", 503),
        line(3, "get", "/users2", 200),
        foreign().to_owned(),
    ];
    send_in_order(&brokers, &topic, &lines).await?;

    let cases: [(&[&str], &[usize]); 7] = [
        (&[], &[0, 1, 2, 3, 4]),
        (&["--method", "POST"], &[1, 2]),
        (&["--status", "4xx,500-599"], &[1, 2]),
        (&["--status", "none"], &[4]),
        (&["--path", "/users"], &[0, 1, 2]),
        (&["--path", "/users/*/posts", "--path", "/users2"], &[2, 3]),
        (&["--method", "get", "--path", "/users", "--count", "1"], &[0]),
    ];
    for (filters, expected) in cases {
        let arguments = ["tail", "--json", "--from-beginning", "--until-end", "--brokers", &brokers, "--topic", &topic];
        let printed = run(&[&arguments[..], filters].concat(), "").await?;
        ensure!(printed.status.code() == Some(0) && printed.stderr.is_empty(), "{filters:?}: {printed:?}");
        let expected: String = expected.iter().map(|index| format!("{}\n", lines[*index])).collect();
        let printed = String::from_utf8(printed.stdout)?;
        ensure!(printed == expected, "{filters:?}: {printed}\ninstead of\n{expected}");
    }
    Ok(())
}

/// Started at the end of the topic it prints what comes after, each once and in order, as soon as it is there, and ends
/// with 0 when it is told to.
async fn tail_follows_the_topic(bed: &Bed) -> Result<()> {
    let (brokers, topic) = fresh(bed, "followed").await?;
    send_in_order(&brokers, &topic, &[line(0, "get", "/before", 200)]).await?;
    let mut tail = start(&["tail", "--json", "--brokers", &brokers, "--topic", &topic])?;
    let mut printed = BufReader::new(tail.stdout.take().context("output")?).lines();

    // From which exchange on it sees them nobody can say from outside; from that one on, all.
    let mut sent = Vec::new();
    let mut seen = Vec::new();
    for number in 1..200 {
        let line = line(number, "get", &format!("/after/{number}"), 200);
        send_in_order(&brokers, &topic, std::slice::from_ref(&line)).await?;
        sent.push(line);
        while let Ok(line) = tokio::time::timeout(Duration::from_secs(2), printed.next_line()).await {
            seen.push(line?.context("tail has ended")?);
            if seen.last() == sent.last() {
                break;
            }
        }
        if seen.len() >= 3 {
            break;
        }
    }

    ensure!(seen.len() >= 3 && sent.ends_with(&seen), "sent {sent:?}\nseen {seen:?}");
    terminate(&tail)?;
    ensure!(ended(&mut tail).await?.code() == Some(0), "it does not end with 0 on SIGTERM");
    Ok(())
}

async fn tail_waits_for_a_topic_that_is_not_there_yet(bed: &Bed) -> Result<()> {
    let (brokers, topic) = fresh(bed, "awaited").await?;
    let mut tail = start(&["tail", "--json", "--count", "1", "--brokers", &brokers, "--topic", &topic])?;
    let mut told = BufReader::new(tail.stderr.take().context("errors")?).lines();
    let first = tokio::time::timeout(PATIENCE, told.next_line()).await??.context("no word")?;
    ensure!(first.contains(&topic) && first.ends_with("; waiting for it"), "{first}");

    let line = line(0, "get", "/first", 200);
    send_in_order(&brokers, &topic, std::slice::from_ref(&line)).await?;

    let output = tail.stdout.take().context("output")?;
    let printed = tokio::time::timeout(PATIENCE, BufReader::new(output).lines().next_line()).await??;
    ensure!(printed == Some(line), "{printed:?}");
    ensure!(ended(&mut tail).await?.code() == Some(0), "it does not end with 0 after --count");
    Ok(())
}

/// As in `tributary tail | head -1`: the reader goes, and tail goes too, without a word, though nothing comes any more.
async fn tail_ends_quietly_when_nobody_reads(bed: &Bed) -> Result<()> {
    let (brokers, topic) = fresh(bed, "closed").await?;
    send_in_order(&brokers, &topic, &[line(0, "get", "/only", 200)]).await?;
    let mut tail = start(&["tail", "--json", "--from-beginning", "--brokers", &brokers, "--topic", &topic])?;
    let mut printed = BufReader::new(tail.stdout.take().context("output")?).lines();
    ensure!(tokio::time::timeout(PATIENCE, printed.next_line()).await??.is_some(), "nothing printed");

    drop(printed);

    ensure!(ended(&mut tail).await?.code() == Some(0), "it does not end with 0");
    let mut told = String::new();
    let mut errors = tail.stderr.take().context("errors")?;
    tokio::io::AsyncReadExt::read_to_string(&mut errors, &mut told).await?;
    ensure!(told.is_empty(), "{told}");
    Ok(())
}

/// An exchange as the filter writes it, number `seq` of a source.
fn line(seq: u64, method: &str, path: &str, status: u16) -> String {
    let pathname = path.split('?').next();
    json!({
        "request": {
            "timestamp": format!("2026-01-01T00:00:{seq:02}.000Z"), "method": method, "protocol": "http",
            "host": "shop.example", "headers": {"accept": "*/*"}, "body": "request", "path": path,
            "pathname": pathname, "query": {},
        },
        "response": {
            "timestamp": format!("2026-01-01T00:00:{seq:02}.012Z"), "statusCode": status, "headers": {}, "body": "ok",
        },
        "meta": {"id": format!("cafe-{seq}"), "source": "cafe", "seq": seq, "durationMs": 12},
    })
    .to_string()
}

/// A line of another program, with spaces of its own and without our facts.
fn foreign() -> &'static str {
    r#"{ "request": {"method": "get", "host": "other.example", "path": "/foreign"} }"#
}

/// The shared Kafka's brokers, and a topic that is not there yet.
async fn fresh(bed: &Bed, name: &str) -> Result<(String, String)> {
    let topic = format!("cli-{name}-{}", uuid::Uuid::new_v4().simple());
    Ok((bed.kafka().await?.brokers().to_owned(), topic))
}

/// Sends lines into a topic of one partition, so that they stay in order.
async fn send_in_order(brokers: &str, topic: &str, lines: &[String]) -> Result<()> {
    let arguments = ["send", "-", "--brokers", brokers, "--topic", topic, "--partitions", "1"];
    let sent = run(&arguments, &lines.join("\n")).await?;
    ensure!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    Ok(())
}

async fn recorded(brokers: &str, topic: &str) -> Result<Vec<Line>> {
    Ok(Recordings::of_topic(brokers, topic).await?.read().await?.to_vec())
}

fn texts(lines: &[Line]) -> Result<Vec<String>> {
    let texts = lines.iter().map(|line| line.text().map(str::to_owned)).collect::<Result<Vec<String>>>()?;
    Ok(sorted(&texts))
}

fn sorted(lines: &[String]) -> Vec<String> {
    let mut lines = lines.to_vec();
    lines.sort();
    lines
}
