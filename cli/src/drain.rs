//! `tributary drain`: an Envoy gives away its traffic and what its filter holds, so that ending it loses nothing.

mod account;
mod admin;

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use clap::{Args, builder::BoolishValueParser};
use tokio::time::sleep;

use crate::{args::EXIT_CODES, failure::Failure, send::duration, stop::Stop, terminal::notice};
use account::Account;
use admin::Admin;

/// How often the statistics are read.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Progress is told this far apart at least.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// How long a stopped drain may take to end: it may wait for an answer of Envoy.
const STOP_GRACE: Duration = Duration::from_secs(6);

/// Drain an Envoy before it is ended, so that no exchange is lost.
///
/// Tells Envoy to drain its listeners (they ask clients to go elsewhere, and close after Envoy's --drain-time-s), then waits
/// until the filter has nothing pending: every exchange it has captured is acknowledged by the collector, or counted as
/// lost. An exchange that has not ended is pending too, so a long stream is waited for. Pending counts over all workers.
///
/// Statistics lag behind by up to a second, so it is done when nothing has been pending and nothing has moved for
/// --settle. After that end Envoy with SIGTERM, or have it done by --quit. This Envoy must not get new traffic meanwhile:
/// take it out of the load balancer first, or let the drained listeners close.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct DrainArgs {
    /// Envoy's admin page
    #[arg(long, env = "TRIBUTARY_ENVOY_ADMIN", value_name = "URL", default_value = "http://127.0.0.1:9901")]
    envoy_admin: Admin,

    /// Give up after so long; from 1s to 1h. Less than what the orchestrator waits before it kills
    #[arg(long, env = "TRIBUTARY_TIMEOUT", value_name = "TIME", default_value = "25s", value_parser = duration)]
    timeout: Duration,

    /// How long nothing may have been pending and nothing have moved; from 1s to 1h. Below 2s it may be too early
    #[arg(long, env = "TRIBUTARY_SETTLE", value_name = "TIME", default_value = "3s", value_parser = duration)]
    settle: Duration,

    /// Drain inbound listeners only: a sidecar goes on serving its own workload
    #[arg(long, env = "TRIBUTARY_INBOUND_ONLY", value_parser = BoolishValueParser::new())]
    inbound_only: bool,

    /// When nothing is pending, have Envoy end itself
    #[arg(long, env = "TRIBUTARY_QUIT", value_parser = BoolishValueParser::new())]
    quit: bool,
}

const EXAMPLES: &str = "\
Examples:
  tributary drain && kill -TERM $(pidof envoy)
  tributary drain --envoy-admin http://127.0.0.1:9901 --timeout 2m --quit
  tributary drain --envoy-admin http://127.0.0.1:15000 --inbound-only";

/// Drains until nothing is pending.
///
/// # Errors
/// A [`Failure`]: the admin page cannot be worked with, the filter is not there, the time is over with something
/// pending, or something was lost meanwhile.
pub(crate) async fn run(args: DrainArgs) -> Result<(), Failure> {
    if args.settle >= args.timeout {
        let (settle, timeout) = (args.settle.as_secs(), args.timeout.as_secs());
        return Err(Failure::usage(anyhow!(
            "--settle is {settle}s; allowed: less than --timeout, which is {timeout}s"
        )));
    }
    let mut stop = Stop::on_signals(STOP_GRACE, i32::from(crate::failure::EXIT_INCOMPLETE)).map_err(Failure::fault)?;
    let began = Instant::now();
    let first = account(&args.envoy_admin).await?;
    let scope = if args.inbound_only { "&inboundonly" } else { "" };
    let listeners = format!("/drain_listeners?graceful{scope}");
    args.envoy_admin.post(&listeners).await.map_err(Failure::unavailable)?;
    notice(&format!("listeners drain; {}", first.pending()));
    let last = tokio::select! {
        settled = settled(&args, &first, began) => settled?,
        () = stop.told() => return Err(told("stopped before nothing was pending: do not end this envoy yet")),
    };
    if args.quit {
        args.envoy_admin.post("/quitquitquit").await.map_err(Failure::unavailable)?;
    }
    conclude(&first, &last, began.elapsed())
}

async fn account(admin: &Admin) -> Result<Account, Failure> {
    let account = admin.account().await.map_err(Failure::unavailable)?;
    account.ok_or_else(|| {
        Failure::unavailable(anyhow!(
            "envoy at {admin} has no statistics {}*: the filter does not run there, or the bootstrap's stats_config leaves \
             them out; nothing was drained",
            account::PREFIX
        ))
    })
}

/// Waits until nothing is pending and nothing has moved for a while.
async fn settled(args: &DrainArgs, first: &Account, began: Instant) -> Result<Account, Failure> {
    let mut watch = Watch::new(first.clone(), began);
    let mut told = (first.pending(), began);
    loop {
        sleep(LOOK_EVERY).await;
        let looked =
            args.envoy_admin.account().await.and_then(|account| account.ok_or_else(|| anyhow!("no statistics")));
        let now = Instant::now();
        let account = looked.map_err(|error| {
            Failure::unavailable(error.context(format!("envoy went away with {}", watch.account.pending())))
        })?;
        let still = watch.look(account, now);
        let pending = watch.account.pending();
        if pending.total == 0 && still >= args.settle {
            return Ok(watch.account);
        }
        if now.duration_since(began) >= args.timeout {
            return Err(self::told(&watch.complaint(first, args.timeout)));
        }
        if pending != told.0 && now.duration_since(told.1) >= TELL_EVERY {
            notice(&format!("waiting: {pending}"));
            told = (pending, now);
        }
    }
}

/// The last account, and since when it is that.
struct Watch {
    account: Account,
    since: Instant,
}

impl Watch {
    fn new(account: Account, now: Instant) -> Watch {
        Watch { account, since: now }
    }

    /// Takes the account of this moment; how long it has been the same.
    fn look(&mut self, account: Account, now: Instant) -> Duration {
        if account != self.account {
            *self = Watch::new(account, now);
        }
        now.duration_since(self.since)
    }

    /// Why it is not over.
    fn complaint(&self, first: &Account, timeout: Duration) -> String {
        let pending = self.account.pending();
        let grown = |name| self.account.value(name).saturating_sub(first.value(name));
        let mut reasons = Vec::new();
        if pending.open > 0 {
            reasons.push(format!("{} requests have not ended (long streams, or new traffic)", pending.open));
        }
        if grown("post_failures") > 0 && pending.total > pending.open {
            reasons.push(format!("the collector does not take them ({} failed posts)", grown("post_failures")));
        }
        if grown("seen") > 0 {
            reasons.push(format!("{} requests came since the drain began", grown("seen")));
        }
        let reasons = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join(", ")) };
        format!("not drained within {}s, {pending}{reasons}; ending this envoy now loses them", timeout.as_secs())
    }
}

/// Says on standard output what became of everything.
fn conclude(first: &Account, last: &Account, took: Duration) -> Result<(), Failure> {
    let lost: u64 = last.lost().values().sum();
    let line = format!(
        "drained in {:.1}s: {} captured, {} acknowledged, {lost} lost, nothing pending",
        took.as_secs_f64(),
        last.value("captured"),
        last.value("acked")
    );
    writeln!(std::io::stdout(), "{line}").map_err(Failure::fault)?;
    match last.lost_since(first) {
        None => Ok(()),
        Some(lost) => Err(told(&format!("lost while it drained: {lost}"))),
    }
}

/// Tells the user, and ends with the code for what is not complete.
fn told(text: &str) -> Failure {
    notice(text);
    Failure::incomplete()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(pairs: &[(&str, u64)]) -> Account {
        let lines: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{}{name}: {value}", account::PREFIX)).collect();
        Account::parse(&lines.join("\n")).unwrap()
    }

    #[test]
    fn whatever_moves_begins_the_wait_anew() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut watch = Watch::new(account(&[("captured", 5), ("posts", 1)]), began);

        let stills = [
            watch.look(account(&[("captured", 5), ("posts", 1)]), at(2)),
            watch.look(account(&[("captured", 5), ("posts", 2)]), at(3)),
            watch.look(account(&[("captured", 5), ("posts", 2)]), at(7)),
        ];

        assert_eq!(stills.map(|still| still.as_secs()), [2, 0, 4]);
    }

    #[test]
    fn time_out_says_how_much_is_left_and_why() {
        let first = account(&[("captured", 5), ("acked", 5), ("seen", 5)]);
        let last = [("captured", 9), ("acked", 5), ("open", 1), ("queued", 3), ("seen", 9), ("post_failures", 7)];
        let watch = Watch::new(account(&last), Instant::now());

        assert_eq!(
            watch.complaint(&first, Duration::from_secs(25)),
            "not drained within 25s, 4 pending (1 open, 3 queued, 0 in flight): 1 requests have not ended (long streams, or \
             new traffic), the collector does not take them (7 failed posts), 4 requests came since the drain began; \
             ending this envoy now loses them"
        );
    }

    #[test]
    fn pending_without_a_known_reason_is_told_as_it_is() {
        let first = account(&[("captured", 5)]);
        let watch = Watch::new(first.clone(), Instant::now());

        let told = watch.complaint(&first, Duration::from_secs(1));

        assert!(told.starts_with("not drained within 1s, 5 pending (0 open, 0 queued, 0 in flight); ending"), "{told}");
    }
}
