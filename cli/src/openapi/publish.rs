//! From what was learnt to documents in their places, with what is to be told about them.

use std::collections::BTreeSet;

use anyhow::{Context, anyhow};
use serde_json::Value;
use tributary_openapi::{Base, Contradiction, Description, Explanation, Learner, Settings, describe};

use super::{
    args::{HostPattern, OpenapiArgs},
    output::Target,
    spec,
};
use crate::{
    failure::Failure,
    terminal::{notice, push_visible},
};

/// Hosts that a message names at most.
const MAX_NAMED_HOSTS: usize = 10;

/// Contradictions that are remembered as told, so that none is told at each rewriting.
const MAX_REMEMBERED: usize = 10_000;

/// Writes the documents.
pub(super) struct Publisher {
    settings: Settings,
    base: Option<Base>,
    hosts: Vec<HostPattern>,
    target: Target,
    explain: Explain,
    told: BTreeSet<Contradiction>,
}

/// Whether to tell why.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Explain {
    Yes,
    No,
}

/// A document that was put where it belongs.
struct Published {
    place: String,
    host: Option<String>,
    description: Description,
}

impl Publisher {
    /// Reads what the arguments name.
    ///
    /// # Errors
    /// `--out` or `--base` cannot be used.
    pub(super) fn new(args: &OpenapiArgs) -> Result<Publisher, Failure> {
        let target = args.target()?;
        let base = match &args.base {
            None => None,
            Some(path) => {
                let base = Base::new(spec::read(path)?);
                Some(base.with_context(|| format!("--base {}", path.display())).map_err(Failure::data)?)
            }
        };
        let explain = if args.explain { Explain::Yes } else { Explain::No };
        let (settings, hosts) = (args.settings(), args.host.clone());
        Ok(Publisher { settings, base, hosts, target, explain, told: BTreeSet::new() })
    }

    /// Writes what has changed, and tells contradictions that were not told before. A folder gets no document yet while
    /// there is no host.
    ///
    /// # Errors
    /// There are several hosts for one document, or a document cannot be written.
    pub(super) fn update(&mut self, learner: &Learner) -> Result<(), Failure> {
        let hosts = self.chosen(learner)?;
        if hosts.is_empty() && self.target.is_for_many() {
            return Ok(());
        }
        self.publish(learner, &hosts).map(drop)
    }

    /// Writes the last version, and tells where the documents are and how they came about.
    ///
    /// # Errors
    /// Those of [`update`](Self::update), and no host is one of those asked for.
    pub(super) fn finish(mut self, learner: &Learner) -> Result<(), Failure> {
        let hosts = self.chosen(learner)?;
        if hosts.is_empty() && learner.hosts().next().is_some() {
            return Err(Failure::usage(anyhow!(
                "--host {}: there is traffic of {} only",
                self.patterns(),
                named(learner.hosts())
            )));
        }
        for published in self.publish(learner, &hosts)? {
            if self.explain == Explain::Yes {
                published.description.explanations.iter().for_each(explain);
            }
            let (paths, operations) = size(&published.description.document);
            let host = published.host.map(|host| format!("{host}, ")).unwrap_or_default();
            let (paths, operations) = (counted(paths, "path"), counted(operations, "operation"));
            tell(&format!("{}: {host}{paths}, {operations}", published.place));
        }
        Ok(())
    }

    fn publish(&mut self, learner: &Learner, hosts: &[&str]) -> Result<Vec<Published>, Failure> {
        // Of no host nothing was learnt: that gives the empty document.
        let hosts = if hosts.is_empty() { vec![None] } else { hosts.iter().copied().map(Some).collect() };
        let mut published = Vec::with_capacity(hosts.len());
        for host in hosts {
            let description = describe(learner, host.unwrap_or_default(), &self.settings, self.base.as_ref());
            let put = self.target.put(host, &description.document)?;
            self.tell_contradictions(&description.contradictions);
            published.push(Published { place: put.place, host: host.map(str::to_owned), description });
        }
        Ok(published)
    }

    /// The hosts to describe.
    fn chosen<'a>(&self, learner: &'a Learner) -> Result<Vec<&'a str>, Failure> {
        let asked_for = |host: &&str| self.hosts.is_empty() || self.hosts.iter().any(|pattern| pattern.matches(host));
        let chosen: Vec<_> = learner.hosts().filter(asked_for).collect();
        let one = match (&self.base, self.target.is_for_many()) {
            (Some(_), _) => "--base describes one service",
            (None, false) => "one document describes one host",
            (None, true) => return Ok(chosen),
        };
        match chosen.len() {
            0 | 1 => Ok(chosen),
            _ => Err(Failure::usage(anyhow!(
                "{one}, and there is traffic of {}: choose one with --host{}",
                named(chosen.into_iter()),
                if self.base.is_none() { ", or give a folder with --out" } else { "" },
            ))),
        }
    }

    fn patterns(&self) -> String {
        self.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    fn tell_contradictions(&mut self, contradictions: &[Contradiction]) {
        for contradiction in contradictions {
            if self.told.len() < MAX_REMEMBERED && self.told.insert(contradiction.clone()) {
                tell(&format!("contradicts --base: {}: {}", contradiction.place, contradiction.what));
            }
        }
    }
}

fn explain(explanation: &Explanation) {
    tell(&format!("{}: {}: {}", explanation.subject.as_str(), explanation.place, explanation.why));
}

/// On stderr; what comes from the traffic cannot steer the terminal.
fn tell(text: &str) {
    let mut visible = String::new();
    push_visible(&mut visible, text);
    notice(&visible);
}

/// The hosts as a list, the first of them.
pub(super) fn named<'a>(hosts: impl Iterator<Item = &'a str>) -> String {
    let hosts: Vec<_> = hosts.collect();
    let mut first = hosts.iter().take(MAX_NAMED_HOSTS).copied().collect::<Vec<_>>().join(", ");
    if hosts.len() > MAX_NAMED_HOSTS {
        first = format!("{first} and {} more", hosts.len() - MAX_NAMED_HOSTS);
    }
    let mut visible = String::new();
    push_visible(&mut visible, &first);
    visible
}

/// `1 path`, `2 paths`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// How many paths a document has, and how many operations.
fn size(document: &Value) -> (usize, usize) {
    const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
    let paths = document.get("paths").and_then(Value::as_object);
    let operations = |item: &Value| METHODS.iter().filter(|method| item.get(method).is_some()).count();
    paths.map_or((0, 0), |paths| (paths.len(), paths.values().map(operations).sum()))
}
