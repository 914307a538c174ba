//! Who may post: every wall that is set up has to be passed, before a byte of the body is read.
//!
//! - Bearer tokens (`--token-file`): without a known one 401.
//! - Client certificates (`--tls-client-ca`): without one 401; with one that is not (or no longer) admitted 403. A
//!   certificate of another authority ends in the handshake.
//!
//! Only posts are asked: `/live`, `/ready`, `/metrics` and `/v1/accounting` answer everybody who reaches the port, so that
//! health checks and scrapers need no secret. They hold counts and names of sources, nothing of the traffic.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use http::request::Parts;

use crate::{
    auth::Tokens,
    error::Refusal,
    server::tls::{Client, Tls, Verdict},
};

pub use san::San;

mod san;

/// What is not as safe as it should be at the address where we listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exposure {
    /// Loopback, or whoever posts shows who it is over TLS.
    None,
    /// Others than this machine reach it, and nobody is asked (`--insecure-no-auth`).
    NoAuth,
    /// Tokens and traffic come over the network in clear text.
    ClearText,
}

impl Exposure {
    /// That of an address with these walls.
    pub(crate) fn of(address: SocketAddr, asks: bool, encrypts: bool) -> Exposure {
        match (is_loopback(address), asks, encrypts) {
            (true, ..) | (false, true, true) => Exposure::None,
            (false, false, _) => Exposure::NoAuth,
            (false, true, false) => Exposure::ClearText,
        }
    }

    /// What `GET /ready` and the log say of it.
    pub(crate) fn warning(self) -> Option<&'static str> {
        match self {
            Exposure::None => None,
            Exposure::NoAuth => Some("everybody who reaches this address can post: --insecure-no-auth is given"),
            Exposure::ClearText => Some("tokens and exchanges come over the network in clear text: no --tls-cert"),
        }
    }
}

/// Whether only this machine reaches the address.
pub(crate) fn is_loopback(address: SocketAddr) -> bool {
    // Also ::ffff:127.0.0.1.
    address.ip().to_canonical().is_loopback()
}

/// Posts that were turned away, by reason.
#[derive(Debug, Default)]
pub(crate) struct TurnedAway {
    /// No token, or one that is not known.
    pub token: AtomicU64,
    /// No client certificate.
    pub no_certificate: AtomicU64,
    /// A client certificate that is not admitted.
    pub certificate: AtomicU64,
}

/// The walls.
pub(crate) struct Door {
    tokens: Option<Tokens>,
    tls: Option<Arc<Tls>>,
    exposure: Exposure,
    /// Counts.
    pub turned_away: TurnedAway,
}

impl Door {
    /// With these walls; `None` for one that is not there.
    pub(crate) fn new(tokens: Option<Tokens>, tls: Option<Arc<Tls>>, exposure: Exposure) -> Door {
        Door { tokens, tls, exposure, turned_away: TurnedAway::default() }
    }

    /// Lets the head of a post pass, or says why not.
    ///
    /// # Errors
    /// - [`Refusal::NoCertificate`], [`Refusal::Certificate`]: of the connection that it came over.
    /// - [`Refusal::Unauthorized`]: no token, or none that is known.
    pub(crate) fn admit(&self, head: &Parts) -> Result<(), Refusal> {
        if self.tls.as_ref().is_some_and(|tls| tls.asks_for_certificates()) {
            let client = head.extensions.get::<Arc<Client>>();
            // A request without the mark of its connection cannot come in, and would not pass if it did.
            match client.map_or(Verdict::Missing, |client| client.verdict(Instant::now())) {
                Verdict::Admitted => {}
                Verdict::Missing => return Err(turned_away(&self.turned_away.no_certificate, Refusal::NoCertificate)),
                Verdict::Refused => return Err(turned_away(&self.turned_away.certificate, Refusal::Certificate)),
            }
        }
        match &self.tokens {
            Some(tokens) if !tokens.admit(&head.headers) => {
                Err(turned_away(&self.turned_away.token, Refusal::Unauthorized))
            }
            _ => Ok(()),
        }
    }

    /// What an operator should know.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let exposure = self.exposure.warning().map(str::to_owned);
        exposure.into_iter().chain(self.tokens_failure()).chain(self.tls_failure()).collect()
    }

    /// Why changed tokens are not in force.
    pub(crate) fn tokens_failure(&self) -> Option<String> {
        self.tokens.as_ref()?.failure().map(|why| format!("changed tokens are not in force: {why}"))
    }

    /// Why a changed certificate is not in force.
    pub(crate) fn tls_failure(&self) -> Option<String> {
        self.tls.as_ref()?.failure().map(|why| format!("changed certificates are not in force: {why}"))
    }

    /// What is not as safe as it should be.
    pub(crate) fn exposure(&self) -> Exposure {
        self.exposure
    }
}

fn turned_away(count: &AtomicU64, refusal: Refusal) -> Refusal {
    count.fetch_add(1, Ordering::Relaxed);
    refusal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_that_others_reach_is_exposed() {
        let at = |address: &str, asks, encrypts| Exposure::of(address.parse().expect("an address"), asks, encrypts);

        for local in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(at(local, false, false), Exposure::None, "{local}");
        }
        for public in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[2001:db8::1]:1", "[::ffff:192.0.2.1]:1"] {
            assert_eq!(at(public, false, true), Exposure::NoAuth, "{public}");
            assert_eq!(at(public, true, false), Exposure::ClearText, "{public}");
            assert_eq!(at(public, true, true), Exposure::None, "{public}");
        }
    }
}
