//! Posts that somebody has spoiled, whole: whatever comes, the answer is one of those in the contract, each stored
//! line is one line of the format, and the account adds up.

use tributary_fuzz::{bytes, seeds};
use tributary_http_types::check_line;

use super::*;

const WORDS: &[&str] = &[
    "\n",
    "\r\n",
    "\u{feff}",
    "null",
    "{}",
    "[[[[[[[[[[",
    "\"meta\":{",
    "\"base64\":\"AA==\"",
    "\"content-encoding\":\"gzip, br\"",
    "\u{2028}",
    "\"source\":\"ab\",\"seq\":1",
    "18446744073709551616",
];

/// How the bytes of a post are wrapped.
#[derive(Clone, Copy, Debug)]
enum Wrapping {
    None,
    Gzip,
    /// It says gzip and is none.
    Pretended,
    Zstd,
}

/// Roomy enough that most seeds pass, small enough that some edits do not.
const ROOMY: Limits = Limits {
    body: BodyLimits { max_encoded_bytes: 16_000, max_decoded_bytes: 32_000, ..LIMITS.body },
    lines: LineLimits { max_line_bytes: 4000, max_depth: 64, ..LIMITS.lines },
    ..LIMITS
};

fn posts() -> impl Strategy<Value = (Wrapping, Vec<u8>)> {
    let lines = || bytes(seeds("lines").expect("seeds"), WORDS);
    let plain = proptest::collection::vec(lines(), 1..4).prop_map(|lines| lines.concat());
    let packed = bytes(seeds("lines").expect("seeds").iter().map(|line| gzip(line)).collect(), &["\u{1f}"]);
    prop_oneof![
        4 => plain.clone().prop_map(|body| (Wrapping::None, body)),
        1 => plain.clone().prop_map(|body| (Wrapping::Gzip, gzip(&body))),
        1 => plain.clone().prop_map(|body| (Wrapping::Zstd, zstd::encode_all(&body[..], 1).expect("into memory"))),
        1 => plain.prop_map(|body| (Wrapping::Pretended, body)),
        1 => packed.prop_map(|body| (Wrapping::Pretended, body)),
    ]
}

fn header_values() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let good = [
        ("x-tributary-source", "ab"),
        ("x-tributary-batch", "7"),
        ("x-tributary-counters", "seen=1,captured=1,in_flight=1"),
        ("x-tributary-heartbeat", "5000"),
        ("content-type", "application/x-ndjson; charset=utf-8"),
    ];
    let words = &["=", ",", "=-1", "=18446744073709551616", "seen=", "\u{e4}", " ", ";"];
    let values = good.map(|(name, value)| {
        let spoiled = bytes(vec![value.as_bytes().to_vec()], words);
        let value = prop_oneof![3 => Just(value.as_bytes().to_vec()), 1 => spoiled];
        (Just(name), value)
    });
    values.to_vec().prop_filter("sent only what a header can hold", |values| {
        values.iter().all(|(_, value)| http::HeaderValue::from_bytes(value).is_ok())
    })
}

async fn send(rig: &Rig, headers: &[(&'static str, Vec<u8>)], wrapping: Wrapping, body: Vec<u8>) -> Reply {
    let mut request = Request::builder().method(Method::POST).uri("/v1/exchanges");
    for (name, value) in headers {
        request = request.header(*name, value.as_slice());
    }
    match wrapping {
        Wrapping::None => {}
        Wrapping::Gzip | Wrapping::Pretended => request = request.header("content-encoding", "gzip"),
        Wrapping::Zstd => request = request.header("content-encoding", "zstd"),
    }
    rig.send(request.body(Body::from(body)).expect("a request")).await
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_spoiled_post_is_answered_and_accounted_for(headers in header_values(), (wrapping, body) in posts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let rig = Rig::with(None, ROOMY);

            let reply = send(&rig, &headers, wrapping, body).await;

            let stored = rig.sink.lines();
            prop_assert!([200, 400, 413, 415].contains(&reply.status), "{}", reply.status);
            prop_assert_eq!(reply.body["accepted"].as_u64().unwrap_or(0), stored.len() as u64);
            prop_assert!(reply.status == 200 || stored.is_empty());
            for line in &stored {
                prop_assert!(!line.contains('\n') && check_line(line.as_bytes()).is_ok(), "{:?}", line);
            }
            rig.accounting().await;
            prop_assert_eq!(rig.app.budget.used(), 0);
            Ok(())
        })?;
    }
}
