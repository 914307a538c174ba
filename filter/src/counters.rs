//! What the filter counts: one struct, counted nowhere else.
//!
//! ```text
//! seen     = excluded_{rule, sampled, self, method} + captured
//! captured = acked + rejected + Σ dropped_* + open + queued + in_flight
//! ```
//! The counters are cumulative per VM, the last three are gauges. They go two ways: as Envoy statistics
//! (`tributary_<name>`, added up over all VMs by Envoy) and in each post's `x-tributary-counters`, where they stand for
//! this VM's source alone.

use std::fmt::Write as _;

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// One number that only grows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Counter { $($(#[$doc])* $variant,)* }

        impl Counter {
            /// How many there are.
            pub const COUNT: usize = [$($name),*].len();

            /// All of them, in the order of the post header.
            pub const ALL: [Counter; Counter::COUNT] = [$(Counter::$variant),*];

            /// The name in the post header; Envoy's statistic has `tributary_` before it.
            pub const fn name(self) -> &'static str {
                match self { $(Counter::$variant => $name,)* }
            }
        }
    };
}

counters! {
    /// Exchanges whose request reached the filter.
    Seen = "seen",
    /// Left out by a capture rule.
    ExcludedRule = "excluded_rule",
    /// Left out by sampling.
    ExcludedSampled = "excluded_sampled",
    /// Posts of a filter, recognised by `x-tributary-batch`: recording them would never end.
    ExcludedSelf = "excluded_self",
    /// The method is none of the format's nine.
    ExcludedMethod = "excluded_method",
    /// The decision was to record; each has a `seq`.
    Captured = "captured",
    /// The collector holds them as durable.
    Acked = "acked",
    /// The collector refused these lines for good.
    Rejected = "rejected",
    /// No room in the VM's budget.
    DroppedBudget = "dropped_budget",
    /// Not delivered within `give_up_after_ms`.
    DroppedExpired = "dropped_expired",
    /// The collector answered 400: the batch can never work.
    DroppedBadRequest = "dropped_bad_request",
    /// The collector answered 413: the batch is too large for it.
    DroppedTooLarge = "dropped_too_large",
    /// The collector answered 415: it does not take this content type or coding.
    DroppedUnsupported = "dropped_unsupported",
    /// The VM ended before they were acknowledged. Those in flight at that moment may have arrived.
    DroppedShutdown = "dropped_shutdown",
    /// The format cannot hold it: Envoy gave no readable request head, or no host is known.
    DroppedUnwritable = "dropped_unwritable",
    /// Bytes of request bodies that passed, of captured exchanges that ended.
    RequestBodyBytesSeen = "request_body_bytes_seen",
    /// Bytes of request bodies written into lines.
    RequestBodyBytesKept = "request_body_bytes_kept",
    /// Bytes of response bodies that passed, of captured exchanges that ended.
    ResponseBodyBytesSeen = "response_body_bytes_seen",
    /// Bytes of response bodies written into lines.
    ResponseBodyBytesKept = "response_body_bytes_kept",
    /// Exchanges recorded without bodies, or with cut ones, because more than half of the budget was held.
    DegradedHeads = "degraded_heads",
    /// Exchanges recorded without headers because more than three quarters of the budget were held.
    DegradedMeta = "degraded_meta",
    /// Secrets that were masked in recorded exchanges.
    RedactedValues = "redacted_values",
    /// Exchanges recorded while the settings leave bodies or queries as they are: above 0 somebody weakened redaction.
    RedactionDisabled = "redaction_disabled",
    /// Posts tried, retries and reports included.
    Posts = "posts",
    /// Posts that were not acknowledged.
    PostFailures = "post_failures",
}

impl Counter {
    /// Why a captured exchange was lost; all of them together are the dropped.
    pub const DROPPED: [Counter; 7] = [
        Counter::DroppedBudget,
        Counter::DroppedExpired,
        Counter::DroppedBadRequest,
        Counter::DroppedTooLarge,
        Counter::DroppedUnsupported,
        Counter::DroppedShutdown,
        Counter::DroppedUnwritable,
    ];

    /// Why an exchange was not captured.
    pub const EXCLUDED: [Counter; 4] =
        [Counter::ExcludedRule, Counter::ExcludedSampled, Counter::ExcludedSelf, Counter::ExcludedMethod];
}

/// The values, cumulative since the VM started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    values: [u64; Counter::COUNT],
}

impl Counters {
    /// The value of one.
    pub fn get(&self, counter: Counter) -> u64 {
        self.values.get(counter as usize).copied().unwrap_or_default()
    }

    pub(crate) fn add(&mut self, counter: Counter, count: u64) {
        if let Some(value) = self.values.get_mut(counter as usize) {
            *value = value.saturating_add(count);
        }
    }

    /// Each counter that grew since `earlier`, and by how much; never a zero, which Envoy would refuse.
    pub(crate) fn growth_since(&self, earlier: &Counters) -> Vec<(Counter, u64)> {
        Counter::ALL
            .into_iter()
            .map(|counter| (counter, self.get(counter).saturating_sub(earlier.get(counter))))
            .filter(|(_, growth)| *growth > 0)
            .collect()
    }

    /// Whether the two tell the same about exchanges; posts do not count, sent or seen on their way to the collector,
    /// or a report would call for the next.
    pub(crate) fn tell_the_same(&self, other: &Counters) -> bool {
        let about_posts = |counter: &Counter| {
            matches!(counter, Counter::Posts | Counter::PostFailures | Counter::Seen | Counter::ExcludedSelf)
        };
        let seen_of_others = |of: &Counters| of.get(Counter::Seen).saturating_sub(of.get(Counter::ExcludedSelf));
        Counter::ALL
            .iter()
            .filter(|counter| !about_posts(counter))
            .all(|&counter| self.get(counter) == other.get(counter))
            && seen_of_others(self) == seen_of_others(other)
    }

    /// The value of `x-tributary-counters`: `seen=3,excluded_rule=0,…,post_failures=0,open=1,queued=0,in_flight=2`.
    pub fn render(&self, pending: Pending) -> String {
        let gauges = Gauge::ALL.map(|gauge| (gauge.name(), pending.of(gauge)));
        let counters = Counter::ALL.map(|counter| (counter.name(), self.get(counter)));
        let mut text = String::with_capacity(512);
        for (name, value) in counters.into_iter().chain(gauges) {
            let comma = if text.is_empty() { "" } else { "," };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}{name}={value}");
        }
        text
    }

    /// Whether both identities of this module's head hold.
    pub fn are_exact(&self, pending: Pending) -> bool {
        let sum = |counters: &[Counter]| counters.iter().fold(0u64, |sum, &one| sum.saturating_add(self.get(one)));
        let settled =
            sum(&Counter::DROPPED).saturating_add(self.get(Counter::Acked)).saturating_add(self.get(Counter::Rejected));
        self.get(Counter::Seen) == sum(&Counter::EXCLUDED).saturating_add(self.get(Counter::Captured))
            && self.get(Counter::Captured) == settled.saturating_add(pending.total())
    }
}

/// One number that goes up and down: a part of what is [`Pending`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gauge {
    /// [`Pending::open`].
    Open,
    /// [`Pending::queued`].
    Queued,
    /// [`Pending::in_flight`].
    InFlight,
}

impl Gauge {
    /// How many there are.
    pub const COUNT: usize = 3;

    /// All of them, in the order of the post header.
    pub const ALL: [Gauge; Gauge::COUNT] = [Gauge::Open, Gauge::Queued, Gauge::InFlight];

    /// The name in the post header; Envoy's statistic has `tributary_` before it.
    pub const fn name(self) -> &'static str {
        match self {
            Gauge::Open => "open",
            Gauge::Queued => "queued",
            Gauge::InFlight => "in_flight",
        }
    }
}

/// Captured exchanges whose fate is open, counted at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Not ended yet.
    pub open: u64,
    /// Ended, not posted, or waiting for a retry.
    pub queued: u64,
    /// In a post that has no answer yet.
    pub in_flight: u64,
}

impl Pending {
    /// The value of one gauge.
    pub fn of(self, gauge: Gauge) -> u64 {
        match gauge {
            Gauge::Open => self.open,
            Gauge::Queued => self.queued,
            Gauge::InFlight => self.in_flight,
        }
    }

    /// How each gauge differs from `earlier`; never a zero.
    pub(crate) fn change_since(self, earlier: Pending) -> Vec<(Gauge, i64)> {
        let change = |gauge| {
            let value = |pending: Pending| i64::try_from(pending.of(gauge)).unwrap_or(i64::MAX);
            (gauge, value(self).saturating_sub(value(earlier)))
        };
        Gauge::ALL.into_iter().map(change).filter(|(_, change)| *change != 0).collect()
    }

    pub(crate) fn change(&mut self, gauge: Gauge, change: i64) {
        let value = match gauge {
            Gauge::Open => &mut self.open,
            Gauge::Queued => &mut self.queued,
            Gauge::InFlight => &mut self.in_flight,
        };
        *value = value.saturating_add_signed(change);
    }

    /// All of them.
    pub fn total(self) -> u64 {
        self.open.saturating_add(self.queued).saturating_add(self.in_flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_drops_are_named_so() {
        let mut names = Counter::ALL.map(Counter::name).to_vec();
        names.sort_unstable();
        names.dedup();

        assert_eq!(names.len(), Counter::COUNT);
        let dropped: Vec<Counter> =
            Counter::ALL.into_iter().filter(|counter| counter.name().starts_with("dropped_")).collect();
        assert_eq!(dropped, Counter::DROPPED);
        let excluded: Vec<Counter> =
            Counter::ALL.into_iter().filter(|counter| counter.name().starts_with("excluded_")).collect();
        assert_eq!(excluded, Counter::EXCLUDED);
    }

    #[test]
    fn the_header_lists_every_counter_and_the_pending() {
        let mut counters = Counters::default();
        counters.add(Counter::Seen, 3);

        let text = counters.render(Pending { open: 1, queued: 0, in_flight: 2 });

        assert!(text.starts_with("seen=3,excluded_rule=0,"), "{text}");
        assert!(text.ends_with(",post_failures=0,open=1,queued=0,in_flight=2"), "{text}");
        assert_eq!(text.split(',').count(), Counter::COUNT + 3);
    }

    #[test]
    fn growth_leaves_out_what_did_not_grow() {
        let mut counters = Counters::default();
        counters.add(Counter::Seen, 2);
        let earlier = counters.clone();

        counters.add(Counter::Seen, 3);

        assert_eq!(counters.growth_since(&earlier), [(Counter::Seen, 3)]);
        assert_eq!(counters.growth_since(&counters), []);
    }

    #[test]
    fn gauges_change_both_ways_and_only_what_changed_is_told() {
        let mut shown = Pending { open: 5, queued: 2, in_flight: 0 };
        let now = Pending { open: 3, queued: 2, in_flight: 4 };

        let changes = now.change_since(shown);
        changes.iter().for_each(|&(gauge, change)| shown.change(gauge, change));

        assert_eq!(changes, [(Gauge::Open, -2), (Gauge::InFlight, 4)]);
        assert_eq!((shown, now.change_since(shown)), (now, Vec::new()));
    }

    #[test]
    fn posts_alone_are_nothing_to_report() {
        let earlier = Counters::default();
        let mut counters = earlier.clone();
        counters.add(Counter::Posts, 1);
        counters.add(Counter::PostFailures, 1);
        assert!(counters.tell_the_same(&earlier));

        counters.add(Counter::Acked, 1);

        assert!(!counters.tell_the_same(&earlier));
    }

    // With the collector behind its own sidecar each report was seen, and called for the next, every second.
    #[test]
    fn own_posts_seen_again_are_nothing_to_report() {
        let earlier = Counters::default();
        let mut counters = earlier.clone();
        counters.add(Counter::Seen, 2);
        counters.add(Counter::ExcludedSelf, 2);
        assert!(counters.tell_the_same(&earlier));

        counters.add(Counter::Seen, 1);

        assert!(!counters.tell_the_same(&earlier));
    }

    #[test]
    fn the_identities_see_a_missing_exchange() {
        let mut counters = Counters::default();
        counters.add(Counter::Seen, 2);
        counters.add(Counter::ExcludedMethod, 1);
        counters.add(Counter::Captured, 1);

        assert!(counters.are_exact(Pending { open: 1, ..Pending::default() }));
        assert!(!counters.are_exact(Pending::default()));
    }
}
