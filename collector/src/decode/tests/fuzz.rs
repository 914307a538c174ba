//! Packed bodies that somebody has spoiled: never more than the limit, and never a line that is none.

use tributary_fuzz::{bytes, json, seeds};

use super::*;

const LIMIT: usize = 5_000;

/// Each coding with what is packed by it: a text, and one that grows far over the limit.
fn packed() -> Vec<(Coding, Vec<Vec<u8>>)> {
    let (text, large) = (TEXT.as_bytes(), vec![b' '; 1 << 20]);
    vec![
        (Coding::Gzip, vec![gzip(text), gzip(&large), [gzip(text), gzip(text)].concat()]),
        (Coding::Deflate, vec![zlib(text), zlib(&large), raw_deflate(text)]),
        (
            Coding::Zstd,
            vec![zstd(text), zstd(&large), [b"\x50\x2a\x4d\x18\x04\0\0\0skip".to_vec(), zstd(text)].concat()],
        ),
        (Coding::Brotli, vec![BROTLI.to_vec(), BROTLI_BOMB.to_vec()]),
    ]
}

fn spoiled() -> impl Strategy<Value = (Coding, Vec<u8>)> {
    let one = |(coding, seeds)| (Just(coding), bytes(seeds, &["\u{0}\u{0}\u{0}\u{0}", "\u{7f}\u{7f}"]));
    let mut all = packed().into_iter().map(one).map(Strategy::boxed);
    let first = all.next().expect("four codings");
    all.fold(first, |some, more| prop_oneof![some, more].boxed())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spoiled_packings_never_grow_over_the_limit((coding, packed) in spoiled(), truncated: bool) {
        let extent = if truncated { Extent::Beginning } else { Extent::Whole };
        if let Ok(out) = coding.undo(&packed, extent, LIMIT) {
            prop_assert!(out.len() <= LIMIT, "{} bytes", out.len());
        }
    }

    #[test]
    fn a_line_with_spoiled_bodies_stays_a_line(
        (coding, packed) in spoiled(), truncated: bool, said in "(gzip|deflate|br|zstd|identity|, ?|x){1,4}",
    ) {
        let said = said_of(coding, &said);
        let line = line(&serde_json::Value::from(said).to_string(), &packed, truncated);
        check(&line)?;
    }

    #[test]
    fn lines_with_wrong_values_stay_lines(
        value in json(
            seeds("lines").expect("seeds").iter().filter_map(|line| serde_json::from_slice(line).ok()).collect(),
            ["base64", "content-encoding", "truncated", "headers", "requestBody"].map(str::to_owned).to_vec(),
        ),
    ) {
        check(value.to_string().as_bytes())?;
    }
}

/// What the headers say: the truth as often as not.
fn said_of(coding: Coding, said: &str) -> String {
    if said.len().is_multiple_of(2) {
        said.to_owned()
    } else {
        format!("{coding:?}").to_lowercase().replace("brotli", "br")
    }
}

fn check(line: &[u8]) -> Result<(), TestCaseError> {
    let (mut counts, mut allowance) = (DecodeCounts::default(), 2 * LIMIT);
    let Ok(before) = HttpExchange::from_line(line) else { return Ok(()) };
    let Some(decoded) = decode_line(line, LIMIT, &mut allowance, &mut counts) else { return Ok(()) };
    prop_assert!(!decoded.contains(&b'\n'));
    let after = HttpExchange::from_line(&decoded).expect("a decoded line is a line");
    let of = |exchange: &HttpExchange| {
        let facts = exchange.facts();
        (facts.id, facts.source, facts.seq, exchange.request.headers.clone(), exchange.request.path.clone())
    };
    prop_assert_eq!(of(&after), of(&before));
    prop_assert!(after.request.body.map_or(0, |body| body.len()) <= LIMIT.max(line.len()));
    prop_assert!(counts.decoded > 0 && allowance <= 2 * LIMIT);
    Ok(())
}
