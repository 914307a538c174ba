//! The words and headers that say something, and what.

/// What a word says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
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

pub(super) fn kind_of_singular(word: &[u8]) -> Kind {
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
pub(super) fn ends_in_known(word: &[u8]) -> bool {
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
pub(super) const LISTED_HEADERS: [&[u8]; 7] = [
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
pub(super) const HARMLESS_HEADERS: [&[u8]; 8] = [
    b"idempotency-key",
    b"x-idempotency-key",
    b"sec-websocket-key",
    b"access-control-allow-credentials",
    b"surrogate-key",
    b"cache-key",
    b"x-cache-key",
    b"accept-signature",
];
