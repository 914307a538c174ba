//! The one number of bytes that bounds what a VM holds: open exchanges, queue and posts in flight.

use tributary_http_types::Degraded;

/// The steps of the memory ladder: how much of an exchange is kept while so much of the budget is held.
///
/// An exchange takes the step that holds when its request head comes, a response no lower one than its request. A
/// body ends where the step rises while it passes; what was kept of it stays. A step is left by itself as soon as
/// memory is free again, but never by an exchange that has taken it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// At most half is held: everything is kept, up to the limits.
    #[default]
    Whole,
    /// More than half: no bodies.
    Heads,
    /// More than three quarters: no headers and trailers either.
    Meta,
}

impl Step {
    /// What a line says of it.
    pub(crate) fn degraded(self) -> Option<Degraded> {
        match self {
            Step::Whole => None,
            Step::Heads => Some(Degraded::Heads),
            Step::Meta => Some(Degraded::Meta),
        }
    }

    /// The one that keeps less; `None` on the last.
    pub(crate) fn next(self) -> Option<Step> {
        match self {
            Step::Whole => Some(Step::Heads),
            Step::Heads => Some(Step::Meta),
            Step::Meta => None,
        }
    }
}

/// Bytes held against bytes allowed.
///
/// A VM's memory never shrinks and a VM that runs out of it takes its worker's traffic down, so nothing that grows
/// with traffic is kept without asking here first.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    max: usize,
    held: usize,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Budget {
        Budget { max, held: 0 }
    }

    /// A later configuration may set a lower limit than what is held; then nothing more fits until enough was freed.
    pub(crate) fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    pub(crate) fn held(&self) -> usize {
        self.held
    }

    pub(crate) fn room(&self) -> usize {
        self.max.saturating_sub(self.held)
    }

    /// The step of the ladder that holds now.
    pub(crate) fn step(&self) -> Step {
        let half = self.max / 2;
        if self.held <= half {
            Step::Whole
        } else if self.held <= half.saturating_add(self.max / 4) {
            Step::Heads
        } else {
            Step::Meta
        }
    }

    /// Takes `bytes`, or nothing and `false` if they do not fit.
    #[must_use]
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let fits = bytes <= self.room();
        if fits {
            self.held = self.held.saturating_add(bytes);
        }
        fits
    }

    pub(crate) fn give_back(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_byte_fits_and_the_next_does_not() {
        let mut budget = Budget::new(10);

        assert!(budget.take(9));
        assert!(budget.take(1));
        assert!(!budget.take(1));
        assert_eq!(budget.held(), 10);
    }

    #[test]
    fn the_steps_begin_one_byte_above_half_and_three_quarters() {
        let step = |held| Budget { max: 1_000, held }.step();

        assert_eq!([0, 500, 501, 750, 751, 1_000].map(step), {
            [Step::Whole, Step::Whole, Step::Heads, Step::Heads, Step::Meta, Step::Meta]
        });
    }

    #[test]
    fn the_ladder_ends_where_least_is_kept() {
        let all: Vec<Step> = std::iter::successors(Some(Step::Whole), |step| step.next()).collect();

        assert_eq!(all, [Step::Whole, Step::Heads, Step::Meta]);
        assert!(all.is_sorted());
        assert_eq!(all.iter().map(|step| step.degraded()).collect::<Vec<_>>(), {
            [None, Some(Degraded::Heads), Some(Degraded::Meta)]
        });
    }

    #[test]
    fn a_lowered_limit_takes_nothing_more_until_enough_is_freed() {
        let mut budget = Budget::new(10);
        assert!(budget.take(8));

        budget.set_max(5);

        assert!(!budget.take(1));
        budget.give_back(4);
        assert!(budget.take(1));
    }
}
