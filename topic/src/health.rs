//! What is wrong between the writer and Kafka at the moment, and since when.
//!
//! Three kinds of witness report here: the periodic look at the topic, librdkafka's error callback, and the delivery
//! reports. A record acknowledged is proof that all is well; old evidence counts no more ([`Cause::lasts`]), so that a
//! program without traffic does not stay degraded for ever.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use rdkafka::error::RDKafkaErrorCode as Code;

use crate::{TopicError, error::is_silence};

/// How long a witness is believed. Looks come every few seconds, so this lets no trouble pass that lasts; and it is how
/// long a program without traffic says that something is wrong after it was repaired.
const EVIDENCE_LASTS: Duration = Duration::from_secs(15);

/// The same for who is not let in: librdkafka repeats an error that does not change only every 30 s
/// (`rdkafka_broker.c`, `rd_kafka_broker_set_error`). A look that succeeds ends it at once.
const REFUSAL_LASTS: Duration = Duration::from_secs(45);

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
    /// User or password refused.
    Credentials,
    /// No trust between the two: the certificate has expired, has another name, or is of an authority that we do not
    /// know; or the other side does not speak TLS.
    Certificate,
    /// The topic does not exist.
    TopicMissing,
    /// An ACL is missing.
    NotAllowed,
    /// Fewer replicas in sync than the topic asks for, or a partition without a leader.
    TooFewReplicas,
    /// Records time out or fail for another reason.
    NotDelivered,
}

impl Cause {
    /// All of them, in the order of their declaration.
    pub const ALL: [Cause; 7] = [
        Cause::Unreachable,
        Cause::Credentials,
        Cause::Certificate,
        Cause::TopicMissing,
        Cause::NotAllowed,
        Cause::TooFewReplicas,
        Cause::NotDelivered,
    ];

    /// Whether nothing but a person's hand ends it. The others may pass by themselves.
    pub const fn needs_a_hand(self) -> bool {
        matches!(self, Cause::Credentials | Cause::Certificate | Cause::TopicMissing | Cause::NotAllowed)
    }

    /// A stable word, for JSON and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::Unreachable => "unreachable",
            Cause::Credentials => "credentials",
            Cause::Certificate => "certificate",
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
            Code::Authentication | Code::SaslAuthenticationFailed => Cause::Credentials,
            Code::SSL => Cause::Certificate,
            Code::NotEnoughReplicas | Code::NotEnoughReplicasAfterAppend | Code::ISRInsufficient => {
                Cause::TooFewReplicas
            }
            // A message may time out for any of the other reasons: its report alone names none.
            Code::MessageTimedOut => Cause::NotDelivered,
            code if is_silence(code) => Cause::Unreachable,
            _ => Cause::NotDelivered,
        }
    }

    fn of_look(error: &TopicError) -> Cause {
        match error {
            TopicError::Unreachable { .. } => Cause::Unreachable,
            TopicError::Credentials { .. } => Cause::Credentials,
            TopicError::TopicMissing { .. } => Cause::TopicMissing,
            TopicError::NotAllowed { .. } => Cause::NotAllowed,
            _ => Cause::NotDelivered,
        }
    }

    const fn lasts(self) -> Duration {
        if self.is_refusal() { REFUSAL_LASTS } else { EVIDENCE_LASTS }
    }

    /// Whether Kafka is there and does not let us in.
    const fn is_refusal(self) -> bool {
        matches!(self, Cause::Credentials | Cause::Certificate)
    }
}

/// Who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Witness {
    /// A look at the topic, or librdkafka's error callback: what a later look that succeeds refutes.
    Look,
    /// The report on a record: only an acknowledged record refutes it, for a look does not try to write.
    Report,
}

#[derive(Debug)]
struct Entry {
    problem: Problem,
    seen: Instant,
    witness: Witness,
}

impl Entry {
    fn counts_at(&self, now: Instant) -> bool {
        now.duration_since(self.seen) < self.problem.cause.lasts()
    }
}

/// The present problems of one writer, and how many records failed by which cause.
#[derive(Debug, Default)]
pub(crate) struct Health {
    entries: Mutex<Vec<Entry>>,
    /// So that the happy path costs one relaxed load.
    troubled: AtomicBool,
    /// In the order of [`Cause::ALL`].
    failed: [AtomicU64; Cause::ALL.len()],
}

impl Health {
    /// A witness saw trouble.
    pub(crate) fn note(&self, cause: Cause, why: String, witness: Witness) {
        self.note_at(cause, why, witness, Instant::now());
    }

    fn note_at(&self, cause: Cause, why: String, witness: Witness, now: Instant) {
        let mut entries = self.lock();
        entries.retain(|entry| entry.counts_at(now));
        match entries.iter_mut().find(|entry| entry.problem.cause == cause) {
            Some(entry) => {
                entry.problem.why = why;
                entry.seen = now;
                // Both say so: then both have to be refuted.
                if witness == Witness::Report {
                    entry.witness = witness;
                }
            }
            None => {
                entries.push(Entry { problem: Problem { cause, why, since: SystemTime::now() }, seen: now, witness })
            }
        }
        self.troubled.store(true, Ordering::Relaxed);
    }

    /// So many records failed by this cause.
    pub(crate) fn count(&self, cause: Cause, records: u64) {
        if let Some(count) = self.failed.get(cause as usize) {
            count.fetch_add(records, Ordering::Relaxed);
        }
    }

    /// How many records ever failed by this cause.
    pub(crate) fn failed(&self, cause: Cause) -> u64 {
        self.failed.get(cause as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// A record was acknowledged and none failed beside it: whatever it was, it is over.
    pub(crate) fn acknowledged(&self) {
        if self.troubled.swap(false, Ordering::Relaxed) {
            self.lock().clear();
        }
    }

    /// The outcome of a look at the topic. A good one clears what a look can see; only an acknowledged record or time
    /// clears what the reports on records said.
    pub(crate) fn looked(&self, outcome: Result<(), &TopicError>) {
        match outcome {
            Ok(()) => self.lock().retain(|entry| entry.witness == Witness::Report && !entry.problem.cause.is_refusal()),
            Err(error) => {
                let cause = Cause::of_look(error);
                if cause != Cause::Unreachable || !self.knows_a_refusal() {
                    self.note(cause, error.to_string(), Witness::Look);
                }
            }
        }
    }

    /// Whether we know that Kafka is there and does not let us in. Who is not let in hears no answer either, and the
    /// silence explains nothing then.
    pub(crate) fn knows_a_refusal(&self) -> bool {
        self.problems().iter().any(|problem| problem.cause.is_refusal())
    }

    /// The present problems, in the order in which they came up.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        self.problems_at(Instant::now())
    }

    fn problems_at(&self, now: Instant) -> Vec<Problem> {
        let mut entries = self.lock();
        entries.retain(|entry| entry.counts_at(now));
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
        health.note(Cause::NotAllowed, "no acl".to_owned(), Witness::Report);
        health.looked(Err(&missing()));

        health.acknowledged();

        assert_eq!(causes(&health), []);
    }

    #[test]
    fn a_good_look_ends_what_it_can_see_and_no_more() {
        let health = Health::default();
        health.note(Cause::NotAllowed, "no acl".to_owned(), Witness::Report);
        health.note(Cause::NotDelivered, "timed out".to_owned(), Witness::Report);
        health.note(Cause::Certificate, "expired".to_owned(), Witness::Look);
        health.looked(Err(&missing()));

        health.looked(Ok(()));

        assert_eq!(causes(&health), [Cause::NotAllowed, Cause::NotDelivered]);
    }

    // It stayed for half a minute, though the look that had found it missing found it again.
    #[test]
    fn a_right_that_a_look_missed_is_there_again_with_the_next_good_look() {
        let health = Health::default();
        let code = KafkaError::MetadataFetch(Code::TopicAuthorizationFailed);
        health.looked(Err(&TopicError::of("describe", "t", "b:1", code)));
        assert_eq!(causes(&health), [Cause::NotAllowed]);

        health.looked(Ok(()));

        assert_eq!(causes(&health), []);
    }

    #[test]
    fn refused_credentials_are_not_called_silence_too() {
        for cause in [Cause::Credentials, Cause::Certificate] {
            let health = Health::default();
            health.note(cause, "not let in".to_owned(), Witness::Look);
            let silent = KafkaError::MetadataFetch(Code::BrokerTransportFailure);

            health.looked(Err(&TopicError::of("describe", "t", "b:1", silent)));

            assert_eq!(causes(&health), [cause]);
        }
    }

    #[test]
    fn old_evidence_counts_no_more() {
        for (cause, lasts) in [(Cause::NotDelivered, EVIDENCE_LASTS), (Cause::Credentials, REFUSAL_LASTS)] {
            let health = Health::default();
            let start = Instant::now();
            health.note_at(cause, "seen".to_owned(), Witness::Look, start);

            assert_eq!(health.problems_at(start + lasts - Duration::from_millis(1)).len(), 1);
            assert_eq!(health.problems_at(start + lasts).len(), 0);
        }
    }

    #[test]
    fn trouble_seen_again_keeps_its_beginning() {
        let health = Health::default();
        health.note(Cause::Unreachable, "first".to_owned(), Witness::Look);
        let since = health.problems().first().map(|problem| problem.since);

        health.note(Cause::Unreachable, "second".to_owned(), Witness::Look);

        let problems = health.problems();
        assert_eq!(problems.first().map(|problem| problem.since), since);
        assert_eq!(problems.first().map(|problem| problem.why.as_str()), Some("second"));
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn failed_records_are_counted_by_their_cause() {
        let health = Health::default();

        for (records, cause) in (1..).zip(Cause::ALL) {
            health.count(cause, records);
        }

        assert_eq!(Cause::ALL.map(|cause| health.failed(cause)), [1, 2, 3, 4, 5, 6, 7]);
    }
}
