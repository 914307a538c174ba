//! The human form: whole outputs against reviewed files, and the promise that no line can steer a terminal.

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;
use tributary_http_types::{HttpResponse, Method};

use super::*;

/// Compares with `testdata/<name>`; `UPDATE=1` writes the file, to be reviewed.
fn assert_as_reviewed(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    assert_eq!(actual, std::fs::read_to_string(&path).unwrap(), "{name}; review it after UPDATE=1");
}

fn lines(palette: &Palette) -> String {
    let exchanges = include_str!("../../../testdata/exchanges.jsonl");
    let lines = exchanges.lines().map(|line| HttpExchange::from_line(line.as_bytes()).unwrap());
    lines.map(|exchange| human_line(&exchange, Some(1_600_000_000_000), palette)).collect()
}

#[test]
fn plain_form_is_as_reviewed() {
    assert_as_reviewed("human-plain.txt", &format!("{HEADING}\n{}", lines(&Palette::plain())));
}

#[test]
fn coloured_form_is_as_reviewed() {
    assert_as_reviewed("human-coloured.txt", &lines(&Palette::coloured()).replace('\x1b', "ESC"));
}

#[test]
fn sizes_take_seven_characters_and_are_never_rounded_up() {
    let cases = [
        (0, "0B"),
        (9_999, "9999B"),
        (10_000, "9.7KiB"),
        (65_536, "64.0KiB"),
        (102_399, "99.9KiB"),
        (102_400, "100KiB"),
        (1_048_575, "1023KiB"),
        (1_048_576, "1.0MiB"),
        (52_428_800, "50.0MiB"),
        (u64::MAX, "15.9EiB"),
    ];

    for (bytes, shown) in cases {
        assert_eq!(bytes_shown(bytes), shown, "{bytes}");
    }
}

#[test]
fn durations_take_seven_characters() {
    let cases = [
        (0, "0ms"),
        (9_999, "9999ms"),
        (10_000, "10.0s"),
        (599_999, "599.9s"),
        (600_000, "10m00s"),
        (35_999_999, "599m59s"),
        (36_000_000, "10h00m"),
    ];

    for (millis, shown) in cases {
        let facts = Meta { duration_ms: Some(millis), ..Meta::default() };
        assert_eq!(duration(&exchange("", "", "", json!({})), &facts), shown, "{millis}");
    }
}

fn exchange(host: &str, path: &str, query: &str, meta: serde_json::Value) -> HttpExchange {
    let line = br#"{"request":{"method":"get"},"response":{"statusCode":200}}"#;
    let mut exchange = HttpExchange::from_line(line).unwrap();
    exchange.request.method = Method::Delete;
    exchange.request.host = Some(host.to_owned());
    exchange.request.path = (!path.is_empty()).then(|| path.to_owned());
    exchange.request.query = Some([(query, query)].into_iter().collect());
    exchange.response = Some(HttpResponse { status_code: 599, timestamp: None, headers: None, body: None });
    exchange.meta = meta.as_object().cloned();
    exchange
}

/// Text with a fair share of what terminals act on.
fn hostile_text() -> impl Strategy<Value = String> {
    let character =
        prop_oneof![any::<char>(), (0u32..0xa0).prop_map(|code| char::from_u32(code).unwrap_or(' ')), Just('\x1b')];
    proptest::collection::vec(character, 0..20).prop_map(String::from_iter)
}

#[test]
fn a_line_from_which_something_was_left_out_says_so() {
    let shown = |step: &str| {
        let meta = json!({"degraded": step, "requestBody": {"bytes": 48, "kept": 0, "truncated": true}});
        human_line(&exchange("h", "/", "", meta), None, &Palette::plain())
    };

    assert!(shown("heads").contains(" [memory short: heads only] [request cut]"), "{}", shown("heads"));
    assert!(shown("meta").contains(" [memory short: no headers] [request cut]"), "{}", shown("meta"));
}

proptest! {
    #[test]
    fn no_line_holds_a_control_character(
        host in hostile_text(), path in hostile_text(), query in hostile_text(),
        flags in hostile_text(), details in hostile_text(), duration in any::<u64>(), bytes in any::<u64>(),
    ) {
        let meta = json!({
            "responseFlags": flags, "codeDetails": details, "durationMs": duration,
            "requestBody": {"bytes": bytes, "kept": 0, "truncated": true},
        });

        let line = human_line(&exchange(&host, &path, &query, meta), None, &Palette::plain());

        let (text, line_break) = line.split_at(line.len() - 1);
        prop_assert_eq!(line_break, "\n");
        prop_assert!(!text.chars().any(char::is_control), "{:?}", text);
    }
}
