//! How far the replay is, and how far the spool was filled: a small file that is replaced as a whole.
//!
//! It is a help, not a foundation. Without it everything that is there is replayed (some of it twice), and what is
//! missing at the very end of the spool leaves no trace.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    path::Path,
};

/// The name of the file, and of the one it is made as.
pub(super) const NAME: &str = "progress";
const NEW_NAME: &str = "progress.new";

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// All items below this number are settled.
    pub(super) settled_below: u64,
    /// At least all items below this number were acknowledged.
    pub(super) filled_below: u64,
}

/// Whether a write waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sync {
    /// It does: something is deleted next.
    Yes,
    /// It does not: losing the write repeats a few items.
    No,
}

/// What was found at the start.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A good mark.
    Good(Mark),
    /// None.
    Nothing,
    /// A file that is no mark, or a damaged one.
    Damaged,
}

impl Mark {
    /// Reads the mark of a folder.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub(super) fn read(folder: &Path) -> io::Result<Found> {
        match fs::read(folder.join(NAME)) {
            Ok(bytes) => Ok(Mark::parse(&bytes).map_or(Found::Damaged, Found::Good)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Found::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Replaces the mark of a folder. On a full disk, which takes no second file, the old one is overwritten: a spool that
    /// has filled its disk must be able to empty itself.
    ///
    /// # Errors
    /// Those of the disk; the old mark is still good then, or damaged if the disk was full.
    pub(super) fn write(self, folder: &Path, sync: Sync) -> io::Result<()> {
        match self.replace(folder, sync) {
            Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                self.overwrite(folder, sync)
            }
            outcome => outcome,
        }
    }

    /// An end of the process in the middle leaves a damaged mark: everything that is there is replayed then.
    fn overwrite(self, folder: &Path, sync: Sync) -> io::Result<()> {
        let text = self.text();
        let mut file = OpenOptions::new().write(true).open(folder.join(NAME))?;
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)?;
        if sync == Sync::Yes { file.sync_all() } else { Ok(()) }
    }

    fn replace(self, folder: &Path, sync: Sync) -> io::Result<()> {
        let new = folder.join(NEW_NAME);
        let mut file = File::create(&new)?;
        file.write_all(self.text().as_bytes())?;
        if sync == Sync::Yes {
            file.sync_all()?;
        }
        fs::rename(&new, folder.join(NAME))?;
        if sync == Sync::Yes {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    fn text(self) -> String {
        let facts = self.facts();
        format!("{facts}crc32 {:08x}\n", crc32fast::hash(facts.as_bytes()))
    }

    fn facts(self) -> String {
        format!("tributary spool 1\nsettled-below {}\nfilled-below {}\n", self.settled_below, self.filled_below)
    }

    fn parse(bytes: &[u8]) -> Option<Mark> {
        let text = std::str::from_utf8(bytes).ok()?;
        let number =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        let mark = Mark { settled_below: number("settled-below")?, filled_below: number("filled-below")? };
        // Byte for byte as we would write it: whatever else it says was not written by us.
        (text == mark.text() && mark.settled_below <= mark.filled_below).then_some(mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark { settled_below: 7, filled_below: 12 };

    #[test]
    fn a_mark_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();

        assert_eq!(Mark::read(folder.path()).unwrap(), Found::Nothing);
        MARK.write(folder.path(), Sync::No).unwrap();
        assert_eq!(Mark::read(folder.path()).unwrap(), Found::Good(MARK));
        Mark { settled_below: 12, ..MARK }.write(folder.path(), Sync::Yes).unwrap();
        assert_eq!(Mark::read(folder.path()).unwrap(), Found::Good(Mark { settled_below: 12, ..MARK }));
    }

    // A spool that had filled its disk could not be replayed any more, for want of 64 bytes.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_mark_finds_room_on_a_full_disk() {
        let folder = tempfile::tempdir().unwrap();
        let longer = Mark { settled_below: 7_000, filled_below: 12_000 };
        longer.write(folder.path(), Sync::Yes).unwrap();
        std::os::unix::fs::symlink("/dev/full", folder.path().join(NEW_NAME)).unwrap();

        for sync in [Sync::No, Sync::Yes] {
            MARK.write(folder.path(), sync).unwrap();
            assert_eq!(Mark::read(folder.path()).unwrap(), Found::Good(MARK));
            longer.write(folder.path(), sync).unwrap();
            assert_eq!(Mark::read(folder.path()).unwrap(), Found::Good(longer));
        }
    }

    #[test]
    fn a_mark_with_any_bit_changed_is_none() {
        let text = MARK.text().into_bytes();

        for bit in 0..text.len() * 8 {
            let mut changed = text.clone();
            changed[bit / 8] ^= 1 << (bit % 8);

            assert_eq!(Mark::parse(&changed), None, "bit {bit}");
        }
    }

    #[test]
    fn a_mark_that_is_ahead_of_the_spool_is_none() {
        assert_eq!(Mark::parse(Mark { settled_below: 13, filled_below: 12 }.text().as_bytes()), None);
    }
}
