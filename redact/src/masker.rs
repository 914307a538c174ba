//! A text in which secrets are replaced as they are found, from its beginning to its end.
//!
//! Nothing is copied before the first secret. Whoever finds one says which bytes of the source it takes
//! ([`Masker::mask`]); the form of what stands there instead is decided here.

use std::ops::Range;

use percent_encoding::percent_encode;

use crate::{REDACTED, encoding::VALUE_SAFE, redactor::Redactor, token::is_token};

/// [`REDACTED`] where brackets may not stand: in the path and the user of a URL.
pub(crate) const REDACTED_IN_URL: &str = "%5Bredacted%5D";

/// Texts inside texts that are looked into: JSON in a JSON string, a text in base64, a decoded query value.
const MOST_NESTED: u8 = 3;

/// What a text may grow by beside its own length, in bytes. A mask is longer than many a secret: `[1,1,1]` below a
/// sensitive key becomes six times as long, and with a key sixteen times.
const MOST_GROWTH: usize = 65_536;

/// Whether the end of a text is its end, or the limit up to which it was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing follows.
    Whole,
    /// More followed: what could be the beginning of a secret there is one.
    Cut,
}

/// How a secret is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// By [`REDACTED`] or a token.
    Words,
    /// By as many `*`: in bytes whose lengths mean something (protobuf).
    Stars,
}

/// A text that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Masked {
    /// What stands for the text; [`REDACTED`] if it would have grown too much.
    pub(crate) bytes: Vec<u8>,
    /// Whether it would have.
    pub(crate) is_too_long: bool,
    /// Secrets that were replaced.
    pub(crate) count: u64,
}

/// See the module.
pub(crate) struct Masker<'r, 's> {
    pub(crate) rules: &'r Redactor,
    pub(crate) source: &'s [u8],
    style: Style,
    nested: u8,
    /// What is masked stands in the path of a URL.
    pub(crate) is_path: bool,
    out: Vec<u8>,
    /// How much of the source is in `out`, or replaced there.
    copied: usize,
    count: u64,
    /// More bytes than this may not stand for the source.
    most: usize,
    is_too_long: bool,
}

impl<'r, 's> Masker<'r, 's> {
    pub(crate) fn new(rules: &'r Redactor, source: &'s [u8], style: Style) -> Masker<'r, 's> {
        let most = source.len().saturating_mul(2).saturating_add(MOST_GROWTH);
        Masker {
            rules,
            source,
            style,
            nested: 0,
            is_path: false,
            out: Vec::new(),
            copied: 0,
            count: 0,
            most,
            is_too_long: false,
        }
    }

    /// What was masked; `None`: nothing.
    pub(crate) fn finish(mut self) -> Option<Masked> {
        if self.count == 0 {
            return None;
        }
        if self.is_too_long {
            return Some(Masked { bytes: REDACTED.into(), is_too_long: true, count: self.count });
        }
        self.out.extend_from_slice(self.source.get(self.copied..).unwrap_or_default());
        Some(Masked { bytes: self.out, is_too_long: false, count: self.count })
    }

    /// The bytes of a place; none if it is no place in the source.
    pub(crate) fn at(&self, place: &Range<usize>) -> &'s [u8] {
        self.source.get(place.clone()).unwrap_or_default()
    }

    /// Up to where the source is settled: nothing before it can be replaced any more.
    pub(crate) fn settled(&self) -> usize {
        self.copied
    }

    /// Secrets that were replaced so far.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// A new masker of the same kind, for another source in the place of this one.
    pub(crate) fn again<'t>(&self, source: &'t [u8]) -> Masker<'r, 't> {
        Masker { nested: self.nested, ..Masker::new(self.rules, source, self.style) }
    }

    /// A masker for a text that was decoded out of this one; `None`: that is nested too deep to be looked into.
    pub(crate) fn inner<'t>(&self, source: &'t [u8]) -> Option<Masker<'r, 't>> {
        let nested = self.nested.checked_add(1).filter(|nested| *nested <= MOST_NESTED)?;
        Some(Masker { nested, ..Masker::new(self.rules, source, Style::Words) })
    }

    /// Puts what stands for `secret` into its place. An empty secret, and what was masked before, is left as it is.
    ///
    /// The word of an authentication scheme in front (`Bearer …`) stays: it tells how to log in, not who does.
    pub(crate) fn mask(&mut self, place: Range<usize>, secret: &[u8]) {
        if self.is_path {
            return self.mask_in_url(place, secret);
        }
        if secret.is_empty() || is_masked(secret) {
            return;
        }
        let scheme = if self.at(&place) == secret { scheme_len(secret) } else { 0 };
        let (scheme, secret) = secret.split_at_checked(scheme).unwrap_or((b"", secret));
        if is_masked(secret) {
            return;
        }
        let mut text = scheme.to_vec();
        self.rules.stand_in(secret, REDACTED, &mut text);
        self.replace(place, &text, 1);
    }

    /// The same inside a URL, before its query.
    pub(crate) fn mask_in_url(&mut self, place: Range<usize>, secret: &[u8]) {
        if !secret.is_empty() && !is_masked(secret) {
            let mut text = Vec::new();
            self.rules.stand_in(secret, REDACTED_IN_URL, &mut text);
            self.replace(place, &text, 1);
        }
    }

    /// The same where a JSON value stands that is no string.
    pub(crate) fn mask_quoted(&mut self, place: Range<usize>, secret: &[u8]) {
        let mut text = b"\"".to_vec();
        self.rules.stand_in(secret, REDACTED, &mut text);
        text.push(b'"');
        self.replace(place, &text, 1);
    }

    /// Replaces a place by a text in which `count` secrets were masked. Places come in order; of one that reaches back
    /// behind the last, the rest is replaced.
    pub(crate) fn replace(&mut self, place: Range<usize>, with: &[u8], count: u64) {
        let start = place.start.max(self.copied);
        let end = place.end.max(start);
        self.is_too_long |= self.out.len().saturating_add(with.len()) > self.most;
        if self.is_too_long {
            self.out = Vec::new();
            self.copied = end;
            self.count = self.count.saturating_add(count);
            return;
        }
        self.out.extend_from_slice(self.source.get(self.copied..start).unwrap_or_default());
        match self.style {
            Style::Words => self.out.extend_from_slice(with),
            Style::Stars => self.out.resize(self.out.len().saturating_add(end.saturating_sub(start)), b'*'),
        }
        self.copied = end;
        self.count = self.count.saturating_add(count);
    }

    /// Looks at what a place says when decoded; if there are secrets in it, the place is written anew.
    pub(crate) fn decoded(
        &mut self,
        place: Range<usize>,
        text: &[u8],
        end: End,
        encode: impl FnOnce(&[u8], &mut Vec<u8>),
    ) -> Found {
        let Some(mut inner) = self.inner(text) else { return Found::Nothing };
        inner.value(0..text.len(), end);
        let Some(masked) = inner.finish() else { return Found::Nothing };
        let mut encoded = Vec::with_capacity(masked.bytes.len());
        encode(&masked.bytes, &mut encoded);
        self.replace(place, &encoded, masked.count);
        Found::Secret
    }
}

/// Whether there was something to mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Secret,
    Nothing,
}

/// Percent-encodes a masked text; the brackets of `[redacted]` stay.
pub(crate) fn encode_value(text: &[u8], out: &mut Vec<u8>) {
    percent_encode(text, VALUE_SAFE).for_each(|part| out.extend_from_slice(part.as_bytes()));
}

/// Whether the text is what stands for a secret, as this crate writes it.
pub(crate) fn is_masked(text: &[u8]) -> bool {
    text == REDACTED.as_bytes()
        || text.eq_ignore_ascii_case(REDACTED_IN_URL.as_bytes())
        || is_token(text)
        || text.iter().all(|byte| *byte == b'*')
}

/// Whether what stands for a secret begins here, where no token does: those are made of the characters of credentials.
pub(crate) fn starts_masked(text: &[u8]) -> bool {
    let in_url =
        || text.get(..REDACTED_IN_URL.len()).is_some_and(|text| text.eq_ignore_ascii_case(REDACTED_IN_URL.as_bytes()));
    text.starts_with(REDACTED.as_bytes()) || text.starts_with(b"*") || in_url()
}

/// The length of a scheme's word with its space, 0 if there is none.
///
/// Source: IANA, "HTTP Authentication Scheme Registry", and those that clouds use.
fn scheme_len(value: &[u8]) -> usize {
    const SCHEMES: [&str; 19] = [
        "basic",
        "bearer",
        "digest",
        "dpop",
        "gnap",
        "hoba",
        "mutual",
        "negotiate",
        "ntlm",
        "privatetoken",
        "scram-sha-1",
        "scram-sha-256",
        "vapid",
        "apikey",
        "token",
        "hawk",
        "signature",
        "aws4-hmac-sha256",
        "sharedkey",
    ];
    let Some(space) = value.iter().take(20).position(|byte| *byte == b' ') else { return 0 };
    let word = value.get(..space).unwrap_or_default();
    let spaces = value.iter().skip(space).take_while(|byte| **byte == b' ').count();
    let len = space.saturating_add(spaces);
    let is_scheme = SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme.as_bytes()));
    if is_scheme && len < value.len() { len } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_secret_is_known_again() {
        for masked in ["[redacted]", "%5Bredacted%5D", "%5bredacted%5d", "tok_abcdefghijklmnopqrstuvwxyz", "*****"] {
            assert!(is_masked(masked.as_bytes()), "{masked}");
        }
        for other in ["[redacted", "x[redacted]", "tok_", "tok_1", "**x"] {
            assert!(!is_masked(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_scheme_is_a_known_word_with_something_behind_it() {
        let cases = [("Bearer x", 7), ("basic   x", 8), ("Bearer", 0), ("Bearer ", 0), ("hunter 2", 0), ("", 0)];

        for (value, len) in cases {
            assert_eq!(scheme_len(value.as_bytes()), len, "{value}");
        }
    }
}
