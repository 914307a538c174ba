//! The published readers of HTTP Types read what the filter writes: odd exchanges written here, and at the end of a
//! run every line that came out of Kafka in it.

use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use libtest_mimic::{Arguments, Conclusion, Failed, Trial};
use tributary_http_types::{
    BodyRef, Degraded, ExchangeRef, MetaRef, Method, Protocol, RequestRef, ResponseRef, Timestamp,
};
use tributary_testbed::readers::{self, Reader, Verdict};

const SOURCE: &str = "00112233445566778899aabbccddeeff";
const READERS: [Reader; 2] = [Reader::Python, Reader::TypeScript];

/// Targets that some reader is known to stumble over, or could.
const TARGETS: [&[u8]; 43] = [
    b"/",
    b"/users",
    b"/users/",
    b"//",
    b"//x//y",
    b"/a/../b",
    b"/a/./b",
    b"/..",
    b"/a/%2e%2e/b",
    b"/%",
    b"/%zz",
    b"/100%25",
    b"/a%20b",
    b"/%C3%A4",
    b"/\xc3\xa4",
    b"/\xe4",
    b"/a\\b",
    b"/C|/x",
    b"/C:/x",
    b"/{id}",
    b"/a;b=c,d",
    b"/a:b@c",
    b"/?",
    b"/a?flag",
    b"/a?a=&b",
    b"/a?a&b=",
    b"/a?a=1&a=2&A=3",
    b"/a?q=100%25",
    b"/a?q=%",
    b"/a?q=%2541",
    b"/a?w=a+b%2Bc",
    b"/a?constructor=1",
    b"/a?toString",
    b"/a?__proto__=1&x=2",
    b"/a?%C3%84=%C3%A4",
    b"/a?=1&&=",
    b"/a?a[]=1&a[]=2",
    b"/a?x=y=z?",
    b"/a#b?c=1",
    b"?q=1",
    b"*",
    b"",
    b"http://other.example/x?y=1",
];

/// Bodies: empty, text, JSON, markup, control characters, other alphabets, and what is not text at all.
const BODIES: [&[u8]; 12] = [
    b"",
    b"text",
    b"{\"name\":\"Kimmo\"}",
    b"[1,2.50,1e400,12345678901234567890]",
    b"\"quoted\"",
    b"<a>&amp;</a>",
    b"line\r\nline\ttab\x00nul\x7f",
    b"\xe2\x80\xa8\xe2\x80\xa9",
    "käse, 日本, 👍".as_bytes(),
    b"\xff\xfe",
    b"\x1f\x8b\x08",
    b"\xed\xa0\x80",
];

/// The tests that bring their own lines.
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("odd_exchanges_are_read_as_they_are", odd_exchanges_are_read_as_they_are),
        trial("degraded_exchanges_are_read_as_they_are", degraded_exchanges_are_read_as_they_are),
        trial("only_what_has_no_response_is_refused", only_what_has_no_response_is_refused),
        trial("only_what_nests_too_deep_is_refused_by_python", only_what_nests_too_deep_is_refused_by_python),
        trial("lines_that_a_reader_changes_are_found", lines_that_a_reader_changes_are_found),
    ]
}

/// The test of all lines that the others read from Kafka; a second run, because it has to come after them.
pub(crate) fn run_last(arguments: &Arguments) -> Conclusion {
    let is_part = arguments.filter.is_some() || !arguments.skip.is_empty();
    let last = trial("every_line_of_this_run_is_read_as_it_is", every_line_of_this_run_is_read_as_it_is);
    // Some tests only, and none that reads from Kafka: nothing to look at.
    libtest_mimic::run(arguments, vec![last.with_ignored_flag(is_part && readers::kept().is_empty())])
}

fn trial(name: &str, test: fn() -> Result<()>) -> Trial {
    Trial::test(format!("readers::{name}"), move || test().map_err(|error| Failed::from(format!("{error:#}"))))
}

/// Each target, each body and each odd header is read back by both libraries as it was written.
fn odd_exchanges_are_read_as_they_are() -> Result<()> {
    let mut lines = Vec::new();
    for target in TARGETS {
        write(&mut lines, target, b"", Some(b""))?;
    }
    for body in BODIES {
        write(&mut lines, b"/bodies", body, Some(body))?;
    }

    for reader in READERS {
        let verdict = reader.read(&lines)?;

        ensure!(
            verdict == Verdict { read: TARGETS.len() + BODIES.len(), ..Verdict::default() },
            "{reader:?}: {verdict:?}"
        );
    }
    Ok(())
}

/// A line from which the filter left out what it had no memory for is an ordinary line to both libraries.
fn degraded_exchanges_are_read_as_they_are() -> Result<()> {
    let mut lines = Vec::new();
    write_degraded(&mut lines, Degraded::Heads, &[(b"accept", b"*/*")])?;
    write_degraded(&mut lines, Degraded::Meta, &[])?;

    for reader in READERS {
        let verdict = reader.read(&lines)?;

        ensure!(verdict == Verdict { read: 2, ..Verdict::default() }, "{reader:?}: {verdict:?}");
    }
    Ok(())
}

/// An exchange that never had a response is legal, and both libraries say the same sentence to it every time.
fn only_what_has_no_response_is_refused() -> Result<()> {
    let mut lines = Vec::new();
    write(&mut lines, b"/with", b"", Some(b""))?;
    write(&mut lines, b"/without", b"", None)?;

    for reader in READERS {
        let verdict = reader.read(&lines)?;

        ensure!(verdict == Verdict { read: 1, without_response: 1, ..Verdict::default() }, "{reader:?}: {verdict:?}");
    }
    Ok(())
}

/// Python's library reads a body that is JSON, as deep as Python's parser goes.
fn only_what_nests_too_deep_is_refused_by_python() -> Result<()> {
    let nested = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
    let (shallow, deep) = (nested(100), nested(10_000));
    let mut lines = Vec::new();
    write(&mut lines, b"/shallow", &shallow, Some(&shallow))?;
    write(&mut lines, b"/deep", &deep, Some(b""))?;

    let [python, typescript] = [Reader::Python, Reader::TypeScript].map(|reader| reader.read(&lines));
    let (python, typescript) = (python?, typescript?);

    ensure!(python == Verdict { read: 1, too_deep: 1, ..Verdict::default() }, "{python:?}");
    ensure!(typescript == Verdict { read: 2, ..Verdict::default() }, "{typescript:?}");
    Ok(())
}

/// The comparison can fail: a line that a library changes without being known for it is found.
fn lines_that_a_reader_changes_are_found() -> Result<()> {
    // A header name with a capital: no line of the filter has one, and the TypeScript library lowers it.
    let line = br#"{"request":{"timestamp":"2020-02-28T10:39:28.833Z","method":"get","protocol":"http","host":"a","headers":{"X-A":"1"},"body":"","path":"/","pathname":"/","query":{}},"response":{"timestamp":"2020-02-28T10:39:28.833Z","statusCode":200,"headers":{},"body":""}}"#;
    let lines = [line.as_slice(), b"\n"].concat();

    let error = Reader::TypeScript.read(&lines).err().context("the change was not found")?.to_string();

    ensure!(error.contains("request.headers.X-A: [\"1\"] became null"), "{error}");
    Ok(())
}

/// Every line of the filter that came out of Kafka in this run is read by both libraries.
fn every_line_of_this_run_is_read_as_it_is() -> Result<()> {
    let lines = readers::kept();
    let count = lines.iter().filter(|byte| **byte == b'\n').count();
    ensure!(count > 0, "no line came out of Kafka before this test: it has to run last");

    let lines = lines.as_slice();
    let verdicts = thread::scope(|scope| {
        // At once: some ten thousand lines take either of them a while.
        let running = READERS.map(|reader| scope.spawn(move || reader.read(lines)));
        running.map(|reader| reader.join().map_err(|_| anyhow!("a reader's thread died"))?)
    });

    for (reader, verdict) in READERS.into_iter().zip(verdicts) {
        let verdict = verdict?;
        let Verdict { read, without_response, too_deep } = verdict;
        ensure!(read + without_response + too_deep == count, "{reader:?}: {verdict:?} of {count}");
        // Aborts are a few of the shapes; were they most lines, the comparison would prove little.
        ensure!(read > without_response + too_deep, "{reader:?}: {verdict:?}");
        println!("{reader:?}: {read} lines read, {without_response} without a response, {too_deep} too deep");
    }
    Ok(())
}

fn write(lines: &mut Vec<u8>, target: &[u8], body: &[u8], response_body: Option<&[u8]>) -> Result<()> {
    let headers: [(&[u8], &[u8]); 7] = [
        (b"x-empty", b""),
        (b"x-latin", b"caf\xe9"),
        (b"x-utf8", "日本".as_bytes()),
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
        (b"constructor", b"1"),
        (b"__proto__", b"1"),
    ];
    let timestamp = Timestamp::from_unix_millis(1_582_886_368_833);
    let exchange = ExchangeRef {
        request: RequestRef {
            timestamp,
            method: Method::Post,
            protocol: Protocol::Https,
            host: b"users.example:8443",
            path: target,
            headers: &headers,
            body: whole(body),
        },
        response: response_body.map(|body| ResponseRef {
            timestamp,
            status_code: 200,
            headers: &headers,
            body: whole(body),
        }),
        meta: MetaRef { source: SOURCE, seq: 7, response_trailers: &headers, ..MetaRef::default() },
    };
    exchange.write_line(lines).context("write an exchange")
}

/// As the filter writes it over a half, and over three quarters of its memory: bodies that passed and were not kept.
fn write_degraded(lines: &mut Vec<u8>, step: Degraded, headers: &[(&[u8], &[u8])]) -> Result<()> {
    let timestamp = Timestamp::from_unix_millis(1_582_886_368_833);
    let body = BodyRef { kept: b"", bytes: 5_000, ..BodyRef::default() };
    let exchange = ExchangeRef {
        request: RequestRef {
            timestamp,
            method: Method::Post,
            protocol: Protocol::Http,
            host: b"users.example",
            path: b"/users?page=1",
            headers,
            body,
        },
        response: Some(ResponseRef { timestamp, status_code: 201, headers, body }),
        meta: MetaRef { source: SOURCE, seq: 8, degraded: Some(step), ..MetaRef::default() },
    };
    exchange.write_line(lines).context("write a degraded exchange")
}

fn whole(kept: &[u8]) -> BodyRef<'_> {
    BodyRef { kept, bytes: kept.len() as u64, ..BodyRef::default() }
}
