//! The CPU time of a process, from `/proc`: what it spent in user and kernel mode, in all of its threads, whatever else the
//! machine did meanwhile. For Linux.
//!
//! The scheduler's own account (`task/*/schedstat`, nanoseconds) is read. It is brought up to date when a thread leaves its
//! CPU and at each tick (1 to 10 ms): read it when the process is at rest, or over spans against which a tick is nothing.
//! Where a thread has ended meanwhile its account is gone with it; then the clock ticks of the whole process count
//! (`stat`, 10 ms), which keep the dead.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};

/// What `stat` counts in: `USER_HZ`, 100 on every Linux that has run in the last twenty years. Source: proc_pid_stat(5).
const TICK: Duration = Duration::from_millis(10);

/// The account of a process at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Nanoseconds by thread.
    threads: BTreeMap<u32, u64>,
    /// All threads, those that have ended too.
    ticks: u64,
}

impl Reading {
    /// Reads the account of this process.
    ///
    /// # Errors
    /// There is no such process (any more), or no `/proc`.
    pub fn of(process: u32) -> Result<Reading> {
        read(Path::new("/proc"), process).with_context(|| format!("read the CPU time of process {process}"))
    }

    /// The CPU time from `earlier` to this.
    pub fn since(&self, earlier: &Reading) -> Duration {
        let has_lost_none = earlier.threads.keys().all(|thread| self.threads.contains_key(thread));
        if has_lost_none && !self.threads.is_empty() {
            let spent = |(thread, now): (&u32, &u64)| now.saturating_sub(*earlier.threads.get(thread).unwrap_or(&0));
            return Duration::from_nanos(self.threads.iter().map(spent).sum());
        }
        let ticks = self.ticks.saturating_sub(earlier.ticks);
        TICK.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX))
    }
}

fn read(proc: &Path, process: u32) -> Result<Reading> {
    let folder = proc.join(process.to_string());
    let stat = fs::read_to_string(folder.join("stat")).context("stat")?;
    let ticks = ticks(&stat).context("stat has not the form of proc_pid_stat(5)")?;
    let mut threads = BTreeMap::new();
    for entry in fs::read_dir(folder.join("task")).context("task")? {
        let entry = entry.context("task")?;
        let Some(thread) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // Ended since the folder was listed, or a kernel that keeps no such account.
        let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else { continue };
        let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
        threads.insert(thread, nanoseconds.context("schedstat has no number")?);
    }
    Ok(Reading { threads, ticks })
}

/// `utime` and `stime`, the 14th and 15th field. The second is the name, in brackets, and may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(") ")?;
    let mut fields = behind_name.split(' ').skip(11);
    let (user, system) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    user.checked_add(system)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(threads: &[(u32, u64)], ticks: u64) -> Reading {
        Reading { threads: threads.iter().copied().collect(), ticks }
    }

    #[test]
    fn threads_are_added_up_new_ones_too() {
        let before = reading(&[(1, 100), (2, 50)], 7);
        let after = reading(&[(1, 130), (2, 50), (3, 9)], 7);

        assert_eq!(after.since(&before), Duration::from_nanos(39));
    }

    #[test]
    fn when_a_thread_has_ended_the_ticks_of_the_whole_count() {
        let before = reading(&[(1, 100), (2, 50)], 7);
        let after = reading(&[(1, 130)], 9);

        assert_eq!(after.since(&before), Duration::from_millis(20));
    }

    #[test]
    fn without_an_account_of_threads_ticks_count() {
        assert_eq!(reading(&[], 9).since(&reading(&[], 7)), Duration::from_millis(20));
    }

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 5 0 0 0 31 11 0 0 20 0 1 0 100 0 0";

        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("42 (short) S 1"), None);
    }

    #[test]
    fn own_time_grows_with_work() {
        let before = Reading::of(std::process::id()).unwrap();
        let mut sum = 0u64;

        let mut spent = Duration::ZERO;
        for _ in 0..10_000 {
            sum = (0..100_000u64).fold(sum, |sum, number| std::hint::black_box(sum.wrapping_mul(31) ^ number));
            spent = Reading::of(std::process::id()).unwrap().since(&before);
            if spent > Duration::from_millis(20) {
                break;
            }
        }

        assert!(spent > Duration::from_millis(20), "{spent:?} {sum}");
    }

    #[test]
    fn a_process_that_is_not_there_is_named() {
        let error = Reading::of(u32::MAX).unwrap_err();

        assert!(format!("{error:#}").contains("process 4294967295"), "{error:#}");
    }
}
