//! The self-check: asks a running collector whether it is ready. For health checks in images without curl.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use axum::body::Body;
use http::{StatusCode, Uri};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use thiserror::Error;

/// How long the answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Why a collector is not known to be ready.
#[derive(Debug, Error)]
pub enum HealthError {
    /// The address is none.
    #[error("{0:?} is no URL like http://127.0.0.1:8088/ready")]
    NotAUrl(String),
    /// Nobody answered: the collector is not running, or listens elsewhere, or speaks TLS there.
    #[error("{url} gave no answer, or none within {} s", ANSWER_WITHIN.as_secs())]
    NoAnswer {
        /// What was asked.
        url: String,
    },
    /// It answered that it is not ready; `/ready` says why.
    #[error("{url} answered {status}")]
    NotReady {
        /// What was asked.
        url: String,
        /// What it said.
        status: StatusCode,
    },
}

/// The `/ready` of a collector that listens there, as seen from this machine: "any address" becomes loopback.
pub fn ready_url(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}/ready", SocketAddr::new(ip, listen.port()))
}

/// Asks `url` and is content with any 2xx.
///
/// # Errors
/// All of [`HealthError`].
pub async fn check(url: &str) -> Result<(), HealthError> {
    let uri: Uri = url.parse().map_err(|_| HealthError::NotAUrl(url.to_owned()))?;
    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
    match tokio::time::timeout(ANSWER_WITHIN, client.get(uri)).await {
        Ok(Ok(response)) if response.status().is_success() => Ok(()),
        Ok(Ok(response)) => Err(HealthError::NotReady { url: url.to_owned(), status: response.status() }),
        Ok(Err(_)) | Err(_) => Err(HealthError::NoAnswer { url: url.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, routing::get};

    use super::*;

    #[test]
    fn any_address_is_asked_on_loopback() {
        assert_eq!(ready_url("0.0.0.0:8088".parse().unwrap()), "http://127.0.0.1:8088/ready");
        assert_eq!(ready_url("[::]:8088".parse().unwrap()), "http://[::1]:8088/ready");
        assert_eq!(ready_url("192.0.2.1:80".parse().unwrap()), "http://192.0.2.1:80/ready");
    }

    #[tokio::test]
    async fn only_a_ready_collector_is_healthy() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new()
            .route("/ready", get(|| async { "ok" }))
            .route("/degraded", get(|| async { StatusCode::SERVICE_UNAVAILABLE }));
        tokio::spawn(async move { axum::serve(listener, routes).await });

        assert!(check(&ready_url(address)).await.is_ok());
        assert!(matches!(check(&format!("http://{address}/degraded")).await, Err(HealthError::NotReady { .. })));
        assert!(matches!(check("http://127.0.0.1:1/ready").await, Err(HealthError::NoAnswer { .. })));
        assert!(matches!(check("not a url").await, Err(HealthError::NotAUrl(_))));
    }
}
