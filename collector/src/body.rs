//! The body of a post: read and unpacked, under limits of size and time.

use std::{io::Read, time::Duration};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

use crate::{budget::Held, error::Refusal, post::Encoding};

/// log2 of the largest zstd window taken: 8 MiB, what RFC 8878 §3.1.1.1.2 tells decoders to support.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Bodies up to this many bytes are unpacked on the spot; a larger one goes to a thread that may be busy.
pub(crate) const SMALL_BYTES: usize = 256 * 1024;

/// The bounds of one body.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Bytes as sent.
    pub max_encoded_bytes: usize,
    /// Bytes when unpacked.
    pub max_decoded_bytes: usize,
    /// From the head of the request to the last byte of its body.
    pub timeout: Duration,
}

/// Reads a body to its end. Every byte is taken from the budget before it is kept.
///
/// # Errors
/// - [`Refusal::BodyTooLarge`]: over the limit, told by its length or by its bytes.
/// - [`Refusal::SlowBody`], [`Refusal::Body`]: it did not come in time, or broke off.
/// - [`Refusal::Busy`]: no room for it at the moment.
pub(crate) async fn read(
    body: &mut Body,
    length: Option<u64>,
    limits: &BodyLimits,
    held: &mut Held,
) -> Result<Bytes, Refusal> {
    let limit = limits.max_encoded_bytes;
    if length.is_some_and(|length| length > limit as u64) {
        return Err(Refusal::BodyTooLarge { limit });
    }
    match tokio::time::timeout(limits.timeout, read_all(body, limit, held)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::SlowBody),
    }
}

async fn read_all(body: &mut Body, limit: usize, held: &mut Held) -> Result<Bytes, Refusal> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::Body("broke off"))?;
        // Trailers mean nothing here.
        let Ok(chunk) = frame.into_data() else { continue };
        if first.len() + all.len() + chunk.len() > limit {
            return Err(Refusal::BodyTooLarge { limit });
        }
        if !held.take(chunk.len()) {
            return Err(Refusal::Busy { lines: 0 });
        }
        match (first.is_empty(), all.is_empty()) {
            // A body of one chunk is never copied.
            (true, true) => first = chunk,
            (false, _) => {
                all.reserve(first.len() + chunk.len());
                all.extend_from_slice(&std::mem::take(&mut first));
                all.extend_from_slice(&chunk);
            }
            (true, false) => all.extend_from_slice(&chunk),
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// Reads what is left of a body that nobody wants, so that its sender gets to read the reply instead of a reset.
/// At most `max_bytes`, and not for long.
pub(crate) async fn discard(body: &mut Body, max_bytes: usize) {
    const NOT_LONGER_THAN: Duration = Duration::from_secs(1);
    let drain = async {
        let mut left = max_bytes;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // Too slow is no error: nobody waits for these bytes.
    let _ = tokio::time::timeout(NOT_LONGER_THAN, drain).await;
}

/// Undoes the encoding of a whole body.
///
/// # Errors
/// - [`Refusal::UnpackedTooLarge`], [`Refusal::Busy`]: no room for it, ever or now.
/// - [`Refusal::Body`]: not what it says it is.
pub(crate) fn unpack(body: Bytes, encoding: Encoding, limits: &BodyLimits, held: &mut Held) -> Result<Bytes, Refusal> {
    let limit = limits.max_decoded_bytes;
    match encoding {
        Encoding::Identity if body.len() > limit => Err(Refusal::UnpackedTooLarge { limit }),
        Encoding::Identity => Ok(body),
        Encoding::Gzip => read_unpacked(flate2::read::MultiGzDecoder::new(&*body), limit, held, "not gzip"),
        Encoding::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(&*body);
            let mut decoder = decoder.map_err(|_| Refusal::Body("not zstd"))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|_| Refusal::Body("not zstd"))?;
            read_unpacked(decoder, limit, held, "not zstd, or of a window over 8 MiB")
        }
    }
}

fn read_unpacked(mut from: impl Read, limit: usize, held: &mut Held, wrong: &'static str) -> Result<Bytes, Refusal> {
    let mut out = Vec::new();
    let mut chunk = vec![0; 32 * 1024];
    loop {
        let count = from.read(&mut chunk).map_err(|_| Refusal::Body(wrong))?;
        if count == 0 {
            return Ok(out.into());
        }
        if out.len() + count > limit {
            return Err(Refusal::UnpackedTooLarge { limit });
        }
        if !held.take(count) {
            return Err(Refusal::Busy { lines: 0 });
        }
        out.extend_from_slice(chunk.get(..count).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests;
