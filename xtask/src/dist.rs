//! `cargo xtask dist`: what is shipped, in `target/dist/`. The names of the files are a promise.
//!
//! Two builds of the same commit with the same tools give the same bytes, wherever the clone lies: paths of the
//! machine are replaced in all that the compilers write, and a file that has one all the same is refused.

mod again;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use xtask::parts;

use crate::build::{self, cargo};
use crate::process;
use crate::supply::bill;

/// Cargo's name of each file and the one it ships under.
const PROGRAMS: [&str; 3] = ["tributary", "tributary-collector", "users"];
const FILTER: &str = "tributary-filter.wasm";
/// Where a build leaves the filter in its target folder.
const FILTER_BUILT: &str = "wasm32-wasip1/wasm/tributary_filter.wasm";

/// Builds everything that is shipped and writes `target/dist/` anew.
///
/// # Errors
/// The build fails, or a file names a place on this machine.
pub(crate) fn dist() -> Result<()> {
    build::check_tools()?;
    // A folder of its own: other flags than the everyday build, which would otherwise be rebuilt in turn.
    let target = parts::target_dir().join("dist-build");
    let places = places(&parts::workspace_root(), &target)?;
    build::run(vec![wasm_build(&target, &places), program_build(&target, &places)])?;

    let folder = parts::target_dir().join("dist");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let wasm = target.join(FILTER_BUILT);
    again::same_again(&fs::read(&wasm).with_context(|| format!("read {}", wasm.display()))?)?;
    let host = process::output(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let mut files = vec![(FILTER, "tributary-filter", "wasm32-wasip1", wasm)];
    let package = |name| if name == "tributary" { "tributary-cli" } else { name };
    files.extend(PROGRAMS.map(|name| (name, package(name), host.trim(), target.join("release").join(name))));
    let mut sums = String::new();
    for (name, package, platform, built) in files {
        let bytes = fs::read(&built).with_context(|| format!("read {}", built.display()))?;
        let sum = hex(&Sha256::digest(&bytes));
        let bill = bill::of(name, package, platform, &sum)?;
        let bill_name = format!("{name}.cdx.json");
        refuse_places(name, &bytes, &places)?;
        refuse_places(&bill_name, &bill, &places)?;
        fs::copy(&built, folder.join(name)).with_context(|| format!("copy {name} to {}", folder.display()))?;
        fs::write(folder.join(&bill_name), &bill).with_context(|| format!("write {bill_name}"))?;
        sums.push_str(&format!("{sum}  {name}\n{}  {bill_name}\n", hex(&Sha256::digest(&bill))));
        println!("{:>10} bytes  {name}", bytes.len());
    }
    fs::write(folder.join("SHA256SUMS"), &sums).context("write SHA256SUMS")?;
    println!("{}", folder.display());
    Ok(())
}

/// Folders of this machine, with what stands for each in the files we ship. Longer ones last: the last match counts.
fn places(root: &Path, target: &Path) -> Result<Vec<(PathBuf, &'static str)>> {
    let home = env::var_os("HOME").map(PathBuf::from).context("HOME is not set")?;
    let cargo_home = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let sysroot = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    Ok(vec![
        (home, "/home"),
        (PathBuf::from(sysroot.trim()), "/rust"),
        (cargo_home, "/cargo"),
        (root.to_path_buf(), "/tributary"),
        (target.to_path_buf(), "/build"),
    ])
}

fn wasm_build(target: &Path, places: &[(PathBuf, &str)]) -> Command {
    with_flags(build::filter(), "target.wasm32-wasip1.rustflags", target, places)
}

fn program_build(target: &Path, places: &[(PathBuf, &str)]) -> Command {
    let mut build = cargo(&["build", "--release", "--package", "tributary-collector"]);
    build.args(["--package", "tributary-cli", "--package", "users"]);
    // librdkafka and zstd are C: gcc and clang have the same flag under another name.
    let map = |(path, name): &(PathBuf, &str)| format!("-ffile-prefix-map={}={name}", path.display());
    let c_flags = places.iter().map(map).collect::<Vec<_>>().join(" ");
    build.env("CFLAGS", &c_flags).env("CXXFLAGS", &c_flags);
    with_flags(build, "build.rustflags", target, places)
}

fn with_flags(mut build: Command, key: &str, target: &Path, places: &[(PathBuf, &str)]) -> Command {
    let flag = |(path, name): &(PathBuf, &str)| format!("'--remap-path-prefix={}={name}'", path.display());
    let flags = places.iter().map(flag).collect::<Vec<_>>().join(", ");
    let mut target_dir = OsString::from("--target-dir=");
    target_dir.push(target);
    // RUSTFLAGS of the environment would replace ours, and with them the bound of the filter's memory.
    build.arg("--locked").arg(target_dir).arg("--config").arg(format!("{key}=[{flags}]"));
    build.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    build
}

fn refuse_places(name: &str, bytes: &[u8], places: &[(PathBuf, &str)]) -> Result<()> {
    for (place, _) in places {
        let mut with_slash = place.as_os_str().as_bytes().to_vec();
        with_slash.push(b'/');
        if let Some(at) = bytes.windows(with_slash.len()).position(|window| window == with_slash) {
            let text = bytes.get(at..bytes.len().min(at + 120)).unwrap_or_default();
            let text = text.split(|byte| !(0x20..0x7f).contains(byte)).next().unwrap_or_default();
            bail!("{name} names a place on this machine: {}", String::from_utf8_lossy(text));
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_with_a_place_of_the_machine_is_refused() {
        let places = [(PathBuf::from("/srv/clone"), "/tributary")];

        let refused = refuse_places("users", b"\0panic at /srv/clone/users/src/main.rs\0", &places);

        let message = "users names a place on this machine: /srv/clone/users/src/main.rs";
        assert_eq!(refused.unwrap_err().to_string(), message);
        assert!(refuse_places("users", b"/srv/clone-2 /tributary/users", &places).is_ok());
    }

    #[test]
    fn sum_is_written_in_hexadecimal() {
        assert_eq!(hex(&[0, 10, 255]), "000aff");
    }
}
