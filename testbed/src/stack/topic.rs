//! Following a topic that goes and comes again.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::{Sink, Stack};
use crate::{recordings::Recordings, wait};

/// A broker on a busy machine may take so long for what was sent to it last.
const AT_REST: Duration = Duration::from_secs(2);

impl Stack {
    /// Reads until nothing new has come for two seconds: what nobody writes to any more is known as a whole then. Says how
    /// many lines.
    ///
    /// # Errors
    /// Kafka cannot be read, or somebody still writes after [`DELIVERED_WITHIN`](super::DELIVERED_WITHIN).
    pub async fn lines_at_rest(&self) -> Result<usize> {
        let (mut count, mut since) = (0, Instant::now());
        self.lines_until("no new lines", |lines| {
            if lines.len() != count {
                (count, since) = (lines.len(), Instant::now());
            }
            ensure!(since.elapsed() >= AT_REST, "{count} lines, the last of them just now");
            Ok(count)
        })
        .await
    }

    /// The topic was deleted: waits until there is a new one with lines in it, goes on reading there, keeping what was read
    /// of the old one, and says how many lines are in the new one.
    ///
    /// # Errors
    /// Nothing was read of the old one, so that the two cannot be told apart; or no new one comes.
    pub async fn topic_replaced(&self, within: Duration) -> Result<usize> {
        let Sink::Topic { brokers, topic } = &self.sink else { anyhow::bail!("this stack has no topic") };
        let mut recordings = self.recordings().await?;
        let oldest = recordings.read_already().first().context("nothing was read of the old topic")?.bytes.clone();
        let new = wait::until("lines in a new topic", within, async || {
            let mut new = Recordings::of_topic(brokers, topic).await?;
            let lines = new.read().await?;
            ensure!(!lines.is_empty(), "no line yet");
            ensure!(lines.iter().all(|line| line.bytes != oldest), "it is still the old topic");
            Ok(new)
        });
        let new = new.await?;
        Ok(recordings.go_on_with(new))
    }
}
