//! Secrets in JSON: by key at any depth, however key and value are written.

use super::{Plant, Rows, Said, said, sent};
use crate::{canary::forms, message::Call};

const JSON: &str = "application/json";

/// Keys whose value never leaves, in the spellings that people use.
const SENSITIVE: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "userPassword",
    "user_password",
    "USER-PASSWORD",
    "newPassword",
    "UserPassword2",
    "secret",
    "clientSecret",
    "client_secret",
    "apiKey",
    "api_key",
    "apikey",
    "APIKey",
    "APIKEY",
    "accessToken",
    "access_token",
    "refreshToken",
    "idToken",
    "authToken",
    "X-Auth-Token",
    "sessionId",
    "session_token",
    "jwt",
    "bearer",
    "credential",
    "credentials",
    "privateKey",
    "private_key",
    "secretKey",
    "signature",
    "hmac",
    "otp",
    "csrfToken",
    "xsrf",
    "authorization",
    "cookie",
    "sid",
    "ssoTicket",
    "saml_response",
    "shibboleth",
];

/// A body, given its secrets.
type Form = (&'static str, fn(&mut Plant) -> String);

const SHAPES: &[Form] = &[
    ("second level", |plant| format!(r#"{{"user":{{"name":"Kimmo","password":"{}"}}}}"#, plant.word())),
    ("tenth level", |plant| format!(r#"{}{{"password":"{}"}}{}"#, r#"{"a":"#.repeat(9), plant.word(), "}".repeat(9))),
    ("fortieth level", |plant| {
        format!(r#"{}{{"password":"{}"}}{}"#, r#"{"a":["#.repeat(20), plant.word(), "]}".repeat(20))
    }),
    ("in a list of objects", |plant| {
        format!(r#"[{{"id":1,"token":"{}"}},{{"id":2,"token":"{}"}}]"#, plant.word(), plant.word())
    }),
    ("a list under the key", |plant| format!(r#"{{"tokens":1,"token":["{}","{}"]}}"#, plant.word(), plant.word())),
    ("an object under the key", |plant| {
        format!(r#"{{"credentials":{{"user":"{}","deep":[{{"x":"{}"}}]}},"ok":true}}"#, plant.word(), plant.word())
    }),
    ("a number under the key", |plant| format!(r#"{{"password":{}}}"#, plant.card())),
    ("numbers in a list under the key", |plant| format!(r#"{{"otp":[{},{}]}}"#, plant.card(), plant.card())),
    ("a number with a fraction and a power", |plant| format!(r#"{{"secret":-{}.5e3}}"#, plant.card())),
    ("between harmless ones", |plant| {
        format!(r#"{{"name":"Kimmo","password":"{}","email":"kimmo@example.com","age":42}}"#, plant.word())
    }),
    ("twice the same key", |plant| format!(r#"{{"password":"{}","password":"{}"}}"#, plant.word(), plant.word())),
    ("an empty one, then one", |plant| format!(r#"{{"password":"","password":"{}"}}"#, plant.word())),
    ("null, then one", |plant| format!(r#"{{"password":null,"password":"{}"}}"#, plant.word())),
    ("key's head escaped", |plant| format!(r#"{{"\u0070assword":"{}"}}"#, plant.word())),
    ("key's head escaped in capitals", |plant| format!(r#"{{"\u0050assword":"{}"}}"#, plant.word())),
    ("whole key escaped", |plant| format!(r#"{{"{}":"{}"}}"#, forms::json_escaped("password"), plant.word())),
    ("key's separator escaped", |plant| format!(r#"{{"api\u005fkey":"{}"}}"#, plant.word())),
    ("value's head escaped", |plant| format!(r#"{{"password":"{}"}}"#, forms::json_escaped_head(&plant.word()))),
    ("whole value escaped", |plant| format!(r#"{{"password":"{}"}}"#, forms::json_escaped(&plant.word()))),
    ("value behind an escaped quote", |plant| format!(r#"{{"password":"a\"b\\{}\\"}}"#, plant.word())),
    ("value with a brace and a comma", |plant| format!(r#"{{"password":"}},\"x\":\"{}"}}"#, plant.word())),
    ("key in mixed case", |plant| format!(r#"{{"pAssWOrd":"{}"}}"#, plant.word())),
    ("value base64", |plant| format!(r#"{{"password":"{}"}}"#, forms::base64(plant.word()))),
    ("value hexadecimal", |plant| format!(r#"{{"password":"{}"}}"#, forms::hex(&plant.word()))),
    ("value percent-encoded", |plant| format!(r#"{{"password":"{}"}}"#, forms::percent(&plant.word()))),
    ("value twice", |plant| {
        let secret = plant.word();
        format!(r#"{{"password":"{secret}","passwordAgain":"{secret}"}}"#)
    }),
    ("much white space", |plant| format!("\n{{ \t\"password\"\r\n :\n\n  \"{}\"\n}}\n", plant.word())),
    ("JSON in a text", |plant| {
        let inner = format!(r#"{{"user":"kimmo","password":"{}"}}"#, plant.word());
        format!(r#"{{"message":{}}}"#, serde_json::Value::from(inner))
    }),
    ("a URL in a text", |plant| {
        format!(r#"{{"next":"https://shop.example/cb?access_token={}&page=2"}}"#, plant.word())
    }),
    ("userinfo of a URL in a text", |plant| {
        format!(r#"{{"database":"postgres://shop:{}@db.example:5432/shop"}}"#, plant.word())
    }),
    ("settings behind the host of a URL in a text", |plant| {
        format!(r#"{{"database":"jdbc:sqlserver://db.example:1433;user=shop;password={}"}}"#, plant.word())
    }),
    ("name and value apart", |plant| {
        format!(r#"{{"headers":{{"Authorization":"Bearer {}","Cookie":"sid={}"}}}}"#, plant.word(), plant.word())
    }),
    ("not ASCII around it", |plant| format!(r#"{{"näme":"Kimmö 🦆","pässword":1,"password":"ü{}"}}"#, plant.word())),
    ("a key with a word among others", |plant| format!(r#"{{"my very own password, please":"{}"}}"#, plant.word())),
];

/// Types under which JSON comes, those that lie among them.
const TYPES: &[&str] = &[
    "application/json; charset=utf-8",
    "APPLICATION/JSON",
    "application/problem+json",
    "application/vnd.shop.v2+json;q=1",
    "text/json",
    "text/plain",
    "text/html",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "",
];

pub(super) fn plant(rows: &mut Rows) {
    for (index, key) in SENSITIVE.iter().enumerate() {
        let body = |plant: &mut Plant| format!(r#"{{"id":7,"{key}":"{}","ok":true}}"#, plant.word());
        if index % 2 == 0 {
            rows.add(format!("request JSON {key}"), |plant| (sent(JSON, body(plant)), Said::default()));
        } else {
            rows.add(format!("response JSON {key}"), |plant| (Call::get("/canary"), said(JSON, body(plant))));
        }
    }
    for (shape, body) in SHAPES {
        rows.both_ways(&format!("JSON, {shape}"), JSON, |plant| body(plant).into_bytes());
    }
    for content_type in TYPES {
        rows.both_ways(&format!("JSON as \"{content_type}\""), content_type, |plant| {
            format!(r#"{{"user":"kimmo","password":"{}"}}"#, plant.word()).into_bytes()
        });
    }
    rows.both_ways("JSON behind a byte order mark", JSON, |plant| {
        format!("\u{feff}{{\"password\":\"{}\"}}", plant.word()).into_bytes()
    });
    rows.both_ways("JSON that is a text alone, a token", JSON, |plant| {
        format!("\"{}\"", forms::jwt(&plant.word(), &plant.word_of(43))).into_bytes()
    });
    broken(rows);
}

/// What is no JSON, though it says so: a parser that gives up must not let the rest through.
fn broken(rows: &mut Rows) {
    let bodies: &[Form] = &[
        ("a comma too many", |plant| format!(r#"{{"a":1,,"password":"{}"}}"#, plant.word())),
        ("single quotes", |plant| format!("{{'password':'{}'}}", plant.word())),
        ("bare keys", |plant| format!("{{password:\"{}\"}}", plant.word())),
        ("text in front", |plant| format!(r#")]}}',{{"password":"{}"}}"#, plant.word())),
        ("text behind", |plant| format!(r#"{{"a":1}} {{"password":"{}"}}"#, plant.word())),
        ("a raw line break in a text", |plant| format!("{{\"a\":\"b\nc\",\"password\":\"{}\"}}", plant.word())),
        ("an escape that is none", |plant| format!(r#"{{"a":"\q","password":"{}"}}"#, plant.word())),
        ("never closed", |plant| format!(r#"{{"a":[1,2,{{"password":"{}""#, plant.word())),
        ("a comment", |plant| format!("{{/* x */ \"password\": // y\n \"{}\"}}", plant.word())),
    ];
    for (kind, body) in bodies {
        rows.both_ways(&format!("JSON with {kind}"), JSON, |plant| body(plant).into_bytes());
    }
    rows.both_ways("JSON with a byte that is no UTF-8", JSON, |plant| {
        [b"{\"a\":\"\xff\",\"password\":\"".as_slice(), plant.word().as_bytes(), b"\"}"].concat()
    });
}
