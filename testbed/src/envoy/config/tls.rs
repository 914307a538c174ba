//! TLS towards an upstream, as `envoy/collector-tls.yaml` shows it to users.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use xtask::parts;

use super::{Config, at, set};
use crate::certificates::Identity;

impl Config {
    /// Lets the cluster speak TLS to a server of this authority that has this name, and show this identity if there is
    /// one.
    ///
    /// # Errors
    /// There is no such cluster, or the file of the repository cannot be read or has another shape.
    pub fn encrypt(
        &mut self,
        cluster: &str,
        server_name: &str,
        authority: &Path,
        identity: Option<&Identity>,
    ) -> Result<()> {
        let mut socket = of_repository()?;
        let filename = |path: &Path| json!({"filename": path.to_string_lossy()});
        set(at(&mut socket, "/typed_config")?, "sni", json!(server_name))?;
        let context = at(&mut socket, "/typed_config/common_tls_context")?;
        *at(context, "/validation_context/trusted_ca")? = filename(authority);
        *at(context, "/validation_context/match_typed_subject_alt_names/0/matcher/exact")? = json!(server_name);
        match identity {
            Some(Identity { certificate, key }) => {
                *at(context, "/tls_certificates/0/certificate_chain")? = filename(certificate);
                *at(context, "/tls_certificates/0/private_key")? = filename(key);
            }
            None => {
                context.as_object_mut().and_then(|fields| fields.remove("tls_certificates")).context("certificates")?;
            }
        }
        set(self.cluster(cluster)?, "transport_socket", socket)
    }
}

fn of_repository() -> Result<Value> {
    let path = parts::workspace_root().join("envoy").join("collector-tls.yaml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let fragment: Value = serde_saphyr::from_str(&text).with_context(|| path.display().to_string())?;
    fragment.get("transport_socket").cloned().context("no transport_socket")
}
