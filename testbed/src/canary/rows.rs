//! The rows: each plants one secret or a few in one exchange.

mod bodies;
mod cookies;
mod cut;
mod exchange;
mod headers;
mod json;
mod packed;
mod urls;
mod values;

use bytes::Bytes;

use super::secret::{Secret, USUAL};
use crate::{
    message::{Call, Fields, Payload},
    origin::Answer,
};

/// The header with the number of the row, by which the app finds its answer and the test its line.
pub const ROW: &str = "x-canary-row";

/// One exchange with secrets in it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Place and form; no other row has it.
    pub name: String,
    /// What the client sends.
    pub call: Call,
    /// What the app answers.
    pub said: Said,
    /// What was planted in the two.
    pub secrets: Vec<Secret>,
}

/// An answer that can be looked into, which [`Answer`] cannot.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// The headers.
    pub headers: Fields,
    /// The body, whole or in pieces.
    pub body: Payload,
    /// The trailers.
    pub trailers: Fields,
}

impl Said {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Bytes>) -> Said {
        self.headers.push(name, value);
        self
    }

    /// Sets a body of known length.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Said {
        self.body = Payload::Whole(body.into());
        self
    }

    /// Sets a body that is sent in pieces.
    #[must_use]
    pub fn chunks(mut self, pieces: impl IntoIterator<Item = Bytes>) -> Said {
        self.body = Payload::Chunks(pieces.into_iter().collect());
        self
    }

    /// Adds a trailer.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: impl Into<Bytes>) -> Said {
        self.trailers.push(name, value);
        self
    }

    /// What the scripted app sends, with status 200.
    pub fn answer(&self) -> Answer {
        let head = self
            .headers
            .iter()
            .fold(Answer::new(200), |answer, (name, value)| answer.header(name, Bytes::copy_from_slice(value)));
        let answer = match &self.body {
            Payload::None => head,
            Payload::Whole(body) => head.body(body.clone()),
            Payload::Chunks(pieces) => head.chunks(pieces.iter().cloned()),
        };
        self.trailers.iter().fold(answer, |answer, (name, value)| answer.trailer(name, Bytes::copy_from_slice(value)))
    }
}

impl Row {
    /// The value of [`ROW`]: no other row has it.
    pub fn number(&self) -> &str {
        self.call.headers.text(ROW).unwrap_or_default()
    }

    /// Whether a body of it is compressed: it cannot be masked before it is unpacked.
    pub fn is_packed(&self) -> bool {
        [&self.call.headers, &self.said.headers].iter().any(|fields| fields.get("content-encoding").is_some())
    }

    /// All that is sent for it, in both directions: each body and each value a document of its own.
    pub fn documents(&self) -> Vec<Vec<u8>> {
        let body = |payload: &Payload| payload.pieces().concat();
        let fields = [&self.call.headers, &self.call.trailers, &self.said.headers, &self.said.trailers];
        let line = [&self.call.target, &self.call.authority].map(|text| text.clone().into_bytes());
        let mut documents = [&line[..], &[body(&self.call.body), body(&self.said.body)]].concat();
        documents.extend(fields.into_iter().flat_map(Fields::iter).map(|(_, value)| value.to_vec()));
        documents
    }
}

/// All rows.
pub fn rows() -> Vec<Row> {
    let mut rows = Rows::default();
    headers::plant(&mut rows);
    cookies::plant(&mut rows);
    urls::plant(&mut rows);
    json::plant(&mut rows);
    bodies::plant(&mut rows);
    values::plant(&mut rows);
    packed::plant(&mut rows);
    cut::plant(&mut rows);
    rows.0
}

/// Rows as they are gathered.
#[derive(Default)]
struct Rows(Vec<Row>);

impl Rows {
    /// Adds a row with what `make` plants.
    fn add(&mut self, name: impl Into<String>, make: impl FnOnce(&mut Plant) -> (Call, Said)) {
        let mut plant = Plant { name: name.into(), secrets: Vec::new() };
        let (call, said) = make(&mut plant);
        let call = call.header(ROW, self.0.len().to_string());
        self.0.push(Row { name: plant.name, call, said, secrets: plant.secrets });
    }

    /// The same body on the way there and on the way back: two rows.
    fn both_ways(&mut self, name: &str, content_type: &str, make: impl Fn(&mut Plant) -> Vec<u8>) {
        self.add(format!("request {name}"), |plant| (sent(content_type, make(plant)), Said::default()));
        self.add(format!("response {name}"), |plant| (Call::get("/canary"), said(content_type, make(plant))));
    }
}

/// Gives out the secrets of a row.
struct Plant {
    name: String,
    secrets: Vec<Secret>,
}

impl Plant {
    /// A new secret, of [`USUAL`] characters.
    fn word(&mut self) -> String {
        self.word_of(USUAL)
    }

    /// A new secret of so many characters.
    fn word_of(&mut self, characters: usize) -> String {
        let secret = Secret::word(self.label());
        let text = secret.first(characters).to_owned();
        self.secrets.push(secret);
        text
    }

    /// A new card number.
    fn card(&mut self) -> String {
        let secret = Secret::card(self.label());
        let text = secret.whole().to_owned();
        self.secrets.push(secret);
        text
    }

    fn label(&self) -> String {
        match self.secrets.len() {
            0 => self.name.clone(),
            others => format!("{}, secret {}", self.name, others + 1),
        }
    }
}

/// A call with a body of this type.
fn sent(content_type: &str, body: impl Into<Bytes>) -> Call {
    let call = Call::post("/canary").body(body);
    if content_type.is_empty() { call } else { call.header("content-type", content_type.to_owned()) }
}

/// An answer with a body of this type.
fn said(content_type: &str, body: impl Into<Bytes>) -> Said {
    let said = Said::default().body(body);
    if content_type.is_empty() { said } else { said.header("content-type", content_type.to_owned()) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::canary::search::Searcher;

    #[test]
    fn there_are_enough_rows_and_no_two_are_the_same() {
        let rows = rows();
        let names: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        let secrets: BTreeSet<&str> = rows.iter().flat_map(|row| &row.secrets).map(Secret::label).collect();

        assert_eq!(names.len(), rows.len());
        assert_eq!(secrets.len(), rows.iter().map(|row| row.secrets.len()).sum::<usize>());
        assert!(secrets.len() >= 300, "{} secrets", secrets.len());
    }

    /// What the crate masks by itself, without proxy and collector; compressed bodies are the collector's.
    #[test]
    fn no_secret_is_in_the_line_of_a_masked_row() {
        let rows = rows();
        let searcher = Searcher::new(rows.iter().flat_map(|row| &row.secrets));
        let settings = serde_json::from_value(crate::canary::redaction()).unwrap();
        let redactor = tributary_redact::Redactor::new(settings, None).unwrap();

        let mut leaks = Vec::new();
        for row in rows.iter().filter(|row| !row.is_packed()) {
            let mut line = Vec::new();
            row.with_exchange(|exchange| {
                redactor.with_masked(exchange, |masked, _| masked.write_line(&mut line)).unwrap();
            });
            leaks.extend(
                searcher.find(&line).into_iter().map(|found| format!("{}, {}: {}", row.name, found.form, found.around)),
            );
        }
        assert!(leaks.is_empty(), "{} leaks\n{}", leaks.len(), leaks.join("\n"));
    }

    #[test]
    fn each_row_sends_its_secrets_and_the_searcher_sees_them() {
        let rows = rows();
        let searcher = Searcher::new(rows.iter().flat_map(|row| &row.secrets));

        for row in &rows {
            let documents = row.documents();
            let seen: BTreeSet<String> =
                documents.iter().flat_map(|document| searcher.find(document)).map(|found| found.label).collect();
            let planted: BTreeSet<String> = row.secrets.iter().map(|secret| secret.label().to_owned()).collect();
            assert_eq!(seen, planted, "{}", row.name);
        }
    }
}
