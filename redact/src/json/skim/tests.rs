use proptest::prelude::*;

use super::*;
use crate::{masker::Style, redactor::Redactor};

/// Compares skimming with pieces and without, from wherever it stopped.
fn pieces_change_nothing(text: &str) {
    let text = text.as_bytes();
    let rules = Redactor::default();
    let masker = Masker::new(&rules, text, Style::Words);
    let mut pieces = Pieces::of(text);
    let mut at = 0;
    while at < text.len() {
        let stop = masker.skim(text, &mut pieces, at);
        // There are no pieces in another text.
        assert_eq!(stop, masker.skim(text, &mut Pieces::of(b""), at), "{} {at}", String::from_utf8_lossy(text));
        at = stop + 1;
    }
}

#[test]
fn rows_are_passed_over_to_what_is_no_row() {
    let long = "k".repeat(40);
    let rows = [
        r#"{"id":7,"name":"a b","tags":["x","y"],"ok":true},"#,
        "{ \"id\" : 7 ,\n  \"name\" : \"a b\", \"none\" : null }\n",
        &format!(r#"{{"{long}1":1,"{long}2":"x","{long}1":"y"}},"#),
        &format!(r#"[1,{}"x"],"#, " ".repeat(300)),
        r#" "a" 1 "b"2"#,
    ];
    for row in rows {
        let rows = row.repeat(5);
        let tail = " ".repeat(40);
        pieces_change_nothing(&format!("[{rows}{tail}"));
        for other in
            [r#""token":"x""#, r#""token" :"x""#, r#""a":"b=c""#, r#""a":"\n""#, r#"4111111111111111"#, r#"":""#]
        {
            for place in (0..row.len()).filter(|place| row.is_char_boundary(*place)) {
                let (before, behind) = row.split_at(place);
                pieces_change_nothing(&format!("[{rows}{before}{other}{behind}{rows}{tail}"));
            }
        }
    }
}

proptest! {
    #[test]
    fn pieces_that_came_before_change_nothing_in_what_is_passed_over(
        soup in prop::collection::vec((0usize..26, prop::bool::ANY), 1..24), again in 2usize..4
    ) {
        let tokens = [
            "{", "}", "[", "]", ",", ":", "\"", " ", "\n  ", "\"a\"", "\"k\":", ",\"k\":\"", "\",\"k\":\"", "1", "true",
            "null", "-2.5e3", "\"token\":", "\"x=y\"", "\\", "\"\":", "\"a longer key than others\":", "\"a longer key than\":",
            "\",\"", "                 ", "\"2026-02-28T10:39:28.833Z\"",
        ];
        // Some tokens are left out of each repetition, so that pieces come again, and do not.
        let part = |round: usize| soup.iter().filter(move |(_, stays)| *stays || round.is_multiple_of(2)).map(|(token, _)| tokens[*token]);

        let text: String = (0..again).flat_map(part).collect();

        pieces_change_nothing(&text);
        pieces_change_nothing(&format!("{text}{}", " ".repeat(20)));
    }
}
