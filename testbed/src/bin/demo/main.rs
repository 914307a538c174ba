//! The demo: the real parts on this machine, the tutorial's calls, and each exchange as it comes out.
//!
//! `cargo xtask demo` fetches and builds what this needs and then becomes this program.

mod args;
mod calls;
mod description;
mod listen;
mod parts;
mod show;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use args::Args;
use calls::Calls;
use listen::Listen;
use parts::Parts;
use show::Show;

/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let ended = runtime.block_on(async {
        let stop = stop_signal()?;
        let once = args.once;
        tokio::select! {
            // Dropping the other future ends all parts.
            () = stop => {
                eprintln!("\nEnding.");
                Ok(if once { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
            }
            ended = run(args) => ended.map(|()| ExitCode::SUCCESS),
        }
    });
    ended.unwrap_or_else(|error| failed(&error))
}

async fn run(args: Args) -> Result<()> {
    let listen = Listen::choose(args.port_base, args.file.is_some())?;
    let parts = Parts::start(&listen, args.file.as_deref()).await?;
    parts.introduce();
    let mut show = Show::start(&parts).await?;
    let calls = Calls::make(&parts).await?;
    println!("\nAs they come out of {}:", parts.sink());
    show.next(calls.count(), &parts).await?;
    calls.came_out(&parts).await?;
    println!("All {} came out as they were made.", calls.count());
    description::write_and_show(&parts).await?;
    if args.once {
        return Ok(());
    }
    parts.invite(calls.user());
    show.forever(&parts).await
}

/// Resolves on Ctrl-C, SIGTERM, or when the terminal goes.
fn stop_signal() -> Result<impl Future<Output = ()>> {
    let listen = |kind| signal(kind).context("listen for signals");
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hangup = listen(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("demo: {error:#}");
    ExitCode::FAILURE
}
