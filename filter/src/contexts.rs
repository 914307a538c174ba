//! The contexts of one VM by Envoy's numbers: looked up in each of the seven or more callbacks of an exchange.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// Envoy's number of a context. Numbers of roots and streams never meet.
pub(crate) type ContextId = u32;

/// The roots and streams that are alive. A number that it does not know has no context, which is no error.
#[derive(Debug)]
pub(crate) struct Contexts<R, S> {
    /// A few: one, and during an update or with several configurations one more each.
    roots: Vec<(ContextId, R)>,
    streams: HashMap<ContextId, S, BuildHasherDefault<Spread>>,
}

impl<R, S> Contexts<R, S> {
    pub(crate) const fn new() -> Contexts<R, S> {
        Contexts { roots: Vec::new(), streams: HashMap::with_hasher(BuildHasherDefault::new()) }
    }

    pub(crate) fn root(&mut self, id: ContextId) -> Option<&mut R> {
        self.roots.iter_mut().find(|(known, _)| *known == id).map(|(_, root)| root)
    }

    pub(crate) fn stream(&mut self, id: ContextId) -> Option<&mut S> {
        self.streams.get_mut(&id)
    }

    /// Adds a root; one that had this number is dropped.
    pub(crate) fn add_root(&mut self, id: ContextId, root: R) {
        self.roots.retain(|(known, _)| *known != id);
        self.roots.push((id, root));
    }

    /// Adds a stream; one that had this number is dropped.
    pub(crate) fn add_stream(&mut self, id: ContextId, stream: S) {
        self.streams.insert(id, stream);
    }

    /// Takes out the context with this number, whichever it is.
    pub(crate) fn remove(&mut self, id: ContextId) -> (Option<R>, Option<S>) {
        let place = self.roots.iter().position(|(known, _)| *known == id);
        (place.map(|place| self.roots.swap_remove(place).1), self.streams.remove(&id))
    }
}

/// Spreads numbers over a table. They are Envoy's own, counted up, so nobody can choose them to collide, and the
/// standard hash, made against such choices, would cost as much as the rest of the lookup together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread {
    hash: u64,
}

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        // 2^64 divided by the golden ratio: odd, so that numbers in a row fall into places of their own.
        self.hash = (self.hash ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_found_by_their_numbers_until_they_are_removed() {
        let mut contexts = Contexts::new();
        contexts.add_root(2, "root");
        (3..1_000).for_each(|id| contexts.add_stream(id, id));

        assert_eq!(contexts.remove(500), (None, Some(500)));

        assert_eq!([2, 3].map(|id| contexts.root(id).copied()), [Some("root"), None]);
        assert_eq!([2, 500].map(|id| contexts.stream(id).copied()), [None, None]);
        assert!((3..1_000).filter(|id| *id != 500).all(|id| contexts.stream(id) == Some(&mut { id })));
    }

    #[test]
    fn a_number_that_is_unknown_has_no_context() {
        let mut contexts: Contexts<(), ()> = Contexts::new();

        assert_eq!(contexts.root(1), None);
        assert_eq!(contexts.stream(1), None);
        assert_eq!(contexts.remove(1), (None, None));
    }

    #[test]
    fn one_root_of_several_is_removed_alone() {
        let mut contexts: Contexts<char, ()> = Contexts::new();
        [(1, 'a'), (2, 'b'), (3, 'c')].into_iter().for_each(|(id, root)| contexts.add_root(id, root));

        assert_eq!(contexts.remove(1), (Some('a'), None));

        assert_eq!([1, 2, 3].map(|id| contexts.root(id).copied()), [None, Some('b'), Some('c')]);
    }

    #[test]
    fn a_number_given_twice_belongs_to_the_later() {
        let mut contexts = Contexts::new();
        ['a', 'b'].into_iter().for_each(|root| contexts.add_root(1, root));
        ['x', 'y'].into_iter().for_each(|stream| contexts.add_stream(2, stream));

        assert_eq!(contexts.root(1), Some(&mut 'b'));
        assert_eq!(contexts.stream(2), Some(&mut 'y'));
        assert_eq!(contexts.remove(1), (Some('b'), None));
        assert_eq!(contexts.root(1), None);
    }

    #[test]
    fn numbers_in_a_row_spread_over_the_whole_table() {
        let place = |number: u32| {
            let mut spread = Spread::default();
            spread.write_u32(number);
            spread.finish() % 256
        };

        let places: std::collections::BTreeSet<u64> = (7_000..7_256).map(place).collect();

        assert_eq!(places.len(), 256);
    }
}
