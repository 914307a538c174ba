//! How long a line gets, known before it is written: for a writer whose memory is bounded.

use super::ExchangeRef;
use crate::{BodyRef, Shown};

/// What a line has beside the texts of its exchange: keys, times, numbers, quotes, `redactions`.
const FRAME_BYTES: usize = 2_048;

/// What a pair has beside its texts: quotes, colon, comma, brackets.
const PAIR_BYTES: usize = 8;

/// What a byte becomes at most: `\u0001`.
const LONGEST_ESCAPE: usize = 6;

impl ExchangeRef<'_> {
    /// Whether the line certainly takes no more than `room` bytes.
    ///
    /// It costs a sum for nearly every exchange, and a look at each byte only where escapes decide.
    pub fn fits(&self, room: usize) -> bool {
        let longest = |bytes: &[u8]| bytes.len().saturating_mul(LONGEST_ESCAPE);
        self.bound(longest, |body| longest(held(body))) <= room || self.bound(escaped, body_len) <= room
    }

    /// At least the bytes of the line, where `text` gives those of a text without its quotes, `body` those of a body.
    fn bound(&self, text: impl Fn(&[u8]) -> usize, body: impl Fn(BodyRef<'_>) -> usize) -> usize {
        let response = self.response.as_ref();
        // It stands there as `path`, as `pathname`, and decoded as `query`: `%01` is six bytes again, `a&` is `"a":"",`.
        let path = self.request.path;
        let pairs_of_query = path.iter().filter(|byte| **byte == b'&').count().saturating_add(1);
        let in_path = text(path).saturating_mul(4).saturating_add(pairs_of_query.saturating_mul(PAIR_BYTES));
        let pairs = [
            self.request.headers,
            response.map_or(&[][..], |response| response.headers),
            self.meta.request_trailers,
            self.meta.response_trailers,
        ];
        let in_pairs = pairs.into_iter().flatten().map(|(name, value)| text(name).saturating_add(text(value)));
        let in_pairs = in_pairs.fold(0usize, |sum, len| sum.saturating_add(len).saturating_add(PAIR_BYTES));
        let in_bodies = response.map_or(0, |response| body(response.body)).saturating_add(body(self.request.body));
        let in_facts = self.facts().into_iter().flatten().fold(0usize, |sum, fact| sum.saturating_add(text(fact)));
        [in_path, in_pairs, in_bodies, in_facts].into_iter().fold(FRAME_BYTES, usize::saturating_add)
    }

    /// Host and texts of `meta`; the source twice, for it stands in `id` too.
    fn facts(&self) -> [Option<&[u8]>; 10] {
        let meta = &self.meta;
        [
            Some(self.request.host),
            Some(meta.source.as_bytes()),
            Some(meta.source.as_bytes()),
            Some(meta.response_flags.as_bytes()),
            meta.http_version,
            meta.client_address,
            meta.upstream_address,
            meta.cluster,
            meta.route,
            meta.code_details,
        ]
    }
}

/// What is held of a body for the line, as bytes.
fn held(body: BodyRef<'_>) -> &[u8] {
    match body.shown {
        Shown::Kept => body.kept,
        Shown::Masked(bytes) => bytes,
        Shown::Withheld(_) => &[],
    }
}

fn body_len(body: BodyRef<'_>) -> usize {
    let written = body.written();
    match written.text {
        Some(shown) => escaped(shown.as_bytes()),
        None => written.packed.len().div_ceil(3).saturating_mul(4),
    }
}

/// The bytes of a text when it is escaped, or a few more.
fn escaped(bytes: &[u8]) -> usize {
    let is_text = std::str::from_utf8(bytes).is_ok();
    let len = |byte: &u8| match byte {
        ..0x20 => LONGEST_ESCAPE,
        b'"' | b'\\' => 2,
        // They begin U+0085, U+2028, U+2029 and many that are not escaped.
        0xC2 | 0xE2 if is_text => 5,
        // Latin-1; there 0x85 is U+0085.
        0x85 if !is_text => LONGEST_ESCAPE,
        0x80.. if !is_text => 2,
        _ => 1,
    };
    bytes.iter().map(len).fold(0, usize::saturating_add)
}
