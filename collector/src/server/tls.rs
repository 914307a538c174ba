//! The certificate and key of the server.

use std::{path::Path, sync::Arc};

use thiserror::Error;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    },
};

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
}

/// Reads a chain of certificates (the server's first) and its key, both PEM. Offers HTTP/2 and HTTP/1.1 by ALPN, TLS
/// 1.2 and 1.3.
///
/// # Errors
/// All of [`TlsError`]: repair the files.
pub(crate) fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let shown = |path: &Path| path.display().to_string();
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| TlsError::Pem { what: "certificates", path: shown(certificate), source })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: shown(certificate) });
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::Pem {
        what: "a private key",
        path: shown(key),
        source,
    })?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
        .map_err(TlsError::Unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
