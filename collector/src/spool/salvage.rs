//! What is intact in the bare bytes of a segment, whatever SQLite thinks of it.
//!
//! Every frame lies in one piece in a page of the log or of the database and proves itself, so the files are searched
//! for frames. The log holds a page again each time it was added to: the same frame is found more than once.

use std::{collections::BTreeMap, fs::File, io, ops::Range, os::unix::fs::FileExt as _, path::Path};

use memchr::memmem;
use rustix::fs::{Advice, fadvise};

use super::{
    directory::SegmentPaths,
    frame::{self, Assembled, Assembly, Item},
};

/// Bytes that are read at a time; so many are lost around a place that the disk cannot read.
const BLOCK_BYTES: usize = 64 * 1024;

/// Bytes that are enough to find the first frame of a sound segment.
const BEGINNING_BYTES: u64 = 256 * 1024;

/// The intact items of a segment.
#[derive(Debug, Default)]
pub(super) struct Salvage {
    files: Vec<Vec<u8>>,
    /// Number and part of an item, to the file and the place in it.
    places: BTreeMap<(u64, u32), (usize, usize)>,
}

impl Salvage {
    /// Searches the files of a segment for items with numbers in `range`.
    ///
    /// # Errors
    /// A file is there and cannot be opened: try again later. What cannot be read of it is no error but damage.
    pub(super) fn search(paths: &SegmentPaths, range: &Range<u64>) -> io::Result<Salvage> {
        let mut salvage = Salvage::default();
        // The log first: it is where the items are.
        for path in [&paths.log, &paths.database] {
            salvage.add(read(path, u64::MAX)?, range);
        }
        Ok(salvage)
    }

    /// As [`search`](Self::search), but content with the beginning of the files if an item is there.
    ///
    /// # Errors
    /// As there.
    pub(super) fn has_any(paths: &SegmentPaths, range: &Range<u64>) -> io::Result<bool> {
        for most in [BEGINNING_BYTES, u64::MAX] {
            let mut salvage = Salvage::default();
            for path in [&paths.log, &paths.database] {
                salvage.add(read(path, most)?, range);
            }
            if !salvage.places.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The number after the last item that is whole; `None` if none is.
    pub(super) fn end(&self) -> Option<u64> {
        let mut numbers: Vec<u64> = self.places.keys().map(|(seq, _)| *seq).collect();
        numbers.dedup();
        numbers.into_iter().rev().find(|seq| self.item(*seq).is_some()).map(|seq| seq + 1)
    }

    /// The items from number `from` on, in order; those that are not whole are left out.
    pub(super) fn items(&self, from: u64) -> impl Iterator<Item = Item> + '_ {
        let mut next = Some(from);
        std::iter::from_fn(move || {
            loop {
                let ((seq, _), _) = self.places.range((next?, 0)..).next()?;
                next = seq.checked_add(1);
                if let Some(item) = self.item(*seq) {
                    return Some(item);
                }
            }
        })
    }

    fn item(&self, seq: u64) -> Option<Item> {
        let mut assembly = Assembly::default();
        for (_, (file, place)) in self.places.range((seq, 0)..=(seq, u32::MAX)) {
            let frame = frame::read(self.files.get(*file)?.get(*place..)?)?;
            match assembly.add(&frame) {
                Assembled::Whole(item) => return Some(item),
                Assembled::Begun => {}
                Assembled::Broken => return None,
            }
        }
        None
    }

    fn add(&mut self, bytes: Vec<u8>, range: &Range<u64>) {
        let file = self.files.len();
        for place in memmem::find_iter(&bytes, &frame::MAGIC) {
            if let Some(frame) = bytes.get(place..).and_then(frame::read)
                && range.contains(&frame.seq)
            {
                self.places.entry((frame.seq, frame.part)).or_insert((file, place));
            }
        }
        self.files.push(bytes);
    }
}

/// Makes the system forget what it holds of a file, so that the next read comes from the disk.
pub(super) fn forget_cached(paths: &SegmentPaths) {
    for path in [&paths.log, &paths.database] {
        if let Ok(file) = File::open(path) {
            // Where it is not supported the cache is read: no worse than not asking.
            let _ = fadvise(&file, 0, None, Advice::DontNeed);
        }
    }
}

/// The first `most` bytes of a file; a file that is gone is empty, and what the disk cannot read is zeroes.
fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let len = usize::try_from(file.metadata()?.len().min(most)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; len];
    let mut place = 0;
    while place < len {
        let end = (place + BLOCK_BYTES).min(len);
        let Some(block) = bytes.get_mut(place..end) else { break };
        if let Err(error) = file.read_exact_at(block, place as u64) {
            block.fill(0);
            tracing::warn!(%error, at = place, file = %path.display(), "A piece of a spool file cannot be read.");
        }
        place = end;
    }
    Ok(bytes)
}
