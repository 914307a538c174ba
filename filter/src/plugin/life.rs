//! Roots come and go: configured, ticking, done, deleted.

use std::rc::Rc;

use super::Plugin;
use crate::{clock::Moment, config::Config, counters::Counter, journal::Level, retry::Wait, roots::RootId};

impl Plugin {
    /// A root has a checked configuration; its delivery settings hold for the VM from here on.
    ///
    /// A wait that a failure began is over: the repaired address may be what the update brings.
    pub fn configured(&mut self, root: RootId, config: Rc<Config>) {
        self.budget.set_max(config.max_memory_bytes);
        self.delivery.backoff.succeeded();
        let (cluster, source) = (&config.collector.cluster, self.source.as_str());
        self.journal.tell(Level::Info, format!("Configured. cluster={cluster} source={source} root={root}"));
        if config.redactor.is_weakened() {
            let [bodies, query] = [config.redactor.settings().bodies, config.redactor.settings().query];
            let text = "Secrets are recorded: the configuration leaves a part of the traffic unmasked.";
            self.journal.tell(Level::Warn, format!("{text} redact.bodies={bodies} redact.query={query} root={root}"));
        }
        self.roots.configured(root, config);
    }

    /// The tick of a root came.
    pub fn ticked(&mut self, root: RootId, read: Moment) {
        let due = self.roots.ticked(root);
        let now = self.pace.at_tick(read, due);
        self.look_around(now);
    }

    /// Envoy is done with a root. It leaves its lines to a root that serves; if it is the last, everything is posted
    /// now, as far as [`next_post`](Self::next_post) goes.
    pub fn done(&mut self, root: RootId, read: Moment) {
        let now = self.now(read);
        self.roots.closing(root);
        if self.roots.all_close() {
            self.delivery.begin_end();
        }
        self.budget_of_the_serving();
        self.look_around(now);
    }

    /// Whether `on_done` may say that the root can go at once: it has no post in flight, or was never configured.
    pub fn may_go(&mut self, root: RootId) -> bool {
        !self.roots.knows(root) || self.release(root)
    }

    /// Whether a root that stayed for its answers may go now. `true` only once, for Envoy may be told only once.
    pub fn release(&mut self, root: RootId) -> bool {
        !self.delivery.has_posts_of(root) && self.roots.release(root)
    }

    /// A root is gone, and with it the answers to its posts. With the last one the VM ends: what it still held is
    /// counted as lost, although what was in flight may have arrived.
    pub fn deleted(&mut self, root: RootId, read: Moment) {
        let now = self.now(read);
        self.write_run();
        while let Some(post) = self.delivery.orphan(root) {
            self.failed(post, Wait::Usual, "root_gone", now);
        }
        self.roots.deleted(root);
        self.budget_of_the_serving();
        if self.roots.is_empty() {
            self.drop_queue();
        }
        self.journal.losses(now, &self.counters);
    }

    fn drop_queue(&mut self) {
        self.delivery.queue.close();
        while let Some(batch) = self.delivery.queue.take() {
            self.counters.add(Counter::DroppedShutdown, batch.count);
            self.budget.give_back(batch.lines.len());
        }
    }

    fn budget_of_the_serving(&mut self) {
        if let Some(config) = self.roots.config() {
            self.budget.set_max(config.max_memory_bytes);
        }
    }
}
