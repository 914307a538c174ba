//! Batches on the way to the collector: which may leave, which are out, which come back.
//!
//! A batch is in the queue or in flight, never in both and never in none, so no answer and no missing answer can lose
//! it. It leaves the VM's memory only by an acknowledgement or under a drop reason.

use std::time::Duration;

use crate::{
    batch::{Batch, Queue},
    clock::Moment,
    config::Config,
    counters::{Counters, Pending},
    random::Random,
    retry::Backoff,
    roots::RootId,
};

/// Posts in flight at once, per VM: enough to fill the time of a round trip, few enough for any circuit breaker.
pub(crate) const MAX_IN_FLIGHT: usize = 2;

/// Posts tried when the VM ends. Envoy writes what a warm connection takes and cancels the rest, so a few small ones.
const FINAL_POSTS: u32 = 8;

/// With nothing to post for this long, a report tells the collector what it does not know yet.
pub(crate) const REPORT_AFTER: Duration = Duration::from_secs(1);

/// Envoy answers a post by its time-out at the latest; one without an answer this long after it is taken for lost.
const ANSWER_GRACE: Duration = Duration::from_secs(5);

/// An unsent batch is closed after this long even if the collector is away, so that its lines have about one age.
const CLOSE_AFTER: Duration = Duration::from_secs(1);

/// Whether there will be a later moment to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Serving,
    /// The last root is about to go.
    Ending,
}

/// What there is to tell the collector at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing<'a> {
    pub(crate) counters: &'a Counters,
    pub(crate) pending: Pending,
}

/// A post that has no answer yet.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) batch: Batch,
    pub(crate) root: RootId,
    pub(crate) sent: Moment,
    /// What its counters told the collector.
    pub(crate) told: Counters,
    /// Envoy's number of the call; `None` until it has taken it.
    token: Option<u32>,
    overdue: Moment,
}

#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) queue: Queue,
    pub(crate) backoff: Backoff,
    pub(crate) random: Random,
    in_flight: Vec<InFlight>,
    /// What the collector knows: the counters of the last acknowledged post.
    told: Counters,
    /// Since when there is something to tell and nothing was posted.
    untold_since: Option<Moment>,
    /// Since when something is pending and nothing was posted; `None` while nothing is pending.
    silent_since: Option<Moment>,
    /// Left to try at the end. An answered one makes room for another.
    final_posts: u32,
}

impl Delivery {
    pub(crate) fn new(random: Random) -> Delivery {
        Delivery {
            queue: Queue::default(),
            backoff: Backoff::default(),
            random,
            in_flight: Vec::new(),
            told: Counters::default(),
            untold_since: None,
            silent_since: None,
            final_posts: 0,
        }
    }

    /// Takes out the batch that is to leave now; one without lines is a report.
    pub(crate) fn departing(
        &mut self,
        now: Moment,
        phase: Phase,
        config: &Config,
        standing: Standing<'_>,
    ) -> Option<Batch> {
        if !self.may_leave(now, phase) {
            return None;
        }
        let is_due = |since: Moment| phase == Phase::Ending || now >= since.after(config.batch.flush_after);
        if !self.queue.has_waiting() && self.queue.filling_since().is_some_and(is_due) {
            self.queue.close();
        }
        let batch = match self.queue.take() {
            Some(batch) => batch,
            None if self.is_report_due(now, phase, standing.counters) => self.report(now),
            None if self.is_heartbeat_due(now, phase, config, standing.pending) => self.report(now),
            None => return None,
        };
        if phase == Phase::Ending {
            self.final_posts = self.final_posts.saturating_sub(1);
        }
        self.untold_since = None;
        self.silent_since = Some(now);
        Some(batch)
    }

    /// One at a time while the collector is in trouble: each probes whether it is back.
    fn may_leave(&self, now: Moment, phase: Phase) -> bool {
        let slots = if self.backoff.failures() == 0 { MAX_IN_FLIGHT } else { 1 };
        match phase {
            Phase::Serving => self.in_flight.len() < slots && self.backoff.is_over(now),
            Phase::Ending => self.final_posts > 0,
        }
    }

    fn is_report_due(&self, now: Moment, phase: Phase, counters: &Counters) -> bool {
        let is_quiet = self.in_flight.is_empty() && self.queue.count() == 0;
        let has_waited =
            phase == Phase::Ending || self.untold_since.is_some_and(|since| now >= since.after(REPORT_AFTER));
        is_quiet && has_waited && !self.told.tell_the_same(counters)
    }

    /// A collector that hears nothing of a source with something pending for some heartbeats takes it for dead. What is
    /// in flight does not speak for a VM that goes on living, so it does not count here.
    fn is_heartbeat_due(&self, now: Moment, phase: Phase, config: &Config, pending: Pending) -> bool {
        phase == Phase::Serving
            && pending.total() > 0
            && self.silent_since.is_some_and(|since| now >= since.after(config.heartbeat))
    }

    fn report(&mut self, now: Moment) -> Batch {
        Batch { number: self.queue.take_number(), lines: Default::default(), count: 0, since: now }
    }

    /// The batch has left from this root.
    pub(crate) fn departed(&mut self, batch: Batch, root: RootId, now: Moment, told: Counters, timeout: Duration) {
        let overdue = now.after(timeout).after(ANSWER_GRACE);
        self.in_flight.push(InFlight { batch, root, sent: now, told, token: None, overdue });
    }

    /// Envoy has taken the post under this token.
    pub(crate) fn taken(&mut self, number: u64, token: u32) {
        if let Some(post) = self.in_flight.iter_mut().find(|post| post.batch.number == number) {
            post.token = Some(token);
        }
    }

    /// Takes out the post that an answer belongs to; `None` for one that was given up before.
    pub(crate) fn answered(&mut self, token: u32) -> Option<InFlight> {
        self.take_first(|post| post.token == Some(token))
    }

    /// Takes out the post of a batch that Envoy did not take.
    pub(crate) fn not_taken(&mut self, number: u64) -> Option<InFlight> {
        // On the way out there is no later: what one post could not do, the next cannot either.
        self.final_posts = 0;
        self.take_first(|post| post.batch.number == number)
    }

    /// Takes out a post whose answer will not come any more.
    pub(crate) fn overdue(&mut self, now: Moment) -> Option<InFlight> {
        self.take_first(|post| now >= post.overdue)
    }

    /// Takes out a post of a root that is gone.
    pub(crate) fn orphan(&mut self, root: RootId) -> Option<InFlight> {
        self.take_first(|post| post.root == root)
    }

    fn take_first(&mut self, is_it: impl Fn(&InFlight) -> bool) -> Option<InFlight> {
        let place = self.in_flight.iter().position(is_it)?;
        (place < self.in_flight.len()).then(|| self.in_flight.remove(place))
    }

    /// The last root is about to go.
    pub(crate) fn begin_end(&mut self) {
        self.final_posts = FINAL_POSTS;
    }

    /// A post was acknowledged: the collector knows these counters, and it can be reached.
    pub(crate) fn acknowledged(&mut self, told: Counters) {
        self.told = told;
        self.final_posts = self.final_posts.saturating_add(1).min(FINAL_POSTS);
        self.backoff.succeeded();
    }

    /// Notices what is to be told, and closes a batch that waits for a collector that is away.
    pub(crate) fn look_around(&mut self, now: Moment, config: &Config, standing: Standing<'_>) {
        let since = self.untold_since.unwrap_or(now);
        self.untold_since = (!self.told.tell_the_same(standing.counters)).then_some(since);
        let since = self.silent_since.unwrap_or(now);
        self.silent_since = (standing.pending.total() > 0).then_some(since);
        let close_after = CLOSE_AFTER.max(config.batch.flush_after);
        if self.queue.filling_since().is_some_and(|since| now >= since.after(close_after)) {
            self.queue.close();
        }
    }

    /// By when a root should look again; `idle` if nothing waits. `unwritten_since`: when the first exchange ended that is
    /// not in the queue yet.
    pub(crate) fn wake_at(
        &self,
        now: Moment,
        idle: Moment,
        config: &Config,
        unwritten_since: Option<Moment>,
    ) -> Moment {
        let ready = if self.queue.has_waiting() {
            Some(now)
        } else if let Some(since) = self.queue.filling_since().or(unwritten_since) {
            Some(since.after(config.batch.flush_after))
        } else {
            self.untold_since.map(|since| since.after(REPORT_AFTER))
        };
        let heartbeat = self.silent_since.map(|since| since.after(config.heartbeat));
        match ready.into_iter().chain(heartbeat).min() {
            // An answer will wake a root anyway.
            Some(_) if self.in_flight.len() >= MAX_IN_FLIGHT => idle,
            Some(ready) => ready.max(self.backoff.until()).min(idle),
            None => idle,
        }
    }

    pub(crate) fn has_posts_of(&self, root: RootId) -> bool {
        self.in_flight.iter().any(|post| post.root == root)
    }

    /// Lines in flight.
    pub(crate) fn in_flight_count(&self) -> u64 {
        self.in_flight.iter().fold(0, |sum, post| sum.saturating_add(post.batch.count))
    }

    /// Posts in flight.
    pub(crate) fn posts(&self) -> usize {
        self.in_flight.len()
    }
}
