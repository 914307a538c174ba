//! The batches that were acknowledged last: a filter whose answer got lost sends the same batch again, and that one is
//! answered as before instead of being stored again.
//!
//! Two posts are the same batch if source, batch number and body agree; a post that reuses a number with another body is
//! a new one. A repeat that comes while its first try is still being stored waits for its outcome. What remains: the set is
//! bounded and lives in memory, so a repeat that comes to another collector, to one that was started anew, or after
//! too many others is stored again. Consumers drop it by its id.

use std::{
    collections::{HashMap, VecDeque},
    hash::BuildHasher as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use foldhash::quality::RandomState;
use tokio::sync::watch;

use crate::{ingest::Receipt, post::Sender};

/// Rejected lines of a receipt that is worth keeping; a longer one is not remembered.
const MAX_REJECTED_KEPT: usize = 16;

/// The batches in hand, and the last ones that were acknowledged.
pub(crate) struct Batches {
    max: usize,
    /// Seeded anew at each start, so that nobody can make two bodies that look the same.
    seed: RandomState,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    batches: HashMap<(String, u64), Batch>,
    /// The acknowledged ones, the oldest first.
    acknowledged: VecDeque<(String, u64)>,
    forgotten: u64,
}

struct Batch {
    body: Digest,
    outcome: watch::Receiver<Outcome>,
}

/// What stands for a body: its length and a hash of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Digest {
    bytes: usize,
    hash: u64,
}

/// What became of a batch.
#[derive(Clone, Debug, Default)]
enum Outcome {
    #[default]
    Open,
    Acknowledged(Arc<Receipt>),
    Failed,
}

/// What a post is.
pub(crate) enum Entry<'a> {
    /// To be stored; its outcome has to be told to the guard.
    New(Storing<'a>),
    /// It was acknowledged before, or while this call waited.
    Again(Arc<Receipt>),
    /// Its first try, which was still being stored, was not acknowledged.
    Failed,
}

/// A batch that is being stored. Dropped without a word, it counts as failed.
pub(crate) struct Storing<'a>(Option<(&'a Batches, (String, u64), watch::Sender<Outcome>)>);

impl Batches {
    /// Remembers the last `max` acknowledged batches; 0: none, then every post is new.
    pub(crate) fn new(max: usize) -> Batches {
        Batches { max, seed: RandomState::default(), known: Mutex::default() }
    }

    /// Enters a post. Waits if the same batch is being stored at this moment. `body`: as it came.
    pub(crate) async fn enter(&self, sender: Option<&Sender>, body: &[u8]) -> Entry<'_> {
        // A report without lines stores nothing: it may come again.
        let Some(sender) = sender.filter(|_| self.max > 0 && !body.is_empty()) else {
            return Entry::New(Storing(None));
        };
        let digest = Digest { bytes: body.len(), hash: self.seed.hash_one(body) };
        let mut outcome = match self.look_up((sender.source.clone(), sender.batch), digest) {
            Ok(entry) => return entry,
            Err(outcome) => outcome,
        };
        match outcome.wait_for(|outcome| !matches!(outcome, Outcome::Open)).await.as_deref() {
            Ok(Outcome::Acknowledged(receipt)) => Entry::Again(Arc::clone(receipt)),
            Ok(Outcome::Open | Outcome::Failed) | Err(_) => Entry::Failed,
        }
    }

    /// `Err`: the same batch is known, and this is where its outcome is told.
    fn look_up(&self, name: (String, u64), body: Digest) -> Result<Entry<'_>, watch::Receiver<Outcome>> {
        let mut known = self.lock();
        match known.batches.get(&name) {
            Some(batch) if batch.body == body => return Err(batch.outcome.clone()),
            // Its number is taken by another body that is being stored: this one goes its way unseen.
            Some(batch) if matches!(*batch.outcome.borrow(), Outcome::Open) => {
                return Ok(Entry::New(Storing(None)));
            }
            Some(_) => known.forget(&name),
            None => {}
        }
        let (tell, outcome) = watch::channel(Outcome::Open);
        known.batches.insert(name.clone(), Batch { body, outcome });
        Ok(Entry::New(Storing(Some((self, name, tell)))))
    }

    /// Acknowledged batches that are remembered, and how many were forgotten because there were too many.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let known = self.lock();
        (known.acknowledged.len() as u64, known.forgotten)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Nothing panics under this lock, and it is never held across an await.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn forget(&mut self, name: &(String, u64)) {
        self.batches.remove(name);
        self.acknowledged.retain(|known| known != name);
    }
}

impl Storing<'_> {
    /// The batch is acknowledged with this receipt: from now on its repeats are answered with it.
    pub(crate) fn acknowledged(mut self, receipt: &Arc<Receipt>) {
        let Some((batches, name, tell)) = self.0.take() else { return };
        let mut known = batches.lock();
        if receipt.rejected.len() > MAX_REJECTED_KEPT {
            known.batches.remove(&name);
        } else {
            known.acknowledged.push_back(name);
            while known.acknowledged.len() > batches.max {
                if let Some(oldest) = known.acknowledged.pop_front() {
                    known.batches.remove(&oldest);
                    known.forgotten += 1;
                }
            }
        }
        drop(known);
        tell.send_replace(Outcome::Acknowledged(Arc::clone(receipt)));
    }
}

impl Drop for Storing<'_> {
    fn drop(&mut self) {
        if let Some((batches, name, tell)) = self.0.take() {
            batches.lock().batches.remove(&name);
            tell.send_replace(Outcome::Failed);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn sender(batch: u64) -> Sender {
        Sender { source: "ab".to_owned(), batch, counters: None, heartbeat_ms: None }
    }

    fn receipt(accepted: u64) -> Arc<Receipt> {
        Arc::new(Receipt { accepted, rejected: Vec::new() })
    }

    /// `None`: new. Else how many lines its receipt says were accepted.
    async fn known(batches: &Batches, batch: u64, body: &[u8]) -> Option<u64> {
        match batches.enter(Some(&sender(batch)), body).await {
            Entry::New(_) => None,
            Entry::Again(receipt) => Some(receipt.accepted),
            Entry::Failed => panic!("nothing failed"),
        }
    }

    async fn acknowledge(batches: &Batches, batch: u64, body: &[u8], accepted: u64) {
        match batches.enter(Some(&sender(batch)), body).await {
            Entry::New(storing) => storing.acknowledged(&receipt(accepted)),
            Entry::Again(_) | Entry::Failed => panic!("batch {batch} is new"),
        }
    }

    #[tokio::test]
    async fn repeat_gets_the_receipt_of_the_first() {
        let batches = Batches::new(10);
        acknowledge(&batches, 0, b"lines", 7).await;

        assert_eq!(known(&batches, 0, b"lines").await, Some(7));
        assert_eq!(known(&batches, 1, b"lines").await, None);
        assert_eq!(known(&batches, 0, b"other").await, None);
        assert_eq!(batches.counts(), (0, 0));
    }

    #[tokio::test]
    async fn batch_that_failed_is_new_again() {
        let batches = Batches::new(10);

        drop(batches.enter(Some(&sender(0)), b"lines").await);

        assert_eq!(known(&batches, 0, b"lines").await, None);
    }

    #[tokio::test]
    async fn past_the_bound_the_oldest_is_forgotten() {
        let batches = Batches::new(2);
        for batch in 0..3 {
            acknowledge(&batches, batch, b"lines", batch).await;
        }

        assert_eq!(batches.counts(), (2, 1));
        assert_eq!(known(&batches, 0, b"lines").await, None);
        assert_eq!(known(&batches, 1, b"lines").await, Some(1));
        assert_eq!(known(&batches, 2, b"lines").await, Some(2));
    }

    #[tokio::test]
    async fn repeat_waits_for_the_first_try() {
        let batches = Batches::new(10);
        let Entry::New(first) = batches.enter(Some(&sender(0)), b"lines").await else { panic!("it is new") };
        let mut repeat = Box::pin(known(&batches, 0, b"lines"));
        assert_eq!(repeat.as_mut().now_or_never(), None);

        first.acknowledged(&receipt(3));

        assert_eq!(repeat.await, Some(3));
    }

    #[tokio::test]
    async fn repeat_of_a_try_that_fails_is_told_so() {
        let batches = Batches::new(10);
        let Entry::New(first) = batches.enter(Some(&sender(0)), b"lines").await else { panic!("it is new") };
        let of_filter = sender(0);
        let mut repeat = Box::pin(batches.enter(Some(&of_filter), b"lines"));
        assert!(repeat.as_mut().now_or_never().is_none());

        drop(first);

        assert!(matches!(repeat.await, Entry::Failed));
    }

    #[tokio::test]
    async fn number_that_is_reused_while_it_is_stored_goes_its_own_way() {
        let batches = Batches::new(10);
        let Entry::New(first) = batches.enter(Some(&sender(0)), b"lines").await else { panic!("it is new") };

        acknowledge(&batches, 0, b"other", 9).await;
        first.acknowledged(&receipt(3));

        assert_eq!(known(&batches, 0, b"lines").await, Some(3));
    }

    #[tokio::test]
    async fn nothing_is_remembered_of_others_of_reports_or_of_long_receipts() {
        let batches = Batches::new(10);
        let rejected = crate::lines::RejectedLine { line: 1, error: "bad".to_owned(), origin: None };
        let long = Arc::new(Receipt { accepted: 0, rejected: vec![rejected; MAX_REJECTED_KEPT + 1] });

        for (sender, body, receipt) in
            [(None, &b"lines"[..], receipt(1)), (Some(sender(0)), b"", receipt(0)), (Some(sender(1)), b"x", long)]
        {
            let Entry::New(storing) = batches.enter(sender.as_ref(), body).await else { panic!("it is new") };
            storing.acknowledged(&receipt);
        }
        let off = Batches::new(0);
        acknowledge(&off, 0, b"lines", 1).await;

        assert_eq!((batches.counts(), off.counts()), ((0, 0), (0, 0)));
        assert!(batches.lock().batches.is_empty() && off.lock().batches.is_empty());
    }
}
