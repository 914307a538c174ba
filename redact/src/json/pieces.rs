//! What stands between two values of a JSON text: punctuation, spaces and harmless keys.
//!
//! Objects in a row have the same keys in the same order, so the piece that comes is mostly one of those that followed the
//! last one before, and one comparison tells so. A piece that comes otherwise is read as if there were no such list.

use std::ops::Range;

use crate::memo::is_same;

/// A piece begins and ends at the quote of a string, or elsewhere: behind or before a number or a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// The quote belongs to the piece.
    Quote,
    Bare,
}

/// The bytes that are compared together.
const WINDOW: usize = 16;

/// See the module.
#[derive(Clone, Copy)]
pub(super) struct Piece<'t> {
    /// Its first bytes, and what stands behind them if it has fewer.
    window: &'t [u8; WINDOW],
    place: usize,
    pub(super) len: usize,
    start: Edge,
    pub(super) end: Edge,
    /// Those that followed it, the newest first.
    next: [u8; 2],
}

impl Piece<'_> {
    const EMPTY: Piece<'static> =
        Piece { window: &[0; WINDOW], place: 0, len: 0, start: Edge::Bare, end: Edge::Bare, next: [Pieces::NONE; 2] };

    /// Whether it stands there, where this window is.
    fn stands_at(&self, text: &[u8], window: &[u8; WINDOW], at: usize, start: Edge) -> bool {
        let alike = alike_len(self.window, window);
        self.start == start && (alike >= self.len || alike == WINDOW && self.is_at(text, at))
    }

    #[inline(never)]
    fn is_at(&self, text: &[u8], at: usize) -> bool {
        let bytes = |at: usize| text.get(at..at.saturating_add(self.len));
        bytes(at).zip(bytes(self.place)).is_some_and(|(one, other)| is_same(one, other))
    }
}

/// The pieces of one text, in the order in which they came first.
pub(super) struct Pieces<'t> {
    text: &'t [u8],
    known: [Piece<'t>; Pieces::MOST],
    count: u8,
    /// The one that came last.
    last: u8,
}

impl<'t> Pieces<'t> {
    /// A text of more pieces has the rest of them read each time.
    const MOST: usize = 24;
    const NONE: u8 = u8::MAX;

    pub(super) fn of(text: &'t [u8]) -> Pieces<'t> {
        Pieces { text, known: [Piece::EMPTY; Pieces::MOST], count: 0, last: Pieces::NONE }
    }

    /// The piece that begins here, if it is one that followed the last.
    pub(super) fn expected(&mut self, at: usize, start: Edge) -> Option<&Piece<'t>> {
        let window = self.text.get(at..)?.first_chunk()?;
        let [newer, older] = self.known.get(usize::from(self.last))?.next;
        for next in [newer, older] {
            let piece = self.known.get(usize::from(next))?;
            if piece.stands_at(self.text, window, at, start) {
                self.last = next;
                return Some(piece);
            }
        }
        None
    }

    /// A piece came that was not expected.
    pub(super) fn came(&mut self, place: Range<usize>, [start, end]: [Edge; 2]) {
        let index = self.index_of(place, start, end).unwrap_or(Pieces::NONE);
        if let Some(Piece { next, .. }) = self.known.get_mut(usize::from(self.last))
            && index != Pieces::NONE
            && !next.contains(&index)
        {
            let [newer, _] = *next;
            *next = [index, newer];
        }
        self.last = index;
    }

    fn index_of(&mut self, place: Range<usize>, start: Edge, end: Edge) -> Option<u8> {
        let window = self.text.get(place.start..)?.first_chunk()?;
        let (len, place) = (place.len(), place.start);
        let known = self.known.get(..usize::from(self.count))?;
        // The same bytes end alike: only a quote that opens a string is the last of them.
        let is_it = |piece: &Piece<'_>| piece.len == len && piece.stands_at(self.text, window, place, start);
        if let Some(index) = known.iter().position(is_it) {
            return u8::try_from(index).ok();
        }
        // An empty one would stand everywhere, and after a quote alone the colon of a key may come.
        let bytes = self.text.get(place..place.saturating_add(len))?.get(usize::from(start == Edge::Quote)..)?;
        let is_kept = !bytes.iter().all(u8::is_ascii_whitespace);
        let free = self.known.get_mut(usize::from(self.count)).filter(|_| is_kept)?;
        *free = Piece { window, place, len, start, end, ..Piece::EMPTY };
        self.count = self.count.saturating_add(1);
        Some(self.count.saturating_sub(1))
    }
}

/// How many bytes are alike up to the first that is not.
fn alike_len(one: &[u8; WINDOW], other: &[u8; WINDOW]) -> usize {
    ((u128::from_le_bytes(*one) ^ u128::from_le_bytes(*other)).trailing_zeros() / u8::BITS) as usize
}
