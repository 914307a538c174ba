//! Texts inside texts: percent-encoding, and the escapes of JSON strings.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode};

/// What a query value may have as it is; brackets too, so that `[redacted]` can be read.
pub(crate) const VALUE_SAFE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'[')
    .remove(b']')
    .remove(b'/')
    .remove(b':')
    .remove(b'@')
    .remove(b'$')
    .remove(b',')
    .remove(b'!')
    .remove(b'(')
    .remove(b')')
    .remove(b'*');

/// How often a name is decoded: `%2570assword` is what a careless client makes of `password`.
const MOST_ROUNDS: usize = 3;

/// A value of a query or a form: `+` is a space, `%41` is `A`.
pub(crate) fn form_decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'+') {
        return percent_decode(text).into();
    }
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::Owned(percent_decode(&spaced).collect())
}

/// A name, decoded until nothing is left to decode.
pub(crate) fn name_decoded(text: &[u8]) -> Cow<'_, [u8]> {
    let mut name = Cow::Borrowed(text);
    for _ in 0..MOST_ROUNDS {
        if !name.contains(&b'%') {
            break;
        }
        name = Cow::Owned(percent_decode(&name).collect());
    }
    name
}

/// Whether an escape stands at the beginning.
pub(crate) fn starts_with_escape(text: &[u8]) -> bool {
    matches!(text, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// The text of a JSON string between its quotes. What is no escape stays as it is.
pub(crate) fn json_unescaped(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len());
    let mut rest = content;
    while let Some(stop) = rest.iter().position(|byte| *byte == b'\\') {
        let (plain, from) = rest.split_at(stop);
        out.extend_from_slice(plain);
        rest = match from {
            [b'\\', b'u', ..] => unicode_escape(from, &mut out),
            [b'\\', escaped, after @ ..] => {
                out.push(match escaped {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'b' => 0x08,
                    b'f' => 0x0c,
                    other => *other,
                });
                after
            }
            // A backslash cut off by the end.
            _ => &[],
        };
    }
    out.extend_from_slice(rest);
    out
}

/// `\u0070`, or a pair of surrogates; gives back what follows. Of a broken or cut one the backslash is dropped.
fn unicode_escape<'t>(from: &'t [u8], out: &mut Vec<u8>) -> &'t [u8] {
    let unit = |text: &[u8]| {
        let digits = text.strip_prefix(b"\\u")?.get(..4)?;
        u32::from_str_radix(std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?, 16).ok()
    };
    let Some(first) = unit(from) else { return from.get(1..).unwrap_or_default() };
    let after = from.get(6..).unwrap_or_default();
    let (code, rest) = match (first, unit(after)) {
        (0xD800..=0xDBFF, Some(second @ 0xDC00..=0xDFFF)) => {
            let code = (first & 0x3FF) << 10 | (second & 0x3FF);
            (code.saturating_add(0x1_0000), after.get(6..).unwrap_or_default())
        }
        _ => (first, after),
    };
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    rest
}

/// Appends a text as the inside of a JSON string.
pub(crate) fn json_escaped(text: &[u8], out: &mut Vec<u8>) {
    const HEX: [u8; 16] = *b"0123456789abcdef";

    let hex = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 0x0f)]),
            other => out.push(*other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_escapes_are_undone() {
        let cases = [
            (r"\u0070assword", "password"),
            (r#"a\"b\\c\/d\n"#, "a\"b\\c/d\n"),
            (r"\ud83d\ude00", "\u{1f600}"),
            (r"\ud83d", "\u{fffd}"),
            (r"\u00", "u00"),
            (r"\u+123", "u+123"),
            ("a\\", "a"),
        ];

        for (content, text) in cases {
            assert_eq!(String::from_utf8_lossy(&json_unescaped(content.as_bytes())), text, "{content}");
        }
    }

    #[test]
    fn names_are_decoded_through_all_layers() {
        assert_eq!(name_decoded(b"%70assword").as_ref(), b"password");
        assert_eq!(name_decoded(b"%2570assword").as_ref(), b"password");
        assert_eq!(name_decoded(b"100%").as_ref(), b"100%");
        assert_eq!(form_decoded(b"a+b%2Bc").as_ref(), b"a b+c");
    }

    proptest::proptest! {
        #[test]
        fn what_is_escaped_is_read_back(text in ".*") {
            let mut escaped = Vec::new();
            json_escaped(text.as_bytes(), &mut escaped);
            let json = [b"\"", escaped.as_slice(), b"\""].concat();

            proptest::prop_assert_eq!(&serde_json::from_slice::<String>(&json).unwrap(), &text);
            proptest::prop_assert_eq!(json_unescaped(&escaped), text.into_bytes());
        }
    }
}
