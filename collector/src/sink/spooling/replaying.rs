//! The task that brings the spool into the topic as soon as the topic takes it again.

use std::{collections::HashSet, io, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{sync::watch, time::sleep};

use super::{
    super::{Stored, Verdict},
    Shared,
    gate::Phase,
};
use crate::{
    accounting::Account,
    fail_point::fail_point,
    lines::{self, Exchange},
    spool::{Batch, Fates, Item, Kind, Next, Replay},
};

/// Items of a batch: at first few, to try whether they are taken at all; then twice as many each time.
const FIRST_ITEMS: usize = 128;
const MAX_ITEMS: usize = 4096;
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// So few waiting items are handed over while new posts wait at the gate: at first; and half of it whenever they waited
/// in vain, but not fewer than go into one batch.
const MAX_HAND_OVER_ITEMS: u64 = 2 * MAX_ITEMS as u64;
const MIN_HAND_OVER_ITEMS: u64 = 4 * FIRST_ITEMS as u64;

/// Between two looks whether Kafka is back, and two tries.
const PAUSE: Duration = Duration::from_millis(250);

/// So often an account that is not taken is tried while its exchanges are: they must not wait for it for ever.
const ACCOUNT_TRIES: u32 = 5;

/// Replays until it is told to stop.
pub(super) async fn run(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut replaying = Replaying {
        replay: Some(shared.spool.replay()),
        shared,
        items: FIRST_ITEMS,
        hand_over_items: MAX_HAND_OVER_ITEMS,
        handing_over: false,
    };
    // Between two awaits nothing is half done that would be missed: what is not settled is replayed again.
    tokio::select! {
        () = replaying.for_ever() => {}
        _ = stopped.wait_for(|stop| *stop) => {}
    }
}

struct Replaying {
    shared: Arc<Shared>,
    /// Away while a thread works with it.
    replay: Option<Replay>,
    items: usize,
    hand_over_items: u64,
    /// Whether posts wait at the gate, as far as we know: one that waited too long ends it.
    handing_over: bool,
}

impl Replaying {
    async fn for_ever(&mut self) {
        loop {
            self.shared.gate.taken_over().await;
            if self.shared.below.is_blocked() {
                self.shared.gate.go_on_spooling();
                sleep(PAUSE).await;
                continue;
            }
            if let Err(error) = self.step().await {
                tracing::warn!(%error, "The spool cannot be replayed at the moment.");
                self.shared.gate.go_on_spooling();
                sleep(PAUSE).await;
            }
        }
    }

    /// One batch, or whatever else is next.
    async fn step(&mut self) -> io::Result<()> {
        self.look_at_gate();
        let (items, shared) = (self.items, Arc::clone(&self.shared));
        match self.on_thread(move |replay| replay.next(items, MAX_BYTES)).await? {
            Next::Batch(batch) => self.bring(batch).await,
            Next::Unsealed => {
                shared.spool.seal().await;
                Ok(())
            }
            Next::Nothing => {
                // If nothing was brought there is no proof that Kafka is back; the next post brings it.
                if shared.gate.open(|| shared.spool.waiting()) {
                    (self.items, self.hand_over_items) = (FIRST_ITEMS, MAX_HAND_OVER_ITEMS);
                    self.handing_over = false;
                    tracing::info!("The spool is empty, exchanges go straight into the topic again.");
                } else {
                    sleep(Duration::from_millis(1)).await;
                }
                Ok(())
            }
        }
    }

    /// Lets posts wait if what is left can be brought soon, judging by how it went the last time.
    fn look_at_gate(&mut self) {
        let gate = &self.shared.gate;
        if self.handing_over && gate.phase().0 == Phase::Spooling {
            self.hand_over_items = (self.hand_over_items / 2).max(MIN_HAND_OVER_ITEMS);
            // What comes next does not make posts wait again.
            self.items = FIRST_ITEMS / 2;
        }
        if self.shared.spool.waiting() <= self.hand_over_items && self.items > FIRST_ITEMS {
            gate.hand_over();
        }
        self.handing_over = gate.phase().0 == Phase::HandingOver;
    }

    /// Brings a batch into the topic, however long it takes, and settles it.
    async fn bring(&mut self, batch: Batch) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let mut left = Left::of(&batch.items);
        let mut fates = Fates::default();
        let mut tries = 0;
        loop {
            self.set_refused_aside(&mut left, &mut fates).await?;
            if left.is_empty() {
                break;
            }
            tries += 1;
            let part = left.part(self.items);
            let outcome = shared.below.store(&part.exchanges, &part.accounts).await;
            if left.enter(part, outcome, &mut fates, tries) {
                self.items = (self.items * 2).min(MAX_ITEMS);
                continue;
            }
            shared.gate.go_on_spooling();
            self.items = FIRST_ITEMS;
            pause(&shared).await;
        }
        fail_point("replay-mid");
        self.on_thread(move |replay| replay.settle(&batch, fates)).await
    }

    async fn set_refused_aside(&mut self, left: &mut Left, fates: &mut Fates) -> io::Result<()> {
        while let Some(item) = left.refused.pop() {
            let seq = item.seq;
            self.on_thread(move |replay| replay.set_aside(&item)).await?;
            tracing::error!(item = seq, "A spooled line that nobody takes lies in aside/refused.jsonl now.");
            fates.set_aside += 1;
        }
        Ok(())
    }

    /// Works with the disk where it may wait for it.
    async fn on_thread<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Replay) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let mut replay = self.replay.take().unwrap_or_else(|| self.shared.spool.replay());
        let (replay, outcome) = tokio::task::spawn_blocking(move || {
            let outcome = work(&mut replay);
            (replay, outcome)
        })
        .await
        .map_err(io::Error::other)?;
        self.replay = Some(replay);
        outcome
    }
}

async fn pause(shared: &Shared) {
    sleep(PAUSE).await;
    while shared.below.is_blocked() {
        sleep(PAUSE).await;
    }
}

/// What is tried at a time: a Kafka that is slow must be able to take it within its deadline.
struct Part {
    exchanges: Vec<Exchange>,
    accounts: Vec<Account>,
    /// No account is left for later.
    is_last: bool,
}

/// What of a batch is not in the topic yet.
struct Left {
    exchanges: Vec<(Item, Exchange)>,
    accounts: Vec<(Item, Account)>,
    /// Nobody takes these.
    refused: Vec<Item>,
}

impl Left {
    fn of(items: &[Item]) -> Left {
        let mut left = Left { exchanges: Vec::new(), accounts: Vec::new(), refused: Vec::new() };
        for item in items {
            match item.kind {
                Kind::Exchange => match lines::recall(&item.bytes) {
                    Some(exchange) => left.exchanges.push((item.clone(), exchange)),
                    // It was one when it was spooled, and its checksum is right: another version wrote it.
                    None => left.refused.push(item.clone()),
                },
                Kind::Account => match Account::recall(&item.bytes) {
                    Some(account) => left.accounts.push((item.clone(), account)),
                    None => left.refused.push(item.clone()),
                },
            }
        }
        left
    }

    fn is_empty(&self) -> bool {
        self.exchanges.is_empty() && self.accounts.is_empty() && self.refused.is_empty()
    }

    /// The next exchanges, at most so many; with the last of them go the accounts.
    fn part(&self, max_items: usize) -> Part {
        let exchanges = self.exchanges.iter().take(max_items).map(|(_, exchange)| exchange.clone()).collect();
        let is_last = self.exchanges.len() <= max_items;
        Part { exchanges, accounts: if is_last { self.latest_accounts() } else { Vec::new() }, is_last }
    }

    /// Of each source the last one: accounts are cumulative.
    fn latest_accounts(&self) -> Vec<Account> {
        let mut latest: Vec<Account> = Vec::new();
        let mut known: HashSet<&Bytes> = HashSet::new();
        for (_, account) in self.accounts.iter().rev() {
            if known.insert(&account.source) {
                latest.push(account.clone());
            }
        }
        latest.reverse();
        latest
    }

    /// Enters the outcome of a try; what was not taken stays, in its order. `true`: all of the part was taken.
    fn enter(&mut self, part: Part, outcome: Stored, fates: &mut Fates, tries: u32) -> bool {
        let later = self.exchanges.split_off(part.exchanges.len().min(self.exchanges.len()));
        let tried = std::mem::take(&mut self.exchanges);
        for ((item, exchange), verdict) in tried.into_iter().zip(outcome.verdicts) {
            match verdict {
                Verdict::Stored | Verdict::Spooled => fates.replayed += 1,
                Verdict::Rejected { dead_lettered: true, .. } => fates.dead_lettered += 1,
                Verdict::Rejected { .. } => self.refused.push(item),
                Verdict::Unknown => self.exchanges.push((item, exchange)),
            }
        }
        let all_exchanges = self.exchanges.is_empty();
        self.exchanges.extend(later);
        if part.is_last && outcome.accounts {
            fates.replayed += self.accounts.len() as u64;
            self.accounts.clear();
        } else if self.exchanges.is_empty() && tries >= ACCOUNT_TRIES {
            self.refused.extend(self.accounts.drain(..).map(|(item, _)| item));
        }
        all_exchanges && (!part.is_last || self.accounts.is_empty())
    }
}
