//! What this program knows of terminals: colour, text that cannot steer them, and output that may go away.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, BufWriter, Write},
    os::fd::AsFd,
};

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// When to colour the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Also into files and pipes
    Always,
    /// Not at all
    Never,
}

impl Color {
    /// Whether stdout gets colour.
    pub(crate) fn on_stdout(self) -> bool {
        match self {
            Color::Auto => AutoStream::choice(&io::stdout()) != ColorChoice::Never,
            Color::Always => true,
            Color::Never => false,
        }
    }
}

/// Whether stderr gets colour.
pub(crate) fn stderr_takes_colour() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// Tells the user something on stderr, on a line of its own.
pub(crate) fn notice(text: &str) {
    // What cannot be written to stderr can be told nowhere.
    let _ = writeln!(io::stderr(), "tributary: {text}");
}

/// Appends `text` so that it can neither steer a terminal nor mislead its reader.
///
/// Control characters (C0, DEL, C1), line and paragraph separators, and the invisible characters that reorder, join or
/// hide text become `\x1b` or `\u{202e}`; a backslash becomes `\\`, so that the form is unambiguous.
pub(crate) fn push_visible(out: &mut String, text: &str) {
    for character in text.chars() {
        // Writing into a String does not fail.
        let _ = match character {
            '\\' => out.write_str("\\\\"),
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            '\0'..='\x1f' | '\x7f' => write!(out, "\\x{:02x}", u32::from(character)),
            _ if character.is_control() || is_invisible(character) => write!(out, "\\u{{{:x}}}", u32::from(character)),
            _ => out.write_char(character),
        };
    }
}

/// Format characters (Unicode category Cf, the ones that fonts do not draw), separators of lines, and tags.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Standard output as a buffered file, which `std::io::stdout` is not: that one flushes at each line break.
pub(crate) struct Stdout(BufWriter<File>);

impl Stdout {
    /// # Errors
    /// The file descriptor cannot be duplicated.
    pub(crate) fn open() -> io::Result<Stdout> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Stdout(BufWriter::with_capacity(64 * 1024, file)))
    }

    /// Whether nobody reads it any more, which a writer with nothing to write would not notice.
    pub(crate) fn is_closed(&self) -> bool {
        let file = self.0.get_ref();
        let mut polled = [PollFd::new(file, PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut polled, Some(&at_once)).is_ok()
            && polled.iter().any(|polled| polled.revents().intersects(PollFlags::ERR | PollFlags::HUP))
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visible(text: &str) -> String {
        let mut out = String::new();
        push_visible(&mut out, text);
        out
    }

    #[test]
    fn text_stays_as_it_is() {
        assert_eq!(visible("/käse/日本?a=b&c=😀"), "/käse/日本?a=b&c=😀");
    }

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(visible("/\x1b[2J\r\n\t\x07\x7f\u{9b}31m"), r"/\x1b[2J\r\n\t\x07\x7f\u{9b}31m");
    }

    #[test]
    fn what_misleads_a_reader_is_escaped() {
        assert_eq!(visible("a\u{202e}b\u{200b}c\u{2028}d\u{feff}"), r"a\u{202e}b\u{200b}c\u{2028}d\u{feff}");
    }

    #[test]
    fn escaped_text_and_text_that_looks_like_it_differ() {
        assert_eq!(visible("\\x1b"), r"\\x1b");
    }
}
