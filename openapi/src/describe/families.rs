//! Families: objects of one name with the same properties, wherever they stand. Each is described by what was seen of all
//! of them, so that a user that is created and a user that is read are one `User`.

use std::{collections::BTreeMap, rc::Rc};

use super::{components::OPEN, operations::each_shape, schemas::Place};
use crate::{
    hash::hash,
    sketch::{Object, Shape},
    tree::Path,
};

/// What makes a family: the name, and the properties with their kinds.
type Key = (String, Vec<(Box<str>, u8)>);

/// All families of a document.
#[derive(Default)]
pub(crate) struct Families(BTreeMap<Key, Rc<Family>>);

/// One family.
pub(crate) struct Family {
    /// Where a schema of the family points at itself while its name is open.
    pub(crate) id: String,
    /// Its objects, merged.
    pub(crate) all: Object,
}

impl Families {
    /// Finds the families of all bodies.
    pub(crate) fn of_paths(paths: &[Path]) -> Families {
        let mut found: BTreeMap<Key, (usize, Object)> = BTreeMap::new();
        each_shape(paths, &mut |shape, place| add(&mut found, shape, place));
        let families = found.into_iter().filter(|(_, (members, _))| *members > 1);
        let family = |(key, (_, all)): (Key, (usize, Object))| {
            let id = format!("{OPEN}{:016x}", hash(&format!("{key:?}")));
            (key, Rc::new(Family { id, all }))
        };
        Families(families.map(family).collect())
    }

    /// The family of this object; `None` if it is alone.
    pub(crate) fn of(&self, concept: &str, object: &Object) -> Option<Rc<Family>> {
        if self.0.is_empty() || object.props.is_empty() { None } else { self.0.get(&key(concept, object)).cloned() }
    }
}

fn add(found: &mut BTreeMap<Key, (usize, Object)>, shape: &Shape, place: &Place) {
    if let Some(object) = &shape.object {
        if !object.props.is_empty() {
            let (members, all) = found.entry(key(&place.concept, object)).or_default();
            *members += 1;
            all.merge(object);
        }
        for (name, prop) in &object.props {
            add(found, &prop.shape, &place.property(name));
        }
        if let Some(keyed) = &object.keyed {
            add(found, keyed, &place.keyed());
        }
    }
    if let Some(array) = &shape.array {
        add(found, &array.items, &place.item());
    }
}

fn key(concept: &str, object: &Object) -> Key {
    (concept.to_owned(), object.props.iter().map(|(name, prop)| (name.clone(), kinds(&prop.shape))).collect())
}

/// The kinds of values, but for null: whether a value may be missing does not part a family.
fn kinds(shape: &Shape) -> u8 {
    let kinds = [
        shape.booleans > 0,
        shape.integers > 0 || shape.decimals > 0,
        shape.texts.is_some(),
        shape.object.is_some(),
        shape.array.is_some(),
    ];
    kinds.into_iter().fold(0, |all, kind| all << 1 | u8::from(kind))
}
