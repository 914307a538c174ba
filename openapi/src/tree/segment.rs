//! One segment of a path: an identifier, or a literal of some rank.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::{
    form::{Form, is_redacted},
    hash::hash,
};

/// What stands between two slashes.
pub(crate) enum Segment<'a> {
    /// An identifier, decoded.
    Identifier(Cow<'a, str>),
    /// A name, or something that cannot be told from one.
    Literal(Rank),
}

/// A literal, in the order in which literals are kept when there are too many: those that look most like a name first,
/// equals by their hash, which is as good as by lot, but the same in any order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Rank {
    class: Class,
    hash: u64,
    /// As it stands in the path: percent-encoded.
    pub(crate) text: Box<str>,
}

/// How much a literal looks like a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Class {
    /// A word that means one thing everywhere (`me`, `search`), a version, an empty segment.
    Known,
    /// One word.
    Word,
    /// Words without a digit.
    Words,
    /// Anything else.
    Other,
}

/// Words that are no identifier wherever they stand.
const KNOWN: [&str; 41] = [
    "active",
    "all",
    "archive",
    "available",
    "batch",
    "bulk",
    "check",
    "config",
    "count",
    "counts",
    "current",
    "default",
    "delete",
    "docs",
    "events",
    "export",
    "featured",
    "health",
    "history",
    "import",
    "info",
    "latest",
    "login",
    "logout",
    "me",
    "metadata",
    "metrics",
    "mine",
    "new",
    "popular",
    "query",
    "recent",
    "register",
    "search",
    "self",
    "settings",
    "stats",
    "status",
    "summary",
    "upload",
    "validate",
];

/// What may not stand in a path template as it is.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'{')
    .add(b'}')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'|')
    .add(b'?')
    .add(b'#');

impl<'a> Segment<'a> {
    /// Judges one segment, the `depth`th of its path.
    pub(crate) fn of(segment: &'a str, depth: usize) -> Segment<'a> {
        let decoded = percent_decode_str(segment).decode_utf8_lossy();
        let form = Form::of(&decoded);
        if !is_version(&decoded, form, depth) && (form.is_identifier() || is_redacted(&decoded)) {
            return Segment::Identifier(decoded);
        }
        Segment::Literal(Rank::of(segment, &decoded, form))
    }
}

impl Rank {
    fn of(segment: &str, decoded: &str, form: Form) -> Rank {
        let class = match form {
            _ if is_known(decoded) => Class::Known,
            Form::Word if decoded.len() <= 24 => Class::Word,
            Form::Slug if decoded.len() <= 40 && !decoded.bytes().any(|byte| byte.is_ascii_digit()) => Class::Words,
            _ => Class::Other,
        };
        let text: Cow<str> = utf8_percent_encode(segment, UNSAFE).into();
        Rank { class, hash: hash(&text), text: text.into() }
    }

    /// As the server reads it.
    pub(crate) fn decoded(&self) -> Cow<'_, str> {
        percent_decode_str(&self.text).decode_utf8_lossy()
    }

    /// Whether it means one thing wherever it stands.
    pub(crate) fn is_known(&self) -> bool {
        self.class == Class::Known
    }

    /// Whether a segment only stands in front of the names: `api`, `v2`.
    pub(crate) fn is_prefix(text: &str) -> bool {
        matches!(text, "api" | "rest" | "public" | "internal")
            || is_named_version(text)
            || text.bytes().all(|byte| !byte.is_ascii_alphabetic())
    }

    /// Whether it is one word.
    pub(crate) fn is_word(&self) -> bool {
        self.class <= Class::Word
    }

    /// Whether it is made of letters (and `-`, `_`) only.
    pub(crate) fn is_name(&self) -> bool {
        self.class < Class::Other
    }
}

fn is_known(text: &str) -> bool {
    text.is_empty() || KNOWN.binary_search(&text).is_ok() || is_named_version(text)
}

/// Whether a segment is a version, though it looks like an identifier: `v2`, `/2/tweets`, `/1.1/`, `/2010-04-01/`.
fn is_version(text: &str, form: Form, depth: usize) -> bool {
    match form {
        Form::Integer => depth == 0 && text.len() <= 2,
        Form::Date => depth == 0,
        Form::Decimal => depth <= 1 && text.len() <= 4,
        _ => is_named_version(text),
    }
}

/// `v1`, `v2.1`, `v1beta2`.
fn is_named_version(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['v', 'V']) else { return false };
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let number = digits(rest);
    let stage = rest.get(number..).unwrap_or_default();
    let words = ["alpha", "beta", "rc", "preview"];
    let after_stage = words.iter().find_map(|word| stage.strip_prefix(word)).unwrap_or(stage);
    rest.starts_with(|c: char| c.is_ascii_digit()) && number <= 6 && digits(after_stage) == after_stage.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_identifier(segment: &str, depth: usize) -> bool {
        matches!(Segment::of(segment, depth), Segment::Identifier(_))
    }

    #[test]
    fn the_known_words_are_sorted() {
        assert!(KNOWN.is_sorted());
    }

    #[test]
    fn versions_are_literals() {
        for version in ["v1", "V2", "v1.1", "v1beta1", "v1alpha10", "v2rc", "1.1", "2", "2010-04-01"] {
            assert!(!is_identifier(version, 0), "{version}");
        }
        for identifier in ["100", "0549a790-fe19-4e1b-ae15-2ab99a2c91ad", "tok_9f86"] {
            assert!(is_identifier(identifier, 0), "{identifier}");
        }
        for identifier in ["2", "2010-04-01", "kimmo%40example.com", "%5Bredacted%5D"] {
            assert!(is_identifier(identifier, 2), "{identifier}");
        }
    }

    #[test]
    fn what_would_break_a_template_is_encoded() {
        let Segment::Literal(rank) = Segment::of("a{b} c", 1) else { panic!("a literal") };

        assert_eq!(&*rank.text, "a%7Bb%7D%20c");
    }

    #[test]
    fn names_are_kept_before_slugs() {
        let rank = |segment| match Segment::of(segment, 1) {
            Segment::Literal(rank) => rank,
            Segment::Identifier(_) => panic!("{segment} is a literal"),
        };

        assert!(
            rank("me") < rank("orders") && rank("orders") < rank("order-items") && rank("order-items") < rank("top-10")
        );
    }
}
