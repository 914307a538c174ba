//! Which names say that their value is a secret.
//!
//! A name is judged by its words, not by what it contains: `author` and `monkey` are harmless, `X-Acme-AuthToken` and
//! `apikeys` are not. How far the judgement reaches depends on the place, for the same word is a credential in a header
//! and an everyday key in a JSON body (`{"key":"color"}`).
//!
//! Source: the lists of Sentry, OpenTelemetry, Datadog, Elastic and of HAR sanitizers, joined; what they have that
//! catches harmless names is left out, and why stands at the rule.

use crate::{
    memo,
    words::{Small, Words},
};
use lists::{HARMLESS_HEADERS, Kind, LISTED_HEADERS, ends_in_known, kind_of_singular};

mod lists;

/// Where a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// A header or trailer.
    Header,
    /// A name in the query of a URL.
    Query,
    /// A field of a form, or a `name=value` in a text.
    Form,
    /// A JSON key, an XML element.
    Json,
}

/// What a name says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// Nothing.
    Harmless,
    /// Its text is a secret; what is nested below it is judged by its own names, and a number is none.
    Text,
    /// All below it is secret.
    All,
}

/// The judgement on a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    /// The shortest value that is masked, in bytes: `?code=DE` is a country, not an OAuth code.
    pub(crate) min_len: usize,
    /// The name is a plural whose number is a count: `{"tokens":512}`.
    pub(crate) counts: bool,
}

impl Judged {
    pub(crate) const HARMLESS: Judged = Judged { verdict: Verdict::Harmless, min_len: 0, counts: false };
    pub(crate) const TEXT: Judged = Judged { verdict: Verdict::Text, ..Judged::HARMLESS };
    pub(crate) const ALL: Judged = Judged { verdict: Verdict::All, ..Judged::HARMLESS };

    /// Whether a value of this length is masked.
    pub(crate) fn masks(&self, len: usize) -> bool {
        self.verdict > Verdict::Harmless && len >= self.min_len
    }
}

/// Names of the configuration, as words in small letters.
pub(crate) type OwnName = Vec<Vec<u8>>;

/// The names of the configuration; the built-in ones need no state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// A name with these words in a row is sensitive.
    pub(crate) extra: Vec<OwnName>,
    /// A name of exactly these words is not, unless it is sensitive whatever is configured.
    pub(crate) allow: Vec<OwnName>,
    /// The only headers whose values are shown, in small letters; `None`: all that are not sensitive.
    pub(crate) only_headers: Option<Vec<String>>,
}

/// Headers that say what a body is: without them it can be neither decoded nor masked as what it is.
const ABOUT_BODIES: [&[u8]; 4] = [b"content-type", b"content-encoding", b"content-length", b"grpc-encoding"];

/// A name as words in small letters; empty if it has none.
pub(crate) fn own_name(name: &str) -> OwnName {
    Words::of(name.as_bytes()).map(<[u8]>::to_ascii_lowercase).collect()
}

/// Whether no configuration can free this name.
pub(crate) fn is_sensitive_always(name: &str) -> bool {
    built_in(name.as_bytes(), Field::Json).verdict == Verdict::All
        || LISTED_HEADERS.contains(&name.to_ascii_lowercase().as_bytes())
}

/// Whether no configuration can show the value of this header.
pub(crate) fn is_sensitive_header(lower: &str) -> bool {
    built_in(lower.as_bytes(), Field::Header).verdict > Verdict::Harmless
}

impl Names {
    /// As [`judge`](Self::judge), for what may as well be a number, a date or a time: these cost a glance.
    pub(crate) fn judge_spelled(&self, name: &[u8], field: Field) -> Judged {
        // No built-in name has fewer than two letters.
        let is_spelled = name.iter().filter(|byte| byte.is_ascii_alphabetic()).nth(1).is_some();
        if is_spelled || !self.extra.is_empty() { self.judge(name, field) } else { Judged::HARMLESS }
    }

    /// Whether the value of a header, whose name is in small letters, may be shown if nothing in it is secret.
    pub(crate) fn shows_header(&self, lower: &[u8]) -> bool {
        let is_listed = |only: &Vec<String>| only.iter().any(|listed| listed.as_bytes() == lower);
        self.only_headers.as_ref().is_none_or(is_listed) || ABOUT_BODIES.contains(&lower)
    }

    pub(crate) fn judge(&self, name: &[u8], field: Field) -> Judged {
        let judged = memo::judged(name, field, built_in);
        if judged.verdict == Verdict::All || (self.extra.is_empty() && self.allow.is_empty()) {
            return judged;
        }
        // What a header is named after its words is sensitive for good; in other places such a word may be harmless.
        if judged.verdict == Verdict::Text && field == Field::Header {
            return judged;
        }
        if self.allow.iter().any(|own| is_made_of(name, own)) {
            return Judged::HARMLESS;
        }
        if self.extra.iter().any(|own| has_in_a_row(name, own)) { Judged::ALL } else { judged }
    }
}

fn is_made_of(name: &[u8], own: &OwnName) -> bool {
    let mut words = Words::of(name);
    own.iter().all(|own| words.next().is_some_and(|word| word.eq_ignore_ascii_case(own))) && words.next().is_none()
}

fn has_in_a_row(name: &[u8], own: &OwnName) -> bool {
    let mut from = Words::of(name);
    loop {
        let mut words = from.clone();
        if own.iter().all(|own| words.next().is_some_and(|word| word.eq_ignore_ascii_case(own))) {
            return true;
        }
        if from.next().is_none() {
            return false;
        }
    }
}

fn built_in(name: &[u8], field: Field) -> Judged {
    if field == Field::Header {
        if HARMLESS_HEADERS.contains(&name) {
            return Judged::HARMLESS;
        }
        if LISTED_HEADERS.contains(&name) {
            return Judged::ALL;
        }
    }
    let by_words = by_words(name, field);
    if by_words.verdict == Verdict::All || field == Field::Header {
        return by_words;
    }
    let Some(squashed) = Small::squashed(name) else { return by_words };
    // `PassWord`, `pASSword`: words that are none.
    if by_words == Judged::HARMLESS && ends_in_known(squashed.as_bytes()) {
        return Judged::ALL;
    }
    let listed = listed(squashed.as_bytes(), field);
    if listed.verdict > by_words.verdict { listed } else { by_words }
}

fn by_words(name: &[u8], field: Field) -> Judged {
    let mut judged = Judged::HARMLESS;
    let mut before = Kind::Plain;
    for word in Words::of(name) {
        let (kind, plural) = kind_of(&Small::of(word));
        let found = match kind {
            Kind::Secret => Judged::ALL,
            Kind::Countable => Judged { counts: plural, ..Judged::ALL },
            Kind::Key if before == Kind::OfKey => Judged { counts: plural, ..Judged::ALL },
            Kind::Certificate if before == Kind::Client => Judged::ALL,
            Kind::Maybe => Judged::TEXT,
            // A body full of `key` is a body of names: keys of maps, of tables, of caches.
            Kind::Key if before != Kind::Public && matches!(field, Field::Header | Field::Query) => Judged::TEXT,
            // A header is never "about" a credential in a way worth the risk.
            Kind::About if field != Field::Header => {
                judged = Judged::HARMLESS;
                Judged::HARMLESS
            }
            _ => Judged::HARMLESS,
        };
        if found.verdict >= judged.verdict && found.verdict > Verdict::Harmless {
            judged = found;
        }
        before = kind;
    }
    judged
}

/// The kind of a word, and whether it is a plural.
fn kind_of(word: &Small) -> (Kind, bool) {
    let kind = kind_of_singular(word.as_bytes());
    if kind != Kind::Plain {
        return (kind, false);
    }
    let plural = word.singular().map_or(Kind::Plain, kind_of_singular);
    (plural, plural != Kind::Plain)
}

/// Names that are secret as a whole, squashed. Generic ones only when the value is long enough for a credential.
fn listed(name: &[u8], field: Field) -> Judged {
    const CREDENTIAL_LEN: usize = 16;

    let long = Judged { min_len: CREDENTIAL_LEN, ..Judged::TEXT };
    match (name, field) {
        (
            b"pass" | b"userpass" | b"dbpass" | b"pw" | b"pin" | b"codeverifier" | b"devicecode" | b"verificationcode",
            _,
        )
        | (b"securitycode" | b"recoverycode" | b"recoverycodes" | b"backupcodes", _) => Judged::ALL,
        (b"code" | b"assertion" | b"clientassertion", Field::Query | Field::Form) => long,
        // Those that open links: signed URLs (OpenTelemetry's list), single sign-on (the list of HAR sanitizers).
        (b"state" | b"challenge" | b"codechallenge" | b"nonce", Field::Query) => long,
        (
            b"email" | b"clientid" | b"appid" | b"facetid" | b"fcparams" | b"serverdata" | b"shdf" | b"usg",
            Field::Query,
        )
        | (b"vses2" | b"xclientdata" | b"sv" | b"se" | b"sp", Field::Query) => Judged::TEXT,
        _ => Judged::HARMLESS,
    }
}

#[cfg(test)]
mod tests;
