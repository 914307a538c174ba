use super::*;
use crate::Settings;

fn masked_by(rules: &Redactor, content_type: Option<&str>, body: &[u8], end: End) -> MaskedBody {
    let head = BodyHead { content_type: content_type.map(str::as_bytes), is_compressed: false };
    masked(rules, body, head, end)
}

fn text_of(content_type: Option<&str>, body: &[u8]) -> String {
    match masked_by(&Redactor::default(), content_type, body, End::Whole) {
        MaskedBody::Same => String::from_utf8_lossy(body).into_owned(),
        MaskedBody::Changed { bytes, .. } => String::from_utf8_lossy(&bytes).into_owned(),
        MaskedBody::Withheld(reason) => format!("{reason:?}"),
    }
}

#[test]
fn bodies_are_read_as_what_they_say_they_are() {
    let cases = [
        (Some("application/json"), r#"{"token":"x"}"#, r#"{"token":"[redacted]"}"#),
        (Some("application/problem+json; charset=utf-8"), r#"{"token":"x"}"#, r#"{"token":"[redacted]"}"#),
        (Some("APPLICATION/X-WWW-FORM-URLENCODED"), "token=x&key=a", "token=[redacted]&key=a"),
        (Some("text/plain"), "token=x", "token=[redacted]"),
        (Some("text/html"), "<b>Bearer abc123</b>", "<b>Bearer [redacted]</b>"),
        (Some("application/graphql"), "{login(password:\"x\"){id}}", "{login(password:\"[redacted]\"){id}}"),
        (
            Some("application/x-ndjson"),
            "{\"pin\":1}\n{\"pin\":2}\n",
            "{\"pin\":\"[redacted]\"}\n{\"pin\":\"[redacted]\"}\n",
        ),
        (
            Some("text/event-stream"),
            "event: a\ndata: {\"token\":\"x\",\"n\":1}\n\n",
            "event: a\ndata: {\"token\":\"[redacted]\",\"n\":1}\n\n",
        ),
    ];

    for (content_type, given, expected) in cases {
        assert_eq!(text_of(content_type, given.as_bytes()), expected);
    }
}

#[test]
fn a_body_that_lies_or_says_nothing_is_read_as_what_it_looks_like() {
    let json = (r#"{"token":"x"}"#, r#"{"token":"[redacted]"}"#);
    let form = ("a=1&token=x", "a=1&token=[redacted]");
    let part = "--X\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nx\r\n--X--\r\n";
    let types = [
        None,
        Some("application/json"),
        Some("application/x-www-form-urlencoded"),
        Some("text/plain"),
        Some("image/png"),
        Some("application/octet-stream"),
        Some("nonsense"),
        Some("\u{e9}"),
    ];

    for content_type in types {
        for (given, expected) in [json, form] {
            assert_eq!(text_of(content_type, given.as_bytes()), expected, "{content_type:?}");
        }
    }
    assert_eq!(text_of(None, part.as_bytes()), part.replace("\r\nx\r\n", "\r\n[redacted]\r\n"));
    assert_eq!(text_of(Some("multipart/form-data"), b"token=x"), "token=[redacted]");
}

#[test]
fn marks_and_utf_16_hide_nothing() {
    assert_eq!(text_of(Some("application/json"), b"\xef\xbb\xbf{\"pin\":1}"), "\u{feff}{\"pin\":\"[redacted]\"}");
    for mark in [true, false] {
        let text: String = "{\"token\":\"hunter2\"}".to_owned();
        let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
        let body: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
        let MaskedBody::Changed { bytes, count } =
            masked_by(&Redactor::default(), Some("application/json"), &body, End::Whole)
        else {
            panic!("nothing was masked")
        };
        let (text, _) = utf16::decoded(&bytes).unwrap();
        assert_eq!((text.as_str(), count), ("{\"token\":\"[redacted]\"}", 1));
    }
}

#[test]
fn in_bytes_that_are_no_text_a_secret_becomes_as_many_stars() {
    let key = b"ghp_abcdefghijklmnopqrstuvwxyz";
    let body = [&b"\x00\x0a\x1e\xff"[..], key, b"\x10\x01"].concat();

    for content_type in [None, Some("application/grpc+proto"), Some("application/x-protobuf")] {
        let MaskedBody::Changed { bytes, count } = masked_by(&Redactor::default(), content_type, &body, End::Whole)
        else {
            panic!("nothing was masked")
        };
        assert_eq!((bytes, count), ([&b"\x00\x0a\x1e\xff"[..], &[b'*'; 30], b"\x10\x01"].concat(), 1));
    }
    let text = [&b"\x00\x00"[..], key].concat();
    let framed = masked_by(&Redactor::default(), Some("application/grpc"), &text, End::Whole);
    assert_eq!(framed, MaskedBody::Changed { bytes: [&b"\x00\x00"[..], &[b'*'; 30]].concat(), count: 1 });
}

#[test]
fn latin_1_is_masked_as_text() {
    assert_eq!(
        masked_by(&Redactor::default(), Some("text/plain; charset=iso-8859-1"), b"caf\xe9 token=x", End::Whole),
        MaskedBody::Changed { bytes: b"caf\xe9 token=[redacted]".to_vec(), count: 1 }
    );
}

#[test]
fn unparseable_bodies_are_left_out_when_told_so() {
    let rules = Redactor::new(Settings { unparseable: Unparseable::Drop, ..Settings::default() }, None).unwrap();
    let is_withheld = |content_type: &str, body: &[u8], end: End| {
        masked_by(&rules, Some(content_type), body, end) == MaskedBody::Withheld(Withheld::Unparseable)
    };

    for body in [&b"{\"a\":1}"[..], b"1 2", b"\xef\xbb\xbf[]", b"{\"a\":1}\n{\"b\":2}"] {
        assert!(!is_withheld("application/json", body, End::Whole), "{body:?}");
    }
    for body in [&b"{\"a\":1"[..], b"{a:1}", b"token=x", b"{\"a\":\"\xff\"}"] {
        assert!(is_withheld("application/json", body, End::Whole), "{body:?}");
    }
    assert!(!is_withheld("application/json", b"{\"a\":1", End::Cut));
    assert!(is_withheld("application/json", b"{\"a\":x", End::Cut));
    assert!(is_withheld("application/x-www-form-urlencoded", b"{\"a\":1}", End::Whole));
    assert!(!is_withheld("application/x-www-form-urlencoded", b"a=1", End::Whole));
    assert!(is_withheld("multipart/form-data; boundary=X", b"a=1", End::Whole));
    assert!(is_withheld("text/plain", b"caf\xe9", End::Whole));
    assert!(!is_withheld("image/png", b"\x89PNG", End::Whole));
}

#[test]
fn compressed_bodies_pass_or_are_left_out() {
    let head = BodyHead::of([(&b"content-encoding"[..], &b"gzip"[..])].into_iter());
    let drop = Redactor::new(Settings { compressed: Compressed::Drop, ..Settings::default() }, None).unwrap();

    assert_eq!(masked(&Redactor::default(), b"\x1f\x8b", head, End::Whole), MaskedBody::Same);
    assert_eq!(masked(&drop, b"\x1f\x8b", head, End::Whole), MaskedBody::Withheld(Withheld::Compressed));
    let identity = BodyHead::of([(&b"content-encoding"[..], &b"identity"[..])].into_iter());
    assert_eq!(masked(&drop, b"{}", identity, End::Whole), MaskedBody::Same);
}

#[test]
fn bodies_can_be_left_as_they_are() {
    let rules = Redactor::new(Settings { bodies: false, ..Settings::default() }, None).unwrap();

    assert_eq!(masked_by(&rules, Some("application/json"), br#"{"token":"x"}"#, End::Whole), MaskedBody::Same);
    assert!(rules.is_weakened() && !Redactor::default().is_weakened());
}

#[test]
fn parameters_are_read_with_and_without_quotes() {
    let header = b"multipart/form-data; Boundary=\"a b\"; x=1; empty=";

    assert_eq!(parameter(header, b"boundary"), Some(&b"a b"[..]));
    assert_eq!(parameter(header, b"x"), Some(&b"1"[..]));
    assert_eq!((parameter(header, b"empty"), parameter(header, b"y")), (None, None));
}

proptest::proptest! {
    #[test]
    fn any_body_is_masked_once_and_for_all(
        body in proptest::collection::vec(proptest::num::u8::ANY, 0..120),
        content_type in "(application/json|multipart/form-data; boundary=a|text/plain|application/grpc|x)?",
    ) {
        let rules = Redactor::default();

        if let MaskedBody::Changed { bytes, .. } = masked_by(&rules, Some(&content_type), &body, End::Whole) {
            proptest::prop_assert_eq!(masked_by(&rules, Some(&content_type), &bytes, End::Whole), MaskedBody::Same);
        }
    }
}

#[test]
fn a_body_whose_masks_would_be_far_longer_than_it_is_left_out() {
    let body = |numbers: usize| format!("{{\"pin\":[{}1]}}", "1,".repeat(numbers));

    let few = masked_by(&Redactor::default(), None, body(5_000).as_bytes(), End::Whole);
    let many = masked_by(&Redactor::default(), None, body(60_000).as_bytes(), End::Whole);

    assert!(matches!(few, MaskedBody::Changed { count: 5_001, .. }));
    assert_eq!(many, MaskedBody::Withheld(Withheld::TooLong));
}
