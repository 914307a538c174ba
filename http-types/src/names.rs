//! The names of one JSON object, as they are read: whether one stands twice.

use std::{collections::HashSet, fmt};

use crate::error::{MAX_NAME_CHARS, shortened};

/// Up to here comparing each with each is faster than hashing; it covers nearly every object.
const MAX_COMPARED: usize = 32;

/// Names that were read, as far as they are more than can be compared. Linear in their number, whoever chose them: a line
/// of 2 MiB holds 300,000 names, and comparing each with each takes half a minute.
#[derive(Debug, Default)]
pub(crate) struct Names(HashSet<String>);

impl Names {
    /// Whether `name` is none of the `earlier` ones, all of which were asked for here.
    pub(crate) fn is_new<'e>(&mut self, mut earlier: impl ExactSizeIterator<Item = &'e str>, name: &str) -> bool {
        if self.0.is_empty() {
            if earlier.len() < MAX_COMPARED {
                return !earlier.any(|earlier| earlier == name);
            }
            self.0.extend(earlier.map(str::to_owned));
        }
        self.0.insert(name.to_owned())
    }
}

/// What is said of a name that stands twice.
pub(crate) struct StandsTwice<'n>(pub(crate) &'n str);

impl fmt::Display for StandsTwice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} stands twice; put its values into one array", shortened(self.0, MAX_NAME_CHARS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_new_once_among_few_and_among_many() {
        for count in [1, MAX_COMPARED - 1, MAX_COMPARED, MAX_COMPARED + 1, 1_000] {
            let mut names = Names::default();
            let mut earlier: Vec<String> = Vec::new();

            for name in (0..count).map(|number| format!("name-{number}")) {
                assert!(names.is_new(earlier.iter().map(String::as_str), &name), "{name} of {count}");
                earlier.push(name);
            }
            for name in &earlier {
                assert!(!names.is_new(earlier.iter().map(String::as_str), name), "{name} of {count}");
            }
        }
    }
}
