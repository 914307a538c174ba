//! A folder for the files of one run: logs, configurations, the data of a broker.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::{Log, guard};

/// Set to anything, the folders stay when the run ends, for a look at the logs.
const KEEP: &str = "TRIBUTARY_KEEP";

tokio::task_local! {
    /// Where the folders of the running work go, if somebody keeps them.
    static KEEPER: Option<PathBuf>;
}

/// Runs `work` with its scratch folders under `root`, where they stay when they are dropped: whoever keeps them decides
/// what becomes of them. Does not reach into tasks that the work spawns.
pub async fn keep_under<T>(root: &Path, work: impl Future<Output = T>) -> T {
    KEEPER.scope(Some(root.to_owned()), work).await
}

/// Runs `work` as if nobody kept its folders: for what others will use too.
pub async fn keep_nothing<T>(work: impl Future<Output = T>) -> T {
    KEEPER.scope(None, work).await
}

/// A temporary folder, removed when this is dropped, or by the guard if the process dies before that.
///
/// With the environment variable `TRIBUTARY_KEEP` it stays, and so it does under [`keep_under`].
#[derive(Debug)]
pub struct Scratch {
    folder: Folder,
}

#[derive(Debug)]
enum Folder {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Scratch {
    /// A new folder in the system's temporary folder, `tributary-<name>-…`.
    ///
    /// # Errors
    /// The folder cannot be made or not be put under guard.
    pub fn new(name: &str) -> Result<Scratch> {
        if let Ok(Some(root)) = KEEPER.try_with(Clone::clone) {
            let folder = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(root);
            return Ok(Scratch { folder: Folder::Kept(folder.context("make a folder to keep")?.keep()) });
        }
        let folder = tempfile::Builder::new().prefix(&format!("tributary-{name}-")).tempdir();
        let folder = folder.context("make a temporary folder")?;
        if std::env::var_os(KEEP).is_some() {
            return Ok(Scratch { folder: Folder::Kept(folder.keep()) });
        }
        guard::watch_folder(folder.path())?;
        Ok(Scratch { folder: Folder::Temporary(folder) })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        match &self.folder {
            Folder::Temporary(folder) => folder.path(),
            Folder::Kept(path) => path,
        }
    }

    /// A path in it.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// The log `<name>.log` in it.
    pub fn log(&self, name: &str) -> Log {
        Log::at(self.file(format!("{name}.log")))
    }
}
