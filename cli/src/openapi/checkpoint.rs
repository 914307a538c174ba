//! The checkpoint: how far each partition was read, together with all that was learnt from there, in one file.
//!
//! A file is the head (one line of JSON) and the state (one line of JSON) that the head has the size and the checksum
//! of. It is replaced whole, so a restart finds offsets and the state that belongs to them, whatever killed the
//! program and when. What is no such file is an error, never a fresh start.
//!
//! ```json
//! {"tributary":"openapi checkpoint","version":1,"bytes":81,"sha256":"9f…"}
//! {"topic":"http_recordings","positions":{"0":{"next":42,"last":"1c…"}},"skipped":0,"state":{}}
//! ```

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tributary_topic::Delivered;

use crate::{
    failure::Failure,
    whole_file::{beside, replace},
};

/// What makes a file ours.
const MARK: &str = "openapi checkpoint";

/// Of this file and of the state in it: another version may mean something else by the same words.
const VERSION: u32 = 1;

/// Hexadecimal digits kept of the digest of a record: enough to tell it from any other.
const FINGERPRINT_DIGITS: usize = 32;

/// Why a checkpoint cannot be used.
#[derive(Debug, Error)]
pub(crate) enum CheckpointError {
    #[error("cannot read checkpoint {}", .path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot write checkpoint {}", .path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("checkpoint {} is in use by another tributary; give each its own", .path.display())]
    InUse { path: PathBuf },
    #[error("{} is no checkpoint of tributary openapi; give --checkpoint a file of its own", .path.display())]
    Foreign { path: PathBuf },
    #[error(
        "checkpoint {} has version {version}, this program writes {VERSION}; remove it to begin anew",
        .path.display()
    )]
    Version { path: PathBuf, version: u32 },
    #[error("checkpoint {} is damaged: {what}; remove it to begin anew", .path.display())]
    Damaged { path: PathBuf, what: String },
    #[error(
        "checkpoint {} belongs to topic {noted}, not to {topic}; give each topic its own --checkpoint",
        .path.display()
    )]
    OtherTopic { path: PathBuf, noted: String, topic: String },
    #[error(
        "topic {topic} is not the one that checkpoint {} was written for: offset {offset} of partition {partition} \
         holds another record, so it was made anew, or cut; remove the checkpoint to begin anew",
        .path.display()
    )]
    TopicMadeAnew { path: PathBuf, topic: String, partition: i32, offset: i64 },
}

impl From<CheckpointError> for Failure {
    fn from(error: CheckpointError) -> Failure {
        match error {
            CheckpointError::Read { .. } => Failure::no_input(error.into()),
            CheckpointError::Write { .. } | CheckpointError::InUse { .. } => Failure::fault(error),
            _ => Failure::data(error),
        }
    }
}

/// The first line of the file.
#[derive(Serialize, Deserialize)]
struct Head {
    /// [`MARK`].
    tributary: String,
    /// [`VERSION`].
    version: u32,
    /// Of the second line, without its line break.
    bytes: u64,
    /// Of the same, hexadecimal.
    sha256: String,
}

/// What was noted: a state, and the positions up to which all records are in it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Noted<S> {
    /// The topic that the positions are of.
    pub(crate) topic: String,
    /// By partition; one that nothing was read from is not there.
    pub(crate) positions: BTreeMap<i32, Position>,
    /// How many records were skipped because they are no exchanges.
    pub(crate) skipped: u64,
    /// What was learnt.
    pub(crate) state: S,
}

/// How far a partition was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Offset behind the last record that was read.
    pub(crate) next: i64,
    /// That record's [`fingerprint`]: a topic of the same name that was made anew holds another one there.
    pub(crate) last: String,
}

/// A digest of the record; of two records no two are the same.
pub(crate) fn fingerprint(record: &Delivered) -> String {
    let mut digest = Sha256::new();
    digest.update(record.timestamp_millis.unwrap_or(-1).to_be_bytes());
    let key = record.key.as_deref().unwrap_or_default();
    digest.update(u64::try_from(key.len()).unwrap_or(u64::MAX).to_be_bytes());
    digest.update(key);
    digest.update(&record.value);
    let mut text = hexadecimal(&digest.finalize());
    text.truncate(FINGERPRINT_DIGITS);
    text
}

/// A checkpoint that this program alone reads and writes.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    path: PathBuf,
    /// Held until the program ends, however it ends. A file of its own, for the checkpoint is a new one each time.
    _lock: File,
}

impl Checkpoint {
    /// Takes possession of it; the file need not be there yet.
    ///
    /// # Errors
    /// [`CheckpointError::InUse`], or the folder cannot be written to.
    pub(crate) fn open(path: &Path) -> Result<Checkpoint, CheckpointError> {
        let path = path.to_owned();
        let lock = beside(&path, ".lock").and_then(|lock| File::options().create(true).append(true).open(lock));
        let lock = match lock {
            Ok(lock) => lock,
            Err(source) => return Err(CheckpointError::Write { path, source }),
        };
        match lock.try_lock() {
            Ok(()) => Ok(Checkpoint { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(CheckpointError::InUse { path }),
            Err(TryLockError::Error(source)) => Err(CheckpointError::Write { path, source }),
        }
    }

    /// What was noted last; `None` if nothing ever was.
    ///
    /// # Errors
    /// The file cannot be read, is no checkpoint, is damaged, or belongs to another version or topic.
    pub(crate) fn load<S: DeserializeOwned>(&self, topic: &str) -> Result<Option<Noted<S>>, CheckpointError> {
        let path = || self.path.clone();
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(CheckpointError::Read { path: path(), source }),
        };
        let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
        let head = lines.next().and_then(|line| serde_json::from_slice::<Head>(line).ok());
        let Some(head) = head.filter(|head| head.tributary == MARK) else {
            return Err(CheckpointError::Foreign { path: path() });
        };
        if head.version != VERSION {
            return Err(CheckpointError::Version { path: path(), version: head.version });
        }
        let damaged = |what: String| CheckpointError::Damaged { path: path(), what };
        let rest = lines.next().unwrap_or_default();
        let state = rest.strip_suffix(b"\n").unwrap_or(rest);
        if state.len() as u64 != head.bytes {
            return Err(damaged(format!("{} bytes instead of {}", state.len(), head.bytes)));
        }
        if hexadecimal(&Sha256::digest(state)) != head.sha256 {
            return Err(damaged("its checksum is another one".to_owned()));
        }
        let noted: Noted<S> = serde_json::from_slice(state).map_err(|error| damaged(error.to_string()))?;
        if noted.topic != topic {
            let (noted, topic) = (noted.topic, topic.to_owned());
            return Err(CheckpointError::OtherTopic { path: path(), noted, topic });
        }
        Ok(Some(noted))
    }

    /// Replaces what was noted. When this returns it is on disk.
    ///
    /// # Errors
    /// [`CheckpointError::Write`]: what was noted before is still there.
    pub(crate) fn save<S: Serialize>(&self, noted: &Noted<S>) -> Result<(), CheckpointError> {
        let write = || {
            let state = serde_json::to_vec(noted)?;
            let (bytes, sha256) = (state.len() as u64, hexadecimal(&Sha256::digest(&state)));
            let head = Head { tributary: MARK.to_owned(), version: VERSION, bytes, sha256 };
            let mut file = serde_json::to_vec(&head)?;
            file.reserve_exact(state.len() + 2);
            file.push(b'\n');
            file.extend_from_slice(&state);
            file.push(b'\n');
            replace(&self.path, &file)
        };
        write().map_err(|source| CheckpointError::Write { path: self.path.clone(), source })
    }

    /// The error of a topic that holds another record at `offset` than the one that was read there.
    pub(crate) fn topic_made_anew(&self, topic: &str, partition: i32, offset: i64) -> CheckpointError {
        CheckpointError::TopicMadeAnew { path: self.path.clone(), topic: topic.to_owned(), partition, offset }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing into a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests;
