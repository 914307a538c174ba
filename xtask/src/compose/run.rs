//! `cargo xtask compose`: the containers for real, with the calls of the tutorial and two restarts under load.
//!
//! Under a project name of its own, so that containers and volumes of a running demo are never touched; the
//! published ports are the same, so only one of the two can run at a time.

mod engine;
mod traffic;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use engine::Engine;
use traffic::{Traffic, User};

/// How long exchanges may take from Envoy to the topic, restarts included.
const ARRIVAL: Duration = Duration::from_secs(120);

/// Brings the containers up, checks them, and takes them down, whatever the checks said.
///
/// # Errors
/// There is no engine, or the first thing that is not as promised, after the end of the containers' logs.
pub(crate) fn run() -> Result<()> {
    let engine = Engine::find()?;
    step("left over from an earlier run: down");
    engine.down()?;
    let outcome = engine.up().and_then(|()| check(&engine));
    if outcome.is_err() {
        engine.show_logs();
    }
    step("down -v leaves nothing");
    let down = engine.down().and_then(|()| engine.is_gone());
    outcome.and(down)?;
    println!("\ncompose: all as promised");
    Ok(())
}

fn check(engine: &Engine) -> Result<()> {
    step("the tutorial's call");
    let mut made = BTreeSet::new();
    let user = User::create("Kimmo", "kimmo@example.com")?;
    println!("  {}", user.body);

    step("console consumer in the kafka container");
    made.insert(user.id.clone());
    arrived(engine, &made)?;

    step("docker compose run --rm cli tail");
    let lines = engine.tail()?;
    let line = lines.lines().find(|line| line.contains(&user.id));
    println!("  {}", line.with_context(|| format!("tail does not show {}:\n{lines}", user.id))?);

    for service in ["kafka", "collector"] {
        step(&format!("restart {service} under load"));
        let traffic = Traffic::start()?;
        // Some before, some while it is away, some after: each wait is for exchanges, not for time.
        traffic.wait_for_more(20)?;
        engine.restart(service)?;
        traffic.wait_for_more(20)?;
        engine.wait_healthy()?;
        traffic.wait_for_more(20)?;
        let ids = traffic.stop()?;
        println!("  {} exchanges, all answered", ids.len());
        made.extend(ids);
        arrived(engine, &made)?;
    }
    Ok(())
}

/// Waits until the topic has an exchange for each id; one that is there twice is no loss.
fn arrived(engine: &Engine, ids: &BTreeSet<String>) -> Result<()> {
    let deadline = Instant::now() + ARRIVAL;
    loop {
        let recorded = engine.consume()?;
        let missing = ids.iter().filter(|id| !recorded.contains(id.as_str())).collect::<Vec<_>>();
        match missing.first() {
            None => {
                println!("  {} of {} in the topic, {} lines", ids.len(), ids.len(), recorded.lines().count());
                return Ok(());
            }
            Some(first) if Instant::now() > deadline => {
                bail!("{} of {} exchanges are not in the topic, like {first}", missing.len(), ids.len());
            }
            // Each look takes seconds by itself: no need to wait in between.
            Some(_) => {}
        }
    }
}

fn step(what: &str) {
    println!("\n── compose: {what}");
}
