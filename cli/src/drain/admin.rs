//! Envoy's admin page, as far as a drain needs it: plain HTTP/1.1, one connection a request.

use std::{str::FromStr, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Method, Request, StatusCode, Uri, body::Bytes, client::conn::http1, header::HOST, http::uri::Authority};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use super::account::{Account, PREFIX};

/// The page answers in milliseconds; this is for a proxy whose main thread is busy.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Far above the filter's statistics.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// Where the admin page is: `http://127.0.0.1:9901`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Admin {
    authority: Authority,
}

impl FromStr for Admin {
    type Err = String;

    fn from_str(text: &str) -> Result<Admin, String> {
        let wrong = || "it must be a URL like http://127.0.0.1:9901, without a path".to_owned();
        let parts = text.parse::<Uri>().map_err(|_| wrong())?.into_parts();
        let is_plain = parts.scheme.as_ref().is_some_and(|scheme| scheme.as_str() == "http")
            && parts.path_and_query.as_ref().is_none_or(|path| path.as_str() == "/");
        let authority = parts.authority.filter(|authority| is_plain && !authority.as_str().contains('@'));
        authority.map(|authority| Admin { authority }).ok_or_else(wrong)
    }
}

impl std::fmt::Display for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

impl Admin {
    /// The filter's statistics, now; `None` if Envoy has none of them.
    ///
    /// # Errors
    /// No answer, or another than 200.
    pub(super) async fn account(&self) -> Result<Option<Account>> {
        let text = self.ask(Method::GET, &format!("/stats?filter={PREFIX}")).await?;
        Ok(Account::parse(&text))
    }

    /// Posts to one of the pages that do something.
    ///
    /// # Errors
    /// No answer, or another than 200.
    pub(super) async fn post(&self, path: &str) -> Result<()> {
        self.ask(Method::POST, path).await.map(drop)
    }

    async fn ask(&self, method: Method, path: &str) -> Result<String> {
        let what = format!("{method} {path}");
        match timeout(ANSWER_WITHIN, self.exchange(method, path)).await {
            Ok(answer) => answer.with_context(|| format!("envoy's admin page at {self}: {what}")),
            Err(_) => bail!("envoy's admin page at {self}: {what}: no answer within {} s", ANSWER_WITHIN.as_secs()),
        }
    }

    async fn exchange(&self, method: Method, path: &str) -> Result<String> {
        let (host, port) = (self.authority.host().trim_matches(['[', ']']), self.authority.port_u16().unwrap_or(80));
        let stream = TcpStream::connect((host, port)).await.context("cannot be reached")?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder().method(method).uri(path).header(HOST, self.authority.as_str());
        let request = request.body(Empty::<Bytes>::new())?;
        let answer = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
            ensure!(status == StatusCode::OK, "it answers {status}");
            String::from_utf8(body.to_vec()).context("it answers something else than text")
        };
        tokio::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            // It drives the exchange; when it ends first, the answer is there or never will be.
            _ = connection => answer.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_a_plain_url() {
        for good in ["http://127.0.0.1:9901", "http://localhost:15000/", "http://[::1]:9901", "http://envoy"] {
            assert!(good.parse::<Admin>().is_ok(), "{good}");
        }
        for bad in
            ["", "127.0.0.1:9901", "https://127.0.0.1:9901", "http://127.0.0.1:9901/stats", "http://a@b:1", "x y"]
        {
            assert!(bad.parse::<Admin>().is_err(), "{bad}");
        }
    }
}
