//! The format of the files.
//!
//! ```text
//! # Two lengths that differ: smuggling by CL.CL.
//! http1
//! > POST /a HTTP/1.1\r\nhost: a\r\n
//! > content-length: 3\r\ncontent-length: 4\r\n\r\n
//! each 100 x
//! > y
//! ```
//! | line | means |
//! |---|---|
//! | `# …` | what the case is about |
//! | `http1`, `http2`, `answer` | first of all: who sends the bytes, a client by this protocol or the origin |
//! | `requests N` | so many requests at most may be seen in it; 1 if it is not said, in `http2` one for each stream |
//! | `> …` | bytes; the line end does not count; escapes are `\r \n \t \0 \\ \xHH` |
//! | `times N …` | the same bytes so often |
//! | `each N …` | the same, in so many writes |
//! | `flush` | what follows is a write of its own |
//! | `headers S [end] [more]` | a HEADERS frame of stream S, with the fields in the lines below, `  name: value`, as literals; a colon inside a name is `\x3a` |
//! | `data S [end] …` | a DATA frame |
//! | `frame T F S …` | a frame of any type and flags (numbers) |
//! | `bare` | without HTTP/2's preface and SETTINGS in front |

use anyhow::{Context as _, Result, bail, ensure};

/// Who sends the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A client on HTTP/1.1.
    Http1,
    /// A client on HTTP/2 without TLS.
    Http2,
    /// The origin, asked by a plain GET.
    Answer,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Family and name: `smuggling/two-lengths`.
    pub name: String,
    /// Who sends.
    pub kind: Kind,
    /// The bytes, write by write.
    pub writes: Vec<Vec<u8>>,
    /// How many requests may be seen in it at most.
    pub requests: usize,
    /// HTTP/2: the streams that it opens.
    pub streams: Vec<u32>,
    /// HTTP/2: nothing goes in front of its bytes.
    pub bare: bool,
}

/// HTTP/2's frame types and flags. RFC 9113 §6.
pub(super) const HEADERS: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

impl Case {
    /// Reads a file.
    ///
    /// # Errors
    /// Says which line is not understood.
    pub fn parse(name: &str, text: &str) -> Result<Case> {
        let mut lines =
            text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty()).peekable();
        let kind = match lines.next() {
            Some((_, "http1")) => Kind::Http1,
            Some((_, "http2")) => Kind::Http2,
            Some((_, "answer")) => Kind::Answer,
            other => bail!("the first line is http1, http2 or answer, not {other:?}"),
        };
        let mut case = Case {
            name: name.to_owned(),
            kind,
            writes: vec![Vec::new()],
            requests: 0,
            streams: Vec::new(),
            bare: false,
        };
        while let Some((number, line)) = lines.next() {
            let mut fields = Vec::new();
            while let Some((_, field)) = lines.next_if(|(_, line)| line.starts_with("  ")) {
                fields.push(field.trim_start());
            }
            case.take(line, &fields).with_context(|| format!("line {}: {line}", number + 1))?;
        }
        if case.requests == 0 {
            case.requests = case.streams.len().max(1);
        }
        Ok(case)
    }

    /// The part of the fence that is this case's own.
    pub fn fence(&self) -> String {
        format!("/fence/{}", self.name)
    }

    fn take(&mut self, line: &str, fields: &[&str]) -> Result<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        ensure!(fields.is_empty() || word == "headers", "fields stand below headers only");
        match word {
            "bare" => self.bare = true,
            "flush" => self.writes.push(Vec::new()),
            "requests" => self.requests = rest.parse()?,
            ">" => self.add(&unescaped(rest)?),
            "times" => {
                let (count, bytes) = counted(rest)?;
                self.add(&bytes.repeat(count));
            }
            "each" => {
                let (count, bytes) = counted(rest)?;
                self.writes.extend(std::iter::repeat_n(bytes, count));
                self.writes.push(Vec::new());
            }
            "headers" => {
                let (stream, options) = numbered(rest)?;
                let flags = if has(options, "end") { END_STREAM } else { 0 };
                let more = if has(options, "more") { 0 } else { END_HEADERS };
                self.frame(HEADERS, flags | more, stream, &field_block(fields)?);
            }
            "data" => {
                let (stream, rest) = numbered(rest)?;
                let (flags, bytes) = match rest.strip_prefix("end") {
                    Some(rest) => (END_STREAM, rest.strip_prefix(' ').unwrap_or(rest)),
                    None => (0, rest),
                };
                self.frame(0, flags, stream, &unescaped(bytes)?);
            }
            "frame" => {
                let (kind, rest) = numbered(rest)?;
                let (flags, rest) = numbered(rest)?;
                let (stream, bytes) = numbered(rest)?;
                self.frame(u8::try_from(kind)?, u8::try_from(flags)?, stream, &unescaped(bytes)?);
            }
            _ => bail!("unknown word {word}"),
        }
        Ok(())
    }

    fn add(&mut self, bytes: &[u8]) {
        match self.writes.last_mut() {
            Some(last) => last.extend_from_slice(bytes),
            None => self.writes.push(bytes.to_vec()),
        }
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        if kind == HEADERS && stream % 2 == 1 && !self.streams.contains(&stream) {
            self.streams.push(stream);
        }
        self.add(&frame(kind, flags, stream, payload));
    }
}

/// A frame with its head.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let head = [len.get(1..).unwrap_or_default(), &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// Fields as HPACK literals that are never indexed and not Huffman-coded. RFC 7541 §6.2.3.
pub(super) fn field_block(fields: &[&str]) -> Result<Vec<u8>> {
    let mut block = Vec::new();
    for field in fields {
        // A pseudo-header's own colon does not end the name.
        let colon = field.get(1..).and_then(|rest| rest.find(':')).context("a field without a colon")? + 1;
        let (name, value) = (field.get(..colon).unwrap_or_default(), field.get(colon + 1..).unwrap_or_default());
        let value = value.strip_prefix(' ').unwrap_or(value);
        block.push(0x10);
        for text in [unescaped(name)?, unescaped(value)?] {
            write_length(&mut block, text.len());
            block.extend_from_slice(&text);
        }
    }
    Ok(block)
}

/// A length with a prefix of seven bits. RFC 7541 §5.1.
fn write_length(block: &mut Vec<u8>, len: usize) {
    let Some(mut rest) = len.checked_sub(127) else {
        block.push(u8::try_from(len).unwrap_or(127));
        return;
    };
    block.push(127);
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).unwrap_or(0) | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap_or(0));
}

fn has(options: &str, word: &str) -> bool {
    options.split_whitespace().any(|option| option == word)
}

fn numbered(text: &str) -> Result<(u32, &str)> {
    let (number, rest) = text.split_once(' ').unwrap_or((text, ""));
    Ok((number.parse().with_context(|| format!("{number} is no number"))?, rest))
}

fn counted(text: &str) -> Result<(usize, Vec<u8>)> {
    let (count, rest) = numbered(text)?;
    Ok((usize::try_from(count)?, unescaped(rest)?))
}

fn unescaped(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let (byte, len) = match escape.as_bytes() {
            [b'r', ..] => (b'\r', 1),
            [b'n', ..] => (b'\n', 1),
            [b't', ..] => (b'\t', 1),
            [b'0', ..] => (0, 1),
            [b'\\', ..] => (b'\\', 1),
            [b'x', ..] => (u8::from_str_radix(escape.get(1..3).context("a cut escape")?, 16)?, 3),
            _ => bail!("unknown escape \\{escape}"),
        };
        bytes.push(byte);
        rest = escape.get(len..).context("a cut escape")?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_repetitions_and_writes_are_read() {
        let case =
            Case::parse("a/b", "# why\nhttp1\nrequests 2\n> G\\r\\n\\x00\\\\ é\ntimes 3 ab\nflush\n> c\neach 2 d\n");

        let writes =
            vec![b"G\r\n\0\\ \xc3\xa9ababab".to_vec(), b"c".to_vec(), b"d".to_vec(), b"d".to_vec(), Vec::new()];
        let (name, kind) = ("a/b".to_owned(), Kind::Http1);
        assert_eq!(case.unwrap(), Case { name, kind, writes, requests: 2, streams: Vec::new(), bare: false });
    }

    #[test]
    fn frames_are_written_as_http2_has_them() {
        let case =
            Case::parse("a", "http2\nheaders 1 more\n  :path: /\\0\n  x: \ndata 1 end hi\nframe 9 4 1 \n").unwrap();

        let headers = b"\0\0\x0e\x01\0\0\0\0\x01\x10\x05:path\x02/\0\x10\x01x\0";
        let rest = b"\0\0\x02\0\x01\0\0\0\x01hi\0\0\0\x09\x04\0\0\0\x01";
        assert_eq!(case.writes, [[&headers[..], rest].concat()]);
        assert_eq!((case.streams, case.requests), (vec![1], 1));
    }

    #[test]
    fn long_lengths_take_more_bytes() {
        let block = |len| {
            let mut block = Vec::new();
            write_length(&mut block, len);
            block
        };

        assert_eq!((block(126), block(127), block(1337 + 96)), (vec![126], vec![127, 0], vec![127, 0x9a, 0x0a]));
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_its_line() {
        for (text, line) in
            [("http1\n> \\q\n", "line 2"), ("http1\nsay x\n", "line 2"), ("\nhttp2\n\ndata x\n", "line 4")]
        {
            assert!(format!("{:#}", Case::parse("a", text).unwrap_err()).starts_with(line), "{text}");
        }
        assert!(Case::parse("a", "http3\n").is_err());
    }
}
