//! The output of a part: a file that can be read while the part writes it.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::Result;

/// The file that holds what a part wrote to its standard output and error, across its restarts.
#[derive(Clone, Debug)]
pub struct Log {
    path: PathBuf,
}

impl Log {
    /// The log at `path`; the file is made by the first launch.
    pub fn at(path: impl Into<PathBuf>) -> Log {
        Log { path: path.into() }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All of it as of now; what is not UTF-8 is replaced, a missing file is empty.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.path).unwrap_or_default()).into_owned()
    }

    /// Its last `lines` lines.
    pub fn tail(&self, lines: usize) -> String {
        let text = self.text();
        let all: Vec<&str> = text.lines().collect();
        all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
    }

    /// Whether a line holds `words`.
    pub fn has(&self, words: &str) -> bool {
        self.text().contains(words)
    }

    /// The lines that hold `words`.
    pub fn lines_with(&self, words: &str) -> Vec<String> {
        self.text().lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
    }

    pub(super) fn appender(&self) -> Result<File> {
        super::append_to(&self.path)
    }
}
