//! Exchanges whose parts come one by one: trailers, events, tunnels, gRPC; over HTTP/1.1 and HTTP/2 on either side.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use libtest_mimic::Trial;
use serde_json::json;
use tributary_testbed::{
    client::{self, h1, h2},
    message::{Call, Fields, Head, Reply},
    origin::{Answer, Gate, Step},
};

use crate::twin::{Expected, PATIENCE, Shared, Twin, Way, cases, comparable, fields, read_until};

pub(crate) fn trials(shared: &Arc<Shared>) -> Vec<Trial> {
    cases!(
        shared, "streams":
        trailers_pass_both_ways_over_http1,
        trailers_pass_both_ways_over_http2,
        http2_from_the_client_becomes_http1_for_the_app,
        http1_from_the_client_becomes_http2_for_the_app,
        each_event_of_a_stream_reaches_the_client_before_the_next_is_sent,
        a_websocket_is_one_exchange_with_its_frames_as_bodies,
        a_connect_tunnel_is_one_exchange_with_its_bytes_as_bodies,
        a_connect_tunnel_over_http2_is_one_exchange,
        a_unary_grpc_call_keeps_its_messages_and_status,
        a_grpc_stream_goes_both_ways_message_by_message,
        a_grpc_answer_of_trailers_only_has_its_status_in_the_head,
    )
}

/// An upload in two chunks with a trailer.
fn upload(path: &str) -> Call {
    Call::post(path).header("content-type", "text/plain").chunks(["first, ", "second"]).trailer("checksum", "13")
}

/// An answer in two chunks with a trailer that comes twice.
fn download() -> Answer {
    let answer = Answer::new(200).header("content-type", "text/plain").chunks(["third, ", "fourth"]);
    answer.trailer("x-part", "one").trailer("x-part", "two")
}

fn with_trailers(path: &str) -> Expected {
    Expected::of("post", path, 200)
        .request(json!({"headers": {"content-type": "text/plain"}, "body": "first, second"}))
        .response(json!({"headers": {"content-type": "text/plain"}, "body": "third, fourth"}))
        .meta(json!({
            "requestBody": {"bytes": 13, "kept": 13, "truncated": false}, "requestTrailers": {"checksum": "13"},
            "responseBody": {"bytes": 13, "kept": 13, "truncated": false}, "responseTrailers": {"x-part": ["one", "two"]}
        }))
}

async fn trailers_pass_both_ways_over_http1(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            way.script.answer("/trailers", download());
            Ok(client::call(way.address, &upload("/trailers")).await?.comparable())
        })
        .await?;

    assert_eq!(outcome.seen.trailers, fields([("x-part", "one"), ("x-part", "two")]));
    assert_eq!(outcome.asked[0].trailers, fields([("checksum", "13")]));
    let chunked = json!({"headers": {"transfer-encoding": "chunked"}});
    outcome.record()?.must_be(with_trailers("/trailers").response(chunked))
}

async fn trailers_pass_both_ways_over_http2(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            way.script.answer("/over2/trailers", download());
            Ok(h2::Connection::open(way.address).await?.call(&upload("/over2/trailers")).await?.comparable())
        })
        .await?;

    assert_eq!(outcome.seen.trailers, fields([("x-part", "one"), ("x-part", "two")]));
    assert_eq!(outcome.asked[0].trailers, fields([("checksum", "13")]));
    let over2 = json!({"cluster": "over2", "route": "over2"});
    outcome.record()?.must_be(with_trailers("/over2/trailers").over("HTTP/2").meta(over2))
}

async fn http2_from_the_client_becomes_http1_for_the_app(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            way.script.answer("/down2", download());
            Ok(h2::Connection::open(way.address).await?.call(&upload("/down2")).await?.comparable())
        })
        .await?;

    assert_eq!(outcome.asked[0].version, "HTTP/1.1");
    let chunked = json!({"headers": {"transfer-encoding": "chunked"}});
    let expected = with_trailers("/down2").response(chunked).over("HTTP/2");
    outcome.record()?.must_be(expected)
}

async fn http1_from_the_client_becomes_http2_for_the_app(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            way.script.answer("/over2/up", download());
            Ok(client::call(way.address, &upload("/over2/up")).await?.comparable())
        })
        .await?;

    assert_eq!(outcome.asked[0].version, "HTTP/2");
    outcome.record()?.must_be(with_trailers("/over2/up").meta(json!({"cluster": "over2", "route": "over2"})))
}

async fn each_event_of_a_stream_reaches_the_client_before_the_next_is_sent(twin: &Twin) -> Result<()> {
    let outcome = twin.compare(1, events).await?;

    let (_, bytes) = &outcome.seen;
    assert_eq!(bytes, "d\r\ndata: first\n\n\r\ne\r\ndata: second\n\n\r\n0\r\n\r\n");
    let expected = Expected::of("get", "/events", 200)
        .request(json!({"headers": {"accept": "text/event-stream"}}))
        .response(json!({
            "headers": {"content-type": "text/event-stream", "transfer-encoding": "chunked"},
            "body": "data: first\n\ndata: second\n\n"
        }))
        .meta(json!({"responseBody": {"bytes": 27, "kept": 27, "truncated": false}}));
    outcome.record()?.must_be(expected)
}

/// The second event is sent only once the first one is here.
async fn events(way: Way<'_>) -> Result<(Head, Bytes)> {
    let gate = Gate::closed();
    let stream = Answer::new(200).header("content-type", "text/event-stream").chunks(["data: first\n\n"]);
    way.script.answer("/events", stream.wait(&gate).chunks(["data: second\n\n"]));
    let mut connection = h1::Connection::open(way.address).await?;
    connection.send_call(&Call::get("/events").header("accept", "text/event-stream")).await?;
    let head = connection.head().await?;
    let first = read_until(&mut connection, b"data: first\n\n\r\n").await?;
    gate.open();
    let rest = read_until(&mut connection, b"\r\n0\r\n\r\n").await?;
    Ok((comparable(head), [first, rest].concat().into()))
}

/// The key and the answer to it of RFC 6455 §1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A text frame of the server: "welcome".
const WELCOME: &[u8] = b"\x81\x07welcome";

/// A text frame of the client, masked: "hello" (RFC 6455 §5.7).
const HELLO: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

/// The client's close frame with status 1000, masked with zeroes.
const CLOSE: &[u8] = b"\x88\x82\0\0\0\0\x03\xe8";

fn socket() -> Answer {
    let answer = Answer::new(101).header("upgrade", "websocket").header("connection", "Upgrade");
    answer.header("sec-websocket-accept", ACCEPT).step(Step::Send(Bytes::from_static(WELCOME))).echo()
}

async fn a_websocket_is_one_exchange_with_its_frames_as_bodies(twin: &Twin) -> Result<()> {
    let outcome = twin.compare(1, websocket).await?;

    let (head, frames) = &outcome.seen;
    assert_eq!((head.status, head.headers.text("sec-websocket-accept")), (101, Some(ACCEPT)));
    assert_eq!(frames[..], [WELCOME, HELLO, CLOSE]);
    let expected = Expected::of("get", "/socket", 101)
        .request(json!({"headers": {
            "connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13", "sec-websocket-key": KEY
        }}))
        .response(json!({"headers": {
            "connection": "Upgrade", "upgrade": "websocket", "sec-websocket-accept": ACCEPT,
            "x-envoy-upstream-service-time": null
        }}))
        .meta(json!({
            // HELLO and CLOSE; WELCOME, HELLO and CLOSE.
            "requestBody": {
                "bytes": 19, "kept": 19, "truncated": false, "base64": "gYU3+iE9f59NUViIggAAAAAD6A=="
            },
            "responseBody": {
                "bytes": 28, "kept": 28, "truncated": false, "base64": "gQd3ZWxjb21lgYU3+iE9f59NUViIggAAAAAD6A=="
            },
            "responseFlags": "DC", "codeDetails": "downstream_remote_disconnect"
        }));
    outcome.record()?.must_be(expected)
}

async fn websocket(way: Way<'_>) -> Result<(Head, Vec<Bytes>)> {
    way.script.answer_early("/socket", socket());
    let mut connection = h1::Connection::open(way.address).await?;
    let call = Call::get("/socket").header("connection", "Upgrade").header("upgrade", "websocket");
    let call = call.header("sec-websocket-version", "13").header("sec-websocket-key", KEY);
    connection.send_call(&call).await?;
    let head = connection.head().await?;
    let mut frames = vec![read_until(&mut connection, WELCOME).await?];
    for frame in [HELLO, CLOSE] {
        connection.send(frame).await?;
        frames.push(read_until(&mut connection, frame).await?);
    }
    connection.finish().await?;
    let end = connection.bytes(PATIENCE).await?;
    ensure!(end.is_empty(), "more than the frames: {end:?}");
    Ok((comparable(head), frames))
}

/// What goes through the tunnels.
const INSIDE: &[u8] = b"GET /through-the-tunnel HTTP/1.1\r\nhost: far.example\r\n\r\n";

/// A CONNECT has no path; the readers of the format want a pathname all the same.
fn tunnelled() -> Expected {
    Expected::of("connect", "/", 200)
        .host("far.example:443")
        .request(json!({"path": null, "body": "GET /through-the-tunnel HTTP/1.1\r\nhost: far.example\r\n\r\n"}))
        .response(json!({
            "headers": {"x-envoy-upstream-service-time": null},
            "body": "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nat its end"
        }))
        .meta(json!({
            "route": "tunnel", "requestBody": {"bytes": 55, "kept": 55, "truncated": false},
            "responseBody": {"bytes": 49, "kept": 49, "truncated": false}
        }))
}

async fn a_connect_tunnel_is_one_exchange_with_its_bytes_as_bodies(twin: &Twin) -> Result<()> {
    let outcome = twin.compare(1, tunnel).await?;

    let (head, reply) = &outcome.seen;
    assert_eq!((head.status, &reply.body[..]), (200, &b"at its end"[..]));
    let ended = json!({"responseFlags": "DC", "codeDetails": "downstream_remote_disconnect"});
    outcome.record()?.must_be(tunnelled().meta(ended))
}

/// An HTTP call through the tunnel: the origin is its far end.
async fn tunnel(way: Way<'_>) -> Result<(Head, Reply)> {
    way.script.answer("/through-the-tunnel", Answer::new(200).body("at its end"));
    let mut connection = h1::Connection::open(way.address).await?;
    connection.send(b"CONNECT far.example:443 HTTP/1.1\r\nhost: far.example:443\r\n\r\n").await?;
    let head = connection.head().await?;
    connection.send(INSIDE).await?;
    let reply = connection.reply("GET").await?;
    connection.finish().await?;
    let end = connection.bytes(PATIENCE).await?;
    ensure!(end.is_empty(), "more than the reply: {end:?}");
    Ok((comparable(head), reply))
}

async fn a_connect_tunnel_over_http2_is_one_exchange(twin: &Twin) -> Result<()> {
    let outcome = twin.compare(1, tunnel_over_http2).await?;

    let (reply, bytes) = &outcome.seen;
    assert_eq!(reply.status, 200);
    assert!(bytes.ends_with(b"at its end"));
    outcome.record()?.must_be(tunnelled().over("HTTP/2"))
}

async fn tunnel_over_http2(way: Way<'_>) -> Result<(Reply, Bytes)> {
    way.script.answer("/through-the-tunnel", Answer::new(200).body("at its end"));
    let mut connection = h2::Connection::open(way.address).await?;
    let call = Call::new("CONNECT", "far.example:443").authority("far.example:443");
    let (head, mut body) = connection.start(&call, false).await?.head().await?;
    body.send(Bytes::from_static(INSIDE), true).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok((head.comparable(), bytes.into()))
}

/// A message of gRPC: not compressed, its length, its bytes.
fn message(text: &str) -> Bytes {
    let mut protobuf = vec![0x0a, u8::try_from(text.len()).unwrap()];
    protobuf.extend_from_slice(text.as_bytes());
    let mut message = vec![0];
    message.extend_from_slice(&u32::try_from(protobuf.len()).unwrap().to_be_bytes());
    message.extend_from_slice(&protobuf);
    message.into()
}

fn grpc(method: &str) -> Call {
    let call = Call::post(format!("/testbed.Greeter/{method}"));
    call.header("content-type", "application/grpc").header("te", "trailers")
}

fn called(method: &str) -> Expected {
    Expected::of("post", &format!("/testbed.Greeter/{method}"), 200)
        .request(json!({"headers": {"content-type": "application/grpc", "te": "trailers"}}))
        .over("HTTP/2")
        .meta(json!({"cluster": "over2", "route": "grpc"}))
}

async fn a_unary_grpc_call_keeps_its_messages_and_status(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            let answer = Answer::new(200).header("content-type", "application/grpc").chunks([message("hello Kimmo")]);
            way.script.answer("/testbed.Greeter/Greet", answer.trailer("grpc-status", "0").trailer("grpc-message", ""));
            let call = grpc("Greet").chunks([message("Kimmo")]);
            Ok(h2::Connection::open(way.address).await?.call(&call).await?.comparable())
        })
        .await?;

    assert_eq!(outcome.seen.body, message("hello Kimmo"));
    assert_eq!(outcome.seen.trailers, fields([("grpc-status", "0"), ("grpc-message", "")]));
    assert_eq!(outcome.asked[0].body, message("Kimmo"));
    let expected = called("Greet").response(json!({"headers": {"content-type": "application/grpc"}})).meta(json!({
        "requestBody": {"bytes": 12, "kept": 12, "truncated": false, "base64": "AAAAAAcKBUtpbW1v"},
        "responseBody": {"bytes": 18, "kept": 18, "truncated": false, "base64": "AAAAAA0KC2hlbGxvIEtpbW1v"},
        "responseTrailers": {"grpc-status": "0", "grpc-message": ""}
    }));
    outcome.record()?.must_be(expected)
}

async fn a_grpc_stream_goes_both_ways_message_by_message(twin: &Twin) -> Result<()> {
    let outcome = twin.compare(1, chat).await?;

    let (head, messages, trailers) = &outcome.seen;
    assert_eq!(head.status, 200);
    assert_eq!(messages[..], ["one", "two", "three"].map(message));
    assert_eq!(*trailers, fields([("grpc-status", "0")]));
    let body = json!({
        "bytes": 32, "kept": 32, "truncated": false, "base64": "AAAAAAUKA29uZQAAAAAFCgN0d28AAAAABwoFdGhyZWU="
    });
    let expected = called("Chat")
        .response(json!({"headers": {"content-type": "application/grpc", "x-envoy-upstream-service-time": null}}))
        .meta(json!({"requestBody": body, "responseBody": body, "responseTrailers": {"grpc-status": "0"}}));
    outcome.record()?.must_be(expected)
}

/// Each message is sent once the answer to the one before is here.
async fn chat(way: Way<'_>) -> Result<(Reply, Vec<Bytes>, Fields)> {
    let answer = Answer::new(200).header("content-type", "application/grpc").echo().trailer("grpc-status", "0");
    way.script.answer_early("/testbed.Greeter/Chat", answer);
    let mut connection = h2::Connection::open(way.address).await?;
    let (head, mut body) = connection.start(&grpc("Chat"), false).await?.head().await?;
    let mut messages = Vec::new();
    for text in ["one", "two", "three"] {
        body.send(message(text), text == "three").await?;
        messages.push(body.next().await?.context("no answer to a message")?);
    }
    let end = body.next().await?;
    ensure!(end.is_none_or(|end| end.is_empty()), "more than the answers");
    Ok((head.comparable(), messages, body.trailers().await?))
}

async fn a_grpc_answer_of_trailers_only_has_its_status_in_the_head(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            let answer = Answer::new(200).header("content-type", "application/grpc").header("grpc-status", "5");
            way.script.answer("/testbed.Greeter/Nobody", answer.chunks([] as [Bytes; 0]));
            let call = grpc("Nobody").chunks([message("Kimmo")]);
            Ok(h2::Connection::open(way.address).await?.call(&call).await?.comparable())
        })
        .await?;

    assert_eq!((outcome.seen.headers.text("grpc-status"), outcome.seen.trailers.is_empty()), (Some("5"), true));
    let expected = called("Nobody")
        .response(json!({"headers": {"content-type": "application/grpc", "grpc-status": "5"}}))
        .meta(json!({"requestBody": {"bytes": 12, "kept": 12, "truncated": false, "base64": "AAAAAAcKBUtpbW1v"}}));
    outcome.record()?.must_be(expected)
}
