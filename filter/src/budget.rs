//! The one number of bytes that bounds what a VM holds: open exchanges, queue and posts in flight.

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
    fn a_lowered_limit_takes_nothing_more_until_enough_is_freed() {
        let mut budget = Budget::new(10);
        assert!(budget.take(8));

        budget.set_max(5);

        assert!(!budget.take(1));
        budget.give_back(4);
        assert!(budget.take(1));
    }
}
