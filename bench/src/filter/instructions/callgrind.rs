//! Callgrind, valgrind's tool that counts, around a process of ours.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use tributary_testbed::process::Scratch;

/// Whether valgrind is there. The error is a sentence for the report.
pub(super) fn look() -> Result<(), String> {
    for program in ["valgrind", "vgdb"] {
        let answers = Command::new(program).arg("--help").output().is_ok_and(|ran| ran.status.success());
        if !answers {
            return Err(format!("`{program}` is not on the path; the package `valgrind` of your system has it"));
        }
    }
    Ok(())
}

/// Where one process under callgrind puts its counts, and how it is spoken to.
#[derive(Debug)]
pub(super) struct Callgrind {
    scratch: Scratch,
}

impl Callgrind {
    /// For one process.
    ///
    /// # Errors
    /// There is no room for its files.
    pub(super) fn new() -> Result<Callgrind> {
        Ok(Callgrind { scratch: Scratch::new("callgrind")? })
    }

    /// The command before that of the process. It counts nothing before [`begin`](Self::begin).
    pub(super) fn command(&self) -> Vec<OsString> {
        let mut out = OsString::from("--callgrind-out-file=");
        out.push(self.out());
        let words = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--collect-jumps=no", "--quiet"];
        words.into_iter().map(OsString::from).chain([out, self.pipes()]).collect()
    }

    /// Counts from here on.
    ///
    /// # Errors
    /// The process does not answer.
    pub(super) fn begin(&self, process: u32) -> Result<()> {
        self.say(process, &["instrumentation", "on"])
    }

    /// Counts no more; how many instructions there were since it began.
    ///
    /// # Errors
    /// The process does not answer, or tells nothing.
    pub(super) fn end(&self, process: u32) -> Result<u64> {
        self.say(process, &["instrumentation", "off"])?;
        self.say(process, &["dump"])?;
        let mut dumps = Vec::new();
        for file in fs::read_dir(self.scratch.path()).context("what callgrind has counted")? {
            let file = file.context("what callgrind has counted")?.path();
            if is_dump(&file) {
                dumps.push(file);
            }
        }
        let [dump] = &dumps[..] else { bail!("{} counts of callgrind instead of one", dumps.len()) };
        let text = fs::read_to_string(dump).with_context(|| format!("read {}", dump.display()))?;
        fs::remove_file(dump).with_context(|| format!("remove {}", dump.display()))?;
        total(&text)
    }

    fn say(&self, process: u32, words: &[&str]) -> Result<()> {
        let mut vgdb = Command::new("vgdb");
        vgdb.arg(self.pipes()).arg(format!("--pid={process}")).args(words);
        let said = vgdb.output().context("start vgdb")?;
        ensure!(said.status.success(), "vgdb {words:?}: {}", String::from_utf8_lossy(&said.stderr).trim());
        Ok(())
    }

    fn out(&self) -> PathBuf {
        self.scratch.path().join("out")
    }

    fn pipes(&self) -> OsString {
        let mut pipes = OsString::from("--vgdb-prefix=");
        pipes.push(self.scratch.path().join("vgdb"));
        pipes
    }
}

/// `out.1`, `out.2` …: the file `out` itself is for what comes at the end of the process.
fn is_dump(file: &Path) -> bool {
    file.file_stem().is_some_and(|stem| stem == "out") && file.extension().is_some()
}

/// What a dump says of all.
fn total(dump: &str) -> Result<u64> {
    let total = dump
        .lines()
        .find_map(|line| line.strip_prefix("totals: "))
        .context("no totals in what callgrind has counted")?;
    let total: u64 = total.trim().parse().with_context(|| format!("totals of callgrind: {total:?} is no number"))?;
    ensure!(total > 0, "callgrind has counted nothing");
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_a_dump_is_read_and_one_without_is_refused() {
        assert_eq!(total("version: 1\nevents: Ir\n0 17\ntotals: 598500326\n").unwrap(), 598_500_326);
        for (dump, why) in [("summary: 1\n", "no totals"), ("totals: many\n", "\"many\""), ("totals: 0\n", "nothing")] {
            assert!(format!("{:#}", total(dump).unwrap_err()).contains(why), "{dump}");
        }
    }

    #[test]
    fn a_dump_is_told_from_what_else_lies_there() {
        assert!(is_dump(Path::new("/scratch/out.1")));
        for other in ["/scratch/out", "/scratch/vgdb-from-vgdb-to-17", "/scratch/outer.1"] {
            assert!(!is_dump(Path::new(other)), "{other}");
        }
    }
}
