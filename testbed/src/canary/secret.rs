//! Secrets to plant: each is made from its name, so that it is found nowhere else and everybody can make it again.

use crate::random::Random;

/// No hexadecimal digit is among these letters: no digest, no id and no counter of ours can look like a secret.
const LETTERS: &[u8] = b"ghjkmnpqrstvwxyz";

/// Digits that neither look like letters nor make up a number: three of four characters are letters.
const DIGITS: &[u8] = b"23456789";

/// The longest text of a secret, in characters.
pub const LONGEST: usize = 48;

/// What stands in most places: long enough that the half of it that a cut leaves is still found.
pub const USUAL: usize = 24;

/// One secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret {
    label: String,
    kind: Kind,
    text: String,
}

/// What a secret is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Lower-case letters and digits: as much of it as a place needs.
    Word,
    /// The 16 digits of a card that does not exist, right by the check of Luhn.
    Card,
}

impl Secret {
    /// The word that belongs to a label.
    pub fn word(label: impl Into<String>) -> Secret {
        let label = label.into();
        let mut random = Random::seeded(&label, 0);
        let mut letter = |index: usize| {
            let from = if index % 4 == 2 { DIGITS } else { LETTERS };
            char::from(random.pick(from).copied().unwrap_or(b'q'))
        };
        let text = (0..LONGEST).map(&mut letter).collect();
        Secret { label, kind: Kind::Word, text }
    }

    /// The card number that belongs to a label.
    pub fn card(label: impl Into<String>) -> Secret {
        let label = label.into();
        let mut random = Random::seeded(&label, 1);
        let mut digits = vec![4];
        digits.extend((0..14).map(|_| random.below(10)));
        digits.push(luhn_digit(&digits));
        let text = digits.iter().map(u64::to_string).collect();
        Secret { label, kind: Kind::Card, text }
    }

    /// What it belongs to.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What it is made of.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// All of its text: [`LONGEST`] characters of a word, 16 digits of a card.
    pub fn whole(&self) -> &str {
        &self.text
    }

    /// The first characters of its text.
    pub fn first(&self, characters: usize) -> &str {
        self.text.get(..characters).unwrap_or(&self.text)
    }
}

/// The digit that makes these digits right by the check of Luhn (ISO/IEC 7812-1, annex B) when it is put behind them.
fn luhn_digit(digits: &[u64]) -> u64 {
    let doubled = |(index, digit): (usize, &u64)| match index % 2 {
        0 => (digit * 2) / 10 + (digit * 2) % 10,
        _ => *digit,
    };
    let sum: u64 = digits.iter().rev().enumerate().map(doubled).sum();
    (10 - sum % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_two_labels_differ_and_those_of_one_are_the_same() {
        let (one, other) = (Secret::word("one"), Secret::word("other"));

        assert_ne!(one.first(10), other.first(10));
        assert_eq!(one, Secret::word("one"));
        assert_eq!(one.whole().len(), LONGEST);
    }

    #[test]
    fn words_have_no_hexadecimal_letter() {
        let word = Secret::word("x");

        assert!(!word.whole().bytes().any(|byte| (b'a'..=b'f').contains(&byte)), "{word:?}");
    }

    #[test]
    fn known_numbers_have_their_check_digit() {
        // Test numbers that payment providers publish.
        for number in ["4111111111111111", "5555555555554444", "4012888888881881"] {
            let digits: Vec<u64> = number.bytes().map(|byte| u64::from(byte - b'0')).collect();
            let (last, first) = digits.split_last().unwrap();

            assert_eq!(luhn_digit(first), *last, "{number}");
        }
        assert_eq!(Secret::card("x").whole().len(), 16);
    }
}
