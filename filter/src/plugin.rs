//! The filter in one VM: everything its streams and roots share, and every decision about it.
//!
//! One [`Plugin`] lives in each VM, in a thread-local that a configuration update leaves alone. Streams hand their
//! exchanges in ([`Stream`](crate::Stream)), roots ask what to post and tell what came back. It is pure: time,
//! randomness and the host's answers come in as values, posts, ticks, statistics and log lines go out as values.
//!
//! ```text
//! Stream ──capture, hold, finish──► Plugin ──next_post──► Envoy ──► collector
//!                                    ▲  └── ticks, statistics, log lines
//!                                    └────── posted, replied, ticked, done, deleted ── roots
//! ```
//! It holds both identities of [`counters`](crate::counters) after every call.

mod life;
mod posts;

use std::{rc::Rc, time::Duration};

use tributary_http_types::WriteError;
use tributary_redact::Counts;

use crate::{
    batch::Unqueued,
    body::Body,
    budget::{Budget, Step},
    clock::{Clock, Moment, Pace},
    config::{BatchLimits, Config},
    counters::{Counter, Counters, Gauge, Pending},
    delivery::Delivery,
    ended::{Ended, Run},
    exchange::Exchange,
    facts::{Facts, ListenerDirection},
    journal::{Journal, LogLine},
    roots::{RootId, Roots},
    source::{RANDOM_BYTES, Source},
};

pub use posts::{Answer, Post};

/// How often an idle root looks around: it costs a microsecond and heals a tick that got lost.
pub(crate) const IDLE_PERIOD: Duration = Duration::from_secs(1);

/// The state of one VM.
#[derive(Debug)]
pub struct Plugin {
    source: Source,
    counters: Counters,
    /// What Envoy's statistics already have.
    mirrored: Counters,
    mirrored_pending: Pending,
    pace: Pace,
    budget: Budget,
    open: u64,
    next_seq: u64,
    run: Run,
    delivery: Delivery,
    roots: Roots,
    journal: Journal,
}

impl Plugin {
    /// A VM that has seen nothing; it stays silent until it has.
    pub fn new(random: &[u8; RANDOM_BYTES]) -> Plugin {
        let (source, random) = Source::from_random(random);
        Plugin {
            source,
            counters: Counters::default(),
            mirrored: Counters::default(),
            mirrored_pending: Pending::default(),
            pace: Pace::default(),
            budget: Budget::new(0),
            open: 0,
            next_seq: 0,
            run: Run::default(),
            delivery: Delivery::new(random),
            roots: Roots::default(),
            journal: Journal::default(),
        }
    }

    /// The name of this VM.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The cumulative counters.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The captured exchanges whose fate is open.
    pub fn pending(&self) -> Pending {
        let queued = self.run.count().saturating_add(self.delivery.queue.count());
        Pending { open: self.open, queued, in_flight: self.delivery.in_flight_count() }
    }

    /// Bytes held against `max_memory_bytes`.
    pub fn held_bytes(&self) -> usize {
        self.budget.held()
    }

    /// Posts that have no answer yet.
    pub fn posts_in_flight(&self) -> usize {
        self.delivery.posts()
    }

    /// The settings of the delivery: those of the root that was configured last and serves.
    pub fn delivery_config(&self) -> Option<&Rc<Config>> {
        self.roots.config()
    }

    /// The VM's own time at this reading of the host's steady clock; every moment that is given to the plugin is one.
    pub fn now(&mut self, read: Moment) -> Moment {
        self.pace.at(read)
    }

    /// The direction of this root, if it is known.
    pub fn direction(&self, root: RootId) -> Option<ListenerDirection> {
        self.roots.direction(root)
    }

    /// Envoy said which direction this root has; `None`: it did not.
    pub fn know_direction(&mut self, root: RootId, direction: Option<ListenerDirection>) {
        self.roots.know_direction(root, direction);
    }

    // What a stream calls.

    pub(crate) fn see(&mut self) {
        self.counters.add(Counter::Seen, 1);
    }

    pub(crate) fn exclude(&mut self, reason: Counter) {
        self.counters.add(reason, 1);
    }

    /// Decides to record: gives the next `seq`, and then asks for room. Without room the number is used all the same,
    /// so that any consumer sees the gap.
    pub(crate) fn capture(&mut self, bytes: usize) -> Option<u64> {
        let seq = self.take_seq();
        if self.budget.take(bytes) {
            self.open = self.open.saturating_add(1);
            Some(seq)
        } else {
            self.counters.add(Counter::DroppedBudget, 1);
            None
        }
    }

    /// Decides to record what turns out to have no readable head.
    pub(crate) fn capture_unreadable(&mut self) {
        self.take_seq();
        self.counters.add(Counter::DroppedUnwritable, 1);
    }

    fn take_seq(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq = seq.saturating_add(1);
        self.counters.add(Counter::Captured, 1);
        seq
    }

    /// How much is kept of what comes now.
    pub(crate) fn step(&self) -> Step {
        self.budget.step()
    }

    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        bytes <= self.budget.room()
    }

    /// Lets an open exchange grow; `false` if there is no room, and nothing has changed.
    #[must_use]
    pub(crate) fn grow(&mut self, exchange: &mut Exchange, bytes: usize) -> bool {
        let fits = self.budget.take(bytes);
        if fits {
            exchange.held = exchange.held.saturating_add(bytes);
        }
        fits
    }

    /// The exchange ended: it will be a line in the queue, or a counted drop, when its run is written.
    pub(crate) fn finish(&mut self, exchange: Box<Exchange>, facts: Facts, clock: Clock) {
        self.open = self.open.saturating_sub(1);
        self.counters.add(Counter::RequestBodyBytesSeen, exchange.request.body.passed());
        self.counters.add(Counter::ResponseBodyBytesSeen, exchange.response.body.passed());
        let clock = Clock { steady: self.now(clock.steady), ..clock };
        self.run.push(Ended { exchange, facts, clock });
        if self.run.is_full() || self.must_write_now() {
            self.write_run();
        }
    }

    /// Whether what has ended cannot wait for a full run: memory is short, no root is left to write it later, or it
    /// completes a batch.
    fn must_write_now(&self) -> bool {
        let filling = self.delivery.queue.filling_count().saturating_add(self.run.count());
        let completes_batch = |config: &Rc<Config>| filling >= config.batch.max_exchanges;
        self.step() > Step::Whole || self.roots.is_empty() || self.roots.config().is_some_and(completes_batch)
    }

    /// Writes what has ended. Before anything leaves, and before a root goes.
    fn write_run(&mut self) {
        for Ended { exchange, facts, clock } in self.run.take() {
            self.write(*exchange, &facts, clock);
        }
    }

    fn write(&mut self, mut exchange: Exchange, facts: &Facts, clock: Clock) {
        self.budget.give_back(exchange.held);
        let Some(config) = self.roots.config().filter(|_| !self.roots.is_empty()).cloned() else {
            self.counters.add(Counter::DroppedShutdown, 1);
            return;
        };
        match self.enqueue(&mut exchange, &config.batch, facts, clock) {
            Ok((bytes, masked)) => {
                // It fits: the queue was told how much room there is.
                let _ = self.budget.take(bytes);
                self.count_kept(&exchange);
                self.count_masked(&exchange, masked);
            }
            Err(Unqueued::NoRoom) => self.counters.add(Counter::DroppedBudget, 1),
            Err(Unqueued::Unwritable(_)) => self.counters.add(Counter::DroppedUnwritable, 1),
        }
    }

    /// Writes the line. If there is no room for it, the exchange goes down the ladder: a line with less in it is more
    /// than none.
    fn enqueue(
        &mut self,
        exchange: &mut Exchange,
        limits: &BatchLimits,
        facts: &Facts,
        clock: Clock,
    ) -> Result<(usize, Counts), Unqueued<WriteError>> {
        let (source, room) = (&self.source, self.budget.room());
        loop {
            let mut masked = Counts::default();
            let write = |out: &mut Vec<u8>| {
                masked = exchange.write_line(source, facts, clock, room, out)?;
                Ok(())
            };
            let written = self.delivery.queue.append(clock.steady, limits, room, write);
            match (written, exchange.step().next()) {
                (Err(Unqueued::NoRoom), Some(step)) => exchange.shed(step),
                (written, _) => return written.map(|bytes| (bytes, masked)),
            }
        }
    }

    /// Counts what the line has of the bodies, and what it lacks for want of memory.
    fn count_kept(&mut self, exchange: &Exchange) {
        let kept = |body: &Body| body.kept().len() as u64;
        self.counters.add(Counter::RequestBodyBytesKept, kept(&exchange.request.body));
        self.counters.add(Counter::ResponseBodyBytesKept, kept(&exchange.response.body));
        match exchange.step() {
            Step::Whole => (),
            Step::Heads => self.counters.add(Counter::DegradedHeads, 1),
            Step::Meta => self.counters.add(Counter::DegradedMeta, 1),
        }
    }

    fn count_masked(&mut self, exchange: &Exchange, masked: Counts) {
        self.counters.add(Counter::RedactedValues, masked.total());
        if exchange.config.redactor.is_weakened() {
            self.counters.add(Counter::RedactionDisabled, 1);
        }
    }

    // What the shell carries to Envoy.

    /// The period to set for this root's tick, if it has to change.
    pub fn tick_for(&mut self, root: RootId, read: Moment) -> Option<Duration> {
        let now = self.now(read);
        let idle = now.after(IDLE_PERIOD);
        let config = self.roots.config()?;
        let needed = self.delivery.wake_at(now, idle, config, self.run.since());
        self.roots.tick_for(root, now, needed)
    }

    /// The host refused to set the period.
    pub fn tick_refused(&mut self, root: RootId) {
        self.roots.tick_refused(root);
    }

    /// What Envoy's statistics lack, never a zero.
    pub fn unmirrored(&self) -> Vec<(Counter, u64)> {
        self.counters.growth_since(&self.mirrored)
    }

    /// Envoy's statistics have taken this growth.
    pub fn mirrored(&mut self, counter: Counter, growth: u64) {
        self.mirrored.add(counter, growth);
    }

    /// How far Envoy's gauges are from what is pending, never a zero.
    pub fn unmirrored_pending(&self) -> Vec<(Gauge, i64)> {
        self.pending().change_since(self.mirrored_pending)
    }

    /// Envoy's gauges have taken this change.
    pub fn mirrored_pending(&mut self, gauge: Gauge, change: i64) {
        self.mirrored_pending.change(gauge, change);
    }

    /// Lines for Envoy's log.
    pub fn take_log(&mut self) -> Vec<LogLine> {
        self.journal.take()
    }
}
