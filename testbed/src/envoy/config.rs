//! `envoy/envoy.yaml`, read and edited: the same file that compose uses, with the testbed's ports in it.
//!
//! Envoy's configuration is protobuf as JSON; here it stays a JSON value, edited in place. An edit that does not find
//! its place in the file fails and names the place, so a test cannot silently run on another configuration.

use std::{net::SocketAddr, path::Path};

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use xtask::parts;

mod tls;

/// Name of the filter, of its VM, and of the cluster of the collector in `envoy.yaml`.
pub const FILTER: &str = "tributary";

/// Where the connection manager stands in a listener.
const MANAGER: &str = "/filter_chains/0/filters/0/typed_config";

/// The upstream's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// HTTP/1.1, with trailers.
    Http1,
    /// HTTP/2 without TLS.
    Http2,
}

/// An Envoy configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    root: Value,
}

impl Config {
    /// Reads `envoy/envoy.yaml` of this repository.
    ///
    /// # Errors
    /// The file cannot be read or is no YAML.
    pub fn of_repository() -> Result<Config> {
        let path = parts::workspace_root().join("envoy").join("envoy.yaml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        Config::parse(&text).with_context(|| path.display().to_string())
    }

    /// Reads YAML.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Config> {
        Ok(Config { root: serde_saphyr::from_str(text).context("envoy configuration")? })
    }

    /// The whole of it, for edits that have no name here.
    pub fn root(&mut self) -> &mut Value {
        &mut self.root
    }

    /// As JSON, which Envoy reads too.
    pub fn to_json(&self) -> String {
        self.root.to_string()
    }

    /// The listener with this name; `http` is the one of the file.
    ///
    /// # Errors
    /// There is none.
    pub fn listener(&mut self, name: &str) -> Result<&mut Value> {
        named(at(&mut self.root, "/static_resources/listeners")?, name).context("listeners")
    }

    /// The HTTP connection manager of the listener `http`.
    ///
    /// # Errors
    /// It is not where the file has it.
    pub fn manager(&mut self) -> Result<&mut Value> {
        at(self.listener("http")?, MANAGER)
    }

    /// The wasm plugin: `configuration`, `fail_open`, `vm_config` …
    ///
    /// # Errors
    /// It is not where the file has it.
    pub fn plugin(&mut self) -> Result<&mut Value> {
        let filters = at(self.manager()?, "/http_filters")?;
        at(named(filters, FILTER)?, "/typed_config/config")
    }

    /// The cluster with this name: `users`, `collector`, or one added.
    ///
    /// # Errors
    /// There is none.
    pub fn cluster(&mut self, name: &str) -> Result<&mut Value> {
        named(at(&mut self.root, "/static_resources/clusters")?, name).context("clusters")
    }

    /// Sets the port of the admin page.
    ///
    /// # Errors
    /// The file has no admin address.
    pub fn set_admin(&mut self, address: SocketAddr) -> Result<()> {
        *at(&mut self.root, "/admin/address")? = socket_address(address);
        Ok(())
    }

    /// Sets the address of the listener `http`.
    ///
    /// # Errors
    /// The file has no such listener.
    pub fn set_listen(&mut self, address: SocketAddr) -> Result<()> {
        *at(self.listener("http")?, "/address")? = socket_address(address);
        Ok(())
    }

    /// Sends a cluster's traffic to one address.
    ///
    /// # Errors
    /// There is no such cluster.
    pub fn set_endpoint(&mut self, cluster: &str, address: SocketAddr) -> Result<()> {
        const ENDPOINT: &str = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address";
        *at(self.cluster(cluster)?, ENDPOINT)? = socket_address(address);
        Ok(())
    }

    /// Sends a part of a cluster's traffic to one address more.
    ///
    /// # Errors
    /// There is no such cluster.
    pub fn add_endpoint(&mut self, cluster: &str, address: SocketAddr) -> Result<()> {
        let endpoints = at(self.cluster(cluster)?, "/load_assignment/endpoints/0/lb_endpoints")?;
        push(endpoints, json!({"endpoint": {"address": socket_address(address)}}))
    }

    /// Sets the protocol of a cluster.
    ///
    /// # Errors
    /// There is no such cluster.
    pub fn set_upstream(&mut self, cluster: &str, protocol: Upstream) -> Result<()> {
        set(self.cluster(cluster)?, "typed_extension_protocol_options", protocol_options(protocol))
    }

    /// Adds a cluster with one address.
    ///
    /// # Errors
    /// The file has no clusters.
    pub fn add_cluster(&mut self, name: &str, address: SocketAddr, protocol: Upstream) -> Result<()> {
        let cluster = json!({
            "name": name, "type": "STATIC", "connect_timeout": "2s",
            "typed_extension_protocol_options": protocol_options(protocol),
            "load_assignment": {"cluster_name": name, "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": socket_address(address)}}]}
            ]}
        });
        push(at(&mut self.root, "/static_resources/clusters")?, cluster)
    }

    /// Puts a route in front of the others: `{"match": {"prefix": "/slow"}, "route": {"cluster": "users", …}}`.
    ///
    /// # Errors
    /// The file has no routes where they are expected.
    pub fn add_route(&mut self, route: Value) -> Result<()> {
        let routes = at(self.manager()?, "/route_config/virtual_hosts/0/routes")?;
        routes.as_array_mut().context("routes is no list")?.insert(0, route);
        Ok(())
    }

    /// Sets the wasm file.
    ///
    /// # Errors
    /// The file has no filter.
    pub fn set_wasm(&mut self, path: &Path) -> Result<()> {
        *at(self.plugin()?, "/vm_config/code/local/filename")? = Value::from(path.to_string_lossy());
        Ok(())
    }

    /// Sets fields of the filter's configuration; those that the file has and `fields` has not stay.
    ///
    /// # Errors
    /// The file has no filter, or its configuration is no JSON any more
    /// (after [`set_filter_text`](Self::set_filter_text)).
    pub fn set_filter(&mut self, fields: &Value) -> Result<()> {
        let text = at(self.plugin()?, "/configuration/value")?;
        let json = text.as_str().context("the filter's configuration is no text")?;
        let mut settings = serde_json::from_str(json).context("the filter's configuration")?;
        merge(&mut settings, fields);
        *text = Value::from(settings.to_string());
        Ok(())
    }

    /// Sets the filter's configuration to this text, JSON or not.
    ///
    /// # Errors
    /// The file has no filter.
    pub fn set_filter_text(&mut self, text: &str) -> Result<()> {
        let value = json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text});
        set(self.plugin()?, "configuration", value)
    }

    /// Sets an environment variable of the filter's VM.
    ///
    /// # Errors
    /// The file has no filter.
    pub fn set_filter_variable(&mut self, name: &str, value: &str) -> Result<()> {
        merge(self.plugin()?, &json!({"vm_config": {"environment_variables": {"key_values": {name: value}}}}));
        Ok(())
    }

    /// Hands a variable of Envoy's own environment on to the filter's VM: its value is in no configuration.
    ///
    /// # Errors
    /// The file has no filter.
    pub fn pass_filter_variable(&mut self, name: &str) -> Result<()> {
        merge(self.plugin()?, &json!({"vm_config": {"environment_variables": {"host_env_keys": [name]}}}));
        Ok(())
    }

    /// Takes the filter out: the same proxy without Tributary.
    ///
    /// # Errors
    /// The file has no filter.
    pub fn remove_filter(&mut self) -> Result<()> {
        remove_filter(self.listener("http")?)
    }

    /// Lets every shape of HTTP through: trailers, WebSocket, CONNECT, 100-continue from the upstream.
    ///
    /// # Errors
    /// The file has no connection manager.
    pub fn allow_every_shape(&mut self) -> Result<()> {
        let options = json!({
            "http_protocol_options": {"enable_trailers": true},
            "http2_protocol_options": {"allow_connect": true},
            "upgrade_configs": [{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT"}],
            "proxy_100_continue": true,
            "max_request_headers_kb": 96,
        });
        merge(self.manager()?, &options);
        self.set_upstream("users", Upstream::Http1)?;
        self.add_route(json!({
            "name": "tunnel", "match": {"connect_matcher": {}},
            "route": {"cluster": "users", "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]}
        }))
    }
}

pub(super) fn socket_address(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

/// The place of a JSON pointer (RFC 6901).
pub(super) fn at<'a>(value: &'a mut Value, pointer: &str) -> Result<&'a mut Value> {
    value.pointer_mut(pointer).with_context(|| format!("envoy.yaml has no {pointer} where the testbed expects it"))
}

/// The element of a list of objects whose `name` is this.
fn named<'a>(list: &'a mut Value, name: &str) -> Result<&'a mut Value> {
    let elements = list.as_array_mut().context("no list")?;
    let found = elements.iter_mut().find(|element| element.get("name").and_then(Value::as_str) == Some(name));
    found.with_context(|| format!("nothing is named {name}"))
}

pub(super) fn set(object: &mut Value, key: &str, value: Value) -> Result<()> {
    object.as_object_mut().with_context(|| format!("no object to set {key} in"))?.insert(key.to_owned(), value);
    Ok(())
}

pub(super) fn push(list: &mut Value, element: Value) -> Result<()> {
    list.as_array_mut().context("no list to add to")?.push(element);
    Ok(())
}

/// Takes the filter out of a listener.
pub(super) fn remove_filter(listener: &mut Value) -> Result<()> {
    let filters = at(listener, MANAGER)?.get_mut("http_filters").and_then(Value::as_array_mut);
    let filters = filters.context("no http_filters")?;
    let before = filters.len();
    filters.retain(|filter| filter.get("name").and_then(Value::as_str) != Some(FILTER));
    anyhow::ensure!(filters.len() < before, "there is no filter to take out");
    Ok(())
}

/// The connection manager of any listener of this shape.
pub(super) fn manager_of(listener: &mut Value) -> Result<&mut Value> {
    at(listener, MANAGER)
}

/// Sets what `changes` has, object by object; anything else is replaced.
fn merge(value: &mut Value, changes: &Value) {
    match (value, changes) {
        (Value::Object(object), Value::Object(changes)) => {
            for (key, change) in changes {
                merge(object.entry(key.as_str()).or_insert_with(|| Value::Object(Map::new())), change);
            }
        }
        (value, change) => *value = change.clone(),
    }
}

fn protocol_options(protocol: Upstream) -> Value {
    let explicit = match protocol {
        Upstream::Http1 => json!({"http_protocol_options": {"enable_trailers": true}}),
        Upstream::Http2 => json!({"http2_protocol_options": {}}),
    };
    json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": explicit
    }})
}

#[cfg(test)]
mod tests;
