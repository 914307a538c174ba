//! What is kept of an exchange that the topic cannot take.
//!
//! A record is too large nearly always because of its bodies. So its letter is the exchange without them: still a
//! line of the same format, that every consumer of the topic can read, with its sizes in `meta`. If even that is
//! too large, the letter is empty and its headers alone tell of it.

use bytes::Bytes;
use serde_json::Value;
use tributary_http_types::HttpExchange;
use tributary_topic::{Record, RecordError};

/// The letters to try, in order, the fullest first. Headers beside those of the record: `reason` (`too_large`,
/// `rejected`), `error` (Kafka's words), `bytes` (of the line), `left-out` (`bodies`, `line`).
pub(super) fn letters(record: &Record, error: &RecordError) -> Vec<Record> {
    let line = &record.value;
    let reason = match error {
        RecordError::TooLarge { .. } => "too_large",
        _ => "rejected",
    };
    let letter = |value: Bytes, left_out: &'static str| {
        let mut headers = record.headers.clone();
        headers.push(("reason", Bytes::from_static(reason.as_bytes())));
        headers.push(("error", error.to_string().into()));
        headers.push(("bytes", line.len().to_string().into()));
        headers.push(("left-out", Bytes::from_static(left_out.as_bytes())));
        Record { key: record.key.clone(), value, headers }
    };
    let without_bodies = without_bodies(line).map(|line| letter(line, "bodies"));
    without_bodies.into_iter().chain([letter(Bytes::new(), "line")]).collect()
}

fn without_bodies(line: &[u8]) -> Option<Bytes> {
    let mut exchange = HttpExchange::from_line(line).ok()?;
    exchange.request.body = exchange.request.body.map(|_| String::new());
    if let Some(response) = &mut exchange.response {
        response.body = response.body.take().map(|_| String::new());
    }
    for key in ["requestBody", "responseBody"] {
        let facts = exchange.meta.as_mut().and_then(|meta| meta.get_mut(key)).and_then(Value::as_object_mut);
        if let Some(facts) = facts {
            facts.remove("base64");
            facts.insert("kept".to_owned(), 0.into());
            facts.insert("truncated".to_owned(), true.into());
        }
    }
    let mut line = exchange.to_line();
    line.pop();
    Some(line.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letter_is_the_exchange_without_its_bodies() {
        let line = Bytes::from_static(
            br#"{"request":{"method":"post","body":"long"},"response":{"statusCode":200,"body":"longer"},"meta":{"id":"a-1","requestBody":{"bytes":4,"kept":4,"truncated":false,"base64":"AAAA"}}}"#,
        );
        let record = Record { key: Some("a-1".into()), value: line.clone(), headers: vec![("seq", "1".into())] };

        let letters = letters(&record, &RecordError::TooLarge { bytes: 180 });

        let values: Vec<&str> = letters.iter().map(|letter| std::str::from_utf8(&letter.value).unwrap()).collect();
        assert_eq!(
            values,
            [
                r#"{"request":{"method":"post","body":""},"response":{"statusCode":200,"body":""},"meta":{"id":"a-1","requestBody":{"bytes":4,"kept":0,"truncated":true}}}"#,
                "",
            ]
        );
        let expected: Vec<(&str, Bytes)> = vec![
            ("seq", "1".into()),
            ("reason", "too_large".into()),
            ("error", "record of 180 bytes is too large for the topic".into()),
            ("bytes", line.len().to_string().into()),
            ("left-out", "bodies".into()),
        ];
        assert_eq!(letters[0].headers, expected);
        assert_eq!(letters[0].key, record.key);
    }
}
