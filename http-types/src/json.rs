//! JSON text, appended to a `Vec<u8>`: strings escaped in one pass, numbers without `fmt`.
//!
//! It runs inside the proxy for each exchange, so it is ours and not a general serializer. It promises that a
//! written string holds no line break of any kind: not those of JSON Lines (`\n`), and not U+0085, U+2028 and U+2029,
//! at which some programs split text too.

use std::borrow::Cow;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) use blocks::string;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(crate) use words::string;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod blocks;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod words;

const HEX: [u8; 16] = *b"0123456789abcdef";

/// Appends what stands before the first character that needs an escape, and that character; gives what follows.
fn escaped_once<'t>(out: &mut Vec<u8>, rest: &'t [u8]) -> &'t [u8] {
    let stop = rest.iter().position(|byte| needs_a_look(*byte)).unwrap_or(rest.len());
    let (plain, from_stop) = rest.split_at(stop);
    out.extend_from_slice(plain);
    match from_stop {
        [b'"', after @ ..] => replaced(out, b"\\\"", after),
        [b'\\', after @ ..] => replaced(out, b"\\\\", after),
        [b'\n', after @ ..] => replaced(out, b"\\n", after),
        [b'\r', after @ ..] => replaced(out, b"\\r", after),
        [b'\t', after @ ..] => replaced(out, b"\\t", after),
        [0xC2, 0x85, after @ ..] => replaced(out, b"\\u0085", after),
        [0xE2, 0x80, 0xA8, after @ ..] => replaced(out, b"\\u2028", after),
        [0xE2, 0x80, 0xA9, after @ ..] => replaced(out, b"\\u2029", after),
        [control @ ..0x20, after @ ..] => {
            out.extend_from_slice(b"\\u00");
            out.push(hex(control >> 4));
            out.push(hex(control & 0x0F));
            after
        }
        // The first byte of some other character that begins like one of the three line breaks.
        [lead, after @ ..] => replaced(out, &[*lead], after),
        [] => &[],
    }
}

/// Appends bytes as a JSON string: as UTF-8 if they are, else as Latin-1, which can be turned back into the bytes.
pub(crate) fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => string(out, text),
        Err(_) => string(out, &text_of(bytes)),
    }
}

/// The text of bytes that a header, path or host is made of: UTF-8, or else Latin-1.
pub(crate) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// Appends a whole number.
pub(crate) fn number(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// The bytes that are not written as they are, or may be the first of such a character.
static LOOKS: [bool; 256] = {
    let mut looks = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::indexing_slicing, reason = "it runs in the compiler, which would say so")]
        {
            looks[byte] = byte < 0x20 || matches!(byte as u8, b'"' | b'\\' | 0xC2 | 0xE2);
        }
        byte += 1;
    }
    looks
};

fn needs_a_look(byte: u8) -> bool {
    LOOKS.get(usize::from(byte)).copied().unwrap_or(true)
}

fn replaced<'r>(out: &mut Vec<u8>, by: &[u8], after: &'r [u8]) -> &'r [u8] {
    out.extend_from_slice(by);
    after
}

fn hex(nibble: u8) -> u8 {
    HEX.get(usize::from(nibble)).copied().unwrap_or(b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quotes_backslashes_and_control_characters_are_escaped() {
        assert_eq!(
            written("a\"b\\c\n\r\t\u{0}\u{1b}\u{1f} \u{7f}"),
            r#""a\"b\\c\n\r\t\u0000\u001b\u001f "#.to_owned() + "\u{7f}\""
        );
    }

    #[test]
    fn line_breaks_beyond_ascii_are_escaped_and_their_neighbours_are_not() {
        assert_eq!(
            written("\u{85}\u{2028}\u{2029}\u{84}\u{a9}\u{2027}\u{20ac}"),
            "\"\\u0085\\u2028\\u2029\u{84}\u{a9}\u{2027}\u{20ac}\""
        );
    }

    #[test]
    fn bytes_that_are_not_utf_8_become_latin_1() {
        let mut out = Vec::new();
        bytes(&mut out, b"caf\xe9\xff");

        assert_eq!(out, "\"caf\u{e9}\u{ff}\"".as_bytes());
    }

    /// What the format says of one character.
    fn written_by_hand(character: char) -> String {
        match character {
            '"' | '\\' => format!("\\{character}"),
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            '\t' => "\\t".to_owned(),
            '\0'..' ' | '\u{85}' | '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", u32::from(character)),
            other => other.to_string(),
        }
    }

    #[test]
    fn a_character_is_written_alike_at_each_place_of_a_text() {
        const CHARACTERS: &str =
            "\"\\\n\r\t\u{0}\u{8}\u{1f} ~\u{7f}\u{80}\u{84}\u{85}\u{a9}\u{2027}\u{2028}\u{2029}\u{20ac}\u{1f600}";

        // Around the ends of what is looked at together: 8, 16 and 1,024 bytes.
        for (place, character) in
            (0..90).chain(1_000..1_050).flat_map(|place| CHARACTERS.chars().map(move |it| (place, it)))
        {
            for (around, written_around) in [("a", "a"), ("\"", "\\\""), ("\n", "\\n")] {
                let text = format!("{}{character}{}", around.repeat(place), around.repeat(35));
                let by_hand = [&written_around.repeat(place), &written_by_hand(character), &written_around.repeat(35)];
                assert_eq!(written(&text), format!("\"{}\"", by_hand.map(String::as_str).concat()), "{place}");
                assert_eq!(written(&text[..text.len() - 35]), format!("\"{}{}\"", by_hand[0], by_hand[1]), "{place}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn where_a_character_stands_makes_no_difference(
            text in "(a{0,9}|[\"\\\\\n\r\t\u{0}\u{1f}\u{7f}\u{80}\u{84}\u{85}\u{c2}\u{e2}\u{2027}\u{2028}\u{2029}\u{20ac}]){0,12}"
        ) {
            let by_hand: String = text.chars().map(written_by_hand).collect();

            proptest::prop_assert_eq!(written(&text), format!("\"{by_hand}\""));
        }

        #[test]
        fn every_string_is_read_back_and_stands_on_one_line(text in ".*") {
            let json = written(&text);

            proptest::prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            let breaks_a_line = json.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']);
            proptest::prop_assert!(!breaks_a_line);
        }
    }
}
