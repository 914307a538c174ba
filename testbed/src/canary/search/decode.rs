//! Undoing forms: what a text may have looked like before it was encoded, escaped or packed.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash as _, Hasher as _},
    io::Read,
};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// The shortest run of base64 or hexadecimal digits that can hold a piece of a secret.
const SHORTEST_RUN: usize = 13;

/// What is unpacked of one packed text at most, in bytes.
const UNPACKED: u64 = 4 * 1024 * 1024;

/// Base64 without regard to padding and stray bits: the run may have been cut anywhere.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The views of these bytes with one form undone, by the name of the form. What is not there in a form gives no view.
///
/// Each form is looked for before it is undone, by what the standard library does fast: most texts have none.
pub(super) fn views(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut views = Vec::new();
    if bytes.contains(&b'%') {
        views.push(("percent", percent(bytes)));
    }
    if bytes.contains(&b'\\') {
        views.push(("json", json(bytes)));
    }
    if bytes.contains(&0) {
        views.push(("wide", without_nul(bytes)));
    }
    if bytes.contains(&b'\n') {
        views.push(("folded", folded(bytes)));
    }
    let runs: Vec<&[u8]> = runs_of_base64(bytes).collect();
    views.extend((0..4).map(|skipped| ("base64", base64_runs(&runs, skipped))));
    // Hexadecimal digits are digits of base64 too, with no other in between.
    let of_hex: Vec<&[u8]> = runs.iter().flat_map(|run| runs_of_hex(run)).collect();
    views.extend((0..2).map(|skipped| ("hex", hex_runs(&of_hex, skipped))));
    views.extend(packed(bytes).into_iter().map(|view| ("packed", view)));
    views.retain(|(_, view)| !view.is_empty() && view != bytes);
    views
}

/// Tells views apart that were reached on two ways.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// `%xx` undone; empty if there is none.
fn percent(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut rest, mut any) = (bytes, false);
    while let Some((first, behind)) = rest.split_first() {
        let byte = match behind {
            [high, low, ..] if *first == b'%' => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        any |= byte.is_some();
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { behind.get(2..).unwrap_or_default() } else { behind };
    }
    if any { out } else { Vec::new() }
}

/// JSON's escapes undone; empty if there is none. Halves of surrogate pairs become nothing.
fn json(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut rest, mut any) = (bytes, false);
    while let Some((first, behind)) = rest.split_first() {
        let Some((escape, after)) = behind.split_first().filter(|_| *first == b'\\') else {
            out.push(*first);
            rest = behind;
            continue;
        };
        any = true;
        rest = after;
        match escape {
            b'u' | b'x' => {
                let digits = if *escape == b'u' { 4 } else { 2 };
                let code = after.get(..digits).and_then(|code| std::str::from_utf8(code).ok());
                let character = code.and_then(|code| u32::from_str_radix(code, 16).ok());
                if let Some(character) = character {
                    rest = after.get(digits..).unwrap_or_default();
                    let mut buffer = [0; 4];
                    let character = char::from_u32(character).map(|character| character.encode_utf8(&mut buffer));
                    out.extend(character.map(|text| text.as_bytes()).unwrap_or_default());
                }
            }
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            other => out.push(*other),
        }
    }
    if any { out } else { Vec::new() }
}

fn runs_of_hex(run: &[u8]) -> impl Iterator<Item = &[u8]> {
    run.split(|byte| !byte.is_ascii_hexdigit()).filter(|run| run.len() >= 2 * SHORTEST_RUN)
}

/// Runs of hexadecimal digits decoded, from the first or the second digit on.
fn hex_runs(runs: &[&[u8]], skipped: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for run in runs {
        let pairs = run.get(skipped..).unwrap_or_default().chunks_exact(2);
        let byte = |pair: &[u8]| match pair {
            [high, low] => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        out.extend(pairs.filter_map(byte));
        out.push(0);
    }
    out
}

/// Runs of base64 (of both alphabets) decoded, leaving out so many characters at the beginning of each: a text may stand
/// behind others, at any of the alignments. What a run holds packed stands behind it, unpacked.
fn base64_runs(runs: &[&[u8]], skipped: usize) -> Vec<u8> {
    const BETWEEN: &[u8] = b"\0 \0";
    let mut out = Vec::new();
    for run in runs {
        let Some(decoded) = run.get(skipped..).and_then(from_base64) else { continue };
        if skipped == 0 {
            for view in packed(&decoded) {
                out.extend(view);
                out.extend(BETWEEN);
            }
        }
        out.extend(decoded);
        out.extend(BETWEEN);
    }
    out
}

fn runs_of_base64(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    bytes.split(move |byte| !belongs(byte)).filter(|run| run.len() >= SHORTEST_RUN)
}

fn from_base64(run: &[u8]) -> Option<Vec<u8>> {
    let standard = |byte: &u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => *other,
    };
    // A last character alone holds no byte.
    let whole = if run.len() % 4 == 1 { run.get(..run.len() - 1)? } else { run };
    LENIENT.decode(whole.iter().map(standard).collect::<Vec<u8>>()).ok()
}

/// Without NUL: UTF-16 of plain text.
fn without_nul(bytes: &[u8]) -> Vec<u8> {
    // Views put NUL between runs: only what has one at each second place is wide.
    match bytes.iter().filter(|byte| **byte == 0).count() * 3 > bytes.len() {
        true => bytes.iter().copied().filter(|byte| *byte != 0).collect(),
        false => Vec::new(),
    }
}

/// Without line breaks and white space, so that base64 in lines is one run; empty unless there are lines of it.
fn folded(bytes: &[u8]) -> Vec<u8> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let is_base64 = |line: &[u8]| {
        let line = line.trim_ascii();
        line.len() >= 60 && runs_of_base64(line).any(|run| run.len() == line.len())
    };
    match lines.any(is_base64) {
        true => bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect(),
        false => Vec::new(),
    }
}

/// What these bytes hold if they are packed: gzip, zlib and zstd by their first bytes wherever they stand; brotli and bare
/// deflate, which have no mark, only if all of it is one.
fn packed(bytes: &[u8]) -> Vec<Vec<u8>> {
    if std::str::from_utf8(bytes).is_ok() {
        return Vec::new();
    }
    let mut views = Vec::new();
    for at in (0..bytes.len()).filter(|at| matches!(bytes.get(*at), Some(0x1f | 0x78 | 0x28))) {
        let rest = bytes.get(at..).unwrap_or_default();
        views.extend(match rest {
            [0x1f, 0x8b, 8, ..] => read(flate2::read::MultiGzDecoder::new(rest)),
            [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => read(flate2::read::ZlibDecoder::new(rest)),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => zstd::stream::Decoder::new(rest).ok().and_then(read),
            _ => None,
        });
    }
    views.extend(read(brotli_decompressor::Decompressor::new(bytes, 4_096)));
    views.extend(read(flate2::read::DeflateDecoder::new(bytes)));
    views
}

/// What comes out before it ends or breaks; `None` for nothing.
fn read(decoder: impl Read) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    // What came before the damage counts: bodies are cut.
    let _ = decoder.take(UNPACKED).read_to_end(&mut out);
    (!out.is_empty()).then_some(out)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
