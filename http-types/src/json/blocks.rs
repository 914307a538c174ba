//! Strings escaped sixteen bytes at a time, by the 128-bit instructions of WebAssembly: what the filter does in the proxy.
//!
//! A backslash moves all that stands behind it. A table says for each eight bytes, by which of them get one, where each of
//! them goes, and one instruction moves them: how many quotes there are makes no difference, and JSON is full of them.

use std::arch::wasm32::{
    i8x16_swizzle, u8x16, u8x16_bitmask, u8x16_eq, u8x16_le, u8x16_splat, u64x2, u64x2_extract_lane, v128, v128_and,
    v128_not, v128_or,
};

use super::escaped_once;

/// The bytes that are looked at together.
const BLOCK: usize = 16;

/// The blocks for which room is made at once.
const BLOCKS: usize = 64;

/// A text of fewer bytes is appended block by block: to make room costs more.
const FEWEST: usize = 64;

/// Appends `text` as a JSON string, with its quotes.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    let text = text.as_bytes();
    out.reserve(text.len().saturating_add(2 * BLOCK));
    out.push(b'"');
    // Names and values of headers: most are short, and stand for themselves.
    if text.len() < FEWEST && is_plain(text) {
        append_plain(out, text)
    } else {
        append_escaped(out, text)
    }
    out.push(b'"');
}

/// Whether each byte of a text surely stands for itself.
fn is_plain(text: &[u8]) -> bool {
    let Some(last) = text.last_chunk() else {
        let within = (1u32 << text.len()).wrapping_sub(1);
        return may_need_more(first_of(text)) & within == 0;
    };
    let block = |bytes: &[u8; BLOCK]| may_need_more(first_of(bytes)) == 0;
    text.as_chunks().0.iter().all(block) && block(last)
}

/// The bytes that may not stand for themselves.
fn may_need_more(bytes: v128) -> u32 {
    let is_quote = v128_or(u8x16_eq(bytes, u8x16_splat(b'"')), u8x16_eq(bytes, u8x16_splat(b'\\')));
    u8x16_bitmask(v128_or(is_quote, v128_or(u8x16_le(bytes, u8x16_splat(0x1F)), is_lead(bytes)))).into()
}

fn append_plain(out: &mut Vec<u8>, text: &[u8]) {
    let end = out.len().saturating_add(text.len());
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    blocks.iter().for_each(|block| out.extend_from_slice(block));
    if !rest.is_empty() {
        // A copy of sixteen bytes is two instructions, one of any other number a call out of the virtual machine.
        out.extend_from_slice(&bytes_of(first_of(rest)));
        out.truncate(end);
    }
}

#[inline(never)]
fn append_escaped(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while !rest.is_empty() {
        rest = if rest.len() < FEWEST { append_block(out, rest) } else { append_part(out, rest) };
    }
}

/// Appends whole blocks, and the character before which it had to stop.
fn append_part<'t>(out: &mut Vec<u8>, rest: &'t [u8]) -> &'t [u8] {
    let (blocks, _) = rest.as_chunks::<BLOCK>();
    let blocks = blocks.get(..BLOCKS).unwrap_or(blocks);
    let start = out.len();
    // Each byte may get a backslash. One call for many blocks: each is one out of the virtual machine.
    out.resize(start.saturating_add(blocks.len().saturating_mul(2 * BLOCK)), 0);
    let room = out.get_mut(start..).unwrap_or_default();
    let (mut done, mut written) = (0, 0);
    loop {
        // Nothing in this loop calls anything, so all of it stays in registers.
        for bytes in blocks.get(done..).unwrap_or_default() {
            let block = Block::new(first_of(bytes));
            if block.odd != 0 {
                break;
            }
            written = block.write(room, written);
            done += 1;
        }
        let at = done * BLOCK;
        let (true, Some(rest)) = (done < blocks.len(), rest.get(at..)) else { break };
        let block = Block::new(first_of(rest));
        let len = block.len_before_odd(rest);
        let block_end = block.write(room, written);
        if len < BLOCK {
            out.truncate(start.saturating_add(written).saturating_add(block.written_len(len)));
            return escaped_once(out, rest.get(len..).unwrap_or_default());
        }
        written = block_end;
        done += 1;
    }
    out.truncate(start.saturating_add(written));
    rest.get(done * BLOCK..).unwrap_or_default()
}

/// As [`append_part`], of one block or what there is of it.
fn append_block<'t>(out: &mut Vec<u8>, rest: &'t [u8]) -> &'t [u8] {
    let len = rest.len().min(BLOCK);
    let block = Block::new(first_of(rest)).cut_to(len);
    let len = if block.odd == 0 { len } else { block.len_before_odd(rest).min(len) };
    let start = out.len();
    if block.quoted == 0 {
        out.extend_from_slice(&bytes_of(block.bytes));
    } else {
        let mut room = [0; 2 * BLOCK];
        block.write(&mut room, 0);
        out.extend_from_slice(&room);
    }
    out.truncate(start.saturating_add(block.written_len(len)));
    let after = rest.get(len..).unwrap_or_default();
    if len == BLOCK || after.is_empty() { after } else { escaped_once(out, after) }
}

/// Sixteen bytes of a text; of each set of them a bit a byte, the first one lowest.
#[derive(Clone, Copy)]
struct Block {
    /// The bytes; those that stand behind a backslash under another name (`\n`) under that.
    bytes: v128,
    /// Those that get a backslash in front.
    quoted: u32,
    /// Those that may need more than that.
    odd: u32,
}

impl Block {
    fn new(bytes: v128) -> Block {
        // The letters of tab, line feed and carriage return: for any other byte the instruction gives 0.
        let letters = i8x16_swizzle(u8x16(0, 0, 0, 0, 0, 0, 0, 0, 0, b't', b'n', 0, 0, b'r', 0, 0), bytes);
        let has_none = u8x16_eq(letters, u8x16_splat(0));
        let is_quote = v128_or(u8x16_eq(bytes, u8x16_splat(b'"')), u8x16_eq(bytes, u8x16_splat(b'\\')));
        let is_control = u8x16_le(bytes, u8x16_splat(0x1F));
        Block {
            bytes: v128_or(v128_and(bytes, has_none), letters),
            quoted: u8x16_bitmask(v128_or(is_quote, v128_not(has_none))).into(),
            odd: u8x16_bitmask(v128_or(v128_and(is_control, has_none), is_lead(bytes))).into(),
        }
    }

    /// Only of the first `len` bytes.
    fn cut_to(self, len: usize) -> Block {
        let within = (1u32 << len).wrapping_sub(1);
        Block { quoted: self.quoted & within, odd: self.odd & within, ..self }
    }

    /// The bytes before the first that needs more than a backslash; `rest` begins with this block.
    #[inline(never)]
    fn len_before_odd(self, rest: &[u8]) -> usize {
        let mut odd = self.odd;
        while odd != 0 {
            let place = odd.trailing_zeros() as usize;
            if rest.get(place..).is_some_and(is_written_otherwise) {
                return place;
            }
            odd &= odd.wrapping_sub(1);
        }
        BLOCK
    }

    /// Writes all of it behind the `written` bytes of the room, if there are 32 more; gives where it ends.
    fn write(self, room: &mut [u8], written: usize) -> usize {
        let middle = written + self.written_len(8);
        write_half(u64x2_extract_lane::<0>(self.bytes), self.quoted & 0xFF, room, written);
        write_half(u64x2_extract_lane::<1>(self.bytes), self.quoted >> 8, room, middle);
        written + self.written_len(BLOCK)
    }

    /// How many bytes the first `len` become.
    fn written_len(self, len: usize) -> usize {
        len + (self.quoted & (1u32 << len).wrapping_sub(1)).count_ones() as usize
    }
}

/// The first bytes of line breaks beyond ASCII, among others: 0xC2 and 0xE2, which differ in one bit.
fn is_lead(bytes: v128) -> v128 {
    u8x16_eq(v128_or(bytes, u8x16_splat(0x20)), u8x16_splat(0xE2))
}

/// Writes eight bytes, a backslash before those that `quoted` has.
fn write_half(eight: u64, quoted: u32, room: &mut [u8], at: usize) {
    let [low, high] = SPREAD.get(quoted as usize).copied().unwrap_or_default();
    let with_backslashes = u64x2(eight, u64::from_le_bytes([b'\\'; 8]));
    let spread = i8x16_swizzle(with_backslashes, u64x2(low, high));
    if let Some(place) = room.get_mut(at..).and_then(|room| room.first_chunk_mut()) {
        *place = bytes_of(spread);
    }
}

/// Whether the first character of a text is written by more than itself and a backslash: a control character that has no
/// letter, or a line break beyond ASCII.
fn is_written_otherwise(rest: &[u8]) -> bool {
    match rest {
        [b'\n' | b'\r' | b'\t', ..] => false,
        [0xC2, 0x85, ..] | [0xE2, 0x80, 0xA8 | 0xA9, ..] => true,
        rest => matches!(rest, [..0x20, ..]),
    }
}

fn bytes_of(block: v128) -> [u8; BLOCK] {
    let (low, high) = (u64x2_extract_lane::<0>(block), u64x2_extract_lane::<1>(block));
    (u128::from(low) | u128::from(high) << 64).to_le_bytes()
}

/// The first sixteen bytes, or all there are and zeros behind them.
fn first_of(rest: &[u8]) -> v128 {
    let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    if let Some((low, after)) = rest.split_first_chunk() {
        let high = match (after.first_chunk(), rest.last_chunk()) {
            (Some(high), _) => word(high),
            // The last eight without those that were in the first eight.
            (None, Some(last)) => word(last).unbounded_shr(8 * (8 - after.len() as u32)),
            (None, None) => 0,
        };
        return u64x2(word(low), high);
    }
    if let (Some(first), Some(last)) = (rest.first_chunk(), rest.last_chunk()) {
        let word = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
        return u64x2(word(first) | word(last) << (8 * (rest.len() - 4)), 0);
    }
    u64x2(rest.iter().rev().fold(0, |bytes, byte| bytes << 8 | u64::from(*byte)), 0)
}

/// For each set of eight bytes where the bytes of the result come from: 0 to 7 are those of the text, 8 is a backslash.
static SPREAD: [[u64; 2]; 256] = {
    let mut spread = [[0; 2]; 256];
    let mut quoted = 0;
    while quoted < 256 {
        let mut from = [0; 16];
        let (mut byte, mut to) = (0, 0);
        #[allow(clippy::indexing_slicing, reason = "it runs in the compiler, which would say so")]
        while byte < 8 {
            if quoted >> byte & 1 == 1 {
                from[to] = 8;
                to += 1;
            }
            from[to] = byte;
            byte += 1;
            to += 1;
        }
        let from = u128::from_le_bytes(from);
        #[allow(clippy::indexing_slicing, reason = "it runs in the compiler, which would say so")]
        {
            spread[quoted] = [from as u64, (from >> 64) as u64];
        }
        quoted += 1;
    }
    spread
};
