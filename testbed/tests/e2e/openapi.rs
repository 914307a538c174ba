//! `tributary openapi`, the program: files, folders and exit codes here, the topic in [`topic`] and [`checkpoint`],
//! the comparison in [`diff`].

mod checkpoint;
mod diff;
mod shop;
mod topic;

use std::{fs, path::Path, process::Output, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tributary_testbed::{
    message::Call,
    process::Scratch,
    stack::Bed,
    validators::{self, Document},
};

use crate::{harness::trials, program::run};

pub(crate) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    let here = trials!(bed, "openapi":
        calls_of_the_tutorial_give_its_two_paths,
        bad_line_is_named_by_its_number_counted_and_skipped,
        empty_input_gives_an_empty_document_and_says_so,
        yaml_says_the_same_as_json,
        replay_keeps_what_was_observed_as_examples,
        several_hosts_give_a_folder_with_a_document_for_each,
        base_is_extended_and_what_contradicts_it_is_told,
        what_cannot_be_used_is_told_with_what_is_allowed,
    );
    here.into_iter().chain(topic::trials(bed)).chain(checkpoint::trials(bed)).chain(diff::trials(bed)).collect()
}

async fn calls_of_the_tutorial_give_its_two_paths(bed: &Bed) -> Result<()> {
    let stack = bed.stack("openapi").await?.start().await?;
    let create = |body: &'static str| {
        Call::post("/users").authority("localhost:3000").header("content-type", "application/json").body(body)
    };
    let created = stack.call(&create(r#"{"name":"Kimmo","email":"kimmo@example.com"}"#)).await?;
    let id = created.json()?["id"].as_str().context("a created user has an id")?.to_owned();
    for path in [format!("/users/{id}"), "/users/00000000-0000-4000-8000-000000000000".to_owned()] {
        stack.call(&Call::get(path).authority("localhost:3000")).await?;
    }
    stack.call(&create(r#"{"email":"nobody@example.com"}"#)).await?;
    stack.lines(4).await?;

    let described = run(&["openapi", "--brokers", bed.kafka().await?.brokers(), "--topic", stack.topic()?], "").await?;

    let document = document(&described)?;
    let paths = document["paths"].as_object().context("paths")?;
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/users", "/users/{userId}"]);
    let (post, get) = (&paths["/users"]["post"], &paths["/users/{userId}"]["get"]);
    assert_eq!(statuses(post)?, ["200", "400"]);
    assert_eq!(statuses(get)?, ["200", "404"]);
    assert_eq!(post["operationId"], "createUser");
    assert_eq!(get["operationId"], "getUserById");
    let user = json!({"$ref": "#/components/schemas/User"});
    for operation in [post, get] {
        assert_eq!(operation["responses"]["200"]["content"]["application/json"]["schema"], user);
    }
    let properties = document["components"]["schemas"]["User"]["properties"].as_object().context("User")?;
    assert_eq!(properties.keys().collect::<Vec<_>>(), ["email", "id", "name"]);
    Ok(())
}

async fn bad_line_is_named_by_its_number_counted_and_skipped(_: &Bed) -> Result<()> {
    let (scratch, file) = recordings(&format!("{}\n\nno json\n{}\n", shop::line(0), shop::line(1)))?;

    let described = run(&["openapi", &file], "").await?;

    let told = String::from_utf8_lossy(&described.stderr).into_owned();
    let document = document(&described)?;
    assert_eq!(document["paths"].as_object().context("paths")?.len(), 1, "{document}");
    let lines: Vec<_> = told.lines().collect();
    assert!(lines[0].starts_with(&format!("tributary: {file}:3: not JSON: ")), "{told}");
    let sum = format!("tributary: {file}: 2 exchanges learnt from, 1 skipped because they are no exchanges");
    assert_eq!(lines[1], sum);
    drop(scratch);
    Ok(())
}

async fn empty_input_gives_an_empty_document_and_says_so(_: &Bed) -> Result<()> {
    let scratch = Scratch::new("openapi-empty")?;
    let mut documents = Vec::new();
    for (version, expected) in [("3.0", "3.0.3"), ("3.1", "3.1.0")] {
        let out = scratch.file(format!("{version}.json"));

        let described = run(&["openapi", "-", "--openapi", version, "--out", &out.to_string_lossy()], "\n").await?;

        ensure!(described.status.success() && described.stdout.is_empty(), "{described:?}");
        let told = String::from_utf8(described.stderr)?;
        assert!(told.contains("standard input: empty, so the document is empty too"), "{told}");
        let document: Value = serde_json::from_slice(&fs::read(&out)?)?;
        assert_eq!((&document["openapi"], &document["paths"]), (&json!(expected), &json!({})));
        documents.push(document);
    }
    must_be_valid(documents.iter().map(|document| ("empty", document)))
}

async fn yaml_says_the_same_as_json(_: &Bed) -> Result<()> {
    let (scratch, file) = recordings(&shop::lines(0..1000))?;
    let yaml = scratch.file("openapi.yaml");

    let as_json = document(&run(&["openapi", &file], "").await?)?;
    let written = run(&["openapi", &file, "--out", &yaml.to_string_lossy()], "").await?;

    ensure!(written.status.success(), "{written:?}");
    let text = fs::read_to_string(&yaml)?;
    assert!(text.starts_with("openapi: \"3.1.0\"\n"), "{text}");
    assert_eq!(serde_saphyr::from_str::<Value>(&text)?, as_json);
    Ok(())
}

async fn replay_keeps_what_was_observed_as_examples(_: &Bed) -> Result<()> {
    let (_scratch, file) = recordings(&shop::lines(0..1000))?;

    let schemas = document(&run(&["openapi", &file, "--openapi", "3.0"], "").await?)?;
    let replay = run(&["openapi", &file, "--openapi", "3.0", "--mode", "replay", "--no-evidence"], "").await?;
    let replay = document(&replay)?;

    let examples = |document: &Value| document.to_string().matches("\"examples\":").count();
    assert_eq!(examples(&schemas), 0);
    assert!(examples(&replay) >= shop::OPERATIONS / 2, "{} examples", examples(&replay));
    assert!(schemas.to_string().contains("x-tributary") && !replay.to_string().contains("x-tributary"));
    Ok(())
}

async fn several_hosts_give_a_folder_with_a_document_for_each(_: &Bed) -> Result<()> {
    let hosts = ["shop.example", "users.example:8080", "../../etc/passwd"];
    // Each behind an Envoy of its own: otherwise they were the same exchanges again.
    let of_host = |(place, host): (usize, &&str)| {
        shop::lines(0..10).replace(shop::HOST, host).replace(shop::SOURCE, &format!("{place:032x}"))
    };
    let (scratch, file) = recordings(&hosts.iter().enumerate().map(of_host).collect::<String>())?;
    let (one, many) = (scratch.file("openapi.json"), scratch.file("specs"));

    let refused = run(&["openapi", &file, "--out", &one.to_string_lossy()], "").await?;
    let chosen = run(&["openapi", &file, "--out", &one.to_string_lossy(), "--host", "users.*"], "").await?;
    let all = run(&["openapi", &file, "--out", &many.to_string_lossy()], "").await?;

    assert_eq!(refused.status.code(), Some(64));
    let told = String::from_utf8(refused.stderr)?;
    assert!(told.contains("one document describes one host") && told.contains("users.example:8080"), "{told}");
    ensure!(chosen.status.success() && one.is_file(), "{chosen:?}");
    ensure!(all.status.success(), "{all:?}");
    let mut names = fs::read_dir(&many)?.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>>>()?;
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(
        names.contains(&"shop.example.json".into()) && names.contains(&"users.example_8080.json".into()),
        "{names:?}"
    );
    assert_eq!(fs::read_dir(scratch.path())?.count(), 3, "something was written outside of the folder");
    let documents = names.iter().map(|name| read(&many.join(name))).collect::<Result<Vec<_>>>()?;
    must_be_valid(documents.iter().chain([&read(&one)?]).map(|document| ("of a host", document)))
}

async fn base_is_extended_and_what_contradicts_it_is_told(_: &Bed) -> Result<()> {
    let (scratch, file) = recordings(&shop::lines(0..1000))?;
    let base = scratch.file("shop.yaml");
    fs::write(
        &base,
        "\
openapi: 3.1.0
info: {title: Written by hand, version: '7'}
paths:
  /billing/accounts:
    get:
      summary: All accounts
      responses:
        200: {description: Them, content: {application/json: {schema: {$ref: '#/components/schemas/Accounts'}}}}
components: {schemas: {Accounts: {type: string}}}
",
    )?;

    let described = run(&["openapi", &file, "--base", &base.to_string_lossy()], "").await?;

    let told = String::from_utf8_lossy(&described.stderr).into_owned();
    let document = document(&described)?;
    assert_eq!(document["info"], json!({"title": "Written by hand", "version": "7"}));
    let accounts = &document["paths"]["/billing/accounts"];
    assert_eq!(accounts["get"]["summary"], "All accounts");
    assert_eq!(document["components"]["schemas"]["Accounts"], json!({"type": "string"}));
    assert!(accounts["post"].is_object(), "not extended: {document}");
    assert!(told.contains("contradicts --base: "), "{told}");
    Ok(())
}

async fn what_cannot_be_used_is_told_with_what_is_allowed(_: &Bed) -> Result<()> {
    let (scratch, file) = recordings(&shop::line(0))?;
    let (bad, list) = (scratch.file("bad.json"), scratch.file("list.yaml"));
    fs::write(&bad, "{")?;
    fs::write(&list, "- a")?;
    let [bad, list] = [&bad, &list].map(|path| path.to_string_lossy().into_owned());
    let cases: [(&[&str], i32, &str); 14] = [
        (&["no-such.jsonl"], 66, "cannot open no-such.jsonl"),
        (&[&file, "--base", "no-such.yaml"], 66, "cannot read no-such.yaml"),
        (&[&file, "--base", &bad], 65, "bad.json is not JSON"),
        (&[&file, "--base", &list], 65, "list.yaml is no OpenAPI document"),
        (&[&bad], 65, "holds no exchange"),
        (&[&file, "--out", "a.txt"], 64, "a file that ends in .json, .yaml or .yml, or a folder"),
        (&[&file, "--follow"], 64, "--follow is for the topic"),
        (&[&file, "--checkpoint", "c"], 64, "--checkpoint is for the topic"),
        (&["--follow"], 64, "it needs --out"),
        (&["--since", "soon"], 64, "an age like 30m, 1h or 7d, or a time like 2026-01-31T12:00:00Z"),
        (&["--since", "1h", "--from-beginning"], 64, "only one can be given"),
        (&[&file, "--openapi", "2.0"], 64, "[possible values: 3.0, 3.1]"),
        (&[&file, "--mode", "mixed"], 64, "[possible values: gen, replay]"),
        (&[&file, "--host", "other"], 64, "--host other: there is traffic of shop.example only"),
    ];

    for (arguments, code, words) in cases {
        let ended = run(&[&["openapi"], arguments].concat(), "").await?;

        let told = String::from_utf8_lossy(&ended.stderr);
        ensure!(ended.status.code() == Some(code), "{arguments:?}: {} instead of {code}: {told}", ended.status);
        ensure!(told.contains(words), "{arguments:?}: {told}");
        ensure!(ended.stdout.is_empty(), "{arguments:?} wrote to standard output");
    }
    Ok(())
}

/// A file with these lines, and its name.
fn recordings(lines: &str) -> Result<(Scratch, String)> {
    let scratch = Scratch::new("openapi")?;
    let file = scratch.file("recordings.jsonl");
    fs::write(&file, lines)?;
    let name = file.to_string_lossy().into_owned();
    Ok((scratch, name))
}

/// The document on standard output of a program that has ended well; both validators find it valid.
fn document(described: &Output) -> Result<Value> {
    let told = String::from_utf8_lossy(&described.stderr);
    ensure!(described.status.success(), "{}: {told}", described.status);
    let document = serde_json::from_slice(&described.stdout).with_context(|| format!("no JSON; {told}"))?;
    must_be_valid([("standard output", &document)])?;
    Ok(document)
}

fn must_be_valid<'a>(documents: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Result<()> {
    let documents = documents.into_iter();
    let documents = documents.map(|(name, content)| Document { name: name.to_owned(), content: content.clone() });
    validators::check(&documents.collect::<Vec<_>>())
}

fn statuses(operation: &Value) -> Result<Vec<&str>> {
    Ok(operation["responses"].as_object().context("responses")?.keys().map(String::as_str).collect())
}

/// How many operations a document has.
fn operations(document: &Value) -> usize {
    let items = document["paths"].as_object().into_iter().flat_map(|paths| paths.values());
    let methods = ["get", "post", "put", "delete"];
    items.map(|item| methods.iter().filter(|method| item.get(**method).is_some()).count()).sum()
}

/// How often its operations were seen, in all.
fn exchanges(document: &Value) -> u64 {
    let items = document["paths"].as_object().into_iter().flat_map(|paths| paths.values());
    let operations = items.filter_map(Value::as_object).flat_map(|item| item.values());
    operations.filter_map(|operation| operation["x-tributary"]["count"].as_u64()).sum()
}

fn read(path: &Path) -> Result<Value> {
    let text = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not whole", path.display()))
}
