//! Settings of redaction: what they may do, what they may not, and that it shows when they weaken it.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tributary_testbed::{
    canary::{Secret, forms},
    collector::Collector,
    message::Call,
    origin::Answer,
    process::Scratch,
    recordings::Recordings,
    stack::{Bed, DELIVERED_WITHIN, Stack},
    wait,
};

/// Names that no setting shows.
const SENSITIVE: &[&str] = &["authorization", "cookie", "x-acme-auth-token", "password", "accessToken", "API_KEY"];

/// Keys of tokens: 32 characters each.
const KEYS: [&str; 2] = ["the first key of this small test", "the other key of this small test"];

/// A collector that writes a file, alone.
struct Wall {
    collector: Collector,
    scratch: Scratch,
}

impl Wall {
    /// With these settings of redaction, and further arguments.
    async fn start(settings: &Value, key: Option<&str>, arguments: &[&str]) -> Result<Wall> {
        let scratch = Scratch::new("canary-switch")?;
        let path = |name: &str| scratch.file(name).to_string_lossy().into_owned();
        std::fs::write(scratch.file("redact.json"), settings.to_string())?;
        let config = path("redact.json");
        let mut builder = Collector::builder().file(&scratch.file("exchanges.jsonl"));
        builder = builder.args(&["--redact-config", &config]).args(arguments);
        if let Some(key) = key {
            std::fs::write(scratch.file("key"), format!("{key}\n"))?;
            builder = builder.args(&["--redact-key-file", &path("key")]);
        }
        let collector = builder.start().await?;
        collector.ready(DELIVERED_WITHIN).await?;
        Ok(Wall { collector, scratch })
    }

    /// What becomes of an exchange.
    async fn pass(&self, exchange: &Value) -> Result<Value> {
        let reply = self.collector.post(format!("{exchange}\n")).await?;
        ensure!(reply.status == 200, "{} {}", reply.status, String::from_utf8_lossy(&reply.body));
        let mut recordings = Recordings::of_file(self.scratch.file("exchanges.jsonl"));
        recordings.read().await?.last().context("no line")?.json()
    }
}

/// An exchange with this request body, and these headers beside its type.
fn exchange(headers: Value, query: &str, body: &str) -> Value {
    let mut all = json!({"content-type": "application/json"});
    if let (Value::Object(all), Value::Object(headers)) = (&mut all, headers) {
        all.extend(headers);
    }
    json!({
        "request": {
            "timestamp": "2026-01-01T00:00:00.000Z", "method": "post", "protocol": "http", "host": "shop.example",
            "headers": all, "body": body, "path": format!("/{query}"), "pathname": "/", "query": {},
        },
        "response": {"timestamp": "2026-01-01T00:00:00.012Z", "statusCode": 201, "headers": {}, "body": ""},
    })
}

pub(super) async fn allow_list_frees_harmless_names_and_never_sensitive_ones(_: &Bed) -> Result<()> {
    let freed = json!({"allow": ["state", "signature"]});
    let (state, signature, token) = ("s".repeat(20), "sig-0123456789", "t0123456789");
    let given = exchange(
        json!({"authorization": format!("Bearer {token}"), "x-signature": token}),
        &format!("?state={state}"),
        &json!({"signature": signature, "token": token}).to_string(),
    );

    let shown = Wall::start(&freed, None, &[]).await?.pass(&given).await?;
    let hidden = Wall::start(&json!({}), None, &[]).await?.pass(&given).await?;

    ensure!(shown["request"]["path"] == format!("/?state={state}"), "{shown}");
    let body = json!({"signature": signature, "token": "[redacted]"}).to_string();
    ensure!(shown["request"]["body"] == body, "{shown}");
    for line in [&shown, &hidden] {
        // In a header such a word is a credential whatever the list says.
        ensure!(line["request"]["headers"]["x-signature"] == "[redacted]", "{line}");
        ensure!(line["request"]["headers"]["authorization"] == "Bearer [redacted]", "{line}");
        ensure!(!line.to_string().contains(token), "{line}");
    }
    ensure!(!hidden.to_string().contains(&state) && !hidden.to_string().contains(signature), "{hidden}");
    for name in SENSITIVE {
        let refused = Wall::start(&json!({"allow": [name]}), None, &[]).await.err().context("the collector took it")?;
        let said = format!("{refused:#}");
        ensure!(said.contains("exit code 64") && said.contains("allow") && said.contains(name), "{name}: {said}");
    }
    let stack = Stack::on_file("allow").filter(json!({"redact": {"allow": ["x-acme-auth-token"]}}));
    let refused = stack.origin(|_| Answer::new(200)).await?.start().await.err().context("the filter took it")?;
    ensure!(format!("{refused:#}").contains("redact.allow: \"x-acme-auth-token\" is not allowed"), "{refused:#}");
    Ok(())
}

/// The same secret in any place and through either wall: one token under one key, so that joins work; and another under
/// another key, so that nobody else can join.
pub(super) async fn one_value_is_one_token_under_one_key(_: &Bed) -> Result<()> {
    let [secret, other] = ["one", "other"].map(|name| Secret::word(format!("token of {name}")).first(24).to_owned());
    let body = json!({"password": secret, "token": other}).to_string();
    let given = exchange(json!({"x-api-key": secret}), &format!("?access_token={}", forms::percent(&secret)), &body);
    let mut tokens = Vec::new();

    for key in KEYS {
        let line = Wall::start(&json!({}), Some(key), &[]).await?.pass(&given).await?;
        tokens.push(tokens_of(&line)?);
    }
    let stack = Stack::on_file("token").filter(json!({"redact": {"key_env": "KEY"}}));
    let stack = stack.envoy(|envoy| envoy.env("KEY", KEYS[0]).edit(|config| config.pass_filter_variable("KEY")));
    let stack = stack.origin(|_| Answer::new(200)).await?.start().await?;
    let call = Call::post(format!("/?access_token={secret}")).header("x-api-key", secret.clone());
    stack.call(&call.header("content-type", "application/json").body(body)).await?;
    tokens.push(tokens_of(&stack.lines(1).await?[0].json()?)?);

    for tokens in &tokens {
        ensure!(tokens[0].starts_with("tok_") && tokens[0].len() == "tok_".len() + 26, "{tokens:?}");
        ensure!(tokens[0] == tokens[1] && tokens[1] == tokens[2], "one secret has several tokens: {tokens:?}");
        ensure!(tokens[0] != tokens[3], "two secrets have one token: {tokens:?}");
    }
    let [first, second, filters] = tokens.as_slice() else { anyhow::bail!("{tokens:?}") };
    ensure!(first == filters, "the walls make different tokens: {first:?} {filters:?}");
    ensure!(first.iter().zip(second).all(|(first, second)| first != second), "two keys make one token");
    for key in ["short", ""] {
        let refused = Wall::start(&json!({}), Some(key), &[]).await.err().context("a short key was taken")?;
        ensure!(format!("{refused:#}").contains("exit code 64"), "{refused:#}");
    }
    Ok(())
}

/// The tokens of the secret in header, query and body, and of the other one.
fn tokens_of(line: &Value) -> Result<[String; 4]> {
    let text = |value: &Value| value.as_str().map(str::to_owned).with_context(|| line.to_string());
    let body: Value = serde_json::from_str(&text(&line["request"]["body"])?)?;
    let path = text(&line["request"]["path"])?;
    let in_query = path.split('=').nth(1).context("no query")?.to_owned();
    Ok([text(&line["request"]["headers"]["x-api-key"])?, in_query, text(&body["password"])?, text(&body["token"])?])
}

/// The second wall is off: what only it could mask is left out, and everybody can see that it is off.
pub(super) async fn filter_only_keeps_compressed_bodies_out_and_says_so(_: &Bed) -> Result<()> {
    let secret = Secret::word("behind one wall").first(24).to_owned();
    let packed = forms::gzip(json!({"password": secret}).to_string().as_bytes())?;
    let said = packed.clone();
    let origin = move |_: &_| Answer::new(200).header("content-encoding", "gzip").body(said.clone());
    let stack = Stack::on_file("filter-only").collector(|collector| collector.args(&["--redact", "filter-only"]));
    let stack = stack.origin(origin).await?.start().await?;

    let call = Call::post("/packed").header("content-type", "application/json").header("content-encoding", "gzip");
    stack.call(&call.body(packed)).await?;
    stack.call(&Call::post("/plain").header("content-type", "application/json").body(r#"{"a":1,"token":"x"}"#)).await?;

    let line = stack.line_of("/packed").await?;
    for (side, body) in [("request", "requestBody"), ("response", "responseBody")] {
        ensure!(line[side]["body"] == "" && line["meta"][body].get("base64").is_none(), "{line}");
        ensure!(line["meta"][body]["withheld"] == "compressed", "{line}");
    }
    let plain = stack.line_of("/plain").await?;
    ensure!(plain["request"]["body"] == r#"{"a":1,"token":"[redacted]"}"#, "{plain}");
    weakness_shows(&stack.collector, "filter-only").await
}

/// Bodies and queries can be left as they are, loudly; headers cannot.
pub(super) async fn filters_switches_are_counted_and_headers_stay_masked(_: &Bed) -> Result<()> {
    let stack = Stack::on_file("switched").filter(json!({"redact": {"bodies": false, "query": false}}));
    // Or the second wall would mask what the first leaves.
    let stack = stack.collector(|collector| collector.args(&["--redact", "filter-only"]));
    let stack = stack.origin(|_| Answer::new(200).header("set-cookie", "sid=s3cret-cookie")).await?.start().await?;

    let call = Call::post("/?token=s3cret-query").header("content-type", "application/json");
    let call = call.header("authorization", "Bearer s3cret-header").body(r#"{"token":"s3cret-body"}"#);
    stack.call(&call).await?;

    let line = stack.line_of("/?token=s3cret-query").await?;
    ensure!(line["request"]["body"] == r#"{"token":"s3cret-body"}"#, "{line}");
    ensure!(line["request"]["headers"]["authorization"] == "Bearer [redacted]", "{line}");
    ensure!(line["response"]["headers"]["set-cookie"] == "sid=[redacted]", "{line}");
    wait::until("a word of what is switched off", DELIVERED_WITHIN, async || {
        let counters = stack.envoy.stats().await?.filter();
        ensure!(counters.get("redaction_disabled") == Some(&1), "{counters:?}");
        Ok(())
    })
    .await
}

/// Only listed headers are shown, by either wall, and what is asked for cannot be a credential.
pub(super) async fn strict_mode_shows_listed_headers_and_no_others(_: &Bed) -> Result<()> {
    let strict = json!({"only_headers": ["accept", "x-note"]});
    let hidden = Secret::word("a header that nobody knows").first(24).to_owned();
    let headers = [("accept", "*/*"), ("x-note", "as it is"), ("x-unknown", &hidden)];

    let given = headers.iter().fold(json!({}), |mut all, (name, value)| {
        all[*name] = json!(value);
        all
    });
    let posted = Wall::start(&strict, None, &[]).await?.pass(&exchange(given, "", "{}")).await?;
    // Or the second wall would mask what the first leaves.
    let stack = Stack::on_file("strict").filter(json!({"redact": strict}));
    let stack = stack.collector(|collector| collector.args(&["--redact", "filter-only"]));
    let trailing = hidden.clone();
    let answer = move |_: &_| Answer::new(200).chunks(["x"]).trailer("x-unknown", trailing.clone());
    let stack = stack.origin(answer).await?.envoy(|envoy| envoy.every_shape()).start().await?;
    let call = Call::post("/").header("content-type", "application/json").body("{}");
    stack.call(&headers.iter().fold(call, |call, (name, value)| call.header(name, (*value).to_owned()))).await?;
    let recorded = stack.lines(1).await?[0].json()?;

    for line in [&posted, &recorded] {
        let shown = |name: &str| line["request"]["headers"][name].as_str().unwrap_or_default().to_owned();
        ensure!(
            [shown("accept"), shown("x-note"), shown("content-type")] == ["*/*", "as it is", "application/json"],
            "{line}"
        );
        ensure!(shown("x-unknown") == "[redacted]" && !line.to_string().contains(&hidden), "{line}");
    }
    let refused =
        Wall::start(&json!({"only_headers": ["Authorization"]}), None, &[]).await.err().context("it was taken")?;
    ensure!(format!("{refused:#}").contains("only_headers: \"Authorization\" is not allowed"), "{refused:#}");
    Ok(())
}

/// In the log at the start, in the metrics and in `/ready`.
async fn weakness_shows(collector: &Collector, word: &str) -> Result<()> {
    ensure!(collector.log().has("Secrets may be stored."), "nothing in the log");
    let metrics = collector.call(&Call::get("/metrics")).await?;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let gauge =
        metrics.lines().find(|line| line.starts_with("tributary_collector_redaction_disabled") && line.ends_with(" 1"));
    ensure!(gauge.is_some(), "no gauge in\n{metrics}");
    let ready = collector.call(&Call::get("/ready")).await?;
    let text = String::from_utf8_lossy(&ready.body).into_owned();
    ensure!(ready.status == 200 && text.contains(word), "{} {text}", ready.status);
    Ok(())
}
