//! Pairs of a query or a form: `name=value&name=value`.

use std::ops::Range;

use crate::{
    encoding::{form_decoded, name_decoded},
    masker::{End, Masker, Style, encode_value},
    names::Field,
    redactor::Redactor,
};

/// A decoded value of a query, masked, and how much; `None`: there is nothing to mask.
pub(crate) fn masked_value(rules: &Redactor, name: &str, value: &str) -> Option<(String, u64)> {
    let mut masker = Masker::new(rules, value.as_bytes(), Style::Words);
    let whole = 0..value.len();
    if rules.names.judge(&name_decoded(name.as_bytes()), Field::Query).masks(value.len()) {
        masker.mask(whole, value.as_bytes());
    } else {
        masker.value(whole, End::Whole);
    }
    let masked = masker.finish()?;
    Some((String::from_utf8_lossy(&masked.bytes).into_owned(), masked.count))
}

impl Masker<'_, '_> {
    /// Masks by name, and where the name is harmless by what the decoded value says.
    pub(crate) fn pairs(&mut self, place: Range<usize>, field: Field, end: End) {
        let mut start = place.start;
        while start < place.end {
            let rest = self.at(&(start..place.end));
            let len = rest.iter().position(|byte| *byte == b'&').unwrap_or(rest.len());
            let stop = start.saturating_add(len);
            self.one_pair(start..stop, field, if stop == place.end { end } else { End::Whole });
            start = stop.saturating_add(1);
        }
    }

    fn one_pair(&mut self, place: Range<usize>, field: Field, end: End) {
        let pair = self.at(&place);
        let Some(equals) = pair.iter().position(|byte| *byte == b'=') else {
            return self.pair_value(place, end);
        };
        let (name, value) = pair.split_at(equals);
        let start = place.start.saturating_add(equals).saturating_add(1);
        let value = value.get(1..).unwrap_or_default();
        let judged = self.rules.names.judge(&name_decoded(name), field);
        let text = form_decoded(value);
        if judged.masks(text.len()) {
            self.mask(start..place.end, &text);
        } else {
            self.pair_value(start..place.end, end);
        }
    }

    fn pair_value(&mut self, place: Range<usize>, end: End) {
        let raw = self.at(&place);
        if raw.iter().any(|byte| matches!(byte, b'%' | b'+')) {
            let _ = self.decoded(place, &form_decoded(raw), end, encode_value);
        } else {
            self.value(place, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        masker::{End, Masker, Style},
        names::Field,
        redactor::Redactor,
    };

    fn masked(pairs: &str, field: Field) -> String {
        let rules = Redactor::default();
        let mut masker = Masker::new(&rules, pairs.as_bytes(), Style::Words);
        masker.pairs(0..pairs.len(), field, End::Whole);
        masker.finish().map_or(pairs.to_owned(), |masked| String::from_utf8(masked.bytes).unwrap())
    }

    #[test]
    fn values_of_sensitive_names_are_masked_and_nothing_else() {
        let cases = [
            ("page=2&token=s3cret&x=%41", "page=2&token=[redacted]&x=%41"),
            ("%74oken=a&TOKEN=b&%2574oken=c&token=", "%74oken=[redacted]&TOKEN=[redacted]&%2574oken=[redacted]&token="),
            ("user%5Bpassword%5D=a+b", "user%5Bpassword%5D=[redacted]"),
            ("token", "token"),
            ("&&a==&=b", "&&a==&=b"),
            ("token=[redacted]&token=%5Bredacted%5D", "token=[redacted]&token=%5Bredacted%5D"),
            ("next=%2Fcb%3Ftoken%3Ds3cret%26a%3D1", "next=/cb%3Ftoken%3D[redacted]%26a%3D1"),
            ("filter=%7B%22password%22%3A%22x%22%7D", "filter=%7B%22password%22:%22[redacted]%22%7D"),
            ("h=Bearer+abc.def-123", "h=Bearer%20[redacted]"),
            ("q=a+b%20c", "q=a+b%20c"),
            ("code=DE&code=4/0AbCdEfGhIjKlMnOp", "code=DE&code=[redacted]"),
        ];

        for (given, expected) in cases {
            assert_eq!(masked(given, Field::Query), expected);
        }
    }

    #[test]
    fn a_form_has_no_names_that_only_links_have() {
        assert_eq!(masked("email=a@b&key=color&password=x", Field::Form), "email=a@b&key=color&password=[redacted]");
    }
}
