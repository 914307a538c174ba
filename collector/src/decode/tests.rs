use super::*;

/// A line with its compressed bodies unpacked; `None`: none could be.
fn decode_line(line: &[u8], max_bytes: usize, allowance: &mut usize, counts: &mut DecodeCounts) -> Option<Vec<u8>> {
    let mut exchange = HttpExchange::from_line(line).ok()?;
    decode_exchange(&mut exchange, max_bytes, allowance, counts).then(|| crate::wall::without_break(exchange.to_line()))
}
use proptest::prelude::*;
use std::io::Write as _;

mod fuzz;

const TEXT: &str = "{\"greeting\":\"hyvää huomenta\",\"again\":\"hyvää huomenta hyvää huomenta\"}";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).expect("into memory");
    encoder.finish().expect("into memory")
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).expect("into memory");
    encoder.finish().expect("into memory")
}

fn raw_deflate(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).expect("into memory");
    encoder.finish().expect("into memory")
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 3).expect("into memory")
}

/// [`numbers`] up to 3000, and 4 MiB of spaces: no crate here writes brotli, Node's `zlib.brotliCompressSync` did.
const BROTLI: &[u8] = include_bytes!("../../testdata/numbers.br");
const BROTLI_BOMB: &[u8] = include_bytes!("../../testdata/spaces-4mib.br");

/// `0,1,2,` … below `end`.
fn numbers(end: u32) -> String {
    (0..end).map(|n| format!("{n},")).collect()
}

fn line(coding: &str, packed: &[u8], truncated: bool) -> Vec<u8> {
    format!(
        "{{\"request\":{{\"method\":\"post\",\"host\":\"h\",\"headers\":{{\"content-encoding\":{coding}}},\"body\":\"\",\"path\":\"/\"}},\
         \"response\":{{\"statusCode\":200,\"body\":\"\"}},\
         \"meta\":{{\"id\":\"s-1\",\"requestBody\":{{\"bytes\":9,\"kept\":9,\"truncated\":{truncated},\"base64\":\"{}\"}}}}}}",
        STANDARD.encode(packed)
    )
    .into_bytes()
}

/// The text of the request body and the counts.
fn decode(coding: &str, packed: &[u8], truncated: bool) -> (Option<String>, DecodeCounts) {
    let mut counts = DecodeCounts::default();
    let decoded = decode_line(&line(coding, packed, truncated), 20_000, &mut 100_000, &mut counts);
    let text = decoded.map(|line| HttpExchange::from_line(&line).expect("a good line").request.body.expect("a body"));
    (text, counts)
}

fn decoded() -> DecodeCounts {
    DecodeCounts { decoded: 1, ..DecodeCounts::default() }
}

#[test]
fn every_coding_is_undone() {
    let text = TEXT.as_bytes();
    for (coding, packed) in [
        ("\"gzip\"", gzip(text)),
        ("\"x-gzip\"", gzip(text)),
        ("\"GZip\"", gzip(text)),
        ("\"deflate\"", zlib(text)),
        ("\"deflate\"", raw_deflate(text)),
        ("\"zstd\"", zstd(text)),
        ("\"identity, gzip\"", gzip(text)),
    ] {
        assert_eq!(decode(coding, &packed, false), (Some(TEXT.to_owned()), decoded()), "{coding}");
    }
    assert_eq!(decode("\"br\"", BROTLI, false), (Some(numbers(3000)), decoded()));
}

#[test]
fn chains_are_undone_in_reverse_order() {
    let packed = zstd(&gzip(TEXT.as_bytes()));

    assert_eq!(decode("\"gzip, zstd\"", &packed, false), (Some(TEXT.to_owned()), decoded()));
    assert_eq!(decode("[\"gzip\",\"zstd\"]", &packed, false), (Some(TEXT.to_owned()), decoded()));
}

#[test]
fn the_decoded_line_keeps_everything_but_the_base64() {
    let mut counts = DecodeCounts::default();
    let packed = gzip(b"hi");

    let decoded = decode_line(&line("\"gzip\"", &packed, false), 1000, &mut 10_000, &mut counts);

    let expected = "{\"request\":{\"method\":\"post\",\"host\":\"h\",\"headers\":{\"content-encoding\":\"gzip\"},\"body\":\"hi\",\"path\":\"/\"},\
                    \"response\":{\"statusCode\":200,\"body\":\"\"},\
                    \"meta\":{\"id\":\"s-1\",\"requestBody\":{\"bytes\":9,\"kept\":9,\"truncated\":false,\"decoded\":true}}}";
    assert_eq!(String::from_utf8(decoded.expect("decoded")).expect("utf-8"), expected);
}

#[test]
fn both_bodies_of_a_line_are_undone() {
    let packed = STANDARD.encode(gzip(b"hi"));
    let line = format!(
        "{{\"request\":{{\"method\":\"post\",\"headers\":{{\"content-encoding\":\"gzip\"}}}},\
         \"response\":{{\"statusCode\":200,\"headers\":{{\"content-encoding\":\"gzip\"}}}},\
         \"meta\":{{\"requestBody\":{{\"base64\":\"{packed}\"}},\"responseBody\":{{\"base64\":\"{packed}\"}}}}}}"
    );
    let mut counts = DecodeCounts::default();

    let decoded = decode_line(line.as_bytes(), 1000, &mut 10_000, &mut counts).expect("decoded");

    let exchange = HttpExchange::from_line(&decoded).expect("a good line");
    assert_eq!(exchange.request.body.as_deref(), Some("hi"));
    assert_eq!(exchange.response.and_then(|response| response.body).as_deref(), Some("hi"));
    assert_eq!(counts.decoded, 2);
}

#[test]
fn of_a_cut_body_the_beginning_is_decoded() {
    let text = numbers(3000);
    for (coding, packed) in [
        ("\"gzip\"", gzip(text.as_bytes())),
        ("\"deflate\"", zlib(text.as_bytes())),
        ("\"deflate\"", raw_deflate(text.as_bytes())),
        ("\"br\"", BROTLI.to_vec()),
    ] {
        let cut = &packed[..packed.len() / 2];

        let (decoded, _) = decode(coding, cut, true);

        let decoded = decoded.unwrap_or_else(|| panic!("{coding} decodes its beginning"));
        assert!(!decoded.is_empty() && text.starts_with(&decoded), "{coding}");
    }
}

#[test]
fn of_a_cut_zstd_body_whole_blocks_are_decoded() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("an encoder");
    encoder.write_all(b"first,").and_then(|()| encoder.flush()).expect("into memory");
    encoder.write_all(b"second").and_then(|()| encoder.flush()).expect("into memory");
    let packed = encoder.finish().expect("into memory");

    let (decoded, _) = decode("\"zstd\"", &packed[..packed.len() - 6], true);

    assert!(decoded.is_some_and(|decoded| decoded.starts_with("first,") && "first,second".starts_with(&decoded)));
}

#[test]
fn the_beginning_of_a_chain_is_decoded() {
    let text = numbers(300);
    let packed = gzip(&gzip(text.as_bytes()));

    let (decoded, _) = decode("\"gzip, gzip\"", &packed[..packed.len() / 2], true);

    assert!(decoded.is_some_and(|decoded| !decoded.is_empty() && text.starts_with(&decoded)));
}

#[test]
fn a_cut_character_is_left_out() {
    // Stored, not packed, so that the cut falls where it is meant to.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all("aä".as_bytes()).expect("into memory");
    let packed = encoder.finish().expect("into memory");

    let (decoded, _) = decode("\"gzip\"", &packed[..packed.len() - 9], true);

    assert_eq!(decoded.as_deref(), Some("a"));
}

#[test]
fn a_whole_body_that_ends_early_is_corrupt() {
    let text = numbers(300);
    for (coding, packed) in [
        ("\"gzip\"", gzip(text.as_bytes())),
        ("\"deflate\"", zlib(text.as_bytes())),
        ("\"zstd\"", zstd(text.as_bytes())),
        ("\"br\"", BROTLI.to_vec()),
    ] {
        let (decoded, counts) = decode(coding, &packed[..packed.len() - 5], false);

        assert_eq!(decoded, None, "{coding}");
        assert_eq!(counts, DecodeCounts { left_corrupt: 1, ..DecodeCounts::default() }, "{coding}");
    }
}

#[test]
fn broken_bytes_are_left_as_they_were() {
    for coding in ["\"gzip\"", "\"deflate\"", "\"zstd\"", "\"br\""] {
        for truncated in [false, true] {
            let (decoded, counts) = decode(coding, b"\xff\xfe no such format", truncated);

            assert_eq!((decoded, counts.left_corrupt), (None, 1), "{coding} {truncated}");
        }
    }
}

#[test]
fn a_bomb_is_left_as_too_large() {
    let zeros = vec![b' '; 4 << 20];
    for (coding, packed) in [
        ("\"gzip\"", gzip(&zeros)),
        ("\"deflate\"", zlib(&zeros)),
        ("\"zstd\"", zstd(&zeros)),
        ("\"br\"", BROTLI_BOMB.to_vec()),
    ] {
        let (decoded, counts) = decode(coding, &packed, false);

        assert_eq!((decoded, counts.left_too_large), (None, 1), "{coding}");
    }
}

#[test]
fn the_limit_itself_is_allowed() {
    let mut counts = DecodeCounts::default();
    let line = line("\"gzip\"", &gzip(&[b'x'; 1000]), false);

    assert!(decode_line(&line, 1000, &mut 10_000, &mut counts).is_some());
    assert!(decode_line(&line, 999, &mut 10_000, &mut counts).is_none());
}

#[test]
fn all_bodies_of_a_post_share_an_allowance() {
    let mut counts = DecodeCounts::default();
    let line = line("\"gzip\"", &gzip(&[b'x'; 600]), false);
    let mut allowance = 1000;

    assert!(decode_line(&line, 1000, &mut allowance, &mut counts).is_some());
    assert_eq!(allowance, 400);
    assert!(decode_line(&line, 1000, &mut allowance, &mut counts).is_none());
    assert_eq!(counts.left_too_large, 1);
}

#[test]
fn a_zstd_window_over_8_mib_is_refused() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("an encoder");
    encoder.window_log(24).expect("a legal window");
    encoder.write_all(&vec![b'x'; 20 << 20]).expect("into memory");
    let packed = encoder.finish().expect("into memory");

    let (decoded, counts) = decode("\"zstd\"", &packed, false);

    assert_eq!((decoded, counts.left_corrupt), (None, 1));
}

#[test]
fn bytes_that_are_not_text_are_left() {
    let (decoded, counts) = decode("\"gzip\"", &gzip(b"\x89PNG\x00\xff"), false);

    assert_eq!((decoded, counts.left_not_text), (None, 1));
}

#[test]
fn unknown_codings_and_endless_chains_are_left() {
    for coding in ["\"compress\"", "\"gzip, snappy\"", "\"gzip,gzip,gzip,gzip,gzip\""] {
        let (decoded, counts) = decode(coding, &gzip(b"hi"), false);

        assert_eq!((decoded, counts.left_unknown), (None, 1), "{coding}");
    }
}

#[test]
fn a_body_without_a_coding_is_none_of_our_business() {
    assert_eq!(decode("\"identity\"", b"\xff", false), (None, DecodeCounts::default()));
    assert_eq!(decode("\"\"", b"\xff", false), (None, DecodeCounts::default()));
}

proptest! {
    #[test]
    fn no_bytes_break_a_decoder(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300), truncated: bool) {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
            let extent = if truncated { Extent::Beginning } else { Extent::Whole };
            if let Ok(out) = coding.undo(&bytes, extent, 5000) {
                prop_assert!(out.len() <= 5000);
            }
        }
    }

    #[test]
    fn text_comes_back_through_any_coding(text in ".{0,200}") {
        for (coding, packed) in [
            (Coding::Gzip, gzip(text.as_bytes())),
            (Coding::Deflate, zlib(text.as_bytes())),
            (Coding::Zstd, zstd(text.as_bytes())),
        ] {
            prop_assert_eq!(coding.undo(&packed, Extent::Whole, 10_000), Ok(text.clone().into_bytes()));
        }
    }

    #[test]
    fn the_beginning_of_gzip_is_the_beginning_of_the_text(text in "[a-z]{50,400}", cut in 0.0..1.0f64) {
        let packed = gzip(text.as_bytes());
        let cut = (packed.len() as f64 * cut) as usize;
        if let Ok(out) = Coding::Gzip.undo(&packed[..cut], Extent::Beginning, 10_000) {
            prop_assert!(text.as_bytes().starts_with(&out));
        }
    }
}
