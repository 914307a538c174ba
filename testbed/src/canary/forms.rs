//! The forms in which a text travels: percent-encoded, base64, hexadecimal, escaped, packed.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

/// Each byte as `%xx`: more than anybody has to encode, and still the same text.
pub fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Every second byte as `%XX`, the others as they are.
pub fn half_percent(text: &str) -> String {
    let encoded = |(index, byte): (usize, u8)| match index % 2 {
        0 => format!("%{byte:02X}"),
        _ => char::from(byte).to_string(),
    };
    text.bytes().enumerate().map(encoded).collect()
}

/// Base64 as of RFC 4648 §4, with padding.
pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Base64 as of RFC 4648 §5, without padding: the alphabet of tokens.
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Two digits a byte.
pub fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Each character as JSON's `\uXXXX`; for text of the basic plane.
pub fn json_escaped(text: &str) -> String {
    text.chars().map(|character| format!("\\u{:04x}", u32::from(character))).collect()
}

/// The first character as JSON's `\uXXXX`, the rest as it is.
pub fn json_escaped_head(text: &str) -> String {
    let mut characters = text.chars();
    let head = characters.next().map(|first| json_escaped(&first.to_string()));
    head.unwrap_or_default() + characters.as_str()
}

/// A token as of RFC 7519 whose claims and signature are these texts.
pub fn jwt(claim: &str, signature: &str) -> String {
    let head = base64url(r#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = base64url(format!(r#"{{"sub":"{claim}","iat":1700000000}}"#));
    format!("{head}.{claims}.{signature}")
}

/// `content-encoding: gzip`.
///
/// # Errors
/// None that an encoder into memory has.
pub fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish().context("gzip")
}

/// `content-encoding: deflate`, with the head of zlib (RFC 9110 §8.4.1.2).
///
/// # Errors
/// As [`gzip`].
pub fn deflate(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish().context("deflate")
}

/// `content-encoding: zstd`.
///
/// # Errors
/// As [`gzip`].
pub fn zstd(bytes: &[u8]) -> Result<Vec<u8>> {
    zstd::stream::encode_all(bytes, 0).context("zstd")
}

/// `content-encoding: br`: one block that is stored as it is, which every decoder takes. Up to 65,536 bytes.
///
/// Source: RFC 7932 §9.1 and §9.2. The bits, from the lowest: a window of 16 bits (`0`), not the last block (`0`), its
/// length less one in 4 nibbles (`00`, 16 bits), stored (`1`), up to the next byte nothing; then the bytes; then a last
/// block that is empty (`11`).
pub fn brotli(bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len().saturating_sub(1).min(0xffff) as u32;
    let head = (length << 4) | (1 << 20);
    let mut packed = head.to_le_bytes().get(..3).map(<[u8]>::to_vec).unwrap_or_default();
    packed.extend(bytes);
    packed.push(0b11);
    packed
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn packed_text_is_unpacked_by_the_decoders() {
        let text = "not secret, but long enough to fill a block of its own".repeat(20);
        let bytes = text.as_bytes();
        let read = |mut decoder: Box<dyn std::io::Read>| {
            let mut out = String::new();
            decoder.read_to_string(&mut out).map(|_| out).unwrap()
        };

        let gzip = gzip(bytes).unwrap();
        assert_eq!(read(Box::new(flate2::read::GzDecoder::new(&*gzip))), text);
        let deflate = deflate(bytes).unwrap();
        assert_eq!(read(Box::new(flate2::read::ZlibDecoder::new(&*deflate))), text);
        let zstd = zstd(bytes).unwrap();
        assert_eq!(read(Box::new(zstd::stream::Decoder::new(&*zstd).unwrap())), text);
        let brotli = brotli(bytes);
        assert_eq!(read(Box::new(brotli_decompressor::Decompressor::new(&*brotli, 4_096))), text);
    }

    #[test]
    fn texts_are_encoded_as_they_are_written() {
        assert_eq!(percent("ab"), "%61%62");
        assert_eq!(half_percent("abc"), "%61b%63");
        assert_eq!(hex("ab"), "6162");
        assert_eq!(json_escaped("ab"), "\\u0061\\u0062");
        assert_eq!(json_escaped_head("ab"), "\\u0061b");
        assert_eq!(base64("a?>"), "YT8+");
        assert_eq!(base64url("a?>"), "YT8-");
        assert_eq!(jwt("a", "b").split('.').count(), 3);
    }
}
