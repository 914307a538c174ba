//! The flags that say who may post, and over what.

use std::path::PathBuf;

use crate::{door::San, server::tls::TlsFiles};

/// The walls as they are given.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Security")]
pub struct SecuritySettings {
    /// Certificate chain of the server, PEM; with it only TLS is spoken. Read again when it, the key or the client
    /// authorities change
    #[arg(long, env = "TRIBUTARY_TLS_CERT", requires = "tls_key", value_name = "PATH")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the server, PEM
    #[arg(long, env = "TRIBUTARY_TLS_KEY", requires = "tls_cert", value_name = "PATH")]
    pub tls_key: Option<PathBuf>,

    /// Authorities of client certificates, PEM; a post needs a certificate of one of them
    #[arg(long, env = "TRIBUTARY_TLS_CLIENT_CA", requires = "tls_cert", value_name = "PATH")]
    pub tls_client_ca: Option<PathBuf>,

    /// Names that may post, one of which must be among a client certificate's subject alternative names: DNS names, or
    /// URIs like spiffe://mesh.example/envoy, joined by commas; left out: all of the authorities may
    #[arg(long, env = "TRIBUTARY_TLS_CLIENT_SAN", requires = "tls_client_ca", value_name = "NAME")]
    #[arg(value_delimiter = ',')]
    pub tls_client_san: Vec<San>,

    /// A file of bearer tokens, one a line, 16 characters or more each; a post needs one of them. Read again when it
    /// changes
    #[arg(long, env = "TRIBUTARY_TOKEN_FILE", value_name = "PATH")]
    pub token_file: Option<PathBuf>,

    /// Listen beyond loopback though posts need neither token nor client certificate; /ready and a metric show it
    #[arg(long, env = "TRIBUTARY_INSECURE_NO_AUTH")]
    pub insecure_no_auth: bool,
}

impl SecuritySettings {
    /// Whether a post has to show who sends it.
    pub fn asks(&self) -> bool {
        self.token_file.is_some() || self.tls_client_ca.is_some()
    }

    /// The files of TLS; `None`: clear text.
    pub(crate) fn tls(&self) -> Option<TlsFiles> {
        let (certificate, key) = (self.tls_cert.clone()?, self.tls_key.clone()?);
        Some(TlsFiles { certificate, key, client_ca: self.tls_client_ca.clone() })
    }
}
