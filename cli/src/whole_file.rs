//! Files that are replaced whole: whoever reads one sees the old content or the new one, never a part, also after a
//! crash of this program or of the machine.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Replaces the content of the file, or makes it: written beside it, synced, renamed over it, the folder synced.
///
/// Its permissions stay; a link stays a link to the file that is replaced. Two programs that replace the same file at
/// the same time do not mix their contents: one of them fails.
///
/// # Errors
/// Those of the file system; the old content is still there then, unless only the folder could not be synced.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Not there yet: then there is nothing to resolve.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&target).is_ok_and(|facts| !facts.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let beside = beside(&target, ".new")?;
    // Left behind by a program that was killed.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = write(&beside, &target, bytes);
    if written.is_err() {
        // It helps nobody any more; that it stays is no further harm.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write(beside: &Path, target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(beside)?;
    if let Ok(facts) = fs::metadata(target) {
        file.set_permissions(facts.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(beside, target)?;
    File::open(folder_of(target))?.sync_all()
}

/// The folder that the file lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A hidden name in the same folder: `.openapi.json.new`.
///
/// # Errors
/// The path names no file.
pub(crate) fn beside(path: &Path, ending: &str) -> io::Result<PathBuf> {
    let no_name = || io::Error::new(io::ErrorKind::InvalidInput, "the path ends in no file name");
    let mut name = OsString::from(".");
    name.push(path.file_name().ok_or_else(no_name)?);
    name.push(ending);
    Ok(path.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn file_is_made_and_replaced_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");

        replace(&path, b"first").unwrap();
        replace(&path, b"second").unwrap();

        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names(folder.path()), ["a.json"]);
    }

    #[test]
    fn what_a_killed_program_left_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(folder.path().join(".a.json.new"), "half a docu").unwrap();

        replace(&path, b"whole").unwrap();

        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["a.json"]);
    }

    #[test]
    fn link_and_permissions_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a.json"), folder.path().join("link.json"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("a.json", &link).unwrap();

        replace(&link, b"new").unwrap();

        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();

        assert!(replace(folder.path(), b"x").is_err());
        assert!(replace(&folder.path().join("missing/a.json"), b"x").is_err());
        assert!(names(folder.path()).is_empty());
    }
}
