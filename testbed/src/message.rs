//! HTTP messages as the testbed's clients and origin speak of them: names, bytes, order. No interpretation.

use bytes::Bytes;

/// Header or trailer fields in the order of the wire: names as they came, values as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, Bytes)>);

impl Fields {
    /// No field.
    pub fn new() -> Fields {
        Fields::default()
    }

    /// Adds a field behind the others.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<Bytes>) {
        self.0.push((name.into(), value.into()));
    }

    /// The value of the first field with this name, whatever its case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The first value as text, if it is UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get(name)?).ok()
    }

    /// All values with this name, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_ref())
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_ref()))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a field of this name holds this word in its comma-separated list, whatever the case.
    pub fn lists(&self, name: &str, word: &str) -> bool {
        self.all(name).any(|value| {
            value.split(|byte| *byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
        })
    }

    /// These fields without those of the given names.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Fields {
        let kept = |name: &str| !names.iter().any(|unwanted| unwanted.eq_ignore_ascii_case(name));
        Fields(self.0.iter().filter(|(name, _)| kept(name)).cloned().collect())
    }

    /// The fields of the `http` crate's map; several values of a name stand together there.
    pub fn from_map(map: &http::HeaderMap) -> Fields {
        let value = |value: &http::HeaderValue| Bytes::copy_from_slice(value.as_bytes());
        Fields(map.iter().map(|(name, bytes)| (name.as_str().to_owned(), value(bytes))).collect())
    }

    /// As the `http` crate's map, names in lower case.
    ///
    /// # Errors
    /// A name or value that HTTP/2 cannot carry.
    pub fn to_map(&self) -> anyhow::Result<http::HeaderMap> {
        let mut map = http::HeaderMap::new();
        for (name, value) in self.iter() {
            map.append(http::HeaderName::from_bytes(name.as_bytes())?, http::HeaderValue::from_bytes(value)?);
        }
        Ok(map)
    }
}

impl<N: Into<String>, V: Into<Bytes>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Fields {
        Fields(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// A request to be sent, by any of the clients.
///
/// ```
/// use tributary_testbed::message::Call;
///
/// let call = Call::post("/users").header("content-type", "application/json").body(r#"{"name":"Kimmo"}"#);
/// let streamed = Call::put("/upload").chunks(["first", "second"]).trailer("checksum", "42");
/// ```
#[derive(Clone, Debug)]
pub struct Call {
    /// The method as sent.
    pub method: String,
    /// The target as sent: `/users?page=2`, `http://host/path`, `host:port` for CONNECT.
    pub target: String,
    /// What the client asks for: `host` on HTTP/1.1, `:authority` on HTTP/2 and 3.
    pub authority: String,
    /// The other headers; framing headers are added by the client.
    pub headers: Fields,
    /// The body.
    pub body: Payload,
    /// Trailers; with any, an HTTP/1.1 body is sent in chunks.
    pub trailers: Fields,
}

/// How a body is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Payload {
    /// None: no length and no chunk.
    #[default]
    None,
    /// At once, with `content-length` (0 too).
    Whole(Bytes),
    /// In these pieces, without a length: chunks of HTTP/1.1, DATA frames of HTTP/2.
    Chunks(Vec<Bytes>),
}

impl Payload {
    /// The pieces in which it is sent.
    pub fn pieces(&self) -> &[Bytes] {
        match self {
            Payload::None => &[],
            Payload::Whole(body) => std::slice::from_ref(body),
            Payload::Chunks(pieces) => pieces,
        }
    }

    /// How many bytes it has.
    pub fn len(&self) -> u64 {
        self.pieces().iter().map(|piece| piece.len() as u64).sum()
    }

    /// Whether it has no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Call {
    /// A request without a body; the authority is `testbed.example`.
    pub fn new(method: impl Into<String>, target: impl Into<String>) -> Call {
        Call {
            method: method.into(),
            target: target.into(),
            authority: "testbed.example".to_owned(),
            headers: Fields::new(),
            body: Payload::None,
            trailers: Fields::new(),
        }
    }

    /// `GET target`.
    pub fn get(target: impl Into<String>) -> Call {
        Call::new("GET", target)
    }

    /// `POST target`.
    pub fn post(target: impl Into<String>) -> Call {
        Call::new("POST", target)
    }

    /// `PUT target`.
    pub fn put(target: impl Into<String>) -> Call {
        Call::new("PUT", target)
    }

    /// Asks for another host.
    #[must_use]
    pub fn authority(mut self, authority: impl Into<String>) -> Call {
        self.authority = authority.into();
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Bytes>) -> Call {
        self.headers.push(name, value);
        self
    }

    /// Sets a body of known length.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Call {
        self.body = Payload::Whole(body.into());
        self
    }

    /// Sets a body of unknown length, sent in these pieces.
    #[must_use]
    pub fn chunks<B: Into<Bytes>>(mut self, pieces: impl IntoIterator<Item = B>) -> Call {
        self.body = Payload::Chunks(pieces.into_iter().map(Into::into).collect());
        self
    }

    /// Adds a trailer.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: impl Into<Bytes>) -> Call {
        self.trailers.push(name, value);
        self
    }
}

/// The head of a response, interim (1xx) or final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// The headers in the order of the wire.
    pub headers: Fields,
}

/// How a response ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Whole, by the rules of its framing.
    Complete,
    /// Cut off: connection closed or stream reset too early; with the client's words.
    Cut(String),
}

/// What a client got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 1xx heads before the final one.
    pub interim: Vec<Head>,
    /// The final status.
    pub status: u16,
    /// The final headers.
    pub headers: Fields,
    /// The body, or what came of it; framing removed, content coding not.
    pub body: Bytes,
    /// The trailers.
    pub trailers: Fields,
    /// Whether it was whole.
    pub end: End,
}

/// Headers that differ between two equal calls through Envoy.
const VOLATILE: &[&str] = &["date", "x-request-id", "x-envoy-upstream-service-time"];

impl Reply {
    /// This reply without what differs between two equal calls (`date`, Envoy's timing): for comparing the same call
    /// with and without the filter.
    #[must_use]
    pub fn comparable(&self) -> Reply {
        Reply { headers: self.headers.without(VOLATILE), ..self.clone() }
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

/// A request as the origin received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `HTTP/1.1` or `HTTP/2`.
    pub version: &'static str,
    /// The method.
    pub method: String,
    /// The target as received (path and query; `host:port` for CONNECT).
    pub target: String,
    /// The headers; on HTTP/2 with the authority as `host` in front.
    pub headers: Fields,
    /// The body. In the origin's log of requests only its first 64 KiB.
    pub body: Bytes,
    /// The length of the whole body.
    pub body_bytes: u64,
    /// The trailers.
    pub trailers: Fields,
}

impl Asked {
    /// The target up to the `?`.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// So many bytes of a body without end: lines of text, so that it is kept as text.
pub fn text_piece(bytes: usize) -> Bytes {
    let lines = b"nine and a line break\n\nnine bytes\nand more of them, of a text without end\n\n";
    lines.iter().copied().cycle().take(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_finds_a_word_in_any_field_of_the_name() {
        let fields: Fields = [("Connection", "keep-alive, Upgrade"), ("connection", "close")].into_iter().collect();

        assert!(fields.lists("connection", "upgrade"));
        assert!(fields.lists("connection", "close"));
        assert!(!fields.lists("connection", "clos"));
    }

    #[test]
    fn comparable_forgets_only_what_differs_by_itself() {
        let headers = [("date", "now"), ("x-a", "1"), ("server", "envoy")].into_iter().collect();
        let reply = Reply {
            interim: Vec::new(),
            status: 200,
            headers,
            body: Bytes::from_static(b"x"),
            trailers: Fields::new(),
            end: End::Complete,
        };

        let expected: Fields = [("x-a", "1"), ("server", "envoy")].into_iter().collect();
        assert_eq!(reply.comparable().headers, expected);
    }
}
