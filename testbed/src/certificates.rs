//! Certificates of an authority of one's own: good ones for servers and clients, and those that have to be refused.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd};

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing: it names 127.0.0.1 and is valid.
    None,
    /// It names another host.
    OtherName,
    /// It has expired.
    Expired,
}

/// An authority, and where its certificate lies for clients (`ssl.ca.location`).
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    file: PathBuf,
}

/// Where a certificate and its key lie, both PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate, alone.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

impl Authority {
    /// A new one; its certificate is written into the folder.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn new(folder: &Path) -> Result<Authority> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.distinguished_name.push(DnType::CommonName, "testbed authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        let file = folder.join("authority.pem");
        std::fs::write(&file, &pem).context("write the authority's certificate")?;
        Ok(Authority { issuer: Issuer::new(params, key), pem, file })
    }

    /// Where the certificate of the authority lies.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Writes certificate and key of a server or client with these names (those with a `:` are URIs) into two files of
    /// the folder, and says where.
    ///
    /// # Errors
    /// A name is none, or a file cannot be written.
    pub fn write(&self, folder: &Path, file: &str, names: &[&str]) -> Result<Identity> {
        let mut params = CertificateParams::default();
        for name in names {
            params.subject_alt_names.push(match name.contains(':') {
                true => SanType::URI((*name).try_into()?),
                false => SanType::DnsName((*name).try_into()?),
            });
        }
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        let identity =
            Identity { certificate: folder.join(format!("{file}.pem")), key: folder.join(format!("{file}.key")) };
        for (file, text) in [(&identity.certificate, certificate), (&identity.key, key.serialize_pem())] {
            std::fs::write(file, text).with_context(|| format!("write {}", file.display()))?;
        }
        Ok(identity)
    }

    /// Writes key and certificate of a broker at 127.0.0.1, as [`Door::Tls`](crate::kafka::Door::Tls) wants them.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_keystore(&self, file: &Path, flaw: Flaw) -> Result<()> {
        let name = if flaw == Flaw::OtherName { "other.example" } else { "127.0.0.1" };
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        if flaw == Flaw::Expired {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 2, 28));
        }
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        let keystore = format!("{}{certificate}{}", key.serialize_pem(), self.pem);
        std::fs::write(file, keystore).with_context(|| format!("write {}", file.display()))
    }
}
