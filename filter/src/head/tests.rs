use super::*;

fn wire(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut raw = u32::try_from(pairs.len()).unwrap().to_le_bytes().to_vec();
    for (name, value) in pairs {
        raw.extend(u32::try_from(name.len()).unwrap().to_le_bytes());
        raw.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
    }
    for (name, value) in pairs {
        raw.extend([*name, b"\0", *value, b"\0"].concat());
    }
    raw
}

fn head(pairs: &[(&[u8], &[u8])]) -> Head {
    Head::from_wire(wire(pairs)).unwrap()
}

#[test]
fn pairs_come_back_in_order_with_repetitions_and_odd_bytes() {
    let pairs: [(&[u8], &[u8]); 4] = [(b":method", b"GET"), (b"x", b"\xe9\xff\0"), (b"x", b""), (b"", b"no name")];

    let head = head(&pairs);

    assert_eq!(head.pairs().collect::<Vec<_>>(), pairs);
    assert_eq!(head.first(b"x"), Some(&b"\xe9\xff\0"[..]));
    assert_eq!(head.first(b"y"), None);
}

#[test]
fn no_bytes_and_a_count_of_zero_are_both_an_empty_map() {
    assert!(Head::from_wire(Vec::new()).unwrap().is_empty());
    assert!(head(&[]).is_empty());
    assert!(!head(&[(b"a", b"b")]).is_empty());
}

#[test]
fn a_map_cut_at_any_byte_is_refused() {
    let whole = wire(&[(b"accept", b"*/*"), (b"x", b"1")]);

    for end in 1..whole.len() {
        assert_eq!(Head::from_wire(whole[..end].to_vec()), Err(HeadError { bytes: end }), "cut at {end}");
    }
}

#[test]
fn lengths_that_lie_are_refused() {
    let mut huge_count = wire(&[(b"a", b"b")]);
    huge_count[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut huge_value = wire(&[(b"a", b"b")]);
    huge_value[8..12].copy_from_slice(&u32::MAX.to_le_bytes());

    assert!(Head::from_wire(huge_count).is_err());
    assert!(Head::from_wire(huge_value).is_err());
}

#[test]
fn a_body_is_coded_by_its_encoding_or_by_grpc() {
    assert!(head(&[(b"content-encoding", b"gzip")]).is_coded());
    assert!(head(&[(b"content-encoding", b"identity"), (b"content-encoding", b"br")]).is_coded());
    assert!(head(&[(b"content-type", b"Application/gRPC+proto")]).is_coded());
    assert!(!head(&[(b"content-encoding", b"Identity")]).is_coded());
    assert!(!head(&[(b"content-encoding", b"")]).is_coded());
    assert!(!head(&[(b"content-type", b"application/json")]).is_coded());
    assert!(!head(&[(b"content-type", b"application/grp")]).is_coded());
}

#[cfg(not(target_arch = "wasm32"))]
proptest::proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_but_never_panic(raw in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        if let Ok(head) = Head::from_wire(raw) {
            let _ = (head.pairs().count(), head.is_coded(), head.first(b"host"));
        }
    }

    #[test]
    fn every_map_comes_back_as_it_was(
        pairs in proptest::collection::vec((proptest::collection::vec(0u8.., 0..20), proptest::collection::vec(0u8.., 0..40)), 0..12),
    ) {
        let borrowed: Vec<(&[u8], &[u8])> = pairs.iter().map(|(name, value)| (&name[..], &value[..])).collect();

        let head = head(&borrowed);

        proptest::prop_assert_eq!(head.pairs().collect::<Vec<_>>(), borrowed);
    }
}

#[test]
fn a_request_line_has_path_host_and_scheme_and_no_header() {
    let whole =
        head(&[(b":authority", b"a"), (b":path", b"/p?q"), (b":method", b"GET"), (b":scheme", b"https"), (b"x", b"1")]);
    let old =
        head(&[(b":method", b"CONNECT"), (b"host", b"b:1"), (b":authority", b""), (b"x-forwarded-proto", b"http")]);

    let lines = [whole.request_line(), old.request_line()];

    assert_eq!(lines[0], head(&[(b":authority", b"a"), (b":path", b"/p?q"), (b":scheme", b"https")]));
    assert_eq!(lines[1], head(&[(b":authority", b"b:1"), (b":scheme", b"http")]));
    assert_eq!(lines.each_ref().map(|line| line.host()), [whole.host(), old.host()]);
    assert_eq!(head(&[(b":status", b"200"), (b"x", b"1")]).request_line(), Head::default());
}
