//! The flags of the spool.

use std::path::PathBuf;

use crate::spool::SpoolSettings;

use super::values::bytes;

/// Where exchanges wait while Kafka is away, as it is given.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Spool")]
pub struct SpoolFlags {
    /// Keep exchanges in this directory while Kafka does not take them, and bring them into the topic later; each
    /// collector needs one of its own
    #[arg(long, env = "TRIBUTARY_SPOOL", value_name = "DIR")]
    pub spool: Option<PathBuf>,

    /// Bytes that the spool's files may have, 4MiB to 16TiB; over it posts get 503. At least four times
    /// --max-decoded-bytes, so that every post fits
    #[arg(long, env = "TRIBUTARY_SPOOL_MAX_BYTES", default_value = "1GiB", value_name = "SIZE")]
    #[arg(value_parser = bytes::<4_194_304, 17_592_186_044_416>)]
    pub spool_max_bytes: u64,
}

impl SpoolFlags {
    /// What the spool is made with; `None` without one.
    pub(crate) fn settings(&self) -> Option<SpoolSettings> {
        Some(SpoolSettings::new(self.spool.clone()?, self.spool_max_bytes))
    }
}
