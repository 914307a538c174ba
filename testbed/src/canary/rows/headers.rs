//! Secrets in headers and trailers: the whole value of a sensitive name, whatever its form.

use super::{Plant, Rows, Said};
use crate::{canary::forms, message::Call};

/// Names whose value never leaves: known ones, and ones nobody knows, by their word parts.
const SENSITIVE: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "apikey",
    "x-apikey",
    "x-auth",
    "x-auth-key",
    "x-auth-token",
    "x-authtoken",
    "x-access-token",
    "x-accesstoken",
    "x-access-key",
    "x-secret-key",
    "x-amz-security-token",
    "x-csrf-token",
    "x-xsrf-token",
    "x-csrf",
    "x-xsrf",
    "x-forwarded-client-cert",
    "cf-access-jwt-assertion",
    "x-goog-iap-jwt-assertion",
    "x-goog-api-key",
    "ocp-apim-subscription-key",
    "x-functions-key",
    "x-vault-token",
    "x-gitlab-token",
    "private-token",
    "job-token",
    "dd-api-key",
    "x-rapidapi-key",
    "x-shopify-access-token",
    "x-acme-auth-token",
    "x-session",
    "x-session-id",
    "x-sessionid",
    "x-user-password",
    "x-passwd",
    "x-pwd",
    "x-secret",
    "x-client-secret",
    "x-jwt",
    "x-bearer",
    "x-sso-ticket",
    "x-saml-response",
    "x-hub-signature-256",
    "x-request-signature",
    "x-sig",
    "x-hmac",
    "x-otp",
    "x-otp-code",
    "x-principal",
    "x-identity",
    "x-credential",
    "x-credentials",
    "x-sid",
    "x-refresh-token",
    "x-id-token",
    "x-mothers-maiden-name",
];

/// Those that servers send.
const SENSITIVE_OF_SERVERS: &[&str] = &[
    "authentication-info",
    "proxy-authentication-info",
    "x-auth-token",
    "x-access-token",
    "x-refresh-token",
    "x-csrf-token",
    "x-session-token",
    "x-subject-token",
    "x-api-key",
    "x-amz-security-token",
    "x-forwarded-client-cert",
    "x-client-secret",
    "x-jwt-assertion",
    "x-signature",
    "x-new-password",
    "x-mothers-maiden-name",
];

/// How a value may look, given the secret in it.
type Form = (&'static str, fn(&str) -> Vec<u8>);

/// What stands in `authorization`, given its secrets.
type Scheme = (&'static str, fn(&mut Plant) -> String);

/// The usual forms; the others are those of [`schemes`].
const FORMS: &[Form] = &[
    ("percent-encoded", |secret| forms::percent(secret).into_bytes()),
    ("half percent-encoded", |secret| forms::half_percent(secret).into_bytes()),
    ("base64", |secret| forms::base64(secret).into_bytes()),
    ("hexadecimal", |secret| forms::hex(secret).into_bytes()),
    ("capitals", |secret| secret.to_uppercase().into_bytes()),
    ("quoted", |secret| format!("\"{secret}\"").into_bytes()),
    ("a list", |secret| format!("none, {secret} , {secret}").into_bytes()),
    ("behind latin-1", |secret| [b"caf\xe9 ".as_slice(), secret.as_bytes()].concat()),
];

pub(super) fn plant(rows: &mut Rows) {
    for name in SENSITIVE {
        rows.add(format!("request header {name}"), |plant| (call(name, plant.word()), Said::default()));
    }
    for name in SENSITIVE_OF_SERVERS {
        rows.add(format!("response header {name}"), |plant| {
            (Call::get("/canary"), Said::default().header(name, plant.word()))
        });
    }
    for (form, encode) in FORMS {
        for name in ["authorization", "x-acme-auth-token"] {
            rows.add(format!("request header {name}, {form}"), |plant| {
                (call(name, encode(&plant.word())), Said::default())
            });
        }
        rows.add(format!("response header x-session-token, {form}"), |plant| {
            (Call::get("/canary"), Said::default().header("x-session-token", encode(&plant.word())))
        });
    }
    schemes(rows);
    repeated(rows);
    trailers(rows);
}

/// What stands in `authorization`: RFC 9110 §11.6.2, and what people make of it.
fn schemes(rows: &mut Rows) {
    let schemes: &[Scheme] = &[
        ("bearer", |plant| format!("Bearer {}", plant.word())),
        ("bearer in lower case", |plant| format!("bearer {}", plant.word())),
        ("basic", |plant| format!("Basic {}", forms::base64(format!("kimmo:{}", plant.word())))),
        ("jwt", |plant| format!("Bearer {}", forms::jwt(&plant.word(), &plant.word_of(43)))),
        ("digest", |plant| {
            let (nonce, response) = (plant.word(), plant.word());
            format!("Digest username=\"kimmo\", nonce=\"{nonce}\", uri=\"/\", response=\"{response}\"")
        }),
        ("aws", |plant| {
            let (key, signature) = (plant.word_of(16).to_uppercase(), plant.word());
            format!("AWS4-HMAC-SHA256 Credential=AKIA{key}/20260101/eu/s3/aws4_request, Signature={signature}")
        }),
        ("a scheme nobody knows", |plant| format!("Shibboleth {}", plant.word())),
        ("two spaces and a tab", |plant| format!("Bearer  \t{}", plant.word())),
        ("only a token", |plant| plant.word()),
        ("a name and a value", |plant| format!("token={}", plant.word())),
        ("a scheme and two words", |plant| format!("Token {} {}", plant.word(), plant.word())),
    ];
    for (scheme, value) in schemes {
        rows.add(format!("authorization, {scheme}"), |plant| (call("authorization", value(plant)), Said::default()));
    }
}

/// Names in other cases, several fields of a name, and fields without a value beside them.
fn repeated(rows: &mut Rows) {
    for name in ["AUTHORIZATION", "X-Acme-Auth-Token", "X-API-Key", "x-CSRF-tOKEN", "Proxy-Authorization"] {
        rows.add(format!("request header written {name}"), |plant| (call(name, plant.word()), Said::default()));
        rows.add(format!("response header written {name}"), |plant| {
            (Call::get("/canary"), Said::default().header(name, plant.word()))
        });
    }
    rows.add("request header x-api-key twice", |plant| {
        (call("x-api-key", plant.word()).header("x-api-key", plant.word()), Said::default())
    });
    rows.add("response header x-auth-token three times", |plant| {
        let said = Said::default().header("x-auth-token", plant.word()).header("x-auth-token", plant.word());
        (Call::get("/canary"), said.header("X-Auth-Token", plant.word()))
    });
    rows.add("request header x-api-key without a value, then with one", |plant| {
        (call("x-api-key", "").header("x-api-key", plant.word()), Said::default())
    });
    rows.add("request header authorization that is only a scheme, then another", |plant| {
        (call("authorization", "Bearer").header("authorization", plant.word()), Said::default())
    });
}

/// Fields behind a body count as headers do.
fn trailers(rows: &mut Rows) {
    for name in ["x-auth-token", "authorization", "x-signature", "X-Acme-Auth-Token", "x-mothers-maiden-name"] {
        rows.add(format!("request trailer {name}"), |plant| {
            (Call::post("/canary").chunks(["a body"]).trailer(name, plant.word()), Said::default())
        });
        rows.add(format!("response trailer {name}"), |plant| {
            let said = Said::default().chunks(["a body".into()]);
            (Call::get("/canary"), said.trailer(name, plant.word()))
        });
    }
    rows.add("trailers with a token in a harmless name", |plant| {
        let call = Call::post("/canary").chunks(["a body"]).trailer("x-note", format!("Bearer {}", plant.word_of(32)));
        let said = Said::default().chunks(["a body".into()]);
        (call, said.trailer("x-note", forms::jwt(&plant.word(), &plant.word_of(43))))
    });
    rows.add("trailers with base64 of a sensitive name", |plant| {
        let call = Call::post("/canary").chunks(["a body"]).trailer("x-session-id", forms::base64(plant.word()));
        (call, Said::default())
    });
}

fn call(name: &str, value: impl Into<bytes::Bytes>) -> Call {
    Call::get("/canary").header(name, value)
}
