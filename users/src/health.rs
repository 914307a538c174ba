//! The self-check: one GET to a running app. For the health check of a container image that holds no curl.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, bail};
use axum::{body::Body, http::Uri};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

/// How long the answer may take.
const DEADLINE: Duration = Duration::from_secs(3);

/// `/health` of an app that listens there, as seen from this machine: "any address" becomes loopback.
pub(crate) fn url_of(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}/health", SocketAddr::new(ip, listen.port()))
}

/// Asks `url` and is content with any 2xx.
///
/// # Errors
/// The URL is none, nobody answers there within 3 s, or the answer is not a 2xx; the text says which.
pub(crate) async fn check(url: &str) -> anyhow::Result<()> {
    let uri: Uri =
        url.parse().with_context(|| format!("--url {url:?} is not a URL like http://127.0.0.1:8080/health"))?;
    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
    let response = tokio::time::timeout(DEADLINE, client.get(uri))
        .await
        .with_context(|| format!("{url} did not answer within {} s", DEADLINE.as_secs()))?
        .with_context(|| format!("{url} did not answer"))?;
    if !response.status().is_success() {
        bail!("{url} answered {}", response.status());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{routes, store::Store};

    #[test]
    fn any_address_is_asked_on_loopback() {
        assert_eq!(url_of("0.0.0.0:8080".parse().unwrap()), "http://127.0.0.1:8080/health");
        assert_eq!(url_of("[::]:8080".parse().unwrap()), "http://[::1]:8080/health");
        assert_eq!(url_of("10.1.2.3:80".parse().unwrap()), "http://10.1.2.3:80/health");
    }

    #[tokio::test]
    async fn running_app_is_healthy_and_another_path_is_not() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, routes::app(Arc::new(Store::default()))).into_future());

        let healthy = check(&url_of(address)).await;
        let missing = check(&format!("http://{address}/nothing")).await;

        assert!(healthy.is_ok(), "{healthy:?}");
        assert_eq!(missing.unwrap_err().to_string(), format!("http://{address}/nothing answered 404 Not Found"));
    }

    #[tokio::test]
    async fn closed_port_is_not_healthy() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);

        let refused = check(&url_of(address)).await;

        assert_eq!(refused.unwrap_err().to_string(), format!("http://{address}/health did not answer"));
    }
}
