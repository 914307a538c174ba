//! Headers: repeated, empty, long, many, not UTF-8, cookies, and those with a meaning for proxies.

use tributary_testbed::message::Call;

use super::{
    case::{Case, Says, Way},
    messages::same,
};

/// 60 KiB, near the most that a proxy takes.
const LONG: usize = 60 * 1024;

/// The table.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = plain();
    cases.extend(sizes());
    cases.extend(bytes());
    cases.extend(cookies());
    cases.extend(of_proxies());
    cases
}

fn plain() -> Vec<Case> {
    vec![
        Case::new(
            "repeated",
            Call::get("/").header("x-a", "1").header("x-a", "2").header("x-a", "1"),
            Says::status(200).header("set-cookie", "a=1; Path=/").header("set-cookie", "b=2"),
        )
        .line(|line, _| {
            set(&mut line.response_headers, "set-cookie", &["a=[redacted]; Path=/", "b=[redacted]"]);
            line.masked("responseHeaders", 2);
        }),
        Case::new(
            "repeated with others between",
            Call::get("/").header("x-a", "1").header("x-b", "between").header("x-a", "2"),
            Says::status(200).header("x-c", "1").header("vary", "accept").header("x-c", "2"),
        ),
        Case::new("empty", Call::get("/").header("x-none", ""), Says::status(200).header("x-nothing", "")),
        Case::new(
            "repeated and empty",
            Call::get("/").header("x-none", "").header("x-none", "").header("x-none", "some"),
            Says::status(200).header("x-nothing", "").header("x-nothing", ""),
        ),
        Case::new(
            "names of mixed case",
            Call::get("/").header("X-Mixed-CASE", "Value Stays"),
            Says::status(200).header("X-Other-Case", "So Does This"),
        ),
        Case::new(
            "characters that JSON escapes",
            Call::get("/").header("x-quoted", "say \"hi\", C:\\dir\tand so on"),
            Says::status(200).header("x-quoted", "\"a\\b\""),
        ),
        Case::new(
            "names that objects of languages have",
            Call::get("/")
                .header("constructor", "1")
                .header("__proto__", "2")
                .header("method", "3")
                .header("protocol", "4"),
            Says::status(200).header("tostring", "1").header("__proto__", "2"),
        ),
    ]
}

fn sizes() -> Vec<Case> {
    let many = (0..80).fold(Call::get("/"), |call, number| call.header(&format!("x-{number}"), number.to_string()));
    vec![
        Case::new("60 KiB asked", Call::get("/").header("x-long", "a".repeat(LONG)), Says::status(200)),
        Case::new("60 KiB answered", Call::get("/"), Says::status(200).header("x-long", "b".repeat(LONG)))
            .sees(|reply, _| same("length", reply.headers.text("x-long").map(str::len), Some(LONG))),
        Case::new("eighty headers", many, Says::status(200)),
    ]
}

/// A value that is not UTF-8 stands in the line as Latin-1, each value by itself.
fn bytes() -> Vec<Case> {
    vec![
        Case::new(
            "not utf-8",
            Call::get("/").header("x-bytes", b"caf\xe9\xff".as_slice()),
            Says::status(200).header("x-bytes", b"\x80\xfe".as_slice()),
        )
        .line(|line, _| {
            set(&mut line.headers, "x-bytes", &["café\u{ff}"]);
            set(&mut line.response_headers, "x-bytes", &["\u{80}\u{fe}"]);
        }),
        Case::new("utf-8", Call::get("/").header("x-word", "käse €"), Says::status(200).header("x-word", "日本")),
        Case::new(
            "one utf-8 and one not",
            Call::get("/").header("x-word", "käse").header("x-word", b"k\xe4se".as_slice()),
            Says::status(200),
        )
        .line(|line, _| set(&mut line.headers, "x-word", &["käse", "käse"])),
    ]
}

/// HTTP/2 may carry a cookie in several fields (RFC 9113 §8.2.3); Envoy joins them before its filters run.
fn cookies() -> Vec<Case> {
    let call = Call::get("/").header("cookie", "a=1").header("cookie", "b=2").header("cookie", "c=\"3\"");
    vec![
        Case::new("cookies in several fields of http/2", call.clone(), Says::status(200)).ways(Way::FROM_HTTP2).line(
            |line, _| {
                // Envoy puts the joined one behind the client's other headers.
                line.headers.retain(|(name, _)| name != "cookie");
                let end = line.headers.iter().position(|(name, _)| name == "x-forwarded-for").unwrap_or_default();
                line.headers.insert(end, ("cookie".to_owned(), "a=[redacted]; b=[redacted]; c=[redacted]".to_owned()));
                line.masked("requestHeaders", 3);
            },
        ),
        Case::new("cookies in several fields of http/1.1", call, Says::status(200)).ways(Way::FROM_HTTP1).line(
            |line, _| {
                set(&mut line.headers, "cookie", &["a=[redacted]", "b=[redacted]", "c=[redacted]"]);
                line.masked("requestHeaders", 3);
            },
        ),
    ]
}

fn of_proxies() -> Vec<Case> {
    vec![
        Case::new("forwarded for another", Call::get("/").header("x-forwarded-for", "192.0.2.7"), Says::status(200))
            .line(|line, _| set(&mut line.headers, "x-forwarded-for", &["192.0.2.7,…"])),
        // What a client claims about itself does not count: this call came without TLS.
        Case::new(
            "claims to have come by https",
            Call::get("/").header("x-forwarded-proto", "https"),
            Says::status(200),
        )
        .line(|line, _| set(&mut line.headers, "x-forwarded-proto", &["http"])),
    ]
}

/// Gives a header other values, where it stands.
pub(crate) fn set(headers: &mut Vec<(String, String)>, name: &str, values: &[&str]) {
    let at = headers.iter().position(|(known, _)| known == name).unwrap_or(headers.len());
    headers.retain(|(known, _)| known != name);
    let values = values.iter().map(|value| (name.to_owned(), (*value).to_owned()));
    headers.splice(at..at, values);
}
