//! Secrets in the other kinds of body: forms, parts, GraphQL, lines of JSON, and in bodies sent piece by piece.

use bytes::Bytes;

use super::{Plant, Rows, Said, sent};
use crate::{canary::forms, message::Call};

const FORM: &str = "application/x-www-form-urlencoded";
const PARTS: &str = "multipart/form-data; boundary=----canary";
const GRAPHQL: &str = "application/json";
const LINES: &str = "application/x-ndjson";

/// A kind of body and its type, given the secret in it.
type Kind = (&'static str, &'static str, fn(&str) -> String);

/// A body, given its secrets.
type Form = (&'static str, fn(&mut Plant) -> String);

const FORMS: &[Form] = &[
    ("a password", |plant| format!("user=kimmo&password={}&remember=1", plant.word())),
    ("client credentials", |plant| {
        format!("grant_type=client_credentials&client_id=shop&client_secret={}", plant.word())
    }),
    ("a refresh token", |plant| format!("grant_type=refresh_token&refresh_token={}", plant.word())),
    ("an assertion", |plant| format!("assertion={}", forms::jwt(&plant.word(), &plant.word_of(43)))),
    ("a code", |plant| format!("grant_type=authorization_code&code={}&code_verifier={}", plant.word(), plant.word())),
    ("a value percent-encoded", |plant| format!("password={}", forms::percent(&plant.word()))),
    ("a name percent-encoded", |plant| format!("{}={}", forms::percent("password"), plant.word())),
    ("a name half percent-encoded", |plant| format!("pass%77ord={}", plant.word())),
    ("a name in capitals", |plant| format!("PASSWORD={}", plant.word())),
    ("a name with brackets", |plant| format!("user[password]={}&user[name]=kimmo", plant.word())),
    ("a value base64", |plant| format!("password={}", forms::base64url(plant.word()))),
    ("twice", |plant| format!("password={}&password={}", plant.word(), plant.word())),
    ("an empty one, then one", |plant| format!("password=&password={}", plant.word())),
    ("JSON in a value", |plant| format!("payload={}", forms::percent(&format!("{{\"token\":\"{}\"}}", plant.word())))),
    ("by the settings", |plant| format!("shibboleth={}", plant.word())),
];

const MULTIPART: &[Form] = &[
    ("a password", |plant| parts(&[("name=\"user\"", "kimmo"), ("name=\"password\"", &plant.word())])),
    ("two of a name", |plant| parts(&[("name=\"token\"", &plant.word()), ("name=\"token\"", &plant.word())])),
    ("a name without quotes", |plant| parts(&[("name=password", &plant.word())])),
    ("a name in mixed case", |plant| parts(&[("name=\"PassWord\"", &plant.word())])),
    ("a name of two words", |plant| parts(&[("name=\"clientSecret\"", &plant.word()), ("name=\"a\"", "b")])),
    ("a value of two lines", |plant| {
        parts(&[("name=\"private_key\"", &format!("{}\r\n{}", plant.word(), plant.word()))])
    }),
    ("a file under the name", |plant| parts(&[("name=\"credentials\"; filename=\"c.txt\"", &plant.word())])),
    ("JSON in a part", |plant| {
        let part = format!("{{\"password\":\"{}\"}}", plant.word());
        parts(&[("name=\"data\"\r\ncontent-type: application/json", &part)])
    }),
    ("a header of a part", |plant| parts(&[(&format!("name=\"a\"\r\nx-auth-token: {}", plant.word()), "b")])),
    ("no last boundary", |plant| {
        let whole = parts(&[("name=\"password\"", &plant.word())]);
        whole.trim_end_matches("\r\n------canary--\r\n").to_owned()
    }),
    ("bare line feeds", |plant| parts(&[("name=\"password\"", &plant.word())]).replace("\r\n", "\n")),
    ("a value base64", |plant| parts(&[("name=\"password\"", &forms::base64(plant.word()))])),
];

const GRAPHQL_BODIES: &[Form] = &[
    ("a variable", |plant| {
        format!(
            r#"{{"query":"mutation L($p: String!) {{ login(password: $p) {{ id }} }}","variables":{{"password":"{}"}}}}"#,
            plant.word()
        )
    }),
    ("a variable of an input object", |plant| {
        format!(r#"{{"query":"mutation($i: In) {{ a(i: $i) }}","variables":{{"i":{{"apiKey":"{}"}}}}}}"#, plant.word())
    }),
    ("an inline text", |plant| {
        format!(r#"{{"query":"mutation {{ login(user: \"kimmo\", password: \"{}\") {{ id }} }}"}}"#, plant.word())
    }),
    ("an inline text without spaces", |plant| {
        format!(r#"{{"query":"{{login(password:\"{}\"){{id}}}}"}}"#, plant.word())
    }),
    ("an inline block text", |plant| {
        format!(r#"{{"query":"{{ login(password: \"\"\"{}\"\"\") {{ id }} }}"}}"#, plant.word())
    }),
    ("an inline input object", |plant| {
        format!(r#"{{"query":"{{ login(input: {{user: \"k\", clientSecret: \"{}\"}}) {{ id }} }}"}}"#, plant.word())
    }),
    ("an inline list", |plant| {
        format!(r#"{{"query":"{{ check(tokens: 2, token: [\"{}\", \"{}\"]) }}"}}"#, plant.word(), plant.word())
    }),
    ("a default of a variable", |plant| {
        format!(r#"{{"query":"query($password: String = \"{}\") {{ a }}"}}"#, plant.word())
    }),
    ("a batch", |plant| {
        format!(r#"[{{"query":"{{ a }}"}},{{"query":"{{ b }}","variables":{{"token":"{}"}}}}]"#, plant.word())
    }),
    ("an extension", |plant| {
        format!(r#"{{"query":"{{ a }}","extensions":{{"session":{{"id":"{}"}}}}}}"#, plant.word())
    }),
];

const LINES_OF_JSON: &[Form] = &[
    ("in the first line", |plant| format!("{{\"password\":\"{}\"}}\n{{\"a\":1}}\n", plant.word())),
    ("in the last line", |plant| format!("{{\"a\":1}}\n{{\"b\":2}}\n{{\"password\":\"{}\"}}", plant.word())),
    ("in each line", |plant| format!("{{\"token\":\"{}\"}}\r\n\r\n{{\"token\":\"{}\"}}\n", plant.word(), plant.word())),
    ("behind a broken line", |plant| format!("{{\"a\":\n{{\"password\":\"{}\"}}\n", plant.word())),
];

pub(super) fn plant(rows: &mut Rows) {
    let kinds = [
        ("form", FORM, FORMS),
        ("parts", PARTS, MULTIPART),
        ("GraphQL", GRAPHQL, GRAPHQL_BODIES),
        ("lines", LINES, LINES_OF_JSON),
    ];
    for (kind, content_type, bodies) in kinds {
        for (form, body) in bodies {
            rows.both_ways(&format!("{kind}, {form}"), content_type, |plant| body(plant).into_bytes());
        }
    }
    rows.both_ways("GraphQL as its own type", "application/graphql", |plant| {
        format!("mutation {{ login(user: \"kimmo\", password: \"{}\") {{ id }} }}", plant.word()).into_bytes()
    });
    rows.both_ways("events", "text/event-stream", |plant| {
        format!("id: 1\nevent: login\ndata: {{\"token\":\"{}\"}}\n\ndata: x\n\n", plant.word()).into_bytes()
    });
    rows.both_ways("form as another type", "text/plain", |plant| {
        format!("user=kimmo&password={}", plant.word()).into_bytes()
    });
    in_pieces(rows);
}

fn parts(parts: &[(&str, &str)]) -> String {
    let part = |(head, value): &(&str, &str)| {
        format!("------canary\r\ncontent-disposition: form-data; {head}\r\n\r\n{value}\r\n")
    };
    parts.iter().map(part).collect::<String>() + "------canary--\r\n"
}

/// Bodies that come in pieces: the cut goes through key, value and escape.
fn in_pieces(rows: &mut Rows) {
    let bodies: &[Kind] = &[
        ("JSON", "application/json", |secret| format!(r#"{{"user":"kimmo","password":"{secret}"}}"#)),
        ("JSON with an escaped key", "application/json", |secret| format!(r#"{{"pass\u0077ord":"{secret}"}}"#)),
        ("form", FORM, |secret| format!("user=kimmo&password={secret}")),
        ("parts", PARTS, |secret| parts(&[("name=\"password\"", secret)])),
        ("text", "text/plain", |secret| format!("Authorization: Bearer {secret}{secret}")),
    ];
    for (kind, content_type, body) in bodies {
        for size in [1, 7, 20] {
            rows.add(format!("request {kind} in pieces of {size}"), |plant| {
                let call = Call::post("/canary").header("content-type", (*content_type).to_owned());
                (call.chunks(pieces(&body(&plant.word()), size)), Said::default())
            });
            rows.add(format!("response {kind} in pieces of {size}"), |plant| {
                let said = Said::default().header("content-type", (*content_type).to_owned());
                (sent("", ""), said.chunks(pieces(&body(&plant.word()), size)))
            });
        }
    }
}

fn pieces(body: &str, size: usize) -> Vec<Bytes> {
    body.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect()
}
