//! The judgement itself: a pure function of ledger and evidence.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tributary_http_types::{Degraded, Fields, HttpExchange};

use super::{
    evidence::{Evidence, sum, value},
    identity,
    load::{Ledger, Outcome},
    mint::{ID_HEADER, Made, REPEATED_HEADER},
    verdict::Verdict,
};
use crate::recordings::Line;

/// Compares what was made with what came out.
///
/// The evidence must hold all lines of the topic and nothing else may have gone through Envoy, or it shows up as
/// spurious; that is the point.
pub fn judge(ledger: &Ledger, evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict { exchanges: ledger.attempts.len(), lines: evidence.lines.len(), ..Verdict::default() };
    for attempt in &ledger.attempts {
        let hurt = match &attempt.outcome {
            Outcome::Hurt(reason) => reason.clone(),
            Outcome::Cut(reason) => format!("cut off: {reason}"),
            Outcome::AsMade | Outcome::Unknown(_) => continue,
        };
        verdict.hurt.push(format!("{}: {hurt}", ledger.mint.exchange(attempt.number).id));
    }
    let mut seen = Seen::read(ledger, &evidence.lines, &mut verdict);
    verdict.dead_lettered = seen.add_letters(evidence);
    seen.find_missing(ledger, evidence, &mut verdict);
    seen.find_gaps(evidence, &mut verdict);
    (verdict.duplicates, verdict.degraded) = (seen.duplicates, seen.degraded);
    verdict.identities = identity::broken(&evidence.filter, &evidence.accounting);
    seen.compare_counts(ledger, evidence, &mut verdict);
    verdict
}

/// What the lines say.
#[derive(Default)]
struct Seen {
    /// The id of each exchange that was delivered, and the identity (`meta.id`) of its line.
    delivered: HashMap<String, String>,
    /// The numbers in the topic, and those of the spool's dead letters, by source.
    seqs: BTreeMap<String, BTreeSet<u64>>,
    /// Lines that came again with the same identity and the same bytes.
    duplicates: usize,
    /// Lines that say that something was left out of them, each once.
    degraded: u64,
}

impl Seen {
    fn read(ledger: &Ledger, lines: &[Line], verdict: &mut Verdict) -> Seen {
        let tried: BTreeMap<u64, &Outcome> =
            ledger.attempts.iter().map(|attempt| (attempt.number, &attempt.outcome)).collect();
        let mut seen = Seen::default();
        // By identity: the first line that carried it.
        let mut firsts: HashMap<String, &[u8]> = HashMap::new();
        for (index, line) in lines.iter().enumerate() {
            let exchange = match line.exchange() {
                Ok(exchange) => exchange,
                Err(error) => {
                    verdict.spurious.push(format!("line {index}: not of the format: {error:#}"));
                    continue;
                }
            };
            let Some(identity) = seen.note_identity(&exchange) else {
                verdict.spurious.push(format!("line {index}: meta has no sound id, source and seq"));
                continue;
            };
            if let Some(first) = firsts.get(identity.as_str()) {
                match *first == line.bytes.as_slice() {
                    true => seen.duplicates += 1,
                    false => verdict.altered.push(format!("{identity}: came again with other bytes")),
                }
                continue;
            }
            firsts.insert(identity.clone(), &line.bytes);
            seen.degraded += u64::from(exchange.facts().degraded.is_some());
            let path = exchange.request.path.as_deref().unwrap_or_default();
            let tried =
                |made: Made| number_of(&made).and_then(|number| tried.get(&number)).map(|outcome| (made, *outcome));
            let Some((made, outcome)) = ledger.mint.of_target(path).and_then(tried) else {
                verdict.spurious.push(format!("line {index}: nobody made {path:?}"));
                continue;
            };
            verdict
                .altered
                .extend(differences(&made, outcome, &exchange, line).map(|what| format!("{}: {what}", made.id)));
            if let Some(other) = seen.delivered.insert(made.id.clone(), identity.clone()) {
                verdict.spurious.push(format!("{}: recorded twice, as {other} and {identity}", made.id));
            }
        }
        seen
    }

    /// What lies among the dead letters is not in the topic, but it is not lost in silence either; says how many.
    fn add_letters(&mut self, evidence: &Evidence) -> u64 {
        let mut added = 0;
        for (source, numbers) in &evidence.dead_letters {
            let seqs = self.seqs.entry(source.clone()).or_default();
            added += numbers.iter().filter(|number| seqs.insert(**number)).count() as u64;
        }
        added
    }

    /// The identity of a line, if its parts fit together.
    fn note_identity(&mut self, exchange: &HttpExchange) -> Option<String> {
        let facts = exchange.facts();
        let (id, source, seq) = (facts.id?, facts.source?, facts.seq?);
        if id != format!("{source}-{seq}") {
            return None;
        }
        self.seqs.entry(source).or_default().insert(seq);
        Some(id)
    }

    /// An exchange that a client saw answered must be there, unless the filter counted it as dropped.
    fn find_missing(&self, ledger: &Ledger, evidence: &Evidence, verdict: &mut Verdict) {
        for attempt in &ledger.attempts {
            let id = ledger.mint.exchange(attempt.number).id;
            if self.delivered.contains_key(&id) {
                continue;
            }
            match &attempt.outcome {
                Outcome::Unknown(_) => verdict.unknown += 1,
                Outcome::AsMade | Outcome::Hurt(_) | Outcome::Cut(_) => verdict.missing.push(id),
            }
        }
        verdict.reported_dropped = sum(&evidence.filter, "dropped_");
        verdict.reported_rejected = value(&evidence.filter, "rejected");
    }

    /// Numbers below the highest of a source that never came, and that the source does not count as lost.
    fn find_gaps(&self, evidence: &Evidence, verdict: &mut Verdict) {
        for (source, seqs) in &self.seqs {
            let highest = seqs.last().copied().unwrap_or(0);
            let absent = (highest + 1) - seqs.len() as u64;
            let explained = explained(source, evidence);
            if absent > explained {
                verdict
                    .gaps
                    .push(format!("source {source}: {absent} numbers up to {highest} absent, {explained} explained"));
            }
        }
        self.find_lost(evidence, verdict);
        // One that was started again misses what its predecessor took; the topic, above, knows better.
        let whole = evidence.collector_restarts == 0;
        for (source, account) in evidence.accounting.sources.iter().filter(|_| whole) {
            let explained = sum(&account.counters, "dropped_");
            if account.missing > explained {
                verdict
                    .gaps
                    .push(format!("source {source}: collector misses {}, {explained} explained", account.missing));
            }
        }
    }

    /// What a collector says it has stored is there, and as much as a source knows to be acknowledged.
    fn find_lost(&self, evidence: &Evidence, verdict: &mut Verdict) {
        let none = BTreeSet::new();
        for (source, account) in &evidence.accounts {
            let seqs = self.seqs.get(source).unwrap_or(&none);
            let claimed: BTreeSet<u64> = account.acknowledged.iter().flat_map(|&(first, last)| first..=last).collect();
            let lost = claimed.difference(seqs).count();
            if lost > 0 {
                verdict.gaps.push(format!("source {source}: {lost} numbers stored, says the collector, and not there"));
            }
            let (acked, here) = (account.get("acked"), seqs.range(..account.captured()).count() as u64);
            if acked > here {
                verdict.gaps.push(format!("source {source}: {acked} acknowledged, {here} there"));
            }
        }
    }

    /// What is acknowledged is there; what is there was captured; what was answered was seen.
    fn compare_counts(&self, ledger: &Ledger, evidence: &Evidence, verdict: &mut Verdict) {
        let distinct: u64 = self.seqs.values().map(|seqs| seqs.len() as u64).sum();
        let (acked, captured) = (value(&evidence.filter, "acked"), value(&evidence.filter, "captured"));
        if acked > distinct {
            verdict.identities.push(format!("acknowledged {acked}, but only {distinct} exchanges came out"));
        }
        if captured < distinct {
            verdict.identities.push(format!("captured {captured}, but {distinct} exchanges came out"));
        }
        let degraded = sum(&evidence.filter, "degraded_");
        if self.degraded > degraded {
            verdict.identities.push(format!("{} lines are degraded, but the filter counted {degraded}", self.degraded));
        }
        let answered = ledger.attempts.iter().filter(|attempt| !matches!(attempt.outcome, Outcome::Unknown(_))).count();
        let seen = value(&evidence.filter, "seen");
        if seen < answered as u64 {
            verdict.identities.push(format!("answered {answered}, but the filter saw {seen}"));
        }
    }
}

/// How many numbers of a source need not be there, by the record beside the lines; if there is none, by the collector.
fn explained(source: &str, evidence: &Evidence) -> u64 {
    if let Some(account) = evidence.accounts.get(source) {
        return account.dropped() + account.get("rejected") + account.pending();
    }
    let counters = evidence.accounting.sources.get(source).map(|source| &source.counters);
    counters.map_or(0, |counters| sum(counters, "dropped_") + value(counters, "rejected"))
}

fn number_of(made: &Made) -> Option<u64> {
    made.id.rsplit_once('-').and_then(|(_, number)| number.parse().ok())
}

/// What differs between the exchange as made and as recorded. A line that says that it is degraded may lack what its
/// step takes, and nothing else. Of an answer whose connection broke a beginning may be there: what had passed by then.
fn differences<'a>(
    made: &'a Made,
    outcome: &'a Outcome,
    exchange: &'a HttpExchange,
    line: &'a Line,
) -> impl Iterator<Item = &'static str> + 'a {
    let request = &exchange.request;
    let response = exchange.response.as_ref();
    let degraded = exchange.facts().degraded;
    let broke = matches!(outcome, Outcome::Unknown(_) | Outcome::Cut(_));
    let is_body = |found: Option<&String>, made: &[u8]| {
        let found = found.map(String::as_bytes).unwrap_or_default();
        found == made || ((degraded.is_some() || broke) && made.starts_with(found))
    };
    let unanswered = broke && response.is_none();
    let has = |fields: Option<&Fields>, name: &str, values: &[&str]| {
        let is_left_out = degraded == Some(Degraded::Meta) && fields.is_some_and(Fields::is_empty);
        is_left_out || fields.is_some_and(|fields| fields.all(name) == values)
    };
    let (repeated, values) = REPEATED_HEADER;
    let (request_headers, response_headers) =
        (request.headers.as_ref(), response.and_then(|response| response.headers.as_ref()));
    let key = exchange.facts().id.map(String::into_bytes);
    [
        (request.method.as_str() == made.call.method.to_ascii_lowercase(), "method"),
        (request.host.as_deref() == Some(made.call.authority.as_str()), "host"),
        (is_body(request.body.as_ref(), &made.call.body.pieces().concat()), "request body"),
        (has(request_headers, ID_HEADER, &[&made.id]), "request header"),
        (has(request_headers, repeated, &values), "repeated request header"),
        (unanswered || response.is_some_and(|response| response.status_code == made.status), "status"),
        (is_body(response.and_then(|response| response.body.as_ref()), &made.answer), "response body"),
        (unanswered || has(response_headers, ID_HEADER, &[&made.id]), "response header"),
        (request.timestamp.is_some(), "timestamp of the request"),
        (unanswered || response.is_some_and(|response| response.timestamp.is_some()), "timestamp of the response"),
        (line.key.is_none() || line.key == key, "key of the record"),
    ]
    .into_iter()
    .filter_map(|(fits, what)| (!fits).then_some(what))
}

#[cfg(test)]
mod tests;
