//! `tributary`: the commands for those who work with the recordings in the topic, and with the Envoys that make them.
//!
//! This file connects: arguments → command → exit code.

mod args;
mod audit;
mod drain;
mod failure;
mod glob;
mod kafka;
mod lines;
mod numbers;
mod openapi;
mod send;
mod stop;
mod tail;
mod terminal;
mod whole_file;

use std::process::ExitCode;

use clap::Parser;
use tokio::runtime;
use tracing_subscriber::EnvFilter;

use crate::{
    args::{Args, Command},
    failure::{EXIT_USAGE, Failure, told},
    terminal::notice,
};

fn main() -> ExitCode {
    let args = match Args::try_parse().map_err(kafka::without_settings) {
        Ok(args) => args,
        Err(error) => {
            // What cannot be printed (closed stream) can be reported nowhere else either.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(error) = failure.error {
                notice(&told(&error));
            }
            ExitCode::from(failure.exit_code)
        }
    }
}

fn run(args: Args) -> Result<(), Failure> {
    log_to_stderr(&args.log)?;
    // One worker beside this thread, so that signals are heard while a command waits in a write to a stalled pipe.
    let runtime =
        runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(Failure::fault)?;
    let outcome = runtime.block_on(async {
        match args.command {
            Command::Tail(args) => tail::run(args).await,
            Command::Send(args) => send::run(args).await,
            Command::Drain(args) => drain::run(args).await,
            Command::Openapi(args) => openapi::run(*args).await,
            Command::Audit(args) => audit::run(args).await,
        }
    });
    // Not waited for: a call to a broker that does not answer.
    runtime.shutdown_background();
    outcome
}

fn log_to_stderr(filter: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Failure::usage(anyhow::anyhow!("--log {filter:?} is not a filter like \"warn\": {error}")))?;
    let colour = terminal::stderr_takes_colour();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).init();
    Ok(())
}
