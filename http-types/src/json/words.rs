//! Strings escaped eight bytes at a time, in plain 64-bit arithmetic.

use super::escaped_once;

/// Appends `text` as a JSON string, with its quotes.
///
/// Eight bytes at a time: JSON in a JSON string has a quote in nearly each eight, so those that are only quotes and
/// backslashes are not looked at one by one either.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len().saturating_add(2));
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some((eight, after)) = rest.split_first_chunk::<8>() {
        let bytes = u64::from_le_bytes(*eight);
        rest = if has_odd(bytes) {
            escaped_once(out, rest)
        } else {
            if is_any(bytes, b'"') || is_any(bytes, b'\\') {
                quoted(out, eight)
            } else {
                out.extend_from_slice(eight)
            }
            after
        };
    }
    while !rest.is_empty() {
        rest = escaped_once(out, rest);
    }
    out.push(b'"');
}

/// Appends eight bytes, of which quotes and backslashes get a backslash.
fn quoted(out: &mut Vec<u8>, eight: &[u8; 8]) {
    let start = out.len();
    out.extend_from_slice(&[b'\\'; 16]);
    let mut len = 0;
    if let Some(room) = out.last_chunk_mut::<16>() {
        for byte in eight {
            // Of the sixteen that lie there already, one stays in front.
            len += usize::from(matches!(byte, b'"' | b'\\'));
            if let Some(place) = room.get_mut(len & 15) {
                *place = *byte;
            }
            len += 1;
        }
    }
    out.truncate(start.saturating_add(len));
}

const LOW: u64 = u64::from_le_bytes([0x01; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Whether any of the eight bytes is zero.
fn has_zero(bytes: u64) -> bool {
    bytes.wrapping_sub(LOW) & !bytes & HIGH != 0
}

fn is_any(bytes: u64, byte: u8) -> bool {
    has_zero(bytes ^ LOW.wrapping_mul(byte.into()))
}

/// Whether any of the eight bytes needs more than a backslash in front: a control character, or one that may begin a
/// line break (0xC2 and 0xE2, which differ in one bit).
fn has_odd(bytes: u64) -> bool {
    let has_control = bytes.wrapping_sub(LOW.wrapping_mul(0x20)) & !bytes & HIGH != 0;
    has_control || has_zero((bytes | LOW.wrapping_mul(0x20)) ^ LOW.wrapping_mul(0xE2))
}
