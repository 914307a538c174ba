//! A name cut into the words it is made of: `X-Acme-AuthToken2` is acme, auth, token … so that `author` is not `auth`.

/// The longest word that any rule has; of a longer one the end is looked at.
pub(crate) const LONGEST_WORD: usize = 24;

/// Iterates over the words of a name, in order, letters as they stand.
///
/// A word ends at what is neither letter nor digit, between letters and digits, before a capital behind a small letter
/// (`accessToken`), and before the last of several capitals if a small letter follows (`APIKey`). Bytes beyond ASCII are
/// letters.
#[derive(Clone, Debug)]
pub(crate) struct Words<'n> {
    rest: &'n [u8],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Lower,
    Upper,
    Digit,
    Other,
}

fn class_of(byte: u8) -> Class {
    match byte {
        b'a'..=b'z' | 0x80.. => Class::Lower,
        b'A'..=b'Z' => Class::Upper,
        b'0'..=b'9' => Class::Digit,
        _ => Class::Other,
    }
}

impl<'n> Words<'n> {
    pub(crate) fn of(name: &'n [u8]) -> Words<'n> {
        Words { rest: name }
    }
}

impl<'n> Iterator for Words<'n> {
    type Item = &'n [u8];

    fn next(&mut self) -> Option<&'n [u8]> {
        let start = self.rest.iter().position(|byte| class_of(*byte) != Class::Other)?;
        let from = self.rest.get(start..)?;
        let (word, rest) = from.split_at(word_len(from));
        self.rest = rest;
        Some(word)
    }
}

/// The length of the word at the beginning; at least 1 of bytes that are not empty.
fn word_len(from: &[u8]) -> usize {
    let mut classes = from.iter().map(|byte| class_of(*byte)).chain([Class::Other]).peekable();
    let Some(mut class) = classes.next() else { return 0 };
    let mut len = 1usize;
    while let Some(next) = classes.next() {
        let ends = match (class, next) {
            (Class::Upper, Class::Upper) => classes.peek() == Some(&Class::Lower),
            (Class::Upper, Class::Lower) => false,
            (class, next) => class != next,
        };
        if ends {
            break;
        }
        class = next;
        len = len.saturating_add(1);
    }
    len.min(from.len())
}

/// A word in small letters; of a longer one than [`LONGEST_WORD`] the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Small {
    bytes: [u8; LONGEST_WORD],
    len: usize,
}

impl Small {
    pub(crate) fn of(word: &[u8]) -> Small {
        let mut small = Small { bytes: [0; LONGEST_WORD], len: word.len().min(LONGEST_WORD) };
        let end = word.get(word.len().saturating_sub(LONGEST_WORD)..).unwrap_or_default();
        for (to, from) in small.bytes.iter_mut().zip(end) {
            *to = from.to_ascii_lowercase();
        }
        small
    }

    /// The letters and digits of a whole name, in small letters: `Access_Token` and `accessToken` are the same.
    /// `None`: it is longer than any rule.
    pub(crate) fn squashed(name: &[u8]) -> Option<Small> {
        let mut small = Small { bytes: [0; LONGEST_WORD], len: 0 };
        for byte in name.iter().filter(|byte| class_of(**byte) != Class::Other) {
            *small.bytes.get_mut(small.len)? = byte.to_ascii_lowercase();
            small.len = small.len.saturating_add(1);
        }
        Some(small)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Without the `s` of a plural.
    pub(crate) fn singular(&self) -> Option<&[u8]> {
        self.as_bytes().strip_suffix(b"s").filter(|word| word.len() > 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(name: &str) -> Vec<String> {
        Words::of(name.as_bytes()).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    #[test]
    fn names_are_cut_where_words_begin() {
        let cases: [(&str, &[&str]); 14] = [
            ("x-acme-auth-token", &["x", "acme", "auth", "token"]),
            ("accessToken", &["access", "Token"]),
            ("APIKey", &["API", "Key"]),
            ("apiKey2", &["api", "Key", "2"]),
            ("APIKEY", &["APIKEY"]),
            ("ApiKey", &["Api", "Key"]),
            ("user[password]", &["user", "password"]),
            ("connect.sid", &["connect", "sid"]),
            (":authority", &["authority"]),
            ("SAMLResponse", &["SAML", "Response"]),
            ("__Host-session__", &["Host", "session"]),
            ("gr\u{fc}ße", &["gr\u{fc}ße"]),
            ("a", &["a"]),
            ("--", &[]),
        ];

        for (name, expected) in cases {
            assert_eq!(words(name), expected, "{name}");
        }
    }

    #[test]
    fn a_long_name_has_all_its_words() {
        assert_eq!(words(&"a-".repeat(1_000)).len(), 1_000);
        assert_eq!(words(&"a".repeat(1_000)).len(), 1);
    }

    #[test]
    fn a_name_squashed_has_no_separators() {
        let squashed = |name: &str| Small::squashed(name.as_bytes()).map(|small| small.as_bytes().to_vec());

        assert_eq!(squashed("X-Amz_Credential"), Some(b"xamzcredential".to_vec()));
        assert_eq!(squashed(&"x".repeat(LONGEST_WORD)).map(|name| name.len()), Some(LONGEST_WORD));
        assert_eq!(squashed(&"x".repeat(LONGEST_WORD + 1)), None);
    }
}
