//! The demo app as a process of this testbed.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};
use xtask::parts;

use crate::{
    client,
    message::Call,
    ports::{self, Port},
    process::{Launch, Log, Process, Scratch},
};

const START_WITHIN: Duration = Duration::from_secs(30);

/// A running `users` app. Dropping it kills it.
#[derive(Debug)]
pub struct Users {
    address: SocketAddr,
    process: Process,
    _scratch: Scratch,
    _port: Option<Port>,
}

impl Users {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// The binary is missing, or the app ends by itself: the error has the end of its log.
    pub async fn start() -> Result<Users> {
        let port = Port::tcp()?;
        Users::start_at(port.address(), Some(port)).await
    }

    /// Starts it on a fixed port (the demo).
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_on(number: u16) -> Result<Users> {
        Users::start_at(ports::loopback(number), None).await
    }

    async fn start_at(address: SocketAddr, port: Option<Port>) -> Result<Users> {
        let scratch = Scratch::new("users")?;
        let launch = Launch::new("users", parts::binary("users")).args(["--listen", &address.to_string()]);
        let process = launch.start(&scratch.log("users"))?;
        let probe = async || {
            let reply = client::call(address, &Call::get("/health")).await?;
            ensure!(reply.status == 200, "/health says {}", reply.status);
            Ok(())
        };
        process.ready(START_WITHIN, probe).await?;
        Ok(Users { address, process, _scratch: scratch, _port: port })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process: to pause, signal, measure.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its log.
    pub fn log(&self) -> &Log {
        self.process.log()
    }
}
