//! Who may post, and over what: bearer tokens and TLS, from the filter and from others.

use std::{path::Path, time::Duration};

use anyhow::{Result, ensure};
use serde_json::json;
use tributary_testbed::{
    client,
    envoy::{Envoy, Upstream},
    message::Call,
    origin::{Answer, Origin},
    ports::Port,
    process::{Launch, Scratch},
    recordings::Recordings,
    stack::{Bed, DELIVERED_WITHIN},
    wait,
};
use xtask::parts;

use super::{accepted, account, ended, line, number, post, refused, topic};

const OLD: &str = "an-old-token-0123456789";
const NEW: &str = "a-new-token-0123456789";

/// Without a token, or with another, nothing is taken and nothing is read; the filter has one from its VM's
/// environment; a file that changes opens and closes the door without a restart.
pub(super) async fn posts_need_a_token_that_is_known(bed: &Bed) -> Result<()> {
    let scratch = Scratch::new("token")?;
    let file = scratch.file("tokens");
    std::fs::write(&file, format!("# the filters\n{OLD}\n"))?;
    let path = file.to_string_lossy().into_owned();
    let stack = bed.stack("token").await?.collector(move |collector| collector.args(&["--token-file", &path]));
    let stack = stack.envoy(|envoy| envoy.edit(|config| config.set_filter_variable("TRIBUTARY_TOKEN", OLD)));
    let stack = stack.filter(json!({"collector": {"token_env": "TRIBUTARY_TOKEN"}}));
    let stack = stack.origin(|_| Answer::new(204)).await?.start().await?;
    let with = |token: &str| post(ended([line("/by-hand", "")])).header("authorization", format!("Bearer {token}"));

    stack.call(&Call::get("/by-the-filter")).await?;
    stack.line_of("/by-the-filter").await?;
    for call in [post(ended([line("/", "")])), with(NEW), with("short"), with(&format!("{OLD}!"))] {
        let reply = stack.collector.call(&call).await?;
        refused(&reply, 401, "unauthorized")?;
        ensure!(reply.headers.text("www-authenticate") == Some("Bearer"), "{:?}", reply.headers);
    }
    let account = account(&stack.collector).await?;
    ensure!(number(&account, "/posts/refused/auth")? == 4 && number(&account, "/accepted")? == 1, "{account}");
    accepted(&stack.collector.call(&with(OLD)).await?, 1, json!([]))?;

    std::fs::write(&file, format!("{NEW}\n"))?;
    wait::until("the new token", Duration::from_secs(20), async || {
        let reply = stack.collector.call(&with(NEW)).await?;
        ensure!(reply.status == 200, "{}", reply.status);
        Ok(())
    })
    .await?;
    refused(&stack.collector.call(&with(OLD)).await?, 401, "unauthorized")?;

    // The filter still has the old one: it keeps what it has, and says so.
    stack.call(&Call::get("/kept")).await?;
    wait::until("a word about the token", DELIVERED_WITHIN, async || {
        let told = stack.envoy.log().has("The collector refuses the token; exchanges are kept and tried again.");
        ensure!(told, "not in Envoy's log");
        Ok(())
    })
    .await?;
    let log = stack.collector.log().text() + &stack.envoy.log().text();
    ensure!(!log.contains(OLD) && !log.contains(NEW), "a token is in a log");
    Ok(())
}

/// With a certificate the collector speaks TLS and nothing else, HTTP/1.1 and HTTP/2.
pub(super) async fn posts_over_tls_are_taken(bed: &Bed) -> Result<()> {
    let (scratch, port, topic) = (Scratch::new("tls")?, Port::tcp()?, topic("tls"));
    let (certificate, key) = (scratch.file("certificate.pem"), scratch.file("key.pem"));
    let made = rcgen::generate_simple_self_signed(["collector.test".to_owned()])?;
    std::fs::write(&certificate, made.cert.pem())?;
    std::fs::write(&key, made.signing_key.serialize_pem())?;
    let brokers = bed.kafka().await?.brokers();
    // Not by the testbed's builder: that one asks in clear text whether it is alive.
    let collector = Launch::new("collector", parts::binary("tributary-collector"))
        .args(["--brokers", brokers, "--topic", &topic, "--listen", &port.address().to_string()])
        .args([Path::new("--tls-cert"), &certificate, Path::new("--tls-key"), &key])
        .start(&scratch.log("collector"))?;
    let app = Origin::start(|_| Answer::new(204)).await?;

    for (path, protocol) in [("/http1", Upstream::Http1), ("/http2", Upstream::Http2)] {
        let authority = certificate.clone();
        let envoy = Envoy::builder().users(app.address()).collector(port.address());
        let envoy = envoy.edit(move |config| {
            config.set_upstream("collector", protocol)?;
            config.encrypt("collector", "collector.test", &authority, None)
        });
        let envoy = envoy.start().await?;
        ensure!(client::call(envoy.address(), &Call::get(path)).await?.status == 204, "{path}");
        wait::until(&format!("an acknowledgement over {path}"), DELIVERED_WITHIN, async || {
            let acked = envoy.stats().await?.filter().get("acked").copied();
            ensure!(acked == Some(1), "acked {acked:?}");
            Ok(())
        })
        .await
        .map_err(|error| collector.with_log(envoy.process().with_log(error)))?;
    }

    let lines = Recordings::of_topic(brokers, &topic).await?.read().await?.to_vec();
    let mut paths = lines.iter().map(|line| Ok(line.json()?["request"]["path"].clone())).collect::<Result<Vec<_>>>()?;
    paths.sort_by_key(ToString::to_string);
    ensure!(paths == [json!("/http1"), json!("/http2")], "{paths:?}");
    let clear = client::call(port.address(), &post(ended([line("/clear", "")]))).await;
    ensure!(clear.is_err(), "answered a post in clear text: {clear:?}");
    Ok(())
}
