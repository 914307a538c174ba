//! The users, in memory, within a bound: the demo runs for days beside a load generator and must not grow.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

/// A user, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// Given by the app, UUID version 4.
    pub(crate) id: Uuid,
    /// Not empty.
    pub(crate) name: String,
    /// Not empty; its form is not checked, as in the tutorial.
    pub(crate) email: String,
}

impl User {
    /// What the user takes in memory, about: the text, and 160 bytes for the map, the queue and the allocations.
    fn cost_bytes(&self) -> usize {
        self.name.len() + self.email.len() + 160
    }
}

/// All users, at most [`Store::MAX_BYTES`] of them; the oldest give way to new ones.
#[derive(Default)]
pub(crate) struct Store(Mutex<Users>);

#[derive(Default)]
struct Users {
    by_id: HashMap<Uuid, User>,
    oldest_first: VecDeque<Uuid>,
    bytes: usize,
}

impl Store {
    /// 32 MiB: some 150,000 users of common size.
    pub(crate) const MAX_BYTES: usize = 32 * 1024 * 1024;

    /// Keeps a user and forgets the oldest ones over the bound.
    pub(crate) fn insert(&self, user: User) {
        let mut users = self.lock();
        users.bytes += user.cost_bytes();
        users.oldest_first.push_back(user.id);
        users.by_id.insert(user.id, user);
        while users.bytes > Self::MAX_BYTES
            && let Some(oldest) = users.oldest_first.pop_front()
        {
            if let Some(forgotten) = users.by_id.remove(&oldest) {
                users.bytes -= forgotten.cost_bytes();
            }
        }
    }

    /// The user with this id, if it is (still) there.
    pub(crate) fn find(&self, id: Uuid) -> Option<User> {
        self.lock().by_id.get(&id).cloned()
    }

    /// The lock is held for map operations only, which do not panic; so a poisoned one holds sound data.
    fn lock(&self) -> MutexGuard<'_, Users> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_of(bytes: usize) -> User {
        let mut user = User { id: Uuid::new_v4(), name: String::new(), email: "e".into() };
        user.name = "n".repeat(bytes - user.cost_bytes());
        user
    }

    #[test]
    fn store_at_its_bound_forgets_nobody() {
        let store = Store::default();
        let users = [user_of(Store::MAX_BYTES / 2), user_of(Store::MAX_BYTES / 2)];

        users.iter().cloned().for_each(|user| store.insert(user));

        assert_eq!(users.each_ref().map(|user| store.find(user.id)), users.clone().map(Some));
    }

    #[test]
    fn store_over_its_bound_forgets_the_oldest() {
        let store = Store::default();
        let [oldest, middle] = [user_of(Store::MAX_BYTES / 2), user_of(Store::MAX_BYTES / 2)];
        let newest = user_of(200);

        [&oldest, &middle, &newest].into_iter().cloned().for_each(|user| store.insert(user));

        assert_eq!(store.find(oldest.id), None);
        assert_eq!([&middle, &newest].map(|user| store.find(user.id)), [Some(middle.clone()), Some(newest.clone())]);
    }
}
