//! One exchange before it is written, and its line as the filter writes it.

use tributary_http_types::{BodyRef, ExchangeRef, MetaRef, Method, Protocol, RequestRef, ResponseRef, Timestamp};

/// The host that the traffic goes to.
const HOST: &str = "api.shop.example";

/// Two VMs of one proxy.
const SOURCES: [&str; 2] = ["5f0c1d2e3a4b596877665544332211ff", "0a1b2c3d4e5f60718293a4b5c6d7e8f9"];

/// 2026-01-05T08:00:00Z.
const BEGIN_MILLIS: i64 = 1_767_600_000_000;

/// Milliseconds from one exchange to the next.
const PACE_MILLIS: u64 = 37;

/// Names and values.
pub(super) type Headers = Vec<(String, String)>;

/// An answer: status, headers, body.
pub(super) type Answer = (u16, Headers, Vec<u8>);

/// What is sent and answered.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) method: Option<Method>,
    pub(super) target: String,
    pub(super) asked: Headers,
    pub(super) body: Vec<u8>,
    pub(super) answer: Option<Answer>,
    pub(super) flags: &'static str,
    pub(super) details: &'static str,
    /// Bytes kept of the request's and of the answer's body; all where there is no number.
    pub(super) kept: (Option<usize>, Option<usize>),
}

impl Draft {
    /// The line of exchange `number`, with its line end.
    pub(super) fn line(&self, number: u64, duration_millis: u64) -> Vec<u8> {
        let source = SOURCES.get((number % 2) as usize).copied().unwrap_or_default();
        let asked = BEGIN_MILLIS.saturating_add_unsigned(number * PACE_MILLIS);
        let headers = pairs(&self.asked);
        let answer = self.answer.as_ref().map(|(status, headers, body)| (*status, pairs(headers), body));
        let exchange = ExchangeRef {
            request: RequestRef {
                timestamp: Timestamp::from_unix_millis(asked),
                method: self.method.unwrap_or(Method::Get),
                protocol: Protocol::Https,
                host: HOST.as_bytes(),
                path: self.target.as_bytes(),
                headers: &headers,
                body: kept(&self.body, self.kept.0),
            },
            response: answer.as_ref().map(|(status, headers, body)| ResponseRef {
                timestamp: Timestamp::from_unix_millis(asked.saturating_add_unsigned(duration_millis)),
                status_code: *status,
                headers,
                body: kept(body, self.kept.1),
            }),
            meta: MetaRef {
                source,
                seq: number / 2,
                duration_ms: Some(duration_millis),
                http_version: Some(b"HTTP/2"),
                response_flags: self.flags,
                code_details: Some(self.details.as_bytes()),
                ..MetaRef::default()
            },
        };
        let mut line = Vec::new();
        // The only error is an empty host, and the host is not.
        let written = exchange.write_line(&mut line);
        debug_assert!(written.is_ok());
        line
    }
}

fn pairs(headers: &[(String, String)]) -> Vec<(&[u8], &[u8])> {
    headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()
}

fn kept(body: &[u8], keep: Option<usize>) -> BodyRef<'_> {
    BodyRef {
        kept: keep.and_then(|keep| body.get(..keep)).unwrap_or(body),
        bytes: body.len() as u64,
        ..BodyRef::default()
    }
}
