//! Waiting for something to become true: ask again and again, up to a deadline. Never a bare sleep.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};

/// The first pause between two questions; doubled each time up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// The longest pause between two questions: how late an answer may be noticed.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Asks `probe` until it answers `Ok`, for at most `within`; `Err` means "not yet, because …".
///
/// The last question is cut off at the deadline too, so a probe that hangs does not hang the caller. The same
/// probe is asked at least once.
///
/// ```
/// # use std::time::Duration;
/// # use tributary_testbed::wait;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let mut asked = 0;
/// let answer = wait::until("the third question", Duration::from_secs(5), async || {
///     asked += 1;
///     anyhow::ensure!(asked == 3, "asked {asked} times");
///     Ok(asked)
/// });
/// assert_eq!(answer.await?, 3);
/// # anyhow::Ok(()) })?;
/// # anyhow::Ok(())
/// ```
///
/// # Errors
/// The deadline passed: says what was waited for, how long, and why the last answer was not yet good.
pub async fn until<T>(what: &str, within: Duration, mut probe: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + within;
    let mut pause = FIRST_PAUSE;
    let mut last = anyhow!("no answer at all");
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, pin!(probe())).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(reason)) => last = reason,
            Err(_) => return Err(last).with_context(|| late(what, within)),
        }
        if Instant::now() + pause >= deadline {
            return Err(last).with_context(|| late(what, within));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn late(what: &str, within: Duration) -> String {
    format!("{what} did not come within {} s", within.as_secs_f32())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn deadline_names_what_was_waited_for_and_the_last_reason() {
        let probe = async || Err::<(), _>(anyhow!("port closed"));

        let error = until("the broker", Duration::from_millis(20), probe).await.unwrap_err();

        assert_eq!(format!("{error:#}"), "the broker did not come within 0.02 s: port closed");
    }

    #[tokio::test]
    async fn a_probe_that_hangs_is_cut_off_at_the_deadline() {
        let probe = async || std::future::pending::<Result<()>>().await;

        let error = until("an answer", Duration::from_millis(20), probe).await.unwrap_err();

        assert_eq!(format!("{error:#}"), "an answer did not come within 0.02 s: no answer at all");
    }
}
