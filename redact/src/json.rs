//! JSON, masked by its keys at any depth, without a tree: it works on the beginning of a text too.
//!
//! What is no secret keeps its bytes: spaces, escapes, numbers as written, keys that stand twice. Below a sensitive key
//! each string and number becomes a string, `true`, `false` and `null` stay, objects and arrays keep their shape. A
//! string before a colon is a key, so no stack is needed and depth is only a number. Several values one behind the other
//! (NDJSON) are read as they come.

mod pieces;
mod skim;

use std::ops::Range;

use crate::{
    encoding::{json_escaped, json_unescaped},
    masker::{End, Masked, Masker, is_masked},
    names::{Field, Judged, Verdict},
    text::{FEWEST_BYTES, comment_len},
};
use pieces::Pieces;

/// Whether a text was JSON, as far as it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    Json,
    /// Something that is no JSON stood between.
    Broken,
}

/// Where the walk is.
struct Walk {
    at: usize,
    stop: usize,
    end: End,
    depth: usize,
    /// Everything deeper than this is secret.
    below: Option<usize>,
    /// The judgement on the key that was read last.
    key: Judged,
    /// An array under a key whose texts are secret: its depth, the judgement.
    array: Option<(usize, Judged)>,
    syntax: Syntax,
}

impl Walk {
    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    /// Whether nothing that was read before says anything of what comes.
    fn is_idle(&self) -> bool {
        self.below.is_none() && self.array.is_none() && self.key == Judged::HARMLESS
    }

    fn open(&mut self, bracket: u8) {
        match self.key.verdict {
            Verdict::All if self.below.is_none() => self.below = Some(self.depth),
            Verdict::Text if bracket == b'[' => self.array = Some((self.depth.saturating_add(1), self.key)),
            _ => (),
        }
        self.key = Judged::HARMLESS;
        self.depth = self.depth.saturating_add(1);
        self.step();
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.below = self.below.filter(|below| *below < self.depth);
        self.array = self.array.filter(|(depth, _)| *depth <= self.depth);
        self.key = Judged::HARMLESS;
        self.step();
    }

    /// The judgement on the value that stands here.
    fn value(&mut self) -> Judged {
        let key = std::mem::replace(&mut self.key, Judged::HARMLESS);
        if self.below.is_some() {
            return Judged::ALL;
        }
        match self.array {
            Some((depth, judged)) if depth == self.depth && key == Judged::HARMLESS => judged,
            _ => key,
        }
    }
}

impl Masker<'_, '_> {
    /// The whole source as JSON; if it is none, also as a text.
    pub(crate) fn json_or_text(mut self, end: End) -> Option<Masked> {
        let whole = 0..self.source.len();
        let syntax = self.json(whole, end);
        if syntax == Syntax::Json {
            return self.finish();
        }
        let again = self.again(self.source);
        let Some(first) = self.finish() else { return again.text(end) };
        match again.again(&first.bytes).text(end) {
            Some(second) => Some(Masked {
                count: first.count.saturating_add(second.count),
                is_too_long: first.is_too_long || second.is_too_long,
                ..second
            }),
            None => Some(first),
        }
    }

    fn text(mut self, end: End) -> Option<Masked> {
        let whole = 0..self.source.len();
        self.scan(whole, end);
        self.finish()
    }

    /// See the module.
    pub(crate) fn json(&mut self, place: Range<usize>, end: End) -> Syntax {
        let mut walk = Walk {
            at: place.start,
            stop: place.end,
            end,
            depth: 0,
            below: None,
            key: Judged::HARMLESS,
            array: None,
            syntax: Syntax::Json,
        };
        let text = self.source.get(..walk.stop).unwrap_or_default();
        let mut pieces = Pieces::of(text);
        loop {
            if walk.is_idle() {
                walk.at = self.skim(text, &mut pieces, walk.at);
            }
            let Some(byte) = text.get(walk.at) else { break };
            match byte {
                b':' => walk.step(),
                space if space.is_ascii_whitespace() => walk.step(),
                b',' => {
                    walk.key = Judged::HARMLESS;
                    walk.step();
                }
                b'{' | b'[' => walk.open(*byte),
                b'}' | b']' => walk.close(),
                b'"' => self.json_string(&mut walk),
                b'/' if self.is_comment(&walk) => self.skip_comment(&mut walk),
                _ => self.json_bare(&mut walk),
            }
        }
        walk.syntax
    }

    fn is_comment(&self, walk: &Walk) -> bool {
        comment_len(self.source.get(walk.at..walk.stop).unwrap_or_default()) > 0
    }

    /// A comment is no JSON, but no value either: the key before it still waits for its value.
    fn skip_comment(&mut self, walk: &mut Walk) {
        let rest = self.source.get(walk.at..walk.stop).unwrap_or_default();
        walk.at = walk.at.saturating_add(comment_len(rest));
        walk.syntax = Syntax::Broken;
    }

    /// A string: a key, or a value.
    fn json_string(&mut self, walk: &mut Walk) {
        let start = walk.at.saturating_add(1);
        let source = self.source.get(..walk.stop).unwrap_or_default();
        let plain = self.plain_string_end(source, start);
        let string = match plain {
            Some(end) => StringLen { len: end.get().saturating_sub(start), is_closed: true, is_escaped: false },
            None => StringLen::of(source.get(start..).unwrap_or_default()),
        };
        let content = start..start.saturating_add(string.len);
        walk.at = content.end.saturating_add(usize::from(string.is_closed));
        let text = self.at(&content);
        if string.is_closed
            && let Some(value) = skim::behind_colon(source, walk.at)
        {
            walk.at = value;
            let name = if string.is_escaped { &json_unescaped(text)[..] } else { text };
            walk.key = self.rules.names.judge(name, Field::Json);
            // A map may have secrets for keys.
            if plain.is_none() {
                self.json_text(content, string, End::Whole);
            }
            return;
        }
        let end = if string.is_closed { End::Whole } else { walk.end };
        let judged = walk.value();
        if judged.verdict == Verdict::Harmless {
            if plain.is_none() {
                self.json_text(content, string, end);
            }
        } else if string.is_escaped {
            self.mask(content, &json_unescaped(text));
        } else {
            self.mask(content, text);
        }
    }

    /// The inside of a string that is judged by what it says.
    fn json_text(&mut self, content: Range<usize>, string: StringLen, end: End) {
        if content.len() < FEWEST_BYTES && end == End::Whole {
            return;
        }
        if string.is_escaped {
            let text = json_unescaped(self.at(&content));
            let _ = self.decoded(content, &text, end, json_escaped);
        } else {
            self.value(content, end);
        }
    }

    /// A number, `true`, `false`, `null`, or what is no JSON.
    fn json_bare(&mut self, walk: &mut Walk) {
        let rest = self.source.get(walk.at..walk.stop).unwrap_or_default();
        let ends = |byte: &u8| sign_of(*byte) == Sign::Ends;
        // At least one: the walk has to get on, whatever stands here.
        let len = rest.iter().position(ends).unwrap_or(rest.len()).max(1);
        let place = walk.at..walk.at.saturating_add(len);
        let token = self.at(&place);
        walk.at = place.end;
        let judged = walk.value();
        if matches!(token, b"true" | b"false" | b"null") {
            return;
        }
        let is_number = is_number(token);
        if !(is_number || walk.end == End::Cut && walk.at == walk.stop) {
            walk.syntax = Syntax::Broken;
        }
        match judged.verdict {
            Verdict::All if !(is_masked(token) || is_number && judged.counts) => self.mask_quoted(place, token),
            // A card number is one without quotes too.
            _ if is_number && self.rules.is_card_number(token) => self.mask_quoted(place, token),
            _ => (),
        }
    }
}

/// The inside of a string, from behind its quote.
#[derive(Clone, Copy)]
struct StringLen {
    len: usize,
    is_closed: bool,
    is_escaped: bool,
}

impl StringLen {
    fn of(rest: &[u8]) -> StringLen {
        let mut is_escaped = false;
        let mut skips = false;
        for (len, byte) in rest.iter().enumerate() {
            match byte {
                _ if skips => skips = false,
                b'"' => return StringLen { len, is_closed: true, is_escaped },
                b'\\' => {
                    is_escaped = true;
                    skips = true;
                }
                _ => (),
            }
        }
        StringLen { len: rest.len(), is_closed: false, is_escaped }
    }
}

/// What may stand in a number, and what ends a value that has no quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Other,
    OfNumber,
    Ends,
}

static SIGNS: [Sign; 256] = {
    let mut signs = [Sign::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::indexing_slicing, reason = "it runs in the compiler, which would say so")]
        match byte as u8 {
            b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E' => signs[byte] = Sign::OfNumber,
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c => signs[byte] = Sign::Ends,
            b',' | b':' | b'{' | b'}' | b'[' | b']' | b'"' => signs[byte] = Sign::Ends,
            _ => (),
        }
        byte = byte.wrapping_add(1);
    }
    signs
};

fn sign_of(byte: u8) -> Sign {
    SIGNS.get(usize::from(byte)).copied().unwrap_or(Sign::Other)
}

fn is_number(token: &[u8]) -> bool {
    token.iter().all(|byte| sign_of(*byte) == Sign::OfNumber) && token.iter().any(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests;
