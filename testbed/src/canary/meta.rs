//! Secrets in `meta` of lines that somebody else posts: in Tributary's own facts, in what is not of their kind, and in keys
//! of others. No filter writes such lines, so they are no rows that are sent through Envoy.

use serde_json::{Value, json};

use super::{
    forms,
    secret::{Secret, USUAL},
};

/// A line with one secret in its `meta`.
#[derive(Clone, Debug)]
pub struct Posted {
    /// Place and form.
    pub name: String,
    /// The line, without its end.
    pub line: String,
    /// What was planted.
    pub secret: Secret,
}

/// A name, and what it makes of a text.
type Form<T> = (&'static str, fn(&str) -> T);

/// A name, and the `meta` in which a text stands there.
type Place = (&'static str, fn(Value) -> Value);

/// How a secret becomes a text that gives it away.
const TEXTS: &[Form<String>] = &[
    ("bearer", |secret| format!("Bearer {secret}")),
    ("a token of GitHub", |secret| format!("ghp_{secret}")),
    ("a token of RFC 7519", |secret| forms::jwt(secret, secret)),
    ("a pair", |secret| format!("details{{password={secret}}}")),
    ("userinfo", |secret| format!("https://kimmo:{secret}@shop.example/")),
    ("a parameter", |secret| format!("/reset?access_token={}", forms::percent(secret))),
    ("JSON", |secret| json!({"apiKey": secret}).to_string()),
    ("base64", |secret| forms::base64(format!("user=kimmo&password={secret}"))),
];

/// Where such a text stands in `meta`: facts of the filter, the same as another kind, and what is nobody's fact.
const PLACES: &[Place] = &[
    ("codeDetails", |text| json!({"codeDetails": text})),
    ("route", |text| json!({"route": text})),
    ("cluster", |text| json!({"cluster": text})),
    ("clientAddress", |text| json!({"clientAddress": text})),
    ("upstreamAddress", |text| json!({"upstreamAddress": text})),
    ("responseFlags", |text| json!({"responseFlags": text})),
    ("httpVersion", |text| json!({"httpVersion": text})),
    ("direction", |text| json!({"direction": text})),
    ("degraded", |text| json!({"degraded": text})),
    ("a number", |text| json!({"durationMs": text})),
    ("an identity that is none", |text| json!({"id": [text]})),
    ("counts", |text| json!({"redactions": {"query": text}})),
    ("facts of a body", |text| json!({"requestBody": {"bytes": 1, "kept": 1, "truncated": false, "why": text}})),
    (
        "base64 that is none",
        |text| json!({"responseBody": {"bytes": 1, "kept": 1, "truncated": false, "base64": text}}),
    ),
    ("a reason", |text| json!({"responseBody": {"bytes": 1, "kept": 0, "truncated": true, "withheld": text}})),
    ("a request trailer", |text| json!({"requestTrailers": {"x-note": text}})),
    ("a response trailer among others", |text| json!({"responseTrailers": {"x-note": ["n", text]}})),
    ("a trailer that is none", |text| json!({"responseTrailers": {"x-note": {"deep": [text]}}})),
    ("an unknown key", |text| json!({"note": text})),
    ("an unknown key, deep", |text| json!({"note": [{"deep": {"deeper": [1, text]}}]})),
    ("a note of the parser", |text| json!({"note": {"$serde_json::private::RawValue": text}})),
];

/// Places where the name gives the secret away.
const NAMED: &[Form<Value>] = &[
    ("a sensitive key", |secret| json!({"password": secret})),
    ("a sensitive key, deep", |secret| json!({"note": [{"x": {"clientSecret": secret}}]})),
    ("a sensitive key of a fact that is none", |secret| json!({"cluster": {"api_key": secret}})),
    ("a sensitive key of counts", |secret| json!({"redactions": {"session": secret}})),
    (
        "a sensitive key of a body",
        |secret| json!({"requestBody": {"bytes": 1, "kept": 1, "truncated": false, "token": secret}}),
    ),
    ("a sensitive trailer", |secret| json!({"requestTrailers": {"x-acme-auth-token": secret}})),
    (
        "a note of the parser with a sensitive key",
        |secret| json!({"note": {"$serde_json::private::RawValue": json!({"password": secret}).to_string()}}),
    ),
];

/// All lines: each place with each text, and the places with names.
pub fn posted() -> Vec<Posted> {
    let mut lines = Vec::new();
    let mut add = |name: String, meta: &dyn Fn(&str) -> Value| {
        let secret = Secret::word(format!("meta, {name}"));
        let line = json!({
            "request": {"method": "get", "host": "shop.example", "headers": {}, "path": "/", "pathname": "/", "query": {}},
            "response": {"statusCode": 200, "headers": {}, "body": ""},
            "meta": meta(secret.first(USUAL)),
        });
        lines.push(Posted { name, line: line.to_string(), secret });
    };
    for (place, meta) in PLACES {
        for (form, text) in TEXTS {
            add(format!("{form} in {place}"), &|secret| meta(Value::from(text(secret))));
        }
    }
    for (place, meta) in NAMED {
        add((*place).to_owned(), &|secret| meta(secret));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::search::Searcher;

    #[test]
    fn each_line_has_its_secret_and_the_searcher_sees_it() {
        let lines = posted();
        let searcher = Searcher::new(lines.iter().map(|line| &line.secret));

        assert!(lines.len() >= 150, "{} lines", lines.len());
        for Posted { name, line, secret } in &lines {
            let found = searcher.find(line.as_bytes());
            assert!(found.iter().any(|found| found.label == secret.label()), "{name}: {line}");
        }
    }
}
