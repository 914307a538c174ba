//! Names that people read: operation ids, summaries, tags, and what a body is called.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    call::Verb,
    tree::{Path, Step, is_prefix},
    words::{article, capitalised, is_plural, pascal, singular_words, words},
};

/// Last segments that are something one does.
const ACTIONS: [&str; 62] = [
    "accept",
    "activate",
    "add",
    "approve",
    "archive",
    "assign",
    "authorize",
    "cancel",
    "capture",
    "check",
    "checkout",
    "clone",
    "close",
    "complete",
    "confirm",
    "copy",
    "deactivate",
    "decline",
    "disable",
    "duplicate",
    "enable",
    "execute",
    "export",
    "follow",
    "import",
    "initiate",
    "invite",
    "join",
    "leave",
    "like",
    "lock",
    "login",
    "logout",
    "move",
    "open",
    "pause",
    "pay",
    "ping",
    "preview",
    "publish",
    "refresh",
    "refund",
    "register",
    "reject",
    "remove",
    "reopen",
    "resend",
    "reset",
    "restart",
    "restore",
    "resume",
    "retry",
    "revoke",
    "run",
    "send",
    "start",
    "stop",
    "submit",
    "sync",
    "unlock",
    "validate",
    "verify",
];

/// Last segments that are a view of what stands before them: `/users/me` is a user.
const VIEWS: [&str; 8] = ["me", "self", "current", "mine", "search", "all", "latest", "new"];

/// What a path is about, in words.
pub(crate) struct Topic {
    /// `order`: the resources on the way, in the singular, without prefixes.
    owners: Vec<String>,
    /// The last resource, as it stands: `items`.
    last: Vec<String>,
    /// The last resource in the singular.
    singular: Vec<String>,
    is_plural: bool,
    /// What is done to it, if the last segment is an action.
    pub(crate) action: Option<String>,
    /// The parameters behind the last resource.
    by: Vec<String>,
}

impl Topic {
    /// What a path is about.
    pub(crate) fn of(steps: &[Step]) -> Topic {
        let mut literals: Vec<&str> = Vec::new();
        let mut by = Vec::new();
        for step in steps {
            match step {
                Step::Literal(name) if is_prefix(name) => {}
                Step::Literal(name) => {
                    by.clear();
                    literals.push(name);
                }
                Step::Parameter(name, _) => by.push(name.clone()),
            }
        }
        let is_action = |name: &&str| ACTIONS.binary_search(&name.to_ascii_lowercase().as_str()).is_ok();
        let action = literals.last().copied().filter(is_action).filter(|_| by.is_empty() && literals.len() > 1);
        if action.is_some() {
            literals.pop();
        }
        let last = literals.pop().unwrap_or_default();
        Topic {
            owners: literals.iter().flat_map(|name| singular_words(name)).collect(),
            last: words(last),
            singular: singular_words(last),
            is_plural: is_plural(last),
            action: action.map(str::to_ascii_lowercase),
            by,
        }
    }

    /// What an object of it is called: `User`.
    pub(crate) fn concept(&self) -> String {
        let name = match (self.last.as_slice(), self.owners.last()) {
            ([word], Some(owner)) if VIEWS.contains(&word.as_str()) => capitalised(owner),
            _ => pascal(&self.singular),
        };
        ascii_name(&name).unwrap_or_else(|| "Item".to_owned())
    }

    /// What it is called together with the action: `ConfirmPayment`.
    pub(crate) fn whole_concept(&self) -> String {
        format!("{}{}", self.action.as_deref().map(capitalised).unwrap_or_default(), self.concept())
    }

    /// Whether it is a collection, and not one item of it.
    pub(crate) fn is_collection(&self) -> bool {
        let is_view = matches!(self.last.as_slice(), [word] if matches!(word.as_str(), "search" | "all"));
        (self.is_plural || is_view) && self.by.is_empty()
    }

    /// The operation id, and the summary.
    fn named(&self, verb: Verb) -> (String, String) {
        let (owners, singular, thing) = (pascal(&self.owners), pascal(&self.singular), self.singular.join(" "));
        let of = match self.owners.as_slice() {
            [] => String::new(),
            owners => format!(" of {} {}", article(&owners.join(" ")), owners.join(" ")),
        };
        if let Some(action) = &self.action {
            let id = match verb {
                Verb::Post => format!("{action}{owners}{singular}"),
                _ => format!("{}{}{owners}{singular}", verb.as_str(), capitalised(action)),
            };
            return (id, format!("{} {} {thing}{of}", capitalised(action), article(&thing)));
        }
        let doing = match (verb, self.is_collection()) {
            (Verb::Get, true) => {
                return (format!("list{owners}{}", pascal(&self.last)), format!("List {}{of}", self.last.join(" ")));
            }
            (Verb::Get, false) => "get",
            (Verb::Post, _) => "create",
            (Verb::Put, _) => "update",
            (Verb::Patch, _) => "patch",
            (Verb::Delete, _) => "delete",
            (Verb::Head, _) => "check",
            (Verb::Options, _) => "options",
            (Verb::Trace, _) => "trace",
        };
        if let ([view], [.., owner]) = (self.last.as_slice(), self.owners.as_slice())
            && VIEWS.contains(&view.as_str())
            && self.by.is_empty()
        {
            let id = format!("{doing}{owners}{}", capitalised(view));
            return (id, format!("{} {owner}: {view}", capitalised(doing)));
        }
        let is_all = self.is_collection() && verb != Verb::Post;
        let name = if is_all { pascal(&self.last) } else { singular };
        let what = if is_all { self.last.join(" ") } else { format!("{} {thing}", article(&thing)) };
        let (by_id, by_words) = self.by();
        (format!("{doing}{owners}{name}{by_id}"), format!("{} {what}{of}{by_words}", capitalised(doing)))
    }

    /// The parameters behind the last resource: `ById`, ` by id`; nothing without any.
    fn by(&self) -> (String, String) {
        let names: Vec<Vec<String>> = self.by.iter().map(|parameter| self.short(parameter)).collect();
        if names.is_empty() {
            return (String::new(), String::new());
        }
        let id = names.iter().map(|name| pascal(name)).collect::<Vec<_>>().join("And");
        let words = names.iter().map(|name| name.join(" ")).collect::<Vec<_>>().join(" and ");
        (format!("By{id}"), format!(" by {words}"))
    }

    /// `userId` behind `users` is just the id.
    fn short(&self, parameter: &str) -> Vec<String> {
        let words = words(parameter);
        match words.strip_prefix(self.singular.as_slice()) {
            Some(rest) if !rest.is_empty() => rest.to_vec(),
            _ => words,
        }
    }
}

/// The ids and summaries of all operations of a document.
pub(crate) struct Names(BTreeMap<(String, Verb), (String, String)>);

impl Names {
    /// Names all operations. Where two would have one id, the one with the shorter path has it, and the other is named by
    /// its whole path.
    pub(crate) fn of(paths: &[Path]) -> Names {
        let verbs = |path: &Path| path.operations.keys().copied().collect::<Vec<_>>();
        let mut order: Vec<(usize, &Path, Verb)> = paths
            .iter()
            .flat_map(|path| verbs(path).into_iter().map(move |verb| (path.steps.len(), path, verb)))
            .collect();
        order.sort_by(|one, other| (one.0, &one.1.template, one.2).cmp(&(other.0, &other.1.template, other.2)));
        let mut taken = BTreeSet::new();
        let mut names = BTreeMap::new();
        for (_, path, verb) in order {
            let (short, summary) = Topic::of(&path.steps).named(verb);
            let whole = format!("{}{}", verb.as_str(), whole_name(&path.steps));
            let short = ascii_name(&short).filter(|_| path.steps.iter().any(is_named)).unwrap_or_else(|| whole.clone());
            let numbered = (2..).map(|n| format!("{whole}{n}"));
            let mut candidates = [short, whole.clone()].into_iter().chain(numbered);
            if let Some(id) = candidates.find(|id| taken.insert(id.clone())) {
                let summary = if path.steps.iter().any(is_named) { summary } else { path.template.clone() };
                names.insert((path.template.clone(), verb), (id, summary));
            }
        }
        Names(names)
    }

    /// The operation id and the summary of an operation.
    pub(crate) fn take(&mut self, template: &str, verb: Verb) -> (String, String) {
        self.0.remove(&(template.to_owned(), verb)).unwrap_or_default()
    }
}

fn is_named(step: &Step) -> bool {
    matches!(step, Step::Literal(name) if !is_prefix(name))
}

fn whole_name(steps: &[Step]) -> String {
    let mut name = String::new();
    for step in steps {
        match step {
            Step::Literal(literal) => name.push_str(&pascal(&words(literal))),
            Step::Parameter(parameter, _) => name.push_str(&format!("By{}", pascal(&words(parameter)))),
        }
    }
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    if letters.is_empty() { "Root".to_owned() } else { letters }
}

/// The name, if it is made of ASCII letters and digits and begins with a letter.
fn ascii_name(name: &str) -> Option<String> {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    (begins && name.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| name.to_owned())
}

/// The tag: the first segment that is no prefix.
pub(crate) fn tag(steps: &[Step]) -> String {
    let first = steps.iter().find_map(|step| match step {
        Step::Literal(name) if !is_prefix(name) => Some(words(name).join(" ")),
        _ => None,
    });
    first.filter(|tag| !tag.is_empty()).unwrap_or_else(|| "default".to_owned())
}

/// What an object under a property is called: `Address`; with its owner where the name alone says nothing.
pub(crate) fn of_property(owner: &str, property: &str) -> String {
    let name = ascii_name(&pascal(&singular_words(property))).unwrap_or_else(|| "Value".to_owned());
    if GENERIC.contains(&name.as_str()) { format!("{owner}{name}") } else { name }
}

/// Names of properties that say nothing alone.
const GENERIC: [&str; 22] = [
    "Attribute",
    "Content",
    "Data",
    "Datum",
    "Detail",
    "Entry",
    "Info",
    "Item",
    "Link",
    "List",
    "Meta",
    "Metadata",
    "Node",
    "Object",
    "Option",
    "Payload",
    "Record",
    "Result",
    "Row",
    "Setting",
    "Summary",
    "Value",
];

/// Whether a property of a collection's answer holds its items.
pub(crate) fn holds_items(property: &str) -> bool {
    const HOLDERS: [&str; 12] = [
        "items", "data", "results", "content", "records", "entries", "list", "values", "rows", "hits", "nodes",
        "elements",
    ];
    HOLDERS.contains(&property)
}

#[cfg(test)]
mod tests;
