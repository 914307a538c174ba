//! Whether a file has changed since it was read: tokens, certificates and settings are renewed without a restart.

use std::{fs, path::Path, time::SystemTime};

/// What changes when a file does: when it was written, and its bytes. A symbolic link that is turned counts too, which
/// is how orchestrators renew what they mount. `None`: it cannot be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(Option<(SystemTime, u64)>);

impl Stamp {
    /// That of the file as it is now.
    pub(crate) fn of(path: &Path) -> Stamp {
        let look = || {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        Stamp(look())
    }
}
