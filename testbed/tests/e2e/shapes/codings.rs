//! Compressed bodies, both ways: the filter keeps their bytes, the collector moves the text into `body`.

use bytes::Bytes;
use serde_json::json;
use tributary_testbed::message::Call;

use super::{
    case::{Case, Says, Way},
    line::{Body, LIMIT},
};

/// What all the samples hold, packed by the ordinary tools (gzip, zlib, brotli, zstd).
const TEXT: &str = include_str!("testdata/text.jsonl");
const GZIP: &[u8] = include_bytes!("testdata/text.gz");
const ZLIB: &[u8] = include_bytes!("testdata/text.zlib");
const DEFLATE: &[u8] = include_bytes!("testdata/text.deflate");
const BROTLI: &[u8] = include_bytes!("testdata/text.br");
const ZSTD: &[u8] = include_bytes!("testdata/text.zst");
const GZIP_IN_BROTLI: &[u8] = include_bytes!("testdata/text.gz.br");

/// A body may unpack to a mebibyte: this file does, the other to one byte more. Both hold nothing but `a`.
const LARGEST: &[u8] = include_bytes!("testdata/largest.gz");
const TOO_LARGE: &[u8] = include_bytes!("testdata/too-large.gz");

/// The table.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = decoded();
    cases.extend(left());
    cases.push(cut_by_the_limit());
    cases.extend(nothing_to_undo());
    cases
}

fn coded(name: &'static str, coding: &'static str, bytes: impl Into<Bytes>) -> Case {
    let bytes = bytes.into();
    let says = Says::status(200).header("content-encoding", coding).body(bytes.clone());
    Case::new(name, Call::post("/").header("content-encoding", coding).body(bytes), says)
}

fn decoded() -> Vec<Case> {
    let case = |name, coding, bytes: &'static [u8]| {
        let length = bytes.len() as u64;
        coded(name, coding, bytes).line(move |line, _| {
            line.body = Body::decoded(TEXT, length, length);
            line.response_body = Body::decoded(TEXT, length, length);
        })
    };
    let half = GZIP.len() / 2;
    let pieces = [Bytes::from_static(GZIP).slice(..half), Bytes::from_static(GZIP).slice(half..)];
    let length = GZIP.len() as u64;
    vec![
        case("gzip", "gzip", GZIP),
        case("gzip by its old name and in capitals", "X-GZIP", GZIP),
        case("deflate", "deflate", ZLIB),
        case("deflate without its zlib head", "deflate", DEFLATE),
        case("brotli", "br", BROTLI),
        case("zstd", "zstd", ZSTD),
        case("gzip and brotli", "gzip, br", GZIP_IN_BROTLI),
        coded("gzip of a mebibyte", "gzip", LARGEST).ways(Way::HTTP1_ONLY).line(|line, _| {
            line.body = Body::decoded("a".repeat(1024 * 1024), LARGEST.len() as u64, LARGEST.len() as u64);
            line.response_body = line.body.clone();
        }),
        Case::new(
            "gzip in chunks",
            Call::post("/").header("content-encoding", "gzip").chunks(pieces.clone()),
            Says::status(200).header("content-encoding", "gzip").chunks(pieces),
        )
        .line(move |line, _| {
            line.body = Body::decoded(TEXT, length, length);
            line.response_body = Body::decoded(TEXT, length, length);
        }),
    ]
}

/// What cannot be undone is left out, for nobody can say what is in it.
fn left() -> Vec<Case> {
    let case = |name, coding, bytes: Vec<u8>| {
        let length = bytes.len() as u64;
        coded(name, coding, bytes).line(move |line, _| {
            line.body = Body::withheld("compressed", length);
            line.response_body = Body::withheld("compressed", length);
            line.fact("redactions", json!({"requestBody": 1, "responseBody": 1}));
        })
    };
    let turned = |at: usize| {
        let turn = |(index, byte): (usize, &u8)| if index == at { byte ^ 0xff } else { *byte };
        GZIP.iter().enumerate().map(turn).collect::<Vec<u8>>()
    };
    vec![
        case("gzip with a wrong byte", "gzip", turned(GZIP.len() / 2)),
        case("gzip with a wrong checksum", "gzip", turned(GZIP.len() - 8)),
        case("gzip that ends early", "gzip", GZIP.iter().copied().take(GZIP.len() - 20).collect()),
        case("text that calls itself gzip", "gzip", b"plain text".to_vec()),
        case("gzip of more than a mebibyte", "gzip", TOO_LARGE.to_vec()).ways(Way::HTTP1_ONLY),
        case("unknown coding", "snappy", b"plain text".to_vec()),
        case("gzip of bytes that are no text", "gzip", stored_gzip(b"\x89PNG\xff\xfe", 0x7751_bd5a)),
    ]
}

/// A gzip body over the limit: what its beginning holds is text, and marked as cut.
fn cut_by_the_limit() -> Case {
    let text = "0123456789abcde\n".repeat(5_000);
    // The checksum stands behind the limit and is never read.
    let packed = stored_gzip(text.as_bytes(), 0);
    let length = packed.len() as u64;
    // Ten bytes of gzip's head and five of the first block's come before the text, five before the second block's.
    let kept = text.get(..LIMIT - 20).unwrap_or_default().to_owned();
    coded("gzip over the limit", "gzip", packed).line(move |line, _| {
        line.body = Body::decoded(kept.clone(), LIMIT as u64, length);
        line.response_body = line.body.clone();
    })
}

/// A content coding without bytes under it, and one that changes none.
fn nothing_to_undo() -> Vec<Case> {
    let says = |status| Says::status(status).header("content-encoding", "gzip");
    vec![
        coded("identity", "identity", "as it is"),
        Case::new("gzip of a head", Call::new("HEAD", "/").header("accept-encoding", "gzip"), says(200).declared(500)),
        Case::new("gzip not modified", Call::get("/").header("accept-encoding", "gzip"), says(304)),
        Case::new("gzip without a byte", Call::get("/"), says(200)),
    ]
}

/// A gzip file (RFC 1952) that does not compress: stored blocks (RFC 1951 §3.2.4) of at most 40,000 bytes.
fn stored_gzip(bytes: &[u8], checksum: u32) -> Vec<u8> {
    let mut file = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
    let blocks: Vec<&[u8]> = bytes.chunks(40_000).collect();
    for (index, block) in blocks.iter().enumerate() {
        let length = u16::try_from(block.len()).unwrap_or_default();
        file.push(u8::from(index + 1 == blocks.len()));
        file.extend(length.to_le_bytes());
        file.extend((!length).to_le_bytes());
        file.extend_from_slice(block);
    }
    file.extend(checksum.to_le_bytes());
    file.extend(u32::try_from(bytes.len()).unwrap_or_default().to_le_bytes());
    file
}
