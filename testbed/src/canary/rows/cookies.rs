//! Secrets in cookies: the values go, the names stay, and a piece without a name is all value.

use super::{Plant, Rows, Said};
use crate::{canary::forms, message::Call};

/// A kind of cookie, and how its text is made.
type Form = (&'static str, fn(&mut Plant) -> String);

const SENT: &[Form] = &[
    ("one", |plant| format!("sid={}", plant.word())),
    ("one of a harmless name", |plant| format!("theme={}", plant.word())),
    ("several", |plant| format!("theme=dark; sid={}; lang=en; csrftoken={}", plant.word(), plant.word())),
    ("several without spaces", |plant| format!("a={};b={};c={}", plant.word(), plant.word(), plant.word())),
    ("quoted", |plant| format!("sid=\"{}\"", plant.word())),
    ("without a name", |plant| plant.word()),
    ("without a name among others", |plant| format!("a=1; {}; b=2", plant.word())),
    ("with an empty name", |plant| format!("={}", plant.word())),
    ("with = in the value", |plant| format!("sid=a={}=b", plant.word())),
    ("of one name twice", |plant| format!("sid={}; sid={}", plant.word(), plant.word())),
    ("percent-encoded", |plant| format!("sid={}", forms::percent(&plant.word()))),
    ("base64", |plant| format!("sid={}", forms::base64(plant.word()))),
    ("a token", |plant| format!("jwt={}", forms::jwt(&plant.word(), &plant.word_of(43)))),
    ("JSON", |plant| format!("prefs={{\"theme\":\"{}\"}}", plant.word())),
    ("in capitals", |plant| format!("SID={}", plant.word().to_uppercase())),
    ("with white space", |plant| format!("  sid = {}  ;  ", plant.word())),
    ("joined by commas", |plant| format!("a={},b={}", plant.word(), plant.word())),
];

const SET: &[Form] = &[
    ("one", |plant| format!("sid={}", plant.word())),
    ("with attributes", |plant| format!("sid={}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax", plant.word())),
    ("with a date", |plant| format!("sid={}; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Secure", plant.word())),
    ("without a name", |plant| format!("{}; Path=/", plant.word())),
    ("with an empty name", |plant| format!("={}; Path=/", plant.word())),
    ("quoted", |plant| format!("__Host-sid=\"{}\"; Secure; Path=/", plant.word())),
    ("percent-encoded", |plant| format!("sid={}; Path=/", forms::percent(&plant.word()))),
    ("base64", |plant| format!("sid={}; Path=/", forms::base64(plant.word()))),
    ("in an attribute nobody knows", |plant| format!("theme=dark; Path=/; Note={}", plant.word())),
    ("a token", |plant| format!("auth={}; HttpOnly", forms::jwt(&plant.word(), &plant.word_of(43)))),
    ("behind many semicolons", |plant| format!(";;; sid={};;", plant.word())),
];

pub(super) fn plant(rows: &mut Rows) {
    for (form, value) in SENT {
        rows.add(format!("cookie, {form}"), |plant| {
            (Call::get("/canary").header("cookie", value(plant)), Said::default())
        });
    }
    for (form, value) in SET {
        rows.add(format!("set-cookie, {form}"), |plant| {
            (Call::get("/canary"), Said::default().header("set-cookie", value(plant)))
        });
    }
    rows.add("cookie in several fields", |plant| {
        let call = Call::get("/canary").header("cookie", format!("a={}", plant.word()));
        (call.header("Cookie", format!("b={}", plant.word())), Said::default())
    });
    rows.add("set-cookie in several fields", |plant| {
        let said = Said::default().header("set-cookie", format!("a={}; Path=/", plant.word()));
        (Call::get("/canary"), said.header("Set-Cookie", format!("b={}", plant.word())))
    });
    rows.add("cookie in a trailer", |plant| {
        let call = Call::post("/canary").chunks(["a body"]).trailer("cookie", format!("sid={}", plant.word()));
        (call, Said::default())
    });
}
