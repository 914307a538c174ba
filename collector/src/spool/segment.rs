//! One bounded file of items: an SQLite database whose write-ahead log is all there ever is of it.
//!
//! A commit is one append to the log and one sync (`synchronous=FULL`); pages are never written a second time into the
//! database, because a segment is deleted as a whole as soon as it is replayed. Segments are written once: what a
//! process finds at its start it only reads.

use std::{
    fs::OpenOptions,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig, limits::Limit};
use thiserror::Error;

use super::{
    directory::SegmentPaths,
    frame::{self, Item},
};
use crate::fail_point::fail_point;

/// Bytes of a page. Each commit writes the page again that the one before it left half full. With groups of 100 lines
/// of 700 bytes, medians of 3 interleaved rounds of `benches/stores`: 4 KiB 5.5 µs CPU a line and 1.34 bytes on disk
/// for a byte, 8 KiB 4.5 and 1.42, 16 KiB 4.9 and 1.75.
pub(super) const PAGE_BYTES: usize = 8 * 1024;

/// Bytes of a segment after which the next one is begun.
pub(super) const SEGMENT_BYTES: u64 = 32 * 1024 * 1024;

/// Bytes that SQLite keeps of pages, in KiB as it wants it.
const CACHE_KIB: i64 = 4096;

/// Rows that are fetched at a time.
const ROWS: i64 = 256;

/// Why a segment cannot be written or read.
#[derive(Debug, Error)]
pub(super) enum StoreError {
    /// The file system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The store.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// SQLite does not keep a write-ahead log there.
    #[error("the store cannot begin a write-ahead log, it stays in mode {0}")]
    NoLog(String),
    /// It has not even the head of a database.
    #[error("no database")]
    NoDatabase,
}

/// A segment that is written.
pub(super) struct Segment {
    connection: Connection,
    buffer: Vec<u8>,
}

impl Segment {
    /// Makes a new one, durably.
    ///
    /// # Errors
    /// Those of the disk; what is half made is to be removed.
    pub(super) fn create(paths: &SegmentPaths) -> Result<Segment, StoreError> {
        // Made by us, so that nobody else may read it: what it holds is traffic.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&paths.database)?;
        let maker = Connection::open_with_flags(&paths.database, flags())?;
        maker.pragma_update(None, "page_size", PAGE_BYTES as i64)?;
        // It answers with the mode that it has then: on an I/O error it silently stays with the old one.
        let mode: String = maker.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        if mode != "wal" {
            return Err(StoreError::NoLog(mode));
        }
        maker.pragma_update(None, "synchronous", "full")?;
        maker.execute_batch("CREATE TABLE items (row INTEGER PRIMARY KEY, frame BLOB NOT NULL)")?;
        // Closing moves the empty table into the database. Opened anew, the log needs no shared memory beside it.
        maker.close().map_err(|(_, error)| error)?;
        Ok(Segment { connection: open(&paths.database)?, buffer: Vec::new() })
    }

    /// Appends the items, all or nothing. `Ok` means synced.
    ///
    /// # Errors
    /// Any: nothing is known of what the disk has. Go on in another segment, and read this one from the disk.
    pub(super) fn append<'a>(&mut self, items: impl Iterator<Item = &'a Item>) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO items (frame) VALUES (?1)")?;
            for item in items {
                frame::write(item, &mut self.buffer, |frame| insert.execute([frame]).map(drop))?;
            }
        }
        fail_point("spool-after-append");
        fail_point("spool-before-sync");
        transaction.commit()?;
        fail_point("spool-after-sync");
        Ok(())
    }
}

/// The frames of a segment as SQLite gives them out, in the order in which they were written.
pub(super) struct Rows {
    connection: Connection,
    last: i64,
}

impl Rows {
    /// Opens a segment that nobody writes.
    ///
    /// # Errors
    /// It is no database, or a damaged one.
    pub(super) fn open(paths: &SegmentPaths) -> Result<Rows, StoreError> {
        // SQLite deletes the log of a database that is empty, and would so throw away what can be salvaged.
        if !is_database(&paths.database) {
            return Err(StoreError::NoDatabase);
        }
        let connection = open(&paths.database)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        // A damaged length would be believed else.
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, 1024 * 1024)?;
        Ok(Rows { connection, last: 0 })
    }

    /// The next frames; none at the end, or at the end of what SQLite finds sound.
    ///
    /// # Errors
    /// SQLite has met damage.
    pub(super) fn next(&mut self) -> Result<Vec<Vec<u8>>, StoreError> {
        let text = "SELECT row, frame FROM items WHERE row > ?1 ORDER BY row LIMIT ?2";
        let mut select = self.connection.prepare_cached(text)?;
        let mut rows = select.query([self.last, ROWS])?;
        let mut frames = Vec::new();
        while let Some(row) = rows.next()? {
            self.last = row.get(0)?;
            frames.push(row.get(1)?);
        }
        Ok(frames)
    }
}

fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags())?;
    // Before anything that meets damage and closes it again: that would move what SQLite finds sound of the log into the
    // database, and delete the rest, which can be salvaged.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "locking_mode", "exclusive")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(connection)
}

fn is_database(path: &Path) -> bool {
    let head = || -> io::Result<[u8; 16]> {
        let mut head = [0; 16];
        let mut file = std::fs::File::open(path)?;
        file.read_exact(&mut head)?;
        let is_long_enough = file.metadata()?.len() >= 2 * PAGE_BYTES as u64;
        Ok(if is_long_enough { head } else { [0; 16] })
    };
    head().is_ok_and(|head| &head == b"SQLite format 3\0")
}
