use super::*;
use crate::{
    Settings,
    masker::Style,
    redactor::Redactor,
    text::{BEGINS, GAP, SIGN},
};

/// [`Masker::next_look`], byte by byte.
fn next_look_by_bytes(masker: &Masker<'_, '_>, text: &[u8], at: usize, scan: &mut Scan) -> Option<usize> {
    for place in at..text.len() {
        let class = masker.rules.table.of(text[place]);
        let begins = class & BEGINS != 0 && !scan.is_word_before(text, place);
        let is_gap = class & GAP != 0;
        let ends = is_gap && place - scan.run >= FEWEST_BASE64 && patterns::may_be_text(&text[scan.run..place]);
        if ends || (class & SIGN != 0 || begins) && masker.stands_out(text, place, scan.start) {
            return Some(place);
        }
        if is_gap {
            scan.run = place + 1;
        }
    }
    None
}

/// Compares both ways through a text.
fn looks_are_those_by_bytes(rules: &Redactor, text: &[u8]) {
    let masker = Masker::new(rules, text, Style::Words);
    let (mut scan, mut by_bytes) = (Scan::new(0..text.len()), Scan::new(0..text.len()));
    let mut at = 0;
    while let Some(look) = masker.next_look(text, at, &mut scan) {
        assert_eq!(next_look_by_bytes(&masker, text, at, &mut by_bytes), Some(look), "{text:?} {at}");
        assert_eq!(scan.run, by_bytes.run, "{text:?} {at}");
        at = look + 1;
    }
    assert_eq!(next_look_by_bytes(&masker, text, at, &mut by_bytes), None, "{text:?} {at}");
    assert_eq!(scan.run, by_bytes.run, "{text:?} {at}");
}

#[test]
fn nothing_worth_a_look_is_passed_over_wherever_it_stands() {
    let rules = Redactor::default();
    let worth_it =
        ["a=b", "<a>", "-----BEGIN X", "ab:c", "%41", "ghp_a", "eyJhIjoxLCJiIjoyLCJjIjozLCJk", "Basic Og", "4111"];

    for (worth_it, place) in worth_it.iter().flat_map(|it| (0..70).map(move |place| (it, place))) {
        for around in [" ", "z", "<", "\u{e9}", "z z ", "</b>"] {
            let around = around.repeat(70);
            let before = &around[..around.floor_char_boundary(place)];
            looks_are_those_by_bytes(&rules, format!("{before} {worth_it} {around}").as_bytes());
            looks_are_those_by_bytes(&rules, format!("{before}{worth_it}").as_bytes());
        }
    }
}

proptest::proptest! {
    #[test]
    fn looks_at_any_bytes_are_those_byte_by_byte(
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
        text in "([a-z]{1,5}|[ <>=:%/-]|eyJ|ghp_|[A-Za-z0-9+/]{20,40}){0,30}",
        own in proptest::bool::ANY
    ) {
        let patterns = if own { vec!["zz-[0-9]{6}".to_owned()] } else { Vec::new() };
        let rules = Redactor::new(Settings { patterns, ..Settings::default() }, None).unwrap();

        looks_are_those_by_bytes(&rules, &bytes);
        looks_are_those_by_bytes(&rules, text.as_bytes());
    }
}
