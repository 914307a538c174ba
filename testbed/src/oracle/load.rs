//! Traffic: exchanges of a mint over several connections, and what each client saw.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;

use super::mint::{ID_HEADER, Made, Mint};
use crate::{
    client::h1::Connection,
    message::{End, Reply},
    wait,
};

/// The longest that one exchange may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How many times in a row a client finds nobody listening before it gives up for good.
const MAX_REFUSED: u32 = 600;

/// What one client saw of one exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The origin's answer, whole and as made.
    AsMade,
    /// Another answer than the origin's: says what is wrong.
    Hurt(String),
    /// A beginning of an answer; then the connection broke.
    Cut(String),
    /// None: the connection broke. Whether the request reached Envoy is not known.
    Unknown(String),
}

/// An exchange that was tried, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The number in the mint.
    pub number: u64,
    /// What the client saw.
    pub outcome: Outcome,
}

/// All attempts of a run. Each exchange is tried once.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Where the exchanges come from.
    pub mint: Mint,
    /// In no particular order.
    pub attempts: Vec<Attempt>,
}

impl Ledger {
    /// How many got an answer, right or wrong.
    pub fn answered(&self) -> usize {
        self.attempts.iter().filter(|attempt| !matches!(attempt.outcome, Outcome::Unknown(_))).count()
    }

    /// How many got the origin's answer.
    pub fn as_made(&self) -> usize {
        self.attempts.iter().filter(|attempt| attempt.outcome == Outcome::AsMade).count()
    }
}

/// Traffic that runs in the background.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<Result<Vec<Attempt>>>,
    /// Those made by [`Load::fresh`].
    fresh: Vec<Attempt>,
}

#[derive(Debug)]
struct Shared {
    mint: Mint,
    address: SocketAddr,
    limit: u64,
    next: AtomicU64,
    done: AtomicU64,
    answered: AtomicU64,
    stopped: AtomicBool,
}

impl Load {
    /// Starts `connections` clients that make exchanges 0 to `limit` (excluded) of the mint through `address`, each one
    /// after the other over a kept connection.
    pub fn start(mint: &Mint, address: SocketAddr, connections: usize, limit: u64) -> Load {
        let shared = Arc::new(Shared {
            mint: mint.clone(),
            address,
            limit,
            next: AtomicU64::new(0),
            done: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        });
        let mut clients = JoinSet::new();
        for _ in 0..connections {
            clients.spawn(client(shared.clone()));
        }
        Load { shared, clients, fresh: Vec::new() }
    }

    /// How many exchanges are finished, well or not.
    pub fn done(&self) -> u64 {
        self.shared.done.load(Ordering::Acquire)
    }

    /// How many exchanges got an answer, right or wrong, once no client is at one any more: when nobody listens, and all
    /// that was answered before is read.
    ///
    /// # Errors
    /// Some client still is, after `within`.
    pub async fn answered_at_rest(&self, within: Duration) -> Result<u64> {
        wait::until("clients without an exchange", within, async || {
            let begun = self.shared.next.load(Ordering::Relaxed).min(self.shared.limit);
            let under_way = begun - self.done();
            anyhow::ensure!(under_way == 0, "{under_way} exchanges are under way");
            Ok(())
        })
        .await?;
        Ok(self.shared.answered.load(Ordering::Relaxed))
    }

    /// Waits until `count` more exchanges are finished: the way to let a fault last for some traffic, not some time.
    ///
    /// # Errors
    /// They do not finish within `within`.
    pub async fn further(&self, count: u64, within: Duration) -> Result<()> {
        let goal = self.done() + count;
        let what = format!("exchange {goal} of the load");
        wait::until(&what, within, async || {
            anyhow::ensure!(self.done() >= goal, "{} are done", self.done());
            Ok(())
        })
        .await
    }

    /// Makes one exchange now, over a connection of its own, and says which. It belongs to the ledger like the others.
    ///
    /// # Errors
    /// It is not answered as made.
    pub async fn fresh(&mut self) -> Result<Made> {
        let mut connection = connect(&self.shared).await?.context("the load was stopped")?;
        let (attempt, _) = attempt(&self.shared, &mut connection).await.context("the load is at its end")?;
        self.fresh.push(attempt.clone());
        anyhow::ensure!(attempt.outcome == Outcome::AsMade, "a fresh exchange: {:?}", attempt.outcome);
        Ok(self.shared.mint.exchange(attempt.number))
    }

    /// Waits until all exchanges are made.
    ///
    /// # Errors
    /// Nobody listens at the address any more.
    pub async fn finish(mut self) -> Result<Ledger> {
        let mut attempts = std::mem::take(&mut self.fresh);
        while let Some(client) = self.clients.join_next().await {
            attempts.extend(client.context("client")??);
        }
        Ok(Ledger { mint: self.shared.mint.clone(), attempts })
    }

    /// Lets each client finish the exchange that it is at, and no other. One that finds nobody listening ends at once.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub async fn stop(self) -> Result<Ledger> {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.finish().await
    }
}

async fn client(shared: Arc<Shared>) -> Result<Vec<Attempt>> {
    let mut attempts = Vec::new();
    let mut kept: Option<Connection> = None;
    while !shared.stopped.load(Ordering::Relaxed) {
        let mut connection = match kept.take().filter(Connection::is_reusable) {
            Some(connection) => connection,
            None => match connect(&shared).await? {
                Some(connection) => connection,
                None => break,
            },
        };
        let Some((attempt, answered)) = attempt(&shared, &mut connection).await else { break };
        kept = answered.then_some(connection);
        attempts.push(attempt);
    }
    Ok(attempts)
}

/// Makes the next exchange, and says whether it was answered at all; `None` at the end of the load.
///
/// Its number is taken only with a connection in hand: what nobody could send was never tried.
async fn attempt(shared: &Shared, connection: &mut Connection) -> Option<(Attempt, bool)> {
    let number = shared.next.fetch_add(1, Ordering::Relaxed);
    if number >= shared.limit {
        return None;
    }
    let made = shared.mint.exchange(number);
    let (outcome, answered) = match tokio::time::timeout(ANSWER_WITHIN, connection.call(&made.call)).await {
        Ok(Ok(reply)) => (outcome(&made, &reply), true),
        Ok(Err(error)) => (Outcome::Unknown(format!("{error:#}")), false),
        Err(_) => (Outcome::Unknown(format!("no answer within {} s", ANSWER_WITHIN.as_secs())), false),
    };
    shared.answered.fetch_add(u64::from(answered), Ordering::Relaxed);
    // After the other: who sees this one sees both.
    shared.done.fetch_add(1, Ordering::Release);
    Some((Attempt { number, outcome }, answered))
}

/// Connects, and tries again for a while if nobody listens: listeners may be exchanged under load. `None`: the load was
/// stopped meanwhile.
async fn connect(shared: &Shared) -> Result<Option<Connection>> {
    let mut refused = 0;
    loop {
        match Connection::open(shared.address).await {
            Ok(connection) => return Ok(Some(connection)),
            Err(_) if shared.stopped.load(Ordering::Relaxed) => return Ok(None),
            Err(error) if refused >= MAX_REFUSED => return Err(error),
            Err(_) => refused += 1,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn outcome(made: &Made, reply: &Reply) -> Outcome {
    if let End::Cut(reason) = &reply.end {
        return Outcome::Cut(reason.clone());
    }
    let wrong = if reply.status != made.status {
        format!("status {} instead of {}", reply.status, made.status)
    } else if reply.body != made.answer {
        "another body".to_owned()
    } else if reply.headers.text(ID_HEADER) != Some(&made.id) {
        "the headers of another exchange".to_owned()
    } else {
        return Outcome::AsMade;
    };
    Outcome::Hurt(wrong)
}
