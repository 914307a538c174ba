//! Plays a case on HTTP/2: writes its frames and a request as a fence, and reads until all streams have ended.
//!
//! The order of frames of different streams, the pieces of a body and the windows depend on timing; what is compared is
//! what each stream got, and how the connection ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    net::SocketAddr,
};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    Case, Played,
    case::{END_HEADERS, END_STREAM, HEADERS, field_block, frame},
    shown,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// HEADER_TABLE_SIZE 0: so that each field block can be read by itself. INITIAL_WINDOW_SIZE 1 MiB.
const SETTINGS: &[u8] = &[0, 1, 0, 0, 0, 0, 0, 4, 0, 0x10, 0, 0];
const PING: &[u8] = b"the last";
/// The largest stream: whatever the case has opened, it is a new one.
const FENCE: u32 = 0x7fff_ffff;
/// HPACK's index of `date`. RFC 7541, appendix A.
const DATE: usize = 33;

pub(super) async fn play(case: &Case, address: SocketAddr) -> Result<Played> {
    let stream = TcpStream::connect(address).await.context("connect")?;
    stream.set_nodelay(true)?;
    let port = stream.local_addr()?.port();
    let (mut from, mut to) = stream.into_split();
    let path = format!(":path: {}", case.fence());
    let fields = field_block(&[":method: GET", ":scheme: http", &path, ":authority: fence"])?;
    let fence = frame(HEADERS, END_STREAM | END_HEADERS, FENCE, &fields);
    let front = if case.bare { Vec::new() } else { [PREFACE, &frame(4, 0, 0, SETTINGS)].concat() };
    let write = async {
        let mut written = to.write_all(&front).await;
        for bytes in case.writes.iter().chain([&fence]) {
            if written.is_ok() {
                written = to.write_all(bytes).await;
            }
        }
        to
    };
    let mut conversation = Conversation::new(case);
    let (mut to, ended) = tokio::join!(write, conversation.read(&mut from, Conversation::streams_ended));
    if ended {
        // Envoy may still have something to say on a stream whose answer is complete: the ping's answer comes behind it.
        let _ = to.write_all(&frame(6, 0, 0, PING)).await;
        conversation.read(&mut from, |conversation| conversation.pinged).await;
    }
    Ok(Played { seen: conversation.comparable(), port })
}

/// What was read so far.
struct Conversation {
    ahead: Vec<u8>,
    open: BTreeSet<u32>,
    /// By stream: what came on it, in order.
    streams: BTreeMap<u32, Vec<(u8, Vec<u8>)>>,
    goodbye: Option<Vec<u8>>,
    pinged: bool,
    closed: bool,
}

impl Conversation {
    fn new(case: &Case) -> Conversation {
        let open = case.streams.iter().copied().chain([FENCE]).collect();
        let (ahead, streams) = (Vec::new(), BTreeMap::new());
        Conversation { ahead, open, streams, goodbye: None, pinged: false, closed: false }
    }

    fn streams_ended(&self) -> bool {
        self.open.is_empty()
    }

    /// Reads frames until `enough`; `false` if the connection ended before.
    async fn read(&mut self, from: &mut (impl tokio::io::AsyncRead + Unpin), enough: impl Fn(&Self) -> bool) -> bool {
        loop {
            while let Some((kind, flags, stream, payload)) = self.next_frame() {
                self.take(kind, flags, stream, payload);
            }
            if enough(self) {
                return true;
            }
            if !matches!(from.read_buf(&mut self.ahead).await, Ok(1..)) {
                self.closed = true;
                return false;
            }
        }
    }

    fn next_frame(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let head: [u8; 9] = self.ahead.get(..9)?.try_into().ok()?;
        let [high, middle, low, kind, flags, stream @ ..] = head;
        let end = 9 + usize::try_from(u32::from_be_bytes([0, high, middle, low])).ok()?;
        let payload = self.ahead.get(9..end)?.to_vec();
        self.ahead.drain(..end);
        Some((kind, flags, u32::from_be_bytes(stream) & 0x7fff_ffff, payload))
    }

    fn take(&mut self, kind: u8, flags: u8, stream: u32, payload: Vec<u8>) {
        const DATA: u8 = 0;
        let ends = match kind {
            DATA | HEADERS => flags & END_STREAM != 0,
            3 => true,
            _ => false,
        };
        match (kind, stream) {
            (6, _) => self.pinged |= flags & 1 != 0 && payload == PING,
            (7, _) => self.goodbye = Some(payload),
            // Settings and windows say nothing about what a stream got.
            (4 | 8, _) => {}
            (kind, stream) => {
                let seen = self.streams.entry(stream).or_default();
                match (kind, seen.last_mut()) {
                    (DATA, Some((DATA, last))) => last.extend_from_slice(&payload),
                    (DATA, _) if payload.is_empty() => {}
                    _ => seen.push((kind, payload)),
                }
                if ends {
                    seen.push((b'e', Vec::new()));
                }
            }
        }
        if ends {
            self.open.remove(&stream);
        }
    }

    fn comparable(&self) -> String {
        let mut text = String::new();
        for (stream, frames) in &self.streams {
            for (kind, payload) in frames {
                let line = match *kind {
                    HEADERS => format!("headers {}", fields(payload)),
                    0 => format!("data {}", shown(payload)),
                    b'e' => "end".to_owned(),
                    kind => format!("frame {kind} {}", shown(payload)),
                };
                let _ = writeln!(text, "{stream}: {line}");
            }
        }
        if let Some(goodbye) = &self.goodbye {
            let _ = writeln!(text, "goodbye {}", shown(goodbye));
        }
        let _ = writeln!(text, "closed: {}", self.closed);
        text
    }
}

/// A field block, each field by its bytes, without the value of `date` and without updates of the table's size. Strings stay as they are coded.
fn fields(block: &[u8]) -> String {
    let mut rest = block;
    let mut text = String::new();
    while let Some(field) = field(&mut rest) {
        text.push_str(&field);
    }
    text.push_str(&shown(rest));
    text
}

/// Reads one field; `None` at the end, or where the block cannot be read: then all of it is left.
fn field(rest: &mut &[u8]) -> Option<String> {
    let before = *rest;
    let first = *before.first()?;
    // Indexed, a size update, literal with indexing, literal without. RFC 7541 §6.
    let (bits, is_literal) = match first {
        0x80.. => (7, false),
        0x20..0x40 => (5, false),
        0x40..0x80 => (6, true),
        _ => (4, true),
    };
    let mut at = before;
    let index = number(&mut at, bits)?;
    if is_literal {
        if index == 0 {
            string(&mut at)?;
        }
        string(&mut at)?;
    }
    *rest = at;
    let taken = before.get(..before.len() - at.len())?;
    Some(match bits {
        // An answer to our setting, in whichever block is the first.
        5 => String::new(),
        _ if is_literal && index == DATE => "[date]".to_owned(),
        _ => format!("[{}]", taken.escape_ascii()),
    })
}

fn string(at: &mut &[u8]) -> Option<()> {
    let len = number(at, 7)?;
    *at = at.get(len..)?;
    Some(())
}

fn number(at: &mut &[u8], bits: u32) -> Option<usize> {
    let (first, mut rest) = at.split_first()?;
    let most = (1_usize << bits) - 1;
    let mut number = usize::from(*first) & most;
    let mut shift = 0;
    while number >= most {
        let (next, left) = rest.split_first()?;
        rest = left;
        number = number.checked_add(usize::from(next & 127).checked_shl(shift)?)?;
        shift += 7;
        if *next < 128 {
            break;
        }
    }
    *at = rest;
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_shown_field_by_field_without_its_date() {
        // :status 200 indexed; date as a literal of one byte; x: y with a new name; an update of the table's size.
        let block = [&[0x88, 0x61, 1, b'd'][..], &[0x00, 1, b'x', 1, b'y', 0x20]].concat();

        assert_eq!(fields(&block), r"[\x88][date][\x00\x01x\x01y]");
    }

    #[test]
    fn a_block_that_is_cut_is_shown_as_it_is() {
        assert_eq!(fields(&[0x88, 0x40, 9, b'x']), r"[\x88]@\tx");
    }
}
