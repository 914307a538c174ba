//! How alike two places are: what they answer, and what lies below them.

use std::collections::BTreeMap;

use super::Node;
use crate::{
    call::Verb,
    hash::hash,
    sketch::{Array, Operation, Shape},
};

/// Levels below a place that are looked at.
const LEVELS: usize = 2;

/// The marks of a place, and how many of them are names of properties. Only answers of success leave a mark.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    /// Hash of each mark, and whether it is the name of a property (or stands for all those of a map).
    marks: BTreeMap<u64, bool>,
}

impl Marks {
    /// The marks of a place.
    pub(crate) fn of(node: &Node) -> Marks {
        let mut marks = Marks::default();
        marks.add(node, "", LEVELS);
        marks
    }

    fn add(&mut self, node: &Node, prefix: &str, levels: usize) {
        for (verb, operation) in &node.operations {
            self.add_operation(*verb, operation, prefix);
        }
        if levels == 0 {
            return;
        }
        for (rank, below) in &node.literals {
            self.add(below, &format!("{prefix}/{}", rank.text), levels - 1);
        }
        if let Some(wildcard) = &node.wildcard {
            self.add(&wildcard.node, &format!("{prefix}/{{}}"), levels - 1);
        }
    }

    fn add_operation(&mut self, verb: Verb, operation: &Operation, prefix: &str) {
        let verb = verb.as_str();
        for (_, response) in operation.responses.iter().filter(|(status, _)| (200..400).contains(*status)) {
            self.marks.insert(hash(&format!("{prefix} {verb}")), false);
            for (media, body) in &response.bodies.by_media {
                self.marks.insert(hash(&format!("{prefix} {verb} {media}")), false);
                self.add_shape(&body.shape, &format!("{prefix} {verb} "));
            }
        }
    }

    fn add_shape(&mut self, shape: &Shape, prefix: &str) {
        if let Some(object) = &shape.object {
            // The names in a map are data, each place has others; that it is one is what places share.
            let has_data = object.has_names_that_are_data();
            if object.keyed.is_some() || has_data {
                self.marks.insert(hash(&format!("{prefix}.*")), true);
            }
            for name in object.props.keys().filter(|_| !has_data) {
                self.marks.insert(hash(&format!("{prefix}.{name}")), true);
            }
        }
        if let Some(Array { items: Shape { object: Some(object), .. }, .. }) = shape.array.as_deref() {
            for name in object.props.keys() {
                self.marks.insert(hash(&format!("{prefix}[].{name}")), true);
            }
        }
    }

    /// Whether nothing here was ever a success.
    pub(crate) fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Whether there are names of properties among the marks: without them, alike means little.
    pub(crate) fn is_telling(&self) -> bool {
        self.marks.values().any(|is_property| *is_property)
    }

    /// Whether nearly all marks of this place are among those of another.
    pub(crate) fn are_in(&self, other: &Marks) -> bool {
        let shared = self.marks.keys().filter(|mark| other.marks.contains_key(mark)).count();
        !self.marks.is_empty() && shared * 10 >= self.marks.len() * 7
    }

    /// The marks that at least three in ten of these places have.
    pub(crate) fn common<'m>(places: impl Iterator<Item = &'m Marks> + Clone) -> Marks {
        let mut counts: BTreeMap<u64, (usize, bool)> = BTreeMap::new();
        for (mark, is_property) in places.clone().flat_map(|place| &place.marks) {
            counts.entry(*mark).or_insert((0, *is_property)).0 += 1;
        }
        let total = places.count();
        let marks = counts.into_iter().filter(|(_, (count, _))| *count * 10 >= total * 3);
        Marks { marks: marks.map(|(mark, (_, is_property))| (mark, is_property)).collect() }
    }
}
