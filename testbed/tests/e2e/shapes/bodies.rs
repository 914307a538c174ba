//! Bodies at the edges: of the limit, of a character, of what is text at all.

use bytes::Bytes;
use tributary_testbed::message::Call;

use super::{
    case::{Case, Says},
    line::{Body, LIMIT, filled},
};

/// The table.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = sizes();
    cases.extend(characters());
    cases.extend(text());
    cases.extend(bytes());
    cases
}

/// One under the limit, at it, one over it: as one piece, and in pieces that lie across it.
fn sizes() -> Vec<Case> {
    let kept = |bytes: usize| Body::cut("a".repeat(bytes.min(LIMIT)), bytes as u64);
    let case = |name, bytes: usize, is_chunked: bool| {
        let body = filled(b'a', bytes);
        let pieces = || [body.slice(..LIMIT - 2_000), body.slice(LIMIT - 2_000..)];
        let (call, says) = match is_chunked {
            false => (Call::post("/").body(body.clone()), Says::text(body)),
            true => (Call::post("/").chunks(pieces()), Says::status(200).chunks(pieces())),
        };
        Case::new(name, call, says).line(move |line, _| {
            line.body = kept(bytes);
            line.response_body = kept(bytes);
        })
    };
    vec![
        case("one under the limit", LIMIT - 1, false),
        case("at the limit", LIMIT, false),
        case("one over the limit", LIMIT + 1, false),
        case("one under the limit in pieces", LIMIT - 1, true),
        case("at the limit in pieces", LIMIT, true),
        case("one over the limit in pieces", LIMIT + 1, true),
    ]
}

/// Characters of two to four bytes, cut at each of their bytes by the limit: none is ever half kept.
fn characters() -> Vec<Case> {
    let cut = |name, character: &'static str, inside: usize| {
        let start = LIMIT - inside;
        let text = format!("{}{character} and more", "a".repeat(start));
        let bytes = text.len() as u64;
        // Nothing is cut when the limit falls behind the last byte of the character.
        let kept = if inside == character.len() { start + inside } else { start };
        let kept = text.get(..kept).unwrap_or_default().to_owned();
        Case::new(name, Call::post("/").body(text.clone()), Says::text(text)).line(move |line, _| {
            line.body = Body::cut(kept.clone(), bytes);
            line.response_body = Body::cut(kept.clone(), bytes);
        })
    };
    vec![
        cut("two bytes cut after one", "é", 1),
        cut("two bytes just inside", "é", 2),
        cut("three bytes cut after one", "€", 1),
        cut("three bytes cut after two", "€", 2),
        cut("four bytes cut after one", "💧", 1),
        cut("four bytes cut after two", "💧", 2),
        cut("four bytes cut after three", "💧", 3),
        cut("four bytes just inside", "💧", 4),
    ]
}

fn text() -> Vec<Case> {
    let pieces =
        || [Bytes::from_static(b"\xf0\x9f"), Bytes::from_static(b"\x92\xa7 \xe2\x82"), Bytes::from_static(b"\xac")];
    let odd = "\u{feff}nul \0, escape \u{1b}, quote \", backslash \\, lines \r\n\u{85}\u{2028}\u{2029}, delete \u{7f}";
    vec![
        Case::new("characters split over chunks", Call::post("/").chunks(pieces()), Says::status(200).chunks(pieces())),
        Case::new("characters that break lines and JSON", Call::post("/").body(odd), Says::text(odd)),
        Case::new("text without a type", Call::post("/").body("plain"), Says::status(200).body("plain")),
    ]
}

/// Bytes that are not text, in base64 as RFC 4648 has it.
fn bytes() -> Vec<Case> {
    let case = |name, bytes: &'static [u8], base64: &'static str| {
        let length = bytes.len() as u64;
        let says = Says::status(200).header("content-type", "application/octet-stream").body(bytes);
        Case::new(name, Call::post("/").body(bytes), says).line(move |line, _| {
            line.body = Body::base64(base64, length, length);
            line.response_body = Body::base64(base64, length, length);
        })
    };
    vec![
        case("image", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "iVBORw0KGgoAAAANSUhEUg=="),
        case("one byte that is no text", b"\xff", "/w=="),
        // Whole, so the last character is not cut but broken.
        case("text with half a character at its end", b"abc\xe2\x82", "YWJj4oI="),
        case("half of a surrogate pair", b"\xed\xa0\x80", "7aCA"),
        over_the_limit(),
        broken_before_the_limit(),
    ]
}

/// 65,536 times 0xff: 21,845 groups of three bytes, `////` each, and one byte more.
fn over_the_limit() -> Case {
    let body = || filled(0xff, LIMIT + 1);
    let base64 = format!("{}/w==", "/".repeat(21_845 * 4));
    Case::new("bytes over the limit", Call::post("/").body(body()), Says::status(200).body(body())).line(
        move |line, _| {
            line.body = Body::base64(base64.clone(), LIMIT as u64, LIMIT as u64 + 1);
            line.response_body = line.body.clone();
        },
    )
}

/// Only a character that the limit cuts is left out; a broken one before makes the body no text at all.
fn broken_before_the_limit() -> Case {
    let mut bytes = b"\xff".to_vec();
    bytes.extend(std::iter::repeat_n(b'a', LIMIT - 2));
    bytes.extend("é".bytes());
    let body = Bytes::from(bytes);
    // /2Fh = ff 61 61, then `YWFh` = aaa; the last two kept bytes are `a` and the first of the é.
    let base64 = format!("/2Fh{}YWFhww==", "YWFh".repeat((LIMIT - 7) / 3));
    Case::new("broken text over the limit", Call::post("/").body(body.clone()), Says::status(200).body(body)).line(
        move |line, _| {
            line.body = Body::base64(base64.clone(), LIMIT as u64, LIMIT as u64 + 1);
            line.response_body = line.body.clone();
        },
    )
}
