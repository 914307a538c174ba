//! The two published readers of HTTP Types that still run, and whether they read from our lines what stands there.
//!
//! The libraries are fetched parts (`http-types` 0.0.18 of PyPI, 0.6.1 of npm); two small programs in
//! `testbed/readers/` call them and print what they read. Where a library is known to give back something else than
//! it was given, `expected` says so, one case at a time; everything else has to be equal, field by field.

mod expected;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use tributary_http_types::HttpExchange;
use xtask::parts;

use expected::{Answer, differences};

/// Differences that one error shows; what is wrong is wrong in many lines.
const SHOWN: usize = 10;

/// `None`: nothing is kept, for a demo runs for days.
static KEPT: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// A published library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// PyPI `http-types` 0.0.18.
    Python,
    /// npm `http-types` 0.6.1.
    TypeScript,
}

/// How many lines a reader took, and how many it refused as it is known to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Read, and every field came back as it should.
    pub read: usize,
    /// Refused for the reason that both readers refuse: an exchange without a response.
    pub without_response: usize,
    /// Refused by Python, whose JSON parser gives up some thousand levels down: the library reads a body that is JSON.
    pub too_deep: usize,
}

/// Levels of JSON that Python's parser always takes (its recursion limit is 1,000 calls, some of which are the library's).
const PYTHON_TAKES: usize = 900;

/// From now on [`keep`] keeps lines: for test runs, whose readers see all lines at the end.
pub fn start_keeping() {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default();
}

/// Remembers a line that came out of the topic, if the filter made it (tests post lines of their own, too).
pub fn keep(line: &[u8]) {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(kept) = kept.as_mut().filter(|_| is_of_the_filter(line)) else { return };
    kept.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
    kept.push(b'\n');
}

/// All lines that were [kept](keep) so far, each with its line end.
pub fn kept() -> Vec<u8> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
}

/// Whether a line has the identity that the filter gives: 128 bits in hex, a number, and both together.
fn is_of_the_filter(line: &[u8]) -> bool {
    let Ok(exchange) = HttpExchange::from_line(line) else { return false };
    let facts = exchange.facts();
    let (Some(id), Some(source), Some(seq)) = (facts.id, facts.source, facts.seq) else { return false };
    source.len() == 32 && source.bytes().all(|byte| byte.is_ascii_hexdigit()) && id == format!("{source}-{seq}")
}

impl Reader {
    /// Has the library read these lines, and compares what it read with what stands in them.
    ///
    /// Every line ends in `\n`; no line may be empty.
    ///
    /// # Errors
    /// The reader cannot be run; or, with the first ten of them: lines that it refuses or understands otherwise.
    pub fn read(self, lines: &[u8]) -> Result<Verdict> {
        let mut file = tempfile::NamedTempFile::new().context("make a file for the reader")?;
        file.write_all(lines).and_then(|()| file.flush()).context("write the lines for the reader")?;
        let printed = self.run(file.path())?;

        let lines = lines.split_inclusive(|byte| *byte == b'\n').collect::<Vec<_>>();
        let answers = printed.lines().map(serde_json::from_str).collect::<Result<Vec<Answer>, _>>();
        let answers = answers.with_context(|| format!("the {self:?} reader prints something else than answers"))?;
        ensure!(lines.len() == answers.len(), "{} lines, {} answers of {self:?}", lines.len(), answers.len());

        let mut verdict = Verdict::default();
        let mut wrong = Vec::new();
        for ((line, answer), number) in lines.iter().zip(&answers).zip(1..) {
            match self.judge(line, answer) {
                Ok(one) => verdict = verdict + one,
                Err(error) => {
                    wrong.push(format!("line {number}: {error:#}: {}", String::from_utf8_lossy(line).trim_end()))
                }
            }
        }
        if !wrong.is_empty() {
            let count = wrong.len();
            wrong.truncate(SHOWN);
            bail!("{self:?} does not read {count} of {} lines as they are:\n{}", lines.len(), wrong.join("\n"));
        }
        Ok(verdict)
    }

    fn judge(self, line: &[u8], answer: &Answer) -> Result<Verdict> {
        let exchange = HttpExchange::from_line(line).context("we do not read it ourselves")?;
        match answer {
            Answer::Refused(reason) if exchange.response.is_none() => {
                ensure!(reason == self.refusal_without_response(), "refused for another reason: {reason}");
                Ok(Verdict { without_response: 1, ..Verdict::default() })
            }
            Answer::Refused(reason)
                if self == Self::Python
                    && reason.starts_with("RecursionError: ")
                    && levels_of_bodies(&exchange) > PYTHON_TAKES =>
            {
                Ok(Verdict { too_deep: 1, ..Verdict::default() })
            }
            Answer::Refused(reason) => bail!("refused: {reason}"),
            Answer::Read(read) => match differences(self, &exchange, read).as_slice() {
                [] => Ok(Verdict { read: 1, ..Verdict::default() }),
                differences => bail!("{}", differences.join(", ")),
            },
        }
    }

    /// What the library says to an exchange without a response, which the schema allows and it does not.
    fn refusal_without_response(self) -> &'static str {
        match self {
            Self::Python => "BuilderException: Missing response",
            Self::TypeScript => "TypeError: Cannot read properties of undefined (reading 'timestamp')",
        }
    }

    fn run(self, lines: &Path) -> Result<String> {
        let programs = parts::workspace_root().join("testbed").join("readers");
        let mut command = self.command(&programs)?;
        let output = command.arg(lines).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("start the {self:?} reader"))?;
        ensure!(output.status.success(), "the {self:?} reader ended with {}", output.status);
        String::from_utf8(output.stdout).with_context(|| format!("the {self:?} reader prints no UTF-8"))
    }

    fn command(self, programs: &Path) -> Result<Command> {
        match self {
            Self::Python => {
                let mut python = Command::new(parts::python_readers()?);
                python.arg(programs.join("read.py"));
                Ok(python)
            }
            Self::TypeScript => {
                let modules: PathBuf = parts::node_readers()?.join("node_modules");
                let mut node = Command::new(parts::NODE.path()?);
                node.arg(programs.join("read.js")).env("NODE_PATH", modules);
                Ok(node)
            }
        }
    }
}

/// How deep the bodies nest, brackets in strings not counted.
fn levels_of_bodies(exchange: &HttpExchange) -> usize {
    let response = exchange.response.as_ref().and_then(|response| response.body.as_deref());
    let bodies = [exchange.request.body.as_deref(), response];
    bodies.into_iter().flatten().map(levels).max().unwrap_or(0)
}

fn levels(json: &str) -> usize {
    let (mut open, mut most, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                open += 1;
                most = most.max(open);
            }
            b']' | b'}' if !in_string => open = open.saturating_sub(1),
            _ => {}
        }
    }
    most
}

impl std::ops::Add for Verdict {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            read: self.read + other.read,
            without_response: self.without_response + other.without_response,
            too_deep: self.too_deep + other.too_deep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_open_brackets_that_stand_in_no_string() {
        for (json, expected) in [("", 0), ("1", 0), ("[{}]", 2), (r#"["[[[\"[["]"#, 1), ("[[[", 3), ("[][]{}", 1)] {
            assert_eq!(levels(json), expected, "{json}");
        }
    }

    #[test]
    fn only_lines_with_the_identity_that_the_filter_gives_are_kept() {
        let source = "0123456789abcdef0123456789abcdef";
        let line = |id: &str| {
            format!(r#"{{"request":{{"method":"get"}},"meta":{{"id":"{id}","source":"{source}","seq":7}}}}"#)
        };

        assert!(is_of_the_filter(line(&format!("{source}-7")).as_bytes()));
        assert!(!is_of_the_filter(line(&format!("{source}-8")).as_bytes()));
        assert!(!is_of_the_filter(br#"{"request":{"method":"get"}}"#));
        assert!(!is_of_the_filter(b"{"));
    }
}
