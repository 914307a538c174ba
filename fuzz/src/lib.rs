//! Seeds of hostile input and the ways to spoil them, for the fuzz targets of the other crates.
//!
//! A target is a property test: it takes what [`bytes()`] or [`json()`] make of the seeds and says what must hold. The
//! usual test run plays each with a fixed seed; `cargo xtask fuzz` plays them with new ones for as long as it is told.
//! Bytes that are drawn blindly rarely pass the first check of a reader; these start from input that is read.
//!
//! The seeds are files in `fuzz/seeds/FOLDER`: good input, odd input, and what once broke something.

mod bytes;
mod json;

use std::{fs, io, path::Path};

pub use bytes::bytes;
pub use json::json;

/// The files of a folder of `fuzz/seeds`, in the order of their names.
///
/// # Errors
/// There is no such folder, it is empty, or a file cannot be read.
pub fn seeds(folder: &str) -> io::Result<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(folder);
    let mut paths = fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    if paths.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("no seed in {}", folder.display())));
    }
    paths.iter().map(fs::read).collect()
}
