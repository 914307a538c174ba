//! Exchanges that have ended and wait to be written, a few at a time.
//!
//! Masking and writing take more code and tables than a processor's nearest caches hold. Between two exchanges Envoy
//! does its own work, and each throws the other's out. So lines are written in runs: the first of a run pays for
//! fetching the code, the others find it there. A run is short, for traffic waits for it.

use crate::{
    clock::{Clock, Moment},
    exchange::Exchange,
    facts::Facts,
};

/// A run has at most so many exchanges.
const MOST_EXCHANGES: usize = 16;

/// A run has at most one exchange beyond these bytes, held for heads and bodies: writing takes time for each byte.
const MOST_BYTES: usize = 32_768;

/// An exchange, and what Envoy said when it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exchange: Box<Exchange>,
    pub(crate) facts: Facts,
    pub(crate) clock: Clock,
}

/// In the order in which they ended.
#[derive(Debug, Default)]
pub(crate) struct Run {
    exchanges: Vec<Ended>,
    bytes: usize,
}

impl Run {
    pub(crate) fn push(&mut self, ended: Ended) {
        self.bytes = self.bytes.saturating_add(ended.exchange.held);
        self.exchanges.push(ended);
    }

    /// Whether it is to be written now.
    pub(crate) fn is_full(&self) -> bool {
        self.exchanges.len() >= MOST_EXCHANGES || self.bytes >= MOST_BYTES
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.exchanges.len() as u64
    }

    /// When the first of them ended.
    pub(crate) fn since(&self) -> Option<Moment> {
        self.exchanges.first().map(|ended| ended.clock.steady)
    }

    /// All of them; the room for the next run stays.
    pub(crate) fn take(&mut self) -> Vec<Ended> {
        self.bytes = 0;
        std::mem::replace(&mut self.exchanges, Vec::with_capacity(MOST_EXCHANGES))
    }
}
