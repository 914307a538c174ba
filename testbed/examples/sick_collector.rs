//! What users feel of a sick collector: the latency of calls with and without the filter, one after the other, over one
//! Envoy, for each way in which a collector can be sick. Prints a table; nothing is asserted, for machines differ.
//!
//! ```text
//! cargo xtask test e2e parts    # builds the parts
//! cargo run --release -p tributary-testbed --example sick_collector -- [--calls 3000]
//! ```

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use clap::Parser;
use serde_json::json;
use tributary_testbed::{
    client::h1::Connection,
    message::Call,
    origin::{Answer, Origin},
    proxy::{After, Break, Half, Mode},
    stack::Stack,
};

#[derive(Parser)]
struct Args {
    /// Calls with the filter, and as many without, for each kind of sickness
    #[arg(long, default_value_t = 3000)]
    calls: usize,
}

/// What calls took, in microseconds, and how many did not get their answer.
#[derive(Default)]
struct Felt {
    took: Vec<u128>,
    hurt: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let errors = Origin::start(|_| Answer::new(500).body("sorry")).await?;
    let garbage = Origin::start(|_| Answer::raw("\u{0}\u{1}this is no HTTP\r\n\r\n")).await?;
    let huge = Origin::start(|_| Answer::new(200).repeated(vec![b' '; 65_536], 4_600)).await?;
    let cut = |of, after, by| Mode::Cut { of, after, by };
    let kinds = [
        ("healthy", Mode::Pass),
        ("nobody listens", Mode::Refuse),
        ("connections are reset", Mode::Reset),
        ("nothing comes back", Mode::BlackHole),
        ("answers 500", Mode::Divert(errors.address())),
        ("answers no HTTP", Mode::Divert(garbage.address())),
        ("answers 300 MB", Mode::Divert(huge.address())),
        ("the head of its answer, then silence", cut(Half::Reply, After::Head, Break::Silence)),
        ("answers byte by byte", Mode::Throttle { bytes: 64, every: Duration::from_millis(100) }),
        ("healthy again", Mode::Pass),
    ];
    let stack = Stack::on_file("sick").filter(json!({"flush_after_ms": 50, "collector": {"timeout_ms": 2_000}}));
    let stack = stack.origin(|_| Answer::new(200).body("{\"id\":7}")).await?.proxied().start().await?;
    measured(&stack, args.calls).await?;

    println!("| collector | without p50, p99 µs | with p50, p99 µs | p99 more, ms | hurt |\n|---|---|---|---|---|");
    for (kind, mode) in kinds {
        stack.proxy()?.set(mode).await?;
        let [mut without, mut with] = measured(&stack, args.calls).await?;
        let more = with.at(99) as f64 / 1_000.0 - without.at(99) as f64 / 1_000.0;
        let [p50, p99] = [without.at(50), without.at(99)];
        let (with_p50, with_p99) = (with.at(50), with.at(99));
        println!("| {kind} | {p50}, {p99} | {with_p50}, {with_p99} | {more:+.2} | {} |", with.hurt + without.hurt);
    }
    Ok(())
}

/// Calls in turn, without the filter and with it, so that both meet the same moments of the machine.
async fn measured(stack: &Stack, calls: usize) -> Result<[Felt; 2]> {
    let mut bare = Connection::open(stack.envoy.bare_address()?).await?;
    let mut filtered = Connection::open(stack.envoy.address()).await?;
    let (mut without, mut with) = (Felt::default(), Felt::default());
    for number in 0..calls {
        let call = Call::get(format!("/orders/{number}"));
        without.call(&mut bare, stack.envoy.bare_address()?, &call).await?;
        with.call(&mut filtered, stack.envoy.address(), &call).await?;
    }
    ensure!(with.took.len() == calls, "calls are missing");
    Ok([without, with])
}

impl Felt {
    async fn call(&mut self, connection: &mut Connection, address: SocketAddr, call: &Call) -> Result<()> {
        if !connection.is_reusable() {
            *connection = Connection::open(address).await?;
        }
        let began = Instant::now();
        let reply = connection.call(call).await;
        self.took.push(began.elapsed().as_micros());
        self.hurt += usize::from(!reply.is_ok_and(|reply| reply.status == 200 && reply.body == "{\"id\":7}"));
        Ok(())
    }

    /// The time that so many of a hundred calls did not exceed.
    fn at(&mut self, percent: usize) -> u128 {
        self.took.sort_unstable();
        let index = self.took.len().saturating_sub(1) * percent / 100;
        self.took.get(index).copied().unwrap_or_default()
    }
}
