//! A few observed bodies, for mock servers: the distinct ones with the smallest hashes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{form::is_redacted, hash::hash};

/// Distinct bodies that are kept.
const MAX_EXAMPLES: usize = 4;
/// The longest body that is kept, in bytes.
const MAX_LEN: usize = 4_096;

/// Distinct bodies by their hash. A body with a masked value is none: a mock server would hand it out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Examples(BTreeMap<u64, Box<str>>);

impl Examples {
    /// Adds a body.
    pub(crate) fn add(&mut self, body: &str) {
        let hash = hash(body);
        let is_behind =
            || self.0.len() >= MAX_EXAMPLES && self.0.last_key_value().is_some_and(|(last, _)| *last <= hash);
        if body.len() > MAX_LEN || is_behind() || may_be_redacted(body) {
            return;
        }
        self.0.entry(hash).or_insert_with(|| body.into());
        self.bound();
    }

    /// Adds all that another one was given.
    pub(crate) fn merge(&mut self, other: &Examples) {
        for (hash, body) in &other.0 {
            self.0.entry(*hash).or_insert_with(|| body.clone());
        }
        self.bound();
    }

    fn bound(&mut self) {
        while self.0.len() > MAX_EXAMPLES {
            self.0.pop_last();
        }
    }

    /// The bodies, in the order of their hashes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|body| &**body)
    }
}

/// Whether a value in the body may be masked; `tok_` anywhere is enough, for an example can be spared.
fn may_be_redacted(body: &str) -> bool {
    is_redacted(body) || body.contains("tok_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bodies_are_one_example_and_there_are_few() {
        let mut examples = Examples::default();
        (0..245).for_each(|_| examples.add("{}"));
        assert_eq!(examples.iter().count(), 1);

        (0..100).for_each(|n| examples.add(&n.to_string()));
        assert_eq!(examples.iter().count(), MAX_EXAMPLES);
    }

    #[test]
    fn a_masked_body_is_no_example() {
        let mut examples = Examples::default();
        examples.add(r#"{"card":"[redacted]"}"#);
        examples.add(r#"{"card":"tok_4242"}"#);

        assert_eq!(examples.iter().count(), 0);
    }
}
