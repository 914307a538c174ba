//! What leaves for the collector, and what its answers do.

use std::rc::Rc;

use super::Plugin;
use crate::{
    capture::Refusal,
    clock::Moment,
    config::Config,
    counters::Counter,
    delivery::{InFlight, Phase, Standing},
    head::Head,
    reply::Verdict,
    retry::Wait,
    roots::RootId,
};

/// One POST, ready to be handed to Envoy.
#[derive(Clone, Debug)]
pub struct Post {
    /// Names it in [`Plugin::posted`]; the number of its batch.
    pub number: u64,
    /// Names and values, pseudo-headers first.
    pub headers: Vec<(&'static str, String)>,
    /// The lines; empty in a report.
    pub body: Rc<Vec<u8>>,
    /// Cluster and time-out.
    pub config: Rc<Config>,
}

/// The collector's answer as the host has it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The header map; empty or refused if there was no answer (connection reset, answer too large).
    pub head: Result<Vec<u8>, Refusal>,
    /// The first [`REPLY_BODY_LIMIT`](crate::REPLY_BODY_LIMIT) bytes.
    pub body: Result<Vec<u8>, Refusal>,
}

impl Plugin {
    /// The next post to hand to Envoy from a callback of this root, if one is due.
    ///
    /// Its lines count as in flight from here on; tell what Envoy said with [`posted`](Self::posted).
    pub fn next_post(&mut self, root: RootId, read: Moment) -> Option<Post> {
        let now = self.now(read);
        self.write_run();
        let phase = if self.roots.all_close() { Phase::Ending } else { Phase::Serving };
        let config = self.roots.config().filter(|_| self.roots.may_post(root))?.clone();
        let standing = Standing { counters: &self.counters, pending: self.pending() };
        let batch = self.delivery.departing(now, phase, &config, standing)?;
        self.counters.add(Counter::Posts, 1);
        let (number, body) = (batch.number, batch.lines.clone());
        self.delivery.departed(batch, root, now, self.counters.clone(), config.collector.timeout);
        let headers = headers(&config, self.source.as_str(), number, self.counters.render(self.pending()));
        Some(Post { number, headers, body, config })
    }

    /// Envoy took the post under this token, or refused it.
    pub fn posted(&mut self, number: u64, taken: Result<u32, Refusal>, read: Moment) {
        let now = self.now(read);
        match taken {
            Ok(token) => self.delivery.taken(number, token),
            Err(refusal) => {
                if let Some(post) = self.delivery.not_taken(number) {
                    self.failed(post, Wait::Usual, &format!("not_sent_{}", refusal.status), now);
                }
            }
        }
    }

    /// An answer came. One to a post that was given up before is of no use any more: its lines travel again.
    pub fn replied(&mut self, token: u32, answer: Answer, read: Moment) {
        let now = self.now(read);
        let Some(post) = self.delivery.answered(token) else { return };
        let head = answer.head.ok().and_then(|map| Head::from_wire(map).ok());
        let ack = format!("{}-{}", self.source.as_str(), post.batch.number);
        match Verdict::of(head.as_ref(), &answer.body.unwrap_or_default(), &ack, post.batch.count) {
            Verdict::Acked { accepted, rejected } => self.acked(post, accepted, rejected),
            Verdict::Hopeless(reason) => self.hopeless(post, reason, now),
            Verdict::Again { wait, status } => {
                let failure = status.map_or_else(|| "no_answer".to_owned(), |status| format!("http_{status}"));
                self.failed(post, wait, &failure, now);
            }
        }
        self.look_around(now);
    }

    fn acked(&mut self, post: InFlight, accepted: u64, rejected: u64) {
        if let Some(config) = self.roots.config() {
            self.journal.acknowledged(&config.collector.cluster);
        }
        self.counters.add(Counter::Acked, accepted);
        self.counters.add(Counter::Rejected, rejected);
        self.budget.give_back(post.batch.lines.len());
        self.delivery.acknowledged(post.told);
    }

    /// The collector can be reached, but not with this batch. A report holds nothing to drop, and would be sent again
    /// at once: it waits as after any failure.
    fn hopeless(&mut self, post: InFlight, reason: Counter, now: Moment) {
        if post.batch.count == 0 {
            return self.failed(post, Wait::Usual, reason.name(), now);
        }
        self.counters.add(Counter::PostFailures, 1);
        self.counters.add(reason, post.batch.count);
        self.budget.give_back(post.batch.lines.len());
    }

    /// Nothing is promised: the batch goes back to its place. A report does not, the next one tells more.
    pub(super) fn failed(&mut self, post: InFlight, wait: Wait, failure: &str, now: Moment) {
        self.counters.add(Counter::PostFailures, 1);
        if let Some(config) = self.roots.config() {
            let limits = &config.retry;
            self.delivery.backoff.failed(post.sent, now, wait, limits, &mut self.delivery.random);
            let failures = self.delivery.backoff.failures();
            self.journal.post_failed(now, failures, &config.collector.cluster, failure);
        }
        if post.batch.count > 0 {
            self.delivery.queue.put_back(post.batch);
        }
    }

    /// Gives up what waited too long, and notices what is to be told.
    pub(super) fn look_around(&mut self, now: Moment) {
        let Some(config) = self.roots.config().cloned() else { return };
        while let Some(post) = self.delivery.overdue(now) {
            self.failed(post, Wait::Usual, "answer_overdue", now);
        }
        let oldest = now.before(config.retry.give_up_after);
        while let Some(batch) = self.delivery.queue.take_older_than(oldest) {
            self.counters.add(Counter::DroppedExpired, batch.count);
            self.budget.give_back(batch.lines.len());
        }
        let standing = Standing { counters: &self.counters, pending: self.pending() };
        self.delivery.look_around(now, &config, standing);
        self.journal.losses(now, &self.counters);
    }
}

fn headers(config: &Config, source: &str, number: u64, counters: String) -> Vec<(&'static str, String)> {
    let collector = &config.collector;
    let mut headers = vec![
        (":method", "POST".to_owned()),
        (":path", collector.path.clone()),
        (":authority", collector.authority.clone()),
        ("content-type", "application/x-ndjson".to_owned()),
        ("x-tributary-source", source.to_owned()),
        ("x-tributary-batch", number.to_string()),
        ("x-tributary-counters", counters),
        ("x-tributary-heartbeat", config.heartbeat.as_millis().to_string()),
    ];
    if let Some(token) = &collector.token {
        headers.push(("authorization", format!("Bearer {token}")));
    }
    headers
}
