use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::{
    BodyRef, Degraded, Direction, ExchangeRef, MetaRef, Protocol, RequestRef, ResponseRef, Shown, Timestamp, check_line,
};

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// What is found in a line; a line before it has left its mark if there is one.
fn own_line(line: &[u8]) -> Option<CheckedLine<'_>> {
    static BEFORE: LazyLock<Vec<u8>> = LazyLock::new(usual_line);
    let mut checked = CheckedLine::default();
    assert!(check_own_line(&BEFORE, &mut checked));
    checked.has_other_meta = true;
    checked.request.url = Some("/".into());
    check_own_line(line, &mut checked).then_some(checked)
}

fn body(bytes: &[u8], more: u64) -> BodyRef<'_> {
    BodyRef { kept: bytes, bytes: bytes.len() as u64 + more, ..BodyRef::default() }
}

fn pairs(of: &Pairs) -> Vec<(&[u8], &[u8])> {
    of.iter().map(|(name, value)| (&name[..], &value[..])).collect()
}

/// A line of an exchange with everything in it but trailers.
fn line_of(path: &[u8], headers: &Pairs, bodies: [&[u8]; 2], seq: u64, millis: i64) -> Vec<u8> {
    let headers = pairs(headers);
    let [asked, answer] = bodies;
    let exchange = ExchangeRef {
        request: RequestRef {
            timestamp: Timestamp::from_unix_millis(millis),
            method: Method::Patch,
            protocol: Protocol::Https,
            host: b"shop.example:8443",
            path,
            headers: &headers,
            body: body(asked, 1),
        },
        response: Some(ResponseRef {
            timestamp: Timestamp::from_unix_millis(millis + 33),
            status_code: 999,
            headers: &headers,
            body: body(answer, 0),
        }),
        meta: MetaRef {
            source: "5f",
            seq,
            duration_ms: Some(33),
            http_version: Some(b"HTTP/2"),
            client_address: Some(b"127.0.0.1:5000"),
            upstream_address: Some(b"[::1]:80"),
            cluster: Some(b"shop"),
            route: Some(b"all"),
            direction: Some(Direction::Inbound),
            response_flags: "UC",
            code_details: Some(b"via_upstream"),
            degraded: Some(Degraded::Heads),
            sample_rate: Some(0.25),
            redactions: &[("requestHeaders", 2), ("path", 1)],
            ..MetaRef::default()
        },
    };
    let mut line = Vec::new();
    exchange.write_line(&mut line).unwrap();
    line
}

fn usual_line() -> Vec<u8> {
    let headers = [("accept", "*/*"), ("x-b", "1"), ("x-b", "\u{e4}\u{2028}\"\\\t"), ("x-c", "")];
    let headers = headers.map(|(name, value)| (name.into(), value.into())).to_vec();
    line_of(b"/a?b=c&b=%22", &headers, [b"{\"a\":[1]}", b"\xff\xfe"], 7, 1_582_886_368_800)
}

#[test]
fn a_line_with_all_that_the_filter_writes_is_taken() {
    let line = usual_line();

    let own = own_line(&line).unwrap();

    assert_eq!(Ok(&own), check_line(&line).as_ref());
    assert_eq!((own.seq, own.has_base64_body, own.has_other_meta), (Some(7), true, false));
    assert!(own.meta_texts.iter().all(Option::is_some));
    let end = line.len() - 1;
    assert_eq!(own_line(&line[..end]), Some(own));
}

#[test]
fn a_line_with_as_little_as_the_filter_writes_is_taken() {
    let request = RequestRef {
        timestamp: Timestamp::from_unix_millis(0),
        method: Method::Get,
        protocol: Protocol::Http,
        host: b"h",
        path: b"*",
        headers: &[],
        body: BodyRef::default(),
    };
    let mut line = Vec::new();
    let meta = MetaRef { source: "a", ..MetaRef::default() };
    ExchangeRef { request, response: None, meta }.write_line(&mut line).unwrap();

    assert_eq!(own_line(&line), check_line(&line).ok());
    assert!(own_line(&line).is_some());
}

#[test]
fn trailers_and_bodies_that_were_withheld_are_left_to_the_general_reader() {
    let line = String::from_utf8(usual_line()).unwrap();
    let with = |other: &str| line.replace(r#","httpVersion""#, &format!(r#",{other},"httpVersion""#));

    assert!(own_line(with(r#""requestTrailers":{"a":"b"}"#).as_bytes()).is_none());
    let withheld = BodyRef { shown: Shown::Withheld("compressed"), ..body(b"x", 0) };
    assert!(withheld.text().is_some());
    assert!(own_line(line.replace(r#""truncated":true"#, r#""truncated":true,"withheld":"x""#).as_bytes()).is_none());
}

#[test]
fn names_that_stand_twice_and_too_many_of_them_are_not_taken() {
    let named =
        |count: usize| (0..count).map(|number| (format!("x-{number}").into(), b"1".to_vec())).collect::<Pairs>();
    let line = |headers: &Pairs| line_of(b"/", headers, [b"", b""], 1, 0);

    assert!(own_line(&line(&named(MOST_NAMES))).is_some());
    assert!(own_line(&line(&named(MOST_NAMES + 1))).is_none());
    let twice = String::from_utf8(line(&named(2))).unwrap().replace("x-1", "x-0");
    assert!(own_line(twice.as_bytes()).is_none());
}

#[test]
fn no_line_of_this_form_nests_deeper_than_is_said() {
    let mut depth = 0;
    let mut deepest = 0;
    let mut is_in_string = false;
    let line = usual_line();
    for (at, byte) in line.iter().enumerate() {
        match byte {
            b'"' if line[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0 => {
                is_in_string = !is_in_string;
            }
            b'{' | b'[' if !is_in_string => depth += 1,
            b'}' | b']' if !is_in_string => depth -= 1,
            _ => (),
        }
        deepest = deepest.max(depth);
    }

    assert_eq!(deepest, OWN_LINE_DEPTH);
}

/// What may stand in a line where it should not.
const WORDS: [&str; 24] = [
    "\"",
    "\\",
    ",",
    ":",
    "{",
    "}",
    "[",
    "]",
    "0",
    "-1",
    "1e3",
    "00",
    "null",
    " ",
    "\n",
    "\u{0}",
    "\\u0041",
    "\\ud800",
    "\\x",
    "é",
    "\"seq\":1,",
    "\"a\":\"b\",",
    "29",
    "99999999999999999999",
];

proptest! {
    #[test]
    fn what_it_takes_the_general_reader_takes_alike(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..6_usize, prop::sample::select(&WORDS[..])), 0..3),
    ) {
        let mut line = usual_line();
        for (at, removed, word) in changes {
            let at = at.index(line.len());
            let end = (at + removed).min(line.len());
            line.splice(at..end, word.bytes());
        }

        if let Some(own) = own_line(&line) {
            prop_assert_eq!(Ok(own), check_line(&line));
        }
    }

    #[test]
    fn lines_of_the_writer_are_taken_alike(
        path in "[ -~é]{0,30}",
        headers in proptest::collection::vec(("[a-z0-9-]{1,8}", "[\\x00-\\x7fäß€]{0,20}"), 0..8),
        bodies in proptest::array::uniform2(proptest::collection::vec(any::<u8>(), 0..40)),
        text in "[\\x00-\\x7f\u{85}\u{2028}]{0,40}",
        seq in 0..10_u64.pow(19),
        millis in -62_167_219_200_000..253_000_000_000_000_i64,
    ) {
        let headers = headers.into_iter().map(|(name, value)| (name.into_bytes(), value.into_bytes())).collect();
        for bodies in [bodies.each_ref().map(|body| &body[..]), [text.as_bytes(), b""]] {
            let line = line_of(path.as_bytes(), &headers, bodies, seq, millis);

            if let Some(own) = own_line(&line) {
                prop_assert_eq!(Ok(own), check_line(&line));
            } else {
                // A leap day is none that it takes.
                prop_assert!(String::from_utf8_lossy(&line).contains("-02-29T"), "{}", String::from_utf8_lossy(&line));
            }
        }
    }
}
