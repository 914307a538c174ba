use super::*;

/// An exchange, and what a reader gives back that changes nothing.
fn exchange() -> (HttpExchange, Value) {
    let line = br#"{"request":{"timestamp":"2020-02-28T10:39:28.833Z","method":"get","protocol":"http","host":"a","headers":{"x-a":["1","2"]},"body":"","path":"/a?Key=1","pathname":"/a","query":{"Key":"1"}},"response":{"timestamp":"2020-02-28T10:39:28.834Z","statusCode":200,"headers":{},"body":"x"},"meta":{"id":"s-0"}}"#;
    let read = json!({
        "request": {
            "timestamp": "2020-02-28T10:39:28.833Z", "method": "get", "protocol": "http", "host": "a",
            "headers": [["x-a", ["1", "2"]]], "body": "", "path": "/a?Key=1", "pathname": "/a",
            "query": [["Key", ["1"]]],
        },
        "response": {"timestamp": "2020-02-28T10:39:28.834Z", "statusCode": 200, "headers": [], "body": "x"},
        "meta": {"id": "s-0"},
    });
    (HttpExchange::from_line(line).unwrap(), read)
}

#[test]
fn what_comes_back_unchanged_is_right() {
    let (exchange, read) = exchange();

    assert_eq!(differences(Reader::Python, &exchange, &read), [""; 0]);
}

#[test]
fn every_changed_field_is_found() {
    let (exchange, read) = exchange();
    let leaves = [
        "/request/timestamp",
        "/request/method",
        "/request/protocol",
        "/request/host",
        "/request/headers/0/1/1",
        "/request/body",
        "/request/path",
        "/request/pathname",
        "/request/query/0/1/0",
        "/response/timestamp",
        "/response/statusCode",
        "/response/body",
        "/meta/id",
    ];

    for leaf in leaves {
        let mut changed = read.clone();
        *changed.pointer_mut(leaf).unwrap() = json!("other");

        assert_eq!(differences(Reader::Python, &exchange, &changed).len(), 1, "{leaf}");
    }
}

#[test]
fn lost_and_added_headers_are_found() {
    let (exchange, read) = exchange();
    let mut lost = read.clone();
    lost["request"]["headers"] = json!([]);
    let mut added = read;
    added["response"]["headers"] = json!([["x-b", ["1"]]]);

    assert_eq!(differences(Reader::Python, &exchange, &lost), [r#"request.headers.x-a: ["1","2"] became null"#]);
    assert_eq!(differences(Reader::Python, &exchange, &added), [r#"response.headers.x-b: null became ["1"]"#]);
}

#[test]
fn typescript_may_drop_meta_and_lower_the_names_of_the_query_and_nothing_else() {
    let (exchange, mut read) = exchange();
    read.as_object_mut().unwrap().remove("meta");
    read["request"]["query"] = json!([["key", ["1"]]]);
    read["request"]["urlPathname"] = json!("/a");

    assert_eq!(differences(Reader::TypeScript, &exchange, &read), [""; 0]);
    assert_eq!(differences(Reader::Python, &exchange, &read).len(), 3);
    read["request"]["pathname"] = json!("/b");
    assert_eq!(differences(Reader::TypeScript, &exchange, &read), [r#"request.pathname: "/a" became "/b""#]);
}

#[test]
fn only_paths_that_a_url_parser_changes_may_come_back_changed() {
    for kept in ["/", "/a/b", "//x", "/a.b/...", "/a%20b", "/a?q=../b", "/a:b@c;d=1,2!$&'()*+-_~"] {
        assert!(url_parser_keeps(kept), "{kept}");
    }
    for changed in ["/a/../b", "/.", "/a/%2E%2e/b", "/\u{e4}", "/a\\b", "/C|/x", "/{id}", "/a\"b", "/a b", "/a^b"] {
        assert!(!url_parser_keeps(changed), "{changed}");
    }
}
