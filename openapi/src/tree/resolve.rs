//! From the tree to path templates: which literals are names, and which are values of a parameter.
//!
//! Identifiers were told when they came. What is left are literals, and the rules for them look only at what all
//! exchanges together say:
//! - A literal that a hand-written document names stays; beside a parameter that such a document names, all others go into it.
//! - `me`, `search`, `v2` and the like stay.
//! - Beside identifiers, a literal that was never answered with success is a wrong identifier. One that is answered
//!   otherwise than they are stays. One answered alike stays if it does not look like them (`/users/me` beside UUIDs),
//!   unless there are many of its kind.
//! - Many literals that share one sub-tree are values of a parameter.

use std::{borrow::Cow, collections::BTreeMap};

use super::{Node, likeness::Marks, node::Wildcard, segment::Rank};
use crate::{
    call::Verb,
    form::Form,
    sketch::{Operation, Texts},
    words::{camel, is_plural, singular_words},
};

/// Literals alike from which on they are values of a parameter, if they are mostly slugs.
const MANY: usize = 12;
/// The same for words, where nothing but method and media type is alike, and at the root, if they are seldom repeated.
const MANY_WITHOUT_SIGNS: usize = 40;
/// The same for words that come again and again: so many are not the names of an interface.
const MANY_WORDS: usize = 150;
/// Exchanges for each literal up to which they are seldom repeated. Names of an interface come again with all traffic.
const SELDOM: u64 = 8;

/// What a hand-written document says about the paths below a place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guide {
    /// By literal.
    pub(crate) literals: BTreeMap<String, Guide>,
    /// The parameter and what is below it.
    pub(crate) parameter: Option<(String, Box<Guide>)>,
}

/// One path template with what is there.
#[derive(Debug)]
pub(crate) struct Path<'a> {
    /// `/users/{userId}`.
    pub(crate) template: String,
    /// Its segments: literals as they stand, parameters with their values.
    pub(crate) steps: Vec<Step>,
    /// The operations.
    pub(crate) operations: Cow<'a, BTreeMap<Verb, Box<Operation>>>,
}

/// One segment of a template.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A name.
    Literal(String),
    /// A parameter: its name and its values.
    Parameter(String, Texts),
}

/// All templates of a host, and why they are what they are.
#[derive(Debug, Default)]
pub(crate) struct Resolved<'a> {
    /// Sorted by template.
    pub(crate) paths: Vec<Path<'a>>,
    /// Template of the parameter, and why it is one.
    pub(crate) reasons: Vec<(String, String)>,
}

/// Turns the tree of a host into templates.
pub(crate) fn resolve<'a>(root: &'a Node, guide: Option<&Guide>) -> Resolved<'a> {
    let mut resolved = Resolved::default();
    resolved.walk(Cow::Borrowed(root), &[], guide);
    resolved.paths.sort_by(|one, other| one.template.cmp(&other.template));
    resolved
}

impl<'a> Resolved<'a> {
    fn walk(&mut self, node: Cow<'a, Node>, steps: &[Step], guide: Option<&Guide>) {
        let Below { operations, literals, wildcard } = Below::of(node);
        if !operations.is_empty() {
            self.paths.push(Path { template: template(steps), steps: steps.to_vec(), operations });
        }
        let (kept, parameter) = split(literals, wildcard, steps, guide);
        for (name, node) in kept {
            let guide = guide.and_then(|guide| guide.literals.get(&name));
            let steps = with(steps, Step::Literal(name));
            self.walk(node, &steps, guide);
        }
        if let Some(parameter) = parameter {
            let known = guide.and_then(|guide| guide.parameter.as_ref());
            let name = known.map_or_else(|| name(steps, &parameter.values), |(name, _)| name.clone());
            let steps = with(steps, Step::Parameter(name, parameter.values.into_owned()));
            self.reasons.push((template(&steps), parameter.why));
            self.walk(parameter.node, &steps, known.map(|(_, guide)| &**guide));
        }
    }
}

fn with(steps: &[Step], step: Step) -> Vec<Step> {
    steps.iter().cloned().chain([step]).collect()
}

/// The template of these segments; `/` without any.
pub(crate) fn template(steps: &[Step]) -> String {
    let segments: String = steps
        .iter()
        .map(|step| match step {
            Step::Literal(name) => format!("/{name}"),
            Step::Parameter(name, _) => format!("/{{{name}}}"),
        })
        .collect();
    if segments.is_empty() { "/".to_owned() } else { segments }
}

/// The name of a parameter: the segment before in the singular, and `Id`.
fn name(steps: &[Step], values: &Texts) -> String {
    let before = steps.iter().rev().find_map(|step| match step {
        Step::Literal(name) => Some(name.as_str()),
        Step::Parameter(..) => None,
    });
    let of_before =
        before.filter(|name| name.is_ascii() && !Rank::is_prefix(name)).map(singular_words).unwrap_or_default();
    let stem = match values.form() {
        Some(Form::Date) => "date".to_owned(),
        _ if of_before.is_empty() => "id".to_owned(),
        _ => format!("{}Id", camel(&of_before)),
    };
    let is_taken = |name: &str| steps.iter().any(|step| matches!(step, Step::Parameter(taken, _) if taken == name));
    let mut names = std::iter::once(stem.clone()).chain((2..).map(|n| format!("{stem}{n}")));
    names.find(|name| !is_taken(name)).unwrap_or(stem)
}

/// What a node has below it, lent or owned as the node was.
struct Below<'a> {
    operations: Cow<'a, BTreeMap<Verb, Box<Operation>>>,
    literals: Vec<Literal<'a>>,
    wildcard: Option<Cow<'a, Wildcard>>,
}

/// A literal with its marks.
struct Literal<'a> {
    rank: Rank,
    node: Cow<'a, Node>,
    marks: Marks,
}

impl<'a> Below<'a> {
    fn of(node: Cow<'a, Node>) -> Below<'a> {
        let literal = |rank: Rank, node: Cow<'a, Node>| Literal { marks: Marks::of(&node), rank, node };
        let mut below = match node {
            Cow::Borrowed(node) => Below {
                operations: Cow::Borrowed(&node.operations),
                literals: node.literals.iter().map(|(rank, node)| literal(rank.clone(), Cow::Borrowed(node))).collect(),
                wildcard: node.wildcard.as_deref().map(Cow::Borrowed),
            },
            Cow::Owned(node) => Below {
                operations: Cow::Owned(node.operations),
                literals: node.literals.into_iter().map(|(rank, node)| literal(rank, Cow::Owned(node))).collect(),
                wildcard: node.wildcard.map(|wildcard| Cow::Owned(*wildcard)),
            },
        };
        below.literals.sort_by(|one, other| one.rank.text.cmp(&other.rank.text));
        below
    }
}

/// A parameter, what is below it, and why it is one.
struct Parameter<'a> {
    values: Cow<'a, Texts>,
    node: Cow<'a, Node>,
    why: String,
}

/// Which literals stay, and the parameter that the others are values of.
fn split<'a>(
    literals: Vec<Literal<'a>>,
    wildcard: Option<Cow<'a, Wildcard>>,
    steps: &[Step],
    guide: Option<&Guide>,
) -> (Vec<(String, Cow<'a, Node>)>, Option<Parameter<'a>>) {
    let judge = Judge::of(&literals, wildcard.as_deref(), steps, guide);
    let (gone, kept): (Vec<_>, Vec<_>) = literals.into_iter().partition(|literal| judge.is_value(literal));
    let kept = kept.into_iter().map(|literal| (literal.rank.text.into(), literal.node)).collect();
    let why = || judge.why(wildcard.as_deref(), gone.len());
    if gone.is_empty() {
        let parameter = wildcard.map(|wildcard| {
            let why = judge.why(Some(&wildcard), 0);
            let (values, node) = match wildcard {
                Cow::Borrowed(wildcard) => (Cow::Borrowed(&wildcard.values), Cow::Borrowed(&wildcard.node)),
                Cow::Owned(wildcard) => (Cow::Owned(wildcard.values), Cow::Owned(wildcard.node)),
            };
            Parameter { values, node, why }
        });
        return (kept, parameter);
    }
    let why = why();
    let mut all = wildcard.map(Cow::into_owned).unwrap_or_default();
    for literal in gone {
        all.values.add_times(&literal.rank.decoded(), literal.node.passed);
        all.node.absorb(literal.node.into_owned());
    }
    (kept, Some(Parameter { values: Cow::Owned(all.values), node: Cow::Owned(all.node), why }))
}

/// What decides about the literals of one place.
struct Judge<'g> {
    guide: Option<&'g Guide>,
    /// The marks of what is below identifiers.
    identified: Option<Marks>,
    /// Identifiers are all of forms that no name has.
    is_strict: bool,
    /// The marks that many literals share, if there are many.
    family: Option<Marks>,
    /// How many literals share them.
    alike: usize,
}

impl<'g> Judge<'g> {
    fn of(literals: &[Literal], wildcard: Option<&Wildcard>, steps: &[Step], guide: Option<&'g Guide>) -> Judge<'g> {
        let open: Vec<&Literal> = literals.iter().filter(|literal| !literal.rank.is_known()).collect();
        let open: Vec<&Literal> = open.into_iter().filter(|literal| !literal.marks.is_empty()).collect();
        let common = Marks::common(open.iter().map(|literal| &literal.marks));
        // Once more among those that are alike, so that what the others have in common does not count.
        let common = Marks::common(open.iter().map(|literal| &literal.marks).filter(|marks| marks.are_in(&common)));
        let alike: Vec<&&Literal> = open.iter().filter(|literal| literal.marks.are_in(&common)).collect();
        let is_many = is_many(&alike, common.is_telling(), steps);
        let alike = alike.len();
        let identified = wildcard.map(|wildcard| Marks::of(&wildcard.node));
        let is_strict = wildcard.is_some_and(|wildcard| wildcard.spilled == 0);
        Judge { guide, identified, is_strict, family: is_many.then_some(common), alike }
    }

    /// Whether a literal is a value of the parameter.
    fn is_value(&self, literal: &Literal) -> bool {
        if let Some(guide) = self.guide {
            if guide.literals.contains_key(&*literal.rank.text) {
                return false;
            }
            if guide.parameter.is_some() {
                return true;
            }
        }
        if literal.rank.text.is_empty() {
            return false;
        }
        if literal.marks.is_empty() {
            // Beside a parameter, a wrong value of it.
            return (self.identified.is_some() || self.family.is_some()) && is_wrong(&literal.node);
        }
        if literal.rank.is_known() {
            return false;
        }
        if self.family.as_ref().is_some_and(|family| literal.marks.are_in(family)) {
            return true;
        }
        match &self.identified {
            Some(identified) if literal.marks.are_in(identified) => {
                !self.is_strict || !literal.rank.is_name() && identified.is_telling()
            }
            _ => false,
        }
    }

    fn why(&self, wildcard: Option<&Wildcard>, gone: usize) -> String {
        let mut reasons = Vec::new();
        if let Some(wildcard) = wildcard {
            let total = wildcard.values.total();
            if total > wildcard.spilled {
                let forms: Vec<&str> =
                    wildcard.values.forms().filter(|form| form.is_identifier()).map(Form::as_str).collect();
                let forms = if forms.is_empty() { "masked values".to_owned() } else { forms.join(", ") };
                reasons.push(format!("{} values that look like identifiers ({forms})", total - wildcard.spilled));
            }
            if wildcard.spilled > 0 {
                reasons.push("more distinct values than a place can have names".to_owned());
            }
        }
        if self.family.is_some() {
            reasons.push(format!("{} distinct values share one sub-tree", self.alike));
        } else if self.guide.is_some_and(|guide| guide.parameter.is_some()) {
            reasons.push("the given document has a parameter here".to_owned());
        } else if gone > 0 {
            reasons.push(format!("{gone} other values are answered alike, or never with success"));
        }
        reasons.join("; ")
    }
}

/// Whether literals that are alike are so many that they are values.
fn is_many(alike: &[&&Literal], is_telling: bool, steps: &[Step]) -> bool {
    let passed = alike.iter().fold(0u64, |sum, literal| sum.saturating_add(literal.node.passed));
    let words = alike.iter().filter(|literal| literal.rank.is_word()).count();
    let is_seldom = passed <= SELDOM.saturating_mul(alike.len() as u64);
    let follows_name = steps.iter().any(|step| matches!(step, Step::Literal(name) if !Rank::is_prefix(name)));
    // What follows the name of a collection is one of its members: `/categories/garden`, `/prices/EUR`.
    let follows_plural = matches!(steps.last(), Some(Step::Literal(name)) if is_plural(name));
    let enough = match (follows_name, is_telling) {
        (true, true) if follows_plural || words * 2 < alike.len() => MANY,
        _ if is_seldom => MANY_WITHOUT_SIGNS,
        (true, true) => MANY_WORDS,
        // At the root nothing that comes again and again is a value, unless there is no end of it.
        _ => usize::MAX,
    };
    alike.len() >= enough
}

/// Whether all that was ever answered here is that there is no such thing.
fn is_wrong(node: &Node) -> bool {
    let mut statuses = node.operations.values().flat_map(|operation| operation.responses.keys());
    statuses.all(|status| matches!(status, 400 | 404 | 405 | 410 | 422))
        && node.literals.values().all(is_wrong)
        && node.wildcard.as_ref().is_none_or(|wildcard| is_wrong(&wildcard.node))
}

#[cfg(test)]
mod tests;
