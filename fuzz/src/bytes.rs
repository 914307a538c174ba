//! Bytes: what a broken sender, a bad line or an attacker does to a file.

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

/// The most edits of one seed.
const MAX_EDITS: usize = 8;

/// The longest thing that is made, in bytes: repeating must not grow without bound.
const MAX_LEN: usize = 64 * 1024;

/// One of the seeds after up to eight edits: bits and bytes changed, pieces taken out, doubled, cut off, or put in from
/// another seed, from `words`, or from nowhere. One in nine is left as it is.
pub fn bytes(seeds: Vec<Vec<u8>>, words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> + Clone {
    let words = if words.is_empty() { &[""] } else { words };
    let edit = edit(seeds.clone(), words);
    (select(seeds), vec(edit, 0..=MAX_EDITS)).prop_map(|(seed, edits)| {
        edits.iter().fold(seed, |mut bytes, edit| {
            edit.apply(&mut bytes);
            bytes.truncate(MAX_LEN);
            bytes
        })
    })
}

#[derive(Clone, Debug)]
enum Edit {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Cut(Index),
    Splice(Index, Vec<u8>, Index, usize),
}

fn edit(seeds: Vec<Vec<u8>>, words: &'static [&'static str]) -> impl Strategy<Value = Edit> + Clone {
    let at = any::<Index>;
    // What readers trip over: ends of lines and texts, bytes that are no UTF-8, the ends of its ranges.
    let telling =
        select(vec![0, b'\n', b'\r', b'\t', b' ', b'"', b'\\', b'{', b'[', b',', 0x1b, 0x7f, 0x80, 0xc0, 0xff]);
    let word = select(words).prop_map(|word| word.as_bytes().to_vec());
    let len = prop_oneof![4 => 1usize..8, 1 => 1usize..400];
    prop_oneof![
        3 => (at(), 0u8..8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        3 => (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        4 => (at(), telling).prop_map(|(at, byte)| Edit::Insert(at, vec![byte])),
        4 => (at(), word).prop_map(|(at, word)| Edit::Insert(at, word)),
        1 => (at(), vec(any::<u8>(), 1..20)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        3 => (at(), len.clone()).prop_map(|(at, len)| Edit::Remove(at, len)),
        2 => (at(), len.clone(), 1usize..16).prop_map(|(at, len, times)| Edit::Repeat(at, len, times)),
        1 => at().prop_map(Edit::Cut),
        2 => (at(), select(seeds), any::<Index>(), len).prop_map(|(at, other, from, len)| Edit::Splice(at, other, from, len)),
    ]
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let place = |at: &Index| at.index(bytes.len() + 1);
        match self {
            Edit::Flip(at, bit) => {
                let at = place(at);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit);
            }
            Edit::Set(at, new) => {
                let at = place(at);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte = *new);
            }
            Edit::Insert(at, new) => insert(bytes, place(at), new),
            Edit::Remove(at, len) => {
                let range = piece(bytes, place(at), *len);
                bytes.drain(range);
            }
            Edit::Repeat(at, len, times) => {
                let range = piece(bytes, place(at), *len);
                let repeated = bytes.get(range.clone()).unwrap_or_default().repeat(*times);
                insert(bytes, range.end, &repeated);
            }
            Edit::Cut(at) => bytes.truncate(place(at)),
            Edit::Splice(at, other, from, len) => {
                let range = piece(other, from.index(other.len() + 1), *len);
                insert(bytes, place(at), other.get(range).unwrap_or_default());
            }
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    bytes.splice(at..at, new.iter().copied());
}

fn piece(bytes: &[u8], at: usize, len: usize) -> std::ops::Range<usize> {
    at..bytes.len().min(at.saturating_add(len))
}

#[cfg(test)]
mod tests {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};

    use super::*;

    #[test]
    fn every_edit_keeps_within_bounds_and_most_change_something() {
        let seeds = vec![b"{\"a\":1}".to_vec(), Vec::new()];
        let strategy = bytes(seeds.clone(), &["word"]);
        let mut runner = TestRunner::deterministic();

        let made: Vec<_> = (0..2_000).map(|_| strategy.new_tree(&mut runner).expect("a tree").current()).collect();

        assert!(made.iter().all(|bytes| bytes.len() <= MAX_LEN));
        let unchanged = made.iter().filter(|bytes| seeds.contains(bytes)).count();
        assert!((50..1_000).contains(&unchanged), "{unchanged}");
    }
}
