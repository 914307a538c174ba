//! Reads the counts out of what test runners print.
//!
//! libtest, libtest-mimic and wasm-bindgen's runner end each test binary with the same line:
//! `test result: ok. 5 passed; 0 failed; 0 ignored; …`.

use super::Tally;

/// Adds up the `test result:` lines of a stream of output that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Results {
    tally: Tally,
    /// The start of a line whose end has not come yet.
    line: Vec<u8>,
}

impl Results {
    /// Takes the next piece, which may end anywhere.
    pub(crate) fn read(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// The sum over all runners so far; a last line without line end counts too.
    pub(crate) fn tally(mut self) -> Tally {
        self.end_line();
        self.tally
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.tally = self.tally + counts(&String::from_utf8_lossy(&line)).unwrap_or_default();
    }
}

/// The counts of one `test result:` line, coloured or not.
fn counts(line: &str) -> Option<Tally> {
    let counts = line.trim_start().strip_prefix("test result: ")?;
    let before = |word: &str| {
        let end = counts.find(word)?;
        counts.get(..end)?.trim_end().rsplit(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok()
    };
    Some(Tally { passed: before(" passed")?, failed: before(" failed")? })
}
