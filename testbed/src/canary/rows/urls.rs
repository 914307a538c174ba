//! Secrets in URLs: parameters, userinfo and segments by rule, in the target and in the headers that hold URLs.

use super::{Rows, Said};
use crate::{canary::forms, message::Call};

/// Parameters whose value never leaves.
const SENSITIVE: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "token",
    "access_token",
    "accessToken",
    "refresh_token",
    "id_token",
    "api_key",
    "api-key",
    "apiKey",
    "apikey",
    "key",
    "auth",
    "authorization",
    "secret",
    "client_secret",
    "clientSecret",
    "session",
    "session_id",
    "sessionid",
    "JSESSIONID",
    "sid",
    "sig",
    "signature",
    "hmac",
    "jwt",
    "otp",
    "csrf",
    "xsrf",
    "csrf_token",
    "credential",
    "credentials",
    "assertion",
    "SAMLRequest",
    "SAMLResponse",
    "authenticity_token",
    "code",
    "code_verifier",
    "state",
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "X-Goog-Signature",
    "AWSAccessKeyId",
    "Signature",
    "shibboleth",
];

/// Headers that hold a URL, and on which side.
const HOLDERS: &[(&str, Side)] = &[
    ("referer", Side::Request),
    ("origin", Side::Request),
    ("location", Side::Response),
    ("content-location", Side::Response),
    ("content-location", Side::Request),
    ("link", Side::Response),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Request,
    Response,
}

/// A query, given the secret.
type Form = (&'static str, fn(&str) -> String);

const FORMS: &[Form] = &[
    ("percent-encoded", |secret| format!("a=1&access_token={}", forms::percent(secret))),
    ("half percent-encoded", |secret| format!("access_token={}&a=1", forms::half_percent(secret))),
    ("base64", |secret| format!("access_token={}", forms::base64url(secret))),
    ("hexadecimal", |secret| format!("access_token={}", forms::hex(secret))),
    ("name percent-encoded", |secret| format!("{}={secret}", forms::percent("password"))),
    ("name half percent-encoded", |secret| format!("p%61ssw%6Frd={secret}")),
    ("name percent-encoded twice", |secret| format!("p%2561ssword={secret}")),
    ("name and value percent-encoded", |secret| format!("{}={}", forms::percent("api_key"), forms::percent(secret))),
    ("name in mixed case", |secret| format!("PassWord={secret}")),
    ("name in capitals", |secret| format!("ACCESS_TOKEN={secret}")),
    ("name with brackets", |secret| format!("user[password]={secret}")),
    ("name with a list's brackets", |secret| format!("token[]={secret}")),
    ("name with encoded brackets", |secret| format!("user%5Bpassword%5D={secret}")),
    ("name with dots", |secret| format!("user.password={secret}")),
    ("name with a plus", |secret| format!("api+key={secret}")),
    ("twice", |secret| format!("token={secret}&token={secret}")),
    ("behind an empty one", |secret| format!("password=&password={secret}")),
    ("behind one without =", |secret| format!("password&password={secret}")),
    ("with = in the value", |secret| format!("token=a={secret}")),
    ("with a second ?", |secret| format!("a=b?c&token={secret}")),
    ("behind empty pairs", |secret| format!("&&&token={secret}&&")),
    ("with a semicolon in between", |secret| format!("a=1;token={secret}")),
    ("a URL in a value", |secret| format!("next={}", forms::percent(&format!("https://shop.example/?token={secret}")))),
    ("a URL with userinfo in a value", |secret| format!("next=https://kimmo:{secret}@shop.example/")),
    ("a token in a harmless name", |secret| format!("note={}", forms::jwt(secret, &secret.repeat(2)))),
    ("JSON in a value", |secret| format!("filter={}", forms::percent(&format!("{{\"password\":\"{secret}\"}}")))),
];

pub(super) fn plant(rows: &mut Rows) {
    for name in SENSITIVE {
        rows.add(format!("query {name}"), |plant| {
            (Call::get(format!("/canary?a=1&{name}={}&z=2", plant.word())), Said::default())
        });
    }
    for (form, query) in FORMS {
        rows.add(format!("query, {form}"), |plant| {
            (Call::get(format!("/canary?{}", query(&plant.word()))), Said::default())
        });
        rows.add(format!("referer's query, {form}"), |plant| {
            let url = format!("https://shop.example/cart?{}", query(&plant.word()));
            (Call::get("/canary").header("referer", url), Said::default())
        });
    }
    for (holder, side) in HOLDERS {
        held(rows, holder, *side);
    }
    paths(rows);
    hosts(rows);
}

/// URLs in a header: a parameter, userinfo, a fragment.
fn held(rows: &mut Rows, holder: &str, side: Side) {
    let urls: &[Form] = &[
        ("a parameter", |secret| format!("https://shop.example/cart?a=1&access_token={secret}&b=2")),
        ("a relative URL", |secret| format!("/cart?token={secret}")),
        ("only a query", |secret| format!("?token={secret}")),
        ("userinfo", |secret| format!("https://kimmo:{secret}@shop.example/cart")),
        ("userinfo without a password", |secret| format!("https://{secret}@shop.example/cart")),
        ("userinfo percent-encoded", |secret| format!("https://kimmo:{}@shop.example/", forms::percent(secret))),
        ("a fragment", |secret| format!("https://shop.example/cb#access_token={secret}&token_type=bearer")),
        ("a name percent-encoded", |secret| format!("https://shop.example/?p%61ssword={secret}")),
        ("a path by rule", |secret| format!("https://shop.example/reset/{secret}")),
    ];
    for (form, url) in urls {
        rows.add(format!("{side:?} header {holder}, {form}"), |plant| {
            let url = url(&plant.word());
            let value = if holder == "link" { format!("<{url}>; rel=\"next\", </other>; rel=prev") } else { url };
            match side {
                Side::Request => (Call::get("/canary").header(holder, value), Said::default()),
                Side::Response => (Call::get("/canary"), Said::default().header(holder, value)),
            }
        });
    }
}

/// Segments of the path: by the rules of the settings, by what they look like, and parameters inside them.
fn paths(rows: &mut Rows) {
    let paths: &[Form] = &[
        ("by rule", |secret| format!("/reset/{secret}")),
        ("by rule, with a query", |secret| format!("/reset/{secret}?lang=en")),
        ("by rule, percent-encoded", |secret| format!("/reset/{}", forms::percent(secret))),
        ("by rule, base64", |secret| format!("/reset/{}", forms::base64url(secret))),
        ("by rule with a wildcard", |secret| format!("/invitations/0549/accept/{secret}")),
        ("a token", |secret| format!("/verify/{}", forms::jwt(secret, &secret.repeat(2)))),
        ("a parameter in a segment", |secret| format!("/cart;jsessionid={secret}")),
        ("a parameter in a segment with a query", |secret| format!("/cart;jsessionid={secret}?page=2")),
    ];
    for (form, path) in paths {
        rows.add(format!("path, {form}"), |plant| (Call::get(path(&plant.word())), Said::default()));
    }
}

/// In the host itself, `Host` or `:authority`, as a program writes it that takes a URL apart at the first slash.
fn hosts(rows: &mut Rows) {
    let hosts: &[Form] = &[
        ("userinfo", |secret| format!("kimmo:{secret}@shop.example")),
        ("userinfo and a port", |secret| format!("kimmo:{secret}@shop.example:8443")),
        ("userinfo without a password", |secret| format!("{secret}@shop.example")),
        ("userinfo percent-encoded", |secret| format!("kimmo:{}@shop.example", forms::percent(secret))),
        ("userinfo with a second @", |secret| format!("kimmo@{secret}@shop.example")),
        ("a label that is a token", |secret| format!("ghp_{secret}.shop.example")),
    ];
    for (form, host) in hosts {
        rows.add(format!("host, {form}"), |plant| {
            (Call::get("/canary").authority(host(&plant.word())), Said::default())
        });
        rows.add(format!("x-forwarded-host, {form}"), |plant| {
            (Call::get("/canary").header("x-forwarded-host", host(&plant.word())), Said::default())
        });
    }
}
