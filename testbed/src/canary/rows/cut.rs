//! Secrets at the limit of what is kept of a body: the cut goes through a value, a key, an escape, a token.

use super::{Plant, Rows};
use crate::canary::{BODY_LIMIT, forms, secret::LONGEST};

/// A body whose secret begins so many bytes before the limit: what stands before it, and what behind.
type Form = (&'static str, &'static str, fn(&mut Plant) -> [String; 3]);

/// Characters that are kept from where the secret begins: the searcher needs ten. With the most of them a word is whole,
/// and the cut goes through the claims of a token.
const KEPT: [usize; 3] = [12, 30, 100];

const CUTS: &[Form] = &[
    ("a value of JSON", "application/json", |plant| {
        [r#"{"filling":""#.to_owned(), format!(r#"","password":"{}"#, plant.word_of(LONGEST)), r#""}"#.to_owned()]
    }),
    ("an escaped value of JSON", "application/json", |plant| {
        let secret = forms::json_escaped(&plant.word_of(LONGEST));
        [r#"{"filling":""#.to_owned(), format!(r#"","\u0070assword":"{secret}"#), r#""}"#.to_owned()]
    }),
    ("a value in a list of JSON", "application/json", |plant| {
        let list = format!(r#"","tokens":1,"token":["a","{}"#, plant.word_of(LONGEST));
        [r#"{"filling":""#.to_owned(), list, r#""]}"#.to_owned()]
    }),
    ("a value of a form", "application/x-www-form-urlencoded", |plant| {
        ["filling=".to_owned(), format!("&password={}", plant.word_of(LONGEST)), "&z=1".to_owned()]
    }),
    ("a part", "multipart/form-data; boundary=cut", |plant| {
        let part = "content-disposition: form-data; name=";
        let secret = format!("\r\n--cut\r\n{part}\"password\"\r\n\r\n{}", plant.word_of(LONGEST));
        [format!("--cut\r\n{part}\"filling\"\r\n\r\n"), secret, "\r\n--cut--\r\n".to_owned()]
    }),
    ("a bearer in text", "text/plain", |plant| {
        [String::new(), format!(" Authorization: Bearer {}", plant.word_of(LONGEST)), " and more".to_owned()]
    }),
    ("a token of GitHub in text", "text/plain", |plant| {
        [String::new(), format!(" ghp_{}", plant.word_of(36)), " and more".to_owned()]
    }),
    ("a token of RFC 7519 in JSON", "application/json", |plant| {
        let token = forms::jwt(&plant.word_of(LONGEST), &plant.word_of(43));
        [r#"{"filling":""#.to_owned(), format!(r#"","note":"{token}"#), r#""}"#.to_owned()]
    }),
    ("lines", "application/x-ndjson", |plant| {
        ["{\"filling\":\"".to_owned(), format!("\"}}\n{{\"token\":\"{}", plant.word_of(LONGEST)), "\"}\n".to_owned()]
    }),
    ("a text of GraphQL", "application/json", |plant| {
        let query = format!(r#"","query":"{{ login(password: \"{}"#, plant.word_of(LONGEST));
        [r#"{"filling":""#.to_owned(), query, r#"\") { id } }"}"#.to_owned()]
    }),
];

pub(super) fn plant(rows: &mut Rows) {
    for (kind, content_type, body) in CUTS {
        for kept in KEPT {
            rows.both_ways(&format!("{kind}, cut after {kept} characters"), content_type, |plant| {
                let before = plant.secrets.len();
                let [head, secret, tail] = body(plant);
                // The first secret's own text decides where the cut is: so many of its characters are kept.
                let text = plant.secrets.get(before).map(|secret| secret.first(8).to_owned()).unwrap_or_default();
                let start = place_of(&secret, &text);
                let filling = BODY_LIMIT.saturating_sub(head.len() + start + kept);
                let behind = " ".repeat(BODY_LIMIT / 16);
                format!("{head}{}{secret}{tail}{behind}", "x".repeat(filling)).into_bytes()
            });
        }
    }
    far_behind(rows);
}

/// Where the secret begins in its piece; encoded ones begin behind the last `"`.
fn place_of(piece: &str, text: &str) -> usize {
    piece.find(text).or_else(|| piece.rfind('"').map(|quote| quote + 1)).unwrap_or_default()
}

/// A secret in front of the limit with a long body behind it, and one behind the limit, which is not kept at all.
fn far_behind(rows: &mut Rows) {
    rows.both_ways("JSON, far before and far behind the cut", "application/json", |plant| {
        let filling = "x".repeat(BODY_LIMIT * 2);
        let (first, last) = (plant.word(), plant.word());
        format!(r#"{{"password":"{first}","filling":"{filling}","token":"{last}"}}"#).into_bytes()
    });
    rows.both_ways("a form, far before and far behind the cut", "application/x-www-form-urlencoded", |plant| {
        let filling = "x".repeat(BODY_LIMIT * 2);
        format!("password={}&filling={filling}&token={}", plant.word(), plant.word()).into_bytes()
    });
    rows.both_ways("a long password", "application/json", |plant| {
        let secret = plant.word();
        format!(r#"{{"password":"{}"}}"#, secret.repeat(BODY_LIMIT / 8)).into_bytes()
    });
    rows.both_ways("a private key that is cut", "text/plain", |plant| {
        let lines = format!("{}\n", plant.word_of(LONGEST)).repeat(BODY_LIMIT / 24);
        format!("-----BEGIN PRIVATE KEY-----\n{lines}-----END PRIVATE KEY-----\n").into_bytes()
    });
}
