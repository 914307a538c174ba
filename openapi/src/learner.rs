//! The learner: the bounded state into which exchanges go.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tributary_http_types::HttpExchange;

use crate::{
    call::{Call, Reason},
    hash::keep_smallest,
    seen::Known,
    tree::{ALLOWANCE, Node},
};

/// Hosts that are remembered: those with the smallest hashes. A scanner can send any number of `host` headers.
const MAX_HOSTS: usize = 512;

/// What was learnt from exchanges, host by host.
///
/// It is a function of the set of exchanges: their order changes nothing, also not in its serialized form. So it may be
/// stored at any time, and learnt into further on. Its size is bounded by what is described, not by how much was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Learner {
    account: Account,
    known: Known,
    hosts: BTreeMap<Box<str>, Host>,
}

/// What was learnt about one host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Host {
    /// How many exchanges came over `http`, and how many over `https`.
    pub(crate) protocols: BTreeMap<Box<str>, u64>,
    /// The paths.
    pub(crate) root: Node,
}

/// What became of the exchanges: each is counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Those learnt from.
    pub learnt: u64,
    /// Those seen before: same id.
    pub repeated: u64,
    /// Those that teach nothing, by reason.
    pub left_out: BTreeMap<Reason, u64>,
}

/// What became of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lesson {
    /// It was learnt from.
    Learnt,
    /// It was seen before: same id.
    Repeated,
    /// It teaches nothing about the interface.
    LeftOut(Reason),
}

impl Learner {
    /// Knows nothing.
    pub fn new() -> Learner {
        Learner::default()
    }

    /// Learns from one exchange, if it is new and teaches something.
    pub fn learn(&mut self, exchange: &HttpExchange) -> Lesson {
        let lesson = self.lesson(exchange);
        let count = match lesson {
            Lesson::Learnt => &mut self.account.learnt,
            Lesson::Repeated => &mut self.account.repeated,
            Lesson::LeftOut(reason) => self.account.left_out.entry(reason).or_default(),
        };
        *count = count.saturating_add(1);
        lesson
    }

    fn lesson(&mut self, exchange: &HttpExchange) -> Lesson {
        let facts = exchange.facts();
        if !self.known.is_new(&facts) {
            return Lesson::Repeated;
        }
        let call = match Call::of(exchange, &facts) {
            Ok(call) => call,
            Err(reason) => return Lesson::LeftOut(reason),
        };
        if !self.hosts.contains_key(call.host.as_str()) {
            self.hosts.insert(call.host.as_str().into(), Host::default());
            keep_smallest(&mut self.hosts, MAX_HOSTS);
        }
        if let Some(host) = self.hosts.get_mut(call.host.as_str()) {
            let count = host.protocols.entry(call.protocol.as_str().into()).or_default();
            *count = count.saturating_add(1);
            host.root.add(&call);
        }
        Lesson::Learnt
    }

    /// Adds all that another learner learnt, as if this one had.
    ///
    /// What both learnt counts twice: give each exchange to one of them.
    pub fn merge(&mut self, other: Learner) {
        self.account.merge(&other.account);
        self.known.merge(other.known);
        for (name, theirs) in other.hosts {
            let host = self.hosts.entry(name).or_default();
            for (protocol, times) in theirs.protocols {
                let count = host.protocols.entry(protocol).or_default();
                *count = count.saturating_add(times);
            }
            host.root.absorb(theirs.root);
            host.root.tighten(ALLOWANCE);
        }
        keep_smallest(&mut self.hosts, MAX_HOSTS);
    }

    /// The hosts, sorted: lower case, with their port unless it is the default one; `unknown` if no line named one.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.keys().map(|host| &**host)
    }

    /// What became of the exchanges.
    pub fn account(&self) -> &Account {
        &self.account
    }

    pub(crate) fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.get(name)
    }
}

impl Account {
    fn merge(&mut self, other: &Account) {
        self.learnt = self.learnt.saturating_add(other.learnt);
        self.repeated = self.repeated.saturating_add(other.repeated);
        for (reason, times) in &other.left_out {
            let count = self.left_out.entry(*reason).or_default();
            *count = count.saturating_add(*times);
        }
    }
}
