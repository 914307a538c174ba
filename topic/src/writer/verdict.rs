//! What became of a record, told apart by what the caller has to do about it.

use rdkafka::error::RDKafkaErrorCode as Code;
use thiserror::Error;

use crate::health::Cause;

/// Why a record was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Kafka takes no record of this size, now or later: shorten it, or put it elsewhere.
    #[error("record of {bytes} bytes is too large for the topic")]
    TooLarge {
        /// Key and value together.
        bytes: u64,
    },
    /// Kafka refuses this very record, now and later: drop it, or put it elsewhere.
    #[error("kafka refuses the record: {reason}")]
    Rejected {
        /// Kafka's words.
        reason: String,
    },
    /// Not acknowledged; whether Kafka has it is unknown. Try again (and expect duplicates).
    #[error("not acknowledged: {reason}")]
    Retriable {
        /// What kind of trouble.
        cause: Cause,
        /// What kept it.
        reason: String,
    },
    /// More is waiting than the writer may hold; nothing was sent. Try again later.
    #[error("the queue to kafka is full")]
    Busy,
}

/// An acknowledgement that librdkafka inferred and no broker gave.
pub(super) const INFERRED: Code = Code::Inconsistent;

/// Whether the record may be innocent: its batch was refused as a whole.
pub(super) fn fails_in_company(verdict: &Result<(), RecordError>) -> bool {
    matches!(verdict, Err(RecordError::TooLarge { .. } | RecordError::Rejected { .. }))
}

/// What a code means for the caller. What is not known to be final is tried again: that may repeat a record, the
/// contrary would lose it.
pub(super) fn verdict_of(code: Code, bytes: u64) -> RecordError {
    match code {
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize => {
            RecordError::TooLarge { bytes }
        }
        Code::InvalidRecord | Code::InvalidDifferentRecord => RecordError::Rejected { reason: code.to_string() },
        Code::QueueFull => RecordError::Busy,
        INFERRED => {
            let reason = "kafka did not say where the record lies".to_owned();
            RecordError::Retriable { cause: Cause::NotDelivered, reason }
        }
        other => RecordError::Retriable { cause: Cause::of(other), reason: other.to_string() },
    }
}
