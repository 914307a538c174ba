//! The names that client certificates are admitted by.

use std::{fmt, str::FromStr};

use rustls::pki_types::CertificateDer;

/// Bytes of a name: those of a SPIFFE ID at most (SPIFFE-ID §2.3).
const MAX_BYTES: usize = 2048;

/// One subject alternative name (RFC 5280 §4.2.1.6), compared as a whole: wildcards mean nothing here.
///
/// ```text
/// envoy.mesh.example                       a DNS name, whatever its case
/// spiffe://mesh.example/ns/edge/sa/envoy   a URI, byte for byte
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum San {
    /// A DNS name, in lower case.
    Dns(String),
    /// A URI.
    Uri(String),
}

impl San {
    /// Whether one of these names stands in the certificate.
    pub(crate) fn any_in(names: &[San], certificate: &CertificateDer<'_>) -> bool {
        let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else { return false };
        names.iter().any(|name| match name {
            San::Dns(name) => certificate.valid_dns_names().any(|found| found.eq_ignore_ascii_case(name)),
            San::Uri(uri) => certificate.valid_uri_names().any(|found| found == uri),
        })
    }
}

impl FromStr for San {
    type Err = String;

    fn from_str(text: &str) -> Result<San, String> {
        match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) && is_rest(rest) && text.len() <= MAX_BYTES => {
                Ok(San::Uri(text.to_owned()))
            }
            None if is_dns_name(text) => Ok(San::Dns(text.to_ascii_lowercase())),
            _ => Err("neither a DNS name without wildcards (envoy.example) nor a URI (spiffe://mesh.example/envoy)"
                .to_owned()),
        }
    }
}

impl fmt::Display for San {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (San::Dns(name) | San::Uri(name)) = self;
        f.write_str(name)
    }
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// What may follow the scheme: visible ASCII; whether it is a good URI is the authority's affair.
fn is_rest(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*')
}

fn is_dns_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn certificate(names: Vec<SanType>) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate").der().clone()
    }

    fn dns(name: &str) -> SanType {
        SanType::DnsName(name.try_into().expect("a name"))
    }

    fn uri(name: &str) -> SanType {
        SanType::URI(name.try_into().expect("a URI"))
    }

    fn names(all: &[&str]) -> Vec<San> {
        all.iter().map(|name| name.parse().expect("a name")).collect()
    }

    #[test]
    fn a_certificate_is_known_by_any_of_its_names() {
        let both = certificate(vec![dns("Envoy.Mesh.example"), uri("spiffe://mesh.example/envoy")]);

        assert!(San::any_in(&names(&["envoy.mesh.EXAMPLE"]), &both));
        assert!(San::any_in(&names(&["other.example", "spiffe://mesh.example/envoy"]), &both));
    }

    #[test]
    fn a_name_that_only_resembles_is_another() {
        let known = names(&["envoy.mesh.example", "spiffe://mesh.example/envoy"]);

        for others in [
            vec![],
            vec![dns("mesh.example")],
            vec![dns("a.envoy.mesh.example")],
            vec![dns("*.mesh.example")],
            vec![uri("spiffe://mesh.example/envoy/2")],
            vec![uri("spiffe://mesh.example/Envoy")],
            vec![uri("https://envoy.mesh.example")],
            vec![dns("spiffe.mesh.example"), uri("spiffe://other.example/envoy")],
        ] {
            assert!(!San::any_in(&known, &certificate(others.clone())), "{others:?}");
        }
        assert!(!San::any_in(&known, &CertificateDer::from(b"no certificate".to_vec())));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = format!("spiffe://mesh.example/{}", "a".repeat(MAX_BYTES));
        let label = format!("{}.example", "a".repeat(64));
        for text in ["", ".", "a..b", "*.example", "a b", "a/b", ":x", "1a:x", "spiffe:", "spiffe://a/*", &long, &label]
        {
            assert!(text.parse::<San>().is_err(), "{text:?}");
        }
    }
}
