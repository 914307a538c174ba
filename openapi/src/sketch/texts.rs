//! What is kept of many texts: how many, of which forms, and the distinct ones while they are few.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::form::{Form, is_redacted};

/// Distinct values that are remembered; with one more, none is.
pub(crate) const MAX_FEW: usize = 16;
/// The longest value that is remembered, in bytes: longer ones are prose.
const MAX_LEN: usize = 40;

/// The distinct texts with their counts, or the fact that there are too many.
pub(crate) type Few = BTreeMap<Box<str>, u64>;

/// What is kept of many texts. Masked ones are counted and not looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Texts {
    /// How many, without the masked ones.
    pub(crate) count: u64,
    /// How many were masked.
    pub(crate) redacted: u64,
    /// How many of each form, sorted by form.
    forms: Vec<(Form, u64)>,
    /// `None`: more than [`MAX_FEW`] distinct ones, or one that is too long or personal to be remembered.
    few: Option<Few>,
}

impl Default for Texts {
    fn default() -> Texts {
        Texts { count: 0, redacted: 0, forms: Vec::new(), few: Some(Few::new()) }
    }
}

impl Texts {
    /// Adds one text.
    pub(crate) fn add(&mut self, text: &str) {
        self.add_times(text, 1);
    }

    /// Adds a text that was seen `times` times.
    pub(crate) fn add_times(&mut self, text: &str, times: u64) {
        if is_redacted(text) {
            self.redacted = self.redacted.saturating_add(times);
            return;
        }
        let form = Form::of(text);
        self.count = self.count.saturating_add(times);
        self.bump(form, times);
        let Some(few) = &mut self.few else { return };
        if text.len() > MAX_LEN || !is_countable(form) {
            self.few = None;
        } else if let Some(count) = few.get_mut(text) {
            *count = count.saturating_add(times);
        } else if few.len() < MAX_FEW {
            few.insert(text.into(), times);
        } else {
            self.few = None;
        }
    }

    fn bump(&mut self, form: Form, times: u64) {
        match self.forms.binary_search_by_key(&form, |(form, _)| *form) {
            Ok(place) => {
                if let Some((_, count)) = self.forms.get_mut(place) {
                    *count = count.saturating_add(times);
                }
            }
            Err(place) => self.forms.insert(place, (form, times)),
        }
    }

    /// Adds all that another one was given.
    pub(crate) fn merge(&mut self, other: &Texts) {
        self.count = self.count.saturating_add(other.count);
        self.redacted = self.redacted.saturating_add(other.redacted);
        for (form, count) in &other.forms {
            self.bump(*form, *count);
        }
        let (Some(few), Some(others)) = (&mut self.few, &other.few) else {
            self.few = None;
            return;
        };
        for (text, times) in others {
            let count = few.entry(text.clone()).or_insert(0);
            *count = count.saturating_add(*times);
        }
        if few.len() > MAX_FEW {
            self.few = None;
        }
    }

    /// The forms that were seen.
    pub(crate) fn forms(&self) -> impl Iterator<Item = Form> {
        self.forms.iter().map(|(form, _)| *form)
    }

    /// The form of all texts, if they have but one.
    pub(crate) fn form(&self) -> Option<Form> {
        match self.forms.as_slice() {
            [(form, _)] => Some(*form),
            _ => None,
        }
    }

    /// Whether all texts have one of these forms, and there is one.
    pub(crate) fn all(&self, allowed: &[Form]) -> bool {
        self.count > 0 && self.forms().all(|form| allowed.contains(&form))
    }

    /// The distinct texts, if they are few.
    pub(crate) fn few(&self) -> Option<&Few> {
        self.few.as_ref()
    }

    /// How many there were, masked ones too.
    pub(crate) fn total(&self) -> u64 {
        self.count.saturating_add(self.redacted)
    }
}

/// Whether values of this form may be one of a few words. An address or an identifier is never kept: it is somebody's.
fn is_countable(form: Form) -> bool {
    matches!(form, Form::Boolean | Form::Integer | Form::Word | Form::Slug | Form::Text | Form::Empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[&str]) -> Texts {
        let mut texts = Texts::default();
        values.iter().for_each(|value| texts.add(value));
        texts
    }

    #[test]
    fn masked_values_are_counted_and_never_kept() {
        let texts = texts(&["[redacted]", "tok_1f", "open"]);

        assert_eq!((texts.count, texts.redacted, texts.form()), (1, 2, Some(Form::Word)));
        assert_eq!(texts.few().unwrap().keys().map(|key| &**key).collect::<Vec<_>>(), ["open"]);
    }

    #[test]
    fn past_the_bound_no_value_is_kept() {
        let names: Vec<String> = (0..=MAX_FEW).map(|n| format!("word-{}", "x".repeat(n))).collect();
        let at: Vec<&str> = names.iter().take(MAX_FEW).map(String::as_str).collect();
        let over: Vec<&str> = names.iter().map(String::as_str).collect();

        assert_eq!(texts(&at).few().map(BTreeMap::len), Some(MAX_FEW));
        assert_eq!(texts(&over).few(), None);
    }

    #[test]
    fn personal_values_are_not_kept() {
        assert_eq!(texts(&["open", "kimmo@example.com"]).few(), None);
    }

    proptest::proptest! {
        #[test]
        fn merging_is_adding_all(one in proptest::collection::vec("[a-c]{0,3}|[0-9]{1,2}|tok_a", 0..30),
                                 two in proptest::collection::vec("[a-c]{0,3}|[0-9]{1,2}|tok_a", 0..30)) {
            let borrowed = |values: &[String]| values.iter().fold(Texts::default(), |mut texts, value| { texts.add(value); texts });
            let mut merged = borrowed(&one);
            merged.merge(&borrowed(&two));
            let all: Vec<String> = two.into_iter().chain(one).collect();

            proptest::prop_assert_eq!(merged, borrowed(&all));
        }
    }
}
