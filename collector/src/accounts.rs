//! The accounts that did not travel with a post: stored each second, and once more at the end.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{accounting::Due, app::App};

/// How long an account may wait for being stored.
const EVERY: Duration = Duration::from_secs(1);

/// Accounts that are stored together at most.
const MAX_TOGETHER: usize = 256;

/// Stores accounts in the background until it is told to stop.
pub(crate) struct Teller {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Teller {
    /// Starts it. Needs a runtime.
    pub(crate) fn start(app: Arc<App>) -> Teller {
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = stopped.changed() => return,
                    _ = ticks.tick() => {}
                }
                tell(&app).await;
            }
        });
        Teller { stop, task }
    }

    /// Stops it, and stores what is left; at most `within`. `false`: some account is not stored.
    pub(crate) async fn end(self, app: &App, within: Duration) -> bool {
        self.stop.send_replace(true);
        let last = async {
            // Not cut off: what it holds would not be due again.
            let _ = self.task.await;
            tell(app).await
        };
        timeout(within, last).await.unwrap_or(false)
    }
}

/// Stores each account that has changed, once. `false`: not all of them could be.
pub(crate) async fn tell(app: &App) -> bool {
    let mut due = app.accounting.due();
    let mut all = true;
    while !due.is_empty() {
        let rest = due.split_off(due.len().min(MAX_TOGETHER));
        let together = std::mem::replace(&mut due, rest);
        // After one failure the others only wait in vain.
        let stored = all && store(app, &together).await;
        app.accounting.told(together, stored);
        all = stored;
    }
    all
}

async fn store(app: &App, due: &[Due]) -> bool {
    if app.sink.is_blocked() {
        return false;
    }
    let accounts: Vec<_> = due.iter().map(|due| due.account.clone()).collect();
    let stored = timeout(app.limits.answer_within, app.sink.store(&[], &accounts)).await;
    stored.is_ok_and(|stored| stored.accounts)
}
