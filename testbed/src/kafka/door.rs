//! A second way in to a broker, for the part under test: guarded, encrypted, or by way of a proxy. The first stays open for
//! the testbed, which must be able to look whatever it has done to the other.

use std::{net::SocketAddr, path::PathBuf};

use crate::ports::Port;

/// What stands between a client and the broker.
#[derive(Debug)]
pub enum Door {
    /// User and password (SCRAM-SHA-256), and rights that each user must be granted. Nobody has any at first:
    /// [`Kafka::set_password`](super::Kafka::set_password), [`Kafka::grant`](super::Kafka::grant).
    Guarded,
    /// TLS. The file holds the key and the chain of certificates, PEM, and is read when the broker starts.
    Tls(PathBuf),
    /// Nothing; but the broker tells its clients the address of a proxy.
    Proxied {
        /// Where the broker listens behind the proxy.
        listens: Port,
        /// Where the proxy listens.
        proxy: SocketAddr,
    },
}

/// How long a password is believed before a client has to show it again.
const SHOW_AGAIN_AFTER_MS: u32 = 4_000;

impl Door {
    /// Where the broker listens, and where it sends its clients; with the port if it is to be held.
    pub(super) fn place(&mut self, free: impl FnOnce() -> anyhow::Result<Port>) -> anyhow::Result<Place> {
        match self {
            Door::Proxied { listens, proxy } => Ok(Place { listens: listens.address(), told: *proxy, held: None }),
            Door::Guarded | Door::Tls(_) => {
                let port = free()?;
                Ok(Place { listens: port.address(), told: port.address(), held: Some(port) })
            }
        }
    }

    /// The lines of `server.properties` besides the listeners.
    pub(super) fn properties(&self) -> String {
        let protocol = match self {
            Door::Guarded => "SASL_PLAINTEXT",
            Door::Tls(_) => "SSL",
            Door::Proxied { .. } => "PLAINTEXT",
        };
        let map =
            format!("listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,{NAME}:{protocol}\n");
        let name = NAME.to_ascii_lowercase();
        match self {
            Door::Guarded => format!(
                "{map}sasl.enabled.mechanisms=SCRAM-SHA-256\n\
                 listener.name.{name}.scram-sha-256.sasl.jaas.config=\
                 org.apache.kafka.common.security.scram.ScramLoginModule required;\n\
                 connections.max.reauth.ms={SHOW_AGAIN_AFTER_MS}\n\
                 authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
                 super.users=User:ANONYMOUS\n"
            ),
            Door::Tls(file) => format!(
                "{map}listener.name.{name}.ssl.keystore.type=PEM\nlistener.name.{name}.ssl.keystore.location={}\n",
                file.display()
            ),
            Door::Proxied { .. } => map,
        }
    }
}

/// The addresses of a door.
pub(super) struct Place {
    pub(super) listens: SocketAddr,
    pub(super) told: SocketAddr,
    pub(super) held: Option<Port>,
}

/// The listener's name in `server.properties`.
pub(super) const NAME: &str = "DOOR";
