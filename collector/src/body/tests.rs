use super::*;
use crate::budget::Budget;
use proptest::prelude::*;
use std::io::Write as _;

const LIMITS: BodyLimits =
    BodyLimits { max_encoded_bytes: 1000, max_decoded_bytes: 2000, timeout: Duration::from_secs(5) };

fn chunked(chunks: Vec<Vec<u8>>) -> Body {
    let chunks: Vec<Result<Bytes, std::io::Error>> = chunks.into_iter().map(|chunk| Ok(chunk.into())).collect();
    Body::from_stream(futures_util::stream::iter(chunks))
}

async fn read_whole(chunks: Vec<Vec<u8>>) -> Result<Bytes, Refusal> {
    let budget = Budget::new(1 << 20);
    read(&mut chunked(chunks), None, &LIMITS, &mut Held::new(&budget)).await
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("into memory");
    encoder.finish().expect("into memory").into()
}

fn zstd(bytes: &[u8]) -> Bytes {
    zstd::encode_all(bytes, 1).expect("into memory").into()
}

fn unpacked(body: Bytes, encoding: Encoding) -> Result<Bytes, Refusal> {
    unpack(body, encoding, &LIMITS, &mut Held::new(&Budget::new(1 << 20)))
}

const LARGE: BodyLimits =
    BodyLimits { max_encoded_bytes: 1 << 20, max_decoded_bytes: 8 << 20, timeout: Duration::from_secs(5) };

#[test]
fn a_bomb_is_found_out_before_it_is_kept() {
    for (encoding, bomb) in [(Encoding::Gzip, gzip(&[0; 9 << 20])), (Encoding::Zstd, zstd(&[0; 9 << 20]))] {
        // No room at all: what is kept would be refused as busy.
        let budget = Budget::new(0);

        let refusal = unpack(bomb, encoding, &LARGE, &mut Held::new(&budget));

        assert!(matches!(refusal, Err(Refusal::UnpackedTooLarge { limit }) if limit == 8 << 20), "{encoding:?}");
    }
}

#[test]
fn a_body_as_large_as_it_may_be_is_unpacked_whole() {
    let line = b"{\"request\":{\"method\":\"get\"}}\n";
    let body: Vec<u8> = line.iter().copied().cycle().take(8 << 20).collect();
    for (encoding, packed) in [(Encoding::Gzip, gzip(&body)), (Encoding::Zstd, zstd(&body))] {
        let budget = Budget::new(8 << 20);

        let unpacked = unpack(packed, encoding, &LARGE, &mut Held::new(&budget)).expect("within the limit");

        assert!(unpacked == body, "{encoding:?}");
    }
}

#[tokio::test]
async fn a_body_at_the_limit_is_read_and_one_over_it_is_not() {
    assert_eq!(read_whole(vec![vec![b'x'; 999], vec![b'x']]).await.map(|body| body.len()).ok(), Some(1000));
    assert!(matches!(read_whole(vec![vec![b'x'; 1000], vec![b'x']]).await, Err(Refusal::BodyTooLarge { limit: 1000 })));
}

#[tokio::test]
async fn a_body_comes_whole_whatever_its_head_says_of_its_length() {
    let chunks = || (0..9_u8).map(|byte| vec![byte; 100]).collect::<Vec<_>>();
    for length in [None, Some(0), Some(1), Some(150), Some(900), Some(1000)] {
        let budget = Budget::new(1 << 20);

        let body = read(&mut chunked(chunks()), length, &LIMITS, &mut Held::new(&budget)).await;

        assert_eq!(body.ok(), Some(chunks().concat().into()), "{length:?}");
    }
}

#[tokio::test]
async fn a_length_over_the_limit_is_refused_unread() {
    let mut body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
    let mut held = Held::new(&Budget::new(1 << 20));

    let refusal = read(&mut body, Some(1001), &LIMITS, &mut held).await;

    assert!(matches!(refusal, Err(Refusal::BodyTooLarge { .. })));
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let mut body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
    let mut held = Held::new(&Budget::new(1 << 20));
    let limits = BodyLimits { timeout: Duration::from_millis(20), ..LIMITS };

    assert!(matches!(read(&mut body, None, &limits, &mut held).await, Err(Refusal::SlowBody)));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused() {
    let chunks = vec![Ok(Bytes::from_static(b"{}")), Err(std::io::Error::other("gone"))];
    let mut body = Body::from_stream(futures_util::stream::iter(chunks));
    let mut held = Held::new(&Budget::new(1 << 20));

    assert!(matches!(read(&mut body, None, &LIMITS, &mut held).await, Err(Refusal::Body(_))));
}

#[tokio::test]
async fn without_room_a_body_is_refused_as_busy_and_holds_nothing() {
    let budget = Budget::new(10);
    let mut held = Held::new(&budget);

    let refusal = read(&mut chunked(vec![vec![0; 10], vec![0]]), None, &LIMITS, &mut held).await;
    drop(held);

    assert!(matches!(refusal, Err(Refusal::Busy { lines: 0 })));
    assert_eq!(budget.used(), 0);
}

#[test]
fn both_encodings_are_undone_in_one_or_several_pieces() {
    assert_eq!(unpacked(gzip(b"one"), Encoding::Gzip).ok().as_deref(), Some(&b"one"[..]));
    assert_eq!(unpacked(zstd(b"one"), Encoding::Zstd).ok().as_deref(), Some(&b"one"[..]));
    let two = [gzip(b"one,"), gzip(b"two")].concat();
    assert_eq!(unpacked(two.into(), Encoding::Gzip).ok().as_deref(), Some(&b"one,two"[..]));
    let two = [zstd(b"one,"), zstd(b"two")].concat();
    assert_eq!(unpacked(two.into(), Encoding::Zstd).ok().as_deref(), Some(&b"one,two"[..]));
}

#[test]
fn the_unpacked_limit_is_exact() {
    for (encoding, pack) in [(Encoding::Gzip, gzip as fn(&[u8]) -> Bytes), (Encoding::Zstd, zstd)] {
        assert!(unpacked(pack(&[b' '; 2000]), encoding).is_ok());
        assert!(matches!(unpacked(pack(&[b' '; 2001]), encoding), Err(Refusal::UnpackedTooLarge { limit: 2000 })));
    }
    assert!(matches!(unpacked(vec![b' '; 2001].into(), Encoding::Identity), Err(Refusal::UnpackedTooLarge { .. })));
}

#[test]
fn a_body_that_is_not_what_it_says_is_refused() {
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        assert!(matches!(unpacked(Bytes::from_static(b"{\"request\":{}}\n"), encoding), Err(Refusal::Body(_))));
    }
    let cut = gzip(&[b'x'; 500]);
    assert!(matches!(unpacked(cut.slice(..cut.len() - 4), Encoding::Gzip), Err(Refusal::Body(_))));
}

#[test]
fn an_unpacked_body_needs_room_too() {
    let mut held = Held::new(&Budget::new(100));

    assert!(matches!(unpack(gzip(&[b' '; 1500]), Encoding::Gzip, &LIMITS, &mut held), Err(Refusal::Busy { .. })));
}

#[test]
fn zstd_frames_that_hold_nothing_unpack_to_nothing() {
    // RFC 8878 §3.1.2: a skippable frame of 16 bytes.
    let frame = [&0x184d_2a50_u32.to_le_bytes()[..], &16_u32.to_le_bytes(), &[7; 16]].concat();

    assert_eq!(unpacked(frame.repeat(40).into(), Encoding::Zstd).ok().as_deref(), Some(&b""[..]));
}

proptest! {
    #[test]
    fn any_split_into_chunks_gives_the_same_body(chunks in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..20), 0..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");

        let whole = runtime.block_on(read_whole(chunks.clone()));

        prop_assert_eq!(whole.ok().map(|body| body.to_vec()), Some(chunks.concat()));
    }

    #[test]
    fn no_bytes_break_an_unpacker(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            if let Ok(body) = unpacked(bytes.clone().into(), encoding) {
                prop_assert!(body.len() <= LIMITS.max_decoded_bytes);
            }
        }
    }
}
