//! How a command ends when it does not end well: the exit codes, in one place.

use anyhow::Error;
use tributary_topic::TopicError;

/// Not all was done or is there: lines not delivered, or not yet, or absent, or stopped before the end; it was told.
pub(crate) const EXIT_INCOMPLETE: u8 = 1;
/// The arguments or settings cannot be used (`sysexits.h`, `EX_USAGE`).
pub(crate) const EXIT_USAGE: u8 = 64;
/// A file that the command needs, or the topic, is not what it has to be (`EX_DATAERR`).
pub(crate) const EXIT_DATA: u8 = 65;
/// The input cannot be opened (`EX_NOINPUT`).
pub(crate) const EXIT_NO_INPUT: u8 = 66;
/// Kafka or Envoy cannot be worked with: away, topic or filter missing, not allowed (`EX_UNAVAILABLE`).
pub(crate) const EXIT_UNAVAILABLE: u8 = 69;
/// The machine does not do its part: no thread, output cannot be written (`EX_IOERR`).
pub(crate) const EXIT_FAULT: u8 = 74;

/// Why a command did not end well.
#[derive(Debug)]
pub(crate) struct Failure {
    /// One of the `EXIT_` codes of this module.
    pub(crate) exit_code: u8,
    /// What is still to be told; `None` if all has been told.
    pub(crate) error: Option<Error>,
}

impl Failure {
    /// Not all was done, which has been told.
    pub(crate) fn incomplete() -> Failure {
        Failure { exit_code: EXIT_INCOMPLETE, error: None }
    }

    pub(crate) fn usage(error: Error) -> Failure {
        Failure { exit_code: EXIT_USAGE, error: Some(error) }
    }

    pub(crate) fn data(error: impl Into<Error>) -> Failure {
        Failure { exit_code: EXIT_DATA, error: Some(error.into()) }
    }

    pub(crate) fn no_input(error: Error) -> Failure {
        Failure { exit_code: EXIT_NO_INPUT, error: Some(error) }
    }

    pub(crate) fn unavailable(error: Error) -> Failure {
        Failure { exit_code: EXIT_UNAVAILABLE, error: Some(error) }
    }

    pub(crate) fn fault(error: impl Into<Error>) -> Failure {
        Failure { exit_code: EXIT_FAULT, error: Some(error.into()) }
    }
}

/// The error and its causes on one line, without those that the text before already quotes.
pub(crate) fn told(error: &Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

impl From<TopicError> for Failure {
    fn from(error: TopicError) -> Failure {
        let exit_code = match error {
            TopicError::Setting { .. } | TopicError::Client { .. } => EXIT_USAGE,
            TopicError::PositionLost { .. } => EXIT_DATA,
            TopicError::Unreachable { .. }
            | TopicError::TopicMissing { .. }
            | TopicError::NotAllowed { .. }
            | TopicError::Credentials { .. }
            | TopicError::Kafka { .. } => EXIT_UNAVAILABLE,
        };
        Failure { exit_code, error: Some(error.into()) }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn cause_that_was_quoted_is_not_repeated() {
        let error = anyhow!("timed out").context("fetch failed: timed out").context("no answer");

        assert_eq!(told(&error), "no answer: fetch failed: timed out");
    }
}
