//! The routes, on a sink in memory: what a sender sees, and what the account says.

use std::{io::Write as _, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::{
    auth::Tokens,
    door::Exposure,
    sink::memory::{Behaviour, MemorySink},
};

mod accounts;
mod fuzz;
mod repeats;
mod stress;

const GOOD: &str = r#"{"request":{"method":"get","host":"h"},"meta":{"id":"ab-0","source":"ab","seq":0}}"#;

const LIMITS: Limits = Limits {
    body: BodyLimits { max_encoded_bytes: 4000, max_decoded_bytes: 10_000, timeout: Duration::from_secs(5) },
    lines: LineLimits {
        max_line_bytes: 1000,
        max_lines: 10,
        max_depth: 10,
        max_unpacked_body_bytes: 1000,
        max_unpacked_bytes: 10_000,
    },
    answer_within: Duration::from_millis(200),
    max_bytes_in_flight: 100_000,
    max_sources: 10,
    max_acked_batches: 10,
};

struct Rig {
    sink: Arc<MemorySink>,
    app: Arc<App>,
}

struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Rig {
    fn new() -> Rig {
        Rig::with(None, LIMITS)
    }

    fn with(tokens: Option<Tokens>, limits: Limits) -> Rig {
        let sink = Arc::new(MemorySink::default());
        let door = Door::new(tokens, None, Exposure::None);
        let app = App::new(Arc::clone(&sink) as Arc<dyn Sink>, door, crate::wall::Wall::default(), limits);
        Rig { sink, app }
    }

    async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.app.router().oneshot(request).await.expect("a router never fails");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Reply { status: head.status.as_u16(), headers: head.headers, body }
    }

    async fn post(&self, body: impl Into<Body>) -> Reply {
        self.send(request(&[], body)).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    async fn text(&self, path: &str) -> String {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let response = self.app.router().oneshot(request).await.expect("a router never fails");
        let bytes = response.into_body().collect().await.expect("a whole body").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    async fn accounting(&self) -> Value {
        let account = self.get("/v1/accounting").await.body;
        assert_eq!(account["identity_exact"], true, "{account}");
        account
    }
}

fn request(headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::builder().method(Method::POST).uri("/v1/exchanges");
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/x-ndjson");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).expect("a request")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("into memory");
    encoder.finish().expect("into memory")
}

#[tokio::test]
async fn good_lines_are_stored_as_they_are_and_acknowledged() {
    let rig = Rig::new();
    let from_filter = [
        ("x-tributary-source", "ab"),
        ("x-tributary-batch", "7"),
        ("x-tributary-counters", "seen=1,captured=1,in_flight=1"),
    ];

    let reply = rig.send(request(&from_filter, format!("{GOOD}\n"))).await;

    assert_eq!((reply.status, reply.body), (200, json!({"accepted": 1, "rejected": []})));
    assert_eq!(reply.headers["x-tributary-ack"], "ab-7");
    assert_eq!(rig.sink.lines(), [GOOD]);
    let account = rig.accounting().await;
    assert_eq!((&account["accepted"], &account["sources"]["ab"]["counters"]["seen"]), (&json!(1), &json!(1)));
    assert_eq!(rig.app.budget.used(), 0);
}

#[tokio::test]
async fn any_other_program_gets_no_acknowledgement_header() {
    let reply = Rig::new().post(format!("{GOOD}\n")).await;

    assert_eq!(reply.status, 200);
    assert!(!reply.headers.contains_key("x-tributary-ack"));
}

#[tokio::test]
async fn a_bad_line_is_named_and_its_neighbours_are_stored() {
    let rig = Rig::new();

    let reply = rig.post(format!("{GOOD}\n\nnot json\n{GOOD}\n{{\"meta\":{{\"source\":\"ab\",\"seq\":1}}}}\n")).await;

    assert_eq!(reply.status, 200);
    assert_eq!(reply.body["accepted"], 2);
    let lines: Vec<&Value> =
        reply.body["rejected"].as_array().expect("a list").iter().map(|line| &line["line"]).collect();
    assert_eq!(lines, [&json!(3), &json!(5)]);
    assert_eq!(rig.sink.lines().len(), 2);
    let account = rig.accounting().await;
    assert_eq!((&account["received"], &account["rejected"]), (&json!(4), &json!(2)));
    assert_eq!(account["sources"]["ab"]["max_seq"], 1);
}

#[tokio::test]
async fn a_post_without_lines_is_a_report() {
    let rig = Rig::new();
    rig.sink.behave(Behaviour::Blocked);
    let report =
        [("x-tributary-source", "ab"), ("x-tributary-batch", "0"), ("x-tributary-counters", "seen=3,excluded_self=3")];

    let reply = rig.send(request(&report, "")).await;

    assert_eq!((reply.status, reply.body), (200, json!({"accepted": 0, "rejected": []})));
    assert_eq!(reply.headers["x-tributary-ack"], "ab-0");
    assert_eq!(rig.accounting().await["sources"]["ab"]["identity_exact"], true);
}

#[tokio::test]
async fn packed_posts_are_unpacked() {
    let rig = Rig::new();
    let body = format!("{GOOD}\n").repeat(3);

    let gzipped = rig.send(request(&[("content-encoding", "gzip")], gzip(body.as_bytes()))).await;
    let zstd = zstd::encode_all(body.as_bytes(), 1).expect("into memory");
    let zstd = rig.send(request(&[("content-encoding", "zstd")], zstd)).await;

    assert_eq!((gzipped.body["accepted"].clone(), zstd.body["accepted"].clone()), (json!(3), json!(3)));
    assert_eq!(rig.sink.lines(), [GOOD; 6]);
}

#[tokio::test]
async fn compressed_bodies_inside_exchanges_are_unpacked() {
    use base64::Engine as _;
    let rig = Rig::new();
    let packed = base64::engine::general_purpose::STANDARD.encode(gzip(b"hello"));
    let line = format!(
        r#"{{"request":{{"method":"get"}},"response":{{"statusCode":200,"headers":{{"content-encoding":"gzip"}},"body":""}},"meta":{{"responseBody":{{"bytes":25,"kept":25,"truncated":false,"base64":"{packed}"}}}}}}"#
    );

    let reply = rig.post(line).await;

    assert_eq!(reply.body["accepted"], 1);
    let stored: Value = serde_json::from_str(&rig.sink.lines()[0]).expect("json");
    assert_eq!(stored["response"]["body"], "hello");
    assert_eq!(stored["meta"]["responseBody"], json!({"bytes": 25, "kept": 25, "truncated": false, "decoded": true}));
    assert_eq!(rig.accounting().await["bodies"]["decoded"], 1);
}

#[tokio::test]
async fn nothing_is_promised_when_the_sink_cannot_store() {
    for behaviour in [Behaviour::Fail, Behaviour::Hang, Behaviour::Blocked] {
        let rig = Rig::new();
        rig.sink.behave(behaviour);

        let reply = rig.post(format!("{GOOD}\nnot json\n")).await;

        assert_eq!(reply.status, 503, "{behaviour:?}");
        assert_eq!(reply.headers["retry-after"], "1");
        assert!(!reply.headers.contains_key("x-tributary-ack"));
        let account = rig.accounting().await;
        assert_eq!(
            (&account["refused"]["busy"], &account["accepted"], &account["rejected"]),
            (&json!(2), &json!(0), &json!(0))
        );
        assert_eq!(account["sources"], json!({}));
    }
}

#[tokio::test]
async fn a_refused_post_can_come_again() {
    let rig = Rig::new();
    rig.sink.behave(Behaviour::Fail);
    assert_eq!(rig.post(format!("{GOOD}\n")).await.status, 503);

    rig.sink.behave(Behaviour::Store);

    assert_eq!(rig.post(format!("{GOOD}\n")).await.status, 200);
    assert_eq!(rig.accounting().await["sources"]["ab"]["duplicates"], 0);
}

#[tokio::test]
async fn a_line_that_the_sink_cannot_take_is_named_and_its_neighbours_are_stored() {
    let rig = Rig::new();
    rig.sink.behave(Behaviour::RejectOver(100));
    let long = format!(r#"{{"request":{{"method":"get","body":"{}"}}}}"#, "x".repeat(100));

    let reply = rig.post(format!("{GOOD}\n{long}\nbad\n{GOOD}\n")).await;

    let expected = json!({"accepted": 2, "rejected": [{"line": 2, "error": "too large"}, {"line": 3, "error": "not JSON: expected value at column 1"}]});
    assert_eq!((reply.status, reply.body), (200, expected));
    let account = rig.accounting().await;
    assert_eq!((&account["rejected"], &account["dead_lettered"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn malformed_posts_are_refused_by_reason() {
    type Headers = &'static [(&'static str, &'static str)];
    let cases: [(Headers, Vec<u8>, u16, &str); 9] = [
        (&[("content-type", "text/plain")], vec![], 415, "bad_request"),
        (&[("content-encoding", "br")], vec![], 415, "bad_request"),
        (&[("x-tributary-source", "ab")], vec![], 400, "bad_request"),
        (&[("x-tributary-source", "a b"), ("x-tributary-batch", "0")], vec![], 400, "bad_request"),
        (&[("content-encoding", "gzip")], b"not gzip".to_vec(), 400, "bad_request"),
        (&[], vec![b' '; 4001], 413, "limit"),
        (&[("content-length", "4001")], vec![], 413, "limit"),
        (&[("content-encoding", "gzip")], gzip(&[b' '; 10_001]), 413, "limit"),
        (&[], "{}\n".repeat(11).into_bytes(), 413, "limit"),
    ];
    for (headers, body, status, counted_as) in cases {
        let rig = Rig::new();

        let reply = rig.send(request(headers, body)).await;

        assert_eq!(reply.status, status, "{headers:?}");
        assert!(reply.body["error"].is_string(), "{headers:?}");
        assert_eq!(rig.accounting().await["posts"]["refused"][counted_as], 1, "{headers:?}");
        assert!(rig.sink.lines().is_empty());
        assert_eq!(rig.app.budget.used(), 0);
    }
}

#[tokio::test]
async fn a_post_at_every_limit_is_taken() {
    let rig = Rig::new();
    let line = |len: usize| format!("{GOOD}{}\n", " ".repeat(len - GOOD.len()));
    let body = format!("{}{}", line(1000), line(300).repeat(9));

    assert_eq!(rig.post(body.clone()).await.body["accepted"], 10);
    assert_eq!(rig.post(format!("{}{body}", " ".repeat(4000 - body.len()))).await.status, 200);
}

#[tokio::test]
async fn without_room_a_post_is_refused_as_busy() {
    let rig = Rig::with(None, Limits { max_bytes_in_flight: 10, ..LIMITS });

    let reply = rig.post(format!("{GOOD}\n")).await;

    assert_eq!(reply.status, 503);
    assert_eq!(rig.accounting().await["posts"]["refused"]["busy"], 1);
}

#[tokio::test]
async fn a_post_needs_a_token_where_tokens_are_asked_for() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), "0123456789abcdef\n").expect("written");
    let rig = Rig::with(Some(Tokens::open(file.path()).expect("a good token")), LIMITS);

    let without = rig.post(format!("{GOOD}\n")).await;
    let wrong = rig.send(request(&[("authorization", "Bearer 0123456789abcdeX")], format!("{GOOD}\n"))).await;
    let right = rig.send(request(&[("authorization", "Bearer 0123456789abcdef")], format!("{GOOD}\n"))).await;

    assert_eq!((without.status, wrong.status, right.status), (401, 401, 200));
    assert_eq!((&without.body, &wrong.body), (&json!({"error": "unauthorized"}), &json!({"error": "unauthorized"})));
    assert_eq!(rig.accounting().await["posts"]["refused"]["auth"], 2);
}

#[tokio::test]
async fn without_a_token_the_body_is_not_read_into_memory() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), "0123456789abcdef\n").expect("written");
    let rig = Rig::with(Some(Tokens::open(file.path()).expect("a good token")), LIMITS);
    let endless = Body::from_stream(futures_util::stream::repeat_with(|| {
        Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 1000]))
    }));

    let reply = rig.post(endless).await;

    assert_eq!((reply.status, rig.app.budget.used()), (401, 0));
}

#[tokio::test]
async fn a_sender_that_goes_away_changes_nothing_in_the_account() {
    let rig = Rig::with(None, Limits { answer_within: Duration::from_secs(1), ..LIMITS });
    rig.sink.behave(Behaviour::Hang);
    let mut answer = Box::pin(rig.app.router().oneshot(request(&[], format!("{GOOD}\n"))));

    // It is on its way into the sink when its sender goes.
    while rig.app.posts.is_empty() {
        let _ = tokio::time::timeout(Duration::from_millis(1), answer.as_mut()).await;
    }
    drop(answer);
    rig.app.posts.close();
    rig.app.posts.wait().await;

    assert_eq!(rig.accounting().await["refused"]["busy"], 1);
    assert_eq!(rig.app.budget.used(), 0);
}

#[tokio::test]
async fn readiness_says_what_is_wrong() {
    let rig = Rig::new();
    assert_eq!(rig.get("/ready").await.body, json!({"ready": true, "draining": false, "degraded": [], "warnings": []}));

    rig.sink.behave(Behaviour::Fail);
    let degraded = rig.get("/ready").await;
    rig.sink.behave(Behaviour::Store);
    rig.app.drain();
    let draining = rig.get("/ready").await;

    assert_eq!((degraded.status, &degraded.body["degraded"][0]["cause"]), (503, &json!("memory")));
    assert_eq!((draining.status, &draining.body["draining"]), (503, &json!(true)));
    assert_eq!(rig.get("/live").await.status, 200);
}

#[tokio::test]
async fn what_is_not_safe_shows_in_ready_and_in_the_metrics() {
    for (exposure, warning, gauge) in [
        (Exposure::NoAuth, "everybody who reaches this address can post: --insecure-no-auth is given", "no_auth"),
        (Exposure::ClearText, "tokens and exchanges come over the network in clear text: no --tls-cert", "clear_text"),
    ] {
        let door = Door::new(None, None, exposure);
        let sink = Arc::new(MemorySink::default());
        let rig =
            Rig { app: App::new(Arc::clone(&sink) as Arc<dyn Sink>, door, crate::wall::Wall::default(), LIMITS), sink };

        let (ready, metrics) = (rig.get("/ready").await, rig.text("/metrics").await);

        assert_eq!((ready.status, &ready.body["warnings"]), (200, &json!([warning])));
        let line = format!("tributary_collector_insecure{{what=\"{gauge}\"}} 1");
        assert!(metrics.lines().any(|known| known == line), "{line} in\n{metrics}");
    }
}

#[tokio::test]
async fn the_metrics_tell_the_account() {
    let rig = Rig::new();
    rig.post(format!("{GOOD}\nbad\n")).await;

    let text = rig.text("/metrics").await;

    for line in [
        "tributary_collector_lines_received_total 2",
        "tributary_collector_lines_accepted_total 1",
        "tributary_collector_lines_rejected_total 1",
        "tributary_collector_lines_stored_total{in=\"kafka\"} 1",
        "tributary_collector_posts_total{outcome=\"accepted\"} 1",
        "tributary_collector_ready 1",
        "tributary_collector_insecure{what=\"no_auth\"} 0",
        "tributary_collector_store_seconds_count 1",
        "# EOF",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
    }
}

#[tokio::test]
async fn other_methods_and_paths_are_refused() {
    let rig = Rig::new();

    assert_eq!(rig.get("/v1/exchanges").await.status, 405);
    assert_eq!(rig.get("/").await.status, 404);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A body may come in any pieces: the verdicts are those of the whole.
    #[test]
    fn any_split_into_chunks_gets_the_same_verdicts(lines in proptest::collection::vec(prop_oneof![
        Just(GOOD.to_owned()), Just("bad".to_owned()), Just(String::new()), Just(format!("{GOOD}\r"))
    ], 0..10), cuts in proptest::collection::vec(0usize..1200, 0..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let body = lines.join("\n");
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let chunks: Vec<Result<Bytes, std::io::Error>> =
            cuts.windows(2).map(|cut| Ok(Bytes::copy_from_slice(&body.as_bytes()[cut[0]..cut[1]]))).collect();

        let (whole, split) = runtime.block_on(async {
            let whole = Rig::new().post(body.clone()).await;
            (whole, Rig::new().post(Body::from_stream(futures_util::stream::iter(chunks))).await)
        });

        prop_assert_eq!((whole.status, whole.body), (split.status, split.body));
    }
}
