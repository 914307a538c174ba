//! Which way a post goes: straight into the topic, or into the spool.
//!
//! ```text
//!             a post was not taken                the spool is nearly empty
//! Direct ─────────────────────────────► Spooling ───────────────────────────► HandingOver
//!    ▲                                     ▲    a write fails, or takes long       │
//!    │                                     ├───────────────────────────────────────┤
//!    └───────────── nothing waits, nobody is on the way into the spool ◄───────────┘
//! ```
//! The rule that keeps the order: while anything waits in the spool, everything goes through the spool. So no source's
//! new exchanges overtake its spooled ones, and nobody needs to know which source has any. While the last of it is
//! handed over, posts wait at the gate; it is a matter of milliseconds, and the first that has waited
//! [`HAND_OVER_WITHIN`] ends it: then they go into the spool again.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

/// So long a post waits at most, however many batches the spool still has and whatever they wait for.
pub(super) const HAND_OVER_WITHIN: Duration = Duration::from_secs(1);

/// Where posts go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Into the topic.
    Direct,
    /// Into the spool.
    Spooling,
    /// Nowhere: they wait.
    HandingOver,
}

/// The gate that each post passes.
pub(super) struct Gate {
    inner: Mutex<Inner>,
    changed: watch::Sender<Phase>,
}

struct Inner {
    phase: Phase,
    since: SystemTime,
    /// Posts that are on their way into the spool.
    inside: usize,
}

/// The way of one post.
pub(super) enum Way<'a> {
    /// Into the topic.
    Direct,
    /// Into the spool.
    Spool(Pass<'a>),
}

/// Held by a post on its way into the spool: until it is there, nobody overtakes it.
pub(super) struct Pass<'a>(&'a Gate);

impl Gate {
    /// A gate in this phase.
    pub(super) fn new(phase: Phase) -> Gate {
        let (changed, _) = watch::channel(phase);
        Gate { inner: Mutex::new(Inner { phase, since: SystemTime::now(), inside: 0 }), changed }
    }

    /// The way of a new post; it waits while the spool is handed over, for at most [`HAND_OVER_WITHIN`].
    pub(super) async fn enter(&self) -> Way<'_> {
        if let Some(way) = self.way() {
            return way;
        }
        let mut changes = self.changed.subscribe();
        let deadline = Instant::now() + HAND_OVER_WITHIN;
        loop {
            changes.mark_unchanged();
            if let Some(way) = self.way() {
                return way;
            }
            // The sender lives as long as the gate.
            if timeout_at(deadline, changes.changed()).await.is_err() {
                self.go_on_spooling();
            }
        }
    }

    fn way(&self) -> Option<Way<'_>> {
        let mut inner = self.lock();
        match inner.phase {
            Phase::Direct => Some(Way::Direct),
            Phase::Spooling => {
                inner.inside += 1;
                Some(Way::Spool(Pass(self)))
            }
            Phase::HandingOver => None,
        }
    }

    /// The topic did not take a post: it goes into the spool, and so does everything that comes after it.
    pub(super) fn take_over(&self) -> Pass<'_> {
        let mut inner = self.lock();
        inner.inside += 1;
        self.change(&mut inner, Phase::Spooling);
        Pass(self)
    }

    /// Lets new posts wait, so that the spool can run empty.
    pub(super) fn hand_over(&self) {
        let mut inner = self.lock();
        if inner.phase == Phase::Spooling {
            self.change(&mut inner, Phase::HandingOver);
        }
    }

    /// The handing over did not succeed: posts go into the spool again.
    pub(super) fn go_on_spooling(&self) {
        let mut inner = self.lock();
        if inner.phase == Phase::HandingOver {
            self.change(&mut inner, Phase::Spooling);
        }
    }

    /// Lets posts into the topic if nothing is in the spool or on its way there. `true`: they go there now.
    pub(super) fn open(&self, waiting: impl FnOnce() -> u64) -> bool {
        let mut inner = self.lock();
        if inner.inside == 0 && waiting() == 0 {
            self.change(&mut inner, Phase::Direct);
        }
        inner.phase == Phase::Direct
    }

    /// The phase, and since when.
    pub(super) fn phase(&self) -> (Phase, SystemTime) {
        let inner = self.lock();
        (inner.phase, inner.since)
    }

    /// Waits until posts do not go straight into the topic.
    pub(super) async fn taken_over(&self) {
        let mut changes = self.changed.subscribe();
        let _ = changes.wait_for(|phase| *phase != Phase::Direct).await;
    }

    fn change(&self, inner: &mut Inner, phase: Phase) {
        if inner.phase == phase {
            return;
        }
        // Handing over is a moment of spooling.
        if inner.phase == Phase::Direct || phase == Phase::Direct {
            inner.since = SystemTime::now();
        }
        inner.phase = phase;
        self.changed.send_replace(phase);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics under this lock; it is held for a few instructions, never across an await.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.lock().inside -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, task::Poll};

    use futures_util::poll;

    use super::*;

    async fn way(gate: &Gate) -> &'static str {
        match poll!(pin!(gate.enter())) {
            Poll::Ready(Way::Direct) => "direct",
            Poll::Ready(Way::Spool(_)) => "spool",
            Poll::Pending => "waits",
        }
    }

    #[tokio::test]
    async fn what_comes_after_a_take_over_goes_into_the_spool() {
        let gate = Gate::new(Phase::Direct);
        assert_eq!(way(&gate).await, "direct");

        drop(gate.take_over());

        assert_eq!(way(&gate).await, "spool");
        gate.hand_over();
        assert_eq!(way(&gate).await, "waits");
        gate.go_on_spooling();
        assert_eq!(way(&gate).await, "spool");
    }

    #[tokio::test]
    async fn the_gate_opens_only_when_nothing_waits_and_nobody_is_inside() {
        let gate = Gate::new(Phase::Spooling);
        let Way::Spool(pass) = gate.enter().await else { panic!("not the spool's way") };
        gate.hand_over();

        assert!(!gate.open(|| 0), "somebody is inside");
        drop(pass);
        assert!(!gate.open(|| 1), "something waits");
        assert!(gate.open(|| 0));
        assert_eq!(way(&gate).await, "direct");
    }

    #[tokio::test]
    async fn who_waits_at_the_gate_goes_on_when_it_opens() {
        let gate = Gate::new(Phase::Spooling);
        gate.hand_over();
        let mut entering = pin!(gate.enter());
        assert!(poll!(entering.as_mut()).is_pending());

        assert!(gate.open(|| 0));

        assert!(matches!(entering.await, Way::Direct));
    }

    // A replay of many batches, each of them fast enough, made posts wait for the sum of them until they were refused.
    #[tokio::test]
    async fn who_has_waited_long_enough_goes_into_the_spool_and_so_do_the_others() {
        let gate = Gate::new(Phase::Spooling);
        gate.hand_over();
        let entering = tokio::time::timeout(10 * HAND_OVER_WITHIN, gate.enter());

        assert!(matches!(entering.await, Ok(Way::Spool(_))));

        assert_eq!(way(&gate).await, "spool");
    }

    #[tokio::test]
    async fn a_post_that_fails_late_is_taken_over_even_while_the_rest_is_handed_over() {
        let gate = Gate::new(Phase::Spooling);
        gate.hand_over();

        let pass = gate.take_over();

        assert!(!gate.open(|| 0));
        drop(pass);
        assert_eq!(gate.phase().0, Phase::Spooling);
    }
}
