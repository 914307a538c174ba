//! Exchanges of the shop as the filter writes them, made from a seed.

use serde_json::Value;
use tributary_http_types::Method;

use super::contract::{Body, Operation, Place, Response, Security, Shop};
use super::draft::{Answer, Draft};
use super::values::value;
use crate::random::Random;

/// How many different values a parameter of the path has in this shop.
const ENTITIES: u64 = 400;

/// How many of the last lines may come a second time.
const REPEATABLE: usize = 50;

/// Targets that scanners try everywhere; the shop knows none of them.
const SCANNED: [&str; 6] =
    ["/wp-login.php", "/.env", "/.git/config", "/phpmyadmin/index.php", "/admin.php", "/robots.txt"];

/// One line of the traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The exchange, with its line end.
    pub line: Vec<u8>,
    /// Its operation, as an index into [`Shop::operations`]; `None` for a path that the shop does not have.
    pub operation: Option<usize>,
    /// What the line is.
    pub kind: Kind,
}

/// What a line shows of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An answer of the shop.
    Whole,
    /// An answer of the shop, of which a body was cut at the capture limit.
    Cut,
    /// A line that came before.
    Repeated,
    /// An answer of Envoy itself.
    Local,
    /// An exchange that ended before its answer was whole.
    Aborted,
    /// A path that nobody serves, answered by the shop's own 404.
    Scanned,
}

/// Exchanges without end, always the same for the same seed.
#[derive(Debug)]
pub struct Traffic<'s> {
    shop: &'s Shop,
    random: Random,
    number: u64,
    recent: Vec<Made>,
}

impl Shop {
    /// The traffic of a seed.
    pub fn traffic(&self, seed: u64) -> Traffic<'_> {
        Traffic { shop: self, random: Random::seeded("shop", seed), number: 0, recent: Vec::new() }
    }
}

impl Iterator for Traffic<'_> {
    type Item = Made;

    fn next(&mut self) -> Option<Made> {
        let kind = match self.random.below(100) {
            0..2 => Kind::Repeated,
            2..4 => Kind::Local,
            4..6 => Kind::Aborted,
            6..8 => Kind::Cut,
            8 => Kind::Scanned,
            _ => Kind::Whole,
        };
        if kind == Kind::Repeated
            && let Some(again) = self.random.pick(&self.recent).cloned()
        {
            return Some(Made { kind, ..again });
        }
        let made = self.make(kind);
        if self.recent.len() >= REPEATABLE {
            self.recent.remove(0);
        }
        self.recent.push(made.clone());
        Some(made)
    }
}

impl Traffic<'_> {
    fn make(&mut self, kind: Kind) -> Made {
        if kind == Kind::Scanned {
            let target = self.random.pick(&SCANNED).copied().unwrap_or_default().to_owned();
            let answer = br#"{"code":"E0404","message":"no such page"}"#.to_vec();
            let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            let answer = Some((404, headers, answer));
            let draft =
                Draft { method: Some(Method::Get), target, answer, details: "via_upstream", ..Draft::default() };
            return Made { line: self.write(&draft), operation: None, kind };
        }
        let index = self.choose();
        let shop = self.shop;
        let Some(operation) = shop.operations.get(index) else { return self.make(Kind::Scanned) };
        let Some(response) = self.answer_of(operation) else { return self.make(Kind::Scanned) };
        let mut draft = self.regular(operation, response);
        match kind {
            Kind::Local => self.make_local(&mut draft),
            Kind::Aborted => self.abort(&mut draft),
            Kind::Cut => self.cut(&mut draft),
            Kind::Whole | Kind::Repeated | Kind::Scanned => {}
        }
        Made { line: self.write(&draft), operation: Some(index), kind }
    }

    /// An operation, by weight.
    fn choose(&mut self) -> usize {
        let whole = self.shop.operations.iter().map(|operation| operation.weight).sum();
        let mut rest = self.random.below(whole);
        let chosen = self.shop.operations.iter().position(|operation| match rest.checked_sub(operation.weight) {
            Some(left) => {
                rest = left;
                false
            }
            None => true,
        });
        chosen.unwrap_or_default()
    }

    /// The first success as a rule, each other answer now and then.
    fn answer_of<'o>(&mut self, operation: &'o Operation) -> Option<&'o Response> {
        let others = operation.responses.len().saturating_sub(1) as u64;
        let chosen = self.random.below(15 + others).saturating_sub(14);
        operation.responses.get(chosen as usize)
    }

    fn regular(&mut self, operation: &Operation, response: &Response) -> Draft {
        let refused = matches!(response.status, 400 | 422);
        let mut draft = Draft {
            method: Some(operation.method),
            target: self.target(operation, refused),
            details: "via_upstream",
            ..Draft::default()
        };
        self.ask(operation, response.status, &mut draft);
        if let Some(body) = &operation.body
            && (body.required || self.random.chance(50))
        {
            let mut sent = self.content(body);
            if refused {
                sent = self.spoiled(sent);
            }
            draft.asked.push(("content-type".to_owned(), media_with_parameters(&body.media)));
            draft.asked.push(("content-length".to_owned(), sent.len().to_string()));
            draft.body = sent;
        }
        draft.answer = Some(self.answer(operation, response));
        draft
    }

    fn target(&mut self, operation: &Operation, refused: bool) -> String {
        let mut target = operation.template.clone();
        let mut query = Vec::new();
        for parameter in &operation.parameters {
            match parameter.place {
                Place::Path => {
                    // Some are asked for more often than others.
                    let entity = self.random.below(ENTITIES).min(self.random.below(ENTITIES));
                    let mut of_entity = Random::seeded(&parameter.name, entity);
                    let value = plain(&value(&parameter.schema, &mut of_entity));
                    target = target.replace(&format!("{{{}}}", parameter.name), &escaped(&value));
                }
                Place::Query if parameter.required || self.random.chance(40) => {
                    // A service refuses what is no number, and what is not there at all.
                    let wrong = refused && self.random.chance(60);
                    if wrong && parameter.required {
                        continue;
                    }
                    let sent = if wrong { "wrong".into() } else { value(&parameter.schema, &mut self.random) };
                    let values = sent.as_array().cloned().unwrap_or_else(|| vec![sent]);
                    query.extend(values.iter().map(|one| format!("{}={}", parameter.name, escaped(&plain(one)))));
                }
                Place::Query | Place::Header => {}
            }
        }
        if !query.is_empty() {
            target.push('?');
            target.push_str(&query.join("&"));
        }
        target
    }

    /// The headers of a request: those of browsers, of proxies, of the contract.
    fn ask(&mut self, operation: &Operation, status: u16, draft: &mut Draft) {
        let mut add = |name: &str, value: String| draft.asked.push((name.to_owned(), value));
        let hex = |random: &mut Random, bytes: usize| {
            (0..bytes).map(|_| format!("{:02x}", random.below(256))).collect::<String>()
        };
        add("user-agent", "shop-app/4.1 (Android 15)".to_owned());
        add("accept", "application/json".to_owned());
        add("accept-encoding", "gzip, br".to_owned());
        add("x-forwarded-for", format!("10.0.{}.{}", self.random.below(256), self.random.below(256)));
        add("x-forwarded-proto", "https".to_owned());
        add("x-request-id", hex(&mut self.random, 16));
        add("traceparent", format!("00-{}-{}-01", hex(&mut self.random, 16), hex(&mut self.random, 8)));
        match operation.security {
            _ if status == 401 => {}
            Security::Open => {}
            Security::Bearer => add("authorization", "Bearer [redacted]".to_owned()),
            Security::ApiKey => add("x-api-key", "[redacted]".to_owned()),
        }
        for parameter in operation.parameters.iter().filter(|parameter| parameter.place == Place::Header) {
            if parameter.required || self.random.chance(40) {
                add(&parameter.name.to_ascii_lowercase(), plain(&value(&parameter.schema, &mut self.random)));
            }
        }
    }

    fn answer(&mut self, operation: &Operation, response: &Response) -> Answer {
        let mut headers = vec![
            ("date".to_owned(), "Mon, 05 Jan 2026 08:00:00 GMT".to_owned()),
            ("server".to_owned(), "envoy".to_owned()),
            ("x-envoy-upstream-service-time".to_owned(), self.random.below(90).to_string()),
        ];
        for header in &response.headers {
            if header.required || self.random.chance(80) {
                headers.push((header.name.to_ascii_lowercase(), plain(&value(&header.schema, &mut self.random))));
            }
        }
        let body = response.body.as_ref().map(|body| {
            headers.push(("content-type".to_owned(), media_with_parameters(&body.media)));
            self.content(body)
        });
        let body = body.unwrap_or_default();
        headers.push(("content-length".to_owned(), body.len().to_string()));
        let body = if operation.method == Method::Head { Vec::new() } else { body };
        (response.status, headers, body)
    }

    fn content(&mut self, body: &Body) -> Vec<u8> {
        let made = value(&body.schema, &mut self.random);
        match body.media.as_str() {
            "application/json" | "application/problem+json" => made.to_string().into_bytes(),
            "application/x-www-form-urlencoded" => {
                let members = made.as_object().into_iter().flatten();
                let pairs = members.map(|(name, value)| format!("{name}={}", escaped(&plain(value))));
                pairs.collect::<Vec<_>>().join("&").into_bytes()
            }
            "multipart/form-data" => multipart(&made, &mut self.random),
            "application/xml" => {
                format!("<?xml version=\"1.0\"?><news><item>{}</item></news>", plain(&made)).into_bytes()
            }
            "text/csv" => format!("day,orders\n2026-01-05,{}\n", self.random.below(900)).into_bytes(),
            "text/plain" => b"ok\n".to_vec(),
            _ => (0..self.random.between(40, 400)).map(|_| self.random.below(256) as u8 | 0x80).collect(),
        }
    }

    /// What the service refused: something is missing or of another type.
    fn spoiled(&mut self, body: Vec<u8>) -> Vec<u8> {
        let Ok(Value::Object(mut members)) = serde_json::from_slice(&body) else { return body };
        let names = members.keys().cloned().collect::<Vec<_>>();
        let Some(name) = self.random.pick(&names) else { return body };
        if self.random.chance(60) {
            members.remove(name);
        } else {
            members.insert(name.clone(), serde_json::json!([]));
        }
        Value::Object(members).to_string().into_bytes()
    }

    /// Envoy answers in the place of the shop.
    fn make_local(&mut self, draft: &mut Draft) {
        let replies = [
            (503, "UH", "no_healthy_upstream", "no healthy upstream"),
            (404, "NR", "route_not_found", ""),
            (429, "RL", "local_rate_limited", "local_rate_limited"),
            (504, "UT", "upstream_response_timeout", "upstream request timeout"),
        ];
        let Some((status, flags, details, body)) = self.random.pick(&replies).copied() else { return };
        let headers = vec![
            ("content-type".to_owned(), "text/plain".to_owned()),
            ("content-length".to_owned(), body.len().to_string()),
            ("server".to_owned(), "envoy".to_owned()),
        ];
        draft.answer = Some((status, headers, body.as_bytes().to_vec()));
        (draft.flags, draft.details) = (flags, details);
    }

    /// The client goes, or the shop does, before the answer is whole.
    fn abort(&mut self, draft: &mut Draft) {
        match self.random.below(3) {
            0 => {
                draft.answer = None;
                (draft.flags, draft.details) = ("DC", "downstream_remote_disconnect");
            }
            1 => {
                (draft.flags, draft.details) = ("DC", "downstream_remote_disconnect");
                halve(draft, &mut self.random);
            }
            _ => {
                (draft.flags, draft.details) = ("UC", "upstream_reset_after_response_started{connection_termination}");
                halve(draft, &mut self.random);
            }
        }
    }

    /// The capture limit cuts what is long enough.
    fn cut(&mut self, draft: &mut Draft) {
        let place = |length: usize, random: &mut Random| (length > 20).then(|| random.below(length as u64) as usize);
        let answered = draft.answer.as_ref().map_or(0, |(_, _, body)| body.len());
        draft.kept = (place(draft.body.len(), &mut self.random), place(answered, &mut self.random));
    }

    fn write(&mut self, draft: &Draft) -> Vec<u8> {
        let duration = 2 + self.random.below(60) + self.random.below(10).pow(3);
        let line = draft.line(self.number, duration);
        self.number += 1;
        line
    }
}

fn halve(draft: &mut Draft, random: &mut Random) {
    if let Some((_, _, body)) = &mut draft.answer {
        body.truncate(random.below(body.len() as u64) as usize);
    }
}

fn multipart(value: &Value, random: &mut Random) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, part) in value.as_object().into_iter().flatten() {
        let more = if name == "file" { "; filename=\"a.png\"\r\ncontent-type: image/png" } else { "" };
        body.extend_from_slice(
            format!("--part\r\ncontent-disposition: form-data; name=\"{name}\"{more}\r\n\r\n").as_bytes(),
        );
        match name.as_str() {
            "file" => body.extend((0..60).map(|_| random.below(256) as u8 | 0x80)),
            _ => body.extend_from_slice(plain(part).as_bytes()),
        }
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--part--\r\n");
    body
}

fn media_with_parameters(media: &str) -> String {
    match media {
        "application/json" | "text/csv" => format!("{media}; charset=utf-8"),
        "multipart/form-data" => format!("{media}; boundary=part"),
        other => other.to_owned(),
    }
}

/// A scalar as it stands in a path, a query, a header.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use super::*;
    use tributary_http_types::HttpExchange;

    #[test]
    fn traffic_is_the_same_each_time_and_other_for_another_seed() {
        let shop = Shop::read().unwrap();
        let lines = |seed| shop.traffic(seed).take(300).map(|made| made.line).collect::<Vec<_>>();

        assert_eq!(lines(1), lines(1));
        assert_ne!(lines(1), lines(2));
    }

    #[test]
    fn every_operation_answer_and_kind_comes_up_in_lines_of_the_format() {
        let shop = Shop::read().unwrap();
        let mut answers = BTreeSet::new();
        let mut kinds = HashMap::<Kind, usize>::new();

        for made in shop.traffic(1).take(12_000) {
            let exchange = HttpExchange::from_line(&made.line).unwrap();
            *kinds.entry(made.kind).or_default() += 1;
            if let (Kind::Whole, Some(operation)) = (made.kind, made.operation) {
                answers.insert((operation, exchange.response.unwrap().status_code));
            }
        }

        let documented = shop.operations.iter().map(|operation| operation.responses.len()).sum::<usize>();
        assert_eq!(answers.len(), documented);
        assert_eq!(kinds.len(), 6, "{kinds:?}");
    }
}
