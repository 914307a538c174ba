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
}

/// A name as words in small letters; empty if it has none.
pub(crate) fn own_name(name: &str) -> OwnName {
    Words::of(name.as_bytes()).map(<[u8]>::to_ascii_lowercase).collect()
}

/// Whether no configuration can free this name.
pub(crate) fn is_sensitive_always(name: &str) -> bool {
    built_in(name.as_bytes(), Field::Json).verdict == Verdict::All
        || LISTED_HEADERS.contains(&name.to_ascii_lowercase().as_bytes())
}

impl Names {
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

/// What a word says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// A secret by itself.
    Secret,
    /// The same, and its plural before a number is a count.
    Countable,
    /// A secret in a header; elsewhere often something else, so only its text counts.
    Maybe,
    Key,
    /// Makes the `key` behind it a secret.
    OfKey,
    /// Makes the `key` behind it none.
    Public,
    Client,
    Certificate,
    /// Behind a secret's word: it tells something about the secret, as in `token_type`.
    About,
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

/// The words, each with what it says.
const WORDS: [(&[u8], Kind); 109] = [
    (b"access", Kind::OfKey),
    (b"account", Kind::OfKey),
    (b"admin", Kind::OfKey),
    (b"aes", Kind::OfKey),
    (b"age", Kind::About),
    (b"alg", Kind::About),
    (b"algorithm", Kind::About),
    (b"api", Kind::OfKey),
    (b"app", Kind::OfKey),
    (b"application", Kind::OfKey),
    (b"at", Kind::About),
    (b"auth", Kind::Secret),
    (b"authorization", Kind::Secret),
    (b"bearer", Kind::Secret),
    (b"cert", Kind::Certificate),
    (b"certificate", Kind::Certificate),
    (b"client", Kind::Client),
    (b"consumer", Kind::OfKey),
    (b"cookie", Kind::Countable),
    (b"count", Kind::About),
    (b"cred", Kind::Secret),
    (b"credential", Kind::Countable),
    (b"csrf", Kind::Secret),
    (b"cvc", Kind::Secret),
    (b"cvv", Kind::Secret),
    (b"date", Kind::About),
    (b"decryption", Kind::OfKey),
    (b"deploy", Kind::OfKey),
    (b"description", Kind::About),
    (b"disabled", Kind::About),
    (b"duration", Kind::About),
    (b"enabled", Kind::About),
    (b"encryption", Kind::OfKey),
    (b"endpoint", Kind::About),
    (b"expiration", Kind::About),
    (b"expire", Kind::About),
    (b"expires", Kind::About),
    (b"expiry", Kind::About),
    (b"format", Kind::About),
    (b"function", Kind::OfKey),
    (b"gpg", Kind::OfKey),
    (b"hmac", Kind::Maybe),
    (b"identity", Kind::Maybe),
    (b"jwt", Kind::Secret),
    (b"key", Kind::Key),
    (b"len", Kind::About),
    (b"length", Kind::About),
    (b"licence", Kind::OfKey),
    (b"license", Kind::OfKey),
    (b"lifetime", Kind::About),
    (b"limit", Kind::About),
    (b"master", Kind::OfKey),
    (b"method", Kind::About),
    (b"name", Kind::About),
    (b"otp", Kind::Secret),
    (b"passcode", Kind::Secret),
    (b"passphrase", Kind::Secret),
    (b"passwd", Kind::Secret),
    (b"password", Kind::Secret),
    (b"passwort", Kind::Secret),
    (b"pgp", Kind::OfKey),
    (b"policy", Kind::About),
    (b"principal", Kind::Maybe),
    (b"private", Kind::OfKey),
    (b"public", Kind::Public),
    (b"pwd", Kind::Secret),
    (b"recovery", Kind::OfKey),
    (b"remaining", Kind::About),
    (b"required", Kind::About),
    (b"rsa", Kind::OfKey),
    (b"saml", Kind::Secret),
    (b"scheme", Kind::About),
    (b"scope", Kind::About),
    (b"secret", Kind::Countable),
    (b"service", Kind::OfKey),
    (b"sessid", Kind::Secret),
    (b"session", Kind::Countable),
    (b"shared", Kind::OfKey),
    (b"sid", Kind::Maybe),
    (b"sig", Kind::Maybe),
    (b"signature", Kind::Maybe),
    (b"signing", Kind::OfKey),
    (b"size", Kind::About),
    (b"ssh", Kind::OfKey),
    (b"ssl", Kind::OfKey),
    (b"sso", Kind::Secret),
    (b"status", Kind::About),
    (b"storage", Kind::OfKey),
    (b"strength", Kind::About),
    (b"subscription", Kind::OfKey),
    (b"supported", Kind::About),
    (b"time", Kind::About),
    (b"timeout", Kind::About),
    (b"title", Kind::About),
    (b"tls", Kind::OfKey),
    (b"token", Kind::Countable),
    (b"total", Kind::About),
    (b"totp", Kind::Secret),
    (b"ttl", Kind::About),
    (b"type", Kind::About),
    (b"uri", Kind::About),
    (b"url", Kind::About),
    (b"usage", Kind::About),
    (b"used", Kind::About),
    (b"vault", Kind::OfKey),
    (b"version", Kind::About),
    (b"wallet", Kind::OfKey),
    (b"webhook", Kind::OfKey),
    (b"xsrf", Kind::Secret),
];

/// By their first letter, the lengths of the words, as bits: nearly every other word is told from them by this alone.
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "computed by the compiler, which would say so"
)]
const LENGTHS: [u32; 256] = {
    let mut lengths = [0; 256];
    let mut at = 0;
    while at < WORDS.len() {
        let word = WORDS[at].0;
        lengths[word[0] as usize] |= 1 << word.len();
        at += 1;
    }
    lengths
};

fn kind_of_singular(word: &[u8]) -> Kind {
    let lengths = word.first().and_then(|first| LENGTHS.get(usize::from(*first))).copied().unwrap_or_default();
    if word.len() < 32
        && lengths & (1 << word.len()) != 0
        && let Some((_, kind)) = WORDS.iter().find(|(known, _)| *known == word)
    {
        return *kind;
    }
    if ends_in_secret(word) { Kind::Secret } else { Kind::Plain }
}

/// Words written without a gap, `accesstoken` and `JSESSIONID`.
fn ends_in_secret(word: &[u8]) -> bool {
    ends_in_known(word) || word.starts_with(b"password") && !word.starts_with(b"passwordles")
}

/// None of these ends an everyday word.
fn ends_in_known(word: &[u8]) -> bool {
    const ENDS: [&[u8]; 15] = [
        b"password",
        b"passwd",
        b"passphrase",
        b"secret",
        b"token",
        b"apikey",
        b"accesskey",
        b"secretkey",
        b"privatekey",
        b"authkey",
        b"signingkey",
        b"credential",
        b"sessionid",
        b"sessid",
        b"jwt",
    ];
    let may_end = matches!(
        word,
        [.., b'r' | b'w' | b'i', b'd']
            | [.., b's' | b'e', b'e' | b't' | b'n' | b'y']
            | [.., b'a', b'l']
            | [.., b'w', b't']
    );
    word.len() > 5 && may_end && ENDS.iter().any(|end| word.ends_with(end))
}

/// Headers that are sensitive although their words do not say so.
const LISTED_HEADERS: [&[u8]; 7] = [
    b"authentication-info",
    b"proxy-authentication-info",
    b"x-arr-clientcert",
    b"x-ms-client-principal",
    b"x-amzn-oidc-data",
    b"x-amzn-oidc-identity",
    b"ssl-client-cert",
];

/// Headers with a sensitive word that hold no credential.
///
/// `idempotency-key` is chosen anew for each call and is what tells a repeat from a second order; `sec-websocket-key` is
/// a nonce that authenticates nobody (RFC 6455 §10.3); the others name caches and rules.
const HARMLESS_HEADERS: [&[u8]; 8] = [
    b"idempotency-key",
    b"x-idempotency-key",
    b"sec-websocket-key",
    b"access-control-allow-credentials",
    b"surrogate-key",
    b"cache-key",
    b"x-cache-key",
    b"accept-signature",
];

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
