//! Whether the names in objects are names, or data: then the objects are maps.

use super::{Object, Shape};

/// Names from which on an object may be a map, if each of them is rare.
const MAP_NAMES: usize = 20;

impl Object {
    /// Whether the names are so many, each so rare, and what stands under them so alike, that they are data.
    pub(crate) fn has_names_that_are_data(&self) -> bool {
        let present = self.props.values().fold(0u64, |sum, prop| sum.saturating_add(prop.present));
        let names = self.props.len() as u64;
        let is_rare = present.saturating_mul(4) < names.saturating_mul(self.count);
        self.props.len() >= MAP_NAMES && is_rare && self.is_alike()
    }

    /// Whether all properties have values of one kind, and objects among them the same first property.
    fn is_alike(&self) -> bool {
        let kinds = |shape: &Shape| {
            let first = shape.object.as_ref().map(|object| object.props.keys().next().cloned());
            let is_number = shape.integers > 0 || shape.decimals > 0;
            (shape.texts.is_some(), first, shape.array.is_some(), shape.booleans > 0, is_number)
        };
        let mut all = self.props.values().map(|prop| kinds(&prop.shape));
        let first = all.next();
        all.all(|kinds| Some(&kinds) == first.as_ref())
    }
}
