//! What can be wrong with a line, said so that its author can repair it: the field and what is allowed there.

use thiserror::Error;

/// How much of a name an error quotes.
pub(crate) const MAX_NAME_CHARS: usize = 40;

/// Why a line is not an exchange in this format.
///
/// The text names the field (`request.headers.accept`) and what is allowed there. Callers that read a file add the
/// number of the line. It quotes at most 40 characters of an offending *name or enum word*, never a header value,
/// query value or body, so it may be logged.
#[derive(Debug, Error, PartialEq, Eq, Clone)]
pub enum ReadError {
    /// The line is not JSON: repair it at its source.
    #[error("not JSON: {reason} at column {column}")]
    NotJson {
        /// Column of the line, in bytes, from 1.
        column: usize,
        /// What the JSON parser expected.
        reason: String,
    },
    /// The line is JSON, but not an exchange of this format: repair the field.
    #[error("{field}: {reason}")]
    NotAnExchange {
        /// Where, as a path: `request.headers.accept`, or `exchange` for the whole.
        field: String,
        /// What is wrong there and what is allowed.
        reason: String,
    },
}

/// Why an exchange cannot be written in this format.
#[derive(Debug, Error, PartialEq, Eq, Clone, Copy)]
pub enum WriteError {
    /// `request.host` is empty; two of the format's readers refuse such a line. Leave the exchange out, counted.
    #[error("request.host is empty; the format needs the host the client asked for")]
    EmptyHost,
}

/// At most `max` characters of a name, so that a hostile line cannot fill a log.
pub(crate) fn shortened(name: &str, max: usize) -> &str {
    name.char_indices().nth(max).and_then(|(end, _)| name.get(..end)).unwrap_or(name)
}

/// What the JSON parser says, without the position (the field is named instead) and without what the line says: a
/// string or a number that stands in the wrong place may be a secret.
pub(crate) fn public_reason(parser: &str) -> String {
    let reason = parser.rsplit_once(" at line ").map_or(parser, |(reason, _)| reason);
    let mistyped = reason.starts_with("invalid type: ") || reason.starts_with("invalid value: ");
    let quote = reason.find(['"', '`']);
    match (mistyped, quote, reason.rsplit_once(", expected ")) {
        (true, Some(quote), Some((_, expected))) => {
            format!("{}, expected {expected}", reason.get(..quote).unwrap_or_default().trim_end())
        }
        _ => match reason.split_once('`').and_then(|(_, rest)| rest.split_once("`, expected ")) {
            Some((name, expected)) => {
                format!("unknown field `{}`, expected {expected}", shortened(name, MAX_NAME_CHARS))
            }
            None => reason.to_owned(),
        },
    }
}
