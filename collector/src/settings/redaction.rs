//! The flags of the second wall.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::wall::{Wall, WallError};

/// What posted lines are masked with before they are stored.
#[derive(Clone, Debug, Args)]
pub struct RedactionFlags {
    /// Whether posted lines are masked before they are stored: "on", or "filter-only" where all of them come from filters
    /// that mask; then compressed bodies are left out, and /ready and a metric show it
    #[arg(long, env = "TRIBUTARY_REDACT", help_heading = "Redaction", default_value = "on", value_enum)]
    pub redact: RedactChoice,

    /// A file with a JSON object of rules beside the built-in ones, the same as the filter's setting "redact"
    #[arg(long, env = "TRIBUTARY_REDACT_CONFIG", help_heading = "Redaction", value_name = "FILE")]
    pub redact_config: Option<PathBuf>,

    /// A file with the key of the tokens that stand for secrets, 16 to 1024 bytes: the same that the filters have
    #[arg(long, env = "TRIBUTARY_REDACT_KEY_FILE", help_heading = "Redaction", value_name = "FILE")]
    pub redact_key_file: Option<PathBuf>,
}

/// The choices of `--redact`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RedactChoice {
    /// Lines are masked.
    On,
    /// They are not.
    FilterOnly,
}

impl RedactionFlags {
    /// The wall that the flags want.
    ///
    /// # Errors
    /// All of [`WallError`].
    pub(crate) fn wall(&self) -> Result<Wall, WallError> {
        // Read all the same when the wall is off: a file that is wrong should not show its error on the day it is needed.
        let environment = |name: &str| std::env::var_os(name).map(std::os::unix::ffi::OsStringExt::into_vec);
        let wall = Wall::open(self.redact_config.as_deref(), self.redact_key_file.as_deref(), environment)?;
        Ok(match self.redact {
            RedactChoice::On => wall,
            RedactChoice::FilterOnly => Wall::filter_only(),
        })
    }
}
