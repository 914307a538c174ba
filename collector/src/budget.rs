//! Bytes that all posts together may hold at a time.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The bytes of bodies that are in flight, and their bound.
#[derive(Debug)]
pub(crate) struct Budget {
    max: u64,
    used: AtomicU64,
}

impl Budget {
    /// An unused budget of `max` bytes.
    pub(crate) fn new(max: u64) -> Arc<Budget> {
        Arc::new(Budget { max, used: AtomicU64::new(0) })
    }

    /// Bytes in use.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// What one post holds of the budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Held {
    /// Holds nothing yet.
    pub(crate) fn new(budget: &Arc<Budget>) -> Held {
        Held { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Takes `bytes` more, or nothing if they do not fit.
    #[must_use]
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.budget.max);
        let taken = self.budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        if taken {
            self.bytes += bytes;
        }
        taken
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_comes_back() {
        let budget = Budget::new(10);
        let mut one = Held::new(&budget);
        let mut two = Held::new(&budget);

        assert!(one.take(6) && two.take(4));
        assert!(!one.take(1));
        drop(two);
        assert!(one.take(4));
        drop(one);
        assert_eq!(budget.used(), 0);
    }
}
