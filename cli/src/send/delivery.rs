//! Writes the records of a batch until each is delivered or known not to be.

use std::time::{Duration, Instant};

use tributary_topic::{Record, RecordError};

use super::batch::Entry;
use crate::stop::Stop;

/// The pauses between two attempts: the first, doubled each time, up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// What became of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// How many records Kafka has acknowledged, and their bytes.
    pub(crate) delivered: u64,
    pub(crate) delivered_bytes: u64,
    /// The lines that Kafka has not acknowledged, in order, with the last reason.
    pub(crate) failed: Vec<(u64, RecordError)>,
    /// Kafka took nothing for too long, or the user stopped it: it makes no sense to try further batches.
    pub(crate) given_up: bool,
}

/// Writes all `entries`, again and again those that may still succeed, until Kafka has taken none of them for
/// `give_up_after`, or the user stops it.
///
/// Order is kept within a batch that needs one attempt. A record that is tried again comes behind the ones that were
/// taken before it, and may be in the topic twice: Kafka may have taken it without being able to say so.
pub(crate) async fn deliver(
    entries: Vec<Entry>,
    give_up_after: Duration,
    stop: &mut Option<Stop>,
    write: impl AsyncFn(&[Record]) -> Vec<Result<(), RecordError>>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let (mut lines, mut records): (Vec<_>, Vec<_>) =
        entries.into_iter().map(|entry| (entry.line, entry.record)).unzip();
    let (mut last_success, mut pause) = (Instant::now(), FIRST_PAUSE);
    while !records.is_empty() {
        let verdicts = write(&records).await;
        let mut open = Vec::new();
        let delivered_before = outcome.delivered;
        for ((line, record), verdict) in lines.into_iter().zip(records).zip(verdicts) {
            match verdict {
                Ok(()) => {
                    outcome.delivered += 1;
                    outcome.delivered_bytes += record.value.len() as u64;
                }
                Err(error @ (RecordError::Retriable { .. } | RecordError::Busy)) => open.push((line, record, error)),
                Err(error) => outcome.failed.push((line, error)),
            }
        }
        if outcome.delivered > delivered_before {
            (last_success, pause) = (Instant::now(), FIRST_PAUSE);
        }
        let stopped = stop.as_ref().is_some_and(Stop::is_told);
        if !open.is_empty() && (stopped || last_success.elapsed() >= give_up_after) {
            outcome.given_up = true;
            outcome.failed.extend(open.into_iter().map(|(line, _, error)| (line, error)));
            break;
        }
        (lines, records) = open.into_iter().map(|(line, record, _)| (line, record)).unzip();
        if !records.is_empty() {
            rest(pause.min(give_up_after), stop).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }
    outcome.failed.sort_by_key(|(line, _)| *line);
    outcome
}

/// Waits, but not once the user has stopped it.
async fn rest(pause: Duration, stop: &mut Option<Stop>) {
    let stopped = async {
        match stop {
            Some(stop) => stop.told().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = stopped => {}
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tributary_topic::Cause;

    use super::*;

    /// Answers each write with the next list of verdicts, and keeps which values were written.
    async fn delivered(
        values: &[&'static str],
        give_up_after: Duration,
        answers: Vec<Vec<Result<(), RecordError>>>,
    ) -> (Outcome, Vec<Vec<String>>) {
        let entry = |(line, value): (u64, &&'static str)| Entry {
            line,
            record: Record { value: (*value).into(), ..Record::default() },
        };
        let (answers, written) = (RefCell::new(answers.into_iter()), RefCell::new(Vec::new()));
        let write = async |records: &[Record]| {
            let values = records.iter().map(|record| String::from_utf8(record.value.to_vec()).unwrap()).collect();
            written.borrow_mut().push(values);
            answers.borrow_mut().next().expect("no write more than answers")
        };
        let outcome = deliver((10..).zip(values).map(entry).collect(), give_up_after, &mut None, write).await;
        (outcome, written.into_inner())
    }

    fn away() -> RecordError {
        RecordError::Retriable { cause: Cause::Unreachable, reason: "broker away".into() }
    }

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn only_what_may_still_succeed_is_tried_again() {
        let refused = || RecordError::Rejected { reason: "no".into() };
        let answers = vec![
            vec![Ok(()), Err(away()), Err(refused()), Err(RecordError::Busy)],
            vec![Ok(()), Err(away())],
            vec![Ok(())],
        ];

        let (outcome, written) = delivered(&["a", "b", "c", "d"], LONG, answers).await;

        assert_eq!(written, [vec!["a", "b", "c", "d"], vec!["b", "d"], vec!["d"]]);
        let failed = vec![(12, refused())];
        assert_eq!(outcome, Outcome { delivered: 3, delivered_bytes: 3, failed, given_up: false });
    }

    #[tokio::test]
    async fn record_that_is_too_large_stops_no_other() {
        let too_large = || RecordError::TooLarge { bytes: 1 };

        let (outcome, _) = delivered(&["a", "b"], LONG, vec![vec![Err(too_large()), Ok(())]]).await;

        let failed = vec![(10, too_large())];
        assert_eq!(outcome, Outcome { delivered: 1, delivered_bytes: 1, failed, given_up: false });
    }

    #[tokio::test]
    async fn batch_is_given_up_when_kafka_takes_nothing_for_too_long() {
        let (outcome, written) = delivered(&["a", "b"], Duration::ZERO, vec![vec![Err(away()), Err(away())]]).await;

        assert_eq!(written.len(), 1);
        let failed = vec![(10, away()), (11, away())];
        assert_eq!(outcome, Outcome { delivered: 0, delivered_bytes: 0, failed, given_up: true });
    }
}
