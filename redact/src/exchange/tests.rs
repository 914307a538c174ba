use tributary_http_types::{HttpExchange, Method, Protocol, Timestamp};

use super::*;
use crate::Settings;

type Pairs<'a> = &'a [Pair<'a>];

fn exchange<'a>(path: &'a str, headers: Pairs<'a>, body: BodyRef<'a>, trailers: Pairs<'a>) -> ExchangeRef<'a> {
    ExchangeRef {
        request: RequestRef {
            timestamp: Timestamp::from_unix_millis(0),
            method: Method::Post,
            protocol: Protocol::Http,
            host: b"shop.example",
            path: path.as_bytes(),
            headers,
            body,
        },
        response: Some(ResponseRef { timestamp: Timestamp::from_unix_millis(1), status_code: 200, headers, body }),
        meta: MetaRef {
            source: "5f",
            seq: 7,
            request_trailers: trailers,
            response_trailers: trailers,
            ..MetaRef::default()
        },
    }
}

fn line(redactor: &Redactor, exchange: &ExchangeRef<'_>) -> (String, Counts) {
    redactor.with_masked(exchange, |masked, counts| {
        let mut line = Vec::new();
        masked.write_line(&mut line).unwrap();
        HttpExchange::from_line(&line).unwrap();
        (String::from_utf8(line).unwrap(), *counts)
    })
}

fn plain(exchange: &ExchangeRef<'_>) -> String {
    let mut line = Vec::new();
    exchange.write_line(&mut line).unwrap();
    String::from_utf8(line).unwrap()
}

fn whole(body: &[u8]) -> BodyRef<'_> {
    BodyRef { kept: body, bytes: body.len() as u64, ..BodyRef::default() }
}

#[test]
fn secrets_leave_every_place_and_are_counted_by_it() {
    let headers: Pairs<'_> = &[
        (b":path", b"/x?token=hunter2"),
        (b"accept", b"*/*"),
        (b"authorization", b"Bearer hunter2"),
        (b"content-type", b"application/json"),
        (b"cookie", b"a=hunter2; b=hunter2"),
        (b"accept", b"hunter"),
    ];
    let trailers: Pairs<'_> = &[(b"x-api-key", b"hunter2")];
    let settings = Settings { paths: vec!["/reset/{code}".to_owned()], ..Settings::default() };
    let redactor = Redactor::new(settings, None).unwrap();
    let given = exchange("/reset/hunter2?token=hunter2&q=1", headers, whole(br#"{"pwd":"hunter2"}"#), trailers);

    let (line, counts) = line(&redactor, &given);

    assert!(!line.contains("hunter2"), "{line}");
    let expected = [
        (Place::Path, 1),
        (Place::Query, 1),
        (Place::RequestHeaders, 3),
        (Place::RequestBody, 1),
        (Place::RequestTrailers, 1),
        (Place::ResponseHeaders, 3),
        (Place::ResponseBody, 1),
        (Place::ResponseTrailers, 1),
    ];
    assert_eq!(counts.iter().collect::<Vec<_>>(), expected);
    for part in [
        r#""path":"/reset/%5Bredacted%5D?token=[redacted]&q=1","pathname":"/reset/%5Bredacted%5D","query":{"token":"[redacted]","q":"1"}"#,
        r#""headers":{"accept":["*/*","hunter"],"authorization":"Bearer [redacted]","content-type":"application/json","cookie":"a=[redacted]; b=[redacted]"}"#,
        r#""body":"{\"pwd\":\"[redacted]\"}""#,
        r#""requestBody":{"bytes":17,"kept":17,"truncated":false}"#,
        r#""redactions":{"path":1,"query":1,"requestHeaders":3,"requestBody":1,"requestTrailers":1,"responseHeaders":3,"responseBody":1,"responseTrailers":1}"#,
    ] {
        assert!(line.contains(part), "{part}\n{line}");
    }
}

#[test]
fn the_user_leaves_the_host_and_its_header() {
    let mut given = exchange("/", &[(b"host", b"kimmo:hunter2@h:80")], BodyRef::default(), &[]);
    given.request.host = b"kimmo:hunter2@h:80";

    let (line, counts) = line(&Redactor::default(), &given);

    assert!(!line.contains("hunter2"), "{line}");
    let expected = r#""host":"%5Bredacted%5D@h:80","headers":{"host":"%5Bredacted%5D@h:80"}"#;
    assert!(line.contains(expected), "{line}");
    assert_eq!((counts.get(Place::Path), counts.get(Place::RequestHeaders)), (1, 1));
}

#[test]
fn without_secrets_the_line_is_the_same() {
    let given =
        exchange("/users?page=2", &[(b"accept", b"*/*")], whole(br#"{"name":"Kimmo"}"#), &[(b"grpc-status", b"0")]);

    let (line, counts) = line(&Redactor::default(), &given);

    assert_eq!((line, counts.total()), (plain(&given), 0));
}

#[test]
fn a_cut_body_keeps_its_facts() {
    let body =
        BodyRef { kept: "{\"token\":\"hunt\u{e9}".as_bytes().split_last().unwrap().1, bytes: 70, ..BodyRef::default() };

    let (line, _) = line(&Redactor::default(), &exchange("/", &[(b"content-type", b"application/json")], body, &[]));

    assert!(line.contains(r#""body":"{\"token\":\"[redacted]""#), "{line}");
    assert!(line.contains(r#""requestBody":{"bytes":70,"kept":14,"truncated":true}"#), "{line}");
}

#[test]
fn a_body_left_out_says_why() {
    let settings = serde_json::from_str(r#"{"compressed":"drop"}"#).unwrap();
    let headers: Pairs<'_> = &[(b"content-encoding", b"gzip")];
    let body = BodyRef { coded: true, ..whole(b"\x1f\x8b\x08hunter2") };

    let (line, counts) = line(&Redactor::new(settings, None).unwrap(), &exchange("/", headers, body, &[]));

    assert!(line.contains(r#""requestBody":{"bytes":10,"kept":0,"truncated":true,"withheld":"compressed"}"#), "{line}");
    assert_eq!(counts.get(Place::RequestBody), 1);
}

#[test]
fn bytes_that_are_no_text_are_masked_inside_their_base64() {
    let body = whole(b"\xff\xfeghp_abcdefghijklmnopqrstuvwxyz");
    let body = BodyRef { kept: body.kept.get(1..).unwrap(), ..body };

    let (line, _) = line(&Redactor::default(), &exchange("/", &[], body, &[]));

    assert!(line.contains(r#""base64":"/ioqKioqKioqKioqKioqKioqKioqKioqKioqKioqKg==""#), "{line}");
}

#[test]
fn the_query_can_be_left_as_it_is_and_headers_cannot() {
    let redactor = Redactor::new(Settings { query: false, bodies: false, ..Settings::default() }, None).unwrap();
    let headers: Pairs<'_> = &[(b"authorization", b"Bearer hunter2"), (b"cookie", b"hunter2")];

    let (line, counts) = line(&redactor, &exchange("/a?token=visible", headers, whole(b"token=visible"), &[]));

    assert!(!line.contains("hunter2") && line.matches("visible").count() == 4, "{line}");
    assert_eq!(counts.total(), 4);
}
