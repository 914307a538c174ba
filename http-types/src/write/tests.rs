use proptest::prelude::*;

use super::*;
use crate::{BodyRef, Degraded, Direction, Method, Protocol, check_line};

type Pairs<'a> = Vec<(&'a [u8], &'a [u8])>;

const NO_HEADERS: &[(&[u8], &[u8])] = &[];

fn request<'a>(path: &'a [u8], headers: &'a [(&'a [u8], &'a [u8])]) -> RequestRef<'a> {
    RequestRef {
        timestamp: Timestamp::from_unix_millis(1_582_886_368_800),
        method: Method::Post,
        protocol: Protocol::Http,
        host: b"localhost:3000",
        path,
        headers,
        body: BodyRef::default(),
    }
}

fn response<'a>(body: BodyRef<'a>) -> ResponseRef<'a> {
    ResponseRef {
        timestamp: Timestamp::from_unix_millis(1_582_886_368_833),
        status_code: 200,
        headers: NO_HEADERS,
        body,
    }
}

fn exchange<'a>(request: RequestRef<'a>, response: Option<ResponseRef<'a>>) -> ExchangeRef<'a> {
    ExchangeRef { request, response, meta: MetaRef { source: "5f", seq: 7, ..MetaRef::default() } }
}

fn line_of(exchange: &ExchangeRef<'_>) -> String {
    let mut out = Vec::new();
    exchange.write_line(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn whole(text: &[u8]) -> BodyRef<'_> {
    BodyRef { kept: text, bytes: text.len() as u64, ..BodyRef::default() }
}

#[test]
fn an_exchange_is_written_in_the_order_of_the_original_writer() {
    let headers: Pairs = vec![(b":path", b"/users?a=1"), (b"accept", b"*/*"), (b"x-b", b"1"), (b"x-b", b"")];
    let mut given = exchange(request(b"/users?a=1", &headers), Some(response(whole(br#"{"id":1}"#))));
    given.request.body = whole(b"{}");
    given.meta = MetaRef {
        source: "00ff",
        seq: 3,
        duration_ms: Some(33),
        http_version: Some(b"HTTP/1.1"),
        client_address: Some(b"127.0.0.1:5000"),
        upstream_address: Some(b"127.0.0.1:8080"),
        cluster: Some(b"users"),
        route: Some(b"all"),
        direction: Some(Direction::Inbound),
        response_flags: "UC,URX",
        code_details: Some(b"via_upstream"),
        response_trailers: &[(b"grpc-status", b"0")],
        degraded: Some(Degraded::Heads),
        sample_rate: Some(0.5),
        ..MetaRef::default()
    };

    let line = line_of(&given);

    assert_eq!(
        line,
        concat!(
            r#"{"request":{"timestamp":"2020-02-28T10:39:28.800Z","method":"post","protocol":"http","host":"localhost:3000","#,
            r#""headers":{"accept":"*/*","x-b":["1",""]},"body":"{}","path":"/users?a=1","pathname":"/users","query":{"a":"1"}},"#,
            r#""response":{"timestamp":"2020-02-28T10:39:28.833Z","statusCode":200,"headers":{},"body":"{\"id\":1}"},"#,
            r#""meta":{"id":"00ff-3","source":"00ff","seq":3,"durationMs":33,"#,
            r#""requestBody":{"bytes":2,"kept":2,"truncated":false},"responseBody":{"bytes":8,"kept":8,"truncated":false},"#,
            r#""responseTrailers":{"grpc-status":"0"},"httpVersion":"HTTP/1.1","clientAddress":"127.0.0.1:5000","#,
            r#""upstreamAddress":"127.0.0.1:8080","cluster":"users","route":"all","direction":"inbound","#,
            r#""responseFlags":"UC,URX","codeDetails":"via_upstream","degraded":"heads","sampleRate":0.5}}"#,
            "\n"
        )
    );
}

#[test]
fn an_exchange_without_response_has_no_response_key() {
    let line = line_of(&exchange(request(b"/", NO_HEADERS), None));

    assert!(line.contains(r#""body":"","path":"/","pathname":"/","query":{}},"meta":{"id":"5f-7","#), "{line}");
}

#[test]
fn an_empty_host_is_refused_and_nothing_is_written() {
    let mut given = exchange(request(b"/", NO_HEADERS), None);
    given.request.host = b"";
    let mut out = b"before".to_vec();

    assert_eq!(given.write_line(&mut out), Err(WriteError::EmptyHost));
    assert_eq!(out, b"before");
}

#[test]
fn header_names_are_lower_case_and_their_values_stand_together() {
    let headers: Pairs = vec![(b"Set-Cookie", b"a=1"), (b":status", b"200"), (b"via", b"x"), (b"set-cookie", b"b=2")];

    let line = line_of(&exchange(request(b"/", &headers), None));

    assert!(line.contains(r#""headers":{"set-cookie":["a=1","b=2"],"via":"x"}"#), "{line}");
}

#[test]
fn a_header_value_that_is_not_utf_8_is_latin_1() {
    let headers: Pairs = vec![(b"x-bin", b"caf\xe9\xff"), (b"x-utf", "caf\u{e9}".as_bytes())];

    let line = line_of(&exchange(request(b"/", &headers), None));

    assert!(line.contains("\"x-bin\":\"caf\u{e9}\u{ff}\",\"x-utf\":\"caf\u{e9}\""), "{line}");
}

#[test]
fn a_body_that_is_not_text_goes_to_meta_in_base64() {
    let line = line_of(&exchange(request(b"/", NO_HEADERS), Some(response(whole(b"\x00\xff\xfe")))));

    assert!(line.contains(r#""headers":{},"body":""}"#), "{line}");
    assert!(line.contains(r#""responseBody":{"bytes":3,"kept":3,"truncated":false,"base64":"AP/+"}"#), "{line}");
}

#[test]
fn a_coded_body_is_not_text_even_if_its_bytes_are_utf_8() {
    let coded = BodyRef { kept: b"abcd", bytes: 4, coded: true, ..BodyRef::default() };

    let line = line_of(&exchange(request(b"/", NO_HEADERS), Some(response(coded))));

    assert!(line.contains(r#""kept":4,"truncated":false,"base64":"YWJjZA=="}"#), "{line}");
}

#[test]
fn text_is_cut_at_a_character_boundary_only_where_the_body_was_cut() {
    let cut = BodyRef { kept: "ab\u{20ac}".as_bytes().get(..4).unwrap(), bytes: 5, ..BodyRef::default() };
    let broken = BodyRef { kept: cut.kept, bytes: 4, ..BodyRef::default() };

    assert_eq!(cut.text(), Some("ab"));
    assert_eq!(broken.text(), None);
    let line = line_of(&exchange(request(b"/", NO_HEADERS), Some(response(cut))));
    assert!(line.contains(r#""body":"ab"}"#), "{line}");
    assert!(line.contains(r#""responseBody":{"bytes":5,"kept":2,"truncated":true}"#), "{line}");
}

#[test]
fn nothing_kept_of_a_seen_body_is_said() {
    let unkept = BodyRef { kept: b"", bytes: 9, coded: true, ..BodyRef::default() };

    let line = line_of(&exchange(request(b"/", NO_HEADERS), Some(response(unkept))));

    assert!(line.contains(r#""responseBody":{"bytes":9,"kept":0,"truncated":true}"#), "{line}");
}

#[test]
fn path_is_left_out_where_it_would_kill_a_reader() {
    let line = line_of(&exchange(request(b"/a?constructor=1", NO_HEADERS), None));

    assert!(line.contains(r#""body":"","pathname":"/a","query":{"constructor":"1"}}"#), "{line}");
}

#[test]
fn no_key_of_meta_is_named_method_or_protocol() {
    let mut given = exchange(request(b"/", NO_HEADERS), None);
    given.meta.request_trailers = &[(b"x-t", b"1")];

    let line = line_of(&given);

    let meta = line.split_once(r#""meta":"#).unwrap().1;
    assert!(!meta.contains(r#""method":"#) && !meta.contains(r#""protocol":"#), "{meta}");
}

fn some_pairs() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>)>> {
    let name = prop_oneof!["[a-zA-Z-]{1,6}".prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 1..4)];
    prop::collection::vec((name, prop::collection::vec(any::<u8>(), 0..8)), 0..50)
}

fn borrowed(pairs: &[(Vec<u8>, Vec<u8>)]) -> Pairs<'_> {
    pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect()
}

proptest! {
    #[test]
    fn whatever_a_proxy_sees_becomes_one_readable_line(
        headers in some_pairs(),
        trailers in some_pairs(),
        path in prop_oneof!["/[a-z%+?=&/]{0,30}".prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..40)],
        body in prop::collection::vec(any::<u8>(), 0..60),
        more in 0_u64..3,
        coded in any::<bool>(),
    ) {
        let (header_pairs, trailer_pairs) = (borrowed(&headers), borrowed(&trailers));
        let captured = BodyRef { kept: &body, bytes: body.len() as u64 + more, coded, ..BodyRef::default() };
        let mut given = exchange(request(&path, &header_pairs), Some(response(captured)));
        given.request.body = captured;
        given.meta.response_trailers = &trailer_pairs;

        let line = line_of(&given);

        prop_assert_eq!(line.matches('\n').count(), 1);
        let read = HttpExchange::from_line(line.as_bytes()).unwrap();
        prop_assert_eq!(&String::from_utf8(read.to_line()).unwrap(), &line);
        let checked = check_line(line.as_bytes()).unwrap();
        prop_assert_eq!(checked.id.as_deref(), Some("5f-7"));
        prop_assert_eq!(checked.has_base64_body, captured.text().is_none());
        prop_assert_eq!(read.facts().request_body.map(|facts| facts.bytes).unwrap_or(0), captured.bytes);
    }
}

#[test]
fn what_stands_for_a_body_is_written_and_its_facts_are_those_of_the_bytes_that_came() {
    let kept = BodyRef { kept: b"token=abc", bytes: 9, ..BodyRef::default() };
    let mut given = exchange(request(b"/", NO_HEADERS), Some(response(kept)));
    given.request.body = BodyRef { shown: Shown::Masked(b"token=[redacted]"), ..kept };
    given.response.as_mut().unwrap().body.shown = Shown::Withheld("unparseable");
    given.meta.redactions = &[("requestBody", 1)];

    let line = line_of(&given);

    for part in [
        r#""body":"token=[redacted]","#,
        r#""requestBody":{"bytes":9,"kept":9,"truncated":false}"#,
        r#""body":""}"#,
        r#""responseBody":{"bytes":9,"kept":0,"truncated":true,"withheld":"unparseable"}"#,
        r#""redactions":{"requestBody":1}"#,
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[test]
fn a_line_of_control_bytes_does_not_fit_where_plain_text_does() {
    let [plain, control] = [b"a", b"\x01"].map(|byte| byte.repeat(10_000));
    let of = |body| exchange(request(b"/", NO_HEADERS), Some(response(whole(body))));
    let room = 20_000;

    assert!(of(&plain).fits(room) && line_of(&of(&plain)).len() <= room);
    assert!(!of(&control).fits(room) && line_of(&of(&control)).len() > room);
    assert!(of(&control).fits(70_000));
}

proptest! {
    #[test]
    fn what_fits_is_no_longer_than_its_room(
        texts in proptest::collection::vec(proptest::collection::vec(prop_oneof![
            0u8..=255, Just(b'&'), Just(b'='), Just(b'%'), Just(b'"'), Just(0x01), Just(0xC2), Just(0x85)], 0..60), 8),
        escapes in "([a-c]|[&=]|%0[0-9a-f]|%C2%85|\u{2028}|\u{85}|\u{1}|é|€){0,40}",
        coded in any::<bool>(), bytes in 0u64..200,
    ) {
        let [path, name, value, body, host, cluster, source, masked] = texts.as_slice() else { unreachable!() };
        for path in [path.as_slice(), &[b"/?", escapes.as_bytes()].concat()] {
            let pairs = [(name.as_slice(), value.as_slice()), (b"a", value), (name, b"")];
            let source = String::from_utf8_lossy(source);
            let body_of = |kept, shown| BodyRef { kept, bytes, coded, shown };
            let mut given = exchange(request(path, &pairs), Some(response(body_of(escapes.as_bytes(), Shown::Kept))));
            given.request.host = if host.is_empty() { b"h" } else { host };
            given.request.body = body_of(body, Shown::Masked(masked));
            given.meta = MetaRef {
                source: &source, seq: u64::MAX, duration_ms: Some(u64::MAX), cluster: Some(cluster), route: Some(cluster),
                request_trailers: &pairs, response_trailers: &pairs, sample_rate: Some(f64::MIN_POSITIVE),
                redactions: &[("responseTrailers", u64::MAX); 9], ..MetaRef::default()
            };
            let len = line_of(&given).len();

            prop_assert!(!given.fits(len - 1), "{len} bytes fit into less");
            prop_assert!(given.fits(6 * len + 4_096));
        }
    }
}
