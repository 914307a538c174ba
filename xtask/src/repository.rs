//! The files of the repository as the checks see them: what git tracks or would track, nothing that is ignored.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use xtask::parts;

use crate::process;

/// One text file of the repository.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    /// Its path from the root of the repository, with `/`.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
}

/// The paths of all files, from the root of the repository, sorted.
///
/// # Errors
/// git is missing or this is not a clone: the checks are for those who commit.
pub(crate) fn paths() -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).current_dir(parts::workspace_root());
    let listed = process::output(&mut git).context("list the files of the repository, which has to be a git clone")?;
    let mut paths = listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from).collect::<Vec<_>>();
    // Tracked, but deleted and not committed yet.
    paths.retain(|path| parts::workspace_root().join(path).is_file());
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// All files that are UTF-8 without NUL.
///
/// # Errors
/// As [`paths`], or a file cannot be read.
pub(crate) fn texts() -> Result<Vec<Text>> {
    let mut texts = Vec::new();
    for path in paths()? {
        let bytes =
            fs::read(parts::workspace_root().join(&path)).with_context(|| format!("read {}", path.display()))?;
        if let Ok(text) = String::from_utf8(bytes)
            && !text.contains('\0')
        {
            texts.push(Text { path: path.to_string_lossy().into_owned(), text });
        }
    }
    Ok(texts)
}

impl Text {
    /// Whether the name ends in `.` and this.
    pub(crate) fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|it| it == extension)
    }
}
