//! Who may send when: a ticket for each request, given out at once or one by one as requests become due.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use tokio::sync::Semaphore;

use super::Pace;

/// The tickets of one load.
#[derive(Debug)]
pub(super) struct Tickets {
    total: usize,
    free: Semaphore,
    next: AtomicUsize,
    opened: OnceLock<(Instant, Pace)>,
}

impl Tickets {
    /// So many, none given out yet.
    pub(super) fn new(total: usize) -> Tickets {
        Tickets { total, free: Semaphore::new(0), next: AtomicUsize::new(0), opened: OnceLock::new() }
    }

    /// Begins to give them out, and tells `takers` in the end that there are no more.
    ///
    /// At a rate, a thread of its own waits for each to become due: the timers of the runtime count in milliseconds, and it
    /// gives up when nobody takes any more.
    ///
    /// # Errors
    /// They were opened before, the rate is none, or no thread can be started.
    pub(super) fn open(self: &Arc<Tickets>, began: Instant, pace: Pace, takers: usize) -> Result<()> {
        ensure!(self.opened.set((began, pace)).is_ok(), "opened twice");
        match pace {
            Pace::Full => self.free.add_permits(self.total + takers),
            Pace::Rate(rate) => {
                ensure!(rate.is_finite() && rate > 0.0, "no rate: {rate}");
                let tickets = Arc::clone(self);
                let give = move || tickets.give(began, rate, takers);
                thread::Builder::new().name("pace".to_owned()).spawn(give).context("start a thread")?;
            }
        }
        Ok(())
    }

    /// Waits for a ticket; says since when its request has been due, or that there are no more.
    pub(super) async fn take(&self) -> Option<Instant> {
        self.free.acquire().await.ok()?.forget();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number >= self.total {
            return None;
        }
        match self.opened.get() {
            Some((began, Pace::Rate(rate))) => Some(*began + due(number, *rate)),
            _ => Some(Instant::now()),
        }
    }

    fn give(&self, began: Instant, rate: f64, takers: usize) {
        let mut given = 0;
        while given < self.total {
            thread::sleep((began + due(given, rate)).saturating_duration_since(Instant::now()));
            // All that have become due meanwhile: a sleep may last longer than it was asked to.
            let until_now = (began.elapsed().as_secs_f64() * rate) as usize + 1;
            let more = until_now.clamp(given + 1, self.total) - given;
            self.free.add_permits(more);
            given += more;
        }
        self.free.add_permits(takers);
    }
}

/// When a request is due, counted from the beginning.
fn due(number: usize, rate: f64) -> Duration {
    Duration::from_secs_f64(number as f64 / rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_request_is_due_at_its_time_and_each_taker_hears_of_the_end() {
        let (tickets, began) = (Arc::new(Tickets::new(5)), Instant::now());
        tickets.open(began, Pace::Rate(1_000.0), 2).unwrap();

        let mut taken = Vec::new();
        while let Some(due) = tickets.take().await {
            taken.push(due.duration_since(began));
        }

        assert_eq!(taken, [0, 1, 2, 3, 4].map(Duration::from_millis));
        assert_eq!(tickets.take().await, None);
    }

    #[tokio::test]
    async fn what_cannot_be_opened_is_told() {
        let tickets = Arc::new(Tickets::new(1));

        assert!(tickets.open(Instant::now(), Pace::Rate(0.0), 1).is_err());
        assert!(tickets.open(Instant::now(), Pace::Full, 1).is_err());
    }
}
