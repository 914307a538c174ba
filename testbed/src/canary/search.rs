//! The search for secrets in bytes of any kind: as they are, and in every form that a text may have taken on its way.
//!
//! A piece of ten characters of a secret is enough to be found, whatever its case. Forms are undone one inside the other
//! (base64 of gzip of JSON with escapes), four deep.

mod decode;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::secret::{Kind, Secret};

/// A piece of a word that gives it away: by chance it comes once in 10^14 places.
const PIECE: usize = 10;

/// The digits of a card number: all of them, for shorter runs of digits come by chance.
const CARD_DIGITS: usize = 16;

/// How many forms are undone one inside the other.
pub const DEEPEST: usize = 4;

/// Slots of the table that tells most places apart from secrets at once.
const SLOTS: usize = 1 << 20;

/// A secret that was found, and in which form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The label of the secret.
    pub label: String,
    /// What had to be undone to see it, from the outside: `raw`, `base64 > gzip`.
    pub form: String,
    /// A few bytes around it, as far as they are text.
    pub around: String,
}

/// Knows all the secrets, and finds them.
pub struct Searcher {
    labels: Vec<String>,
    pieces: HashMap<[u8; PIECE], usize>,
    cards: HashMap<[u8; CARD_DIGITS], usize>,
    /// A bit for each hash of the first eight bytes of a piece.
    slots: Vec<bool>,
}

impl Searcher {
    /// Looks for these secrets.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Searcher {
        let (mut labels, mut pieces, mut cards) = (Vec::new(), HashMap::new(), HashMap::new());
        let mut slots = vec![false; SLOTS];
        for secret in secrets {
            let index = labels.len();
            labels.push(secret.label().to_owned());
            match secret.kind() {
                Kind::Word => {
                    for piece in secret.whole().as_bytes().windows(PIECE).filter_map(|piece| piece.try_into().ok()) {
                        pieces.insert(piece, index);
                        if let Some(slot) = slots.get_mut(slot_of(&piece)) {
                            *slot = true;
                        }
                    }
                }
                Kind::Card => {
                    cards.extend(secret.whole().as_bytes().try_into().ok().map(|digits| (digits, index)));
                }
            }
        }
        Searcher { labels, pieces, cards, slots }
    }

    /// All secrets in these bytes, each once, with the form in which it was seen first.
    pub fn find(&self, bytes: &[u8]) -> Vec<Found> {
        self.find_within(bytes, DEEPEST)
    }

    /// The same with so many forms undone one inside the other, at most.
    pub fn find_within(&self, bytes: &[u8], deepest: usize) -> Vec<Found> {
        let mut found = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut waiting = vec![(bytes.to_vec(), Vec::<&str>::new())];
        while let Some((bytes, forms)) = waiting.pop() {
            self.look(&bytes, &forms, &mut found);
            if forms.len() < deepest {
                for (form, view) in decode::views(&bytes) {
                    if view.len() >= PIECE && seen.insert(decode::digest(&view)) {
                        let forms = forms.iter().copied().chain([form]).collect();
                        waiting.push((view, forms));
                    }
                }
            }
        }
        let label = |index: usize| self.labels.get(index).cloned().unwrap_or_default();
        found.into_iter().map(|(index, (form, around))| Found { label: label(index), form, around }).collect()
    }

    /// Looks at the bytes as they are.
    fn look(&self, bytes: &[u8], forms: &[&str], found: &mut BTreeMap<usize, (String, String)>) {
        let lower = bytes.to_ascii_lowercase();
        let mut add = |index: usize, at: usize| {
            let form = if forms.is_empty() { "raw".to_owned() } else { forms.join(" > ") };
            found.entry(index).or_insert_with(|| (form, around(bytes, at)));
        };
        for (at, piece) in lower.windows(PIECE).enumerate() {
            let Ok(piece) = piece.try_into() else { continue };
            if self.slots.get(slot_of(&piece)) == Some(&true)
                && let Some(index) = self.pieces.get(&piece)
            {
                add(*index, at);
            }
        }
        if !self.cards.is_empty() {
            for (at, digits) in digit_runs(&lower) {
                for digits in digits.windows(CARD_DIGITS).filter_map(|digits| digits.try_into().ok()) {
                    let digits: [u8; CARD_DIGITS] = digits;
                    if let Some(index) = self.cards.get(&digits) {
                        add(*index, at);
                    }
                }
            }
        }
    }
}

/// A number below [`SLOTS`] from the first eight bytes. Multiplied as in Knuth's multiplicative hashing.
fn slot_of(piece: &[u8; PIECE]) -> usize {
    let [a, b, c, d, e, f, g, h, ..] = *piece;
    let number = u64::from_le_bytes([a, b, c, d, e, f, g, h]).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (number >> 44) as usize
}

/// Runs of digits with their places, as people write them: a space, a dash, a dot or a plus may stand between two digits.
fn digit_runs(bytes: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let (mut runs, mut run, mut start, mut gap) = (Vec::new(), Vec::new(), 0, 0);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                if run.is_empty() {
                    start = at;
                }
                gap = 0;
                run.push(*byte);
            }
            b' ' | b'-' | b'.' | b'+' if gap == 0 => gap = 1,
            _ => runs.push((start, std::mem::take(&mut run))),
        }
    }
    runs.push((start, run));
    runs.retain(|(_, run)| run.len() >= CARD_DIGITS);
    runs
}

/// What stands around a place, for whoever has to find out how it came there.
fn around(bytes: &[u8], at: usize) -> String {
    let piece = bytes.get(at.saturating_sub(60)..bytes.len().min(at + 40)).unwrap_or_default();
    String::from_utf8_lossy(piece).escape_debug().to_string()
}

#[cfg(test)]
mod tests;
