//! The whole collector: started from settings, ended within a time.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use thiserror::Error;
use tokio::{task::JoinHandle, time::Instant};
use tributary_topic::TopicError;

use crate::{
    accounts::Teller,
    app::App,
    auth::{TokenError, Tokens},
    door::{Door, Exposure},
    server::{
        self, Server,
        tls::{Tls, TlsError},
    },
    settings::{Settings, SettingsError},
    sink::{
        Sink,
        file::{FileError, FileSink},
        kafka::{KafkaSettings, KafkaSink},
        spooling::SpoolingSink,
    },
    spool::{Spool, SpoolError},
    wall::WallError,
};

/// How long a sink that nothing was stored in may take to end.
const UNUSED_SINK_ENDS_WITHIN: Duration = Duration::from_secs(5);

/// Why a collector does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Settings do not fit each other.
    #[error("settings")]
    Settings(#[from] SettingsError),
    /// A librdkafka setting is wrong.
    #[error("kafka")]
    Kafka(#[from] TopicError),
    /// The file cannot be used.
    #[error("--file")]
    File(#[from] FileError),
    /// The spool cannot be used.
    #[error("--spool")]
    Spool(#[from] SpoolError),
    /// The tokens cannot be used.
    #[error("--token-file")]
    Tokens(#[from] TokenError),
    /// Certificate, key or client authorities cannot be used.
    #[error("--tls-cert, --tls-key, --tls-client-ca")]
    Tls(#[from] TlsError),
    /// The second wall cannot be built.
    #[error("redaction")]
    Wall(#[from] WallError),
    /// Neither brokers nor a file; clap refuses that before.
    #[error("one of --brokers and --file is needed")]
    NoSink,
    /// The address is taken, or not ours. The only error that is not of the settings alone.
    #[error("listen on {address}")]
    Listen {
        /// As given.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl StartError {
    /// Whether the settings have to change before another try makes sense.
    pub fn is_of_settings(&self) -> bool {
        match self {
            StartError::Listen { .. } | StartError::File(FileError::InUse(_) | FileError::Io { .. }) => false,
            StartError::Spool(error) => error.is_of_settings(),
            _ => true,
        }
    }
}

/// A collector that serves.
pub struct Collector {
    app: Arc<App>,
    server: Arc<Server>,
    accepting: JoinHandle<()>,
    accounts: Teller,
    address: SocketAddr,
}

impl Collector {
    /// Checks the settings, opens the sink, then the port. Needs a runtime. Kafka need not be there.
    ///
    /// # Errors
    /// All of [`StartError`]; nothing is left open.
    pub async fn start(settings: &Settings) -> Result<Collector, StartError> {
        settings.check()?;
        let security = &settings.security;
        let tokens = security.token_file.as_deref().map(Tokens::open).transpose()?;
        let tls = security.tls().map(|files| Tls::open(files, security.tls_client_san.clone())).transpose()?;
        let wall = settings.redaction.wall()?;
        for why in wall.warnings() {
            tracing::warn!(why, "Secrets may be stored.");
        }
        let sink: Arc<dyn Sink> = match (settings.kafka()?, &settings.file) {
            (Some(kafka), _) => kafka_sink(settings, kafka)?,
            (None, Some(path)) => Arc::new(FileSink::open(path)?),
            (None, None) => return Err(StartError::NoSink),
        };
        let listen = |source| StartError::Listen { address: settings.listen, source };
        let listener = match server::listen(settings.listen) {
            Ok(listener) => listener,
            Err(error) => {
                // Nothing was stored yet, so it ends at once; but it has to be waited for, or its file stays locked.
                sink.close(UNUSED_SINK_ENDS_WITHIN).await;
                return Err(listen(error));
            }
        };
        let address = listener.local_addr().map_err(listen)?;
        let exposure = Exposure::of(address, security.asks(), tls.is_some());
        if let Some(why) = exposure.warning() {
            tracing::warn!(%address, why, "Not as safe as it should be.");
        }
        let app = App::new(sink, Door::new(tokens, tls.clone(), exposure), wall, settings.limits());
        let server = Server::new(Arc::clone(&app), tls, settings.server_limits());
        let accepting = tokio::spawn(Arc::clone(&server).serve(listener));
        let accounts = Teller::start(Arc::clone(&app));
        tracing::info!(%address, "Listening.");
        Ok(Collector { app, server, accepting, accounts, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it: not ready, no new connections, what is in is finished, the sink is flushed. `false`: `within` was too
    /// short for that; what was cut off was never acknowledged.
    pub async fn end(self, within: Duration) -> bool {
        let started = Instant::now();
        let left = || within.saturating_sub(started.elapsed());
        self.app.drain();
        self.app.sink.prepare_to_end(within);
        // A tenth is kept for the sink, whose records time out by themselves.
        let finished = self.server.end(left().mul_f64(0.9)).await;
        // The port is free from here on.
        let _ = self.accepting.await;
        self.app.posts.close();
        let stored = tokio::time::timeout(left().mul_f64(0.5), self.app.posts.wait()).await.is_ok();
        if !self.accounts.end(&self.app, left().mul_f64(0.5)).await {
            tracing::warn!("The last accounts of some sources are not stored; an audit may find gaps unexplained.");
        }
        self.app.sink.close(left()).await;
        finished && stored
    }
}

/// Kafka, with a spool beside it if there is to be one.
fn kafka_sink(settings: &Settings, kafka: KafkaSettings) -> Result<Arc<dyn Sink>, StartError> {
    let Some(spool) = settings.spool.settings() else { return Ok(Arc::new(KafkaSink::open(kafka)?)) };
    // Before Kafka is called: it may be in use, or a directory that cannot be written.
    let spool = Spool::open(spool)?;
    let (delivery, request) = (settings.delivery_timeout, settings.limits.request_timeout);
    // Kafka has its full time, and the disk most of what is left until the answer is due.
    let take_over_after = delivery + (request - delivery) / 4;
    Ok(Arc::new(SpoolingSink::new(Arc::new(KafkaSink::open(kafka)?), spool, take_over_after)))
}

#[cfg(test)]
mod tests;
