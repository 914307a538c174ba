//! How an item stands in a segment: as one or more frames, each of which proves by itself that it is whole.
//!
//! ```text
//! ff fe 'T' 'R' | crc32 of all that follows | seq u64 | at, ms u64 | part u32 | parts u32 | len u32 | kind u8 | bytes
//! ```
//! All numbers are little-endian. A frame is never longer than [`MAX_FRAME_BYTES`], so that SQLite keeps it in one
//! piece inside one page: then it can be found and proved in the bare bytes of a file that SQLite reads no more.
//! No line can forge one: lines are UTF-8, and the first byte of a frame never stands in UTF-8.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// What a frame begins with. `ff` and `fe` are the two bytes that UTF-8 has no use for.
pub(super) const MAGIC: [u8; 4] = *b"\xff\xfeTR";

/// Bytes before an item's own.
pub(super) const HEAD_BYTES: usize = 37;

/// Bytes of a frame at most. A leaf cell of SQLite holds `page - 35` bytes in one piece, its own head of at most 16
/// included (SQLite, "Database File Format", 1.6).
pub(super) const MAX_FRAME_BYTES: usize = super::segment::PAGE_BYTES - 64;

const MAX_PART_BYTES: usize = MAX_FRAME_BYTES - HEAD_BYTES;

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The line of an exchange.
    Exchange,
    /// The account of a post.
    Account,
}

/// What the spool keeps: bytes that were acknowledged, with their place in the order of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its place: 1, 2, 3 … without gaps over the life of a spool.
    pub seq: u64,
    /// When it was spooled, in milliseconds since 1970.
    pub at_millis: u64,
    /// What it is.
    pub kind: Kind,
    /// The item.
    pub bytes: Bytes,
}

/// One frame that was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) seq: u64,
    pub(super) at_millis: u64,
    pub(super) part: u32,
    pub(super) parts: u32,
    pub(super) kind: Kind,
    pub(super) bytes: &'a [u8],
}

/// How many frames an item of so many bytes takes.
pub(super) fn parts_of(len: usize) -> usize {
    len.div_ceil(MAX_PART_BYTES).max(1)
}

/// Writes the frames of an item one after the other into `buffer`, and hands each of them out.
///
/// # Errors
/// Those of `take`.
pub(super) fn write<E>(
    item: &Item,
    buffer: &mut Vec<u8>,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let parts = parts_of(item.bytes.len()) as u32;
    // An item without bytes has one frame all the same.
    let pieces = item.bytes.chunks(MAX_PART_BYTES).chain(item.bytes.is_empty().then_some(&[][..]));
    for (part, piece) in (0..parts).zip(pieces) {
        buffer.clear();
        buffer.extend_from_slice(&MAGIC);
        buffer.extend_from_slice(&[0; 4]);
        buffer.extend_from_slice(&item.seq.to_le_bytes());
        buffer.extend_from_slice(&item.at_millis.to_le_bytes());
        buffer.extend_from_slice(&part.to_le_bytes());
        buffer.extend_from_slice(&parts.to_le_bytes());
        buffer.extend_from_slice(&(piece.len() as u32).to_le_bytes());
        buffer.push(match item.kind {
            Kind::Exchange => 0,
            Kind::Account => 1,
        });
        buffer.extend_from_slice(piece);
        let sum = crc32fast::hash(buffer.get(8..).unwrap_or_default());
        if let Some(place) = buffer.get_mut(4..8) {
            place.copy_from_slice(&sum.to_le_bytes());
        }
        take(buffer)?;
    }
    Ok(())
}

/// The frame that `bytes` begin with, if they do and it is whole; what follows it does not matter.
pub(super) fn read(bytes: &[u8]) -> Option<Frame<'_>> {
    let mut head = bytes.strip_prefix(&MAGIC)?;
    let sum = take_u32(&mut head)?;
    let proved = head;
    let seq = take_u64(&mut head)?;
    let at_millis = take_u64(&mut head)?;
    let part = take_u32(&mut head)?;
    let parts = take_u32(&mut head)?;
    let len = take_u32(&mut head)? as usize;
    let (kind, rest) = head.split_first()?;
    let kind = match kind {
        0 => Kind::Exchange,
        1 => Kind::Account,
        _ => return None,
    };
    if len > MAX_PART_BYTES || part >= parts {
        return None;
    }
    let payload = rest.get(..len)?;
    let whole = crc32fast::hash(proved.get(..HEAD_BYTES - 8 + len)?) == sum;
    whole.then_some(Frame { seq, at_millis, part, parts, kind, bytes: payload })
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*number))
}

fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*number))
}

/// An item that is put together from its frames, which come in order.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    begun: Option<(Begun, BytesMut)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Begun {
    seq: u64,
    at_millis: u64,
    kind: Kind,
    parts: u32,
    next: u32,
}

/// What a frame made of an [`Assembly`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Assembled {
    /// More frames are to come.
    Begun,
    /// An item is whole.
    Whole(Item),
    /// The frame does not follow the one before it.
    Broken,
}

impl Assembly {
    /// Takes the next frame.
    pub(super) fn add(&mut self, frame: &Frame<'_>) -> Assembled {
        let Frame { seq, at_millis, part, parts, kind, bytes } = *frame;
        if part == 0 {
            if parts == 1 {
                self.begun = None;
                return Assembled::Whole(Item { seq, at_millis, kind, bytes: Bytes::copy_from_slice(bytes) });
            }
            self.begun = Some((Begun { seq, at_millis, kind, parts, next: 1 }, BytesMut::from(bytes)));
            return Assembled::Begun;
        }
        let follows = Begun { seq, at_millis, kind, parts, next: part };
        match self.begun.take() {
            Some((begun, mut gathered)) if begun == follows => {
                gathered.extend_from_slice(bytes);
                if part + 1 == parts {
                    return Assembled::Whole(Item { seq, at_millis, kind, bytes: gathered.freeze() });
                }
                self.begun = Some((Begun { next: part + 1, ..begun }, gathered));
                Assembled::Begun
            }
            _ => Assembled::Broken,
        }
    }
}

/// How many numbers a range holds.
pub(super) fn count(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(bytes: impl Into<Bytes>) -> Item {
        Item { seq: 7, at_millis: 8, kind: Kind::Exchange, bytes: bytes.into() }
    }

    fn frames(item: &Item) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        write(item, &mut Vec::new(), |frame| {
            frames.push(frame.to_vec());
            Ok::<(), ()>(())
        })
        .expect("a vector takes all");
        frames
    }

    fn whole(frames: &[Vec<u8>]) -> Vec<Item> {
        let mut assembly = Assembly::default();
        let mut items = Vec::new();
        for frame in frames {
            if let Assembled::Whole(item) = assembly.add(&read(frame).expect("a whole frame")) {
                items.push(item);
            }
        }
        items
    }

    #[test]
    fn an_item_comes_back_as_it_was_at_each_bound() {
        for len in [0, 1, MAX_PART_BYTES - 1, MAX_PART_BYTES, MAX_PART_BYTES + 1, 3 * MAX_PART_BYTES] {
            let item = item(vec![b'x'; len]);

            let frames = frames(&item);

            assert_eq!(frames.len(), parts_of(len), "{len}");
            assert!(frames.iter().all(|frame| frame.len() <= MAX_FRAME_BYTES));
            assert_eq!(whole(&frames), [item], "{len}");
        }
    }

    #[test]
    fn what_follows_a_frame_does_not_matter() {
        let mut bytes = frames(&item("{}")).remove(0);
        bytes.extend_from_slice(b"whatever");

        assert_eq!(read(&bytes).map(|frame| frame.bytes), Some(&b"{}"[..]));
    }

    #[test]
    fn a_frame_with_any_bit_changed_is_none() {
        let bytes = frames(&item("{\"a\":1}")).remove(0);

        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);

            assert_eq!(read(&changed), None, "bit {bit}");
        }
    }

    #[test]
    fn a_torn_frame_is_none() {
        let bytes = frames(&item("{}")).remove(0);

        for len in 0..bytes.len() {
            assert_eq!(read(&bytes[..len]), None);
        }
    }

    #[test]
    fn parts_of_different_items_make_no_item() {
        let long = item(vec![b'x'; 3 * MAX_PART_BYTES]);
        let other = Item { seq: 8, ..long.clone() };
        let mut mixed = frames(&long);
        mixed[1] = frames(&other).remove(1);

        assert_eq!(whole(&mixed), []);
    }

    #[test]
    fn an_item_with_a_part_missing_is_no_item() {
        let long = item(vec![b'x'; 3 * MAX_PART_BYTES]);
        let mut frames = frames(&long);
        frames.remove(1);

        assert_eq!(whole(&frames), []);
    }
}
