//! HTTP/3 from the client: Envoy never calls `on_log` there, so the record ends in `on_done`.
//!
//! When an HTTP/3 client gives up, Envoy 1.40 sets neither a flag nor a detail (its own access log has `-` for both), so
//! the records have none: what tells is the missing response, or a body shorter than its `content-length`.

use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use libtest_mimic::Trial;
use serde_json::json;
use tributary_testbed::{
    client::h3,
    message::{Call, Reply},
    origin::{Answer, Gate},
};

use crate::twin::{Expected, Shared, Twin, Way, cases, fields};

pub(crate) fn trials(shared: &Arc<Shared>) -> Vec<Trial> {
    cases!(
        shared, "http3":
        a_get_is_recorded,
        bodies_and_trailers_pass_both_ways,
        streams_of_one_connection_are_exchanges_of_their_own,
        a_reply_of_envoy_itself_is_recorded,
        a_stream_reset_by_the_client_before_the_response_leaves_a_record_without_one,
        a_connection_that_ends_in_the_response_body_leaves_what_passed,
        an_upstream_reset_in_the_body_leaves_what_passed,
    )
}

async fn connection(way: Way<'_>) -> Result<h3::Connection> {
    h3::Connection::open(way.http3, way.certificate).await
}

/// Over TLS, so with another scheme than the plain calls.
fn over3(method: &str, path: &str, status: u16) -> Expected {
    let expected = Expected::of(method, path, status).over("HTTP/3");
    expected.request(json!({"protocol": "https", "headers": {"x-forwarded-proto": "https"}}))
}

async fn a_get_is_recorded(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            way.script.answer("/three", Answer::new(200).header("content-type", "text/plain").body("hello"));
            Ok(connection(way).await?.call(&Call::get("/three")).await?.comparable())
        })
        .await?;

    assert_eq!((outcome.seen.status, &outcome.seen.body[..]), (200, &b"hello"[..]));
    let expected = over3("get", "/three", 200)
        .response(json!({"headers": {"content-type": "text/plain", "content-length": "5"}, "body": "hello"}))
        .meta(json!({"responseBody": {"bytes": 5, "kept": 5, "truncated": false}}));
    outcome.record()?.must_be(expected)
}

async fn bodies_and_trailers_pass_both_ways(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            let answer = Answer::new(200).chunks(["third, ", "fourth"]).trailer("x-part", "one");
            way.script.answer("/over2/three", answer);
            let call = Call::post("/over2/three").chunks(["first, ", "second"]).trailer("checksum", "13");
            Ok(connection(way).await?.call(&call).await?.comparable())
        })
        .await?;

    assert_eq!(outcome.seen.trailers, fields([("x-part", "one")]));
    assert_eq!(outcome.asked[0].trailers, fields([("checksum", "13")]));
    let expected = over3("post", "/over2/three", 200)
        .request(json!({"body": "first, second"}))
        .response(json!({"body": "third, fourth"}))
        .meta(json!({
            "cluster": "over2", "route": "over2",
            "requestBody": {"bytes": 13, "kept": 13, "truncated": false}, "requestTrailers": {"checksum": "13"},
            "responseBody": {"bytes": 13, "kept": 13, "truncated": false}, "responseTrailers": {"x-part": "one"}
        }));
    outcome.record()?.must_be(expected)
}

async fn streams_of_one_connection_are_exchanges_of_their_own(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(3, async |way| {
            let mut connection = connection(way).await?;
            let mut replies: Vec<Reply> = Vec::new();
            for path in ["/three/1", "/three/2", "/three/3"] {
                way.script.answer(path, Answer::new(204));
                replies.push(connection.call(&Call::get(path)).await?.comparable());
            }
            Ok(replies)
        })
        .await?;

    for (record, path) in outcome.records.iter().zip(["/three/1", "/three/2", "/three/3"]) {
        record.must_be(over3("get", path, 204))?;
    }
    Ok(())
}

async fn a_reply_of_envoy_itself_is_recorded(twin: &Twin) -> Result<()> {
    let call = Call::get("/nowhere").authority("unrouted.example");
    let outcome = twin.compare(1, async |way| Ok(connection(way).await?.call(&call).await?.comparable())).await?;

    assert_eq!(outcome.seen.status, 404);
    let expected = over3("get", "/nowhere", 404)
        .request(json!({"host": "unrouted.example"}))
        .response(json!({"headers": {"x-envoy-upstream-service-time": null}}))
        .meta(json!({"upstreamAddress": null, "cluster": null, "route": null}));
    outcome.record()?.must_be(expected.meta(json!({"responseFlags": "NR", "codeDetails": "route_not_found"})))
}

async fn a_stream_reset_by_the_client_before_the_response_leaves_a_record_without_one(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            way.script.answer("/three/given-up", Answer::silence());
            let mut connection = connection(way).await?;
            let stream = connection.start(&Call::get("/three/given-up")).await?;
            way.upstream_active("users", 1).await?;
            stream.reset();
            way.upstream_active("users", 0).await
        })
        .await?;

    outcome.record()?.must_be(over3("get", "/three/given-up", 0).no_response().meta(json!({"codeDetails": null})))
}

async fn a_connection_that_ends_in_the_response_body_leaves_what_passed(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            let answer = Answer::new(200).declare_length(1_000).chunks(["the first part"]);
            way.script.answer("/three/cut-short", answer.wait(&Gate::closed()));
            let mut connection = connection(way).await?;
            let mut stream = connection.start(&Call::get("/three/cut-short")).await?;
            let head = stream.head().await?;
            let part: Option<Bytes> = stream.next().await?;
            connection.abort();
            way.upstream_active("users", 0).await?;
            Ok((head.comparable(), part))
        })
        .await?;

    let expected = over3("get", "/three/cut-short", 200)
        .response(json!({"headers": {"content-length": "1000"}, "body": "the first part"}))
        .meta(json!({"responseBody": {"bytes": 14, "kept": 14, "truncated": false}}));
    outcome.record()?.must_be(expected)
}

async fn an_upstream_reset_in_the_body_leaves_what_passed(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            let gate = Gate::closed();
            let answer = Answer::new(200).declare_length(1_000).chunks(["the first part"]).wait(&gate).reset();
            way.script.answer("/three/breaks-off", answer);
            let mut connection = connection(way).await?;
            let mut stream = connection.start(&Call::get("/three/breaks-off")).await?;
            let head = stream.head().await?;
            let part = stream.next().await?;
            gate.open();
            let error = stream.next().await.unwrap_err();
            Ok((head.comparable(), part, format!("{error:#}")))
        })
        .await?;

    let expected = over3("get", "/three/breaks-off", 200)
        .response(json!({"headers": {"content-length": "1000"}, "body": "the first part"}))
        .meta(json!({"responseBody": {"bytes": 14, "kept": 14, "truncated": false}}));
    let ended = json!({
        "responseFlags": "UPE", "codeDetails": "upstream_reset_after_response_started{protocol_error}"
    });
    outcome.record()?.must_be(expected.meta(ended))
}
