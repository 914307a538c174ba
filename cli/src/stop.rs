//! Ctrl-C and SIGTERM: told to the command, which then ends in its own way, and in time.

use std::time::Duration;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::sleep,
};

/// Exit code of a program that Ctrl-C ended (128 + SIGINT), as shells have it.
const EXIT_INTERRUPTED: i32 = 130;

/// Tells a command that it shall end.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Catches both signals from now on. A command that has not ended `grace` after the first one, or at the second
    /// one, is ended here with `exit_code`, or with 130.
    ///
    /// # Errors
    /// The system refuses to install the handlers.
    pub(crate) fn on_signals(grace: Duration, exit_code: i32) -> std::io::Result<Stop> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let (tell, stop) = watch::channel(false);
        tokio::spawn(async move {
            either(&mut interrupt, &mut terminate).await;
            // Nobody is left to be told if the command has just ended.
            let _ = tell.send(true);
            tokio::select! {
                () = sleep(grace) => std::process::exit(exit_code),
                () = either(&mut interrupt, &mut terminate) => std::process::exit(EXIT_INTERRUPTED),
            }
        });
        Ok(Stop(stop))
    }

    /// Ends when the command shall end; at once if that was told before. Safe to cancel.
    pub(crate) async fn told(&mut self) {
        if self.0.wait_for(|told| *told).await.is_err() {
            // The task above ends only with the program.
            std::future::pending().await
        }
    }

    /// Whether the command shall end.
    pub(crate) fn is_told(&self) -> bool {
        *self.0.borrow()
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
