//! Exchanges and settings that somebody has spoiled: masking ends, leaves a line of the format, and is done once.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test: what does not hold must fail")]

use proptest::{collection::vec, prelude::*, sample::select};
use tributary_fuzz::{bytes, json, seeds};
use tributary_http_types::{
    BodyRef, CheckedLine, ExchangeRef, HttpExchange, MetaRef, Method, Protocol, RequestRef, ResponseRef, Timestamp,
    check_line, check_own_line,
};
use tributary_redact::{Key, Redactor, Settings};

/// What redactors trip over.
const WORDS: &[&str] = &[
    "password",
    "token=",
    "Bearer ",
    "Basic ",
    "eyJ",
    ".",
    "\"",
    "\\\"",
    "\\u0070",
    "\\ud800",
    "%70",
    "%",
    "&",
    "=",
    ";",
    ":",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\r\n",
    "--b",
    "--b--",
    "-----BEGIN PRIVATE KEY-----",
    "-----END",
    "4111111111111111",
    "AKIAIOSFODNN7EXAMPLE",
    "[redacted]",
    "tok_",
    "https://u:p@",
    "\u{2028}",
    "\u{feff}",
    "ghp_",
];

const NAMES: &[&str] = &[
    "authorization",
    "cookie",
    "set-cookie",
    "x-acme-auth-token",
    "referer",
    "location",
    "link",
    "origin",
    "content-type",
    "accept",
    "x",
    "X-API-Key",
    "",
];

const TYPES: &[&str] = &[
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "application/x-ndjson",
    "application/graphql",
    "text/html",
    "text/plain",
    "application/grpc",
    "image/png",
    "",
];

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

#[derive(Clone, Debug)]
struct Given {
    path: Vec<u8>,
    headers: Pairs,
    trailers: Pairs,
    content_type: &'static str,
    body: Vec<u8>,
    /// Bytes that passed and were not kept.
    more: u64,
    coded: bool,
}

fn pairs() -> impl Strategy<Value = Pairs> {
    let values = [
        "Bearer PLANTED",
        "Basic dTpQTEFOVEVE",
        "a=PLANTED; b=c",
        "sid=PLANTED; Path=/; HttpOnly",
        "https://u:PLANTED@h/p?token=PLANTED#f",
        "<https://h/?api_key=PLANTED>; rel=next",
        "*/*",
        "",
    ];
    let value = bytes(values.iter().map(|value| value.as_bytes().to_vec()).collect(), WORDS);
    vec((select(NAMES).prop_map(|name| name.as_bytes().to_vec()), value), 0..6)
}

fn given() -> impl Strategy<Value = Given> {
    let paths = [&b"/a/b?token=PLANTED&x=1"[..], b"/reset/PLANTED", b"/", b"*", b"h:443", b"http://u:PLANTED@h/?a=b"];
    let path = bytes(paths.map(<[u8]>::to_vec).to_vec(), WORDS);
    let body = bytes(seeds("bodies").expect("seeds"), WORDS);
    let more = prop_oneof![2 => Just(0_u64), 1 => 1..99_u64];
    (path, pairs(), pairs(), select(TYPES), body, more, prop::bool::weighted(0.1)).prop_map(
        |(path, headers, trailers, content_type, body, more, coded)| Given {
            path,
            headers,
            trailers,
            content_type,
            body,
            more,
            coded,
        },
    )
}

fn borrowed(pairs: &Pairs) -> Vec<(&[u8], &[u8])> {
    pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect()
}

/// Masks the exchange and writes its line; how many secrets were masked in it.
fn line(redactor: &Redactor, given: &Given) -> (Vec<u8>, u64) {
    let mut headers = borrowed(&given.headers);
    headers.push((b"content-type", given.content_type.as_bytes()));
    let trailers = borrowed(&given.trailers);
    let bytes = given.body.len() as u64 + given.more;
    let body = BodyRef { kept: &given.body, bytes, coded: given.coded, ..BodyRef::default() };
    let timestamp = Timestamp::from_unix_nanos(1_582_886_368_833_000_000);
    let exchange = ExchangeRef {
        request: RequestRef {
            timestamp,
            method: Method::Post,
            protocol: Protocol::Https,
            host: b"shop.example",
            path: &given.path,
            headers: &headers,
            body,
        },
        response: Some(ResponseRef { timestamp, status_code: 200, headers: &headers, body }),
        meta: MetaRef { request_trailers: &trailers, response_trailers: &trailers, ..MetaRef::default() },
    };
    redactor.with_masked(&exchange, |masked, counts| {
        let mut line = Vec::new();
        masked.write_line(&mut line).expect("it has a host");
        (line, counts.total())
    })
}

fn check(redactor: &Redactor, given: &Given) -> Result<(), TestCaseError> {
    let (masked, count) = line(redactor, given);

    prop_assert_eq!(masked.iter().filter(|byte| **byte < 0x20).count(), 1, "more than one line");
    let read = HttpExchange::from_line(&masked);
    prop_assert!(read.is_ok(), "{:?}: {}", read, String::from_utf8_lossy(&masked));
    let (unmasked, none) =
        line(&Redactor::new(Settings { bodies: false, query: false, ..Settings::default() }, None).unwrap(), given);
    prop_assert!(count > 0 || none > 0 || masked == unmasked, "changed, and not counted");
    // What a reader would mask in the line, the look that does not take it apart finds.
    for line in [&masked, &unmasked] {
        let found = !redactor.mask_exchange(&mut HttpExchange::from_line(line).unwrap()).is_empty();
        let mut own = CheckedLine::default();
        let own = check_own_line(line, &mut own).then_some(own);
        let checked = [own, check_line(line).ok()];
        for checked in checked.iter().flatten() {
            prop_assert!(
                !found || checked.has_base64_body || redactor.finds(checked),
                "{}",
                String::from_utf8_lossy(line)
            );
        }
    }
    let text = String::from_utf8_lossy(&masked).into_owned();
    for name in ["authorization", "x-acme-auth-token", "X-API-Key"] {
        for (_, value) in
            given.headers.iter().filter(|(known, value)| known == name.as_bytes() && value == b"Bearer PLANTED")
        {
            prop_assert!(
                !text.contains(&format!("\"{}\":\"{}", name.to_lowercase(), String::from_utf8_lossy(value))),
                "{}",
                text
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spoiled_exchanges_are_masked_into_a_line(given in given()) {
        check(&Redactor::default(), &given)?;
    }

    #[test]
    fn spoiled_exchanges_are_masked_by_tokens_into_a_line(given in given()) {
        let key = Key::new(&[7; 32]).expect("a key");
        check(&Redactor::new(Settings::default(), Some(key)).expect("the defaults"), &given)?;
    }

    #[test]
    fn spoiled_settings_make_a_redactor_or_an_error(
        settings in json(
            vec![serde_json::json!({"names": ["x-acme-thing"], "allow": ["x-request-id"], "patterns": ["acme-[0-9]{4,8}"],
                "paths": ["/reset/{secret}"], "bodies": true, "query": true, "unparseable": "drop", "compressed": "drop"})],
            ["names", "allow", "only_headers", "patterns", "paths", "bodies", "query", "unparseable", "compressed"].map(str::to_owned).to_vec(),
        ),
        pattern in "[a-z0-9\\[\\]{}(),.*+?\\\\^$|-]{0,30}",
        given in given(),
    ) {
        let Ok(mut settings) = serde_json::from_value::<Settings>(settings) else { return Ok(()) };
        settings.patterns.push(pattern);
        if let Ok(redactor) = Redactor::new(settings, None) {
            let (line, _) = line(&redactor, &given);
            prop_assert!(HttpExchange::from_line(&line).is_ok());
        }
    }
}
