//! The end of the file: appended to, synced, cut back, repaired.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::FileError;

/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 256 * 1024;

/// Whether bytes are a whole line of the file's format.
pub(super) type IsLine = fn(&[u8]) -> bool;

/// A file whose first [`synced`](Self::synced) bytes are whole lines on the disk.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    is_line: IsLine,
    file: File,
    synced: u64,
    /// Something may lie behind the synced bytes that must go before anything is added.
    dirty: bool,
    buffer: Vec<u8>,
}

impl Tail {
    pub(super) fn open(path: &Path, is_line: IsLine) -> Result<Tail, FileError> {
        let (file, is_new) = open(path)?;
        let io = |action| move |source| FileError::Io { action, path: path.to_owned(), source };
        if is_new {
            sync_directory(path).map_err(io("sync the directory of"))?;
        }
        let synced = repair(path, &file, is_line).map_err(io("repair the end of"))?;
        Ok(Tail { path: path.to_owned(), is_line, file, synced, dirty: false, buffer: Vec::new() })
    }

    /// Appends the lines and syncs them; all or nothing.
    pub(super) fn append<'a>(&mut self, lines: impl Iterator<Item = &'a Bytes>) -> io::Result<()> {
        self.follow()?;
        self.clean()?;
        self.dirty = true;
        let outcome = self.write(lines).and_then(|bytes| self.file.sync_data().map(|()| bytes));
        match outcome {
            Ok(bytes) => {
                self.synced += bytes;
                self.dirty = false;
                Ok(())
            }
            Err(error) => {
                self.buffer.clear();
                // If it cannot be cut now, it will be before the next line is added.
                let _ = self.clean();
                Err(error)
            }
        }
    }

    #[cfg(test)]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    #[cfg(test)]
    pub(super) fn mark_dirty(&mut self) {
        self.dirty = true;
    }

    fn write<'a>(&mut self, lines: impl Iterator<Item = &'a Bytes>) -> io::Result<u64> {
        let mut bytes = 0;
        for line in lines {
            self.buffer.extend_from_slice(line);
            self.buffer.push(b'\n');
            bytes += line.len() as u64 + 1;
            if self.buffer.len() >= WRITE_BYTES {
                self.file.write_all(&self.buffer)?;
                self.buffer.clear();
            }
        }
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(bytes)
    }

    /// Cuts off whatever was not synced.
    fn clean(&mut self) -> io::Result<()> {
        if self.dirty {
            self.file.set_len(self.synced)?;
            self.file.sync_data()?;
            self.dirty = false;
        }
        Ok(())
    }

    /// Goes on in a new file if this one was moved or removed (logrotate): what is written to a file without a name
    /// is lost in silence.
    fn follow(&mut self) -> io::Result<()> {
        let ours = self.file.metadata()?;
        let same = |named: std::fs::Metadata| (named.dev(), named.ino()) == (ours.dev(), ours.ino());
        match std::fs::metadata(&self.path).map(same) {
            Ok(true) => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(false) | Err(_) => {
                // The old one keeps its name elsewhere, perhaps: let it end cleanly.
                self.clean()?;
                *self = Tail::open(&self.path, self.is_line).map_err(io::Error::other)?;
                tracing::info!("The file was moved away, going on in a new one.");
                Ok(())
            }
        }
    }
}

/// The file, locked, and whether it is new.
fn open(path: &Path) -> Result<(File, bool), FileError> {
    let io = |action| move |source| FileError::Io { action, path: path.to_owned(), source };
    // Asked before it is opened: opening a pipe would wait for its other end.
    let is_new = match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Err(FileError::NotRegular(path.to_owned())),
        Ok(_) => false,
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(io("look at")(error)),
    };
    let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io("open"))?;
    match file.try_lock() {
        Ok(()) => Ok((file, is_new)),
        Err(TryLockError::WouldBlock) => Err(FileError::InUse(path.to_owned())),
        // A file system without locks: then two collectors on one file cannot be told apart.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok((file, is_new)),
        Err(TryLockError::Error(error)) => Err(io("lock")(error)),
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// Makes the file end with a whole line; its length then.
///
/// A last line without its end was never acknowledged. If it is a good one (written by another program, say) it gets
/// its end. If it is torn it goes to `<file>.torn`: nothing that may be worth something is thrown away.
fn repair(path: &Path, mut file: &File, is_line: IsLine) -> io::Result<u64> {
    let len = file.metadata()?.len();
    let start = last_line_start(file, len)?;
    if start == len {
        // Whole, but perhaps not synced by whoever wrote it.
        file.sync_data()?;
        return Ok(len);
    }
    let mut torn = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(len - start).read_to_end(&mut torn)?;
    let bytes = torn.len();
    if is_line(&torn) {
        file.write_all(b"\n")?;
        file.sync_data()?;
        tracing::info!(bytes, "The last line of the file had no end, it has one now.");
        return Ok(len + 1);
    }
    set_aside(path, &torn)?;
    file.set_len(start)?;
    file.sync_data()?;
    tracing::warn!(bytes, "The last line of the file was torn, it lies in the .torn file beside it now.");
    Ok(start)
}

/// Where the last line without an end begins; `len` if there is none.
fn last_line_start(mut file: &File, len: u64) -> io::Result<u64> {
    let mut end = len;
    let mut chunk = vec![0; WRITE_BYTES];
    while end > 0 {
        let count = end.min(chunk.len() as u64);
        let start = end - count;
        let piece = chunk.get_mut(..usize::try_from(count).unwrap_or(0)).unwrap_or_default();
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(piece)?;
        if let Some(place) = memchr::memrchr(b'\n', piece) {
            return Ok(start + place as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn set_aside(path: &Path, torn: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".torn");
    let beside = PathBuf::from(name);
    let mut file = OpenOptions::new().append(true).create(true).open(&beside)?;
    file.write_all(torn)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    sync_directory(&beside)
}
