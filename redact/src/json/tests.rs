use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{Settings, masker::Style, redactor::Redactor};

fn masked(json: &str, end: End) -> String {
    let rules = Redactor::default();
    let once = Masker::new(&rules, json.as_bytes(), Style::Words).json_or_text(end);
    let Some(once) = once else { return json.to_owned() };
    assert_eq!(Masker::new(&rules, &once.bytes, Style::Words).json_or_text(end), None, "twice is not once");
    String::from_utf8(once.bytes).unwrap()
}

#[test]
fn values_of_sensitive_keys_are_masked_at_any_depth() {
    let cases = [
        (r#"{"password":"x"}"#, r#"{"password":"[redacted]"}"#),
        (r#"{"a":[{"b":{"apiKey" : "x\"y"}}],"c":1.0}"#, r#"{"a":[{"b":{"apiKey" : "[redacted]"}}],"c":1.0}"#),
        (r#"{"\u0070assword":"x"}"#, r#"{"\u0070assword":"[redacted]"}"#),
        (r#"{"token":"a","token":"b"}"#, r#"{"token":"[redacted]","token":"[redacted]"}"#),
        (r#"{"pin":1234,"otp":-1.5e3}"#, r#"{"pin":"[redacted]","otp":"[redacted]"}"#),
        (r#"{"password":null,"token":true,"secret":""}"#, r#"{"password":null,"token":true,"secret":""}"#),
        (r#"{"authorization":"Bearer abc"}"#, r#"{"authorization":"Bearer [redacted]"}"#),
        (
            r#"{"auth":{"user":"a","n":[1,"b",{"c":null}]},"after":"d"}"#,
            r#"{"auth":{"user":"[redacted]","n":["[redacted]","[redacted]",{"c":null}]},"after":"d"}"#,
        ),
        (r#"{"passwords":["a","b"],"x":["c"]}"#, r#"{"passwords":["[redacted]","[redacted]"],"x":["c"]}"#),
        (
            r#"{"signature":"a","x":{"sid":["b"],"y":"c"}}"#,
            r#"{"signature":"[redacted]","x":{"sid":["[redacted]"],"y":"c"}}"#,
        ),
        (
            r#"{"identity":{"name":"a","token":"b"},"principal":100}"#,
            r#"{"identity":{"name":"a","token":"[redacted]"},"principal":100}"#,
        ),
        (r#""just a text""#, r#""just a text""#),
        ("{\"token\":\"a\"}\n{\"token\":\"b\"}\n", "{\"token\":\"[redacted]\"}\n{\"token\":\"[redacted]\"}\n"),
    ];

    for (given, expected) in cases {
        assert_eq!(masked(given, End::Whole), expected);
    }
}

#[test]
fn what_is_harmless_keeps_its_bytes() {
    let texts = [
        r#"{ "key" : "color",  "n": 1.00, "id":12345678901234567890, "e":"\u00e9\/" , "a":[ ] }"#,
        r#"{"max_tokens":512,"usage":{"prompt_tokens":3,"total_tokens":8},"token_type":"bearer"}"#,
        r#"{"author":"Kimmo","authority_id":7,"monkey":"x","order":"4111111111111112","n":4111111111111112}"#,
        r#"{"id":"550e8400-e29b-41d4-a716-446655440000","at":"2020-02-28T10:39:28.833Z","hash":"9f86d081884c7d659a2feaa0c55ad015"}"#,
        r#"{"text":"a bearer of good news, basic authentication explained: see https://example.com/docs?page=2#top"}"#,
        "",
        "[]",
    ];

    for text in texts {
        assert_eq!(masked(text, End::Whole), text);
    }
}

#[test]
fn values_are_judged_by_what_they_say() {
    let cases = [
        (r#"{"note":"call with Bearer abc.def-1"}"#, r#"{"note":"call with Bearer [redacted]"}"#),
        (r#"{"a":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"}"#, r#"{"a":"[redacted]"}"#),
        (r#"{"card":"4111 1111 1111 1111","n":4111111111111111}"#, r#"{"card":"[redacted]","n":"[redacted]"}"#),
        (r#"{"next":"/cb?token=x&a=1"}"#, r#"{"next":"/cb?token=[redacted]&a=1"}"#),
        (r#"{"db":"postgres://u:p@h/d"}"#, r#"{"db":"postgres://%5Bredacted%5D@h/d"}"#),
        (r#"{"pem":"-----BEGIN KEY-----\nabc\n-----END KEY-----\n"}"#, r#"{"pem":"[redacted]\n"}"#),
        (r#"{"inner":"{\"token\":\"x\",\"a\":[1]}"}"#, r#"{"inner":"{\"token\":\"[redacted]\",\"a\":[1]}"}"#),
        (r#"{"inner":{"a":"[{\"pin\":12}]"}}"#, r#"{"inner":{"a":"[{\"pin\":\"[redacted]\"}]"}}"#),
        (
            r#"{"query":"mutation { login(user: \"a\", password: \"x\") { token } }","variables":{"password":"x"}}"#,
            r#"{"query":"mutation { login(user: \"a\", password: \"[redacted]\") { token } }","variables":{"password":"[redacted]"}}"#,
        ),
        (r#"{"ghp_abcdefghijklmnopqrstuvwxyz":1}"#, r#"{"[redacted]":1}"#),
        (r#"{"x":"ghp\u005fabcdefghijklmnopqrstuvwxyz"}"#, r#"{"x":"[redacted]"}"#),
    ];

    for (given, expected) in cases {
        assert_eq!(masked(given, End::Whole), expected);
    }
}

#[test]
fn what_was_cut_is_masked_up_to_the_cut() {
    let cases = [
        (r#"{"password":"s3c"#, r#"{"password":"[redacted]"#),
        (r#"{"password":"s3c\"#, r#"{"password":"[redacted]"#),
        (r#"{"password":"s3c\u00"#, r#"{"password":"[redacted]"#),
        (r#"{"pin":12"#, r#"{"pin":"[redacted]""#),
        (r#"{"passwo"#, r#"{"passwo"#),
        (r#"{"password"#, r#"{"password"#),
        (r#"{"password":"#, r#"{"password":"#),
        (r#"{"a":"eyJhbGciOi"#, r#"{"a":"[redacted]"#),
        (r#"{"a":"Bearer a"#, r#"{"a":"Bearer [redacted]"#),
        (r#"{"a":"41111111"#, r#"{"a":"[redacted]"#),
        (r#"{"a":"https://user:pw"#, r#"{"a":"https://%5Bredacted%5D"#),
        (r#"{"a":"ghp_ab"#, r#"{"a":"[redacted]"#),
        (r#"{"a":"hello wor"#, r#"{"a":"hello wor"#),
        (r#"{"a":tru"#, r#"{"a":tru"#),
    ];

    for (given, expected) in cases {
        assert_eq!(masked(given, End::Cut), expected);
    }
}

#[test]
fn what_is_no_json_is_masked_by_name_and_by_value() {
    let cases = [
        (r#"{"password":hunter2,"a":1}"#, r#"{"password":"[redacted]","a":1}"#),
        ("password=hunter2&a=1", "password=[redacted]&a=1"),
        ("{'password': 'hunter2'}", "{'password': '[redacted]'}"),
        ("Bearer abc.def-123", "Bearer [redacted]"),
        (r#"{"a":1}} garbage {"token":"x"}"#, r#"{"a":1}} garbage {"token":"[redacted]"}"#),
        ("\u{feff}{\"token\":\"x\"}", "\u{feff}{\"token\":\"[redacted]\"}"),
        ("{token:\"x\"}", "{token:\"[redacted]\"}"),
        ("{\"token\": // why\n /* so */ \"x\"}", "{\"token\": // why\n /* so */ \"[redacted]\"}"),
    ];

    for (given, expected) in cases {
        assert_eq!(masked(given, End::Whole), expected);
    }
}

#[test]
fn depth_costs_nothing() {
    let deep = 100_000;
    let json = format!("{}{{\"token\":\"s3cret\"}}{}", "[".repeat(deep), "]".repeat(deep));

    assert_eq!(masked(&json, End::Whole), json.replace("s3cret", "[redacted]"));
}

const SECRET: &str = "hunter2hunter2";

/// A JSON value in which secrets are planted: under sensitive keys, at any depth.
fn planted() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("password"),
        Just("accessToken"),
        Just("client-secret"),
        Just("name"),
        Just("id"),
        Just("tags"),
        Just("a b"),
    ];
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        "[ -~\u{e9}\u{1f600}\n]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..5).prop_map(|pairs| {
                Value::Object(pairs.into_iter().map(|(name, value)| (name.to_owned(), plant(name, value))).collect())
            }),
        ]
    })
}

fn plant(name: &str, value: Value) -> Value {
    match value {
        Value::String(_) if name.len() > 5 => Value::from(SECRET),
        other => other,
    }
}

/// The same shape: objects with the same keys, arrays with the same lengths, and scalars that stayed or became masks.
fn has_shape_of(masked: &Value, given: &Value) -> bool {
    match (masked, given) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|of| has_shape_of(value, of)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| has_shape_of(one, other))
        }
        (Value::String(text), Value::String(_) | Value::Number(_)) if text.contains("redacted") => true,
        (one, other) => one == other,
    }
}

#[test]
fn a_credential_with_escapes_is_masked_at_once() {
    // The escape was undone with the secret behind it, and only then the word looked like a credential.
    let cases = [
        ("Bearer %41passwordpasswordpassword:a", "Bearer [redacted]:a"),
        ("Bearer x1%41password:a", "Bearer [redacted]:a"),
        ("Bearer 0password=password", "Bearer 0password=[redacted]"),
        ("Bearer abcdef1=", "Bearer [redacted]"),
        ("Bearer %41bc", "Bearer %41bc"),
        ("Bearer %20abcdefgh1", "Bearer %20abcdefgh1"),
    ];

    for (given, expected) in cases {
        assert_eq!(masked(given, End::Whole), expected);
        assert_eq!(masked(expected, End::Whole), expected);
    }
}

#[test]
fn strings_that_a_glance_passes_over_are_those_in_which_nothing_is_found() {
    let cases = [
        (r#"["Basic Og"]"#, r#"["Basic [redacted]"]"#),
        (r#"["Basic O"]"#, r#"["Basic O"]"#),
        (r#"["pw=a"]"#, r#"["pw=a"]"#),
        (r#"["pin=ab"]"#, r#"["pin=[redacted]"]"#),
        (r#"["4111111111111111","2221000000000009"]"#, r#"["[redacted]","[redacted]"]"#),
        (r#"["2026-02-28T10:39:28.833Z","12:30","a: b"]"#, r#"["2026-02-28T10:39:28.833Z","12:30","a: b"]"#),
        (r#"["password-T10:a"]"#, r#"["password-T10:[redacted]"]"#),
        (r#"["550e8400-e29b-41d4-a716-446655440000"]"#, r#"["550e8400-e29b-41d4-a716-446655440000"]"#),
        (r#"["Z2hwX2FiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6"]"#, r#"["[redacted]"]"#),
        (r#"[" {\"a\":1}","{'token':'x'}"]"#, r#"[" {\"a\":1}","{'token':'[redacted]'}"]"#),
        (r#"{"xoxabcdefghijkl":1,"ghp_abcdefghijklmnop":2}"#, r#"{"[redacted]":1,"[redacted]":2}"#),
    ];

    for (given, expected) in cases {
        assert_eq!(masked(given, End::Whole), expected);
    }
}

proptest! {
    #[test]
    fn json_stays_json_of_the_same_shape_without_its_secrets(value in planted(), pretty in any::<bool>()) {
        let json = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();

        let masked = masked(&json, End::Whole);

        prop_assert!(!masked.contains(SECRET), "{masked}");
        prop_assert!(has_shape_of(&serde_json::from_str(&masked).unwrap(), &value), "{masked}");
    }

    #[test]
    fn a_secret_does_not_survive_any_cut(value in planted(), cut in any::<prop::sample::Index>()) {
        let json = serde_json::to_string(&value).unwrap();
        let cut = (0..=cut.index(json.len() + 1)).rev().find(|cut| json.is_char_boundary(*cut)).unwrap_or(0);

        let masked = masked(&json[..cut], End::Cut);

        prop_assert!(!masked.contains("hunter2h"), "{masked}");
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in any::<bool>()) {
        let rules = Redactor::default();
        let end = if cut { End::Cut } else { End::Whole };

        let _ = Masker::new(&rules, &bytes, Style::Words).json_or_text(end);
    }

    #[test]
    fn a_glance_hides_nothing_from_the_scan(text in r#"[a-f0-9:="'{}\[\],&?%@/ .eyJ<>;_-]{0,60}|(password|token|Bearer |Basic |eyJ|https://u:p@h|ghp_|AKIA|4111 1111|[0-9]{1,9}|[A-Za-z0-9+/]{20,30}|Z2hwX2FiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6|:|=|[a-z0-9]{1,9}|%41|-----BEGIN X|,| |\{|\}|é){0,9}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[0-9.:+Z-]{0,11}"#) {
        // A pattern that fits nothing here makes the scan look wherever one of a configuration could begin.
        let settings = Settings { patterns: vec!["[\u{1}]{4}".to_owned()], ..Settings::default() };
        let each = Redactor::new(settings, None).unwrap();
        let json = serde_json::to_string(&[&text, "end"]).unwrap();

        for text in [text.as_bytes(), json.as_bytes()] {
            let masked = |rules| Masker::new(rules, text, Style::Words).json_or_text(End::Whole);
            prop_assert_eq!(masked(&each), masked(&Redactor::default()));
        }
    }

    #[test]
    fn an_object_is_masked_alike_alone_and_behind_others(
        rows in prop::collection::vec(prop::collection::vec((0usize..30, 0usize..8), 0..30), 0..6)
    ) {
        // More keys than are kept in mind, some of them secret, in any order, with spaces or none before the colon.
        let member = |(key, value): &(usize, usize)| {
            let key = ["id", "token", "na me", "ghp_abcdefghijklmnop"].get(*key).map_or(format!("k{key}"), |key| (*key).to_owned());
            let value = [r#""id""#, "7", r#"{"id": "x", "pin": [1]}"#, r#""a=b""#, r#"["a","b"]"#, r#"",""#, "null", r#"[1,"7"]"#][*value];
            format!(r#""{key}"{}:{value}"#, if key.len() > 2 { " " } else { "" })
        };
        let object = |row: &Vec<_>| format!("{{{}}}", row.iter().map(member).collect::<Vec<_>>().join(","));
        let objects: Vec<String> = rows.iter().map(object).collect();

        let alone: Vec<String> = objects.iter().map(|object| masked(object, End::Whole)).collect();

        prop_assert_eq!(masked(&format!("[{}]", objects.join(",")), End::Whole), format!("[{}]", alone.join(",")));
    }

    #[test]
    fn twice_is_once_for_any_text(text in r#"[a-f0-9:="'{}\[\]\\,&?%@/ \n.eyJ<>;_-]{0,80}|(password|token|Bearer |eyJ|https://|"|:|=|[a-z0-9]{1,9}|%41|\\|,| |\{|\}){0,14}"#) {
        let rules = Redactor::default();
        let Some(once) = Masker::new(&rules, text.as_bytes(), Style::Words).json_or_text(End::Whole) else { return Ok(()) };

        let twice = Masker::new(&rules, &once.bytes, Style::Words).json_or_text(End::Whole);

        prop_assert_eq!(twice.map(|twice| String::from_utf8_lossy(&twice.bytes).into_owned()), None, "{}", String::from_utf8_lossy(&once.bytes));
    }
}
