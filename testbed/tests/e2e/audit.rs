//! `tributary audit` and `tail --dedupe`, the programs, on what real Envoys and collectors have recorded.

use std::{collections::BTreeSet, process::Stdio, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, process::Command};
use tributary_testbed::{
    oracle::{Ledger, Load, Mint, judge},
    process::Scratch,
    recordings::Line,
    stack::{Bed, Stack, StackBuilder},
};
use xtask::parts;

use crate::harness::trials;

/// For a program, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

const EXCHANGES: u64 = 300;

pub(crate) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    trials!(bed, "audit":
        whole_topic_is_complete_and_a_withheld_record_is_not,
        drops_of_the_filter_are_explained,
        whole_file_is_complete_and_a_cut_one_is_not,
        dedupe_gives_each_exchange_once_of_a_run_with_many_repeats,
        audit_tells_by_its_exit_code_what_went_wrong,
    )
}

/// A clean run has nothing absent. The same records without two of them, with the same accounts, are incomplete; the
/// numbers are named, and a program can tell by the exit code.
async fn whole_topic_is_complete_and_a_withheld_record_is_not(bed: &Bed) -> Result<()> {
    let (stack, ledger) = run_load(bed.stack("audited").await?, "audited").await?;
    let evidence = stack.evidence_of(&ledger).await?;
    judge(&ledger, &evidence).exactly_once()?;
    let (brokers, topic) = (bed.kafka().await?.brokers().to_owned(), stack.topic()?.to_owned());

    let (code, verdict) = audit(&["--brokers", &brokers, "--topic", &topic]).await?;
    ensure!(code == 0 && verdict["explained"] == true, "{code}: {verdict}");
    let counts = ["distinct", "repeats", "explainedGaps", "unexplainedGaps", "notExchanges", "notAccounts"];
    ensure!(numbers(&verdict, &counts) == [EXCHANGES, 0, 0, 0, 0, 0], "{verdict}");

    let (withheld, kept): (Vec<&Line>, Vec<&Line>) =
        evidence.lines.iter().partition(|line| matches!(seq(line), Some(3 | 7)));
    ensure!(withheld.len() >= 2, "{} lines to withhold", withheld.len());
    let copy = format!("{topic}-copy");
    let texts: String = kept.iter().map(|line| String::from_utf8_lossy(&line.bytes) + "\n").collect();
    let sent = run(&["send", "-", "--brokers", &brokers, "--topic", &copy], &texts).await?;
    ensure!(sent.0 == 0, "{sent:?}");
    let accounts = format!("{topic}.accounts");
    let arguments = ["--brokers", &brokers, "--topic", &copy, "--accounts-topic", &accounts];
    let (code, verdict) = audit(&arguments).await?;
    ensure!(code == 1 && verdict["explained"] == false, "{code}: {verdict}");
    ensure!(numbers(&verdict, &["unexplainedGaps"]) == [withheld.len() as u64], "{verdict}");
    let lost = verdict.pointer("/sources/0/lost").cloned().unwrap_or_default();
    ensure!(lost == json!([[3, 3], [7, 7]]), "{verdict}");

    let (code, told, _) = run(&[&["audit"], &arguments[..]].concat(), "").await?;
    ensure!(code == 1 && told.lines().last().is_some_and(|line| line.starts_with("INCOMPLETE: ")), "{code}: {told}");
    Ok(())
}

/// The memory of the filter is full for a while: what it drops it counts, and the audit needs nobody else to know.
async fn drops_of_the_filter_are_explained(bed: &Bed) -> Result<()> {
    let settings = json!({"max_memory_bytes": 131_072, "max_batch_bytes": 16_384, "retry_max_ms": 400});
    let mint = Mint::new("dropped");
    let made = mint.clone();
    let builder = bed.stack("audit-drops").await?.filter(settings);
    let mut stack = builder.origin(move |asked| made.answer(asked)).await?.start().await?;
    ensure!(stack.collector.terminate(PATIENCE).await?.success(), "the collector does not end in good order");
    let ledger = Load::start(&mint, stack.envoy.address(), 4, EXCHANGES).finish().await?;
    stack.collector.start_again().await?;
    let evidence = stack.evidence_of(&ledger).await?;
    judge(&ledger, &evidence).nothing_unexplained()?;
    let dropped = evidence.filter.get("dropped_budget").copied().unwrap_or(0);
    ensure!(dropped > 0, "nothing was dropped");

    let (brokers, topic) = (bed.kafka().await?.brokers().to_owned(), stack.topic()?.to_owned());
    let (code, verdict) = audit(&["--brokers", &brokers, "--topic", &topic]).await?;

    ensure!(code == 0, "{code}: {verdict}");
    ensure!(numbers(&verdict, &["explainedGaps", "unexplainedGaps"]) == [dropped, 0], "{dropped} of {verdict}");
    let by_reason = verdict.pointer("/sources/0/dropped/budget").and_then(Value::as_u64);
    ensure!(by_reason == Some(dropped), "{dropped} of {verdict}");
    Ok(())
}

/// The file of a collector, with the accounts beside it: complete; without one line: not.
async fn whole_file_is_complete_and_a_cut_one_is_not(_: &Bed) -> Result<()> {
    let (stack, ledger) = run_load(Stack::on_file("audit-file"), "filed").await?;
    let evidence = stack.evidence_of(&ledger).await?;
    judge(&ledger, &evidence).exactly_once()?;
    let scratch = Scratch::new("audit-file")?;
    let file = scratch.file("exchanges.jsonl");
    let write = |lines: &[Line]| {
        let texts: Vec<u8> = lines.iter().flat_map(|line| [line.bytes.as_slice(), b"\n"].concat()).collect();
        std::fs::write(&file, texts).context("write the file")
    };
    let accounts: Vec<u8> = evidence.accounts.values().flat_map(|account| account.to_line()).collect();
    std::fs::write(scratch.file("exchanges.jsonl.accounts"), accounts)?;
    let name = file.to_string_lossy().into_owned();

    write(&evidence.lines)?;
    let (code, verdict) = audit(&[&name]).await?;
    ensure!(code == 0 && numbers(&verdict, &["distinct", "explainedGaps"]) == [EXCHANGES, 0], "{code}: {verdict}");

    // The last line leaves no gap behind it; only the account knows.
    write(evidence.lines.split_last().context("no line")?.1)?;
    let (code, verdict) = audit(&[&name]).await?;
    ensure!(code == 1 && numbers(&verdict, &["unexplainedGaps"]) == [1], "{code}: {verdict}");
    Ok(())
}

/// The reference consumer: a topic in which more than a hundred exchanges lie twice or more gives each exactly once.
async fn dedupe_gives_each_exchange_once_of_a_run_with_many_repeats(bed: &Bed) -> Result<()> {
    let (stack, ledger) = run_load(bed.stack("repeated").await?, "repeated").await?;
    let lines = stack.evidence_of(&ledger).await?.lines;
    let texts =
        |lines: &[Line]| -> String { lines.iter().map(|line| String::from_utf8_lossy(&line.bytes) + "\n").collect() };
    // As after retries whose answer got lost: whole posts come again, one of them twice.
    for part in [&lines[..100], &lines[50..120], &lines[50..120]] {
        let reply = stack.collector.post(texts(part)).await?;
        ensure!(reply.status == 200, "{}", reply.status);
    }
    let repeats = 100 + 70 + 70;
    let all = stack.lines(lines.len() + repeats).await?;
    ensure!(all.len() == lines.len() + repeats, "{} lines", all.len());

    let (brokers, topic) = (bed.kafka().await?.brokers().to_owned(), stack.topic()?.to_owned());
    let kafka = ["--brokers", &brokers, "--topic", &topic];
    let tail = ["tail", "--json", "--dedupe", "--from-beginning", "--until-end"];
    let (code, printed, told) = run(&[&tail[..], &kafka].concat(), "").await?;

    ensure!(code == 0 && told.contains(&format!("repeated exchanges dropped: {repeats}")), "{code}: {told}");
    let distinct: BTreeSet<&str> = printed.lines().collect();
    ensure!(printed.lines().count() == lines.len(), "{} lines printed", printed.lines().count());
    let made = lines.iter().map(Line::text).collect::<Result<BTreeSet<&str>>>()?;
    ensure!(distinct == made, "not the distinct exchanges");
    let (code, verdict) = audit(&kafka).await?;
    ensure!(code == 0, "{code}: {verdict}");
    let counts = numbers(&verdict, &["distinct", "repeats", "unexplainedGaps"]);
    ensure!(counts == [lines.len() as u64, repeats as u64, 0], "{verdict}");
    Ok(())
}

async fn audit_tells_by_its_exit_code_what_went_wrong(bed: &Bed) -> Result<()> {
    let brokers = bed.kafka().await?.brokers().to_owned();
    let cases: [(&[&str], i32, &str); 4] = [
        (&["audit", "no-such-file.jsonl"], 66, "open no-such-file.jsonl"),
        (&["audit", "--accounts", "x"], 64, "--accounts needs FILE"),
        (&["audit", "--settle-seconds", "601"], 64, "601"),
        (&["audit", "--brokers", &brokers, "--topic", "no-such-topic"], 69, "no-such-topic does not exist"),
    ];
    for (arguments, expected, words) in cases {
        let (code, out, told) = run(arguments, "").await?;
        ensure!(code == expected && told.contains(words) && out.is_empty(), "{arguments:?}: {code}: {out}{told}");
    }
    Ok(())
}

/// A stack that has recorded a run of exchanges.
async fn run_load(builder: StackBuilder, run: &str) -> Result<(Stack, Ledger)> {
    let mint = Mint::new(run);
    let made = mint.clone();
    let stack = builder.origin(move |asked| made.answer(asked)).await?.start().await?;
    let ledger = Load::start(&mint, stack.envoy.address(), 4, EXCHANGES).finish().await?;
    Ok((stack, ledger))
}

fn seq(line: &Line) -> Option<u64> {
    line.json().ok()?.pointer("/meta/seq")?.as_u64()
}

fn numbers(verdict: &Value, names: &[&str]) -> Vec<u64> {
    names.iter().filter_map(|name| verdict[name].as_u64()).collect()
}

/// The exit code of an audit, and its verdict.
async fn audit(arguments: &[&str]) -> Result<(i32, Value)> {
    let (code, out, told) = run(&[&["audit", "--json"], arguments].concat(), "").await?;
    Ok((code, serde_json::from_str(&out).with_context(|| format!("{code}: {out}{told}"))?))
}

/// Exit code, output and errors of the program, run to its end with this text as its standard input.
async fn run(arguments: &[&str], input: &str) -> Result<(i32, String, String)> {
    let mut child = Command::new(parts::binary("tributary"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("start tributary (cargo xtask builds it)")?;
    let mut stdin = child.stdin.take().context("input")?;
    let text = input.to_owned();
    let writing = tokio::spawn(async move { stdin.write_all(text.as_bytes()).await });
    let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.context("it did not end")??;
    writing.abort();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok((ended.status.code().context("killed")?, text(ended.stdout), text(ended.stderr)))
}
