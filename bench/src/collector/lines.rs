//! Lines as the filter writes them: calls to a shop, about 700 bytes each, no two alike, their secrets masked.

use std::sync::LazyLock;

use tributary_http_types::{
    BodyRef, Direction, ExchangeRef, MetaRef, Method, Protocol, RequestRef, ResponseRef, Timestamp,
};
use tributary_redact::Redactor;
use tributary_testbed::random::Random;

/// When the first exchange of each source begins, in milliseconds since 1970; each later one some milliseconds after.
const BEGIN_MILLIS: i64 = 1_772_275_000_000;

/// Masks as the filter does by default. One for all sources: there may be ten thousand of them.
static REDACTOR: LazyLock<Redactor> = LazyLock::new(Redactor::default);

const USER_AGENTS: [&str; 4] = ["okhttp/4.12.0", "curl/8.5.0", "axios/1.7.2", "Go-http-client/2.0"];
const THINGS: [&str; 6] = ["walnut shelf", "desk lamp", "wool rug", "café table", "oak chair", "steel kettle"];

/// Writes the lines of one source, one after the other.
#[derive(Debug)]
pub(crate) struct LineMaker {
    source: String,
    next_seq: u64,
    random: Random,
    /// Bytes that each response body has at least.
    min_answer_bytes: usize,
}

impl LineMaker {
    /// The source with this number; the same number makes the same lines.
    pub(crate) fn new(number: u64) -> LineMaker {
        let mut random = Random::seeded("source", number);
        let source = format!("{:016x}{:016x}", random.below(u64::MAX), random.below(u64::MAX));
        LineMaker { source, next_seq: 0, random, min_answer_bytes: 0 }
    }

    /// Makes its response bodies at least so large.
    #[must_use]
    pub(crate) fn answering(mut self, min_answer_bytes: usize) -> LineMaker {
        self.min_answer_bytes = min_answer_bytes;
        self
    }

    /// Its name: 32 hexadecimal digits.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// How many lines it has written.
    pub(crate) fn written(&self) -> u64 {
        self.next_seq
    }

    /// Appends the next line with its end.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>) {
        let call = Call::new(self.next_seq, self.min_answer_bytes, &mut self.random);
        let headers = call.request_headers();
        let request_headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let length = call.answer.len().to_string();
        let response_headers: [(&[u8], &[u8]); 2] =
            [(b"content-type", b"application/json"), (b"content-length", length.as_bytes())];
        let exchange = ExchangeRef {
            request: RequestRef {
                timestamp: Timestamp::from_unix_millis(call.begin_millis),
                method: call.method,
                protocol: Protocol::Http,
                host: b"shop.example",
                path: call.path.as_bytes(),
                headers: &request_headers,
                body: body(&call.asked),
            },
            response: Some(ResponseRef {
                timestamp: Timestamp::from_unix_millis(call.begin_millis + 3),
                status_code: 200,
                headers: &response_headers,
                body: body(&call.answer),
            }),
            meta: MetaRef {
                source: &self.source,
                seq: self.next_seq,
                duration_ms: Some(3),
                http_version: Some(b"HTTP/1.1"),
                cluster: Some(b"shop"),
                direction: Some(Direction::Inbound),
                ..MetaRef::default()
            },
        };
        // It can be written: it has a host and a known method.
        let _ = REDACTOR.with_masked(&exchange, |exchange, _| exchange.write_line(out));
        self.next_seq += 1;
    }
}

/// What one exchange is made of.
#[derive(Debug)]
struct Call {
    method: Method,
    path: String,
    asked: String,
    answer: String,
    user_agent: &'static str,
    /// One call in four comes with a credential, which the filter masks.
    token: Option<String>,
    begin_millis: i64,
}

impl Call {
    fn new(seq: u64, min_answer_bytes: usize, random: &mut Random) -> Call {
        let (thing, other) = (random.pick(&THINGS).unwrap_or(&""), random.below(90_000));
        let (method, path, asked) = match random.below(3) {
            0 => (Method::Post, "/orders".to_owned(), format!(r#"{{"item":{other},"note":"{thing}"}}"#)),
            1 => (Method::Get, format!("/products/{other}"), String::new()),
            _ => (Method::Get, format!("/products?page={}&sort=price", random.below(40)), String::new()),
        };
        Call {
            method,
            path,
            asked,
            answer: answer(min_answer_bytes, random),
            user_agent: random.pick(&USER_AGENTS).copied().unwrap_or_default(),
            token: random.chance(25).then(|| format!("Bearer {:016x}", random.below(u64::MAX))),
            begin_millis: BEGIN_MILLIS + i64::try_from(seq).unwrap_or(0) * 7,
        }
    }

    fn request_headers(&self) -> Vec<(&str, &str)> {
        let mut headers = vec![("user-agent", self.user_agent)];
        headers.extend(self.token.as_deref().map(|token| ("authorization", token)));
        headers
    }
}

/// One product, or as many as it takes.
fn answer(min_bytes: usize, random: &mut Random) -> String {
    let mut product = || {
        let (name, price) = (random.pick(&THINGS).unwrap_or(&""), random.below(50_000));
        let (id, stock) = (random.below(90_000), random.below(100));
        format!(r#"{{"id":{id},"name":"{name}","price":{}.{:02},"stock":{stock}}}"#, price / 100, price % 100)
    };
    if min_bytes == 0 {
        return product();
    }
    let mut answer = format!("[{}", product());
    while answer.len() < min_bytes {
        answer.push(',');
        answer.push_str(&product());
    }
    answer + "]"
}

fn body(text: &str) -> BodyRef<'_> {
    BodyRef { kept: text.as_bytes(), bytes: text.len() as u64, ..BodyRef::default() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn lines(number: u64, count: usize) -> Vec<Vec<u8>> {
        let mut maker = LineMaker::new(number);
        let line = |_| {
            let mut line = Vec::new();
            maker.write(&mut line);
            line
        };
        (0..count).map(line).collect()
    }

    #[test]
    fn lines_are_of_700_bytes_in_the_mean_and_no_two_alike() {
        let lines = lines(1, 1_000);

        let bytes: usize = lines.iter().map(Vec::len).sum();
        assert!((650..=750).contains(&(bytes / 1_000)), "{}", bytes / 1_000);
        assert_eq!(lines.iter().collect::<BTreeSet<_>>().len(), 1_000);
    }

    #[test]
    fn a_line_is_as_large_as_its_answer_has_to_be() {
        let mut line = Vec::new();

        LineMaker::new(1).answering(10_000).write(&mut line);

        // Each quotation mark in the body takes a backslash.
        assert!((10_000..14_000).contains(&line.len()), "{}", line.len());
        tributary_http_types::check_line(line.trim_ascii_end()).unwrap();
    }

    #[test]
    fn every_line_is_valid_and_numbered_and_has_nothing_left_to_mask() {
        let redactor = Redactor::default();

        let lines = lines(2, 100);

        for (seq, line) in (0..).zip(&lines) {
            let line = line.strip_suffix(b"\n").unwrap();
            let checked = tributary_http_types::check_line(line).unwrap();
            assert_eq!(checked.seq, Some(seq));
            assert!(!redactor.finds(&checked), "{}", String::from_utf8_lossy(line));
        }
        assert!(lines.iter().any(|line| line.windows(10).any(|text| text == b"[redacted]")));
    }

    #[test]
    fn a_number_always_makes_the_same_lines_and_another_one_others() {
        assert_eq!(lines(3, 5), lines(3, 5));
        assert_ne!(LineMaker::new(3).source(), LineMaker::new(4).source());
    }
}
