//! The filter built a second time, from a copy of the repository in another folder: the same bytes must come out.
//!
//! Whoever has the sources can then check that the module that runs in their Envoys was made of them.

use std::path::Path;
use std::{env, fs, process};

use anyhow::{Context, Result, ensure};
use xtask::parts;

use super::{FILTER_BUILT, places, wasm_build};
use crate::{build, repository};

/// Builds the filter again and compares it with what was built.
///
/// # Errors
/// The copy or its build fails, or the bytes differ: says where first.
pub(super) fn same_again(built: &[u8]) -> Result<()> {
    // Outside of the repository: cargo would read its configuration too, and the flags in it twice.
    let folder = env::temp_dir().join(format!("tributary-again-{}", process::id()));
    let again = build_in(&folder);
    // Whatever came of it: what is left there is nobody's.
    let _ = fs::remove_dir_all(&folder);
    compare(built, &again?)?;
    println!("the filter, built again in another folder: the same bytes");
    Ok(())
}

fn build_in(folder: &Path) -> Result<Vec<u8>> {
    let (copy, target) = (folder.join("another place"), folder.join("build"));
    for path in repository::paths()? {
        let to = copy.join(&path);
        fs::create_dir_all(to.parent().context("a file without a folder")?).context("copy the repository")?;
        fs::copy(parts::workspace_root().join(&path), &to).with_context(|| format!("copy {}", path.display()))?;
    }
    let mut command = wasm_build(&target, &places(&copy, &target)?);
    command.current_dir(&copy);
    build::run(vec![command])?;
    fs::read(target.join(FILTER_BUILT)).context("read the filter that was built again")
}

fn compare(built: &[u8], again: &[u8]) -> Result<()> {
    let same = built.iter().zip(again).take_while(|(built, again)| built == again).count();
    ensure!(
        built == again,
        "two builds of the filter differ from byte {same} on ({} and {} bytes): something of the machine is in it",
        built.len(),
        again.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_that_differ_are_told_apart() {
        assert!(compare(b"abc", b"abc").is_ok());
        let message = |again| compare(b"abc", again).unwrap_err().to_string();
        assert!(message(b"abd").starts_with("two builds of the filter differ from byte 2 on (3 and 3 bytes)"));
        assert!(message(b"abcd").starts_with("two builds of the filter differ from byte 3 on"));
    }
}
