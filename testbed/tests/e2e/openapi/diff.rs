//! `tributary openapi diff`, the program: what it reads and writes, what it warns of, and how it ends.

use std::{fs, process::Output, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tributary_testbed::{process::Scratch, stack::Bed};

use super::{recordings, shop, topic};
use crate::{harness::trials, program::run};

/// Exchanges that touch each operation twice.
const COUNT: u64 = 1_000;

pub(super) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    trials!(bed, "openapi::diff":
        drift_is_told_alike_as_text_json_and_sarif,
        traffic_that_is_as_documented_ends_with_0_in_json_and_yaml,
        topic_is_compared_from_all_its_partitions,
        nothing_compared_is_not_taken_for_no_drift,
        what_cannot_be_compared_is_told_with_its_exit_code,
    )
}

/// A description of the shop, written as JSON and as YAML, and the traffic that it was made from.
struct Shop {
    scratch: Scratch,
    file: String,
    json: String,
    yaml: String,
}

impl Shop {
    async fn described() -> Result<Shop> {
        let (scratch, file) = recordings(&shop::lines(0..COUNT))?;
        let [json, yaml] = ["shop.json", "shop.yaml"].map(|name| scratch.file(name).to_string_lossy().into_owned());
        for out in [&json, &yaml] {
            let described = run(&["openapi", &file, "--out", out], "").await?;
            ensure!(described.status.success(), "{described:?}");
        }
        Ok(Shop { scratch, file, json, yaml })
    }

    /// Changes the document in JSON so that three things disagree: a path is not there, a method neither, and a
    /// property has another type.
    fn spoil(&self) -> Result<()> {
        let mut document: Value = serde_json::from_slice(&fs::read(&self.json)?)?;
        let paths = document["paths"].as_object_mut().context("paths")?;
        paths.remove("/billing/accounts").context("the path is there")?;
        let item = paths["/catalog/orders"].as_object_mut().context("the item")?;
        item.remove("post").context("the method is there")?;
        let content = &mut item["get"]["responses"]["200"]["content"]["application/json"];
        content["schema"] =
            json!({"type": "object", "properties": {"items": {"type": "array"}, "total": {"type": "string"}}});
        fs::write(&self.json, document.to_string())?;
        Ok(())
    }
}

/// Kind and operation of the findings of the spoilt document, in their order.
const FINDINGS: [(&str, &str); 4] = [
    ("undocumented-path", "GET /billing/accounts"),
    ("undocumented-path", "POST /billing/accounts"),
    ("wrong-type", "GET /catalog/orders"),
    ("undocumented-method", "POST /catalog/orders"),
];

async fn drift_is_told_alike_as_text_json_and_sarif(_: &Bed) -> Result<()> {
    let shop = Shop::described().await?;
    shop.spoil()?;
    let out = shop.scratch.file("drift.sarif");

    let text = run(&["openapi", "diff", &shop.json, &shop.file], "").await?;
    let json = run(&["openapi", "diff", &shop.json, "-", "--format", "json"], &shop::lines(0..COUNT)).await?;
    let to_file = ["--format", "sarif", "--out", &out.to_string_lossy()];
    let sarif = run(&[&["openapi", "diff", &shop.json, &shop.file], &to_file[..]].concat(), "").await?;

    for ended in [&text, &json, &sarif] {
        ensure!(ended.status.code() == Some(1) && ended.stderr.is_empty(), "{ended:?}");
    }
    assert!(sarif.stdout.is_empty());
    let json: Value = serde_json::from_slice(&json.stdout)?;
    assert_eq!(found(&json)?, FINDINGS.map(|(kind, operation)| (kind.to_owned(), operation.to_owned())));
    let text = String::from_utf8(text.stdout)?;
    let sarif: Value = serde_json::from_slice(&fs::read(out)?)?;
    assert_eq!(sarif["version"], "2.1.0");
    let results = sarif["runs"][0]["results"].as_array().context("results")?;
    let findings = json["findings"].as_array().context("findings")?;
    assert_eq!(results.len(), findings.len());
    for (finding, result) in findings.iter().zip(results) {
        let [kind, operation, message, example] =
            ["kind", "operation", "message", "example"].map(|name| finding[name].as_str().unwrap_or_default());
        assert!(example.starts_with(shop::SOURCE), "{finding}");
        assert!(text.contains(&format!("{operation}\n")), "{operation}: {text}");
        let line = text.lines().find(|line| line.trim().starts_with(kind) && line.contains(example));
        assert!(line.is_some_and(|line| line.contains(message)), "{finding}: {text}");
        assert_eq!((&result["ruleId"], &result["properties"]["example"]), (&json!(kind), &json!(example)));
        assert!(result["message"]["text"].as_str().is_some_and(|text| text.starts_with(operation)), "{result}");
    }
    Ok(())
}

async fn traffic_that_is_as_documented_ends_with_0_in_json_and_yaml(_: &Bed) -> Result<()> {
    let shop = Shop::described().await?;

    for spec in [&shop.json, &shop.yaml] {
        let ended = run(&["openapi", "diff", spec, &shop.file, "--host", shop::HOST], "").await?;

        ensure!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
        let expected = format!("{COUNT} exchanges compared: no drift; {0} of {0} operations seen.\n", shop::OPERATIONS);
        assert_eq!(String::from_utf8(ended.stdout)?, expected, "{spec}");
    }
    Ok(())
}

async fn topic_is_compared_from_all_its_partitions(bed: &Bed) -> Result<()> {
    let shop = Shop::described().await?;
    let at = topic::fresh(bed, "diff").await?;
    at.send(&shop::lines(0..COUNT), &[]).await?;
    let arguments =
        |spec| ["openapi", "diff", spec, "--brokers", &at.brokers, "--topic", &at.topic, "--format", "json"];

    let agrees = run(&arguments(&shop.yaml), "").await?;
    shop.spoil()?;
    let drifts = run(&arguments(&shop.json), "").await?;

    ensure!(agrees.status.success(), "{agrees:?}");
    let agrees: Value = serde_json::from_slice(&agrees.stdout)?;
    assert_eq!((&agrees["drift"], &agrees["compared"]), (&json!(false), &json!(COUNT)));
    ensure!(drifts.status.code() == Some(1), "{drifts:?}");
    let drifts: Value = serde_json::from_slice(&drifts.stdout)?;
    assert_eq!(found(&drifts)?, FINDINGS.map(|(kind, operation)| (kind.to_owned(), operation.to_owned())));
    assert_eq!(drifts["compared"], json!(COUNT));
    Ok(())
}

async fn nothing_compared_is_not_taken_for_no_drift(_: &Bed) -> Result<()> {
    let shop = Shop::described().await?;
    let local = shop::line(0).replace("\"durationMs\"", "\"codeDetails\":\"route_not_found\",\"durationMs\"");

    let other = run(&["openapi", "diff", &shop.json, &shop.file, "--host", "shop.exmaple"], "").await?;
    let empty = run(&["openapi", "diff", &shop.json, "-"], "").await?;
    let local = run(&["openapi", "diff", &shop.json, "-"], &local).await?;

    assert_eq!((other.status.code(), other.stdout.is_empty()), (Some(64), true));
    assert!(told(&other).contains("--host shop.exmaple: there is traffic of shop.example only"), "{}", told(&other));
    let cases = [
        (&empty, "warning: standard input: no exchange, so nothing was compared"),
        (
            &local,
            "warning: standard input: 1 exchange, which tells nothing about the interface, so nothing was compared",
        ),
    ];
    for (ended, words) in cases {
        assert_eq!(ended.status.code(), Some(0));
        assert!(told(ended).contains(words), "{}", told(ended));
        let text = String::from_utf8_lossy(&ended.stdout);
        assert!(text.starts_with("0 exchanges compared: nothing can be said;"), "{text}");
    }
    Ok(())
}

async fn what_cannot_be_compared_is_told_with_its_exit_code(_: &Bed) -> Result<()> {
    let (scratch, file) = recordings(&shop::line(0))?;
    let specs = [
        ("bad.json", "{"),
        ("list.yaml", "- a"),
        ("old.yaml", "swagger: '2.0'"),
        ("outside.yaml", "{openapi: 3.1.0, paths: {/a: {$ref: 'b.yaml#/a'}}}"),
        ("good.yaml", "{openapi: 3.1.0, paths: {}}"),
    ];
    for (name, text) in specs {
        fs::write(scratch.file(name), text)?;
    }
    let [bad, list, old, outside, good] = specs.map(|(name, _)| scratch.file(name).to_string_lossy().into_owned());
    let nowhere = scratch.file("no-such-folder/drift.json").to_string_lossy().into_owned();
    let cases: [(&[&str], i32, &str); 10] = [
        (&[], 64, "<SPEC>"),
        (&["no-such.yaml", &file], 66, "cannot read no-such.yaml"),
        (&[&bad, &file], 65, "bad.json is not JSON"),
        (&[&list, &file], 65, "list.yaml is no OpenAPI document"),
        (&[&old, &file], 65, "swagger is \"2.0\": convert it to OpenAPI 3 first"),
        (&[&outside, &file], 65, "leads out of the document"),
        (&[&good, "no-such.jsonl"], 66, "cannot open no-such.jsonl"),
        (&[&good, &good], 65, "holds no exchange"),
        (&[&good, &file, "--since", "1h"], 64, "--since is for the topic"),
        (&[&good, &file, "--out", &nowhere], 74, "cannot write"),
    ];

    for (arguments, code, words) in cases {
        let ended = run(&[&["openapi", "diff"], arguments].concat(), "").await?;

        ensure!(
            ended.status.code() == Some(code),
            "{arguments:?}: {} instead of {code}: {}",
            ended.status,
            told(&ended)
        );
        ensure!(told(&ended).contains(words), "{arguments:?}: {}", told(&ended));
        ensure!(ended.stdout.is_empty(), "{arguments:?} wrote to standard output");
    }
    Ok(())
}

/// Kind and operation of each finding.
fn found(drift: &Value) -> Result<Vec<(String, String)>> {
    assert_eq!(drift["drift"], json!(true));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = drift["findings"].as_array().context("findings")?;
    Ok(findings.iter().map(|finding| (text(&finding["kind"]), text(&finding["operation"]))).collect())
}

fn told(ended: &Output) -> String {
    String::from_utf8_lossy(&ended.stderr).into_owned()
}
