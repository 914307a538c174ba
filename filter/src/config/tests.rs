use super::*;

fn load(json: &str) -> Result<Config, ConfigError> {
    Config::load(json.as_bytes(), b"PATH=/bin\0TOKEN=s3cret\0EMPTY=\0SPACED=a b\0KEY=0123456789abcdef\0")
}

/// A configuration with one field set, whole name and JSON value given.
fn with(field: &str, value: &str) -> String {
    match field.split_once('.') {
        Some((_, "cluster")) => format!(r#"{{"collector":{{"cluster":{value}}}}}"#),
        Some(("redact", name)) => format!(r#"{{"collector":{{"cluster":"c"}},"redact":{{"{name}":{value}}}}}"#),
        Some((_, name)) => format!(r#"{{"collector":{{"cluster":"c","{name}":{value}}}}}"#),
        None if field == "collector" => format!(r#"{{"collector":{value}}}"#),
        None => format!(r#"{{"collector":{{"cluster":"c"}},"{field}":{value}}}"#),
    }
}

fn message(json: &str) -> String {
    load(json).expect_err(json).to_string()
}

#[test]
fn everything_but_the_cluster_has_a_default() {
    let config = load(r#"{"collector":{"cluster":"outbound|8088||collector.ns.svc"}}"#).unwrap();

    assert_eq!(
        config,
        Config {
            collector: Collector {
                cluster: "outbound|8088||collector.ns.svc".to_owned(),
                authority: "collector".to_owned(),
                path: "/v1/exchanges".to_owned(),
                timeout: Duration::from_secs(10),
                token: None,
            },
            max_request_body_bytes: 65_536,
            max_response_body_bytes: 65_536,
            omitted_facts: Omitted::default(),
            max_memory_bytes: 16_777_216,
            batch: BatchLimits { flush_after: Duration::from_millis(200), max_bytes: 524_288, max_exchanges: 100 },
            retry: RetryLimits {
                min: Duration::from_millis(100),
                max: Duration::from_secs(10),
                give_up_after: Duration::from_secs(120),
            },
            heartbeat: Duration::from_secs(5),
            redactor: Redactor::default(),
        }
    );
}

#[test]
fn every_field_is_read() {
    let config = load(
        r#"{"collector":{"cluster":"c","authority":"a:1","path":"/p","timeout_ms":100,"token_env":"TOKEN"},
            "max_request_body_bytes":1,"max_response_body_bytes":2,"max_memory_bytes":70000,"omit_facts":["route"],"flush_after_ms":10,
            "max_batch_bytes":1024,"max_batch_exchanges":3,"retry_min_ms":11,"retry_max_ms":12,"give_up_after_ms":1000,
            "heartbeat_ms":2000,"redact":{"names":["n"],"allow":["a"],"only_headers":[],"patterns":["abcd"],"paths":["/{x}"],"bodies":false,
            "query":false,"unparseable":"drop","compressed":"drop","key_env":"KEY"}}"#,
    );
    let redact = r#"{"names":["n"],"allow":["a"],"only_headers":[],"patterns":["abcd"],"paths":["/{x}"],"bodies":false,"query":false,
                     "unparseable":"drop","compressed":"drop","key_env":"KEY"}"#;
    let key = Key::new(b"0123456789abcdef").unwrap();

    assert_eq!(
        config.unwrap(),
        Config {
            collector: Collector {
                cluster: "c".to_owned(),
                authority: "a:1".to_owned(),
                path: "/p".to_owned(),
                timeout: Duration::from_millis(100),
                token: Some("s3cret".to_owned()),
            },
            max_request_body_bytes: 1,
            max_response_body_bytes: 2,
            omitted_facts: [Fact::Route].into_iter().collect(),
            max_memory_bytes: 70_000,
            batch: BatchLimits { flush_after: Duration::from_millis(10), max_bytes: 1_024, max_exchanges: 3 },
            retry: RetryLimits {
                min: Duration::from_millis(11),
                max: Duration::from_millis(12),
                give_up_after: Duration::from_secs(1),
            },
            heartbeat: Duration::from_secs(2),
            redactor: Redactor::new(serde_json::from_str(redact).unwrap(), Some(key)).unwrap(),
        }
    );
}

#[test]
fn a_missing_cluster_is_named() {
    let allowed = "collector.cluster: missing; allowed: a text of 1 to 512 bytes without control characters";

    for json in ["", "{}", r#"{"collector":{}}"#] {
        assert_eq!(message(json), allowed, "{json}");
    }
}

#[test]
fn what_is_not_json_is_refused_with_the_place() {
    assert_eq!(message("{\n \"collector\""), "configuration: not JSON at line 2, column 12");
    assert_eq!(message("[]"), "configuration: is an array; allowed: an object");
    assert_eq!(message(r#"{"collector":7}"#), "collector: is a number; allowed: an object");
    assert!(message(&"[".repeat(100_000)).starts_with("configuration: not JSON"));
}

#[test]
fn unknown_fields_are_refused_without_their_value() {
    assert_eq!(
        message(&with("collector.tokn", r#""s3cret""#)),
        "collector.tokn: no such field; known: collector.cluster, collector.authority, collector.path, \
         collector.timeout_ms, collector.token_env"
    );
    let top = message(&with("max_body_bytes", "1"));
    assert!(top.starts_with("max_body_bytes: no such field; known: collector, max_request_body_bytes, "), "{top}");
    assert!(top.ends_with(", heartbeat_ms, redact"), "{top}");
    assert!(message(&with(&"x".repeat(1000), "1")).len() < 500);
}

#[test]
fn every_field_refuses_every_other_type() {
    for setting in SETTINGS {
        let right = match setting.allowed {
            Allowed::Number { .. } => "a number",
            Allowed::Text { .. } | Allowed::OptionalText { .. } => "a string",
            Allowed::Choice { .. } => "a string",
            Allowed::Flag { .. } => "a boolean",
            Allowed::List { .. } => "an array",
            Allowed::Object => "an object",
        };
        let values = [
            ("null", "null"),
            ("true", "a boolean"),
            ("5", "a number"),
            (r#""5""#, "a string"),
            ("[5]", "an array"),
            ("{}", "an object"),
        ];
        for (value, found) in values.into_iter().filter(|(_, found)| *found != right) {
            assert_eq!(
                message(&with(setting.name, value)),
                format!("{}: is {found}; allowed: {}", setting.name, setting.allowed)
            );
        }
    }
}

#[test]
fn every_number_is_taken_at_its_bounds_and_refused_beyond() {
    for setting in SETTINGS {
        let Allowed::Number { min, max, default } = setting.allowed else { continue };
        assert!((min..=max).contains(&default), "{}", setting.name);
        let refused = |value: &str| {
            let expected = format!("{}: {value} is not allowed; allowed: {}", setting.name, setting.allowed);
            assert_eq!(message(&with(setting.name, value)), expected);
        };
        for value in [min, max] {
            match load(&with(setting.name, &value.to_string())) {
                // A bound of one field may stand against the default of another; the next test is about that.
                Ok(_) | Err(ConfigError::Contradiction { .. }) => (),
                Err(error) => panic!("{error}"),
            }
        }
        refused(&(max + 1).to_string());
        refused("-1");
        refused("20000.5");
        if min > 0 {
            refused(&(min - 1).to_string());
        }
    }
}

#[test]
fn fields_that_contradict_each_other_are_refused() {
    assert_eq!(
        message(r#"{"collector":{"cluster":"c"},"retry_min_ms":101,"retry_max_ms":100}"#),
        "retry_min_ms: 101 is not allowed; allowed: at most retry_max_ms, which is 100"
    );
    assert_eq!(
        message(r#"{"collector":{"cluster":"c"},"max_memory_bytes":65536}"#),
        "max_batch_bytes: 524288 is not allowed; allowed: at most max_memory_bytes, which is 65536"
    );
    assert!(load(r#"{"collector":{"cluster":"c"},"retry_min_ms":100,"retry_max_ms":100}"#).is_ok());
}

#[test]
fn whole_numbers_may_come_as_floating_point() {
    assert_eq!(load(&with("flush_after_ms", "300.0")).unwrap().batch.flush_after, Duration::from_millis(300));
    assert_eq!(load(&with("flush_after_ms", "1e3")).unwrap().batch.flush_after, Duration::from_secs(1));
}

#[test]
fn texts_are_checked_by_their_form() {
    let cases = [
        ("collector.cluster", "\"\"", r#""""#),
        ("collector.cluster", r#""a\nb""#, r#""a\nb""#),
        ("collector.authority", r#""a b""#, r#""a b""#),
        ("collector.authority", r#""user@host""#, r#""user@host""#),
        ("collector.path", r#""v1""#, r#""v1""#),
        ("collector.path", r#""/a\r\nx: y""#, r#""/a\r\nx: y""#),
    ];

    for (field, value, shown) in cases {
        let allowed = SETTINGS.iter().find(|setting| setting.name == field).unwrap().allowed;
        assert_eq!(message(&with(field, value)), format!("{field}: {shown} is not allowed; allowed: {allowed}"));
    }
}

#[test]
fn the_token_comes_from_the_environment_and_is_never_shown() {
    let config = load(&with("collector.token_env", r#""TOKEN""#)).unwrap();

    assert_eq!(config.collector.token.as_deref(), Some("s3cret"));
    assert!(!format!("{config:?}").contains("s3cret"));
    assert_eq!(
        message(&with("collector.token_env", r#""Bearer s3cret""#)),
        "collector.token_env: the text (not shown) is not allowed; \
         allowed: a name of 1 to 128 letters, digits and _, no digit first"
    );
}

#[test]
fn a_token_that_is_missing_or_cannot_be_sent_is_refused() {
    assert_eq!(
        message(&with("collector.token_env", r#""TOKE""#)),
        "collector.token_env: the VM has no environment variable TOKE; allowed: a name in vm_config.environment_variables"
    );
    for name in ["EMPTY", "SPACED"] {
        assert_eq!(
            message(&with("collector.token_env", &format!("{name:?}"))),
            format!(
                "collector.token_env: the value of the environment variable {name} cannot be sent; \
                 allowed: visible ASCII characters, at least one"
            )
        );
    }
}

#[test]
fn what_nobody_may_see_cannot_be_allowed() {
    for name in ["authorization", "x-api-key", "set-cookie", "password", "accessToken", "X-Forwarded-Client-Cert"] {
        assert_eq!(
            message(&with("redact.allow", &format!("[{name:?}]"))),
            format!(
                "redact.allow: {name:?} is not allowed; allowed: a name that is not sensitive for good (a password, a token …)"
            )
        );
    }
    assert!(load(&with("redact.mode", "\"off\"")).is_err());
}

#[test]
fn a_fact_that_is_none_is_refused_with_those_there_are() {
    let allowed = "an array of at most 7 of clientAddress, upstreamAddress, cluster, route, direction, responseFlags, codeDetails";

    assert_eq!(
        message(&with("omit_facts", "[\"route\",\"httpVersion\"]")),
        format!("omit_facts: \"httpVersion\" is not allowed; allowed: {allowed}")
    );
    assert_eq!(message(&with("omit_facts", "true")), format!("omit_facts: is a boolean; allowed: {allowed}"));
    let all = format!("{:?}", Fact::ALL.map(Fact::name));
    let config = load(&with("omit_facts", &all)).unwrap();
    assert!(Fact::ALL.into_iter().all(|fact| config.omitted_facts.has(fact)));
    assert!(allowed.ends_with(&Fact::ALL.map(Fact::name).join(", ")));
}

#[test]
fn a_rule_that_is_none_is_refused_with_its_field() {
    assert_eq!(
        message(&with("redact.unparseable", "\"keep\"")),
        "redact.unparseable: \"keep\" is not allowed; allowed: scan or drop"
    );
    assert_eq!(
        message(&with("redact.names", "[7]")),
        "redact.names: is a number; allowed: an array of at most 64 texts of 1 to 64 bytes"
    );
    assert!(message(&with("redact.patterns", "[\"a|bcd\"]")).starts_with("redact.patterns: \"a|bcd\" is not allowed"));
    assert!(message(&with("redact.paths", "[\"x\"]")).starts_with("redact.paths: \"x\" is not allowed"));
}

#[test]
fn the_key_comes_from_the_environment_and_is_never_shown() {
    let config = load(&with("redact.key_env", "\"KEY\"")).unwrap();

    assert!(!format!("{config:?}").contains("0123456789abcdef"));
    assert_eq!(
        message(&with("redact.key_env", "\"TOKEN\"")),
        "redact.key_env: the value of the environment variable TOKEN cannot be used: \
         a key of 6 bytes is not allowed; allowed: 16 to 1024 bytes"
    );
    assert_eq!(
        message(&with("redact.key_env", "\"NONE\"")),
        "redact.key_env: the VM has no environment variable NONE; allowed: a name in vm_config.environment_variables"
    );
    assert!(!message(&with("redact.key_env", "\"my key\"")).contains("my key"));
}
