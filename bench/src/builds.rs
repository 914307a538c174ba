//! Builds of ours that are compared with each other, by the names of their files.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

/// The builds given with `option`, each under the name of its file; one whose name is that of `baseline` or of one before it
/// is told apart by its number. Paths are absolute: who is told one may be started elsewhere.
///
/// # Errors
/// One is no file.
pub(crate) fn named(option: &str, files: &[PathBuf], baseline: &str) -> Result<Vec<(String, PathBuf)>> {
    let mut builds: Vec<(String, PathBuf)> = Vec::new();
    for (file, number) in files.iter().zip(1..) {
        let path = file.canonicalize().with_context(|| format!("{option} {}", file.display()))?;
        ensure!(path.is_file(), "{option} {}: this is no file", file.display());
        let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let is_taken = stem == baseline || builds.iter().any(|(known, _)| *known == stem);
        builds.push((if is_taken { format!("{stem} ({number})") } else { stem }, path));
    }
    Ok(builds)
}
