//! Methods, statuses, interim responses and the ways in which a body's end is told.

use anyhow::{Result, ensure};
use tributary_testbed::message::{Call, Fields, Head};

use super::case::{Case, Says, Way};

/// The table.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = methods();
    cases.extend(left_out());
    cases.extend(refused_unread());
    cases.extend(without_a_body());
    cases.extend(interim());
    cases.extend(framings());
    cases
}

fn methods() -> Vec<Case> {
    vec![
        Case::new("get", Call::get("/users?page=2"), Says::text("page two")),
        Case::new("post", posted("/users"), Says::status(201).header("location", "/users/1").body("made")),
        Case::new("put", Call::put("/users/1").body("{}"), Says::status(200)),
        Case::new("patch", Call::new("PATCH", "/users/1").body("{}"), Says::text("patched")),
        Case::new("delete", Call::new("DELETE", "/users/1"), Says::status(204)),
        Case::new("options", Call::new("OPTIONS", "/users"), Says::status(200).header("allow", "GET, POST")),
        Case::new("trace", Call::new("TRACE", "/users"), Says::text("as it came")),
        Case::new("get with a body", Call::get("/search").body("what for"), Says::text("found")),
        Case::new("not found", Call::get("/users/0"), Says::status(404).body("no such user")),
        Case::new("teapot", Call::get("/coffee"), Says::status(418)),
        Case::new("server error", Call::get("/broken"), Says::status(500).body("it broke")),
        Case::new("status of no meaning", Call::get("/odd"), Says::status(599).body("odd")),
    ]
}

/// Exchanges that are counted and not recorded.
fn left_out() -> Vec<Case> {
    vec![
        Case::new("propfind", Call::new("PROPFIND", "/folder"), Says::status(207).body("<multistatus/>"))
            .excluded("excluded_method"),
        // Methods are case-sensitive: this is no GET. Over HTTP/1.1 Envoy refuses it as no method at all.
        Case::new("lower-case method", Call::new("get", "/"), Says::text("understood"))
            .ways(Way::FROM_HTTP2)
            .excluded("excluded_method"),
        Case::new("post of a filter", posted("/v1/exchanges").header("x-tributary-batch", "0"), Says::status(200))
            .excluded("excluded_self"),
    ]
}

/// What this Envoy takes for no request at all: there is no exchange, and nothing is counted.
fn refused_unread() -> Vec<Case> {
    let raw = |name, head| Case::raw(name, head, Call::get("/"), Says::text("never said")).ways(Way::HTTP1_ONLY);
    vec![
        raw("http/1.0 where it is not wanted", b"GET / HTTP/1.0\r\nhost: testbed.example\r\n")
            .no_request()
            .sees(|reply, _| same("status", reply.status, 426)),
        raw("header without a name", b"GET / HTTP/1.1\r\nhost: testbed.example\r\n: nameless\r\n")
            .no_request()
            .sees(|reply, _| same("status", reply.status, 400)),
        raw("unknown method in lower case", b"get / HTTP/1.1\r\nhost: testbed.example\r\n")
            .no_request()
            .sees(|reply, _| same("status", reply.status, 400)),
    ]
}

fn without_a_body() -> Vec<Case> {
    vec![
        Case::new("head", Call::new("HEAD", "/big"), Says::status(200).header("etag", "\"1\"").declared(1_000_000))
            .sees(|reply, _| same("length", reply.headers.text("content-length"), Some("1000000"))),
        Case::new("no content", Call::post("/done").body("x"), Says::status(204).header("x-done", "yes"))
            .sees(|reply, _| same("status", reply.status, 204)),
        Case::new(
            "not modified",
            Call::get("/cached").header("if-none-match", "\"1\""),
            Says::status(304).header("etag", "\"1\""),
        )
        .sees(|reply, _| same("status", reply.status, 304)),
        Case::new("empty body", Call::post("/empty").body(""), Says::status(200)),
    ]
}

fn interim() -> Vec<Case> {
    let hints = [("link", "</style.css>; rel=preload")].into_iter().collect();
    vec![
        Case::new("100 continue", posted("/upload").header("expect", "100-continue"), Says::text("took it"))
            .in_two_steps()
            .ways(Way::HTTP1_ONLY)
            .sees(|reply, _| same("interim", statuses(&reply.interim), vec![100])),
        Case::new(
            "100 continue over http/2",
            posted("/upload").header("expect", "100-continue"),
            Says::text("took it"),
        )
        .ways(&[Way::Http2ToHttp1])
        .sees(|reply, _| same("interim", statuses(&reply.interim), vec![100])),
        Case::new("103 early hints", Call::get("/page"), Says::text("page").interim(103, hints))
            .ways(Way::TO_HTTP1)
            .sees(|reply, _| same("interim", statuses(&reply.interim), vec![103])),
        Case::new(
            "102 and 103",
            Call::get("/page"),
            Says::text("page").interim(102, Fields::new()).interim(103, Fields::new()),
        ),
    ]
}

fn framings() -> Vec<Case> {
    vec![
        Case::new(
            "chunks both ways",
            Call::post("/stream").chunks(["one ", "two ", "three"]),
            Says::status(200).chunks(["ün", " deux", " trois"]),
        ),
        Case::new("chunks without a byte", Call::post("/stream").chunks([""; 0]), Says::status(200).chunks([""; 0])),
        Case::new("until the end of the connection", Call::get("/old"), Says::status(200).until_close("to the end"))
            .ways(Way::TO_HTTP1)
            .sees(|reply, _| same("body", reply.body.as_ref(), b"to the end".as_slice())),
        Case::new("the client closes behind it", posted("/last").header("connection", "close"), Says::text("goodbye"))
            .ways(Way::FROM_HTTP1),
    ]
}

fn posted(target: &str) -> Call {
    Call::post(target).header("content-type", "application/json").body(r#"{"name":"Kimmo"}"#)
}

fn statuses(heads: &[Head]) -> Vec<u16> {
    heads.iter().map(|head| head.status).collect()
}

/// The client saw what makes the case what it is called.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> Result<()> {
    ensure!(found == wanted, "{what}: {found:?} instead of {wanted:?}");
    Ok(())
}
