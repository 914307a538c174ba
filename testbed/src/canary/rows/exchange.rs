//! A row as the exchange that a recorder sees, without Envoy: to be written or masked by a program.

use tributary_http_types::{BodyRef, ExchangeRef, MetaRef, Method, Protocol, RequestRef, ResponseRef, Timestamp};

use super::Row;
use crate::{
    canary::BODY_LIMIT,
    message::{Fields, Payload},
};

/// When it all happened, in milliseconds since 1970.
const AT: i64 = 1_772_275_168_833;

impl Row {
    /// Hands the exchange to `with`: whole heads and trailers, bodies up to [`BODY_LIMIT`].
    pub fn with_exchange<R>(&self, with: impl FnOnce(&ExchangeRef<'_>) -> R) -> R {
        let [asked, said] = [&self.call.body, &self.said.body].map(|payload: &Payload| payload.pieces().concat());
        let fields = [&self.call.headers, &self.said.headers, &self.call.trailers, &self.said.trailers];
        let [request_headers, response_headers, request_trailers, response_trailers] = fields.map(pairs);
        let timestamp = Timestamp::from_unix_millis(AT);
        with(&ExchangeRef {
            request: RequestRef {
                timestamp,
                method: Method::from_wire(self.call.method.as_bytes()).unwrap_or(Method::Get),
                protocol: Protocol::Http,
                host: self.call.authority.as_bytes(),
                path: self.call.target.as_bytes(),
                headers: &request_headers,
                body: body(&asked, &self.call.headers),
            },
            response: Some(ResponseRef {
                timestamp,
                status_code: 200,
                headers: &response_headers,
                body: body(&said, &self.said.headers),
            }),
            meta: MetaRef {
                source: "another-program",
                request_trailers: &request_trailers,
                response_trailers: &response_trailers,
                ..MetaRef::default()
            },
        })
    }
}

fn pairs(fields: &Fields) -> Vec<(&[u8], &[u8])> {
    fields.iter().map(|(name, value)| (name.as_bytes(), value)).collect()
}

fn body<'a>(bytes: &'a [u8], headers: &Fields) -> BodyRef<'a> {
    let kept = bytes.get(..bytes.len().min(BODY_LIMIT)).unwrap_or_default();
    let coded = headers.get("content-encoding").is_some_and(|coding| coding != b"identity");
    BodyRef { kept, bytes: bytes.len() as u64, coded, ..BodyRef::default() }
}
