//! Exchanges that go wrong, on the client's side or the upstream's: each is one record that says what happened.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use bytes::Bytes;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tributary_testbed::{
    client::{self, h1, h2},
    message::{Call, End, Head, Reply},
    origin::{Answer, Gate, Step},
};

use crate::twin::{Expected, HASTY, Shared, Twin, Way, cases, comparable, read_until};

pub(crate) fn trials(shared: &Arc<Shared>) -> Vec<Trial> {
    cases!(
        shared, "failures":
        a_client_that_goes_before_the_response_leaves_a_record_without_one,
        a_stream_reset_by_the_client_before_the_response_leaves_a_record_without_one,
        a_client_that_goes_in_its_own_body_leaves_what_it_sent,
        a_client_that_goes_in_the_response_body_leaves_what_passed,
        an_upstream_that_hangs_up_before_its_response_becomes_a_503,
        a_stream_reset_by_the_upstream_before_its_response_becomes_a_503,
        an_upstream_reset_in_the_body_cuts_the_response_and_leaves_what_passed,
        an_upstream_that_closes_in_a_chunked_body_leaves_what_passed,
        an_upstream_stream_reset_in_the_body_resets_the_client_s_stream,
        an_upstream_that_speaks_no_http_becomes_a_502,
        an_upstream_that_is_too_slow_becomes_a_504,
        an_upstream_that_is_too_slow_in_its_body_is_cut_off,
        a_call_that_no_route_takes_becomes_a_404,
        a_refused_connection_becomes_a_503,
        a_cluster_without_hosts_becomes_a_503,
    )
}

/// One plain call over HTTP/1.1, with this answer behind it.
pub(crate) async fn plain(way: Way<'_>, call: &Call, answer: Answer) -> Result<Reply> {
    way.script.answer(&call.target, answer);
    Ok(client::call(way.address, call).await?.comparable())
}

/// A reply that Envoy wrote itself: as the filter sees it, before `date` and `server` are added.
pub(crate) fn local(path: &str, status: u16, body: &str) -> Expected {
    let headers = json!({
        "content-length": body.len().to_string(), "content-type": "text/plain", "x-envoy-upstream-service-time": null
    });
    let body_facts = json!({"bytes": body.len(), "kept": body.len(), "truncated": false});
    let expected = Expected::of("get", path, status).response(json!({"headers": headers, "body": body}));
    expected.meta(json!({"responseBody": body_facts}))
}

/// How Envoy says that it ended.
pub(crate) fn ended(flags: &str, details: &str) -> Value {
    json!({"responseFlags": flags, "codeDetails": details})
}

async fn a_client_that_goes_before_the_response_leaves_a_record_without_one(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            way.script.answer("/given-up", Answer::silence());
            let mut connection = h1::Connection::open(way.address).await?;
            connection.send_call(&Call::get("/given-up")).await?;
            way.upstream_active("users", 1).await?;
            connection.reset();
            way.upstream_active("users", 0).await
        })
        .await?;

    let expected = Expected::of("get", "/given-up", 0).no_response();
    outcome.record()?.must_be(expected.meta(ended("DC", "downstream_remote_disconnect")))
}

async fn a_stream_reset_by_the_client_before_the_response_leaves_a_record_without_one(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            way.script.answer("/over2/given-up", Answer::silence());
            let mut connection = h2::Connection::open(way.address).await?;
            let stream = connection.start(&Call::get("/over2/given-up"), true).await?;
            way.upstream_active("over2", 1).await?;
            stream.reset();
            way.upstream_active("over2", 0).await
        })
        .await?;

    let over2 = json!({"cluster": "over2", "route": "over2"});
    let expected = Expected::of("get", "/over2/given-up", 0).over("HTTP/2").no_response().meta(over2);
    outcome.record()?.must_be(expected.meta(ended("DR", "http2.remote_reset")))
}

async fn a_client_that_goes_in_its_own_body_leaves_what_it_sent(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            let mut connection = h1::Connection::open(way.address).await?;
            // At once, so that the body is there when the head is.
            connection.send(b"POST /half HTTP/1.1\r\nhost: testbed.example\r\ncontent-length: 10\r\n\r\nfirst").await?;
            way.upstream_active("users", 1).await?;
            connection.reset();
            way.upstream_active("users", 0).await
        })
        .await?;

    let expected = Expected::of("post", "/half", 0)
        .request(json!({"headers": {"content-length": "10"}, "body": "first"}))
        .no_response()
        .meta(json!({"requestBody": {"bytes": 5, "kept": 5, "truncated": false}}));
    outcome.record()?.must_be(expected.meta(ended("DC", "downstream_remote_disconnect")))
}

async fn a_client_that_goes_in_the_response_body_leaves_what_passed(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            let answer = Answer::new(200).declare_length(1_000).chunks(["the first part"]);
            way.script.answer("/cut-short", answer.wait(&Gate::closed()));
            let mut connection = h1::Connection::open(way.address).await?;
            connection.send_call(&Call::get("/cut-short")).await?;
            let head = connection.head().await?;
            let part = read_until(&mut connection, b"the first part").await?;
            connection.reset();
            way.upstream_active("users", 0).await?;
            Ok((comparable(head), part))
        })
        .await?;

    let expected = Expected::of("get", "/cut-short", 200)
        .response(json!({"headers": {"content-length": "1000"}, "body": "the first part"}))
        .meta(json!({"responseBody": {"bytes": 14, "kept": 14, "truncated": false}}));
    outcome.record()?.must_be(expected.meta(ended("DC", "downstream_remote_disconnect")))
}

async fn an_upstream_that_hangs_up_before_its_response_becomes_a_503(twin: &Twin) -> Result<()> {
    let outcome = twin.compare(1, async |way| plain(way, &Call::get("/hangs-up"), Answer::hang_up()).await).await?;

    assert_eq!(outcome.seen.status, 503);
    let body = std::str::from_utf8(&outcome.seen.body)?;
    let expected = local("/hangs-up", 503, body);
    let details = "upstream_reset_before_response_started{connection_termination}";
    outcome.record()?.must_be(expected.meta(ended("UC", details)))
}

async fn a_stream_reset_by_the_upstream_before_its_response_becomes_a_503(twin: &Twin) -> Result<()> {
    let call = Call::get("/over2/hangs-up");
    let outcome = twin.compare(1, async |way| plain(way, &call, Answer::hang_up()).await).await?;

    assert_eq!(outcome.seen.status, 503);
    let expected = local("/over2/hangs-up", 503, std::str::from_utf8(&outcome.seen.body)?);
    let over2 = json!({"cluster": "over2", "route": "over2"});
    let details = "upstream_reset_before_response_started{remote_reset}";
    outcome.record()?.must_be(expected.meta(over2).meta(ended("UR", details)))
}

async fn an_upstream_reset_in_the_body_cuts_the_response_and_leaves_what_passed(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            let gate = Gate::closed();
            let answer = Answer::new(200).declare_length(1_000).chunks(["the first part"]);
            way.script.answer("/breaks-off", answer.wait(&gate).reset());
            broken_off(way, "/breaks-off", &gate).await
        })
        .await?;

    let expected = Expected::of("get", "/breaks-off", 200)
        .response(json!({"headers": {"content-length": "1000"}, "body": "the first part"}))
        .meta(json!({"responseBody": {"bytes": 14, "kept": 14, "truncated": false}}));
    outcome.record()?.must_be(expected.meta(ended("UPE", CUT_OFF)))
}

/// What Envoy calls an HTTP/1.1 response that ends before its framing says so: an error of the protocol.
const CUT_OFF: &str = "upstream_reset_after_response_started{protocol_error}";

async fn an_upstream_that_closes_in_a_chunked_body_leaves_what_passed(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            let gate = Gate::closed();
            let answer = Answer::new(200).chunks(["the first part"]).wait(&gate).step(Step::Close);
            way.script.answer("/closes", answer);
            let mut connection = h1::Connection::open(way.address).await?;
            connection.send_call(&Call::get("/closes")).await?;
            let head = connection.head().await?;
            let part = read_until(&mut connection, b"the first part\r\n").await?;
            gate.open();
            let rest = connection.bytes(crate::twin::PATIENCE).await?;
            Ok((comparable(head), part, rest))
        })
        .await?;

    let expected = Expected::of("get", "/closes", 200)
        .response(json!({"headers": {"transfer-encoding": "chunked"}, "body": "the first part"}))
        .meta(json!({"responseBody": {"bytes": 14, "kept": 14, "truncated": false}}));
    outcome.record()?.must_be(expected.meta(ended("UPE", CUT_OFF)))
}

/// Reads the head and the first part, then lets the origin go on; returns what came of it.
async fn broken_off(way: Way<'_>, path: &str, gate: &Gate) -> Result<(Head, Bytes, Bytes)> {
    let mut connection = h1::Connection::open(way.address).await?;
    connection.send_call(&Call::get(path)).await?;
    let head = connection.head().await?;
    let part = read_until(&mut connection, b"the first part").await?;
    gate.open();
    let rest = connection.bytes(crate::twin::PATIENCE).await?;
    Ok((comparable(head), part, rest))
}

async fn an_upstream_stream_reset_in_the_body_resets_the_client_s_stream(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            let gate = Gate::closed();
            let answer = Answer::new(200).chunks(["the first part"]).wait(&gate).reset();
            way.script.answer("/over2/breaks-off", answer);
            let mut connection = h2::Connection::open(way.address).await?;
            let (head, mut body) = connection.start(&Call::get("/over2/breaks-off"), true).await?.head().await?;
            let part = body.next().await?;
            gate.open();
            let error = body.next().await.unwrap_err();
            Ok((head.comparable(), part, format!("{error:#}")))
        })
        .await?;

    let expected = Expected::of("get", "/over2/breaks-off", 200)
        .over("HTTP/2")
        .response(json!({"body": "the first part"}))
        .meta(json!({
            "cluster": "over2", "route": "over2",
            "responseBody": {"bytes": 14, "kept": 14, "truncated": false}
        }));
    let details = "upstream_reset_after_response_started{remote_reset}";
    outcome.record()?.must_be(expected.meta(ended("UR", details)))
}

async fn an_upstream_that_speaks_no_http_becomes_a_502(twin: &Twin) -> Result<()> {
    let call = Call::get("/babble");
    let outcome = twin.compare(1, async |way| plain(way, &call, Answer::raw("SMTP ready\r\n\r\n")).await).await?;

    assert_eq!(outcome.seen.status, 502);
    let expected = local("/babble", 502, std::str::from_utf8(&outcome.seen.body)?);
    outcome.record()?.must_be(expected.meta(ended("UPE", "upstream_reset_before_response_started{protocol_error}")))
}

async fn an_upstream_that_is_too_slow_becomes_a_504(twin: &Twin) -> Result<()> {
    let call = Call::get("/hasty/never");
    let outcome = twin.compare(1, async |way| plain(way, &call, Answer::silence()).await).await?;

    assert_eq!(outcome.seen.status, 504);
    let record = outcome.record()?;
    took_at_least(record.duration_ms, HASTY)?;
    let expected = local("/hasty/never", 504, "upstream request timeout").meta(json!({"route": "hasty"}));
    record.must_be(expected.meta(ended("UT", "response_timeout")))
}

async fn an_upstream_that_is_too_slow_in_its_body_is_cut_off(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            let answer = Answer::new(200).declare_length(1_000).chunks(["the first part"]).wait(&Gate::closed());
            plain(way, &Call::get("/hasty/stalls"), answer).await
        })
        .await?;

    assert!(matches!(outcome.seen.end, End::Cut(_)));
    let record = outcome.record()?;
    took_at_least(record.duration_ms, HASTY)?;
    let expected = Expected::of("get", "/hasty/stalls", 200)
        .response(json!({"headers": {"content-length": "1000"}, "body": "the first part"}))
        .meta(json!({"route": "hasty", "responseBody": {"bytes": 14, "kept": 14, "truncated": false}}));
    record.must_be(expected.meta(ended("UT", "response_timeout")))
}

/// Envoy's timers count from when its event loop woke: some milliseconds early on a busy machine.
fn took_at_least(duration_ms: u64, least: Duration) -> Result<()> {
    ensure!(Duration::from_millis(duration_ms + 50) >= least, "{duration_ms} ms are less than the time-out");
    Ok(())
}

async fn a_call_that_no_route_takes_becomes_a_404(twin: &Twin) -> Result<()> {
    let call = Call::get("/nowhere").authority("unrouted.example");
    let outcome = twin.compare(1, async |way| Ok(client::call(way.address, &call).await?.comparable())).await?;

    assert_eq!(outcome.seen.status, 404);
    let expected = Expected::of("get", "/nowhere", 404).host("unrouted.example");
    outcome.record()?.must_be(bare(expected).meta(ended("NR", "route_not_found")))
}

/// Without an upstream and all that comes from it.
pub(crate) fn bare(expected: Expected) -> Expected {
    expected
        .response(json!({"headers": {"x-envoy-upstream-service-time": null}}))
        .meta(json!({"upstreamAddress": null, "cluster": null, "route": null}))
}

async fn a_refused_connection_becomes_a_503(twin: &Twin) -> Result<()> {
    let outcome = twin.compare(1, async |way| plain(way, &Call::get("/refused"), Answer::new(200)).await).await?;

    assert_eq!((outcome.seen.status, outcome.asked.len()), (503, 0));
    let expected = local("/refused", 503, std::str::from_utf8(&outcome.seen.body)?);
    let refused = json!({"cluster": "refused", "route": "refused", "upstreamAddress": "REFUSED"});
    let details = "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_\
        Connection_refused}";
    outcome.record()?.must_be(expected.meta(refused).meta(ended("UF", details)))
}

async fn a_cluster_without_hosts_becomes_a_503(twin: &Twin) -> Result<()> {
    let outcome = twin.compare(1, async |way| plain(way, &Call::get("/nobody"), Answer::new(200)).await).await?;

    assert_eq!((outcome.seen.status, outcome.asked.len()), (503, 0));
    let expected = local("/nobody", 503, "no healthy upstream");
    let nobody = json!({"cluster": "nobody", "route": "nobody", "upstreamAddress": null});
    outcome.record()?.must_be(expected.meta(nobody).meta(ended("UH", "no_healthy_upstream")))
}
