//! The folder of a spool: one process at a time, and which file in it is what.
//!
//! ```text
//! lock                             held by the process that uses the folder
//! progress                         see `mark`
//! 00000000000000000001.spool       a segment, named by the number of its first item: the database …
//! 00000000000000000001.spool-wal   … and its log, where the items are
//! aside/                           what was damaged, kept for a person to look at
//! ```
//! Anything else is not ours: it is named and left alone.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use thiserror::Error;

use super::mark;

const LOCK: &str = "lock";
const ASIDE: &str = "aside";
const EXTENSION: &str = "spool";

/// What SQLite puts beside a database, after its name.
const LOG_SUFFIX: &str = "-wal";
const OTHER_SUFFIXES: [&str; 2] = ["-journal", "-shm"];

/// Why a folder cannot be used.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// It cannot be made, read or repaired.
    #[error("{action} {path}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is a file.
    #[error("{path} is no directory", path = .0.display())]
    NotADirectory(PathBuf),
    /// Nothing can be written there: a read-only file system, or a missing right.
    #[error("{path} must be writable", path = path.display())]
    NotWritable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process uses it. Give each collector a folder of its own.
    #[error("{path} is in use by another process; each collector needs a directory of its own", path = .0.display())]
    InUse(PathBuf),
}

impl SpoolError {
    /// Whether the settings have to change before another try makes sense.
    pub(crate) fn is_of_settings(&self) -> bool {
        matches!(self, SpoolError::NotADirectory(_) | SpoolError::NotWritable { .. })
    }

    fn of(action: &'static str, path: &Path, source: io::Error) -> SpoolError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                SpoolError::NotWritable { path, source }
            }
            io::ErrorKind::NotADirectory => SpoolError::NotADirectory(path),
            _ => SpoolError::Io { action, path, source },
        }
    }
}

/// The files of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentPaths {
    pub(super) database: PathBuf,
    pub(super) log: PathBuf,
}

impl SegmentPaths {
    fn others(&self) -> impl Iterator<Item = PathBuf> + '_ {
        OTHER_SUFFIXES.iter().map(|suffix| with_suffix(&self.database, suffix))
    }

    /// Bytes of its files.
    pub(super) fn bytes(&self) -> u64 {
        [&self.database, &self.log].iter().filter_map(|path| fs::metadata(path).ok()).map(|file| file.len()).sum()
    }

    /// When it was begun: its database is not touched after that.
    pub(super) fn begun(&self) -> Option<SystemTime> {
        fs::metadata(&self.database).or_else(|_| fs::metadata(&self.log)).ok()?.modified().ok()
    }

    /// Deletes it.
    ///
    /// # Errors
    /// Those of the disk; files that are gone are none.
    pub(super) fn remove(&self) -> io::Result<()> {
        for path in self.others().chain([self.log.clone(), self.database.clone()]) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A folder that is ours alone while this value lives.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// The lock is let go of when the file is closed.
    _lock: File,
}

/// What lies in a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// Numbers of the first items of all segments, in order.
    pub(super) segments: Vec<u64>,
    /// Names of files that are not ours.
    pub(super) foreign: Vec<String>,
}

/// How much was set aside in a folder, now or by processes before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Aside {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

impl Directory {
    /// Makes the folder if it is missing, readable for its owner only, and takes it.
    ///
    /// # Errors
    /// All of [`SpoolError`].
    pub(super) fn open(path: &Path) -> Result<Directory, SpoolError> {
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_dir()) {
            return Err(SpoolError::NotADirectory(path.to_owned()));
        }
        let failed = |action| move |source| SpoolError::of(action, path, source);
        make(path).map_err(failed("make"))?;
        let mut options = OpenOptions::new();
        let lock = options.write(true).create(true).truncate(false).mode(0o600).open(path.join(LOCK));
        let lock = lock.map_err(failed("write in"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SpoolError::InUse(path.to_owned())),
            // A file system without locks: then two collectors in one folder cannot be told apart.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(failed("lock")(error)),
        }
        Ok(Directory { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// An error of this folder.
    pub(super) fn failed(&self, action: &'static str) -> impl FnOnce(io::Error) -> SpoolError + '_ {
        move |source| SpoolError::of(action, &self.path, source)
    }

    /// The files of the segment that begins with this number.
    pub(super) fn segment(&self, first: u64) -> SegmentPaths {
        let database = self.path.join(format!("{first:020}.{EXTENSION}"));
        SegmentPaths { log: with_suffix(&database, LOG_SUFFIX), database }
    }

    /// Looks what is there.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(super) fn list(&self) -> io::Result<Listing> {
        let mut listing = Listing::default();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_file = entry.file_type()?.is_file();
            match segment_of(&name) {
                Some(first) if is_file => listing.segments.push(first),
                _ if name == LOCK || name == mark::NAME || name.starts_with(mark::NAME) => {}
                // `lost+found`, `aside`: folders are nobody's business.
                _ if !is_file => {}
                _ => listing.foreign.push(name),
            }
        }
        listing.segments.sort_unstable();
        listing.segments.dedup();
        listing.foreign.sort_unstable();
        Ok(listing)
    }

    /// Makes new and deleted names durable.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// What was set aside.
    pub(super) fn aside(&self) -> Aside {
        let files = fs::read_dir(self.path.join(ASIDE)).into_iter().flatten().flatten();
        files
            .filter_map(|entry| entry.metadata().ok())
            .fold(Aside::default(), |sum, file| Aside { files: sum.files + 1, bytes: sum.bytes + file.len() })
    }

    /// Takes what SQLite may have left beside a segment, and would act upon, out of its way.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn clear_others(&self, paths: &SegmentPaths) -> io::Result<()> {
        for path in paths.others().filter(|path| path.exists()) {
            self.set_file_aside(&path)?;
        }
        Ok(())
    }

    /// Moves the files of a segment into `aside/`; its name there, and nothing if it is gone.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn set_aside(&self, paths: &SegmentPaths) -> io::Result<()> {
        for path in paths.others().chain([paths.log.clone(), paths.database.clone()]) {
            if path.exists() {
                self.set_file_aside(&path)?;
            }
        }
        self.sync()
    }

    /// Moves a file into `aside/`, under a name that is free there.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn set_file_aside(&self, path: &Path) -> io::Result<()> {
        let aside = self.path.join(ASIDE);
        make(&aside)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let free = (0..u32::MAX)
            .map(|count| aside.join(if count == 0 { name.clone() } else { format!("{name}.{count}") }))
            .find(|path| !path.exists());
        fs::rename(path, free.unwrap_or_else(|| aside.join(&name)))
    }

    /// Adds a line to a file in `aside/`, durably.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn keep_line_aside(&self, name: &str, line: &[u8]) -> io::Result<()> {
        use std::io::Write as _;
        let aside = self.path.join(ASIDE);
        make(&aside)?;
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(aside.join(name))?;
        file.write_all(&[line, b"\n"].concat())?;
        file.sync_all()?;
        File::open(&aside)?.sync_all()
    }
}

fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The number in the name of a segment's file, or of what SQLite puts beside it.
fn segment_of(name: &str) -> Option<u64> {
    let suffixes = OTHER_SUFFIXES.iter().chain([&LOG_SUFFIX]);
    let name = suffixes.fold(name, |name, suffix| name.strip_suffix(suffix).unwrap_or(name));
    let digits = name.strip_suffix(EXTENSION)?.strip_suffix('.')?;
    let fits = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fits { digits.parse().ok().filter(|first| *first > 0) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let one = directory.segment(1);
        for path in [&one.database, &one.log, &directory.segment(70).log] {
            fs::write(path, "").unwrap();
        }
        for name in ["notes.txt", "7.spool", "0000000000000000000x.spool", "progress.new"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("lost+found")).unwrap();

        let listing = directory.list().unwrap();

        assert_eq!(listing.segments, [1, 70]);
        assert_eq!(listing.foreign, ["0000000000000000000x.spool", "7.spool", "notes.txt"]);
    }

    #[test]
    fn a_folder_has_one_user_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Directory::open(folder.path()).unwrap();

        assert!(matches!(Directory::open(folder.path()), Err(SpoolError::InUse(_))));
        drop(first);
        assert!(Directory::open(folder.path()).is_ok());
    }

    #[test]
    fn a_file_is_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();

        assert!(matches!(Directory::open(&path), Err(SpoolError::NotADirectory(_))));
        assert!(matches!(Directory::open(&path.join("below")), Err(SpoolError::NotADirectory(_))));
    }

    #[test]
    fn what_is_set_aside_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let paths = directory.segment(1);
        for text in ["one", "other"] {
            fs::write(&paths.database, text).unwrap();

            directory.set_aside(&paths).unwrap();
        }

        assert_eq!(directory.aside(), Aside { files: 2, bytes: 8 });
        assert_eq!(directory.list().unwrap(), Listing::default());
    }
}
