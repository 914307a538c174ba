//! The parts of a JSON text in which nothing is secret, passed over without keeping track of more than the depth.
//!
//! It goes on while keys are harmless, strings are plain and the rest is numbers and constants, and stops before anything
//! else: the walk takes that one up, with all its rules, and comes back here behind it.

use crate::{
    json::{Sign, sign_of},
    masker::Masker,
    names::{Field, Judged},
};

/// Where it stopped, and how deep.
pub(super) struct Skimmed {
    pub(super) at: usize,
    pub(super) depth: usize,
}

/// No card number is shorter.
const FEWEST_OF_CARD: usize = 14;

impl Masker<'_, '_> {
    /// Passes over what may be passed over from `at` on, where no key waits for its value and nothing above is secret.
    pub(super) fn skim(&self, text: &[u8], at: usize, depth: usize) -> Skimmed {
        let mut skimmed = Skimmed { at, depth };
        while let Some(byte) = text.get(skimmed.at) {
            let next = match byte {
                b'"' => self.behind_plain_string(text, skimmed.at),
                b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' => Some(skimmed.at.saturating_add(1)),
                b'{' | b'[' => {
                    skimmed.depth = skimmed.depth.saturating_add(1);
                    Some(skimmed.at.saturating_add(1))
                }
                b'}' | b']' => {
                    skimmed.depth = skimmed.depth.saturating_sub(1);
                    Some(skimmed.at.saturating_add(1))
                }
                _ => behind_bare(text, skimmed.at),
            };
            let Some(next) = next else { break };
            skimmed.at = next;
        }
        skimmed
    }

    /// Behind a plain string, and behind the colon if it is a harmless key; `None`: it is neither.
    fn behind_plain_string(&self, text: &[u8], at: usize) -> Option<usize> {
        let start = at.saturating_add(1);
        let stop = start.saturating_add(self.plain_string_len(text, start)?);
        let behind = stop.saturating_add(1);
        let Some(value) = behind_colon(text, behind) else { return Some(behind) };
        let judged = self.rules.names.judge(text.get(start..stop)?, Field::Json);
        (judged == Judged::HARMLESS).then_some(value)
    }
}

/// Behind the colon that follows, spaces or none before it; `None`: none follows.
pub(super) fn behind_colon(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match text.get(at)? {
            b':' => return Some(at.saturating_add(1)),
            space if space.is_ascii_whitespace() => at = at.saturating_add(1),
            _ => return None,
        }
    }
}

/// Behind a number or a constant; `None`: it is neither, or as long as a card number, or the end of the text.
fn behind_bare(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let near = rest.get(..FEWEST_OF_CARD).unwrap_or(rest);
    let len = near.iter().position(|byte| sign_of(*byte) == Sign::Ends)?;
    let token = near.get(..len)?;
    let is_number = || super::is_number(token);
    (matches!(token, b"true" | b"false" | b"null") || is_number()).then(|| at.saturating_add(len))
}
