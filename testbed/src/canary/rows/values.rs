//! Secrets that are known by how they look, wherever they stand: tokens, keys, cards.

use super::{Plant, Rows, Said, said, sent};
use crate::{
    canary::{forms, secret::LONGEST},
    message::Call,
};

/// A text that is a secret by its looks.
type Form = (&'static str, fn(&mut Plant) -> String);

const VALUES: &[Form] = &[
    ("a token of RFC 7519", |plant| forms::jwt(&plant.word(), &plant.word_of(43))),
    ("bearer", |plant| format!("Bearer {}", plant.word_of(32))),
    ("bearer in capitals", |plant| format!("BEARER {}", plant.word_of(32))),
    ("basic", |plant| format!("Basic {}", forms::base64(format!("kimmo:{}", plant.word())))),
    ("a key of AWS", |plant| format!("AKIA{}", plant.word_of(16).to_uppercase())),
    ("a passing key of AWS", |plant| format!("ASIA{}", plant.word_of(16).to_uppercase())),
    ("a token of GitHub", |plant| format!("ghp_{}", plant.word_of(36))),
    ("a token of GitHub's OAuth", |plant| format!("gho_{}", plant.word_of(36))),
    ("a token of a GitHub server", |plant| format!("ghs_{}", plant.word_of(36))),
    ("a fine token of GitHub", |plant| format!("github_pat_{}", plant.word_of(LONGEST))),
    ("a bot token of Slack", |plant| format!("xoxb-123456789012-123456789012-{}", plant.word())),
    ("a user token of Slack", |plant| format!("xoxp-123456789012-{}", plant.word_of(32))),
    ("a key of Stripe", |plant| format!("sk_live_{}", plant.word())),
    ("a test key of Stripe", |plant| format!("sk_test_{}", plant.word())),
    ("a restricted key of Stripe", |plant| format!("rk_live_{}", plant.word())),
    ("a key of Google", |plant| format!("AIza{}", plant.word_of(35))),
    ("a private key", |plant| pem("PRIVATE KEY", &plant.word_of(LONGEST))),
    ("a private key of RSA", |plant| pem("RSA PRIVATE KEY", &plant.word_of(LONGEST))),
    ("a private key of SSH", |plant| pem("OPENSSH PRIVATE KEY", &plant.word_of(LONGEST))),
    ("a card", |plant| plant.card()),
    ("a card with spaces", |plant| grouped(&plant.card(), " ")),
    ("a card with dashes", |plant| grouped(&plant.card(), "-")),
    ("a URL with userinfo", |plant| format!("https://kimmo:{}@shop.example/", plant.word())),
];

/// Where it stands: how a text becomes a body, and of which type.
type Place = (&'static str, &'static str, fn(&str) -> String);

const PLACES: &[Place] = &[
    ("text", "text/plain", |value| format!("Dear Kimmo, this is it: {value} . Keep it well.")),
    ("text alone", "text/plain; charset=utf-8", |value| value.to_owned()),
    ("HTML", "text/html", |value| format!("<p>It is <b>{value}</b></p>")),
    ("XML", "application/xml", |value| format!("<?xml version=\"1.0\"?><note>{value}</note>")),
    ("JSON under a harmless key", "application/json", |value| {
        format!("{{\"note\":{},\"id\":7}}", serde_json::Value::from(format!("it is {value} ")))
    }),
    ("JSON in a list", "application/json", |value| format!("[1,{},true]", serde_json::Value::from(value))),
    ("a form under a harmless name", "application/x-www-form-urlencoded", |value| {
        format!("note={}&id=7", forms::percent(value))
    }),
    ("lines", "application/x-ndjson", |value| format!("{{\"a\":1}}\n{{\"b\":{}}}\n", serde_json::Value::from(value))),
    ("no type", "", |value| format!("it is {value}\n")),
    ("bytes", "application/octet-stream", |value| format!("\u{1}\u{2}\u{0}{value}\u{0}\u{3}")),
];

pub(super) fn plant(rows: &mut Rows) {
    for (value_index, (kind, value)) in VALUES.iter().enumerate() {
        for (place_index, (place, content_type, body)) in PLACES.iter().enumerate() {
            let text = |plant: &mut Plant| body(&value(plant));
            // In turn: each value stands on both sides, and in each place.
            if (value_index + place_index) % 2 == 0 {
                rows.add(format!("{kind} in a request, {place}"), |plant| {
                    (sent(content_type, text(plant)), Said::default())
                });
            } else {
                rows.add(format!("{kind} in a response, {place}"), |plant| {
                    (Call::get("/canary"), said(content_type, text(plant)))
                });
            }
        }
    }
    elsewhere(rows);
}

/// The same values in harmless headers and parameters.
fn elsewhere(rows: &mut Rows) {
    for (kind, value) in VALUES.iter().filter(|(kind, _)| !kind.starts_with("a private key")) {
        rows.add(format!("{kind} in a harmless request header"), |plant| {
            (Call::get("/canary").header("x-note", value(plant)), Said::default())
        });
        rows.add(format!("{kind} in a harmless response header"), |plant| {
            (Call::get("/canary"), Said::default().header("x-note", format!("it is {}", value(plant))))
        });
        rows.add(format!("{kind} in a harmless parameter"), |plant| {
            (Call::get(format!("/canary?note={}", forms::percent(&value(plant)))), Said::default())
        });
    }
}

/// A block as of RFC 7468, two lines of base64.
fn pem(label: &str, secret: &str) -> String {
    let line = |filling: &str| format!("{filling}{secret}");
    format!(
        "-----BEGIN {label}-----\n{}\n{}\n-----END {label}-----\n",
        line("MIIEvQIBADANBg/+"),
        line("kqhkiG9w0BAQEFAA")
    )
}

/// Four digits at a time.
fn grouped(digits: &str, between: &str) -> String {
    let groups: Vec<&str> = (0..4).filter_map(|group| digits.get(group * 4..group * 4 + 4)).collect();
    groups.join(between)
}
