use serde_json::json;
use tributary_http_types::{check_line, json_value};

use super::*;
use crate::Settings;

fn line_of(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// The line masked, what was counted, and that it is found by looking; a second look finds nothing.
fn masked(redactor: &Redactor, value: &Value) -> (Value, Vec<(&'static str, u64)>) {
    let line = line_of(value);
    let mut exchange = HttpExchange::from_line(&line).unwrap();
    let counts = redactor.mask_exchange(&mut exchange);
    let masked = exchange.to_line();
    let checked = check_line(&line).unwrap();
    assert!(counts.is_empty() || checked.has_base64_body || redactor.finds(&checked), "not found by looking");
    assert!(redactor.mask_exchange(&mut HttpExchange::from_line(&masked).unwrap()).is_empty(), "twice is not once");
    let counts = counts.iter().map(|(place, count)| (place.name(), count)).collect();
    (json_value(&masked).unwrap(), counts)
}

#[test]
fn a_line_of_somebody_else_is_masked_in_every_place() {
    let given = json!({
        "request": {
            "method": "post", "protocol": "https", "host": "u:hunter2@h",
            "headers": {"Authorization": "Bearer hunter2", "cookie": ["a=hunter2"], "accept": "*/*"},
            "body": "{\"password\":\"hunter2\"}", "path": "/a?token=hunter2", "pathname": "/a", "query": {"token": "hunter2", "p": "1"},
            "url": "https://u:hunter2@h/a?token=hunter2"
        },
        "response": {"statusCode": 200, "headers": {"set-cookie": "a=hunter2; Path=/"}, "body": "token=hunter2"},
        "meta": {
            "id": "x-1", "responseTrailers": {"x-api-key": ["hunter2"], "n": "1"}, "note": {"secret": "hunter2", "n": 1.50},
            "redactions": {"query": 1}
        }
    });

    let (line, counts) = masked(&Redactor::default(), &given);

    assert!(!line.to_string().contains("hunter2"), "{line}");
    assert_eq!(
        line["request"]["headers"],
        json!({"Authorization": "Bearer [redacted]", "cookie": "a=[redacted]", "accept": "*/*"})
    );
    assert_eq!(line["request"]["host"], "%5Bredacted%5D@h");
    assert_eq!(line["request"]["url"], "https://%5Bredacted%5D@h/a?token=[redacted]");
    assert_eq!(line["request"]["query"], json!({"token": "[redacted]", "p": "1"}));
    assert_eq!(line["meta"]["responseTrailers"], json!({"x-api-key": ["[redacted]"], "n": "1"}));
    assert_eq!(line["meta"]["note"], json!({"secret": "[redacted]", "n": 1.50}));
    let expected = [
        ("path", 2),
        ("query", 1),
        ("requestHeaders", 2),
        ("requestBody", 1),
        ("responseHeaders", 1),
        ("responseBody", 1),
        ("responseTrailers", 1),
        ("meta", 1),
    ];
    assert_eq!(counts, expected);
    assert_eq!(line["meta"]["redactions"]["query"], 2);
}

#[test]
fn a_line_without_secrets_is_not_found_and_not_changed() {
    let given = json!({
        "request": {"method": "get", "host": "h", "headers": {"accept": "*/*"}, "path": "/a?p=1", "query": {"p": "1"}, "body": ""},
        "response": {"statusCode": 200, "headers": {}, "body": "[1,2]"},
        "meta": {"id": "x-1", "source": "x", "seq": 1, "durationMs": 3, "redactions": {"query": 1}, "codeDetails": "via_upstream"}
    });
    let line = line_of(&given);

    assert!(!Redactor::default().finds(&check_line(&line).unwrap()));
    assert_eq!(masked(&Redactor::default(), &given), (given, vec![]));
}

#[test]
fn a_secret_is_found_in_the_path_and_in_a_pathname_that_is_another_one() {
    const SECRET: &str = "ghp_abcdefghijklmnopqrstuvwxyz";
    let in_path = format!("/a/{SECRET}");
    let cases = [
        (Some(&in_path[..]), Some(&in_path[..])),
        (Some(&format!("{in_path}?p=1")), Some(&in_path)),
        (Some("/a"), Some(&in_path)),
        (None, Some(&in_path)),
        (Some(&in_path), None),
        (Some("/a?b#c"), Some("/a?token=hunter2")),
        (Some("/a?token=hunter2"), Some("/a")),
        (Some("/a#token=hunter2"), Some("/a")),
        (Some("/a?p=1"), Some("/a?p=1&token=hunter2")),
    ];

    for (path, pathname) in cases {
        let mut given = json!({"request": {"method": "get"}});
        path.iter().for_each(|path| given["request"]["path"] = json!(path));
        pathname.iter().for_each(|pathname| given["request"]["pathname"] = json!(pathname));

        let (line, counts) = masked(&Redactor::default(), &given);

        assert_eq!(counts.len(), 1, "{given}");
        assert!(!line.to_string().contains(SECRET) && !line.to_string().contains("hunter2"), "{line}");
    }
}

#[test]
fn a_fact_is_judged_by_its_text_whatever_a_header_of_that_text_was() {
    let with = |name: &str, value: &str| json!({"request": {"method": "get", "headers": {name: value}}, "meta": {"cluster": value, "route": value}});
    let redactor = Redactor::default();

    for _ in 0..2 {
        assert_eq!(masked(&redactor, &with("meta", "plain")).1, []);
        assert_eq!(masked(&redactor, &with("x-api-key", "plain")).1, [("requestHeaders", 1)]);
        assert_eq!(masked(&redactor, &with("meta", "token=hunter2")).1, [("requestHeaders", 1), ("meta", 2)]);
    }
}

#[test]
fn the_least_line_gets_its_counts() {
    let (line, _) = masked(&Redactor::default(), &json!({"request": {"method": "get", "path": "/?token=hunter2"}}));

    assert_eq!(line["meta"], json!({"redactions": {"query": 1}}));
}

#[test]
fn text_under_a_coding_is_masked_all_the_same() {
    let given = json!({
        "request": {"method": "post", "headers": {"content-encoding": "gzip", "content-type": "application/json"}, "body": "{\"pin\":12}"},
        "meta": {"requestBody": {"bytes": 30, "kept": 30, "truncated": false, "decoded": true}}
    });

    assert_eq!(masked(&Redactor::default(), &given).0["request"]["body"], "{\"pin\":\"[redacted]\"}");
}

#[test]
fn bytes_in_base64_are_masked_inside() {
    let key = b"\xffghp_abcdefghijklmnopqrstuvwxyz";
    let given = json!({
        "request": {"method": "post", "headers": {}, "body": ""},
        "meta": {"requestBody": {"bytes": 31, "kept": 31, "truncated": false, "base64": STANDARD.encode(key)}}
    });

    let (line, counts) = masked(&Redactor::default(), &given);

    let expected = STANDARD.encode([&b"\xff"[..], &[b'*'; 30]].concat());
    assert_eq!((&line["meta"]["requestBody"]["base64"], counts), (&json!(expected), vec![("requestBody", 1)]));
}

#[test]
fn packed_bodies_are_withheld_and_plain_ones_are_not() {
    let body = json!({"bytes": 4, "kept": 4, "truncated": false, "base64": "AAAA"});
    let given = json!({
        "request": {"method": "post", "headers": {"content-encoding": "gzip"}, "body": ""},
        "response": {"statusCode": 200, "headers": {"content-encoding": "identity"}, "body": ""},
        "meta": {"requestBody": body, "responseBody": body}
    });
    let mut exchange = HttpExchange::from_line(&line_of(&given)).unwrap();

    assert_eq!(withhold_packed(&mut exchange), 1);
    assert_eq!(withhold_packed(&mut exchange), 0);

    let line: Value = serde_json::from_slice(&exchange.to_line()).unwrap();
    let left_out = json!({"bytes": 4, "kept": 0, "truncated": true, "withheld": "compressed"});
    assert_eq!((&line["meta"]["requestBody"], &line["meta"]["responseBody"]), (&left_out, &body));
    assert_eq!(line["meta"]["redactions"], json!({"requestBody": 1}));
}

#[test]
fn what_was_cut_is_masked_up_to_the_cut() {
    let given = json!({
        "request": {"method": "post", "headers": {"content-type": "application/json"}, "body": "{\"a\":\"eyJhbGciOi"},
        "meta": {"requestBody": {"bytes": 90, "kept": 16, "truncated": true}}
    });
    let mut exchange = HttpExchange::from_line(&line_of(&given)).unwrap();

    Redactor::default().mask_exchange(&mut exchange);

    assert_eq!(exchange.request.body.as_deref(), Some("{\"a\":\"[redacted]"));
}

#[test]
fn unparseable_bodies_are_left_out_when_told_so() {
    let settings: Settings = serde_json::from_str(r#"{"unparseable":"drop"}"#).unwrap();
    let given = json!({
        "request": {"method": "post", "headers": {"content-type": "application/json"}, "body": "nonsense"},
        "meta": {"requestBody": {"bytes": 8, "kept": 8, "truncated": false}}
    });

    let (line, _) = masked(&Redactor::new(settings, None).unwrap(), &given);

    assert_eq!(line["request"]["body"], "");
    assert_eq!(
        line["meta"]["requestBody"],
        json!({"bytes": 8, "kept": 0, "truncated": true, "withheld": "unparseable"})
    );
}

#[test]
fn a_secret_that_the_limit_has_cut_is_found_by_looking() {
    let given = json!({
        "request": {"method": "post", "headers": {"content-type": "text/plain"}, "body": "it is ghp_abcdefghijkl"},
        "meta": {"requestBody": {"bytes": 9_000, "kept": 22, "truncated": true}}
    });

    let (line, counts) = masked(&Redactor::default(), &given);

    assert_eq!(line["request"]["body"], "it is [redacted]");
    assert_eq!(counts, [("requestBody", 1)]);
}

/// Every place of `meta` that somebody else can fill, own facts of a false type among them.
#[test]
fn what_others_post_in_meta_is_masked_in_every_place() {
    const TOKEN: &str = "Bearer s3cret-token-1234567890";
    let body = json!({"bytes": 4, "kept": 4, "truncated": false});
    let with = |base: &Value, key: &str, value: Value| {
        let mut object = base.clone();
        object[key] = value;
        object
    };
    let cases = [
        json!({"codeDetails": format!("ext_authz_denied{{{TOKEN}}}")}),
        json!({"route": "r?token=s3cret-token"}),
        json!({"cluster": TOKEN}),
        json!({"clientAddress": "10.0.0.1:80, https://kimmo:s3cret-token@h"}),
        json!({"upstreamAddress": "password=s3cret-token"}),
        json!({"responseFlags": TOKEN}),
        json!({"httpVersion": TOKEN}),
        json!({"direction": TOKEN}),
        json!({"degraded": TOKEN}),
        json!({"seq": TOKEN, "durationMs": TOKEN, "sampleRate": TOKEN}),
        json!({"id": {"password": "s3cret-token"}, "source": [TOKEN]}),
        json!({"cluster": {"password": "s3cret-token"}}),
        json!({"codeDetails": ["x", {"secret": "s3cret-token"}]}),
        json!({"redactions": {"query": TOKEN}}),
        json!({"redactions": TOKEN}),
        json!({"requestTrailers": {"x": {"token": "s3cret-token"}, "y": [[TOKEN]]}}),
        json!({"requestTrailers": [TOKEN], "responseTrailers": TOKEN}),
        json!({"requestBody": TOKEN}),
        json!({"requestBody": with(&body, "password", json!("s3cret-token"))}),
        json!({"requestBody": with(&body, "withheld", json!(TOKEN))}),
        json!({"responseBody": with(&body, "base64", json!(TOKEN))}),
        json!({"responseBody": with(&body, "base64", json!([TOKEN]))}),
        json!({"note": {"deep": [{"apiKey": "s3cret-token"}]}}),
        json!({"note": {"$serde_json::private::RawValue": "{\"password\":\"s3cret-token\"}"}}),
        json!({"$serde_json::private::RawValue": "{\"password\":\"s3cret-token\"}"}),
    ];

    for meta in cases {
        let (line, counts) = masked(&Redactor::default(), &json!({"request": {"method": "get"}, "meta": meta}));

        assert!(!line.to_string().contains("s3cret-token"), "{line}");
        assert!(!counts.is_empty(), "{line}");
    }
}

#[test]
fn bytes_in_base64_are_masked_beside_a_text_and_without_a_message() {
    let facts = json!({"bytes": 9, "kept": 9, "truncated": false, "base64": STANDARD.encode("password=hunter2")});
    let given = json!({
        "request": {"method": "post", "headers": {}, "body": "harmless"},
        "meta": {"requestBody": facts, "responseBody": facts}
    });

    let (line, counts) = masked(&Redactor::default(), &given);

    for side in ["requestBody", "responseBody"] {
        assert_eq!(line["meta"][side]["base64"], STANDARD.encode("password=[redacted]"));
    }
    assert_eq!(counts, [("requestBody", 1), ("responseBody", 1)]);
}

#[test]
fn what_envoy_says_of_an_exchange_is_not_found() {
    let facts = [
        ("codeDetails", "upstream_reset_after_response_started{protocol_error}"),
        ("codeDetails", "jwt_authn_access_denied{Jwt_is_missing}"),
        ("codeDetails", "rbac_access_denied_matched_policy[ns[default]-policy[deny-all]-rule[0]]"),
        ("codeDetails", "ext_authz_denied"),
        ("cluster", "outbound|8080|v2|users.default.svc.cluster.local"),
        ("route", "httproute/default/token-service/rule/0/match/0/*"),
        ("clientAddress", "[2001:db8:4111:1111:1111:1111::1]:50000"),
        ("upstreamAddress", "/var/run/app.sock"),
        ("responseFlags", "UC,URX"),
        ("httpVersion", "HTTP/2"),
        ("direction", "outbound"),
        ("degraded", "heads"),
    ];

    for (key, fact) in facts {
        let line = line_of(&json!({"request": {"method": "get"}, "meta": {"id": "a-1", key: fact}}));

        assert!(!Redactor::default().finds(&check_line(&line).unwrap()), "{key}: {fact}");
    }
}
