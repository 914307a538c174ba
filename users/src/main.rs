//! `users`: the app that the demo observes. Users are created and read over HTTP, as in the Express app of the
//! original tutorial. It knows nothing of Tributary, which is the point.
//!
//! This file connects: arguments → store → routes → socket, and the signals that end it.

mod args;
mod health;
mod routes;
mod store;

use std::{io::IsTerminal, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use clap::Parser;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use tracing::{info, warn};

use crate::{
    args::{Args, Command},
    store::Store,
};

/// Exit code for arguments that cannot be used (`sysexits.h`, `EX_USAGE`).
const EXIT_USAGE: u8 = 64;

/// How long requests that are under way may still take after SIGTERM; compose kills after 10 s.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(8);

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // What cannot be printed (closed stream) can be reported nowhere else either.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("users: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Some(Command::Health { url }) => {
            health::check(&url.clone().unwrap_or_else(|| health::url_of(args.listen))).await
        }
        None => serve(args.listen).await,
    }
}

/// Serves until SIGTERM or Ctrl-C, then lets open requests end, for at most [`SHUTDOWN_GRACE`].
async fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(ansi).init();
    let mut stop = StopSignals::new().context("cannot listen for signals")?;

    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen} (--listen, USERS_LISTEN); is another program there?"))?;
    info!(address = %listener.local_addr()?, "Listening.");

    let (stopping, stopped) = tokio::sync::watch::channel(());
    let app = routes::app(Arc::new(Store::default()));
    let server = axum::serve(listener, app).with_graceful_shutdown(closed(stopped));
    let mut server = tokio::spawn(server.into_future());
    tokio::select! {
        ended = &mut server => return Ok(ended??),
        () = stop.received() => drop(stopping),
    }
    info!("Stopping.");
    match tokio::time::timeout(SHUTDOWN_GRACE, server).await {
        Ok(ended) => ended??,
        Err(_) => warn!(grace_seconds = SHUTDOWN_GRACE.as_secs(), "Open requests were cut off."),
    }
    Ok(())
}

/// Ends when the sender of the channel is gone.
async fn closed(mut channel: tokio::sync::watch::Receiver<()>) {
    while channel.changed().await.is_ok() {}
}

/// SIGTERM (compose, Kubernetes) and SIGINT (Ctrl-C), caught from the moment this exists.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn new() -> std::io::Result<StopSignals> {
        Ok(StopSignals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
