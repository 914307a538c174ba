//! Names and values that look like secrets and are none: they have to come out as they went in.

use super::{
    forms,
    rows::{ROW, Row, Said},
};
use crate::message::Call;

/// Headers of a request, each with a value of its own.
pub const REQUEST_HEADERS: &[(&str, &str)] = &[
    ("accept", "text/html,application/json;q=0.9,*/*;q=0.8"),
    ("accept-language", "fi-FI,fi;q=0.9"),
    ("author", "Kimmo"),
    ("authority-id", "bafin-042"),
    ("baggage", "region=north,tier=gold"),
    ("cache-control", "no-cache"),
    ("dnt", "1"),
    ("from", "kimmo@example.com"),
    ("if-modified-since", "Wed, 21 Oct 2015 07:28:00 GMT"),
    ("if-none-match", "\"33a64df551425fcc55e4d42a148795d9f25f89d4\""),
    ("monkey", "see, monkey do"),
    ("priority", "u=1, i"),
    ("range", "bytes=0-1023"),
    ("sec-ch-ua", "\"Chromium\";v=\"142\", \"Not_A Brand\";v=\"99\""),
    ("sec-fetch-mode", "cors"),
    ("sec-fetch-site", "same-origin"),
    ("sec-websocket-version", "13"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("tracestate", "congo=t61rcWkgMzE"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
    ("x-account-tier", "gold"),
    ("x-assignee", "maria"),
    ("x-author-name", "Väinö Linna"),
    ("x-b3-traceid", "80f198ee56343ba864fe8b2a57d3eff7"),
    ("x-bypass-cache", "true"),
    ("x-compass-heading", "270"),
    ("x-correlation-id", "7f3c9a52-0b1e-4d8a-9c55-2f6e1a7b8c9d"),
    ("x-design-system", "nordic"),
    ("x-device-model", "Pixel 11"),
    ("x-donkey", "kong"),
    ("x-feature-flags", "new-cart,fast-search"),
    ("x-forwarded-host", "session.shop.example:8443, auth:8080"),
    ("x-hockey-league", "liiga"),
    ("x-inside-sales", "no"),
    ("x-keyboard-layout", "fi"),
    ("x-keynote-speaker", "Ada"),
    ("x-laptop-model", "T14"),
    ("x-order-number", "1234567890123456"),
    ("x-passenger-count", "3"),
    ("x-secretary", "Liisa"),
    ("x-sidebar", "left"),
    ("x-signal-strength", "-67"),
    ("x-tenant", "shop-north"),
    ("x-tokyo-office", "open"),
    ("x-turkey-size", "large"),
];

/// What a client may ask for.
pub const HOSTS: &[&str] = &["auth:8080", "token.session.svc.cluster.local", "[2001:db8::7]:443"];

/// Headers of a response.
pub const RESPONSE_HEADERS: &[(&str, &str)] = &[
    ("access-control-allow-credentials", "true"),
    ("access-control-allow-headers", "content-type, x-tenant"),
    ("access-control-allow-origin", "https://shop.example"),
    ("age", "3"),
    ("allow", "GET, HEAD, POST"),
    ("alt-svc", "h3=\":443\"; ma=86400"),
    ("content-disposition", "attachment; filename=\"report.csv\""),
    ("content-language", "fi"),
    ("content-security-policy", "default-src 'self'; img-src data:"),
    ("etag", "W/\"0815-4711\""),
    ("expires", "Thu, 01 Dec 2026 16:00:00 GMT"),
    ("last-modified", "Tue, 15 Nov 2025 12:45:26 GMT"),
    ("link", "</users?page=2>; rel=\"next\", </users?page=9>; rel=\"last\""),
    ("location", "/users/0549?tab=orders#top"),
    ("ratelimit", "limit=100, remaining=50, reset=5"),
    ("referrer-policy", "no-referrer"),
    ("retry-after", "120"),
    ("server-timing", "db;dur=53, app;dur=47.2"),
    ("strict-transport-security", "max-age=63072000; includeSubDomains"),
    ("vary", "accept, accept-language"),
    ("x-authored-by", "the editors"),
    ("x-cache", "HIT from edge-7"),
    ("x-frame-options", "DENY"),
    ("x-powered-by", "coffee"),
];

/// Headers that stay on their connection (RFC 9110 §7.6.1): a proxy never passes them on, other programs record them.
pub const HOP_BY_HOP_HEADERS: &[(&str, &str)] =
    &[("keep-alive", "timeout=5, max=1000"), ("connection", "keep-alive"), ("te", "trailers"), ("trailer", "author")];

/// Parameters of a query, fields of a form, parts.
pub const PARAMETERS: &[(&str, &str)] = &[
    ("page", "2"),
    ("limit", "50"),
    ("sort", "-created"),
    ("q", "red shoes"),
    ("lang", "fi"),
    ("author", "linna"),
    ("authority", "city"),
    ("authors", "linna,waltari"),
    ("keyword", "sauna"),
    ("keywords", "sauna,lake"),
    ("monkey", "business"),
    ("color", "blue"),
    ("sku", "SHOE-42-BLUE"),
    ("order", "1234567890123456"),
    ("lat", "60.1699"),
    ("lon", "24.9384"),
    ("utm_source", "newsletter"),
    ("design", "nordic"),
    ("assignee", "maria"),
    ("sidebar", "left"),
    ("passengers", "3"),
    ("compass", "north"),
    ("turkey", "1kg"),
    ("since", "2026-01-31T12:00:00Z"),
    ("id", "0f8fad5b-d9cb-469f-a165-70867728950e"),
    ("ids[]", "17"),
    ("filter", "price>10"),
    ("tokyo", "yes"),
    ("residence", "oulu"),
    ("empty", ""),
];

/// Members of a JSON object: a key, and a value as JSON.
pub const MEMBERS: &[(&str, &str)] = &[
    ("id", "\"0549\""),
    ("name", "\"Kimmo\""),
    ("email", "\"kimmo@example.com\""),
    ("age", "42"),
    ("active", "true"),
    ("deletedAt", "null"),
    ("price", "19.90"),
    ("huge", "1234567890123456789012345678901234567890"),
    ("small", "-1.5e-7"),
    ("author", "\"Väinö Linna\""),
    ("authorName", "\"Mika Waltari\""),
    ("authority", "\"city of Oulu\""),
    ("authored_at", "\"2026-02-28T10:39:28.833Z\""),
    ("monkey", "\"see\""),
    ("monkeys", "[1,2,3]"),
    ("keyboard", "{\"layout\":\"fi\"}"),
    ("keywords", "[\"sauna\",\"lake\"]"),
    ("hockey", "\"liiga\""),
    ("passengers", "4"),
    ("passage", "\"north-west\""),
    ("compass", "\"N\""),
    ("secretary", "\"Liisa\""),
    ("sidebar", "\"left\""),
    ("residence", "\"Oulu\""),
    ("president", "\"Ada\""),
    ("designer", "\"Alvar\""),
    ("signal", "-67"),
    ("assignee", "\"maria\""),
    ("tokyo", "\"2026\""),
    ("cookiecutter", "\"star\""),
    ("orderNumber", "1234567890123456"),
    ("orderText", "\"1234567890123456\""),
    ("phone", "\"+358 40 123 4567\""),
    ("digest", "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""),
    ("uuid", "\"0f8fad5b-d9cb-469f-a165-70867728950e\""),
    ("version", "\"1.2.3-rc.4+build.5\""),
    ("url", "\"https://shop.example/users?page=2#top\""),
    ("escaped", "\"tab\\tquote\\\"back\\\\slash\\u00e4\""),
    ("empty", "\"\""),
    ("list", "[]"),
    ("object", "{}"),
    ("white space", " [ 1 ,\n2 ] "),
];

/// Texts that begin like a secret, or are as long as one.
pub const VALUES: &[&str] = &[
    "a text about bearer bonds and basic income",
    "Basic English for beginners",
    "Bearer of good news",
    "eyJafjallajokull erupted in 2010",
    "AKIA is a prefix",
    "ghp_ is a prefix too",
    "sk_live_ and xoxb- as well",
    "AIza",
    "order 1234567890123456 was sent",
    "order 4111111111111112 fails the check",
    "call +358 40 123 4567 or 0800 1234",
    "-----BEGIN of the story-----",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "id 0f8fad5b-d9cb-469f-a165-70867728950e",
    "at 2026-02-28T10:39:28.833Z, 1772275168833 ms",
    "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
    "60.1699, 24.9384",
    "user@example.com wrote: the author of the monkey story is keen on keyboards",
    "Sauna, järvi ja kesäyö 🦆",
];

/// Exchanges with all of this in it, in each place where a secret could be.
pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |name: &str, call: Call, said: Said| {
        let call = call.header(ROW, rows.len().to_string());
        rows.push(Row { name: name.to_owned(), call, said, secrets: Vec::new() });
    };
    let query: Vec<String> = PARAMETERS.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    let query = query.join("&");
    let call =
        REQUEST_HEADERS.iter().fold(Call::get("/monkey/author"), |call, (name, value)| call.header(name, *value));
    let said = RESPONSE_HEADERS.iter().fold(Said::default(), |said, (name, value)| said.header(name, *value));
    add("headers", call, said);
    add("query", Call::get(format!("/harmless?{query}")), Said::default());
    let referer = format!("https://shop.example/harmless?{query}");
    add("referer", Call::get("/harmless").header("referer", referer), Said::default());

    for host in HOSTS {
        add(&format!("host {host}"), Call::get("/harmless").authority(*host), Said::default());
    }

    let members: Vec<String> = MEMBERS.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    let object = format!("{{ {} }}\n", members.join(" ,\t"));
    both(&mut add, "JSON", "application/json", object.clone());
    both(&mut add, "JSON at depth", "application/json", format!("{{\"a\":[[{object}],{{\"b\":{object}}}]}}"));
    both(
        &mut add,
        "lines",
        "application/x-ndjson",
        MEMBERS.iter().map(|(key, value)| format!("{{\"{key}\":{}}}\n", value.replace('\n', " "))).collect(),
    );
    both(&mut add, "form", "application/x-www-form-urlencoded", query);
    let parts = PARAMETERS
        .iter()
        .map(|(name, value)| format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    both(&mut add, "parts", "multipart/form-data; boundary=b", parts.collect::<String>() + "--b--\r\n");
    let graphql = r#"{"query":"query($id: ID!, $first: Int = 10) { author(id: $id, monkey: \"see\") { name } }","variables":{"id":"7","first":10}}"#;
    both(&mut add, "GraphQL", "application/json", graphql.to_owned());
    for content_type in ["text/plain", "text/html; charset=utf-8", "application/xml", ""] {
        both(&mut add, &format!("text as {content_type}"), content_type, VALUES.join("\n"));
    }
    let texts: Vec<String> = VALUES.iter().map(|value| serde_json::Value::from(*value).to_string()).collect();
    both(&mut add, "texts in JSON", "application/json", format!("{{\"texts\":[{}]}}", texts.join(",")));
    for value in VALUES.iter().filter(|value| value.is_ascii()) {
        let call = Call::get(format!("/harmless?note={}", encoded(value))).header("x-note", *value);
        add(&format!("value {value}"), call, Said::default().header("x-note", *value));
    }
    let cut = format!("{{\"name\":\"Kimmo\",\"text\":\"{}\"}}", "all is well ".repeat(super::BODY_LIMIT / 6));
    both(&mut add, "JSON that is cut", "application/json", cut);
    rows
}

/// The same body both ways, in one exchange.
fn both(add: &mut impl FnMut(&str, Call, Said), name: &str, content_type: &str, body: String) {
    let (mut call, mut said) = (Call::post("/harmless").body(body.clone()), Said::default().body(body));
    if !content_type.is_empty() {
        call = call.header("content-type", content_type.to_owned());
        said = said.header("content-type", content_type.to_owned());
    }
    add(name, call, said);
}

/// A value as it stands in a query: what is no letter and no digit is encoded.
fn encoded(value: &str) -> String {
    let one = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' => character.to_string(),
        ' ' => "+".to_owned(),
        other => forms::percent(&other.to_string()),
    };
    value.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_enough_harmless_things_and_no_two_are_the_same() {
        let pairs = [REQUEST_HEADERS, RESPONSE_HEADERS, PARAMETERS, MEMBERS].concat();
        let things: BTreeSet<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();

        assert_eq!(things.len(), pairs.len());
        assert!(things.len() + VALUES.len() >= 150, "{} and {}", things.len(), VALUES.len());
        let names: BTreeSet<String> = rows().into_iter().map(|row| row.name).collect();
        assert_eq!(names.len(), rows().len());
    }

    #[test]
    fn nothing_of_them_is_masked() {
        let settings = serde_json::from_value(crate::canary::redaction()).unwrap();
        let redactor = tributary_redact::Redactor::new(settings, None).unwrap();

        for row in rows() {
            let [plain, masked] = row.with_exchange(|exchange| {
                let (mut plain, mut line) = (Vec::new(), Vec::new());
                exchange.write_line(&mut plain).unwrap();
                redactor.with_masked(exchange, |masked, _| masked.write_line(&mut line)).unwrap();
                [plain, line].map(|line| String::from_utf8(line).unwrap())
            });
            assert_eq!(masked, plain, "{}", row.name);
        }
    }

    #[test]
    fn the_members_are_json() {
        for (key, value) in MEMBERS {
            serde_json::from_str::<serde_json::Value>(value).unwrap_or_else(|error| panic!("{key}: {error}"));
        }
    }
}
