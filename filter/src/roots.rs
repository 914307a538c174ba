//! The root contexts of one VM: one for each configuration of the filter that is alive in this worker.
//!
//! Istio puts an inbound and an outbound listener's filter into one VM, and an update brings a new root before the
//! old one leaves. They share queue, budget and source. **The settings of the delivery are those of the root that was
//! configured last and still serves**; what is captured of a stream is decided by its own root.

use std::{rc::Rc, time::Duration};

use crate::{clock::Moment, config::Config, facts::ListenerDirection};

/// Envoy's id of a root context.
pub type RootId = u32;

/// A tick that is this late will not come any more: its period is set anew.
const LATE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Roots {
    /// In the order in which they were configured.
    live: Vec<Root>,
    last_config: Option<Rc<Config>>,
}

#[derive(Debug)]
struct Root {
    id: RootId,
    config: Rc<Config>,
    state: State,
    /// The period that Envoy has.
    period: Option<Duration>,
    /// When its next tick is due; `None`: the period was not set, or the tick has just come.
    due: Option<Moment>,
    /// `None` until a stream has asked.
    direction: Option<ListenerDirection>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Serving,
    /// `on_done` came; it stays for the answers to its posts.
    Closing,
    /// Envoy was told that it may go.
    Released,
}

impl Roots {
    pub(crate) fn configured(&mut self, id: RootId, config: Rc<Config>) {
        self.live.retain(|root| root.id != id);
        self.last_config = Some(config.clone());
        self.live.push(Root { id, config, state: State::Serving, period: None, due: None, direction: None });
    }

    pub(crate) fn closing(&mut self, id: RootId) {
        if let Some(root) = self.root(id).filter(|root| root.state == State::Serving) {
            root.state = State::Closing;
        }
    }

    /// Marks a closing root as one that may go; `true` only the first time.
    pub(crate) fn release(&mut self, id: RootId) -> bool {
        match self.root(id) {
            Some(root) if root.state == State::Closing => {
                root.state = State::Released;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn deleted(&mut self, id: RootId) {
        self.live.retain(|root| root.id != id);
    }

    pub(crate) fn knows(&self, id: RootId) -> bool {
        self.live.iter().any(|root| root.id == id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Whether none serves any more: what is not sent now will not be sent.
    pub(crate) fn all_close(&self) -> bool {
        self.live.iter().all(|root| root.state != State::Serving)
    }

    /// Whether this root may send: a closing one leaves it to one that serves.
    pub(crate) fn may_post(&self, id: RootId) -> bool {
        self.live.iter().any(|root| root.id == id && (root.state == State::Serving || self.all_close()))
    }

    /// The settings of the delivery.
    pub(crate) fn config(&self) -> Option<&Rc<Config>> {
        let serving = self.live.iter().rev().find(|root| root.state == State::Serving);
        serving.or(self.live.last()).map(|root| &root.config).or(self.last_config.as_ref())
    }

    /// The direction of its listener.
    pub(crate) fn direction(&self, id: RootId) -> Option<ListenerDirection> {
        self.live.iter().find(|root| root.id == id)?.direction
    }

    /// Keeps the direction of its listener, which never changes.
    pub(crate) fn know_direction(&mut self, id: RootId, direction: Option<ListenerDirection>) {
        if let Some(root) = self.root(id) {
            root.direction = root.direction.or(direction);
        }
    }

    /// A tick of this root has come; Envoy starts its period again. When it was due, if it was asked for.
    pub(crate) fn ticked(&mut self, id: RootId) -> Option<Moment> {
        self.root(id)?.due.take()
    }

    /// The period to set so that this root ticks by `needed`; `None` if it will anyway.
    ///
    /// Setting the period starts it anew. So it is only ever set for an earlier tick, or a steady stream of
    /// exchanges would put the tick off for ever.
    pub(crate) fn tick_for(&mut self, id: RootId, now: Moment, needed: Moment) -> Option<Duration> {
        let root = self.root(id)?;
        let period = needed.since(now).max(Duration::from_millis(1));
        let needed = now.after(period);
        if root.due.is_some_and(|due| due <= needed && now < due.after(LATE)) {
            return None;
        }
        let is_set = root.due.is_none() && root.period == Some(period);
        root.period = Some(period);
        root.due = Some(needed);
        (!is_set).then_some(period)
    }

    /// The host refused to set the period: the next callback has to try again.
    pub(crate) fn tick_refused(&mut self, id: RootId) {
        if let Some(root) = self.root(id) {
            (root.period, root.due) = (None, None);
        }
    }

    fn root(&mut self, id: RootId) -> Option<&mut Root> {
        self.live.iter_mut().find(|root| root.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(cluster: &str) -> Rc<Config> {
        Rc::new(Config::load(format!(r#"{{"collector":{{"cluster":"{cluster}"}}}}"#).as_bytes(), b"").unwrap())
    }

    fn roots(ids: &[RootId]) -> Roots {
        let mut roots = Roots::default();
        for &id in ids {
            roots.configured(id, config(&format!("c{id}")));
        }
        roots
    }

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    fn cluster(roots: &Roots) -> &str {
        &roots.config().unwrap().collector.cluster
    }

    #[test]
    fn the_root_configured_last_that_serves_sets_the_delivery() {
        let mut roots = roots(&[1, 2]);
        assert_eq!(cluster(&roots), "c2");

        roots.closing(2);
        assert_eq!(cluster(&roots), "c1");

        roots.closing(1);
        assert_eq!(cluster(&roots), "c2");
    }

    #[test]
    fn a_closing_root_posts_only_if_none_serves() {
        let mut roots = roots(&[1, 2]);

        roots.closing(1);
        assert!(!roots.may_post(1) && roots.may_post(2));

        roots.closing(2);
        assert!(roots.may_post(1) && roots.may_post(2) && !roots.may_post(3));
    }

    #[test]
    fn a_root_is_released_once_and_only_after_it_closed() {
        let mut roots = roots(&[1]);

        assert!(!roots.release(1));
        roots.closing(1);
        assert!(roots.release(1));
        assert!(!roots.release(1));
    }

    #[test]
    fn the_period_is_set_only_for_an_earlier_tick() {
        let mut roots = roots(&[1]);

        assert_eq!(roots.tick_for(1, at(0), at(200)), Some(Duration::from_millis(200)));
        assert_eq!(roots.tick_for(1, at(50), at(200)), None);
        assert_eq!(roots.tick_for(1, at(60), at(900)), None);
        assert_eq!(roots.tick_for(1, at(70), at(70)), Some(Duration::from_millis(1)));
        assert_eq!(roots.tick_for(1, at(70), at(70)), None);
    }

    #[test]
    fn after_a_tick_the_same_period_need_not_be_set_again() {
        let mut roots = roots(&[1]);
        roots.tick_for(1, at(0), at(200));

        roots.ticked(1);

        assert_eq!(roots.tick_for(1, at(201), at(401)), None);
        roots.ticked(1);
        assert_eq!(roots.tick_for(1, at(401), at(1_401)), Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_tick_that_never_came_is_set_anew() {
        let mut roots = roots(&[1]);
        roots.tick_for(1, at(0), at(200));

        assert_eq!(roots.tick_for(1, at(1_199), at(2_000)), None);
        assert_eq!(roots.tick_for(1, at(1_200), at(2_000)), Some(Duration::from_millis(800)));
    }

    #[test]
    fn a_refused_period_is_set_anew_at_once() {
        let mut roots = roots(&[1]);
        roots.tick_for(1, at(0), at(200));

        roots.tick_refused(1);

        assert_eq!(roots.tick_for(1, at(1), at(200)), Some(Duration::from_millis(199)));
    }
}
