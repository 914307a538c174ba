use crate::{
    BodyRef, Degraded, Direction, ExchangeRef, FactKind, HttpExchange, META_FACTS, MetaRef, Method, Protocol,
    RequestRef, ResponseRef, Timestamp, check_line, json_value,
};

fn line_with(meta: &str) -> Vec<u8> {
    format!(r#"{{"request":{{"method":"get"}},"meta":{meta}}}"#).into_bytes()
}

/// A line with every fact that the writer has.
fn line_of_all_facts() -> Vec<u8> {
    let trailers: &[(&[u8], &[u8])] = &[(b"n", b"1")];
    let body = BodyRef { kept: b"\xff", bytes: 1, ..BodyRef::default() };
    let timestamp = Timestamp::from_unix_millis(0);
    let exchange = ExchangeRef {
        request: RequestRef {
            timestamp,
            method: Method::Get,
            protocol: Protocol::Http,
            host: b"h",
            path: b"/",
            headers: &[],
            body,
        },
        response: Some(ResponseRef { timestamp, status_code: 200, headers: &[], body }),
        meta: MetaRef {
            source: "5f",
            seq: 1,
            duration_ms: Some(1),
            request_trailers: trailers,
            response_trailers: trailers,
            http_version: Some(b"HTTP/2"),
            client_address: Some(b"127.0.0.1:1"),
            upstream_address: Some(b"127.0.0.1:2"),
            cluster: Some(b"c"),
            route: Some(b"r"),
            direction: Some(Direction::Inbound),
            response_flags: "UC",
            code_details: Some(b"via_upstream"),
            degraded: Some(Degraded::Heads),
            sample_rate: Some(0.5),
            redactions: &[("query", 1)],
        },
    };
    let mut line = Vec::new();
    exchange.write_line(&mut line).unwrap();
    line
}

#[test]
fn the_list_of_facts_is_what_the_writer_writes_in_its_order() {
    let exchange = HttpExchange::from_line(&line_of_all_facts()).unwrap();

    let written: Vec<String> = exchange.meta.unwrap().keys().cloned().collect();
    assert_eq!(written, META_FACTS.map(|(key, _)| key));
}

#[test]
fn texts_stand_side_by_side_and_are_told_in_their_order() {
    let line = line_of_all_facts();
    let texts = check_line(&line).unwrap().meta_texts.map(Option::unwrap);

    let keys: Vec<&str> = META_FACTS.iter().filter(|(_, kind)| *kind == FactKind::Text).map(|(key, _)| *key).collect();
    let meta = HttpExchange::from_line(&line).unwrap().meta.unwrap();
    let expected: Vec<&str> = keys.iter().map(|key| meta[*key].as_str().unwrap()).collect();
    assert_eq!(texts.to_vec(), expected);
}

#[test]
fn facts_of_their_kind_are_no_others() {
    for meta in [
        "{}",
        r#"{"id":"a","source":"b","seq":1,"durationMs":2.5,"sampleRate":1e-3}"#,
        r#"{"requestBody":{"bytes":1,"kept":1,"truncated":false,"base64":"AA==","decoded":true,"withheld":"compressed"}}"#,
        r#"{"redactions":{"requestTrailers":1,"meta":2},"cluster":"c","codeDetails":"via_upstream"}"#,
    ] {
        assert!(!check_line(&line_with(meta)).unwrap().has_other_meta, "{meta}");
    }
}

#[test]
fn facts_of_another_kind_and_keys_of_others_are_others() {
    for meta in [
        r#"{"id":1}"#,
        r#"{"source":null}"#,
        r#"{"seq":"1"}"#,
        r#"{"cluster":["c"]}"#,
        r#"{"requestTrailers":{}}"#,
        r#"{"requestBody":"x"}"#,
        r#"{"requestBody":{"bytes":"x"}}"#,
        r#"{"responseBody":{"base64":1}}"#,
        r#"{"responseBody":{"withheld":"because"}}"#,
        r#"{"responseBody":{"note":1}}"#,
        r#"{"redactions":{"query":"x"}}"#,
        r#"{"redactions":{"ABCDEFGHIJKLMNOPQ":1}}"#,
        r#"{"redactions":[1]}"#,
        r#"{"note":1}"#,
    ] {
        assert!(check_line(&line_with(meta)).unwrap().has_other_meta, "{meta}");
    }
}

#[test]
fn a_name_that_stands_twice_in_meta_is_refused_by_both_readers() {
    let many: Vec<String> = (0..200).map(|number| format!("\"n{number}\":1")).collect();
    let many = many.join(",");
    for meta in [
        r#"{"cluster":"c","cluster":"c"}"#.to_owned(),
        r#"{"note":1,"note":1}"#.to_owned(),
        r#"{"requestBody":{"bytes":1,"bytes":1}}"#.to_owned(),
        r#"{"note":[{"a":{"b":1,"b":2}}]}"#.to_owned(),
        format!("{{{many},\"n7\":2}}"),
        format!("{{\"note\":{{{many},\"n7\":2}}}}"),
    ] {
        let line = line_with(&meta);

        let read = HttpExchange::from_line(&line).unwrap_err();
        assert_eq!(check_line(&line).unwrap_err(), read, "{meta}");
        assert!(read.to_string().contains("stands twice"), "{read}");
        assert!(json_value(meta.as_bytes()).is_ok());
    }
}

#[test]
fn a_note_of_the_parser_in_meta_is_an_object_to_both_readers() {
    let key = "$serde_json::private::RawValue";
    for meta in [
        format!(r#"{{"note":{{"{key}":"{{\"a\":1}}"}}}}"#),
        format!(r#"{{"note":[{{"{key}":"broken"}}]}}"#),
        format!(r#"{{"{key}":"{{}}"}}"#),
    ] {
        let line = line_with(&meta);

        assert!(check_line(&line).unwrap().has_other_meta, "{meta}");
        let written = HttpExchange::from_line(&line).unwrap().to_line();
        assert_eq!(String::from_utf8_lossy(&written).trim_end(), String::from_utf8_lossy(&line));
    }
}
