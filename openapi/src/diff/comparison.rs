//! Exchanges laid beside a contract, one at a time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use tributary_http_types::HttpExchange;

use super::bodies::Body;
use super::check::{Fault, Way};
use super::contract::{Contract, Operation};
use super::finding::{Drift, Finding, Kind, MOST_FINDINGS};
use super::parameters::{parameter_faults, values_faults};
use super::routes::{Routed, Routes};
use crate::call::Call;
use crate::describe::describe;
use crate::learner::Learner;
use crate::seen::Known;
use crate::settings::Settings;

/// Undocumented paths that are told apart until their templates are known.
const MOST_PATHS: usize = 5_000;

/// A contract, and what exchanges showed against it so far. Its memory is bounded, whatever comes.
#[derive(Clone, Debug)]
pub struct Comparison<'c> {
    contract: &'c Contract,
    known: Known,
    findings: BTreeMap<Key, Tally>,
    seen: BTreeSet<(String, &'static str)>,
    /// What is known of the exchanges whose path the contract does not have: it finds the templates of those paths.
    strange: Learner,
    strange_paths: BTreeMap<StrangePath, Tally>,
    drift: Drift,
}

/// What makes two findings one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    operation: String,
    kind: Kind,
    place: String,
    message: String,
    pointer: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct StrangePath {
    host: String,
    verb: &'static str,
    pathname: String,
}

#[derive(Clone, Debug)]
struct Tally {
    count: u64,
    example: String,
}

impl<'c> Comparison<'c> {
    /// Nothing is compared yet.
    pub fn with(contract: &'c Contract) -> Comparison<'c> {
        Comparison {
            contract,
            known: Known::default(),
            findings: BTreeMap::new(),
            seen: BTreeSet::new(),
            strange: Learner::new(),
            strange_paths: BTreeMap::new(),
            drift: Drift::default(),
        }
    }

    /// Lays one exchange beside the contract. `place` says where it was read, for one without an id: `line 17`.
    pub fn add(&mut self, exchange: &HttpExchange, place: impl FnOnce() -> String) {
        let facts = exchange.facts();
        if !self.known.is_new(&facts) {
            self.drift.repeated += 1;
            return;
        }
        let call = match Call::of(exchange, &facts) {
            Ok(call) => call,
            Err(reason) => {
                *self.drift.left_out.entry(reason).or_default() += 1;
                return;
            }
        };
        self.drift.compared += 1;
        let example = facts.id.clone().unwrap_or_else(place);
        // What the service says that it does not have.
        let is_absent = matches!(call.response.status_code, 404 | 405 | 501);
        match self.contract.route(&call.pathname) {
            Some(routed) => self.add_routed(&call, &routed, is_absent, &example),
            None if is_absent => {}
            None => self.add_strange_path(&call, exchange, example),
        }
    }

    fn add_routed(&mut self, call: &Call<'_>, routed: &Routed<'_>, is_absent: bool, example: &str) {
        let contract = self.contract;
        let name = format!("{} {}", call.verb.as_str().to_ascii_uppercase(), routed.template);
        let item = format!("/paths/{}", routed.template.replace('~', "~0").replace('/', "~1"));
        let Some(operation) = contract.operation(routed.template, call.verb.as_str()) else {
            // Servers answer HEAD and OPTIONS by themselves; documents rarely say so.
            let is_implied = matches!(call.verb.as_str(), "head" | "options");
            if !is_absent && !is_implied {
                let message = "the path has no such method".to_owned();
                let (kind, place) = (Kind::UndocumentedMethod, String::new());
                self.count(Key { operation: name, kind, place, message, pointer: item }, example);
            }
            return;
        };
        self.seen.insert((routed.template.to_owned(), call.verb.as_str()));
        let pointer = format!("{item}/{}", call.verb.as_str());
        let mut faults = response_faults(contract, operation, call);
        // What the service refused, it did not take: it says nothing about the contract.
        if !(400..500).contains(&call.response.status_code) {
            faults.extend(parameter_faults(contract, operation, call, &routed.parameters));
            faults.extend(request_faults(contract, operation, call));
        }
        faults.sort();
        faults.dedup();
        for Fault { kind, place, message } in faults {
            self.count(Key { operation: name.clone(), kind, place, message, pointer: pointer.clone() }, example);
        }
    }

    /// What was found so far.
    pub fn drift(&self) -> Drift {
        let mut whole = self.clone();
        whole.name_strange_paths();
        let findings = whole.findings.into_iter().map(|(key, tally)| Finding {
            operation: key.operation,
            kind: key.kind,
            place: key.place,
            message: key.message,
            pointer: key.pointer,
            count: tally.count,
            example: tally.example,
        });
        let mut findings = findings.collect::<Vec<_>>();
        // By path before method: what belongs together stands together.
        findings.sort_by(|one, other| {
            let path = |finding: &Finding| finding.operation.split_once(' ').map(|(_, path)| path.to_owned());
            (path(one), one).cmp(&(path(other), other))
        });
        Drift { findings, operations_seen: self.seen.len(), operations: self.contract.operations(), ..whole.drift }
    }

    fn count(&mut self, key: Key, example: &str) {
        let is_full = self.findings.len() >= MOST_FINDINGS;
        match self.findings.get_mut(&key) {
            Some(tally) => tally.count += 1,
            None if is_full => self.drift.more += 1,
            None => drop(self.findings.insert(key, Tally { count: 1, example: example.to_owned() })),
        }
    }

    fn add_strange_path(&mut self, call: &Call<'_>, exchange: &HttpExchange, example: String) {
        self.strange.learn(exchange);
        let path = StrangePath {
            host: call.host.clone(),
            verb: call.verb.as_str(),
            pathname: call.pathname.clone().into_owned(),
        };
        let is_full = self.strange_paths.len() >= MOST_PATHS;
        match self.strange_paths.get_mut(&path) {
            Some(tally) => tally.count += 1,
            None if is_full => self.drift.more += 1,
            None => drop(self.strange_paths.insert(path, Tally { count: 1, example })),
        }
    }

    /// Turns the undocumented paths into findings, one for each template.
    fn name_strange_paths(&mut self) {
        let paths = std::mem::take(&mut self.strange_paths);
        let mut routes = BTreeMap::<&str, Routes>::new();
        for path in paths.keys() {
            routes.entry(&path.host).or_insert_with(|| {
                let described = describe(&self.strange, &path.host, &Settings::default(), None).document;
                let templates = described.get("paths").and_then(Value::as_object).into_iter().flatten();
                Routes::of(templates.map(|(template, _)| template.as_str()))
            });
        }
        let mut named = Vec::new();
        for (path, tally) in &paths {
            let routed = routes.get(path.host.as_str()).and_then(|routes| routes.route(&path.pathname));
            let template = routed.map_or(path.pathname.as_str(), |routed| routed.template);
            let key = Key {
                operation: format!("{} {template}", path.verb.to_ascii_uppercase()),
                kind: Kind::UndocumentedPath,
                place: String::new(),
                message: "no path of the document fits".to_owned(),
                pointer: "/paths".to_owned(),
            };
            named.push((key, tally.clone()));
        }
        for (key, tally) in named {
            let is_full = self.findings.len() >= MOST_FINDINGS;
            match self.findings.get_mut(&key) {
                Some(known) => known.count += tally.count,
                None if is_full => self.drift.more += tally.count,
                None => drop(self.findings.insert(key, tally)),
            }
        }
    }
}

fn request_faults(contract: &Contract, operation: Operation<'_>, call: &Call<'_>) -> Vec<Fault> {
    let request = &call.exchange.request;
    let body = Body {
        text: request.body.as_deref().unwrap_or_default(),
        headers: request.headers.as_ref(),
        facts: call.facts.request_body.as_ref(),
    };
    let documented = operation.own.get("requestBody").map(|body| contract.resolve(body));
    if body.is_there() {
        // Express and its like record `{}` for a GET without a body.
        let is_blank = body.text == "{}" && documented.is_none();
        let content = documented.and_then(|documented| documented.get("content"));
        return if is_blank { Vec::new() } else { body.faults(contract, content, Way::Request, "request body") };
    }
    let required = documented.and_then(|documented| documented.get("required")).and_then(Value::as_bool) == Some(true);
    let message = "missing, and it is required".to_owned();
    let missing = Fault { kind: Kind::MissingRequired, place: "request body".to_owned(), message };
    required.then_some(missing).into_iter().collect()
}

fn response_faults(contract: &Contract, operation: Operation<'_>, call: &Call<'_>) -> Vec<Fault> {
    let status = call.response.status_code;
    let place = format!("response {status}");
    let Some(documented) = documented_response(contract, operation.own, status) else {
        return vec![Fault {
            kind: Kind::UndocumentedStatus,
            place,
            message: "the operation has no such answer".to_owned(),
        }];
    };
    let mut faults = header_faults(contract, documented, call, &place);
    let body = Body {
        text: call.response.body.as_deref().unwrap_or_default(),
        headers: call.response.headers.as_ref(),
        facts: call.facts.response_body.as_ref(),
    };
    if body.is_there() && call.verb.as_str() != "head" {
        faults.extend(body.faults(contract, documented.get("content"), Way::Response, &format!("{place} body")));
    }
    faults
}

/// By the status itself, its class, or `default`.
fn documented_response<'c>(
    contract: &'c Contract,
    operation: &'c Map<String, Value>,
    status: u16,
) -> Option<&'c Value> {
    let responses = operation.get("responses")?;
    let class = format!("{}XX", status / 100);
    let named = |name: &str| responses.get(name);
    let found = named(&status.to_string()).or_else(|| named(&class)).or_else(|| named("default"))?;
    Some(contract.resolve(found))
}

fn header_faults(contract: &Contract, documented: &Value, call: &Call<'_>, place: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (name, header) in documented.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let Some(header) = contract.resolve(header).as_object() else { continue };
        let name = name.to_ascii_lowercase();
        let sent = call.response.headers.as_ref().map(|headers| headers.all(&name)).unwrap_or_default();
        let sent = sent.iter().map(String::as_str).collect::<Vec<_>>();
        let at = format!("{place} header {name}");
        if !sent.is_empty() {
            faults.extend(values_faults(contract, header, &sent, &at));
        } else if header.get("required").and_then(Value::as_bool) == Some(true) {
            let message = "missing, and it is required".to_owned();
            faults.push(Fault { kind: Kind::MissingRequired, place: at, message });
        }
    }
    faults
}
