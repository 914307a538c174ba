//! A real Envoy as a process of this testbed, on the configuration of `envoy/envoy.yaml`.

mod admin;
mod builder;
pub mod config;
mod files;
mod listeners;
mod memory;

pub use admin::Stats;
pub use builder::EnvoyBuilder;
pub use config::{Config, Upstream};

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, ensure};

use crate::{
    ports::Port,
    process::{Launch, Log, Process},
    wait,
};
use files::Files;

/// Envoy starts in well under a second on an idle machine, of which the wasm takes most; under valgrind in ten.
const START_WITHIN: Duration = Duration::from_secs(180);

/// An update of the listeners is taken or refused in this time.
const UPDATE_WITHIN: Duration = Duration::from_secs(30);

/// A running Envoy. Dropping it kills it.
#[derive(Debug)]
pub struct Envoy {
    launch: Launch,
    process: Process,
    addresses: Addresses,
    files: Files,
    config: Config,
    version: u64,
}

/// What became of an update of the listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// Envoy serves by the new configuration.
    Accepted,
    /// Envoy keeps the old one; with what it logged meanwhile, the filter's reason among it.
    Refused(String),
}

impl Envoy {
    /// An Envoy with the filter, one worker, free ports. Without [`users`](EnvoyBuilder::users) and
    /// [`collector`](EnvoyBuilder::collector) it looks for the names of compose.
    pub fn builder() -> EnvoyBuilder {
        EnvoyBuilder::default()
    }

    /// Where traffic goes in: HTTP/1.1 and cleartext HTTP/2.
    pub fn address(&self) -> SocketAddr {
        self.addresses.traffic
    }

    /// The same proxy without the filter.
    ///
    /// # Errors
    /// Not built [with it](EnvoyBuilder::with_bare_listener).
    pub fn bare_address(&self) -> Result<SocketAddr> {
        self.addresses.bare.context("this Envoy has no bare listener: build it with_bare_listener()")
    }

    /// Where HTTP/3 goes in (UDP).
    ///
    /// # Errors
    /// Not built [with it](EnvoyBuilder::with_http3).
    pub fn http3_address(&self) -> Result<SocketAddr> {
        self.addresses.http3.context("this Envoy has no HTTP/3 listener: build it with_http3()")
    }

    /// HTTP/3 without the filter.
    ///
    /// # Errors
    /// Not built with both.
    pub fn bare_http3_address(&self) -> Result<SocketAddr> {
        self.addresses.bare_http3.context("this Envoy has no bare HTTP/3 listener")
    }

    /// The certificate of the HTTP/3 listeners (PEM; name `localhost`), for a client to trust.
    ///
    /// # Errors
    /// Not built [with HTTP/3](EnvoyBuilder::with_http3).
    pub fn certificate_pem(&self) -> Result<String> {
        std::fs::read_to_string(self.files.scratch.file("certificate.pem")).context("read Envoy's certificate")
    }

    /// Envoy's counters, now.
    ///
    /// # Errors
    /// The admin page does not answer.
    pub async fn stats(&self) -> Result<Stats> {
        admin::stats(self.addresses.admin).await.map_err(|error| self.process.with_log(error))
    }

    /// Reads a path of the admin page: `/config_dump`.
    ///
    /// # Errors
    /// The admin page does not answer 200.
    pub async fn admin(&self, path: &str) -> Result<String> {
        admin::get(self.addresses.admin, path).await
    }

    /// Where the admin page is.
    pub fn admin_address(&self) -> SocketAddr {
        self.addresses.admin
    }

    /// The process: to kill, stop, pause, measure.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Starts it again after its end, with the same addresses and the configuration that was accepted last, and waits until
    /// it takes traffic. Its counters begin anew.
    ///
    /// # Errors
    /// It still runs, or does not start.
    pub async fn start_again(&mut self) -> Result<()> {
        ensure!(!self.process.is_running(), "envoy still runs");
        self.process = self.launch.start(&self.files.scratch.log("envoy"))?;
        self.ready().await
    }

    async fn ready(&self) -> Result<()> {
        self.process.ready(START_WITHIN, async || admin::workers_run(self.addresses.admin).await).await
    }

    /// Envoy's log, the filter's lines among it.
    pub fn log(&self) -> &Log {
        self.process.log()
    }

    /// Changes the listeners of the running Envoy through the file that it watches, and waits for its verdict.
    ///
    /// The edit is applied to the last accepted configuration. Edits of clusters have no effect: only listeners are read
    /// from that file. Old listeners are drained for `--drain-time-s` (here 5 s).
    ///
    /// # Errors
    /// Not built [`updatable`](EnvoyBuilder::updatable), the edit does not fit, or no verdict comes.
    pub async fn update(&mut self, edit: impl FnOnce(&mut Config) -> Result<()>) -> Result<Update> {
        ensure!(self.files.listeners.is_some(), "this Envoy cannot be changed: build it updatable()");
        let mut config = self.config.clone();
        edit(&mut config)?;
        let before = self.stats().await?;
        let logged = self.log().text().len();
        self.version += 1;
        self.files.write(config.clone(), self.version)?;
        let (taken, refused) = ("listener_manager.lds.update_success", "listener_manager.lds.update_rejected");
        let verdict = wait::until("Envoy's verdict on its new listeners", UPDATE_WITHIN, async || {
            let now = self.stats().await?;
            match (now.value(taken) > before.value(taken), now.value(refused) > before.value(refused)) {
                (true, _) => Ok(true),
                (_, true) => Ok(false),
                _ => anyhow::bail!("neither taken nor refused"),
            }
        });
        let verdict = verdict.await.map_err(|error| self.process.with_log(error))?;
        if !verdict {
            return Ok(Update::Refused(self.log().text().get(logged..).unwrap_or_default().to_owned()));
        }
        self.config = config;
        Ok(Update::Accepted)
    }
}

/// Where an Envoy listens, and the ports that are held for it.
#[derive(Debug)]
struct Addresses {
    traffic: SocketAddr,
    admin: SocketAddr,
    bare: Option<SocketAddr>,
    http3: Option<SocketAddr>,
    bare_http3: Option<SocketAddr>,
    _held: Vec<Port>,
}
