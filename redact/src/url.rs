//! URLs: the user goes, the query is masked by name, and path segments by the rules of the configuration.

use std::ops::Range;

use percent_encoding::percent_decode;

use crate::{
    masker::{End, Masker},
    names::Field,
};

/// One segment of a [`PathRule`].
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// Is this, percent-encoded or not.
    Is(Vec<u8>),
    /// Is anything.
    Any,
    /// Is a secret.
    Secret,
}

/// `/reset/{secret}`: which segments of which paths are secrets.
///
/// A rule fits a path with the same number of segments. `*` is any segment, `{…}` one that is masked, and `/**` at the
/// end any number of further ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathRule {
    segments: Vec<Segment>,
    is_open: bool,
}

/// Bytes of a rule.
pub(crate) const MOST_RULE_BYTES: usize = 512;

impl PathRule {
    /// # Errors
    /// What is wrong with it, as half a sentence.
    pub(crate) fn read(text: &str) -> Result<PathRule, &'static str> {
        let rest = text.strip_prefix('/').ok_or("does not start with /")?;
        if text.len() > MOST_RULE_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("not at most 512 visible ASCII characters");
        }
        let (rest, is_open) = match rest.strip_suffix("/**") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let segments = rest.split('/').map(segment).collect::<Result<Vec<_>, _>>()?;
        if !segments.contains(&Segment::Secret) {
            return Err("has no {segment} that is masked");
        }
        Ok(PathRule { segments, is_open })
    }

    /// The places of the secrets in a path, if the rule fits.
    fn secrets(&self, path: &[u8]) -> Option<Vec<Range<usize>>> {
        let mut secrets = Vec::new();
        let mut start = 1usize;
        let mut parts = path.strip_prefix(b"/")?.split(|byte| *byte == b'/');
        for segment in &self.segments {
            let part = parts.next()?;
            let stop = start.saturating_add(part.len());
            match segment {
                Segment::Is(text) if !percent_decode(part).eq(text.iter().copied()) => return None,
                Segment::Secret => secrets.push(start..stop),
                Segment::Is(_) | Segment::Any => (),
            }
            start = stop.saturating_add(1);
        }
        // A slash at the end makes no other path.
        let fits = self.is_open || parts.next().is_none_or(<[u8]>::is_empty) && parts.next().is_none();
        fits.then_some(secrets)
    }
}

fn segment(text: &str) -> Result<Segment, &'static str> {
    match text {
        "*" => Ok(Segment::Any),
        _ if text.len() > 2 && text.starts_with('{') && text.ends_with('}') => Ok(Segment::Secret),
        _ if text.contains(['{', '}', '*', '?', '#']) => Err("has { } * ? or # inside a segment"),
        _ => Ok(Segment::Is(percent_decode(text.as_bytes()).collect())),
    }
}

impl Masker<'_, '_> {
    /// The whole source as a request target or a URL, absolute or not.
    pub(crate) fn target(&mut self, end: End) {
        let query = self.query_start();
        let path_end = if query == self.source.len() { end } else { End::Whole };
        self.pathname(0..query, path_end);
        if self.rules.settings().query {
            self.query(query, end);
        }
    }

    /// What stands behind the `?` or `#` at this place.
    pub(crate) fn query(&mut self, at: usize, end: End) {
        let stop = self.source.len();
        let mut start = at.saturating_add(1);
        while start < stop {
            let rest = self.at(&(start..stop));
            // A fragment may be a second query: that is how tokens come back from a login.
            let len = rest.iter().position(|byte| *byte == b'#').unwrap_or(rest.len());
            let part = start..start.saturating_add(len);
            start = part.end.saturating_add(1);
            self.pairs(part, Field::Query, end);
        }
    }

    /// Where `?` or `#` stands in the source; its length if there is none.
    pub(crate) fn query_start(&self) -> usize {
        self.source.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(self.source.len())
    }

    /// A path, maybe behind a scheme and a host: by the rules, by pairs in it (`;jsessionid=…`), by what it says.
    pub(crate) fn pathname(&mut self, place: Range<usize>, end: End) {
        self.is_path = true;
        let mut from = place.start;
        for secret in self.path_secrets(place.clone()) {
            self.scan(from..secret.start, End::Whole);
            from = secret.end;
            self.path_secret(secret);
        }
        self.scan(from..place.end, end);
        self.is_path = false;
    }

    /// The places in a path that the first fitting rule names; usually none.
    pub(crate) fn path_secrets(&self, place: Range<usize>) -> Vec<Range<usize>> {
        let path = self.at(&place);
        let secrets = self.rules.paths.iter().find_map(|rule| rule.secrets(path)).unwrap_or_default();
        let moved = |offset: usize| place.start.saturating_add(offset);
        secrets.into_iter().map(|secret| moved(secret.start)..moved(secret.end)).collect()
    }

    pub(crate) fn path_secret(&mut self, place: Range<usize>) {
        let text: Vec<u8> = percent_decode(self.at(&place)).collect();
        self.mask_in_url(place, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Settings, masker::Style, redactor::Redactor};

    fn masked(target: &str) -> String {
        let paths = ["/reset/{secret}", "/a/*/{x}/z", "/share/{x}/**"].map(str::to_owned).to_vec();
        let rules = Redactor::new(Settings { paths, ..Settings::default() }, None).unwrap();
        let mut masker = Masker::new(&rules, target.as_bytes(), Style::Words);
        masker.target(End::Whole);
        let once = masker.finish().map_or(target.to_owned(), |masked| String::from_utf8(masked.bytes).unwrap());
        let mut again = Masker::new(&rules, once.as_bytes(), Style::Words);
        again.target(End::Whole);
        assert_eq!(again.finish(), None, "{once}");
        once
    }

    #[test]
    fn targets_lose_what_is_secret_and_nothing_else() {
        let cases = [
            ("/users?page=2", "/users?page=2"),
            (
                "/users?token=a&x=1#access_token=b&state=1",
                "/users?token=[redacted]&x=1#access_token=[redacted]&state=1",
            ),
            ("/reset/s3cret", "/reset/%5Bredacted%5D"),
            ("/re%73et/s3cret/", "/re%73et/%5Bredacted%5D/"),
            ("/reset/a/b", "/reset/a/b"),
            ("/a/1/s3/z?q=1", "/a/1/%5Bredacted%5D/z?q=1"),
            ("/share/s3/b/c", "/share/%5Bredacted%5D/b/c"),
            ("/p;jsessionid=s3cret/q", "/p;jsessionid=%5Bredacted%5D"),
            ("/verify/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "/verify/%5Bredacted%5D"),
            ("https://kimmo:pw@host:8/reset/s3?a=1", "https://%5Bredacted%5D@host:8/reset/%5Bredacted%5D?a=1"),
            ("http://host/a@b", "http://host/a@b"),
            ("*", "*"),
            ("", ""),
        ];

        for (given, expected) in cases {
            assert_eq!(masked(given), expected);
        }
    }

    #[test]
    fn rules_that_mask_nothing_or_say_nothing_are_refused() {
        for rule in
            ["", "reset/{x}", "/reset", "/a{x}", "/{}", "/a?b/{x}", "/\u{e9}/{x}", &format!("/{{{}}}", "x".repeat(512))]
        {
            assert!(PathRule::read(rule).is_err(), "{rule}");
        }
    }
}
