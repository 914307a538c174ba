use super::*;

fn judged(line: &str) -> Result<(String, String), Reason> {
    let exchange = HttpExchange::from_line(line.as_bytes()).unwrap();
    let facts = exchange.facts();
    Call::of(&exchange, &facts).map(|call| (call.host, call.pathname.into_owned()))
}

#[test]
fn each_exchange_that_teaches_nothing_has_its_reason() {
    let cases = [
        (r#"{"request":{"method":"get","path":"/a"}}"#, Reason::NoResponse),
        (r#"{"request":{"method":"connect","path":"/a"},"response":{"statusCode":200}}"#, Reason::Connect),
        (r#"{"request":{"method":"options","pathname":"*"},"response":{"statusCode":200}}"#, Reason::NoPath),
        (r#"{"request":{"method":"get","path":"/a"},"response":{"statusCode":600}}"#, Reason::Status),
        (
            r#"{"request":{"method":"get","path":"/a"},"response":{"statusCode":404},"meta":{"codeDetails":"route_not_found"}}"#,
            Reason::LocalReply,
        ),
        (
            r#"{"request":{"method":"get","path":"/a"},"response":{"statusCode":200},"meta":{"codeDetails":"via_upstream","responseFlags":"X,UC"}}"#,
            Reason::Aborted,
        ),
        (
            r#"{"request":{"method":"options","path":"/a","headers":{"access-control-request-method":"PUT"}},"response":{"statusCode":204}}"#,
            Reason::Preflight,
        ),
    ];

    for (line, reason) in cases {
        assert_eq!(judged(line), Err(reason), "{line}");
    }
    let long =
        format!(r#"{{"request":{{"method":"get","path":"{}"}},"response":{{"statusCode":200}}}}"#, "/a".repeat(19));
    assert_eq!(judged(&long), Err(Reason::LongPath));
}

#[test]
fn host_and_path_are_found_wherever_they_stand() {
    let cases = [
        (r#""host":"Shop.Example:80","path":"/a?b=c""#, ("shop.example", "/a")),
        (r#""host":"shop.example:8080","pathname":"/a","query":{}"#, ("shop.example:8080", "/a")),
        (r#""url":"https://shop.example:443/a?b""#, ("shop.example", "/a")),
        (r#""url":"http://shop.example""#, ("shop.example", "/")),
        (r#""path":"/a","headers":{"host":"h"}"#, ("h", "/a")),
        (r#""path":"/a""#, ("unknown", "/a")),
    ];

    for (request, (host, path)) in cases {
        let line = format!(r#"{{"request":{{"method":"get",{request}}},"response":{{"statusCode":200}}}}"#);
        assert_eq!(judged(&line), Ok((host.to_owned(), path.to_owned())), "{request}");
    }
}
