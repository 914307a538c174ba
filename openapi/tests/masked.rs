//! Traffic whose secrets were masked: with a key, where tokens stand for them, and without one, where nothing does.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: what does not hold must fail")]

mod support;

use serde_json::{Value, json};
use support::{Call, call, document};
use tributary_http_types::HttpExchange;
use tributary_openapi::{Learner, Mode, Settings, describe};
use tributary_redact::{Key, Redactor};

const KEY: &[u8] = b"a key of these tests, 32 bytes ok";

/// What the collector stores of these exchanges.
fn masked(calls: &[Call], key: Option<&[u8]>) -> Vec<HttpExchange> {
    let settings = serde_json::from_value(json!({"paths": ["/reset/{secret}", "/invitations/*/accept/{secret}"]}));
    let redactor = Redactor::new(settings.unwrap(), key.map(|key| Key::new(key).unwrap())).unwrap();
    let mask = |call: &Call| {
        let mut exchange = call.exchange();
        redactor.mask_exchange(&mut exchange);
        exchange
    };
    calls.iter().map(mask).collect()
}

fn described(exchanges: &[HttpExchange], settings: &Settings) -> Value {
    let mut learner = Learner::new();
    for exchange in exchanges {
        learner.learn(exchange);
    }
    describe(&learner, support::HOST, settings, None).document
}

/// Secrets in every place that teaches: path, query, headers, cookies, JSON, forms, and inside longer texts.
fn traffic() -> Vec<Call> {
    (0..40).flat_map(|n| {
        let secret = format!("s3cret-of-{n}-and-more");
        let github = format!("ghp_{n:0>36}");
        let login = json!({
            "user": "kimmo", "password": secret, "pin": 1000 + n, "tokens": [secret, github], "note": format!("it is {github}"),
            "callback": format!("https://kimmo:{secret}@shop.example/cb?access_token={secret}"),
            "credentials": {"kind": "basic", "value": secret, "tries": n, "fresh": true},
            "card": format!("4111 1111 1111 {}", 1111),
        });
        [
            call("post", "/login").sends(login.clone()).answers(200, json!({"accessToken": secret, "expires_in": 3600})),
            call("get", &format!("/reset/{secret}")).answers(200, json!({"ok": true})),
            call("post", &format!("/invitations/{n}/accept/{secret}")).answers(201, json!({"id": n})),
            call("get", &format!("/things?api_key={secret}&page={n}&next=%2Fa%3Ftoken%3D{secret}")).answers(200, json!([{"id": n}])),
            call("get", "/mine")
                .header("authorization", &format!("Bearer {secret}"))
                .header("cookie", &format!("JSESSIONID={secret}; theme=dark"))
                .header("x-note", &format!("note {github}"))
                .answer_header("x-next", &format!("https://shop.example/a?token={secret}"))
                .answers(200, login),
            call("post", "/form")
                .sends_text("application/x-www-form-urlencoded", &format!("name=kimmo&password={secret}&note=it+is+{github}"))
                .answers(200, json!({})),
        ]
    })
    .collect()
}

#[test]
fn tokens_and_marks_teach_the_same_description() {
    let calls = traffic();
    let [marks, tokens] = [None, Some(KEY)].map(|key| masked(&calls, key));
    let lines = |exchanges: &[HttpExchange]| {
        exchanges.iter().map(|exchange| String::from_utf8(exchange.to_line()).unwrap()).collect::<String>()
    };
    assert!(lines(&marks).matches("redacted").count() > 400 && !lines(&marks).contains("tok_"));
    assert!(lines(&tokens).matches("tok_").count() > 400 && !lines(&tokens).contains("[redacted]"));

    for mode in [Mode::default(), Mode::Replay] {
        let settings = Settings { mode, ..Settings::default() };
        let [marks, tokens] = [&marks, &tokens].map(|exchanges| described(exchanges, &settings));

        assert_eq!(serde_json::to_string_pretty(&tokens).unwrap(), serde_json::to_string_pretty(&marks).unwrap());
        assert!(!tokens.to_string().contains("tok_"), "a token is shown");
    }
}

#[test]
fn a_masked_text_stays_a_text_and_a_masked_segment_a_parameter() {
    let calls = traffic();
    let clear = document(&calls);
    let masked = described(&masked(&calls, Some(KEY)), &Settings::default());

    let paths = |document: &Value| support::keys(&document["paths"]).into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(paths(&masked).len(), paths(&clear).len(), "{:?} {:?}", paths(&masked), paths(&clear));
    assert!(paths(&masked).iter().any(|path| path.starts_with("/reset/{")), "{:?}", paths(&masked));
    let text = masked.to_string();
    for name in ["password", "accessToken"] {
        assert!(text.contains(&format!("\"{name}\":{{\"type\":\"string\"")), "{name} in {text}");
    }
}
