//! `cookie` and `set-cookie`: every value goes, names and attributes stay.
//!
//! Which cookie is a session only its server knows, so none is harmless. A piece without `=` may be a value that lost
//! its name: it goes as a whole.

use crate::masker::Masker;

/// Attributes that tell how a cookie is kept (RFC 6265bis §4.1.2).
const ATTRIBUTES: [&str; 9] =
    ["expires", "max-age", "domain", "path", "secure", "httponly", "samesite", "partitioned", "priority"];

impl Masker<'_, '_> {
    /// The whole source as the value of `cookie`.
    pub(crate) fn cookie(&mut self) {
        self.pieces(|_, _| false);
    }

    /// The whole source as the value of `set-cookie`: the first piece is the cookie.
    pub(crate) fn set_cookie(&mut self) {
        self.pieces(|index, name| {
            index > 0 && ATTRIBUTES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
        });
    }

    fn pieces(&mut self, stays: impl Fn(usize, &[u8]) -> bool) {
        let mut start = 0usize;
        for (index, piece) in self.source.split(|byte| *byte == b';').enumerate() {
            let spaces = piece.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let text = piece.trim_ascii();
            let text_start = start.saturating_add(spaces);
            start = start.saturating_add(piece.len()).saturating_add(1);
            let equals = text.iter().position(|byte| *byte == b'=');
            let (name, value) = text.split_at(equals.unwrap_or(0));
            if stays(index, if equals.is_some() { name.trim_ascii() } else { text }) {
                continue;
            }
            let sign = usize::from(equals.is_some());
            let value = value.get(sign..).unwrap_or_default();
            let value_start = text_start.saturating_add(name.len()).saturating_add(sign);
            self.mask(value_start..value_start.saturating_add(value.len()), value.trim_ascii());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        masker::{Masker, Style},
        redactor::Redactor,
    };

    fn masked(value: &str, read: fn(&mut Masker<'_, '_>)) -> String {
        let rules = Redactor::default();
        let mut masker = Masker::new(&rules, value.as_bytes(), Style::Words);
        read(&mut masker);
        masker.finish().map_or(value.to_owned(), |masked| String::from_utf8(masked.bytes).unwrap())
    }

    #[test]
    fn every_cookie_loses_its_value_and_keeps_its_name() {
        let cases = [
            ("a=1; theme=dark", "a=[redacted]; theme=[redacted]"),
            ("a=\"x;y\"", "a=[redacted];[redacted]"),
            ("s3cret; a=b=c", "[redacted]; a=[redacted]"),
            ("=s3cret;;a=; b", "=[redacted];;a=; [redacted]"),
            ("a=[redacted]; b=tok_abcdefghijklmnopqrstuvwxyz", "a=[redacted]; b=tok_abcdefghijklmnopqrstuvwxyz"),
            ("", ""),
        ];

        for (given, expected) in cases {
            assert_eq!(masked(given, |masker| masker.cookie()), expected);
        }
    }

    #[test]
    fn attributes_stay() {
        let cases = [
            (
                "sid=s3cret; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT; HttpOnly; SameSite=Lax; Max-Age = 3",
                "sid=[redacted]; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT; HttpOnly; SameSite=Lax; Max-Age = 3",
            ),
            ("path=s3cret; path=/; note=x; s3cret", "path=[redacted]; path=/; note=[redacted]; [redacted]"),
            ("s3cret", "[redacted]"),
        ];

        for (given, expected) in cases {
            assert_eq!(masked(given, |masker| masker.set_cookie()), expected);
        }
    }
}
