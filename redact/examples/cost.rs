//! What redaction costs: CPU per exchange, written with and without it, in turn.
//!
//! ```text
//! cargo run --release --package tributary-redact --example cost
//! ```
//! Times vary from machine to machine; the ratios are what counts. Linux only (`/proc/self/schedstat`).

use std::{fs, hint::black_box};

use tributary_http_types::{
    BodyRef, ExchangeRef, HttpExchange, MetaRef, Method, Protocol, RequestRef, ResponseRef, Timestamp, check_line,
};
use tributary_redact::Redactor;

const ROUNDS: usize = 7;
const EXCHANGES: u32 = 4_000;

type Pair = (&'static [u8], &'static [u8]);

/// What a browser and a server send, without credentials.
const PLAIN: [Pair; 12] = [
    (b"host", b"shop.example:8443"),
    (
        b"user-agent",
        b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
    ),
    (b"accept", b"application/json, text/plain, */*"),
    (b"accept-language", b"en-US,en;q=0.9,de;q=0.8"),
    (b"content-type", b"application/json"),
    (b"referer", b"https://shop.example/cart?page=2&sort=price"),
    (b"x-request-id", b"550e8400-e29b-41d4-a716-446655440000"),
    (b"x-forwarded-proto", b"https"),
    (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    (b"date", b"Wed, 21 Oct 2026 07:28:00 GMT"),
    (b"server", b"envoy"),
    (b"x-envoy-upstream-service-time", b"3"),
];

/// The same with a session.
const LOGGED_IN: [Pair; 14] = [
    PLAIN[0],
    PLAIN[1],
    PLAIN[2],
    PLAIN[3],
    PLAIN[4],
    PLAIN[5],
    PLAIN[6],
    PLAIN[7],
    PLAIN[8],
    PLAIN[9],
    PLAIN[10],
    PLAIN[11],
    (b"authorization", b"Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVP"),
    (b"cookie", b"session=8e03978e40d543e8bc936894a57f9324; theme=dark; csrf=31337"),
];

/// About so many bytes of users, as JSON.
fn body(bytes: usize) -> Vec<u8> {
    let user = |id: usize| {
        format!(
            r#"{{"id":{id},"name":"Kimmo Hintikka","email":"kimmo{id}@example.com","created_at":"2026-02-28T10:39:28.833Z","tags":["a","b"],"active":true}}"#
        )
    };
    if bytes < 100 {
        return br#"{"id":"0549b5b1","name":"Kimmo","email":"kimmo@example.com"}"#.to_vec();
    }
    let mut body = b"[".to_vec();
    for id in 0.. {
        if body.len() >= bytes {
            break;
        }
        if id > 0 {
            body.push(b',');
        }
        body.extend(user(id).bytes());
    }
    body.push(b']');
    body
}

fn exchange<'a>(headers: &'a [(&'a [u8], &'a [u8])], body: &'a [u8]) -> ExchangeRef<'a> {
    let body = BodyRef { kept: body, bytes: body.len() as u64, ..BodyRef::default() };
    ExchangeRef {
        request: RequestRef {
            timestamp: Timestamp::from_unix_millis(0),
            method: Method::Get,
            protocol: Protocol::Http,
            host: b"shop.example",
            path: b"/users/0549?page=2&sort=price",
            headers,
            body: BodyRef::default(),
        },
        response: Some(ResponseRef {
            timestamp: Timestamp::from_unix_millis(1),
            status_code: 200,
            headers: headers.get(4..5).unwrap_or_default(),
            body,
        }),
        meta: MetaRef { source: "000102030405060708090a0b0c0d0e0f", ..MetaRef::default() },
    }
}

/// CPU time of this process, in nanoseconds.
fn cpu_nanos() -> u64 {
    let stat = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default()
}

fn nanos_each(mut work: impl FnMut()) -> u64 {
    let before = cpu_nanos();
    (0..EXCHANGES).for_each(|_| work());
    (cpu_nanos() - before) / u64::from(EXCHANGES)
}

/// The least of all rounds: what disturbs only adds.
fn least(values: &[u64]) -> u64 {
    values.iter().copied().min().unwrap_or_default()
}

fn main() {
    let redactor = Redactor::default();
    println!(
        "{:<34}{:>10}{:>10}{:>8}{:>12}{:>10}",
        "ns CPU an exchange", "written", "masked", "adds", "line check", "wall adds"
    );
    for (name, headers) in [("plain", &PLAIN[..]), ("logged in", &LOGGED_IN[..])] {
        for bytes in [70, 700, 10_000] {
            let body = body(bytes);
            let exchange = exchange(headers, &body);
            let mut line = Vec::with_capacity(64 * 1024);
            let _ = redactor.with_masked(&exchange, |masked, _| masked.write_line(&mut line));
            let stored = line.clone();
            let mut times = [const { Vec::new() }; 4];
            for _ in 0..ROUNDS {
                let write = |exchange: &ExchangeRef<'_>, line: &mut Vec<u8>| {
                    line.clear();
                    let _ = black_box(exchange.write_line(line));
                };
                times[0].push(nanos_each(|| write(black_box(&exchange), &mut line)));
                times[1].push(nanos_each(|| {
                    redactor.with_masked(black_box(&exchange), |masked, _| write(masked, &mut line))
                }));
                times[2].push(nanos_each(|| drop(black_box(check_line(black_box(&stored))))));
                times[3].push(nanos_each(|| {
                    let checked = check_line(black_box(&stored)).unwrap_or_default();
                    if redactor.finds(&checked) {
                        drop(black_box(HttpExchange::from_line(&stored)));
                    }
                }));
            }
            let [written, masked, checked, wall] = times.each_ref().map(|of| least(of));
            let row = format!("{name}, {} B of JSON", body.len());
            println!(
                "{row:<34}{written:>10}{masked:>10}{:>8}{checked:>12}{:>10}",
                masked.saturating_sub(written),
                wall.saturating_sub(checked)
            );
        }
    }
}
