//! A JSON text that was cut: the part of it that is sure.

/// What is sure of a cut JSON text: a JSON text of all that was complete, and how many levels were open at the cut (the
/// value itself, the last value in it, and so on). `None` if nothing is sure.
///
/// A number, a name or a string that the cut touches is left out: `12` may have been `1250` or `12.5`.
pub(crate) fn sure_part(text: &str) -> Option<(String, usize)> {
    let (end, open) = last_sure_place(text)?;
    let mut repaired = text.get(..end)?.to_owned();
    repaired.extend(open.iter().rev());
    Some((repaired, open.len()))
}

/// The end of the last complete value or of the last opening bracket, and the brackets to close there.
fn last_sure_place(text: &str) -> Option<(usize, Vec<char>)> {
    let mut open: Vec<char> = Vec::new();
    let mut sure = None;
    let mut in_string = false;
    let mut escaped = false;
    for (place, c) in text.char_indices() {
        if in_string {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match c {
            '"' => in_string = true,
            '{' | '[' => {
                open.push(if c == '{' { '}' } else { ']' });
                sure = Some((place + 1, open.clone()));
            }
            '}' | ']' => {
                // Its own closing bracket; a wrong one is found by the parser.
                open.pop();
                sure = Some((place + 1, open.clone()));
            }
            // All in front of a comma is complete.
            ',' => sure = Some((place, open.clone())),
            _ => {}
        }
        if open.len() > MAX_OPEN {
            return None;
        }
    }
    // Without an open bracket the text is whole or a scalar, and a scalar cannot be sure.
    sure.filter(|(_, open)| !open.is_empty())
}

/// The parser's own bound on nesting.
const MAX_OPEN: usize = 127;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn sure_value(text: &str) -> Option<(Value, usize)> {
        let (repaired, open) = sure_part(text)?;
        Some((serde_json::from_str(&repaired).ok()?, open))
    }

    #[test]
    fn complete_values_are_kept_and_the_touched_one_is_not() {
        let cases = [
            (r#"{"a":1,"b":12"#, json!({"a": 1}), 1),
            (r#"{"a":1,"b":"x"#, json!({"a": 1}), 1),
            (r#"{"a":1,"b":"x","#, json!({"a": 1, "b": "x"}), 1),
            (r#"{"a":[{"b":1},{"c":"#, json!({"a": [{"b": 1}, {}]}), 3),
            (r#"[1,2,[3],"#, json!([1, 2, [3]]), 1),
            (r#"{"a":"},[","b":tr"#, json!({"a": "},["}), 1),
            (r#"{"#, json!({}), 1),
        ];

        for (text, value, open) in cases {
            assert_eq!(sure_value(text), Some((value, open)), "{text}");
        }
    }

    #[test]
    fn of_a_cut_scalar_nothing_is_sure() {
        for text in ["12", "\"ab", "tru", "", "{}", "{]"] {
            assert_eq!(sure_value(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_cut_of_a_document_has_a_sure_part_that_parses(cut in 1usize..80) {
            let text = r#"{"id":"0549","tags":["a","b\"]"],"n":-1.5e3,"deep":{"x":[{"y":null},true]},"last":"ä€"}"#;
            let end = (0..=cut.min(text.len() - 1)).rev().find(|end| text.is_char_boundary(*end)).unwrap();

            proptest::prop_assert!(end == 0 || sure_value(&text[..end]).is_some());
        }
    }
}
