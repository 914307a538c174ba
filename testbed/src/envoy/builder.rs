//! How an Envoy is to be started.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};
use serde_json::Value;
use xtask::parts;

use super::{Addresses, Config, Envoy, Upstream, files::Files, listeners};
use crate::{
    ports::{self, Port},
    process::{Launch, Scratch},
};

type Edit = Box<dyn FnOnce(&mut Config) -> Result<()> + Send>;

/// How an Envoy is to be started. Edits are applied in the order given, to the file of the repository.
pub struct EnvoyBuilder {
    edits: Vec<Edit>,
    concurrency: u32,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    through: Vec<OsString>,
    filter: bool,
    bare: bool,
    http3: bool,
    updatable: bool,
    fixed: Option<(u16, u16)>,
}

impl Default for EnvoyBuilder {
    fn default() -> EnvoyBuilder {
        EnvoyBuilder {
            edits: Vec::new(),
            concurrency: 1,
            arguments: Vec::new(),
            environment: Vec::new(),
            through: Vec::new(),
            filter: true,
            bare: false,
            http3: false,
            updatable: false,
            fixed: None,
        }
    }
}

impl EnvoyBuilder {
    /// Any edit of the configuration.
    #[must_use]
    pub fn edit(mut self, edit: impl FnOnce(&mut Config) -> Result<()> + Send + 'static) -> EnvoyBuilder {
        self.edits.push(Box::new(edit));
        self
    }

    /// Where the app is (cluster `users`).
    #[must_use]
    pub fn users(self, address: SocketAddr) -> EnvoyBuilder {
        self.edit(move |config| config.set_endpoint("users", address))
    }

    /// Where the collector is (cluster `collector`).
    #[must_use]
    pub fn collector(self, address: SocketAddr) -> EnvoyBuilder {
        self.edit(move |config| config.set_endpoint("collector", address))
    }

    /// Sets fields of the filter's configuration: `json!({"flush_after_ms": 50})`.
    #[must_use]
    pub fn filter(self, fields: Value) -> EnvoyBuilder {
        self.edit(move |config| config.set_filter(&fields))
    }

    /// Sets the filter's configuration to this text, JSON or not.
    #[must_use]
    pub fn filter_text(self, text: impl Into<String>) -> EnvoyBuilder {
        let text = text.into();
        self.edit(move |config| config.set_filter_text(&text))
    }

    /// Puts a route in front of the others.
    #[must_use]
    pub fn route(self, route: Value) -> EnvoyBuilder {
        self.edit(move |config| config.add_route(route))
    }

    /// Adds a cluster with one address.
    #[must_use]
    pub fn cluster(self, name: &str, address: SocketAddr, protocol: Upstream) -> EnvoyBuilder {
        let name = name.to_owned();
        self.edit(move |config| config.add_cluster(&name, address, protocol))
    }

    /// Speaks HTTP/2 without TLS to the app.
    #[must_use]
    pub fn users_over_http2(self) -> EnvoyBuilder {
        self.edit(|config| config.set_upstream("users", Upstream::Http2))
    }

    /// Lets trailers, WebSocket, CONNECT and 100-continue through.
    #[must_use]
    pub fn every_shape(self) -> EnvoyBuilder {
        self.edit(Config::allow_every_shape)
    }

    /// Worker threads, default 1; there is a VM of the filter for each.
    #[must_use]
    pub fn concurrency(mut self, workers: u32) -> EnvoyBuilder {
        self.concurrency = workers;
        self
    }

    /// Further arguments of the command line: `["--drain-time-s", "2"]`.
    #[must_use]
    pub fn args(mut self, arguments: &[&str]) -> EnvoyBuilder {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Sets a variable of Envoy's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> EnvoyBuilder {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it by another command that takes Envoy's at its end: `["valgrind", "--tool=callgrind"]`.
    #[must_use]
    pub fn through(mut self, command: &[OsString]) -> EnvoyBuilder {
        self.through = command.to_owned();
        self
    }

    /// Runs without the filter.
    #[must_use]
    pub fn without_filter(mut self) -> EnvoyBuilder {
        self.filter = false;
        self
    }

    /// Adds a second listener that differs from the first only in having no filter: see [`Envoy::bare_address`].
    #[must_use]
    pub fn with_bare_listener(mut self) -> EnvoyBuilder {
        self.bare = true;
        self
    }

    /// Adds an HTTP/3 listener (with [`with_bare_listener`](Self::with_bare_listener), a bare one too).
    #[must_use]
    pub fn with_http3(mut self) -> EnvoyBuilder {
        self.http3 = true;
        self
    }

    /// Lets the listeners be changed while Envoy runs: see [`Envoy::update`].
    #[must_use]
    pub fn updatable(mut self) -> EnvoyBuilder {
        self.updatable = true;
        self
    }

    /// Fixed ports for traffic and admin page instead of free ones (the demo).
    #[must_use]
    pub fn ports(mut self, traffic: u16, admin: u16) -> EnvoyBuilder {
        self.fixed = Some((traffic, admin));
        self
    }

    /// Starts Envoy and waits until it takes traffic.
    ///
    /// # Errors
    /// Envoy or the wasm file is missing, an edit does not fit the file, or Envoy refuses the configuration: the
    /// error then has the end of its log, with the filter's reason.
    pub async fn start(self) -> Result<Envoy> {
        let program = parts::envoy()?;
        let addresses = Addresses::choose(&self)?;
        let files = Files::new(Scratch::new("envoy")?, self.updatable)?;
        let arguments = self.arguments.clone();
        let (concurrency, environment, through) = (self.concurrency, self.environment.clone(), self.through.clone());
        let config = self.configure(&addresses, &files)?;
        files.write(config.clone(), 1)?;
        let launch = launch(program, &files, concurrency, &arguments);
        let launch = environment.iter().fold(launch, |launch, (name, value)| launch.env(name, value));
        let launch = match through.split_first() {
            Some((program, arguments)) => launch.through(Path::new(program), arguments),
            None => launch,
        };
        let process = launch.start(&files.scratch.log("envoy"))?;
        let envoy = Envoy { launch, process, addresses, files, config, version: 1 };
        envoy.ready().await?;
        Ok(envoy)
    }

    fn configure(self, addresses: &Addresses, files: &Files) -> Result<Config> {
        let mut config = Config::of_repository()?;
        config.set_admin(addresses.admin)?;
        config.set_listen(addresses.traffic)?;
        if self.filter {
            let wasm = parts::filter_wasm();
            let built = wasm.is_file();
            ensure!(built, "the filter is not built: there is no {} (cargo xtask builds it)", wasm.display());
            config.set_wasm(&wasm)?;
        }
        for edit in self.edits {
            edit(&mut config)?;
        }
        if let Some(address) = addresses.bare {
            listeners::add_bare(&mut config, address)?;
        }
        if let Some(http3) = addresses.http3 {
            let (certificate, key) = files.certificate()?;
            let tls = listeners::Tls { certificate: &certificate, key: &key };
            listeners::add_http3(&mut config, "http", http3, &tls)?;
            if let Some(bare) = addresses.bare_http3 {
                listeners::add_http3(&mut config, "bare", bare, &tls)?;
            }
        }
        if !self.filter {
            config.remove_filter()?;
        }
        Ok(config)
    }
}

impl Addresses {
    fn choose(builder: &EnvoyBuilder) -> Result<Addresses> {
        let mut held = Vec::new();
        let mut take = |port: Result<Port>| -> Result<SocketAddr> {
            let port = port?;
            let address = port.address();
            held.push(port);
            Ok(address)
        };
        let (traffic, admin) = match builder.fixed {
            Some((traffic, admin)) => (ports::loopback(traffic), ports::loopback(admin)),
            None => (take(Port::tcp())?, take(Port::tcp())?),
        };
        let bare = builder.bare.then(|| take(Port::tcp())).transpose()?;
        let http3 = builder.http3.then(|| take(Port::udp())).transpose()?;
        let bare_http3 = (builder.http3 && builder.bare).then(|| take(Port::udp())).transpose()?;
        Ok(Addresses { traffic, admin, bare, http3, bare_http3, _held: held })
    }
}

fn launch(program: PathBuf, files: &Files, concurrency: u32, arguments: &[String]) -> Launch {
    let launch = Launch::new("envoy", program)
        .args(["--concurrency", &concurrency.to_string(), "--disable-hot-restart"])
        .args(["--log-level", "info", "-c"])
        .arg(files.config());
    // Short, so that a changed listener lets go of its old filter within a test. Envoy refuses an option given twice.
    match arguments.iter().any(|argument| argument == "--drain-time-s") {
        true => launch.args(arguments),
        false => launch.args(["--drain-time-s", "5"]).args(arguments),
    }
}
