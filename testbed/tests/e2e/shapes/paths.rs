//! Odd targets and hosts: what stands in `path`, `pathname`, `query` and `host`.
//!
//! `path` is left out where a published reader could not bear it; pathname and query then say the same.

use anyhow::{Context as _, Result};
use serde_json::json;
use tributary_testbed::{envoy::Config, message::Call};

use super::{
    case::{Case, Says, Way},
    line::{Connection, Line},
    messages::same,
};

/// The table of targets.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = pathnames();
    cases.extend(queries());
    cases.extend(hosts());
    cases.extend(forms());
    cases.extend(without_a_host());
    cases.extend(http_1_0());
    cases
}

/// Without this, Envoy refuses HTTP/1.0 with 426.
pub(crate) fn allow_http_1_0(config: &mut Config) -> Result<()> {
    let options = config.manager()?.pointer_mut("/http_protocol_options").and_then(|options| options.as_object_mut());
    options.context("no options of HTTP/1")?.insert("accept_http_10".to_owned(), json!(true));
    Ok(())
}

fn get(name: &'static str, target: &'static str) -> Case {
    Case::new(name, Call::get(target), Says::text("there"))
}

fn pathnames() -> Vec<Case> {
    vec![
        get("double slashes", "//double//slash/"),
        get("dots", "/a/../b/./c/%2e%2e/d").line(|line, _| {
            line.target(Some("/a/../b/./c/%2e%2e/d"), "/a/../b/./c/%2e%2e/d", &[]);
        }),
        get("percent alone", "/100%").line(|line, _| line.target(Some("/100%"), "/100%", &[])),
        get("percent without digits", "/%zz/%4").line(|line, _| line.target(Some("/%zz/%4"), "/%zz/%4", &[])),
        get("escapes stay in the pathname", "/a%2Fb%20c%00"),
        get("semicolons and colons", "/a;v=1/b:c@d,e!$'()*"),
        get("backslash and bar", "/a\\b/C|/x").ways(Way::FROM_HTTP1),
        Case::new("eight thousand characters", Call::get(format!("/{}", "p".repeat(8_000))), Says::text("there")),
    ]
}

fn queries() -> Vec<Case> {
    vec![
        get("query without a value", "/?a&b=")
            .line(|line, _| line.target(Some("/?a&b="), "/", &[("a", ""), ("b", "")])),
        get("empty query", "/x?").line(|line, _| line.target(Some("/x?"), "/x", &[])),
        get("only separators", "/x?&&").line(|line, _| line.target(Some("/x?&&"), "/x", &[])),
        get("repeated name", "/?q=1&p=x&q=2&q=1"),
        get("question marks and equal signs", "/?a=b=c?d&e=?").line(|line, _| {
            line.target(Some("/?a=b=c?d&e=?"), "/", &[("a", "b=c?d"), ("e", "?")]);
        }),
        get("decoded once", "/?w=a+b%2Bc&%C3%A4=%E2%82%AC").line(|line, _| {
            line.target(Some("/?w=a+b%2Bc&%C3%A4=%E2%82%AC"), "/", &[("w", "a b+c"), ("ä", "€")]);
        }),
        get("percent in the query", "/?q=100%25").line(|line, _| line.target(None, "/", &[("q", "100%")])),
        get("percent alone in the query", "/?q=100%").line(|line, _| line.target(None, "/", &[("q", "100%")])),
        get("escaped twice", "/?q=%2541").line(|line, _| line.target(None, "/", &[("q", "%41")])),
        get("bytes that are not utf-8", "/?q=%ff%41").line(|line, _| {
            line.target(Some("/?q=%ff%41"), "/", &[("q", "\u{fffd}A")]);
        }),
        get("constructor", "/?constructor=1").line(|line, _| line.target(None, "/", &[("constructor", "1")])),
        get("prototype", "/?__proto__=1&toString").line(|line, _| {
            line.target(None, "/", &[("__proto__", "1"), ("toString", "")]);
        }),
        get("names keep their case", "/?Key=V&key=w&Name=x").line(|line, _| {
            let pairs = [("Key", "[redacted]"), ("key", "[redacted]"), ("Name", "x")];
            line.target(Some("/?Key=[redacted]&key=[redacted]&Name=x"), "/", &pairs);
            line.masked("query", 2);
        }),
        get("brackets", "/?a[]=1&a[]=2&b[c]=3").ways(Way::FROM_HTTP1),
    ]
}

fn hosts() -> Vec<Case> {
    let host = |name, host: &'static str| Case::new(name, Call::get("/").authority(host), Says::status(200));
    vec![
        host("host with a port", "shop.example:8443"),
        host("host of an address", "127.0.0.1:80"),
        host("host of ipv6", "[::1]:3000"),
        host("host in capitals", "Shop.EXAMPLE"),
    ]
}

/// Other forms of a request line (RFC 9112 §3.2); HTTP/1.1 alone has them.
fn forms() -> Vec<Case> {
    vec![
        // The target's host counts, whatever the header says (RFC 9112 §3.2.2); Envoy makes a plain path of it.
        Case::raw(
            "absolute form",
            b"GET http://asked.example/abs/olute?x=1 HTTP/1.1\r\nhost: other.example\r\n",
            Call::get("/abs/olute?x=1").authority("asked.example"),
            Says::text("there"),
        )
        .sees(|reply, _| same("status", reply.status, 200)),
        Case::raw(
            "absolute form without a path",
            b"GET http://asked.example HTTP/1.1\r\nhost: asked.example\r\n",
            Call::get("/").authority("asked.example"),
            Says::text("there"),
        ),
        // A route may answer it, an app may not be asked: Envoy refuses it before its filters run. The line comes from
        // what Envoy still has at the end: the headers as they came, and its own answer.
        Case::raw(
            "asterisk form",
            b"OPTIONS * HTTP/1.1\r\nhost: testbed.example\r\n",
            Call::new("OPTIONS", "*"),
            Says::status(200).header("allow", "GET"),
        )
        .ways(Way::HTTP1_ONLY)
        .line(|line, _| {
            line.target(None, "*", &[]);
            line.refused(404, "absolute_path_rejected", Connection::Stays);
        }),
        // The target as it came, for nobody may say which part of it was meant.
        get("fragment", "/page#part").ways(Way::FROM_HTTP1).line(|line, _| {
            line.target(None, "/page#part", &[]);
            line.refused(400, "path_normalization_failed", Connection::Closes);
        }),
        get("fragment behind a query", "/page?a=1#part").ways(Way::FROM_HTTP1).line(|line, _| {
            line.target(None, "/page", &[("a", "1#part")]);
            line.refused(400, "path_normalization_failed", Connection::Closes);
        }),
        get("path that is not ascii", "/k\u{e4}se").ways(Way::HTTP1_ONLY).no_request(),
        raw("no http at all", b"EHLO testbed.example\r\n").no_request(),
    ]
}

/// Requests that name no host: what stands in `host` is the address that the client connected to, for that is the
/// host it got.
fn without_a_host() -> Vec<Case> {
    vec![
        raw("no host", b"GET / HTTP/1.1\r\n").line(|line, _| {
            line.host = line.listener.clone();
            line.refused(400, "missing_host_header", Connection::Closes);
        }),
        raw("empty host", b"GET / HTTP/1.1\r\nhost:\r\n").line(|line, _| line.host = line.listener.clone()),
        raw("http/1.0 without a host", b"GET / HTTP/1.0\r\n").line(|line, _| {
            line.host = line.listener.clone();
            line.fact("httpVersion", json!("HTTP/1.0"));
            line.refused(400, "missing_host_header", Connection::Closes);
        }),
    ]
}

/// HTTP/1.0, on an Envoy that takes it.
fn http_1_0() -> Vec<Case> {
    let old = |line: &mut Line| line.fact("httpVersion", json!("HTTP/1.0"));
    vec![
        raw("http/1.0", b"GET / HTTP/1.0\r\nhost: testbed.example\r\n")
            .line(move |line, _| old(line))
            .sees(|reply, _| same("body", reply.body.as_ref(), b"there".as_slice())),
        Case::raw(
            "chunks for http/1.0",
            b"GET / HTTP/1.0\r\nhost: testbed.example\r\n",
            Call::get("/"),
            Says::status(200).chunks(["one ", "two"]),
        )
        .line(move |line, _| old(line))
        .sees(|reply, _| same("body", reply.body.as_ref(), b"one two".as_slice())),
    ]
}

/// `GET /` in these bytes, over HTTP/1.x alone.
fn raw(name: &'static str, head: &'static [u8]) -> Case {
    Case::raw(name, head, Call::get("/"), Says::text("there")).ways(Way::HTTP1_ONLY)
}
