//! Recordings that come as lines: a file or a pipe, and its lines, of bounded length, with their numbers.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context, anyhow};
use bytes::{Bytes, BytesMut};
use memchr::memchr;

use crate::failure::Failure;

/// The longest line that is taken; the topic writer's own limit for a record, key included, stands at the same size.
pub(crate) const MAX_LINE_BYTES: usize = 32 * 1024 * 1024;

/// How much is read at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// Where lines come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    /// Standard input, given as `-`.
    Stdin,
    /// This file.
    File(&'a Path),
}

impl Input<'_> {
    /// The input that an argument names.
    pub(crate) fn of(argument: &Path) -> Input<'_> {
        if argument.as_os_str() == "-" { Input::Stdin } else { Input::File(argument) }
    }

    /// The bytes, and how many there are if that is known.
    ///
    /// # Errors
    /// The file cannot be opened, or is a directory.
    pub(crate) fn open(self) -> Result<(Box<dyn Read + Send>, Option<u64>), Failure> {
        let Input::File(path) = self else { return Ok((Box::new(io::stdin()), None)) };
        let file = File::open(path).and_then(|file| file.metadata().map(|facts| (file, facts)));
        let (file, facts) =
            file.with_context(|| format!("cannot open {}", path.display())).map_err(Failure::no_input)?;
        if facts.is_dir() {
            return Err(Failure::no_input(anyhow!("{} is a directory, not a recordings file", path.display())));
        }
        Ok((Box::new(file), facts.is_file().then_some(facts.len())))
    }

    /// What to call it.
    pub(crate) fn name(self) -> String {
        match self {
            Input::Stdin => "standard input".to_owned(),
            Input::File(path) => path.display().to_string(),
        }
    }
}

/// One line, without its line break (`\n` or `\r\n`).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line within the limit; may be empty.
    Whole {
        /// From 1.
        number: u64,
        /// The bytes.
        text: Bytes,
    },
    /// A line over the limit; its bytes were passed over.
    TooLong {
        /// From 1.
        number: u64,
        /// How many bytes it has.
        bytes: u64,
    },
}

/// Splits what it reads into lines; holds at most one line within the limit and one chunk in memory.
pub(crate) struct Lines<R> {
    input: R,
    max_bytes: usize,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line break.
    searched: usize,
    /// Bytes passed over of a line that is too long.
    passed_over: Option<u64>,
    number: u64,
    read_bytes: u64,
    ended: bool,
}

impl<R: Read> Lines<R> {
    /// `max_bytes`: the longest line that is handed out, without its line break.
    pub(crate) fn new(input: R, max_bytes: usize) -> Lines<R> {
        Lines {
            input,
            max_bytes,
            buffer: BytesMut::new(),
            searched: 0,
            passed_over: None,
            number: 0,
            read_bytes: 0,
            ended: false,
        }
    }

    /// The next line; `None` at the end. The last line needs no line break.
    ///
    /// # Errors
    /// Those of the input. Lines that were read before are not lost.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.next_held() {
                return Ok(Some(line));
            }
            if self.ended {
                let rest = self.buffer.len();
                return Ok((rest > 0 || self.passed_over.is_some()).then(|| self.cut(rest, 0)));
            }
            self.read_more()?;
        }
    }

    /// The next line if it can be had without reading, which may block.
    pub(crate) fn next_held(&mut self) -> Option<Line> {
        let found = memchr(b'\n', self.buffer.get(self.searched..)?);
        match found {
            Some(place) => Some(self.cut(self.searched + place, 1)),
            None => {
                self.searched = self.buffer.len();
                // Two more, for a line break.
                if self.passed_over.is_some() || self.buffer.len() > self.max_bytes.saturating_add(2) {
                    // Its last byte stays: it may be the first half of a line break.
                    let over = self.buffer.len().saturating_sub(1);
                    *self.passed_over.get_or_insert(0) += over as u64;
                    drop(self.buffer.split_to(over));
                    self.searched = self.buffer.len();
                }
                None
            }
        }
    }

    /// How many bytes were read so far.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    fn read_more(&mut self) -> io::Result<()> {
        let held = self.buffer.len();
        self.buffer.resize(held + CHUNK_BYTES, 0);
        let count = loop {
            match self.input.read(self.buffer.get_mut(held..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(held + count.as_ref().map_or(0, |count| *count));
        let count = count?;
        self.read_bytes += count as u64;
        self.ended = count == 0;
        Ok(())
    }

    /// Takes `length` bytes as a line, and a line break of `line_break` bytes behind them.
    fn cut(&mut self, length: usize, line_break: usize) -> Line {
        self.number += 1;
        let number = self.number;
        let mut text = self.buffer.split_to(length + line_break).freeze();
        text.truncate(length);
        if line_break > 0 && text.last() == Some(&b'\r') {
            text.truncate(length - 1);
        }
        self.searched = 0;
        let bytes = self.passed_over.take().unwrap_or(0) + text.len() as u64;
        match bytes > self.max_bytes as u64 {
            true => Line::TooLong { number, bytes },
            false => Line::Whole { number, text },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Hands out the bytes in pieces of a fixed size, as a pipe does.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(out.len());
            let (piece, rest) = self.0.split_at(count);
            out[..count].copy_from_slice(piece);
            self.0 = rest;
            Ok(count)
        }
    }

    fn lines(text: &[u8], piece: usize, max_bytes: usize) -> Vec<Line> {
        let mut lines = Lines::new(Pieces(text, piece), max_bytes);
        std::iter::from_fn(|| lines.next().unwrap()).collect()
    }

    fn whole(number: u64, text: &'static str) -> Line {
        Line::Whole { number, text: Bytes::from_static(text.as_bytes()) }
    }

    #[test]
    fn lines_come_with_their_numbers_and_without_line_breaks() {
        for piece in 1..10 {
            let expected = [whole(1, "a"), whole(2, ""), whole(3, "bc"), whole(4, "d")];
            assert_eq!(lines(b"a\n\nbc\r\nd", piece, 10), expected, "{piece}");
        }
        assert_eq!(lines(b"a\n", 9, 10), [whole(1, "a")]);
        assert_eq!(lines(b"", 9, 10), []);
    }

    #[test]
    fn line_at_the_limit_is_whole_and_one_byte_over_is_not() {
        for piece in 1..20 {
            let expected = [whole(1, "1234"), Line::TooLong { number: 2, bytes: 5 }, whole(3, "ab")];
            assert_eq!(lines(b"1234\r\n12345\nab", piece, 4), expected, "{piece}");
        }
        assert_eq!(lines(b"12345\r\n", 1, 0), [Line::TooLong { number: 1, bytes: 5 }]);
        assert_eq!(lines(b"12345", 1, 4), [Line::TooLong { number: 1, bytes: 5 }]);
        assert_eq!(lines(b"1234567890", 1, 4), [Line::TooLong { number: 1, bytes: 10 }]);
    }

    #[test]
    fn endless_line_takes_no_memory() {
        let endless = io::repeat(b'x').take(200 * 1024 * 1024);
        let mut lines = Lines::new(endless, 1024);

        assert_eq!(lines.next().unwrap(), Some(Line::TooLong { number: 1, bytes: 200 * 1024 * 1024 }));
        assert!(lines.buffer.capacity() < 4 * CHUNK_BYTES, "{}", lines.buffer.capacity());
        assert_eq!(lines.next().unwrap(), None);
    }

    #[test]
    fn held_lines_are_handed_out_without_reading() {
        let mut lines = Lines::new(Pieces(b"a\nb\nc\n", 5), 10);

        assert_eq!(lines.next_held(), None);
        assert_eq!(lines.next().unwrap(), Some(whole(1, "a")));
        assert_eq!(lines.next_held(), Some(whole(2, "b")));
        assert_eq!(lines.next_held(), None);
        assert_eq!(lines.next().unwrap(), Some(whole(3, "c")));
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "[a\r\n]{0,40}", piece in 1usize..9, max_bytes in 0usize..6) {
            let pieced = lines(text.as_bytes(), piece, max_bytes);

            prop_assert_eq!(&pieced, &lines(text.as_bytes(), usize::MAX, max_bytes));
            prop_assert_eq!(pieced.len(), text.split_terminator('\n').count());
        }
    }
}
