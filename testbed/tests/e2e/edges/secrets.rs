//! The collector's own secrets, and everywhere that it says something.

use std::{path::Path, time::Duration};

use anyhow::{Result, ensure};
use tributary_testbed::{
    certificates::Authority,
    collector::Collector,
    message::Call,
    ports::Port,
    process::{Launch, Scratch},
    stack::Bed,
    wait,
};
use xtask::parts;

const PATIENCE: Duration = Duration::from_secs(30);

/// Each in the way that it reaches the collector by.
const TOKEN: &str = "canary-token-1a5c8e2f7b";
const OLD_TOKEN: &str = "canary-old-token-90d3c1";
const WRONG_TOKEN: &str = "canary-wrong-token-77aa";
const PASSWORD: &str = "canary-password-4f6e0d";
const FLAG_PASSWORD: &str = "canary-flag-5b2d9c";
const VARIABLE_PASSWORD: &str = "canary-variable-c41e";
const KEY_PASSWORD: &str = "canary-key-password-3e";
const ALL: [&str; 7] = [TOKEN, OLD_TOKEN, WRONG_TOKEN, PASSWORD, FLAG_PASSWORD, VARIABLE_PASSWORD, KEY_PASSWORD];

/// Tokens and passwords, right and wrong ones, at the most talkative level of the log, librdkafka's included, through a
/// Kafka that is not there and files that change: none of them is in the log or in any answer.
pub(super) async fn no_secret_of_the_collector_is_shown(_: &Bed) -> Result<()> {
    let (scratch, nobody) = (Scratch::new("secrets")?, Port::tcp()?);
    let (tokens, settings) = (scratch.file("tokens"), scratch.file("kafka.conf"));
    std::fs::write(&tokens, format!("{OLD_TOKEN}\n"))?;
    let write = |extra: &str| {
        let text = format!(
            "security.protocol=sasl_plaintext\nsasl.mechanism=PLAIN\nsasl.username=u\nsasl.password={PASSWORD}\n{extra}"
        );
        std::fs::write(&settings, text)
    };
    write("")?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    for format in ["text", "json"] {
        let collector = Collector::builder()
            .kafka(&nobody.address().to_string(), "secrets")
            .args(&["--token-file", &text(&tokens), "--kafka-config-file", &text(&settings)])
            .args(&["--kafka-config", &format!("ssl.keystore.password={FLAG_PASSWORD}"), "--kafka-config", "debug=all"])
            .args(&["--kafka-config", &format!("ssl.key.password={KEY_PASSWORD}")])
            .args(&["--log-level", "trace", "--log-format", format]);
        let collector = collector.start().await?;
        let post = |token: &str| {
            let post = Call::post("/v1/exchanges").header("content-type", "application/x-ndjson");
            post.header("authorization", format!("Bearer {token}")).body("{\"request\":{\"method\":\"get\"}}\n")
        };
        let mut said = String::new();
        let mut ask = async |call: &Call| -> Result<u16> {
            let reply = collector.call(call).await?;
            said.push_str(&format!("{:?}{}", reply.headers, String::from_utf8_lossy(&reply.body)));
            Ok(reply.status)
        };
        ensure!(ask(&post(OLD_TOKEN)).await? == 503, "a known token, and no Kafka");
        ensure!(ask(&post(WRONG_TOKEN)).await? == 401, "a token that is not known");

        std::fs::write(&tokens, format!("{TOKEN}\nshort\n"))?;
        write(&format!("no.such.setting={VARIABLE_PASSWORD}\n"))?;
        wait::until("both files to be found wanting", PATIENCE, async || {
            let ready = ask(&Call::get("/ready")).await?;
            ensure!(ready == 503, "{ready}");
            let log = collector.log().text();
            ensure!(log.contains("Kafka settings cannot be used") && log.contains("Token file not usable"), "not yet");
            Ok(())
        })
        .await?;
        for path in ["/ready", "/metrics", "/v1/accounting", "/live"] {
            ask(&Call::get(path)).await?;
        }
        std::fs::write(&tokens, format!("{OLD_TOKEN}\n"))?;
        write("")?;

        let log = collector.log().text();
        ensure!(log.contains("TRACE") && log.contains("sasl"), "it is not talkative enough to show anything");
        for secret in ALL {
            ensure!(!log.contains(secret), "in the log: {}", collector.log().lines_with(secret).join("\n"));
            ensure!(!said.contains(secret), "in an answer: {said}");
        }
    }
    Ok(())
}

/// What is refused at the start is named, and no value of a secret is.
pub(super) async fn no_refused_setting_shows_a_secret(_: &Bed) -> Result<()> {
    let scratch = Scratch::new("refused")?;
    let server = Authority::new(scratch.path())?.write(scratch.path(), "server", &["collector.example"])?;
    let key = std::fs::read_to_string(&server.key)?;
    let line = key.lines().nth(1).unwrap_or_default().to_owned();
    std::fs::write(scratch.file("short"), "canary-short\n")?;
    std::fs::write(scratch.file("settings"), format!("{PASSWORD}\n"))?;
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let (short, settings, key) = (path(&scratch.file("short")), path(&scratch.file("settings")), path(&server.key));
    for arguments in [
        vec!["--brokers", "127.0.0.1:1", "--kafka-config", FLAG_PASSWORD],
        vec!["--brokers", "127.0.0.1:1", "--kafka-config", "acks=canary-key-password-3e"],
        vec!["--brokers", "127.0.0.1:1", "--kafka-config-file", &settings],
        vec!["--file", "f", "--token-file", &short],
        // The key where the certificate should be, and the other way round.
        vec!["--file", "f", "--tls-cert", &key, "--tls-key", &key],
    ] {
        let log = scratch.log("refused");
        let collector = Launch::new("collector", parts::binary("tributary-collector"))
            .args(["--listen", "127.0.0.1:0", "--log-level", "trace"])
            .args(&arguments)
            .env("TRIBUTARY_KAFKA_CONFIG", format!("sasl.password={VARIABLE_PASSWORD}"))
            .start(&log)?;
        let status = wait::until("its end", PATIENCE, async || {
            collector.exit().ok_or_else(|| anyhow::anyhow!("{arguments:?}: it runs"))
        });
        ensure!(status.await?.code() == Some(64), "{arguments:?}: {}", log.text());
        let said = log.text();
        ensure!(said.contains("error: "), "{said}");
        for secret in ALL.iter().copied().chain(["canary-short", &line]) {
            ensure!(!said.contains(secret), "{secret} in {said}");
        }
    }
    Ok(())
}
