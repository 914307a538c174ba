//! What is kept of one operation: a method at one path.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tributary_http_types::{Fields, HttpResponse};

use super::{Bodies, Durations, Params, bodies::Content};
use crate::{
    call::{Call, Verb},
    credentials::{self, Scheme},
    noise, pairs,
};

/// Combinations of credentials that are remembered.
const MAX_COMBINATIONS: usize = 32;

/// What is kept of one operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Operation {
    /// How many exchanges.
    pub(crate) count: u64,
    /// The earliest and the latest moment, in milliseconds since the epoch.
    pub(crate) seen: Option<(i64, i64)>,
    /// How long they took.
    pub(crate) durations: Durations,
    /// Requests that the server did not find fault with.
    pub(crate) accepted: Requests,
    /// Requests that it refused, or failed at: what they have or lack may be the fault.
    pub(crate) refused: Requests,
    /// Responses by status.
    pub(crate) responses: BTreeMap<u16, Box<Response>>,
}

/// The requests of an operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Requests {
    /// How many.
    pub(crate) count: u64,
    /// Query parameters.
    pub(crate) query: Params,
    /// Headers that are parameters.
    pub(crate) headers: Params,
    /// Cookies that are parameters.
    pub(crate) cookies: Params,
    /// How often which credentials came together; none at all is a combination too.
    #[serde(with = "pairs")]
    pub(crate) credentials: BTreeMap<Vec<Scheme>, u64>,
    /// Bodies.
    pub(crate) bodies: Bodies,
}

/// The responses of an operation with one status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Response {
    /// How many.
    pub(crate) count: u64,
    /// Headers that tell something.
    pub(crate) headers: Params,
    /// Bodies.
    pub(crate) bodies: Bodies,
}

impl Operation {
    /// Adds one exchange.
    pub(crate) fn add(&mut self, call: &Call) {
        self.count = self.count.saturating_add(1);
        if let Some(moment) = call.moment() {
            let (first, last) = self.seen.unwrap_or((moment, moment));
            self.seen = Some((first.min(moment), last.max(moment)));
        }
        if let Some(millis) = call.facts.duration_ms {
            self.durations.add(millis);
        }
        let status = call.response.status_code;
        let requests = if is_refusal(status) { &mut self.refused } else { &mut self.accepted };
        requests.add(call);
        self.responses.entry(status).or_default().add(call.response, call);
    }

    /// Adds all that another one was given.
    pub(crate) fn merge(&mut self, other: &Operation) {
        self.count = self.count.saturating_add(other.count);
        self.seen = match (self.seen, other.seen) {
            (Some((first, last)), Some((earlier, later))) => Some((first.min(earlier), last.max(later))),
            (one, other) => one.or(other),
        };
        self.durations.merge(&other.durations);
        self.accepted.merge(&other.accepted);
        self.refused.merge(&other.refused);
        for (status, response) in &other.responses {
            self.responses.entry(*status).or_default().merge(response);
        }
    }

    /// The requests that teach: the accepted ones, or the refused ones if there are no others.
    pub(crate) fn requests(&self) -> &Requests {
        if self.accepted.count > 0 { &self.accepted } else { &self.refused }
    }
}

/// Whether a status says that the request itself was wrong, or leaves it open.
///
/// Not 404, 409, 410, 429: such a request was understood.
fn is_refusal(status: u16) -> bool {
    matches!(status, 400 | 401 | 403 | 405 | 406 | 411 | 413..=417 | 422 | 428 | 431 | 500..)
}

impl Requests {
    fn add(&mut self, call: &Call) {
        self.count = self.count.saturating_add(1);
        let none = Fields::new();
        let headers = call.exchange.request.headers.as_ref().unwrap_or(&none);
        for (name, values) in call.query.iter().filter(|(name, _)| !credentials::is_key(name)) {
            self.query.add(name, values.iter().map(String::as_str));
        }
        for (name, values) in headers.iter() {
            if noise::is_request_parameter(name) && !credentials::is_key(name) {
                self.headers.add(name, values.iter().map(String::as_str));
            }
        }
        let cookies = credentials::cookies(headers);
        self.add_cookies(&cookies);
        let schemes = credentials::schemes(headers, &call.query, &cookies);
        let count = self.credentials.entry(schemes).or_insert(0);
        *count = count.saturating_add(1);
        self.bound();
        if call.verb != Verb::Trace {
            self.bodies.add(&request_content(call, headers));
        }
    }

    fn add_cookies(&mut self, cookies: &[(&str, &str)]) {
        let parameters = cookies.iter().enumerate().filter(|(place, (name, _))| {
            // The same name twice is a matter of paths, not of the interface.
            let is_first = !cookies.iter().take(*place).any(|(earlier, _)| earlier == name);
            is_first && noise::is_cookie_parameter(name) && !credentials::is_session(name)
        });
        for (_, (name, value)) in parameters {
            self.cookies.add(name, std::iter::once(*value));
        }
    }

    fn merge(&mut self, other: &Requests) {
        self.count = self.count.saturating_add(other.count);
        self.query.merge(&other.query);
        self.headers.merge(&other.headers);
        self.cookies.merge(&other.cookies);
        for (schemes, times) in &other.credentials {
            let count = self.credentials.entry(schemes.clone()).or_insert(0);
            *count = count.saturating_add(*times);
        }
        self.bound();
        self.bodies.merge(&other.bodies);
    }

    fn bound(&mut self) {
        while self.credentials.len() > MAX_COMBINATIONS {
            self.credentials.pop_last();
        }
    }
}

/// The body of a request. The recorder of the original tutorial writes `{}` for every body that is not JSON, and for none:
/// without a JSON content type that is no body.
fn request_content<'a>(call: &'a Call, headers: &'a Fields) -> Content<'a> {
    let content_type = headers.first("content-type");
    let text = call.exchange.request.body.as_deref().unwrap_or_default();
    let is_json = content_type.is_some_and(|header| header.to_ascii_lowercase().contains("json"));
    let text = if text == "{}" && !is_json { "" } else { text };
    Content { content_type, text, facts: call.facts.request_body.as_ref() }
}

impl Response {
    fn add(&mut self, response: &HttpResponse, call: &Call) {
        self.count = self.count.saturating_add(1);
        let none = Fields::new();
        let headers = response.headers.as_ref().unwrap_or(&none);
        for (name, values) in headers.iter().filter(|(name, _)| noise::is_telling_response_header(name)) {
            self.headers.add(name, values.iter().map(String::as_str));
        }
        // RFC 9110 §6.4.1: these have no content, whatever a recorder wrote.
        let has_none = call.verb == Verb::Head || matches!(response.status_code, 100..=199 | 204 | 205 | 304);
        let text = if has_none { "" } else { response.body.as_deref().unwrap_or_default() };
        let facts = if has_none { None } else { call.facts.response_body.as_ref() };
        self.bodies.add(&Content { content_type: headers.first("content-type"), text, facts });
    }

    fn merge(&mut self, other: &Response) {
        self.count = self.count.saturating_add(other.count);
        self.headers.merge(&other.headers);
        self.bodies.merge(&other.bodies);
    }
}
