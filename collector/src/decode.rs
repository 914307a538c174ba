//! Compressed bodies inside an exchange: base64 in `meta`, back into text in `body`.
//!
//! The filter keeps the bytes of a compressed body as they came (`meta.requestBody.base64`), for it has no time to
//! unpack them inside a proxy. Here they are unpacked under a limit. If the result is text it moves into `body`, the
//! base64 goes, `decoded: true` stays; the headers stay as they were. Whatever cannot be unpacked is left to the
//! [wall](crate::wall), which leaves it out, for nobody knows what is in it; it is counted here.

use std::io::{self, Read};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use serde::Serialize;
use serde_json::{Map, Value};
use tributary_http_types::{Fields, HttpExchange};

use crate::gzip::Members;

/// Codings that are undone one after the other for one body, at most.
const MAX_CODINGS: usize = 4;

/// log2 of the largest zstd window: 8 MiB, what RFC 8878 §3.1.1.1.2 tells decoders to support.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// What became of the compressed bodies of some lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct DecodeCounts {
    /// Now text in `body`.
    pub decoded: u64,
    /// Left: not what its `content-encoding` says.
    pub left_corrupt: u64,
    /// Left: larger than allowed when unpacked.
    pub left_too_large: u64,
    /// Left: unpacked, but not text.
    pub left_not_text: u64,
    /// Left: a coding that is not known here.
    pub left_unknown: u64,
}

impl DecodeCounts {
    /// Adds the counts of other lines.
    pub(crate) fn add(&mut self, other: DecodeCounts) {
        self.decoded += other.decoded;
        self.left_corrupt += other.left_corrupt;
        self.left_too_large += other.left_too_large;
        self.left_not_text += other.left_not_text;
        self.left_unknown += other.left_unknown;
    }

    fn count(&mut self, left: Left) {
        match left {
            Left::Corrupt => self.left_corrupt += 1,
            Left::TooLarge => self.left_too_large += 1,
            Left::NotText => self.left_not_text += 1,
            Left::Unknown => self.left_unknown += 1,
        }
    }
}

/// Why a body is left as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Corrupt,
    TooLarge,
    NotText,
    Unknown,
}

/// Whether the bytes are a whole body, or the first part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Whole,
    Beginning,
}

/// Unpacks the compressed bodies of an exchange; whether there was one that could be.
///
/// `max_bytes`: of one unpacked body. `allowance`: bytes that all bodies of a post may still become; reduced by what
/// is unpacked here, and a body over it is left as too large.
pub(crate) fn decode_exchange(
    exchange: &mut HttpExchange,
    max_bytes: usize,
    allowance: &mut usize,
    counts: &mut DecodeCounts,
) -> bool {
    let Some(meta) = exchange.meta.as_mut() else { return false };
    let mut decode = |counts: &mut DecodeCounts, body: &mut Option<String>, headers: &Option<Fields>, key: &str| {
        let Some(facts) = meta.get_mut(key).and_then(Value::as_object_mut) else { return false };
        match decode_body(facts, headers.as_ref(), max_bytes.min(*allowance)) {
            None => false,
            Some(Ok(text)) => {
                *allowance -= text.len().min(*allowance);
                *body = Some(text);
                facts.remove("base64");
                facts.insert("decoded".to_owned(), Value::Bool(true));
                counts.decoded += 1;
                true
            }
            Some(Err(left)) => {
                counts.count(left);
                false
            }
        }
    };
    let request = decode(counts, &mut exchange.request.body, &exchange.request.headers, "requestBody");
    let response = match &mut exchange.response {
        Some(response) => decode(counts, &mut response.body, &response.headers, "responseBody"),
        None => false,
    };
    request || response
}

/// `None`: nothing to unpack here (no base64, or no coding).
fn decode_body(facts: &Map<String, Value>, headers: Option<&Fields>, max_bytes: usize) -> Option<Result<String, Left>> {
    let base64 = facts.get("base64")?.as_str()?;
    let codings: Vec<&str> = headers?
        .all("content-encoding")
        .iter()
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
        .collect();
    if codings.is_empty() {
        return None;
    }
    let truncated = facts.get("truncated").and_then(Value::as_bool).unwrap_or(false);
    let extent = if truncated { Extent::Beginning } else { Extent::Whole };
    Some(unpack(base64, &codings, extent, max_bytes).and_then(|bytes| into_text(bytes, extent)))
}

fn unpack(base64: &str, codings: &[&str], extent: Extent, max_bytes: usize) -> Result<Vec<u8>, Left> {
    let codings: Vec<Coding> =
        codings.iter().map(|name| Coding::named(name)).collect::<Option<_>>().ok_or(Left::Unknown)?;
    if codings.len() > MAX_CODINGS {
        return Err(Left::Unknown);
    }
    let mut bytes = STANDARD.decode(base64).map_err(|_| Left::Corrupt)?;
    // RFC 9110 §8.4: listed in the order in which they were applied.
    for coding in codings.iter().rev() {
        bytes = coding.undo(&bytes, extent, max_bytes)?;
    }
    Ok(bytes)
}

fn into_text(bytes: Vec<u8>, extent: Extent) -> Result<String, Left> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        // A character cut by the end of a cut body.
        Err(error) if extent == Extent::Beginning && error.utf8_error().error_len().is_none() => {
            let whole = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(whole);
            String::from_utf8(bytes).map_err(|_| Left::NotText)
        }
        Err(_) => Err(Left::NotText),
    }
}

/// The content codings of RFC 9110 §8.4.1, RFC 7932 and RFC 8878.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    fn named(name: &str) -> Option<Coding> {
        match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Coding::Gzip),
            "deflate" => Some(Coding::Deflate),
            "br" => Some(Coding::Brotli),
            "zstd" => Some(Coding::Zstd),
            _ => None,
        }
    }

    fn undo(self, packed: &[u8], extent: Extent, max_bytes: usize) -> Result<Vec<u8>, Left> {
        match self {
            Coding::Gzip => read_limited(Members::new(packed), extent, max_bytes),
            // Meant is the zlib format, but raw deflate is found in the wild too (RFC 9110 §8.4.1.2, note).
            Coding::Deflate => match read_limited(flate2::read::ZlibDecoder::new(packed), extent, max_bytes) {
                Err(Left::Corrupt) => read_limited(flate2::read::DeflateDecoder::new(packed), extent, max_bytes),
                other => other,
            },
            Coding::Brotli => undo_brotli(packed, extent, max_bytes),
            Coding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(|_| Left::Corrupt)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|_| Left::Corrupt)?;
                read_limited(decoder, extent, max_bytes)
            }
        }
    }
}

/// Not by the crate's `Read`: that one gives the same error for an early end as for broken data.
fn undo_brotli(packed: &[u8], extent: Extent, max_bytes: usize) -> Result<Vec<u8>, Left> {
    let alloc = StandardAlloc::default;
    // Strict: the windows of RFC 7932, 16 MiB at most, not those of "large window brotli".
    let mut state = BrotliState::new_strict(alloc(), alloc(), alloc());
    let (mut in_left, mut in_at, mut total) = (packed.len(), 0, 0);
    let mut out = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let (mut out_left, mut out_at) = (chunk.len(), 0);
        let result = BrotliDecompressStream(
            &mut in_left,
            &mut in_at,
            packed,
            &mut out_left,
            &mut out_at,
            &mut chunk,
            &mut total,
            &mut state,
        );
        out.extend_from_slice(chunk.get(..out_at).unwrap_or_default());
        if out.len() > max_bytes {
            return Err(Left::TooLarge);
        }
        return match result {
            BrotliResult::NeedsMoreOutput => continue,
            BrotliResult::ResultSuccess if in_left == 0 => Ok(out),
            BrotliResult::NeedsMoreInput if extent == Extent::Beginning && !out.is_empty() => Ok(out),
            _ => Err(Left::Corrupt),
        };
    }
}

/// Reads to the end, at most `max_bytes`. Of the beginning of a body an early end is no error: what came before it is
/// what there is.
fn read_limited(mut from: impl Read, extent: Extent, max_bytes: usize) -> Result<Vec<u8>, Left> {
    let mut out = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => {
                out.extend_from_slice(chunk.get(..count).unwrap_or_default());
                if out.len() > max_bytes {
                    return Err(Left::TooLarge);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if extent == Extent::Beginning && is_early_end(&error) && !out.is_empty() => break,
            Err(_) => return Err(Left::Corrupt),
        }
    }
    Ok(out)
}

fn is_early_end(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}

#[cfg(test)]
mod tests;
