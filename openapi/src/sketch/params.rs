//! What is kept of named texts: query, headers, cookies, fields of a form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Texts;
use crate::hash::keep_smallest;

/// Names that are remembered of one place; of more, those with the smallest hashes.
const MAX_NAMES: usize = 200;
/// A longer name is no name of an interface.
const MAX_NAME_LEN: usize = 100;

/// Names and what was seen of each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Params(BTreeMap<Box<str>, Param>);

/// One name: query parameter, header, cookie, field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Param {
    /// In how many exchanges it was there, of those of which all is known.
    pub(crate) present: u64,
    /// In how many of them more than once.
    pub(crate) repeated: u64,
    /// How many of its values were files (multipart only).
    pub(crate) files: u64,
    /// All its values.
    pub(crate) texts: Texts,
}

/// Whether all names of an exchange are known: what a cut form lacks, it may have had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    Cut,
}

impl Extent {
    /// What it adds to the count of the exchanges that have a name.
    const fn presence(self) -> u64 {
        match self {
            Extent::Whole => 1,
            Extent::Cut => 0,
        }
    }
}

impl Params {
    /// Adds the values that one exchange has under a name.
    pub(crate) fn add<'v>(&mut self, name: &str, values: impl Iterator<Item = &'v str>) {
        self.add_in(name, values, Extent::Whole);
    }

    /// Adds a file that one exchange has under a name.
    pub(crate) fn add_file(&mut self, name: &str, extent: Extent) {
        let Some(param) = self.slot(name) else { return };
        param.present = param.present.saturating_add(extent.presence());
        param.files = param.files.saturating_add(1);
    }

    /// Adds the values that a form, whole or cut, has under a name.
    pub(crate) fn add_in<'v>(&mut self, name: &str, values: impl Iterator<Item = &'v str>, extent: Extent) {
        let Some(param) = self.slot(name) else { return };
        let mut count = 0;
        for value in values {
            param.texts.add(value);
            count += 1;
        }
        param.present = param.present.saturating_add(extent.presence());
        param.repeated = param.repeated.saturating_add(u64::from(count > 1));
    }

    fn slot(&mut self, name: &str) -> Option<&mut Param> {
        if name.is_empty() || name.len() > MAX_NAME_LEN {
            return None;
        }
        if !self.0.contains_key(name) {
            self.0.insert(name.into(), Param::default());
            keep_smallest(&mut self.0, MAX_NAMES);
        }
        self.0.get_mut(name)
    }

    /// Adds all that another one was given.
    pub(crate) fn merge(&mut self, other: &Params) {
        for (name, param) in &other.0 {
            self.0.entry(name.clone()).or_default().merge(param);
        }
        keep_smallest(&mut self.0, MAX_NAMES);
    }

    /// Names in order, with what was seen of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Param)> {
        self.0.iter().map(|(name, param)| (&**name, param))
    }

    /// What was seen of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&Param> {
        self.0.get(name)
    }
}

impl Param {
    fn merge(&mut self, other: &Param) {
        self.present = self.present.saturating_add(other.present);
        self.repeated = self.repeated.saturating_add(other.repeated);
        self.files = self.files.saturating_add(other.files);
        self.texts.merge(&other.texts);
    }
}
