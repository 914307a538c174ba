use super::*;
use http::HeaderValue;
use proptest::prelude::*;
use tributary_http_types::SourceAccount;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_str(value).expect("a legal value"));
    }
    headers
}

fn read(pairs: &[(&'static str, &str)]) -> Result<PostHeaders, Refusal> {
    let mut all = vec![("content-type", "application/x-ndjson")];
    all.extend_from_slice(pairs);
    PostHeaders::read(&headers(&all))
}

fn account(counters: &str) -> SourceAccount {
    SourceAccount { counters: parse_counters(counters).expect("good counters"), ..SourceAccount::default() }
}

fn identity(counters: &str) -> bool {
    account(counters).identity_is_exact()
}

#[test]
fn a_post_of_the_filter_is_read_whole() {
    let post = read(&[
        ("content-encoding", "gzip"),
        ("x-tributary-source", "0af1"),
        ("x-tributary-batch", "18446744073709551615"),
        ("x-tributary-counters", "seen=2,captured=2"),
        ("x-tributary-heartbeat", "5000"),
    ]);

    let counters = Some([("seen".to_owned(), 2), ("captured".to_owned(), 2)].into());
    let sender = Sender { source: "0af1".to_owned(), batch: u64::MAX, counters, heartbeat_ms: Some(5000) };
    assert_eq!(post.ok(), Some(PostHeaders { encoding: Encoding::Gzip, sender: Some(sender) }));
}

#[test]
fn any_other_program_needs_no_headers_of_ours() {
    assert_eq!(read(&[]).ok(), Some(PostHeaders { encoding: Encoding::Identity, sender: None }));
}

#[test]
fn json_lines_go_by_several_names() {
    for good in [
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/json-lines",
        "Application/X-NDJSON; charset=UTF-8",
        "application/x-ndjson;charset=\"utf-8\"",
    ] {
        assert!(PostHeaders::read(&headers(&[("content-type", good)])).is_ok(), "{good}");
    }
}

#[test]
fn other_content_types_are_refused() {
    for bad in ["application/json", "text/plain", "", "application/x-ndjson; charset=latin1", "x-ndjson"] {
        let refusal = PostHeaders::read(&headers(&[("content-type", bad)]));
        assert!(matches!(refusal, Err(Refusal::ContentType)), "{bad}");
    }
    assert!(matches!(PostHeaders::read(&HeaderMap::new()), Err(Refusal::ContentType)));
    let twice = headers(&[("content-type", "application/x-ndjson"), ("content-type", "text/html")]);
    assert!(matches!(PostHeaders::read(&twice), Err(Refusal::ContentType)));
}

#[test]
fn other_encodings_are_refused() {
    for bad in ["br", "deflate", "gzip, zstd", "gzip,gzip", "snappy"] {
        assert!(matches!(read(&[("content-encoding", bad)]), Err(Refusal::ContentEncoding)), "{bad}");
    }
    for good in ["identity", "GZIP", "x-gzip", "zstd"] {
        assert!(read(&[("content-encoding", good)]).is_ok(), "{good}");
    }
}

#[test]
fn half_a_sender_is_refused() {
    for half in [
        &[("x-tributary-source", "a")][..],
        &[("x-tributary-batch", "0")],
        &[("x-tributary-counters", "seen=0")],
        &[("x-tributary-heartbeat", "5000")],
        &[("x-tributary-batch", "0"), ("x-tributary-counters", "seen=0")],
        &[("x-tributary-source", "a"), ("x-tributary-counters", "seen=0")],
    ] {
        assert!(matches!(read(half), Err(Refusal::Header { .. })), "{half:?}");
    }
}

#[test]
fn malformed_senders_are_refused() {
    for (source, batch) in [
        ("", "0"),
        ("a b", "0"),
        ("a/b", "0"),
        (&*"x".repeat(65), "0"),
        ("a", ""),
        ("a", "-1"),
        ("a", "+1"),
        ("a", "1.5"),
        ("a", "18446744073709551616"),
    ] {
        let refusal = read(&[("x-tributary-source", source), ("x-tributary-batch", batch)]);
        assert!(matches!(refusal, Err(Refusal::Header { .. })), "{source:?} {batch:?}");
    }
    assert!(read(&[("x-tributary-source", &"x".repeat(64)), ("x-tributary-batch", "0")]).is_ok());
}

#[test]
fn malformed_counters_are_refused() {
    let too_many: Vec<String> = (0..129).map(|n| format!("c{n}=0")).collect();
    for bad in ["seen", "seen=", "seen=x", "seen=1,", "seen=1,seen=2", "Seen=1", "=1", "a b=1", &too_many.join(",")] {
        assert!(matches!(parse_counters(bad), Err(Refusal::Header { .. })), "{bad:?}");
    }
    assert_eq!(parse_counters("").ok(), Some(BTreeMap::new()));
    assert!(parse_counters(&too_many[1..].join(",")).is_ok());
}

#[test]
fn a_heartbeat_is_a_number_of_milliseconds() {
    let with = |heartbeat| {
        read(&[("x-tributary-source", "a"), ("x-tributary-batch", "0"), ("x-tributary-heartbeat", heartbeat)])
    };
    for bad in ["", "0", "-1", "5s", "1.5", "86400001"] {
        assert!(matches!(with(bad), Err(Refusal::Header { .. })), "{bad:?}");
    }
    for good in ["1", "86400000"] {
        assert!(with(good).is_ok(), "{good:?}");
    }
}

#[test]
fn the_identity_needs_every_exchange_explained() {
    assert!(identity(""));
    assert!(identity(
        "seen=9,excluded_rule=1,excluded_self=2,captured=6,acked=1,rejected=1,dropped_budget=1,open=1,queued=1,in_flight=1"
    ));
    assert!(!identity("seen=9,captured=8"));
    assert!(!identity("seen=1,captured=1"));
    assert!(!identity("seen=1,captured=1,acked=2"));
}

#[test]
fn gauges_do_not_make_a_report_younger() {
    let age = |text| account(text).age();

    assert_eq!(age("seen=5,open=3,queued=2,in_flight=1"), age("seen=5"));
    assert!(age("seen=5,acked=1") > age("seen=5,open=9"));
}

proptest! {
    #[test]
    fn no_header_value_breaks_the_reader(value in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            for name in ["content-type", "content-encoding", "x-tributary-source", "x-tributary-batch", "x-tributary-counters", "x-tributary-heartbeat"] {
                let mut headers = headers(&[("content-type", "application/x-ndjson")]);
                headers.insert(name, value.clone());
                let _ = PostHeaders::read(&headers);
            }
        }
    }
}
