//! Lines as the cases compare them: whole values, with what differs from run to run checked and put under a name.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};
use tributary_http_types::HttpExchange;

/// One recorded exchange.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// The line; times are `TIME`, Envoy's request id `UUID`, its timing `MILLIS`, its `date` `DATE`, the client's address
    /// `CLIENT`, the address of this machine that Envoy puts in the place of a loopback one `LOCAL`. `meta` has no `id`, `source`, `seq` and `durationMs` any more.
    pub(crate) line: Value,
    /// `meta.seq`.
    pub(crate) seq: u64,
    /// `meta.durationMs`.
    pub(crate) duration_ms: u64,
}

impl Record {
    /// Checks and takes out what differs from run to run. Upstream addresses and hosts that are among the `names` get
    /// their name.
    ///
    /// # Errors
    /// The strict reader refuses the line, or one of those values is not what it has to be.
    pub(crate) fn of(bytes: &[u8], names: &[(SocketAddr, &str)]) -> Result<Record> {
        let exchange = HttpExchange::from_line(bytes)?;
        let mut line: Value = serde_json::from_slice(bytes)?;
        let times = (exchange.request.timestamp, exchange.response.and_then(|response| response.timestamp));
        let meta = line.pointer_mut("/meta").and_then(Value::as_object_mut).context("no meta")?;
        let (seq, duration_ms) = identity(meta)?;
        let arrived = times.0.context("a request without a time")?.unix_millis();
        if let Some(ended) = times.1 {
            let took = ended.unix_millis().saturating_sub(arrived);
            ensure!(u64::try_from(took) == Ok(duration_ms), "ended {took} ms after its arrival, not {duration_ms}");
        }
        ensure!((1_577_836_800_000..4_102_444_800_000).contains(&arrived), "{arrived} is no time of this century");
        replace(&mut line, "/meta/clientAddress", "CLIENT", |client| client.starts_with("127.0.0.1:"))?;
        for (address, name) in names {
            for pointer in ["/meta/upstreamAddress", "/request/host", "/request/headers/host"] {
                if line.pointer(pointer).and_then(Value::as_str) == Some(&address.to_string()) {
                    replace(&mut line, pointer, name, |_| true)?;
                }
            }
        }
        for time in ["/request/timestamp", "/response/timestamp"] {
            replace(&mut line, time, "TIME", |text| text.len() == 24 && text.ends_with('Z'))?;
        }
        replace(&mut line, "/request/headers/x-request-id", "UUID", |text| text.len() == 36)?;
        let is_address = |text: &str| text.parse::<std::net::IpAddr>().is_ok();
        replace(&mut line, "/request/headers/x-forwarded-for", "LOCAL", is_address)?;
        replace(&mut line, "/response/headers/date", "DATE", |text| text.len() == 29 && text.ends_with("GMT"))?;
        let timing = "/response/headers/x-envoy-upstream-service-time";
        replace(&mut line, timing, "MILLIS", |text| text.parse::<u64>().is_ok())?;
        Ok(Record { line, seq, duration_ms })
    }

    /// Compares the whole line.
    ///
    /// # Errors
    /// It is another: says where, and what is there.
    pub(crate) fn must_be(&self, expected: Expected) -> Result<()> {
        let mut differences = Vec::new();
        compare(&mut differences, "", Some(&self.line), Some(&expected.0));
        ensure!(differences.is_empty(), "the line differs:\n{}\nit is {}", differences.join("\n"), self.line);
        Ok(())
    }

    /// A text in the line, by JSON pointer.
    pub(crate) fn text(&self, pointer: &str) -> Option<&str> {
        self.line.pointer(pointer)?.as_str()
    }
}

/// Takes out `id`, `source`, `seq` and `durationMs`; they must belong together.
fn identity(meta: &mut Map<String, Value>) -> Result<(u64, u64)> {
    let id = meta.shift_remove("id").context("no id")?;
    let source = meta.shift_remove("source").context("no source")?;
    let source = source.as_str().context("source is no text")?;
    let seq = meta.shift_remove("seq").and_then(|seq| seq.as_u64()).context("no seq")?;
    ensure!(source.len() == 32 && source.bytes().all(|byte| byte.is_ascii_hexdigit()), "source {source}");
    ensure!(id == json!(format!("{source}-{seq}")), "id {id} of source {source}, seq {seq}");
    let duration_ms =
        meta.shift_remove("durationMs").and_then(|duration| duration.as_u64()).context("no durationMs")?;
    Ok((seq, duration_ms))
}

fn replace(line: &mut Value, pointer: &str, name: &str, is_right: impl Fn(&str) -> bool) -> Result<()> {
    let Some(value) = line.pointer_mut(pointer) else { return Ok(()) };
    ensure!(value.as_str().is_some_and(is_right), "{pointer} is {value}");
    *value = json!(name);
    Ok(())
}

/// An expected line, built from what is particular about it.
///
/// The plain one is a GET that Envoy passed on and the origin answered, with all that Envoy adds by itself.
#[derive(Clone, Debug)]
pub(crate) struct Expected(Value);

impl Expected {
    /// A request for a path without a query, from the client over cleartext HTTP/1.1, answered with `status`.
    pub(crate) fn of(method: &str, path: &str, status: u16) -> Expected {
        Expected(json!({
            "request": {
                "timestamp": "TIME", "method": method, "protocol": "http", "host": "testbed.example",
                "headers": {
                    "host": "testbed.example", "x-forwarded-for": "LOCAL", "x-forwarded-proto": "http",
                    "x-envoy-external-address": "127.0.0.1", "x-request-id": "UUID"
                },
                "body": "", "path": path, "pathname": path, "query": {}
            },
            "response": {
                "timestamp": "TIME", "statusCode": status,
                "headers": {"x-envoy-upstream-service-time": "MILLIS"}, "body": ""
            },
            "meta": {
                "httpVersion": "HTTP/1.1", "clientAddress": "CLIENT", "upstreamAddress": "ORIGIN", "cluster": "users",
                "route": "users", "direction": "inbound", "codeDetails": "via_upstream"
            }
        }))
    }

    /// Asked over HTTP/1.1 for another host, which is a header there.
    pub(crate) fn host(self, host: &str) -> Expected {
        self.request(json!({"host": host, "headers": {"host": host}}))
    }

    /// Asked over a later version of HTTP, which has no `host` header.
    pub(crate) fn over(self, version: &str) -> Expected {
        self.request(json!({"headers": {"host": null}})).meta(json!({"httpVersion": version}))
    }

    /// Sets members of `request`; `null` takes one out.
    pub(crate) fn request(self, members: Value) -> Expected {
        self.with("request", members)
    }

    /// Sets members of `response`; `null` takes one out.
    pub(crate) fn response(self, members: Value) -> Expected {
        self.with("response", members)
    }

    /// Sets members of `meta`; `null` takes one out.
    pub(crate) fn meta(self, members: Value) -> Expected {
        self.with("meta", members)
    }

    /// Takes the response out.
    pub(crate) fn no_response(mut self) -> Expected {
        if let Some(line) = self.0.as_object_mut() {
            line.shift_remove("response");
        }
        self
    }

    fn with(mut self, part: &str, members: Value) -> Expected {
        if let Some(part) = self.0.get_mut(part) {
            merge(part, members);
        }
        self
    }
}

/// Sets the members of an object, objects inside it too; `null` takes one out.
fn merge(value: &mut Value, changes: Value) {
    match (value, changes) {
        (Value::Object(object), Value::Object(changes)) => {
            for (key, change) in changes {
                match change {
                    Value::Null => drop(object.shift_remove(&key)),
                    change => merge(object.entry(key).or_insert(Value::Null), change),
                }
            }
        }
        (value, change) => *value = change,
    }
}

/// Says where two values differ, in the smallest parts.
fn compare(differences: &mut Vec<String>, pointer: &str, is: Option<&Value>, expected: Option<&Value>) {
    match (is, expected) {
        (Some(Value::Object(is)), Some(Value::Object(expected))) => {
            for key in is.keys().chain(expected.keys().filter(|key| !is.contains_key(*key))) {
                compare(differences, &format!("{pointer}/{key}"), is.get(key), expected.get(key));
            }
        }
        (is, expected) if is == expected => {}
        (is, expected) => {
            let text = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
            differences.push(format!("{pointer}: {} instead of {}", text(is), text(expected)));
        }
    }
}
