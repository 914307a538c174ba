//! What the testbed adds to the listeners of `envoy.yaml`: the same proxy without the filter, HTTP/3, and listeners
//! that can be changed while Envoy runs.

use std::{net::SocketAddr, path::Path};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::config::{self, Config};

const LISTENER_TYPE: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";

/// Adds the listener `bare`: the listener `http` as it is now, without the filter.
pub(super) fn add_bare(config: &mut Config, address: SocketAddr) -> Result<()> {
    let mut listener = config.listener("http")?.clone();
    config::remove_filter(&mut listener)?;
    add(config, listener, "bare", config::socket_address(address))
}

/// Adds an HTTP/3 listener: the listener `from` (`http` or `bare`) over QUIC.
pub(super) fn add_http3(config: &mut Config, from: &str, address: SocketAddr, tls: &Tls<'_>) -> Result<()> {
    let mut listener = config.listener(from)?.clone();
    let manager = config::manager_of(&mut listener)?;
    config::set(manager, "codec_type", json!("HTTP3"))?;
    config::set(manager, "http3_protocol_options", json!({"allow_extended_connect": true}))?;
    let chain = config::at(&mut listener, "/filter_chains/0")?;
    config::set(chain, "transport_socket", quic(tls))?;
    let options = json!({"quic_options": {}, "downstream_socket_config": {"prefer_gro": false}});
    config::set(&mut listener, "udp_listener_config", options)?;
    let mut socket = config::socket_address(address);
    config::set(config::at(&mut socket, "/socket_address")?, "protocol", json!("UDP"))?;
    add(config, listener, &format!("{from}3"), socket)
}

/// Files of a certificate and its key, PEM.
pub(super) struct Tls<'a> {
    pub(super) certificate: &'a Path,
    pub(super) key: &'a Path,
}

/// Takes the listeners out of the configuration, so that Envoy reads them from `file` and again when it changes.
/// Returns the contents of that file.
pub(super) fn split_off(config: &mut Config, file: &Path, version: u64) -> Result<String> {
    let resources = config::at(config.root(), "/static_resources/listeners")?.take();
    let mut resources = resources;
    for listener in resources.as_array_mut().context("listeners")? {
        config::set(listener, "@type", json!(LISTENER_TYPE))?;
    }
    let static_resources = config::at(config.root(), "/static_resources")?;
    static_resources.as_object_mut().context("static_resources")?.remove("listeners");
    let source = json!({"path_config_source": {"path": file.to_string_lossy()}, "resource_api_version": "V3"});
    config::set(config.root(), "dynamic_resources", json!({"lds_config": source}))?;
    Ok(json!({"version_info": version.to_string(), "resources": resources}).to_string())
}

fn add(config: &mut Config, mut listener: Value, name: &str, address: Value) -> Result<()> {
    config::set(&mut listener, "name", json!(name))?;
    config::set(&mut listener, "address", address)?;
    config::push(config::at(config.root(), "/static_resources/listeners")?, listener)
}

fn quic(tls: &Tls<'_>) -> Value {
    let file = |path: &Path| json!({"filename": path.to_string_lossy()});
    json!({"name": "envoy.transport_sockets.quic", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.quic.v3.QuicDownstreamTransport",
        "downstream_tls_context": {"common_tls_context": {"alpn_protocols": ["h3"], "tls_certificates": [
            {"certificate_chain": file(tls.certificate), "private_key": file(tls.key)}
        ]}}
    }})
}
