//! How long to wait after a post that failed.

use std::time::Duration;

use crate::{clock::Moment, config::RetryLimits, random::Random};

/// What the failure asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Exponential back-off.
    Usual,
    /// The collector said how long (`Retry-After`).
    AtLeast(Duration),
    /// It will take a person or a rotation of secrets.
    Long,
}

/// How much longer than `retry_max_ms` credential trouble waits.
const LONG_FACTOR: u32 = 3;

/// One back-off for the VM: all its posts go to the same collector, so what one of them learns holds for all.
///
/// The wait after the n-th failure in a row is drawn evenly from `min` to `min(max, min × 2ⁿ)`; with many workers the
/// retries spread over the whole span. Posts that were already on their way when a wait began do not count again.
///
/// Source: "Exponential Backoff And Jitter", AWS Architecture Blog 2015 (full jitter, here above a floor, since a
/// collector in trouble gains nothing from a retry within `min`).
#[derive(Clone, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    began: Moment,
    until: Moment,
}

impl Backoff {
    /// Whether a post may leave.
    pub(crate) fn is_over(&self, now: Moment) -> bool {
        now >= self.until
    }

    /// When the next post may leave.
    pub(crate) fn until(&self) -> Moment {
        self.until
    }

    /// Failures in a row; 0 means the collector answers.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Backoff::default();
    }

    /// A post that left at `sent` failed.
    pub(crate) fn failed(&mut self, sent: Moment, now: Moment, wait: Wait, limits: &RetryLimits, random: &mut Random) {
        if self.failures == 0 || sent > self.began || self.is_over(now) {
            self.failures = self.failures.saturating_add(1);
            self.began = now;
            self.until = now.after(self.drawn(limits, random));
        }
        let asked = match wait {
            Wait::Usual => Duration::ZERO,
            // Beyond the age at which a batch is given up there is nothing left to send.
            Wait::AtLeast(duration) => duration.min(limits.give_up_after),
            Wait::Long => limits.max.saturating_mul(LONG_FACTOR),
        };
        self.until = self.until.max(now.after(asked));
    }

    fn drawn(&self, limits: &RetryLimits, random: &mut Random) -> Duration {
        let factor = 1u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let ceiling = limits.min.saturating_mul(factor).min(limits.max);
        let span = u64::try_from(ceiling.saturating_sub(limits.min).as_millis()).unwrap_or(u64::MAX);
        limits.min.saturating_add(Duration::from_millis(random.up_to(span)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RetryLimits = RetryLimits {
        min: Duration::from_millis(100),
        max: Duration::from_secs(10),
        give_up_after: Duration::from_secs(120),
    };

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    fn fail(backoff: &mut Backoff, sent: u64, now: u64, wait: Wait) -> u64 {
        let mut random = Random::from_seed(sent ^ now);
        backoff.failed(at(sent), at(now), wait, &LIMITS, &mut random);
        backoff.until().since(at(now)).as_millis() as u64
    }

    #[test]
    fn each_failure_doubles_the_ceiling_up_to_the_longest_wait() {
        let mut backoff = Backoff::default();
        let mut now = 1_000;

        for ceiling in [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000] {
            let wait = fail(&mut backoff, now, now + 1, Wait::Usual);
            assert!((100..=ceiling).contains(&wait), "{wait} after {ceiling}");
            assert!(!backoff.is_over(at(now + wait)) && backoff.is_over(at(now + 1 + wait)));
            now += wait + 2;
        }
    }

    #[test]
    fn waits_spread_over_the_whole_span() {
        let mut random = Random::from_seed(3);
        let backoff = Backoff { failures: 10, ..Backoff::default() };

        let waits: Vec<Duration> = (0..200).map(|_| backoff.drawn(&LIMITS, &mut random)).collect();

        assert!(waits.iter().any(|wait| wait.as_millis() < 1_000) && waits.iter().any(|wait| wait.as_millis() > 9_000));
    }

    #[test]
    fn posts_of_the_same_round_count_once() {
        let mut backoff = Backoff::default();
        fail(&mut backoff, 10, 20, Wait::Usual);
        let until = backoff.until();

        fail(&mut backoff, 11, 21, Wait::Usual);

        assert_eq!((backoff.failures(), backoff.until()), (1, until));
    }

    #[test]
    fn the_collector_may_ask_for_more_but_not_for_ever() {
        let ask = |seconds| fail(&mut Backoff::default(), 0, 1, Wait::AtLeast(Duration::from_secs(seconds)));

        assert_eq!(ask(30), 30_000);
        assert_eq!(ask(1_000_000), 120_000);
        assert!((100..=200).contains(&ask(0)));
    }

    #[test]
    fn credential_trouble_waits_long() {
        assert_eq!(fail(&mut Backoff::default(), 0, 1, Wait::Long), 30_000);
    }

    #[test]
    fn a_success_ends_the_wait_at_once() {
        let mut backoff = Backoff::default();
        fail(&mut backoff, 0, 1, Wait::Long);

        backoff.succeeded();

        assert!(backoff.is_over(at(1)));
        assert_eq!(backoff.failures(), 0);
    }

    #[test]
    fn failures_without_end_do_not_overflow() {
        let mut backoff = Backoff { failures: u32::MAX, ..Backoff::default() };

        let wait = fail(&mut backoff, 5, 6, Wait::Usual);

        assert!((100..=10_000).contains(&wait));
    }
}
