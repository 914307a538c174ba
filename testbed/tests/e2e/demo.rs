//! The demo as a user starts it: its exit code is the truth, and nothing outlives it.

use std::{process::ExitStatus, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use rustix::process::Signal;
use tributary_testbed::{
    client,
    message::Call,
    ports::{self, Port},
    process::{Launch, Process, Scratch},
    stack::Bed,
    wait,
};

use crate::harness::trials;

/// The demo starts all parts and makes four calls; on a busy machine.
const WITHIN: Duration = Duration::from_secs(120);

/// How many ports the demo takes.
const PORTS: u16 = 6;

pub(crate) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    trials!(bed, "demo":
        once_ends_well_when_all_calls_came_out_of_kafka,
        further_calls_are_printed_and_nothing_outlives_a_killed_demo,
        taken_port_is_named_with_its_part_and_the_way_out,
    )
}

async fn once_ends_well_when_all_calls_came_out_of_kafka(_: &Bed) -> Result<()> {
    let scratch = Scratch::new("demo-once")?;
    let base = Base::free()?;

    let demo = demo(&base, &["--once"]).start(&scratch.log("demo"))?;
    let status = ended(&demo).await?;

    let said = demo.log().text();
    ensure!(status.success(), "{said}");
    assert!(said.contains("All 4 came out as they were made."), "{said}");
    for shown in ["\n  \"/users/{userId}\":\n", "\n      operationId: getUserById\n"] {
        assert!(said.contains(shown), "the description is not shown: {said}");
    }
    for status in ["200", "400", "404"] {
        assert!(said.lines().any(|line| line.starts_with("20") && line.contains(&format!(" {status} "))), "{said}");
    }
    base.is_free_again().await
}

async fn further_calls_are_printed_and_nothing_outlives_a_killed_demo(_: &Bed) -> Result<()> {
    let scratch = Scratch::new("demo-file")?;
    let base = Base::free()?;
    let file = scratch.file("exchanges.jsonl");
    let demo = demo(&base, &["--file"]).arg(&file).start(&scratch.log("demo"))?;
    said(&demo, "Ctrl-C ends all of it.").await?;

    let call = Call::get("/users/nobody?further=call");
    assert_eq!(client::call(ports::loopback(base.first), &call).await?.status, 404);

    said(&demo, "/users/nobody?further=call").await?;
    assert_eq!(std::fs::read_to_string(&file)?.lines().count(), 5);
    // The demo alone, not its group: what it started must not need us.
    rustix::process::kill_process(pid(&demo)?, Signal::KILL)?;
    base.is_free_again().await
}

async fn taken_port_is_named_with_its_part_and_the_way_out(_: &Bed) -> Result<()> {
    let scratch = Scratch::new("demo-taken")?;
    let base = Base::free()?;
    let _taken = std::net::TcpListener::bind(ports::loopback(base.first))?;

    let demo = demo(&base, &["--once", "--file", "/dev/null"]).start(&scratch.log("demo"))?;
    let status = ended(&demo).await?;

    assert_eq!(status.code(), Some(1));
    let expected = format!("demo: port {} (for Envoy) is taken; ", base.first);
    let said = demo.log().text();
    assert!(said.starts_with(&expected) && said.contains("--port-base "), "{said}");
    Ok(())
}

/// Six free ports in a row.
struct Base {
    first: u16,
    /// Held against other tests; the demo binds them itself.
    _held: Vec<Port>,
}

impl Base {
    fn free() -> Result<Base> {
        for _ in 0..200 {
            let held = (0..PORTS).map(|_| Port::tcp()).collect::<Result<Vec<_>>>()?;
            let first = held[0].number();
            if held.iter().zip(first..).all(|(port, expected)| port.number() == expected) {
                return Ok(Base { first, _held: held });
            }
        }
        anyhow::bail!("no six free ports in a row")
    }

    async fn is_free_again(&self) -> Result<()> {
        let probe = async || {
            let taken: Vec<u16> = (self.first..).take(PORTS.into()).filter(|port| !ports::is_free(*port)).collect();
            ensure!(taken.is_empty(), "somebody listens at {taken:?}");
            Ok(())
        };
        wait::until("the end of all parts of the demo", Duration::from_secs(20), probe).await
    }
}

fn demo(base: &Base, arguments: &[&str]) -> Launch {
    let demo = Launch::new("demo", xtask::parts::binary("demo"));
    demo.args(["--port-base", &base.first.to_string()]).args(arguments)
}

fn pid(process: &Process) -> Result<rustix::process::Pid> {
    rustix::process::Pid::from_raw(i32::try_from(process.id())?).context("no pid")
}

async fn ended(demo: &Process) -> Result<ExitStatus> {
    let what = "the end of the demo";
    wait::until(what, WITHIN, async || demo.exit().context("it runs")).await.map_err(|error| demo.with_log(error))
}

async fn said(demo: &Process, words: &str) -> Result<()> {
    let probe = async || {
        ensure!(demo.log().has(words), "not yet said: {words}");
        Ok(())
    };
    demo.ready(WITHIN, probe).await
}
