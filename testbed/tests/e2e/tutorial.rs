//! The calls of the original tutorial, and the lines that its console consumer shows.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use libtest_mimic::Trial;
use serde_json::{Map, Value};
use tributary_testbed::{
    message::{Call, Reply},
    recordings::Line,
    stack::{Bed, Stack},
};

use crate::harness::trials;

/// What the tutorial shows: `POST /users` and `GET /users/:id`.
const TUTORIAL: &str = include_str!("../../testdata/tutorial-lines.jsonl");

/// Where the tutorial's calls go.
const HOST: &str = "localhost:3000";

/// The user that the tutorial creates.
const KIMMO: &str = r#"{"name":"Kimmo","email":"kimmo@example.com"}"#;

/// Headers that Envoy adds on the way, and those that are the Express app's and not ours.
const NOT_COMPARED: [&str; 10] = [
    "content-length",
    "date",
    "etag",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-upstream-service-time",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-powered-by",
    "x-request-id",
];

pub(crate) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    trials!(bed, "tutorial":
        create_and_get_have_the_keys_and_values_of_the_tutorial,
        refused_and_unknown_users_are_recorded_too,
        record_carries_the_identity_as_key_and_headers,
    )
}

async fn create_and_get_have_the_keys_and_values_of_the_tutorial(bed: &Bed) -> Result<()> {
    let stack = bed.stack("tutorial").await?.start().await?;

    let created = stack.call(&create(KIMMO)).await?;
    let id = id_of(&created)?;
    let read = stack.call(&get(&format!("/users/{id}"))).await?;

    assert_eq!((created.status, read.status), (200, 200));
    let lines = stack.lines(2).await?;
    for (path, shown) in ["/users".to_owned(), format!("/users/{id}")].iter().zip(TUTORIAL.lines()) {
        let line = of_path(&lines, path)?;
        assert_eq!(comparable_line(&line, &id)?, comparable_tutorial(shown)?, "{path}");
        has_our_own_facts(&line);
    }
    Ok(())
}

async fn refused_and_unknown_users_are_recorded_too(bed: &Bed) -> Result<()> {
    let stack = bed.stack("refused").await?.start().await?;
    let unknown = "/users/0549a790-fe19-4e1b-ae15-2ab99a2c91ad";

    let refused = stack.call(&create(r#"{"name":""}"#)).await?;
    let missing = stack.call(&get(unknown)).await?;

    assert_eq!((refused.status, missing.status), (400, 404));
    let line = stack.line_of("/users").await?;
    assert_eq!(line["response"]["statusCode"], 400);
    assert_eq!(line["request"]["body"], r#"{"name":""}"#);
    assert_eq!(line["response"]["body"], String::from_utf8(refused.body.to_vec())?);
    let line = stack.line_of(unknown).await?;
    assert_eq!(line["response"]["statusCode"], 404);
    assert_eq!(line["request"]["body"], "");
    Ok(())
}

async fn record_carries_the_identity_as_key_and_headers(bed: &Bed) -> Result<()> {
    let stack: Stack = bed.stack("record").await?.start().await?;

    stack.call(&create(KIMMO)).await?;

    let line = stack.lines(1).await?.remove(0);
    let meta = &line.json()?["meta"];
    assert_eq!(line.key.as_deref(), meta["id"].as_str().map(str::as_bytes));
    assert_eq!(line.header("source"), meta["source"].as_str());
    assert_eq!(line.header("seq").map(str::to_owned), meta["seq"].as_u64().map(|seq| seq.to_string()));
    assert!(line.header("content-type").is_some_and(|value| value.starts_with("application/")), "{:?}", line.headers);
    Ok(())
}

/// The tutorial's curl call that creates a user.
fn create(body: &'static str) -> Call {
    curl(Call::post("/users")).header("content-type", "application/json").body(body)
}

fn get(path: &str) -> Call {
    curl(Call::get(path))
}

fn curl(call: Call) -> Call {
    call.authority(HOST).header("user-agent", "curl/7.54.0").header("accept", "*/*")
}

fn id_of(created: &Reply) -> Result<String> {
    Ok(created.json()?["id"].as_str().context("a created user has an id")?.to_owned())
}

fn of_path(lines: &[Line], path: &str) -> Result<Value> {
    let values = lines.iter().map(Line::json).collect::<Result<Vec<_>>>()?;
    values.into_iter().find(|line| line["request"]["path"] == path).with_context(|| format!("no line of {path}"))
}

/// Our line as far as the tutorial's has it: without `meta` and times, with a fixed id.
fn comparable_line(line: &Value, id: &str) -> Result<Value> {
    let mut line: Value = serde_json::from_str(&line.to_string().replace(id, "ID"))?;
    object(&mut line)?.remove("meta");
    for message in ["request", "response"] {
        let time = object(&mut line[message])?.remove("timestamp");
        let time = time.with_context(|| format!("{message} has no timestamp"))?;
        let shape = time.as_str().context("timestamp")?.replace(|c: char| c.is_ascii_digit(), "0");
        assert_eq!(shape, "0000-00-00T00:00:00.000Z");
        forget_headers(&mut line[message])?;
    }
    Ok(line)
}

/// The tutorial's line with the differences that are intended (`testdata/README.md`): the host keeps its port, an
/// absent body is `""`.
fn comparable_tutorial(shown: &str) -> Result<Value> {
    let mut line: Value = serde_json::from_str(&shown.replace("0549a790-fe19-4e1b-ae15-2ab99a2c91ad", "ID"))?;
    object(&mut line["response"])?.remove("timestamp").context("timestamp")?;
    line["request"]["host"] = Value::from(HOST);
    if line["request"]["body"] == "{}" {
        line["request"]["body"] = Value::from("");
    }
    forget_headers(&mut line["request"])?;
    forget_headers(&mut line["response"])?;
    Ok(line)
}

fn forget_headers(message: &mut Value) -> Result<()> {
    object(&mut message["headers"])?.retain(|name, _| !NOT_COMPARED.contains(&name.as_str()));
    Ok(())
}

fn object(value: &mut Value) -> Result<&mut Map<String, Value>> {
    value.as_object_mut().context("no object")
}

/// What the tutorial's lines do not have and all of ours have.
fn has_our_own_facts(line: &Value) {
    let meta = &line["meta"];
    let source = meta["source"].as_str().unwrap();
    assert!(source.len() == 32 && source.bytes().all(|byte| byte.is_ascii_hexdigit()), "{meta}");
    assert_eq!(meta["id"], format!("{source}-{}", meta["seq"]));
    assert!(meta["durationMs"].is_u64(), "{meta}");
    assert_eq!(meta["httpVersion"], "HTTP/1.1");
    assert_eq!(meta["cluster"], "users");
    assert_eq!(meta["route"], "users");
    assert_eq!(meta["direction"], "inbound");
    assert!(meta["clientAddress"].as_str().unwrap().starts_with("127.0.0.1:"), "{meta}");
    assert!(meta["upstreamAddress"].as_str().unwrap().starts_with("127.0.0.1:"), "{meta}");
    assert_eq!(meta["codeDetails"], "via_upstream");
    let response = &meta["responseBody"];
    assert_eq!(response["bytes"], line["response"]["body"].as_str().unwrap().len());
    assert_eq!((&response["truncated"], &response["kept"]), (&Value::from(false), &response["bytes"]));
}
