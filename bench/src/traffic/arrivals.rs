//! When each call could be read in Kafka: a consumer that reads as records come, and notes the moment.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tokio::task::JoinHandle;
use tributary_testbed::wait;
use tributary_topic::{Reader, ReaderConfig, Start};

use super::calls::{Called, PATH};

/// Reads a topic from its end on, until it is dropped.
#[derive(Debug)]
pub(crate) struct Arrivals {
    seen: Arc<Mutex<Seen>>,
    reading: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Seen {
    /// By the number of the call: when its record could be read first.
    at: HashMap<u64, Instant>,
    /// Why the reader has stopped.
    failure: Option<String>,
}

impl Arrivals {
    /// Opens the topic.
    ///
    /// # Errors
    /// There is none, or Kafka does not answer.
    pub(crate) async fn open(brokers: &str, topic: &str) -> Result<Arrivals> {
        let (brokers, topic) = (brokers.to_owned(), topic.to_owned());
        let config = ReaderConfig { brokers, topic, start: Start::End, settings: Vec::new() };
        let mut reader = Reader::open(config).await?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let noted = Arc::clone(&seen);
        let reading = tokio::spawn(async move {
            loop {
                match reader.next().await {
                    Ok(record) => {
                        let now = Instant::now();
                        if let Some(number) = number(&record.value) {
                            lock(&noted).at.entry(number).or_insert(now);
                        }
                    }
                    Err(error) => {
                        lock(&noted).failure = Some(error.to_string());
                        return;
                    }
                }
            }
        });
        Ok(Arrivals { seen, reading })
    }

    /// Waits until every call has arrived, and takes how long after its answer each did, in nanoseconds; 0 for one that was
    /// faster than its answer.
    ///
    /// # Errors
    /// One does not arrive within `within`: it was lost, for nothing here may be dropped.
    pub(crate) async fn delays(&self, called: &Called, within: Duration) -> Result<Vec<u64>> {
        wait::until("all calls in the topic", within, async || {
            let seen = lock(&self.seen);
            if let Some(failure) = &seen.failure {
                // Asking again will not help, but the deadline is near enough.
                anyhow::bail!("the reader has failed: {failure}");
            }
            let missing = called.answered.iter().filter(|(number, _)| !seen.at.contains_key(number)).count();
            ensure!(missing == 0, "{missing} of {} are not there", called.answered.len());
            Ok(())
        })
        .await?;
        let mut seen = lock(&self.seen);
        let delay = |(number, answered): &(u64, Instant)| {
            let arrived = seen.at.remove(number)?;
            u64::try_from(arrived.saturating_duration_since(*answered).as_nanos()).ok()
        };
        Ok(called.answered.iter().filter_map(delay).collect())
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    // Nothing panics under this lock.
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number in the path of a line.
fn number(line: &[u8]) -> Option<u64> {
    let start = memchr::memmem::find(line, format!("\"path\":\"{PATH}").as_bytes())? + "\"path\":\"".len() + PATH.len();
    let digits = line.get(start..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(line.get(start..start + digits)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_call_is_found_in_its_line() {
        assert_eq!(number(br#"{"request":{"path":"/orders/1207","pathname":"/orders/1207"}}"#), Some(1207));
        assert_eq!(number(br#"{"request":{"path":"/orders/"}}"#), None);
        assert_eq!(number(br#"{"request":{"path":"/users/7"}}"#), None);
    }
}
