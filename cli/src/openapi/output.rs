//! Where documents go: standard output, a file, or a folder with a file for each host.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use serde_json::Value;

use super::spec::Form;
use crate::{failure::Failure, whole_file::replace};

/// The name of a document in a folder that belongs to no host: the empty one.
const NAME_WITHOUT_HOST: &str = "openapi";

/// The longest name of a host that becomes a file name as it is; file systems take 255 bytes.
const MAX_NAME_BYTES: usize = 200;

/// Where documents go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// One document, as JSON.
    Stdout,
    /// One document.
    File(PathBuf, Form),
    /// One document for each host, as JSON.
    Folder(PathBuf),
}

impl Target {
    /// The target that `--out` names: a file by its ending, a folder if it is one, ends in `/` or has no ending.
    ///
    /// # Errors
    /// It is neither.
    pub(crate) fn of(out: Option<&Path>) -> Result<Target, Failure> {
        let Some(path) = out.filter(|path| path.as_os_str() != "-") else { return Ok(Target::Stdout) };
        if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Ok(Target::Folder(path.to_owned()));
        }
        match (Form::of(path), path.extension()) {
            (Some(form), _) => Ok(Target::File(path.to_owned(), form)),
            (None, None) if !path.exists() => Ok(Target::Folder(path.to_owned())),
            _ => Err(Failure::usage(anyhow!(
                "--out {}: it must be a file that ends in .json, .yaml or .yml, or a folder (end it with /)",
                path.display()
            ))),
        }
    }

    /// Whether it takes documents of several hosts.
    pub(crate) fn is_for_many(&self) -> bool {
        matches!(self, Target::Folder(_))
    }

    /// Writes the document of this host; `None`: of none. A file that holds it already is left alone.
    ///
    /// # Errors
    /// It cannot be written; a file that was there is still whole.
    pub(crate) fn put(&self, host: Option<&str>, document: &Value) -> Result<Put, Failure> {
        let (path, form) = match self {
            Target::Stdout => {
                let mut out = io::stdout().lock();
                let text = Form::Json.write(document)?;
                let written = out.write_all(&text).and_then(|()| out.flush());
                written.context("cannot write to standard output").map_err(Failure::fault)?;
                return Ok(Put { place: "standard output".to_owned(), changed: true });
            }
            Target::File(path, form) => (path.clone(), *form),
            Target::Folder(folder) => {
                let made = fs::create_dir_all(folder);
                made.with_context(|| format!("cannot make {}", folder.display())).map_err(Failure::fault)?;
                let name = host.map_or(NAME_WITHOUT_HOST.to_owned(), file_name);
                (folder.join(format!("{name}.json")), Form::Json)
            }
        };
        let text = form.write(document)?;
        let place = path.display().to_string();
        if fs::read(&path).is_ok_and(|held| held == text) {
            return Ok(Put { place, changed: false });
        }
        replace(&path, &text).with_context(|| format!("cannot write {place}")).map_err(Failure::fault)?;
        Ok(Put { place, changed: true })
    }
}

/// What became of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Put {
    /// Where it is.
    pub(crate) place: String,
    /// Whether that held something else before.
    pub(crate) changed: bool,
}

/// A name for the file of a host: no two hosts share one, and whatever a client has sent as its host, it is the name
/// of a file in this folder and nothing else.
///
/// `shop.example:8080` → `shop.example_8080`; what is neither a lower-case letter, a digit, `-` or `.` is `%` and its
/// bytes in hexadecimal; so is a `.` at the beginning. A very long name is cut and ends in a checksum.
fn file_name(host: &str) -> String {
    let mut name = String::new();
    for byte in host.bytes() {
        // Writing into a String does not fail.
        let _ = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => name.write_char(byte.into()),
            b'.' if !name.is_empty() => name.write_char('.'),
            b':' => name.write_char('_'),
            _ => write!(name, "%{byte:02X}"),
        };
    }
    match name.is_empty() {
        // What no host makes: a lone % is always followed by digits.
        true => name.push('%'),
        false if name.len() > MAX_NAME_BYTES => {
            name.truncate(MAX_NAME_BYTES);
            let _ = write!(name, "%{:016x}", checksum(host));
        }
        false => {}
    }
    name
}

/// FNV-1a, which is the same on every machine and in every version.
fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn target(out: &str) -> Target {
        Target::of(Some(Path::new(out))).unwrap()
    }

    #[test]
    fn ending_says_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("v1.2");
        fs::create_dir(&there).unwrap();

        assert_eq!([Target::of(None).unwrap(), target("-")], [Target::Stdout, Target::Stdout]);
        assert_eq!(target("a/openapi.json"), Target::File("a/openapi.json".into(), Form::Json));
        assert_eq!(target("openapi.yml"), Target::File("openapi.yml".into(), Form::Yaml));
        assert_eq!(target("no-such-folder"), Target::Folder("no-such-folder".into()));
        assert_eq!(target("v9.9/"), Target::Folder("v9.9/".into()));
        assert_eq!(Target::of(Some(&there)).unwrap(), Target::Folder(there));
    }

    #[test]
    fn other_ending_is_refused_with_what_is_allowed() {
        let failure = Target::of(Some(Path::new("openapi.txt"))).unwrap_err();

        let expected =
            "--out openapi.txt: it must be a file that ends in .json, .yaml or .yml, or a folder (end it with /)";
        assert_eq!((failure.exit_code, failure.error.unwrap().to_string()), (64, expected.to_owned()));
    }

    #[test]
    fn document_is_written_once_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let out = Target::Folder(folder.path().join("specs"));

        let puts = [1, 1, 2].map(|version| out.put(Some("shop:80"), &json!({ "version": version })).unwrap().changed);

        assert_eq!(puts, [true, false, true]);
        let text = fs::read_to_string(folder.path().join("specs/shop_80.json")).unwrap();
        assert_eq!(text, "{\n  \"version\": 2\n}\n");
    }

    #[test]
    fn file_of_a_host_is_named_after_it() {
        assert_eq!(file_name("shop.example:8080"), "shop.example_8080");
        assert_eq!(file_name("../etc/passwd"), "%2E.%2Fetc%2Fpasswd");
        assert_eq!(file_name("[::1]:80"), "%5B__1%5D_80");
        assert_eq!(file_name("a_b.Käse"), "a%5Fb.%4B%C3%A4se");
        assert_eq!(file_name(""), "%");
    }

    proptest! {
        #[test]
        fn no_two_hosts_share_a_file_and_none_leaves_the_folder(one in ".{0,300}", other in "[./:_%A-Za-z]{0,4}") {
            for host in [&one, &other] {
                let name = file_name(host);
                prop_assert!(name.len() < 240 && !name.starts_with('.') && !name.contains(['/', '\\', '\0']), "{}", name);
            }
            prop_assert_eq!(one == other, file_name(&one) == file_name(&other));
        }
    }
}
