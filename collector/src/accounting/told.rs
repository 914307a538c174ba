//! The accounts that are written beside the exchanges: which of them has to be stored, and when.
//!
//! An account travels with a post, and is durable before the post is answered, whenever a number below the largest of
//! the post is missing that no account stored before can explain. So at any moment a reader of both topics can explain
//! each gap below an acknowledged number. All others wait: [`Accounting::due`] is asked each second and at the end.
//!
//! What it costs: nothing for lines in order; an account a post (about one record in a hundred) while exchanges overtake
//! each other; else one a second for each source that posts.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use tributary_http_types::SourceAccount;

use super::{Accounting, Now};
use crate::post::Sender;

/// The account of one source, ready to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The name of the source: the key of the record.
    pub source: Bytes,
    /// [`SourceAccount`] as a line, without its end.
    pub line: Bytes,
    /// Numbers below this one are explained by it.
    captured: u64,
}

/// An account that waits to be stored.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    /// What to store.
    pub account: Account,
    /// State of the source that it tells; `None`: the source is forgotten.
    changes: Option<u64>,
}

impl Account {
    pub(super) fn of(account: &SourceAccount) -> Account {
        let mut line = account.to_line();
        line.pop();
        let source = Bytes::copy_from_slice(account.source.as_bytes());
        Account { source, line: line.into(), captured: account.captured() }
    }

    /// An account as it came out of the spool. `None`: it is none.
    pub(crate) fn recall(line: &Bytes) -> Option<Account> {
        let account = SourceAccount::from_line(line).ok()?;
        let captured = account.captured();
        Some(Account { source: account.source.into(), line: line.clone(), captured })
    }

    /// An account for tests of sinks.
    #[cfg(test)]
    pub(crate) fn for_test(source: &str, line: &str) -> Account {
        Account { source: source.to_owned().into(), line: line.to_owned().into(), captured: 0 }
    }
}

impl Accounting {
    /// Hears what the sender says, and gives the account that has to be stored together with a post of these numbers.
    pub(crate) fn travelling(&self, sender: &Sender, seqs: impl Iterator<Item = u64>, now: Now) -> Option<Account> {
        sender.counters.as_ref()?;
        let account = {
            let mut books = self.lock();
            let source = books.source(&sender.source, self.max_sources, now);
            source.hears(sender, now);
            // While they cannot be stored they only wait: lines must not suffer from it.
            if self.accounts_fail.load(Ordering::Relaxed) || !source.needs_account(seqs) {
                return None;
            }
            source.account()?
        };
        Some(Account::of(&account))
    }

    /// The account that travelled with a post is stored, or not.
    pub(crate) fn told_with_post(&self, account: &Account, stored: bool) {
        self.accounts_fail.store(!stored, Ordering::Relaxed);
        if stored && let Ok(name) = std::str::from_utf8(&account.source) {
            let mut books = self.lock();
            if let Some(source) = books.sources.get_mut(name) {
                source.told(account.captured, None);
            }
        }
    }

    /// All accounts that have changed since they were stored last.
    pub(crate) fn due(&self) -> Vec<Due> {
        let mut books = self.lock();
        let orphans: Vec<Due> = books.orphans.drain(..).map(|account| Due { account, changes: None }).collect();
        let of_sources = books.sources.values().filter_map(|source| {
            let (changes, account) = source.due()?;
            Some(Due { account, changes: Some(changes) })
        });
        orphans.into_iter().chain(of_sources).collect()
    }

    /// What became of accounts that were due.
    pub(crate) fn told(&self, due: Vec<Due>, stored: bool) {
        self.accounts_fail.store(!stored, Ordering::Relaxed);
        let mut books = self.lock();
        for Due { account, changes } in due {
            match (changes, stored) {
                (Some(_), true) => {
                    let source = std::str::from_utf8(&account.source).ok().and_then(|name| books.sources.get_mut(name));
                    if let Some(source) = source {
                        source.told(account.captured, changes);
                    }
                }
                (None, false) => books.orphans.push_back(account),
                (Some(_), false) | (None, true) => {}
            }
        }
    }
}
