//! What is wrong between the writer and Kafka at the moment, and since when.
//!
//! Three kinds of witness report here: the periodic look at the topic, librdkafka's error callback, and the delivery
//! reports. A record acknowledged is proof that all is well; evidence older than [`EVIDENCE_LASTS`] counts no more,
//! so that a program without traffic does not stay degraded for ever.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use rdkafka::error::RDKafkaErrorCode as Code;

use crate::{TopicError, error::is_silence};

/// How long a witness is believed.
const EVIDENCE_LASTS: Duration = Duration::from_secs(30);

/// Looks in a row that must fail until a write is refused without trying: one alone may be a slow moment.
const LOOKS_UNTIL_BLOCKED: u32 = 2;

/// Something that keeps records from being acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind of trouble.
    pub cause: Cause,
    /// What was seen, for a person.
    pub why: String,
    /// Since when, without a break.
    pub since: SystemTime,
}

/// The kinds of trouble, told apart by what an operator has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// No broker answers.
    Unreachable,
    /// User, password or certificate refused.
    Credentials,
    /// The topic does not exist.
    TopicMissing,
    /// An ACL is missing.
    NotAllowed,
    /// Fewer replicas in sync than the topic asks for.
    TooFewReplicas,
    /// Records time out or fail for another reason.
    NotDelivered,
}

impl Cause {
    /// A stable word, for JSON and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::Unreachable => "unreachable",
            Cause::Credentials => "credentials",
            Cause::TopicMissing => "topic_missing",
            Cause::NotAllowed => "not_allowed",
            Cause::TooFewReplicas => "too_few_replicas",
            Cause::NotDelivered => "not_delivered",
        }
    }

    pub(crate) fn of(code: Code) -> Cause {
        match code {
            Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => Cause::TopicMissing,
            Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => Cause::NotAllowed,
            Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL => Cause::Credentials,
            Code::NotEnoughReplicas | Code::NotEnoughReplicasAfterAppend | Code::ISRInsufficient => {
                Cause::TooFewReplicas
            }
            // A message may time out for any of the other reasons: its report alone names none.
            Code::MessageTimedOut => Cause::NotDelivered,
            code if is_silence(code) => Cause::Unreachable,
            _ => Cause::NotDelivered,
        }
    }
}

#[derive(Debug)]
struct Entry {
    problem: Problem,
    seen: Instant,
}

/// The present problems of one writer.
#[derive(Debug, Default)]
pub(crate) struct Health {
    entries: Mutex<Vec<Entry>>,
    /// So that the happy path costs one relaxed load.
    troubled: AtomicBool,
    failed_looks: AtomicU32,
}

impl Health {
    /// A witness saw trouble.
    pub(crate) fn note(&self, cause: Cause, why: String) {
        self.note_at(cause, why, Instant::now());
    }

    fn note_at(&self, cause: Cause, why: String, now: Instant) {
        let mut entries = self.lock();
        entries.retain(|entry| now.duration_since(entry.seen) < EVIDENCE_LASTS);
        match entries.iter_mut().find(|entry| entry.problem.cause == cause) {
            Some(entry) => {
                entry.problem.why = why;
                entry.seen = now;
            }
            None => entries.push(Entry { problem: Problem { cause, why, since: SystemTime::now() }, seen: now }),
        }
        self.troubled.store(true, Ordering::Relaxed);
    }

    /// A record was acknowledged: whatever it was, it is over.
    pub(crate) fn acknowledged(&self) {
        if self.troubled.swap(false, Ordering::Relaxed) {
            self.lock().clear();
        }
        self.failed_looks.store(0, Ordering::Relaxed);
    }

    /// The outcome of a look at the topic. A good one clears what a look can see; only an acknowledged record or
    /// time clears what it cannot (a missing right to write, missing replicas).
    pub(crate) fn looked(&self, outcome: Result<(), &TopicError>) {
        match outcome {
            Ok(()) => {
                self.failed_looks.store(0, Ordering::Relaxed);
                self.lock().retain(|entry| matches!(entry.problem.cause, Cause::NotAllowed | Cause::TooFewReplicas));
            }
            Err(error) => {
                self.failed_looks.fetch_add(1, Ordering::Relaxed);
                let cause = match error {
                    TopicError::Unreachable { .. } => Cause::Unreachable,
                    TopicError::Credentials { .. } => Cause::Credentials,
                    TopicError::TopicMissing { .. } => Cause::TopicMissing,
                    TopicError::NotAllowed { .. } => Cause::NotAllowed,
                    _ => Cause::NotDelivered,
                };
                // Whoever is not let in hears no answer either.
                if cause != Cause::Unreachable || !self.has(Cause::Credentials) {
                    self.note(cause, error.to_string());
                }
            }
        }
    }

    /// Whether there is trouble of this kind.
    pub(crate) fn has(&self, cause: Cause) -> bool {
        self.problems().iter().any(|problem| problem.cause == cause)
    }

    /// Whether a write would only wait for its time-out: several looks in a row failed.
    pub(crate) fn is_blocked(&self) -> bool {
        self.failed_looks.load(Ordering::Relaxed) >= LOOKS_UNTIL_BLOCKED
    }

    /// The present problems, in the order in which they came up.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        self.problems_at(Instant::now())
    }

    fn problems_at(&self, now: Instant) -> Vec<Problem> {
        let mut entries = self.lock();
        entries.retain(|entry| now.duration_since(entry.seen) < EVIDENCE_LASTS);
        entries.iter().map(|entry| entry.problem.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        // Nothing panics under this lock; and a list of problems is never half made.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::error::KafkaError;

    fn missing() -> TopicError {
        TopicError::TopicMissing { topic: "t".to_owned(), brokers: "b:1".to_owned() }
    }

    fn causes(health: &Health) -> Vec<Cause> {
        health.problems().into_iter().map(|problem| problem.cause).collect()
    }

    #[test]
    fn an_acknowledged_record_ends_all_problems() {
        let health = Health::default();
        health.note(Cause::NotAllowed, "no acl".to_owned());
        health.looked(Err(&missing()));

        health.acknowledged();

        assert_eq!(causes(&health), []);
    }

    #[test]
    fn a_good_look_ends_what_it_can_see_and_no_more() {
        let health = Health::default();
        health.note(Cause::NotAllowed, "no acl".to_owned());
        health.looked(Err(&missing()));

        health.looked(Ok(()));

        assert_eq!(causes(&health), [Cause::NotAllowed]);
    }

    #[test]
    fn refused_credentials_are_not_called_silence_too() {
        let health = Health::default();
        health.note(Cause::Credentials, "wrong password".to_owned());
        let silent = KafkaError::MetadataFetch(Code::BrokerTransportFailure);

        health.looked(Err(&TopicError::of("describe", "t", "b:1", silent)));

        assert_eq!(causes(&health), [Cause::Credentials]);
    }

    #[test]
    fn old_evidence_counts_no_more() {
        let health = Health::default();
        let start = Instant::now();
        health.note_at(Cause::NotDelivered, "timed out".to_owned(), start);

        assert_eq!(health.problems_at(start + EVIDENCE_LASTS - Duration::from_millis(1)).len(), 1);
        assert_eq!(health.problems_at(start + EVIDENCE_LASTS).len(), 0);
    }

    #[test]
    fn trouble_seen_again_keeps_its_beginning() {
        let health = Health::default();
        health.note(Cause::Unreachable, "first".to_owned());
        let since = health.problems().first().map(|problem| problem.since);

        health.note(Cause::Unreachable, "second".to_owned());

        let problems = health.problems();
        assert_eq!(problems.first().map(|problem| problem.since), since);
        assert_eq!(problems.first().map(|problem| problem.why.as_str()), Some("second"));
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn one_failed_look_does_not_block_but_two_do() {
        let health = Health::default();

        health.looked(Err(&missing()));
        assert!(!health.is_blocked());
        health.looked(Err(&missing()));
        assert!(health.is_blocked());
        health.looked(Ok(()));
        assert!(!health.is_blocked());
    }
}
