//! What can be wrong with a configuration, said so that its author can repair it.

use thiserror::Error;
use tributary_redact::{KeyError, SettingsError};

/// Why a configuration is refused. The text names the field, the value and what is allowed, and is logged by Envoy.
///
/// The value of `token_env`, of an unknown field and of a field of a wrong type is never shown: a token may have been
/// pasted there.
#[derive(Debug, Error, PartialEq, Eq, Clone)]
pub enum ConfigError {
    /// Not JSON: repair the syntax at that place.
    #[error("configuration: not JSON at line {line}, column {column}")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A field without a default is missing: set it.
    #[error("{field}: missing; {allowed}")]
    Missing {
        /// The whole name, `collector.cluster`.
        field: String,
        /// What to set it to.
        allowed: String,
    },
    /// No such field: remove it, or repair its spelling.
    #[error("{field}: no such field; known: {known}")]
    Unknown {
        /// The whole name, cut at 60 characters.
        field: String,
        /// The fields there are at that place.
        known: String,
    },
    /// The value is of another type.
    #[error("{field}: is {found}; allowed: {allowed}")]
    WrongType {
        /// The whole name.
        field: String,
        /// The type found: `a string`.
        found: &'static str,
        /// The values allowed.
        allowed: String,
    },
    /// The value is of the right type, but not allowed.
    #[error("{field}: {value} is not allowed; allowed: {allowed}")]
    OutOfBounds {
        /// The whole name.
        field: String,
        /// The value, cut at 60 characters; hidden where a secret may stand.
        value: String,
        /// The values allowed.
        allowed: String,
    },
    /// Two values that cannot stand together.
    #[error("{field}: {value} is not allowed; allowed: at most {other}, which is {other_value}")]
    Contradiction {
        /// The one that is too large.
        field: &'static str,
        /// Its value.
        value: u128,
        /// The one that bounds it.
        other: &'static str,
        /// The bound.
        other_value: u128,
    },
    /// `token_env` or `key_env` names a variable that the VM does not have.
    #[error(
        "{field}: the VM has no environment variable {variable}; \
         allowed: a name in vm_config.environment_variables"
    )]
    NoVariable {
        /// `collector.token_env` or `redact.key_env`.
        field: &'static str,
        /// The name.
        variable: String,
    },
    /// The variable's value cannot stand in a header. The value is not shown.
    #[error(
        "collector.token_env: the value of the environment variable {variable} cannot be sent; \
         allowed: visible ASCII characters, at least one"
    )]
    BadToken {
        /// The name of the variable.
        variable: String,
    },
    /// The variable's value cannot be a key. The value is not shown.
    #[error("redact.key_env: the value of the environment variable {variable} cannot be used: {error}")]
    BadKey {
        /// The name of the variable.
        variable: String,
        /// What is wrong with it.
        error: KeyError,
    },
    /// A rule of redaction is none, or wants to show what nobody may see.
    #[error("redact.{0}")]
    Redact(SettingsError),
}
