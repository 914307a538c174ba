//! Taking stock of a folder at the start: what is there, what of it waits, what is damaged or foreign.
//!
//! Only the newest segment is read whole (where it ends stands nowhere else); of the others the beginning is enough.
//! So the start takes no longer when more waits.

use std::{collections::VecDeque, ops::Range, time::SystemTime};

use super::{
    directory::{Directory, SegmentPaths, SpoolError},
    frame::count,
    mark::{Found, Mark},
    salvage::Salvage,
    segment::PAGE_BYTES,
    state::{Sealed, State, Trust},
};

/// Bytes that the log of a segment without items has at most: its head, and one page that was never committed.
const EMPTY_LOG_BYTES: u64 = 32 + 24 + PAGE_BYTES as u64;

/// Number of the first item of a new spool.
const FIRST: u64 = 1;

/// Takes stock.
///
/// # Errors
/// The folder cannot be read or written.
pub(super) fn take(directory: &Directory) -> Result<State, SpoolError> {
    let stock = || -> std::io::Result<State> {
        let mark = read_mark(directory)?;
        let listing = directory.list()?;
        for name in &listing.foreign {
            tracing::warn!(name, "A file in the spool's directory is not the spool's; it is left alone.");
        }
        let mut damaged = Vec::new();
        let found = segments(directory, listing.segments, &mut damaged)?;
        let mut state = books(directory, mark, found)?;
        state.counts.foreign_files = listing.foreign.len() as u64;
        state.counts.damaged_segments = damaged.len() as u64;
        damaged.into_iter().for_each(|words| state.damaged(words));
        state.aside = directory.aside();
        // Also the proof that the folder can be written.
        state.mark().write(directory.path(), super::mark::Sync::Yes)?;
        Ok(state)
    };
    let state = stock().map_err(directory.failed("take stock of"))?;
    let (waiting, bytes) = (state.waiting(), state.bytes());
    if waiting > 0 {
        tracing::info!(waiting, bytes, segments = state.sealed.len(), "The spool holds what Kafka has yet to get.");
    }
    Ok(state)
}

fn read_mark(directory: &Directory) -> std::io::Result<Option<Mark>> {
    match Mark::read(directory.path())? {
        Found::Good(mark) => Ok(Some(mark)),
        Found::Nothing => Ok(None),
        Found::Damaged => {
            tracing::warn!("The spool's mark is damaged: what was replayed already may be replayed again.");
            directory.set_file_aside(&directory.path().join(super::mark::NAME))?;
            Ok(None)
        }
    }
}

/// The segments that hold something, with the numbers that they may hold; all others are removed or set aside.
fn segments(directory: &Directory, firsts: Vec<u64>, damaged: &mut Vec<String>) -> std::io::Result<Vec<Range<u64>>> {
    let mut found: Vec<Range<u64>> = Vec::new();
    // From the newest to the oldest: each ends where the next one begins.
    for first in firsts.into_iter().rev() {
        let paths = directory.segment(first);
        directory.clear_others(&paths)?;
        let end = match found.last() {
            Some(next) if Salvage::has_any(&paths, &(first..next.start))? => Some(next.start),
            Some(_) => None,
            None => Salvage::search(&paths, &(first..u64::MAX))?.end(),
        };
        match end {
            Some(end) => found.push(first..end),
            None if is_empty(&paths) => paths.remove()?,
            None => {
                damaged.push(format!("segment {first}: nothing in it is intact, it was set aside"));
                tracing::error!(segment = first, "Nothing in a segment of the spool is intact, it is set aside.");
                directory.set_aside(&paths)?;
            }
        }
    }
    found.reverse();
    Ok(found)
}

/// Whether it was begun and nothing ever committed to it.
fn is_empty(paths: &SegmentPaths) -> bool {
    let len = |path| std::fs::metadata(path).map_or(0, |file| file.len());
    len(&paths.log) <= EMPTY_LOG_BYTES && len(&paths.database) <= 2 * PAGE_BYTES as u64
}

fn books(directory: &Directory, mark: Option<Mark>, found: Vec<Range<u64>>) -> std::io::Result<State> {
    let end = found.last().map_or(FIRST, |last| last.end);
    let filled_below = mark.map_or(end, |mark| mark.filled_below.max(end));
    let oldest = found.first().map_or(filled_below, |first| first.start);
    let settled_below = mark.map_or(oldest, |mark| mark.settled_below);
    let mut state = State::new(Mark { settled_below, filled_below });
    state.counts.recovered = count(&(settled_below..filled_below));
    let mut sealed = VecDeque::new();
    for range in found {
        let paths = directory.segment(range.start);
        if range.end <= settled_below {
            // The process ended between the mark and the deletion.
            paths.remove()?;
            continue;
        }
        if state.oldest.is_none() {
            state.oldest = Some(paths.begun().unwrap_or_else(SystemTime::now));
        }
        sealed.push_back(Sealed { bytes: paths.bytes(), range, trust: Trust::Good });
    }
    state.sealed = sealed;
    Ok(state)
}
