//! The body of a post: read and unpacked, under limits of size and time.

use std::{
    io::{self, Read},
    time::Duration,
};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

use crate::{budget::Held, error::Refusal, gzip::Members, post::Encoding};

/// log2 of the largest zstd window taken: 8 MiB, what RFC 8878 §3.1.1.1.2 tells decoders to support.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Bodies up to this many bytes are unpacked on the spot; a larger one goes to a thread that may be busy.
pub(crate) const SMALL_BYTES: usize = 256 * 1024;

/// Room is made for at most so many times the bytes that are there.
const MOST_AHEAD: usize = 4;

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
    let expected = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    match tokio::time::timeout(limits.timeout, read_all(body, expected, limit, held)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::SlowBody),
    }
}

/// `expected`: bytes by what the head says.
async fn read_all(body: &mut Body, expected: usize, limit: usize, held: &mut Held) -> Result<Bytes, Refusal> {
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
        if first.is_empty() && all.is_empty() {
            // A body of one chunk is never copied.
            first = chunk;
            continue;
        }
        let kept = first.len() + all.len() + chunk.len();
        if kept > all.capacity() {
            // For what is said to come, but a head alone takes no room.
            all.reserve(expected.min(kept.saturating_mul(MOST_AHEAD)).max(kept) - all.len());
        }
        all.extend_from_slice(&std::mem::take(&mut first));
        all.extend_from_slice(&chunk);
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
        Encoding::Gzip => {
            let decoder = || Ok(Members::new(&body));
            Unpacking { limit, wrong: "not gzip" }.all(decoder, held)
        }
        Encoding::Zstd => {
            let wrong = "not zstd, or of a window over 8 MiB";
            let decoder = || {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(&*body)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Ok(decoder)
            };
            Unpacking { limit, wrong }.all(decoder, held)
        }
    }
}

/// How one body is unpacked.
struct Unpacking {
    /// Bytes that it may become.
    limit: usize,
    /// What is said of a body that is not what it seems.
    wrong: &'static str,
}

impl Unpacking {
    /// The whole of it. `decoder` begins anew each time it is called.
    ///
    /// Twice: it is measured before any of it is kept. So a bomb costs time and no memory, and what is kept is as large as
    /// it has to be. Our own filter does not pack its posts; who does saves more on the way than this costs.
    fn all<R: Read>(&self, decoder: impl Fn() -> io::Result<R>, held: &mut Held) -> Result<Bytes, Refusal> {
        let wrong = |_| Refusal::Body(self.wrong);
        let bytes = self.measure(decoder().map_err(wrong)?)?;
        if !held.take(bytes) {
            return Err(Refusal::Busy { lines: 0 });
        }
        let mut out = Vec::with_capacity(bytes);
        decoder().map_err(wrong)?.take(bytes as u64).read_to_end(&mut out).map_err(wrong)?;
        Ok(out.into())
    }

    /// How large it is. Nothing is kept, and no more is read than the limit and a piece.
    fn measure(&self, mut from: impl Read) -> Result<usize, Refusal> {
        let (mut bytes, mut piece) = (0, vec![0; 32 * 1024]);
        loop {
            match from.read(&mut piece).map_err(|_| Refusal::Body(self.wrong))? {
                0 => return Ok(bytes),
                count => bytes += count,
            }
            if bytes > self.limit {
                return Err(Refusal::UnpackedTooLarge { limit: self.limit });
            }
        }
    }
}

#[cfg(test)]
mod tests;
