//! A node of the tree: the operations at one place, and the places below it.
//!
//! How much a node may hold is bounded, and what is put out when it holds too much goes to its wildcard. Which literals are
//! put out depends on their rank only. The bound of a node (its allowance) gets smaller the more siblings it has, so
//! that a tree cannot grow at every level at once. An allowance never grows, so what a literal went through is forgotten,
//! and the tree is a function of the exchanges and not of their order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::segment::{Rank, Segment};
use crate::{
    call::{Call, Verb},
    pairs,
    sketch::{Operation, Texts},
};

/// The allowance of a root, in sixteenths of a literal. Always a power of two, and divided by powers of two only:
/// then the allowance below a node cannot grow when its own gets smaller.
pub(crate) const ALLOWANCE: usize = 65_536;

/// Literals that a node with some allowance keeps at most, and at least.
const MAX_LITERALS: usize = 2_048;
const MIN_LITERALS: usize = 16;

/// One place in the tree.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Node {
    /// How many exchanges went to this place or below it.
    pub(crate) passed: u64,
    /// What is here.
    pub(crate) operations: BTreeMap<Verb, Box<Operation>>,
    /// What is below, by name.
    #[serde(with = "pairs")]
    pub(crate) literals: BTreeMap<Rank, Node>,
    /// What is below identifiers, and below literals that were put out.
    pub(crate) wildcard: Option<Box<Wildcard>>,
}

/// What is below all identifiers of a place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Wildcard {
    /// The identifiers.
    pub(crate) values: Texts,
    /// How many exchanges went through literals that were put out.
    pub(crate) spilled: u64,
    /// What is below.
    pub(crate) node: Node,
}

impl Node {
    /// Adds one exchange below this root.
    pub(crate) fn add(&mut self, call: &Call) {
        let pathname = call.pathname.strip_prefix('/').unwrap_or(&call.pathname);
        self.passed = self.passed.saturating_add(1);
        let (mut node, mut allowance) = (self, ALLOWANCE);
        if !pathname.is_empty() {
            for (depth, segment) in pathname.split('/').enumerate() {
                (node, allowance) = node.step(Segment::of(segment, depth), allowance);
                node.passed = node.passed.saturating_add(1);
            }
        }
        node.operations.entry(call.verb).or_default().add(call);
    }

    /// The place below for a segment, and its allowance.
    fn step(&mut self, segment: Segment, allowance: usize) -> (&mut Node, usize) {
        let rank = match segment {
            Segment::Literal(rank) => rank,
            Segment::Identifier(value) => {
                let below = self.share(allowance);
                let wildcard = self.wildcard.get_or_insert_default();
                wildcard.values.add(&value);
                return (&mut wildcard.node, below);
            }
        };
        let is_there = self.literals.contains_key(&rank) || self.takes_in(&rank, allowance);
        let below = self.share(allowance);
        // Looked up again, for a reference kept over the branch would lend out the whole node.
        if is_there {
            return (self.literals.entry(rank).or_default(), below);
        }
        let wildcard = self.wildcard.get_or_insert_default();
        wildcard.values.add(&rank.decoded());
        wildcard.spilled = wildcard.spilled.saturating_add(1);
        (&mut wildcard.node, below)
    }

    /// Takes in a literal that is new, unless it is behind all of too many.
    fn takes_in(&mut self, rank: &Rank, allowance: usize) -> bool {
        let is_behind = || self.literals.last_key_value().is_none_or(|(last, _)| last < rank);
        if self.literals.len() >= most_literals(allowance) && is_behind() {
            return false;
        }
        let (before, len) = (self.share(allowance), self.literals.len());
        self.literals.insert(rank.clone(), Node::default());
        if self.share(allowance) != before || len >= most_literals(allowance) {
            self.tighten(allowance);
        }
        // More siblings may have lowered the bound below what it was.
        self.literals.contains_key(rank)
    }

    /// The allowance of each place below this one.
    fn share(&self, allowance: usize) -> usize {
        allowance / self.literals.len().max(1).next_power_of_two()
    }

    /// Puts out what is over the allowance, here and below.
    pub(crate) fn tighten(&mut self, allowance: usize) {
        while self.literals.len() > most_literals(allowance)
            && let Some((rank, node)) = self.literals.pop_last()
        {
            let wildcard = self.wildcard.get_or_insert_default();
            wildcard.values.add_times(&rank.decoded(), node.passed);
            wildcard.spilled = wildcard.spilled.saturating_add(node.passed);
            wildcard.node.absorb(node);
        }
        let below = self.share(allowance);
        self.literals.values_mut().for_each(|node| node.tighten(below));
        if let Some(wildcard) = &mut self.wildcard {
            wildcard.node.tighten(below);
        }
    }

    /// Adds all that another node was given; [`tighten`](Self::tighten) has to follow.
    pub(crate) fn absorb(&mut self, other: Node) {
        self.passed = self.passed.saturating_add(other.passed);
        for (verb, operation) in other.operations {
            match self.operations.get_mut(&verb) {
                Some(mine) => mine.merge(&operation),
                None => drop(self.operations.insert(verb, operation)),
            }
        }
        for (rank, node) in other.literals {
            match self.literals.get_mut(&rank) {
                Some(mine) => mine.absorb(node),
                None => drop(self.literals.insert(rank, node)),
            }
        }
        if let Some(wildcard) = other.wildcard {
            let mine = self.wildcard.get_or_insert_default();
            mine.values.merge(&wildcard.values);
            mine.spilled = mine.spilled.saturating_add(wildcard.spilled);
            mine.node.absorb(wildcard.node);
        }
    }
}

fn most_literals(allowance: usize) -> usize {
    if allowance == 0 { 0 } else { (allowance / 16).clamp(MIN_LITERALS, MAX_LITERALS) }
}
