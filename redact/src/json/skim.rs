//! The parts of a JSON text in which nothing is secret, passed over without keeping track of anything.
//!
//! It goes on while keys are harmless, strings are plain and the rest is numbers and constants, and stops before anything
//! else: the walk takes that one up, with all its rules, and comes back here behind it. How deep a place is says nothing
//! where nothing above it is secret. What is passed over is values, and the [pieces](Pieces) between them.

use std::num::NonZero;

use crate::{
    json::{
        Sign,
        pieces::{Edge, Pieces},
        sign_of,
    },
    masker::Masker,
    names::{Field, Judged},
};

/// No card number is shorter.
const FEWEST_OF_CARD: usize = 14;

/// A value in which nothing is secret.
#[derive(Clone, Copy)]
struct Value {
    /// Behind its opening quote, if it is a string.
    start: usize,
    /// Its closing quote, or behind it.
    end: usize,
    edge: Edge,
}

impl Value {
    /// Where another one may begin, for a piece is read from there on.
    fn none(at: usize) -> Value {
        Value { start: at, end: at, edge: Edge::Bare }
    }

    /// Behind it and its quote.
    fn behind(&self) -> usize {
        self.end.saturating_add(usize::from(self.edge == Edge::Quote))
    }
}

impl Masker<'_, '_> {
    /// Passes over what may be passed over from `at` on, where no key waits for its value and nothing above is secret;
    /// gives where it stopped.
    pub(super) fn skim(&self, text: &[u8], pieces: &mut Pieces<'_>, at: usize) -> usize {
        let mut value = Value::none(at);
        loop {
            while let Some(piece) = pieces.expected(value.end, value.edge) {
                let (start, edge) = (value.end.saturating_add(piece.len), piece.end);
                value = match (self.plain_value_end(text, start, edge), edge) {
                    (Some(end), _) => Value { start, end: end.get(), edge },
                    (None, Edge::Quote) => return start.saturating_sub(1),
                    // Perhaps it is a string, where a number came last time.
                    (None, Edge::Bare) => Value::none(start),
                };
            }
            if value.edge == Edge::Quote
                && let Some(behind) = behind_colon(text, value.behind())
            {
                if !self.is_harmless_key(text, value) {
                    return value.start.saturating_sub(1);
                }
                value = Value::none(behind);
            }
            match self.next_value(text, value.behind()) {
                Ok(next) => {
                    pieces.came(value.end..next.start, [value.edge, next.edge]);
                    value = next;
                }
                Err(stop) => return stop,
            }
        }
    }

    /// The first value from `at` on, behind any harmless keys; or where it had to stop.
    fn next_value(&self, text: &[u8], mut at: usize) -> Result<Value, usize> {
        loop {
            at = match text.get(at).ok_or(at)? {
                b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' | b'{' | b'[' | b'}' | b']' => at.saturating_add(1),
                b'"' => {
                    let string = self.plain_value(text, at.saturating_add(1), Edge::Quote).ok_or(at)?;
                    match behind_colon(text, string.behind()) {
                        None => return Ok(string),
                        Some(value) if self.is_harmless_key(text, string) => value,
                        Some(_) => return Err(at),
                    }
                }
                _ => return self.plain_value(text, at, Edge::Bare).ok_or(at),
            };
        }
    }

    fn is_harmless_key(&self, text: &[u8], key: Value) -> bool {
        let name = text.get(key.start..key.end).unwrap_or_default();
        self.rules.names.judge(name, Field::Json) == Judged::HARMLESS
    }

    fn plain_value(&self, text: &[u8], start: usize, edge: Edge) -> Option<Value> {
        self.plain_value_end(text, start, edge).map(|end| Value { start, end: end.get(), edge })
    }

    /// Where the value ends that begins here, behind its quote if it has one; `None`: a glance is not enough for it.
    #[inline]
    fn plain_value_end(&self, text: &[u8], start: usize, edge: Edge) -> Option<NonZero<usize>> {
        match edge {
            Edge::Quote => self.plain_string_end(text, start),
            Edge::Bare => bare_end(text, start),
        }
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
fn bare_end(text: &[u8], at: usize) -> Option<NonZero<usize>> {
    let rest = text.get(at..)?;
    let len = match rest.first_chunk()? {
        b"true" | b"null" => 4,
        b"fals" if rest.get(4) == Some(&b'e') => 5,
        [b'0'..=b'9', ..] | [b'-', b'0'..=b'9', ..] => {
            let near = rest.get(..FEWEST_OF_CARD).unwrap_or(rest);
            near.iter().position(|byte| sign_of(*byte) != Sign::OfNumber)?
        }
        _ => return None,
    };
    let end = NonZero::new(at.saturating_add(len))?;
    (sign_of(*rest.get(len)?) == Sign::Ends).then_some(end)
}

#[cfg(test)]
mod tests;
