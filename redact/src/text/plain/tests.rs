use super::*;
use crate::{Settings, masker::Style, patterns, redactor::Redactor};

#[test]
fn a_form_is_told_from_all_that_differs_in_a_byte() {
    for form in [b"0000-00-", b"00T00:00", b"00:00:00"] {
        for (place, byte) in (0..form.len()).flat_map(|place| (0..=u8::MAX).map(move |byte| (place, byte))) {
            let mut bytes = form.map(|sign| if sign == b'0' { b'9' } else { sign });
            bytes[place] = byte;
            let is_allowed = if form[place] == b'0' { byte.is_ascii_digit() } else { byte == form[place] };
            assert_eq!(has_form(Some(&bytes), form), is_allowed, "{place}, {byte}");
        }
    }
    assert!(!has_form(None, b"00000000"));
}

/// [`Masker::glance`], as the scan would see the string.
fn glance_by_scan(masker: &Masker<'_, '_>, text: &[u8], start: usize) -> Option<Glance> {
    let len =
        text[start..].iter().position(|byte| matches!(byte, b'"' | b'\\')).filter(|len| text[start + len] == b'"')?;
    let is_word = |place: usize| text[place].is_ascii_alphanumeric();
    let stands_out = (start..start + len).any(|place| {
        let is_look = SIGNS.contains(&text[place])
            || patterns::FIRST_BYTES.contains(&text[place]) && (place == start || !is_word(place - 1));
        is_look && masker.stands_out(text, place, start)
    });
    Some(Glance { end: NonZero::new(start + len)?, stands_out })
}

fn glances_are_those_of_the_scan(text: &[u8]) {
    let rules = Redactor::default();
    let masker = Masker::new(&rules, text, Style::Words);
    for start in 1..text.len() {
        let expected = glance_by_scan(&masker, text, start);
        assert_eq!(masker.glance(text, start), expected, "{text:?} {start}");
        assert_eq!(masker.glance_by_bytes(text, start, start), expected, "{text:?} {start}");
        let end = masker.any_plain_string_end(text, start);
        assert_eq!(masker.plain_string_end(text, start), end, "{text:?} {start}");
    }
}

#[test]
fn each_byte_of_a_string_is_seen_alike_at_each_place_behind_each_kind_of_byte() {
    for (place, byte) in (0..20).flat_map(|place| (0..=u8::MAX).map(move |byte| (place, byte))) {
        for around in [" ", "z", "\u{e9}"] {
            let before = around.repeat(place);
            let text = [b"\"", before.as_bytes(), &[byte], b"igh\", b=[               "].concat();
            let rules = Redactor::default();
            let masker = Masker::new(&rules, &text, Style::Words);
            assert_eq!(masker.glance(&text, 1), glance_by_scan(&masker, &text, 1), "{text:?}");
            assert_eq!(masker.plain_string_end(&text, 1), masker.any_plain_string_end(&text, 1), "{text:?}");
        }
    }
}

#[test]
fn what_stands_out_in_a_string_is_seen_wherever_it_stands() {
    for what in ["", "a=b", "<a>", "-----B", "ab:c", "%41", "ghp_", "eyJa", "4111", "\\", "\u{e9}x", "\"b="] {
        for (len, around) in (0..40).flat_map(|len| [" ", "z", "<", "\u{e9}"].map(|around| (len, around))) {
            let before = around.repeat(len);
            glances_are_those_of_the_scan(format!("\"{before}{what}\" {before}").as_bytes());
            glances_are_those_of_the_scan(format!("{before}{what}{before}\" =").as_bytes());
            glances_are_those_of_the_scan(format!("{before}{what}").as_bytes());
        }
    }
}

proptest::proptest! {
    #[test]
    fn a_glance_at_any_bytes_is_that_of_the_scan(
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80),
        text in r#"([a-z]{1,5}|[ <>=:%/-]|eyJ|ghp_|41|["\\\[é]){0,30}"#
    ) {
        glances_are_those_of_the_scan(&bytes);
        glances_are_those_of_the_scan(text.as_bytes());
    }
}

#[test]
fn a_string_with_what_the_configuration_names_is_not_plain() {
    let settings = Settings { patterns: vec!["zz[0-9]{6}".to_owned()], ..Settings::default() };
    let rules = Redactor::new(settings, None).unwrap();
    let text = br#"zz123456",                "zz12","#;

    let masker = Masker::new(&rules, text, Style::Words);

    assert_eq!(masker.plain_string_end(text, 0), None);
    assert_eq!(masker.plain_string_end(text, 27), NonZero::new(31));
}
