//! Certificate and key of the server, the authorities of its clients, and what is thought of a client's certificate.
//!
//! The files are looked at again with new connections, at most once a second: a renewed certificate, or a changed list of
//! authorities, is in force without a restart. Where the new files cannot be used the known ones stay, and `/ready` says
//! so. A connection that lasts is judged anew each minute and when the files change, so that a certificate that expires, or
//! whose authority is gone, ends there too.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem, pem::PemObject as _},
    server::{VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

use crate::{door::San, log::Gate, stamp::Stamp};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a verdict on a client's certificate holds.
const JUDGE_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Why a certificate or key cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("read {what} from {path}")]
    Pem {
        /// `certificates` or `a private key`.
        what: &'static str,
        /// The file.
        path: String,
        /// What is wrong.
        #[source]
        source: pem::Error,
    },
    /// The certificate file holds none.
    #[error("{path} holds no certificate in PEM form")]
    NoCertificate {
        /// The file.
        path: String,
    },
    /// They do not fit each other.
    #[error("certificate and key cannot be used together")]
    Unusable(#[source] rustls::Error),
    /// A certificate in the file of authorities is none of an authority.
    #[error("{path} holds a certificate that no client can be checked against")]
    Authority {
        /// The file.
        path: String,
        /// What is wrong with it.
        #[source]
        source: rustls::Error,
    },
    /// Clients cannot be checked.
    #[error("client certificates cannot be checked")]
    Verifier(#[source] VerifierBuilderError),
}

/// Where everything lies.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    /// The chain of the server, its own first.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities of clients; `None`: no certificate is asked for.
    pub client_ca: Option<PathBuf>,
}

/// TLS as this server speaks it: 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN.
pub(crate) struct Tls {
    files: TlsFiles,
    /// The clients that are admitted; empty: all of the authorities.
    admitted: Vec<San>,
    state: Mutex<State>,
}

struct State {
    loaded: Loaded,
    stamps: [Stamp; 3],
    looked: Instant,
    /// How often other files came into force.
    generation: u64,
    failure: Option<String>,
}

#[derive(Clone)]
struct Loaded {
    acceptor: TlsAcceptor,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// All of [`TlsError`]: repair the files.
    pub(crate) fn open(files: TlsFiles, admitted: Vec<San>) -> Result<Arc<Tls>, TlsError> {
        let stamps = files.stamps();
        let state = State { loaded: files.load()?, stamps, looked: Instant::now(), generation: 0, failure: None };
        Ok(Arc::new(Tls { files, admitted, state: Mutex::new(state) }))
    }

    /// What shakes hands with a new connection.
    pub(crate) fn acceptor(&self, now: Instant) -> TlsAcceptor {
        self.refreshed(now).loaded.acceptor.clone()
    }

    /// Whether posts need a client certificate.
    pub(crate) fn asks_for_certificates(&self) -> bool {
        self.files.client_ca.is_some()
    }

    /// Why the files as they are now are not in force.
    pub(crate) fn failure(&self) -> Option<String> {
        self.refreshed(Instant::now()).failure.clone()
    }

    fn refreshed(&self, now: Instant) -> MutexGuard<'_, State> {
        static UNUSABLE: Gate = Gate::new();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(state.looked) < LOOK_EVERY {
            return state;
        }
        state.looked = now;
        let stamps = self.files.stamps();
        if stamps == state.stamps {
            state.failure = None;
            return state;
        }
        match self.files.load() {
            Ok(loaded) => {
                tracing::info!("Certificates read again.");
                state.generation += 1;
                (state.loaded, state.stamps, state.failure) = (loaded, stamps, None);
            }
            // Tried again in a second: the key may follow its certificate in a moment.
            Err(error) => {
                if let Some(held_back) = UNUSABLE.pass() {
                    tracing::warn!(%error, held_back, "Changed certificates cannot be used, the known ones stay.");
                }
                state.failure = Some(error.to_string());
            }
        }
        state
    }

    /// What is thought of a chain (the client's own first), and for which files that holds.
    fn judge(&self, chain: &[CertificateDer<'_>], now: Instant) -> (Verdict, u64) {
        let (verifier, generation) = {
            let state = self.refreshed(now);
            (state.loaded.verifier.clone(), state.generation)
        };
        let verdict = match (chain.split_first(), verifier) {
            (None, _) => Verdict::Missing,
            (Some((own, between)), Some(verifier)) => {
                let trusted = verifier.verify_client_cert(own, between, UnixTime::now()).is_ok();
                let admitted = self.admitted.is_empty() || San::any_in(&self.admitted, own);
                if trusted && admitted { Verdict::Admitted } else { Verdict::Refused }
            }
            (Some(_), None) => Verdict::Refused,
        };
        (verdict, generation)
    }
}

/// What is thought of a client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may post.
    Admitted,
    /// There is none.
    Missing,
    /// It has none of the admitted names, has expired, or its authority is not known any more.
    Refused,
}

/// The other end of a TLS connection.
pub(crate) struct Client {
    tls: Arc<Tls>,
    chain: Vec<CertificateDer<'static>>,
    judged: Mutex<Option<Judged>>,
}

#[derive(Clone, Copy)]
struct Judged {
    verdict: Verdict,
    generation: u64,
    at: Instant,
}

impl Client {
    /// One that showed this chain; empty if it showed none.
    pub(crate) fn new(tls: Arc<Tls>, chain: Vec<CertificateDer<'static>>) -> Arc<Client> {
        Arc::new(Client { tls, chain, judged: Mutex::new(None) })
    }

    /// Whether it may post now.
    pub(crate) fn verdict(&self, now: Instant) -> Verdict {
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.tls.refreshed(now).generation;
        match *judged {
            Some(Judged { verdict, generation: of, at })
                if of == generation && now.duration_since(at) < JUDGE_AGAIN_AFTER =>
            {
                verdict
            }
            _ => {
                let (verdict, generation) = self.tls.judge(&self.chain, now);
                *judged = Some(Judged { verdict, generation, at: now });
                verdict
            }
        }
    }
}

impl TlsFiles {
    fn stamps(&self) -> [Stamp; 3] {
        // Without authorities the certificate counts twice, which changes nothing.
        [&self.certificate, &self.key, self.client_ca.as_ref().unwrap_or(&self.certificate)].map(|path| Stamp::of(path))
    }

    fn load(&self) -> Result<Loaded, TlsError> {
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|source| TlsError::Pem {
            what: "a private key",
            path: self.key.display().to_string(),
            source,
        })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = self.client_ca.as_deref().map(|path| verifier(path, &provider)).transpose()?;
        let clients = verifier.clone().unwrap_or_else(WebPkiClientVerifier::no_client_auth);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_client_cert_verifier(clients).with_single_cert(chain, key))
            .map_err(TlsError::Unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Loaded { acceptor: TlsAcceptor::from(Arc::new(config)), verifier })
    }
}

/// Asks for a certificate, and lets those shake hands who have none: health checks and scrapers. Posts are asked again.
fn verifier(path: &Path, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(path)? {
        let unusable = |source| TlsError::Authority { path: path.display().to_string(), source };
        roots.add(authority).map_err(unusable)?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    builder.allow_unauthenticated().build().map_err(TlsError::Verifier)
}

/// The certificates of a file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let shown = || path.display().to_string();
    let chain = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| TlsError::Pem { what: "certificates", path: shown(), source })?;
    if chain.is_empty() { Err(TlsError::NoCertificate { path: shown() }) } else { Ok(chain) }
}

#[cfg(test)]
mod tests;
