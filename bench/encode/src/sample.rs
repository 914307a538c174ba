//! The exchanges: what a browser and a server send, around bodies of several sizes.

use tributary_http_types::{BodyRef, ExchangeRef, MetaRef, Method, Protocol, RequestRef, ResponseRef, Timestamp};

type Pair = (&'static [u8], &'static [u8]);

const REQUEST_HEADERS: [Pair; 12] = [
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

const JSON: [Pair; 1] = [(b"content-type", b"application/json")];
const PAGE: [Pair; 1] = [(b"content-type", b"text/html")];
const IMAGE: [Pair; 1] = [(b"content-type", b"image/png")];

/// An exchange that is measured, by its response.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) body: Vec<u8>,
    headers: &'static [Pair],
}

impl Sample {
    /// All of them.
    pub(crate) fn all() -> Vec<Sample> {
        let json = |name, len| Sample { name, body: users(len), headers: &JSON };
        vec![
            Sample {
                name: "60 B of JSON",
                body: br#"{"id":"0549b5b1","name":"Kimmo","email":"kimmo@example.com"}"#.to_vec(),
                headers: &JSON,
            },
            json("800 B of JSON", 800),
            json("10 KB of JSON", 10_000),
            json("64 KB of JSON", 64_000),
            Sample { name: "10 KB of HTML", body: page(10_000), headers: &PAGE },
            Sample { name: "10 KB of bytes", body: bytes(10_000), headers: &IMAGE },
        ]
    }

    /// What is asked for.
    pub(crate) fn path(&self) -> &'static [u8] {
        b"/users/0549?page=2&sort=price"
    }

    /// Of the request, without pseudo-headers.
    pub(crate) fn request_headers(&self) -> &'static [Pair] {
        &REQUEST_HEADERS
    }

    /// Of the response, without pseudo-headers.
    pub(crate) fn response_headers(&self) -> &'static [Pair] {
        self.headers
    }
}

/// The exchange around a sample with no more than it must have beside its body: writing it is writing the body.
pub(crate) fn bare(sample: &Sample) -> ExchangeRef<'_> {
    let whole = exchange(sample);
    let request = RequestRef { path: b"/", headers: &[], ..whole.request };
    let response = whole.response.map(|response| ResponseRef { headers: &[], ..response });
    ExchangeRef { request, response, ..whole }
}

/// The exchange around a sample.
pub(crate) fn exchange(sample: &Sample) -> ExchangeRef<'_> {
    ExchangeRef {
        request: RequestRef {
            timestamp: Timestamp::from_unix_millis(1_767_225_600_000),
            method: Method::Get,
            protocol: Protocol::Http,
            host: b"shop.example",
            path: sample.path(),
            headers: sample.request_headers(),
            body: BodyRef::default(),
        },
        response: Some(ResponseRef {
            timestamp: Timestamp::from_unix_millis(1_767_225_600_007),
            status_code: 200,
            headers: sample.headers,
            body: BodyRef { kept: &sample.body, bytes: sample.body.len() as u64, ..BodyRef::default() },
        }),
        meta: MetaRef { source: "000102030405060708090a0b0c0d0e0f", seq: 7, ..MetaRef::default() },
    }
}

/// About so many bytes of users.
fn users(len: usize) -> Vec<u8> {
    let user = |id: usize| {
        format!(
            r#"{{"id":{id},"name":"Kimmo Hintikka","email":"kimmo{id}@example.com","created_at":"2026-02-28T10:39:28.833Z","tags":["a","b"],"active":true}}"#
        )
    };
    let mut body = format!("[{}", user(0));
    for id in (1..).take_while(|id| id * 140 < len) {
        body.push(',');
        body.push_str(&user(id));
    }
    body.push(']');
    body.into_bytes()
}

/// About so many bytes of a page.
fn page(len: usize) -> Vec<u8> {
    let item = "<li class=\"item\"><a href=\"/users/0549\">Kimmo Hintikka</a>, since 2026. He likes to \u{201c}ship\u{201d}.</li>\n";
    item.repeat(len / item.len()).into_bytes()
}

/// So many bytes that are no text, the same each time.
fn bytes(len: usize) -> Vec<u8> {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(1u32), next).map(|state| state.to_be_bytes()[0]).take(len).collect()
}
