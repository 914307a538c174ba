//! Client certificates between a real Envoy and the collector, and where the collector listens without any wall.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tributary_testbed::{
    certificates::{Authority, Identity},
    client,
    collector::Collector,
    envoy::Envoy,
    message::{Call, Reply},
    ports::Port,
    process::{Launch, Process, Scratch},
    stack::{Bed, DELIVERED_WITHIN},
    wait,
};
use xtask::parts;

/// For a start or an end, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

const SERVER: &str = "collector.example";
const ENVOY: &str = "spiffe://mesh.example/ns/edge/sa/envoy";
const LINE: &str = "{\"request\":{\"method\":\"get\"}}\n";

/// Certificates, and a collector that admits clients of the authority `mesh` by the name [`ENVOY`].
struct Rig {
    scratch: Scratch,
    server: Authority,
    mesh: Authority,
    port: Port,
    collector: Process,
}

impl Rig {
    fn start() -> Result<Rig> {
        let (scratch, port) = (Scratch::new("certificates")?, Port::tcp()?);
        let (server, mesh) = (authority(&scratch, "server-authority")?, authority(&scratch, "mesh")?);
        let identity = server.write(scratch.path(), "server", &[SERVER])?;
        std::fs::copy(mesh.file(), scratch.file("clients.pem"))?;
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let collector = Launch::new("collector", parts::binary("tributary-collector"))
            .args(["--file", &path(&scratch.file("exchanges.jsonl")), "--listen", &port.address().to_string()])
            .args(["--tls-cert", &path(&identity.certificate), "--tls-key", &path(&identity.key)])
            .args(["--tls-client-ca", &path(&scratch.file("clients.pem")), "--tls-client-san", ENVOY])
            .start(&scratch.log("collector"))?;
        Ok(Rig { scratch, server, mesh, port, collector })
    }

    /// An Envoy that shows this identity to the collector, with the filter's posts, and with all that its clients send.
    async fn envoy(&self, identity: Option<Identity>) -> Result<Envoy> {
        let (address, authority) = (self.port.address(), self.server.file().to_owned());
        let envoy = Envoy::builder().users(address).collector(address).edit(move |config| {
            for cluster in ["users", "collector"] {
                config.encrypt(cluster, SERVER, &authority, identity.as_ref())?;
            }
            Ok(())
        });
        envoy.start().await
    }

    fn client(&self, name: &str) -> Result<Option<Identity>> {
        self.mesh.write(self.scratch.path(), "client", &[name]).map(Some)
    }
}

fn authority(scratch: &Scratch, name: &str) -> Result<Authority> {
    let folder = scratch.file(name);
    std::fs::create_dir_all(&folder)?;
    Authority::new(&folder)
}

async fn post(envoy: &Envoy) -> Result<Reply> {
    let post = Call::post("/v1/exchanges").header("content-type", "application/x-ndjson").body(LINE);
    client::call(envoy.address(), &post).await
}

async fn text(envoy: &Envoy, path: &str) -> Result<String> {
    let reply = client::call(envoy.address(), &Call::get(path)).await?;
    ensure!(reply.status == 200, "{path}: {}", reply.status);
    Ok(String::from_utf8_lossy(&reply.body).into_owned())
}

async fn until_posts_get(envoy: &Envoy, statuses: &[u16]) -> Result<()> {
    wait::until(&format!("{statuses:?} for a post"), PATIENCE, async || {
        let status = post(envoy).await?.status;
        ensure!(statuses.contains(&status), "{status}");
        Ok(())
    })
    .await
}

/// The Envoy with the admitted name posts; another name, no certificate, and a certificate of another authority do not,
/// each for its own reason, counted; what only looks is let through. Renewed files come into force without a restart.
pub(super) async fn posts_need_a_client_certificate_that_is_admitted(_: &Bed) -> Result<()> {
    let rig = Rig::start()?;
    let stranger = authority(&rig.scratch, "stranger")?.write(&rig.scratch.file("stranger"), "client", &[ENVOY])?;

    let admitted = rig.envoy(rig.client(ENVOY)?).await?;
    until_posts_get(&admitted, &[200]).await.map_err(|error| rig.collector.with_log(error))?;
    wait::until("an acknowledgement for the filter", DELIVERED_WITHIN, async || {
        let acked = admitted.stats().await?.filter().get("acked").copied();
        ensure!(acked > Some(0), "acked {acked:?}");
        Ok(())
    })
    .await?;

    let other = rig.envoy(rig.client("spiffe://mesh.example/ns/edge/sa/other")?).await?;
    let refused = post(&other).await?;
    ensure!(refused.status == 403, "{}", refused.status);
    ensure!(refused.json()? == json!({"error": "this client certificate may not post"}), "{:?}", refused.body);
    let nobody = rig.envoy(None).await?;
    let refused = post(&nobody).await?;
    ensure!(refused.status == 401 && refused.json()? == json!({"error": "a client certificate is needed"}));
    ensure!(post(&rig.envoy(Some(stranger)).await?).await?.status == 503, "a stranger shook hands");

    let metrics = text(&nobody, "/metrics").await?;
    for counted in [
        "posts_turned_away_total{lacks=\"certificate\"}",
        "posts_turned_away_total{lacks=\"admitted_certificate\"}",
        "connections_ended_total{reason=\"tls_failed\"}",
    ] {
        let count = metrics.lines().find_map(|line| line.strip_prefix(&format!("tributary_collector_{counted} ")));
        let count: u64 = count.with_context(|| format!("no {counted} in {metrics}"))?.parse()?;
        ensure!(count > 0, "{counted} {count}");
    }

    renewals_come_into_force(&rig, &admitted).await.map_err(|error| rig.collector.with_log(error))
}

/// The server's certificate changes, breaks and is repaired; the clients' authority goes and comes back.
async fn renewals_come_into_force(rig: &Rig, admitted: &Envoy) -> Result<()> {
    let warnings = async || text(admitted, "/ready").await;
    std::fs::write(rig.scratch.file("server.pem"), "no certificate")?;
    wait::until("a warning", PATIENCE, async || {
        let ready = warnings().await?;
        ensure!(ready.contains("changed certificates are not in force"), "{ready}");
        Ok(())
    })
    .await?;
    until_posts_get(admitted, &[200]).await?;
    rig.server.write(rig.scratch.path(), "server", &[SERVER])?;
    wait::until("no warning", PATIENCE, async || {
        let ready = warnings().await?;
        ensure!(!ready.contains("changed certificates"), "{ready}");
        Ok(())
    })
    .await?;

    // On the connection that is there: 403; on a new one the handshake fails, for which Envoy answers 503.
    std::fs::copy(rig.server.file(), rig.scratch.file("clients.pem"))?;
    until_posts_get(admitted, &[403, 503]).await?;
    std::fs::copy(rig.mesh.file(), rig.scratch.file("clients.pem"))?;
    until_posts_get(admitted, &[200]).await
}

/// Beyond loopback without tokens and client certificates the collector does not start, whatever else is set up.
pub(super) async fn public_address_needs_a_wall(_: &Bed) -> Result<()> {
    let scratch = Scratch::new("public")?;
    let identity = authority(&scratch, "authority")?.write(scratch.path(), "server", &[SERVER])?;
    let tls = [Path::new("--tls-cert"), &identity.certificate, Path::new("--tls-key"), &identity.key];
    for (address, arguments) in [("0.0.0.0:0", &tls[..0]), ("[::]:0", &tls[..0]), ("0.0.0.0:0", &tls[..])] {
        let log = scratch.log("collector");
        let collector = Launch::new("collector", parts::binary("tributary-collector"))
            .args([Path::new("--file"), &scratch.file("exchanges.jsonl")])
            .args(["--listen", address])
            .args(arguments)
            .start(&log)?;
        let status =
            wait::until("the end of the collector", PATIENCE, async || collector.exit().context("it runs")).await?;
        let said = log.text();
        ensure!(status.code() == Some(64), "it ended with {status}: {said}");
        ensure!(said.contains(&format!("--listen {address}")) && said.contains("--insecure-no-auth"), "{said}");
        ensure!(!said.contains("Listening."), "{said}");
    }
    Ok(())
}

/// Whoever switches the verification of Kafka's certificates off can be seen to do so. No broker is needed for it.
pub(super) async fn kafka_that_is_not_verified_shows(_: &Bed) -> Result<()> {
    for (setting, gauge, word) in [
        ("enable.ssl.certificate.verification=false", 1, "certificates are not verified"),
        ("ssl.endpoint.identification.algorithm=none", 1, "host names are not verified"),
        ("security.protocol=ssl", 0, "not verified"),
    ] {
        let nowhere = Port::tcp()?.address().to_string();
        let arguments = ["--kafka-config", "security.protocol=ssl", "--kafka-config", setting];
        let collector = Collector::builder().kafka(&nowhere, "t").args(&arguments).start().await?;

        let ready = collector.call(&Call::get("/ready")).await?.json()?;
        let metric = collector.metric("tributary_collector_insecure{what=\"kafka_unverified\"}").await?;
        ensure!(metric == gauge, "{setting}: {metric}");
        ensure!(ready["warnings"].to_string().contains(word) == (gauge == 1), "{setting}: {ready}");
        if gauge == 1 {
            wait::until("a word in the log", PATIENCE, async || {
                let log = collector.log().text();
                ensure!(log.contains("Not as safe as it should be.") && log.contains(word), "{log}");
                Ok(())
            })
            .await?;
        }
    }
    Ok(())
}
