//! A collector under `strace`: what it asks of the system, in the order in which it does, and failures put in between.
//!
//! strace writes a line when a call begins and another when it ends, if anything happened in between. The order of the
//! lines is the order of cause and effect: strace holds the caller until it has written.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, ensure};
use xtask::parts::STRACE;

use crate::{collector::CollectorBuilder, process::Scratch, stack::StackBuilder, wait};

/// The calls that carry bytes or make them durable.
const CALLS: &str = "read,readv,recvfrom,recvmsg,write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync";

/// Bytes of each call that are written down: more than a post has.
const MAX_BYTES: &str = "4000000";

/// Where strace writes.
#[derive(Debug)]
pub(super) struct Trace {
    scratch: Scratch,
}

impl Trace {
    /// A place to write to.
    ///
    /// # Errors
    /// strace is missing (the error has the command that installs it), or there is no place.
    pub(super) fn new() -> Result<Trace> {
        STRACE.path()?;
        Ok(Trace { scratch: Scratch::new("strace")? })
    }

    /// Starts the collector under strace, all calls written down.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(super) fn watching(&self, stack: StackBuilder) -> Result<StackBuilder> {
        self.through(stack, &["-yy", "-v", "-s", MAX_BYTES, "-e", &format!("trace={CALLS}")])
    }

    /// Starts the collector under strace, and these calls fail or are late: `("fsync,fdatasync", "error=EIO:when=5..9")`.
    /// Each of its threads is counted by itself.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(super) fn hurting(&self, stack: StackBuilder, calls: &str, how: &str) -> Result<StackBuilder> {
        let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:{how}"));
        self.through(stack, &["-y", "-e", &trace, "-e", &inject])
    }

    fn through(&self, stack: StackBuilder, arguments: &[&str]) -> Result<StackBuilder> {
        let strace = STRACE.path()?;
        let file = self.file().display().to_string();
        let all: Vec<&str> =
            ["-f", "-qq", "--seccomp-bpf", "-o", &file].into_iter().chain(arguments.iter().copied()).collect();
        Ok(stack.collector(|collector: CollectorBuilder| collector.launch(|launch| launch.through(&strace, all))))
    }

    fn file(&self) -> PathBuf {
        self.scratch.file("calls.txt")
    }

    /// How many calls it has hurt so far.
    fn hurt(&self) -> u64 {
        let is_hurt = |line: &&str| line.contains("(INJECTED)") || line.contains("(DELAYED)");
        self.text().lines().filter(is_hurt).count() as u64
    }

    /// Waits until so many calls are hurt, and says how many.
    ///
    /// # Errors
    /// They are not in time.
    pub(super) async fn until_hurt(&self, times: u64, within: Duration) -> Result<u64> {
        wait::until("calls that strace has hurt", within, async || {
            let hurt = self.hurt();
            ensure!(hurt >= times, "{hurt} of {times}");
            Ok(hurt)
        })
        .await
    }

    /// All calls so far, in the order of their ends.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn calls(&self) -> Result<Vec<Call>> {
        let calls = parse(&self.text());
        ensure!(!calls.is_empty(), "strace has written nothing to {}", self.file().display());
        Ok(calls)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.file()).unwrap_or_default()).into_owned()
    }
}

/// One call that succeeded, on one file or socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// `write`, `fdatasync` …
    pub(super) name: String,
    /// What it was done to, as strace names it: a path, or `TCP:[127.0.0.1:1->127.0.0.1:2]`.
    pub(super) what: String,
    /// The bytes that it carried.
    pub(super) bytes: Vec<u8>,
    /// The line on which it began.
    pub(super) began: usize,
    /// The line on which it ended.
    pub(super) ended: usize,
}

impl Call {
    /// The ends of the connection, `(ours, theirs)`; `None` for a file.
    pub(super) fn connection(&self) -> Option<(&str, &str)> {
        self.what.strip_prefix("TCP:[")?.strip_suffix(']')?.split_once("->")
    }

    /// The path, if it is a file.
    pub(super) fn path(&self) -> Option<&Path> {
        self.what.starts_with('/').then(|| Path::new(&self.what))
    }
}

/// Reads `PID call(FD<what>, …) = result`, with calls in two pieces put together. Failed calls are left out.
pub(super) fn parse(text: &str) -> Vec<Call> {
    let mut begun: HashMap<&str, (usize, &str)> = HashMap::new();
    let mut calls = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, (number, start));
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some((began, start)) = begun.remove(thread) else { continue };
            let end = resumed.split_once(" resumed>").map_or("", |(_, end)| end);
            calls.extend(call(&format!("{start}{end}"), began, number));
        } else {
            calls.extend(call(rest, number, number));
        }
    }
    calls
}

fn call(text: &str, began: usize, ended: usize) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    // strace pads short calls with spaces.
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')')?;
    if result.starts_with('-') || result.starts_with('?') {
        return None;
    }
    let (_, after) = arguments.split_once('<')?;
    let what = what(after)?;
    let mut bytes = strings(after.get(what.len()..)?);
    // A read shows its whole buffer only up to the result; a write may be taken in part.
    if let Ok(count) = result.split(' ').next()?.parse::<usize>() {
        bytes.truncate(if name.ends_with("sync") { 0 } else { count });
    }
    Some(Call { name: name.to_owned(), what: what.to_owned(), bytes, began, ended })
}

/// The text up to the `>` that closes it; `->` inside is an arrow.
fn what(text: &str) -> Option<&str> {
    let end = text.char_indices().find(|(at, c)| *c == '>' && !text.get(..*at).is_some_and(|text| text.ends_with('-')));
    end.and_then(|(at, _)| text.get(..at))
}

/// The bytes of all strings in `"…"`, one after the other, with C's escapes undone.
fn strings(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes().peekable();
    while rest.by_ref().any(|byte| byte == b'"') {
        while let Some(byte) = rest.next() {
            match byte {
                b'"' => break,
                b'\\' => match rest.next() {
                    Some(first @ b'0'..=b'7') => {
                        let mut value = u32::from(first - b'0');
                        for _ in 0..2 {
                            let Some(next) = rest.next_if(|next| (b'0'..=b'7').contains(next)) else { break };
                            value = value * 8 + u32::from(next - b'0');
                        }
                        bytes.push(value as u8);
                    }
                    Some(b'n') => bytes.push(b'\n'),
                    Some(b'r') => bytes.push(b'\r'),
                    Some(b't') => bytes.push(b'\t'),
                    Some(b'v') => bytes.push(0x0b),
                    Some(b'f') => bytes.push(0x0c),
                    Some(other) => bytes.push(other),
                    None => break,
                },
                other => bytes.push(other),
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call_of(name: &str, what: &str, bytes: &[u8], began: usize, ended: usize) -> Call {
        Call { name: name.to_owned(), what: what.to_owned(), bytes: bytes.to_vec(), began, ended }
    }

    #[test]
    fn calls_in_one_piece_and_in_two_are_read_with_their_bytes() {
        let text = concat!(
            "101   write(9</tmp/a b/x.jsonl>, \"{\\\"a\\\":1}\\n\", 8) = 8\n",
            "102   recvfrom(12<TCP:[127.0.0.1:15000->127.0.0.1:40000]>,  <unfinished ...>\n",
            "101   fdatasync(9</tmp/a b/x.jsonl> <unfinished ...>\n",
            "102   <... recvfrom resumed>\"POST \\0\\1\\377\", 65536, 0, NULL, NULL) = 8\n",
            "101   <... fdatasync resumed>)          = 0\n",
            "103   fsync(10</tmp/a b>) = -1 EIO (Input/output error) (INJECTED)\n",
            "102   sendmsg(7<TCP:[[::1]:1->[::1]:2]>, {msg_iov=[{iov_base=\"ab\", iov_len=2}, ",
            "{iov_base=\"cd\", iov_len=2}], msg_iovlen=2}, MSG_NOSIGNAL) = 3\n",
        );

        let calls = parse(text);

        let socket = "TCP:[127.0.0.1:15000->127.0.0.1:40000]";
        let expected = [
            call_of("write", "/tmp/a b/x.jsonl", b"{\"a\":1}\n", 0, 0),
            call_of("recvfrom", socket, b"POST \x00\x01\xff", 1, 3),
            call_of("fdatasync", "/tmp/a b/x.jsonl", b"", 2, 4),
            call_of("sendmsg", "TCP:[[::1]:1->[::1]:2]", b"abc", 6, 6),
        ];
        assert_eq!(calls, expected);
        assert_eq!(calls[1].connection(), Some(("127.0.0.1:15000", "127.0.0.1:40000")));
        assert_eq!(calls[0].path(), Some(Path::new("/tmp/a b/x.jsonl")));
    }
}
