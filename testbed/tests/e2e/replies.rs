//! What Envoy does by itself: retries, redirects, replies of its own, and replies before the filter ever ran.

use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::Trial;
use serde_json::json;
use tributary_testbed::{
    client::{self, h1},
    message::{Call, Reply},
    origin::Answer,
};

use crate::{
    failures::{bare, ended, local, plain},
    twin::{Expected, Shared, Twin, Way, cases},
};

pub(crate) fn trials(shared: &Arc<Shared>) -> Vec<Trial> {
    cases!(
        shared, "replies":
        a_call_that_envoy_retries_is_one_exchange,
        a_call_that_envoy_retries_in_vain_is_one_exchange_with_the_last_answer,
        an_answer_of_envoy_itself_is_recorded,
        a_redirect_by_envoy_is_recorded,
        an_internal_redirect_is_one_exchange_for_each_hop,
        bytes_that_are_no_request_are_neither_counted_nor_recorded,
        a_head_that_is_too_large_is_neither_counted_nor_recorded,
        a_request_without_a_host_is_recorded_with_the_address_it_came_to,
        a_request_of_http10_is_neither_counted_nor_recorded,
        a_request_refused_by_a_filter_before_ours_is_recorded,
        an_upgrade_that_is_not_allowed_is_recorded,
    )
}

async fn a_call_that_envoy_retries_is_one_exchange(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| {
            let answers = [Answer::new(503).body("not yet"), Answer::hang_up(), Answer::new(200).body("at last")];
            way.script.answers("/retried/twice", answers);
            Ok(client::call(way.address, &Call::post("/retried/twice").body("please")).await?.comparable())
        })
        .await?;

    assert_eq!((outcome.seen.status, outcome.asked.len()), (200, 3));
    let expected = Expected::of("post", "/retried/twice", 200)
        .request(json!({"headers": {"content-length": "6"}, "body": "please"}))
        .response(json!({"headers": {"content-length": "7"}, "body": "at last"}))
        .meta(json!({
            "route": "retried", "requestBody": {"bytes": 6, "kept": 6, "truncated": false},
            "responseBody": {"bytes": 7, "kept": 7, "truncated": false}
        }));
    outcome.record()?.must_be(expected)
}

async fn a_call_that_envoy_retries_in_vain_is_one_exchange_with_the_last_answer(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(1, async |way| plain(way, &Call::get("/retried/in-vain"), Answer::new(503).body("no")).await)
        .await?;

    assert_eq!((outcome.seen.status, outcome.asked.len()), (503, 3));
    let expected = Expected::of("get", "/retried/in-vain", 503)
        .response(json!({"headers": {"content-length": "2"}, "body": "no"}))
        .meta(json!({"route": "retried", "responseBody": {"bytes": 2, "kept": 2, "truncated": false}}));
    outcome.record()?.must_be(expected.meta(ended("URX", "via_upstream")))
}

async fn an_answer_of_envoy_itself_is_recorded(twin: &Twin) -> Result<()> {
    let call = Call::get("/direct");
    let outcome = twin.compare(1, async |way| plain(way, &call, Answer::new(200)).await).await?;

    assert_eq!((outcome.seen.status, &outcome.seen.body[..]), (418, &b"short and stout"[..]));
    let direct = json!({"route": "direct", "cluster": null, "upstreamAddress": null, "codeDetails": "direct_response"});
    outcome.record()?.must_be(local("/direct", 418, "short and stout").meta(direct))
}

async fn a_redirect_by_envoy_is_recorded(twin: &Twin) -> Result<()> {
    let call = Call::get("/moved");
    let outcome = twin.compare(1, async |way| plain(way, &call, Answer::new(200)).await).await?;

    assert_eq!(outcome.seen.status, 301);
    assert_eq!(outcome.seen.headers.text("location"), Some("http://testbed.example/new-place"));
    let moved = json!({"headers": {"location": "http://testbed.example/new-place"}});
    let expected = bare(Expected::of("get", "/moved", 301)).response(moved);
    outcome.record()?.must_be(expected.meta(json!({"route": "moved", "codeDetails": "direct_response"})))
}

async fn an_internal_redirect_is_one_exchange_for_each_hop(twin: &Twin) -> Result<()> {
    let outcome = twin
        .compare(2, async |way| {
            way.script.answer("/hop", Answer::new(302).header("location", "http://testbed.example/landed"));
            way.script.answer("/landed", Answer::new(200).body("here"));
            Ok(client::call(way.address, &Call::get("/hop")).await?.comparable())
        })
        .await?;

    assert_eq!((outcome.seen.status, outcome.asked.len()), (200, 2));
    // The filter never sees the response of the first hop: head and route are those that Envoy's log has, after it chose
    // the route of the second.
    let first = Expected::of("get", "/hop", 302)
        .response(json!({"headers": {
            "location": "http://testbed.example/landed", "content-length": "0", "x-envoy-upstream-service-time": null
        }}))
        .meta(json!({"codeDetails": "internal_redirect"}));
    let second = Expected::of("get", "/landed", 200)
        .request(json!({"headers": {
            "x-envoy-expected-rq-timeout-ms": "15000", "x-envoy-original-url": "http://testbed.example/hop"
        }}))
        .response(json!({"headers": {"content-length": "4"}, "body": "here"}))
        .meta(json!({"responseBody": {"bytes": 4, "kept": 4, "truncated": false}}));
    outcome.records[0].must_be(first)?;
    outcome.records[1].must_be(second)
}

/// Sends bytes, returns the reply and what comes behind it.
async fn raw(way: Way<'_>, bytes: &[u8]) -> Result<Reply> {
    let mut connection = h1::Connection::open(way.address).await?;
    connection.send(bytes).await?;
    Ok(connection.reply("GET").await?.comparable())
}

async fn bytes_that_are_no_request_are_neither_counted_nor_recorded(twin: &Twin) -> Result<()> {
    let outcome =
        twin.compare(0, async |way| raw(way, b"GET /x HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n").await).await?;

    assert_eq!((outcome.seen.status, outcome.asked.len()), (400, 0));
    Ok(())
}

async fn a_head_that_is_too_large_is_neither_counted_nor_recorded(twin: &Twin) -> Result<()> {
    let head = format!("GET /large HTTP/1.1\r\nhost: a\r\nx-large: {}\r\n\r\n", "x".repeat(100 * 1024));
    let outcome = twin.compare(0, async |way| raw(way, head.as_bytes()).await).await?;

    assert_eq!((outcome.seen.status, outcome.asked.len()), (431, 0));
    Ok(())
}

/// A reply that Envoy made before the filter ran: its heads are those of Envoy's log, as the client got them; its body
/// never came this way.
fn before_ours(path: &str, status: u16) -> Expected {
    let headers = json!({"date": "DATE", "server": "envoy", "x-envoy-upstream-service-time": null});
    Expected::of("get", path, status).response(json!({"headers": headers})).meta(json!({"upstreamAddress": null}))
}

async fn a_request_without_a_host_is_recorded_with_the_address_it_came_to(twin: &Twin) -> Result<()> {
    let outcome = twin.compare(1, async |way| raw(way, b"GET /no-host HTTP/1.1\r\n\r\n").await).await?;

    assert_eq!((outcome.seen.status, outcome.asked.len()), (400, 0));
    let expected = before_ours("/no-host", 400).request(json!({"host": "LISTENER", "headers": null}));
    let expected = expected.request(json!({"headers": {}})).response(json!({"headers": {"connection": "close"}}));
    let details = json!({"cluster": null, "route": null, "codeDetails": "missing_host_header"});
    outcome.record()?.must_be(expected.meta(details))
}

async fn a_request_of_http10_is_neither_counted_nor_recorded(twin: &Twin) -> Result<()> {
    let outcome =
        twin.compare(0, async |way| raw(way, b"GET /old HTTP/1.0\r\nhost: old.example\r\n\r\n").await).await?;

    assert_eq!((outcome.seen.status, outcome.asked.len()), (426, 0));
    Ok(())
}

async fn a_request_refused_by_a_filter_before_ours_is_recorded(twin: &Twin) -> Result<()> {
    let call = Call::get("/turned-away").header("x-envoy-fault-abort-request", "403");
    let outcome = twin.compare(1, async |way| plain(way, &call, Answer::new(200)).await).await?;

    assert_eq!((outcome.seen.status, outcome.asked.len()), (403, 0));
    let expected = before_ours("/turned-away", 403)
        .request(json!({"headers": {"x-envoy-fault-abort-request": "403"}}))
        .response(json!({"headers": {"content-length": "18", "content-type": "text/plain"}}));
    outcome.record()?.must_be(expected.meta(ended("FI", "fault_filter_abort")))
}

async fn an_upgrade_that_is_not_allowed_is_recorded(twin: &Twin) -> Result<()> {
    let call = Call::get("/upgrade").header("connection", "upgrade").header("upgrade", "telnet");
    let outcome = twin.compare(1, async |way| plain(way, &call, Answer::new(200)).await).await?;

    assert_eq!((outcome.seen.status, outcome.asked.len()), (403, 0));
    let expected = before_ours("/upgrade", 403)
        .request(json!({"headers": {"connection": "upgrade", "upgrade": "telnet"}}))
        .response(json!({"headers": {"connection": "close"}}));
    outcome.record()?.must_be(expected.meta(json!({"codeDetails": "upgrade_failed"})))
}
