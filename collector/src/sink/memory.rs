//! A sink for tests: keeps exchanges in memory and does as it is told.

use std::sync::Mutex;

use tokio::sync::Notify;

use super::*;

/// What the sink does with what it gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Behaviour {
    #[default]
    Store,
    /// Stores nothing.
    Fail,
    /// Answers never.
    Hang,
    /// Rejects exchanges of more than this many bytes, into the dead letters.
    RejectOver(usize),
    /// Would only wait in vain.
    Blocked,
    /// Stores exchanges, but no accounts.
    NoAccounts,
    /// Stores when it is given a permit for it.
    OnPermit,
}

#[derive(Default)]
pub(crate) struct MemorySink {
    pub(crate) behaviour: Mutex<Behaviour>,
    pub(crate) stored: Mutex<Vec<Exchange>>,
    pub(crate) accounts: Mutex<Vec<Account>>,
    pub(crate) permits: Notify,
}

impl MemorySink {
    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().expect("no panic under the lock") = behaviour;
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let stored = self.stored.lock().expect("no panic under the lock");
        stored.iter().map(|exchange| String::from_utf8_lossy(&exchange.line).into_owned()).collect()
    }

    /// The accounts, as JSON.
    pub(crate) fn accounts(&self) -> Vec<serde_json::Value> {
        let accounts = self.accounts.lock().expect("no panic under the lock");
        accounts.iter().map(|account| serde_json::from_slice(&account.line).expect("JSON")).collect()
    }

    fn behaviour(&self) -> Behaviour {
        *self.behaviour.lock().expect("no panic under the lock")
    }

    fn keep(&self, exchange: &Exchange) -> Verdict {
        self.stored.lock().expect("no panic under the lock").push(exchange.clone());
        Verdict::Stored
    }
}

impl Sink for MemorySink {
    fn stored_in(&self) -> StoredIn {
        StoredIn::Kafka
    }

    fn store<'a>(&'a self, exchanges: &'a [Exchange], accounts: &'a [Account]) -> BoxFuture<'a, Stored> {
        Box::pin(async move {
            let behaviour = self.behaviour();
            if behaviour == Behaviour::Hang {
                std::future::pending::<()>().await;
            }
            if behaviour == Behaviour::OnPermit {
                self.permits.notified().await;
            }
            let one = |exchange: &Exchange| match behaviour {
                Behaviour::RejectOver(max) if exchange.line.len() > max => {
                    Verdict::Rejected { error: "too large".to_owned(), dead_lettered: true }
                }
                Behaviour::Fail => Verdict::Unknown,
                _ => self.keep(exchange),
            };
            let accounts_stored = !matches!(behaviour, Behaviour::Fail | Behaviour::NoAccounts);
            if accounts_stored {
                self.accounts.lock().expect("no panic under the lock").extend_from_slice(accounts);
            }
            Stored { verdicts: exchanges.iter().map(one).collect(), accounts: accounts_stored }
        })
    }

    fn is_blocked(&self) -> bool {
        self.behaviour() == Behaviour::Blocked
    }

    fn condition(&self) -> Condition {
        let trouble =
            |cause| Trouble { cause, why: "told to".to_owned(), since: "2020-02-28T10:39:28.833Z".to_owned() };
        let well = matches!(self.behaviour(), Behaviour::Store | Behaviour::NoAccounts | Behaviour::OnPermit);
        let degraded = if well { vec![] } else { vec![trouble("memory")] };
        Condition { refuses: !degraded.is_empty(), degraded, warnings: vec![] }
    }

    fn queued_bytes(&self) -> u64 {
        0
    }

    fn close(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
