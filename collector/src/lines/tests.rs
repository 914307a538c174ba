use super::*;
use proptest::prelude::*;

const LIMITS: LineLimits = LineLimits {
    max_line_bytes: 200,
    max_lines: 5,
    max_depth: 6,
    max_unpacked_body_bytes: 1000,
    max_unpacked_bytes: 10_000,
};

const GOOD: &str = r#"{"request":{"method":"get"}}"#;

fn judged(body: &str) -> Lines {
    judge(&Bytes::copy_from_slice(body.as_bytes()), &LIMITS, &Wall::default()).expect("not too many lines")
}

/// Numbers of the good and of the bad lines.
fn numbers(body: &str) -> (Vec<u64>, Vec<u64>) {
    let lines = judged(body);
    let good = lines.exchanges.iter().map(|exchange| exchange.number).collect();
    (good, lines.rejected.iter().map(|rejected| rejected.line).collect())
}

#[test]
fn a_line_passes_byte_for_byte_with_its_facts() {
    let line = r#" {"request":{"method":"get","host":"shop.example"}, "meta":{"id":"ab-7","source":"ab","seq":7}}	"#;

    let lines = judged(&format!("{line}\n"));

    let place = |text: &str| line.find(&format!("\"{text}\"")).map(|begin| Part::At(begin + 1, text.len()));
    let expected = Exchange {
        number: 1,
        line: Bytes::copy_from_slice(line.as_bytes()),
        id: place("ab-7"),
        source: Some("ab".into()),
        seq: Some(7),
        host: place("shop.example"),
        replayed: false,
        has_packed_body: false,
    };
    assert_eq!(lines.exchanges, [expected]);
    assert!(!lines.has_packed_bodies);
}

#[test]
fn lines_have_the_source_that_they_name_and_share_it_with_their_neighbours() {
    let line = |source: &str| format!(r#"{{"request":{{"method":"get"}},"meta":{{"source":"{source}","seq":1}}}}"#);
    let lines: Vec<String> = ["a", "a", "b", "a b", "b"].map(line).to_vec();

    let exchanges = judged(&lines.join("\n")).exchanges;

    let sources: Vec<Option<&str>> = exchanges.iter().map(|exchange| exchange.source.as_deref()).collect();
    assert_eq!(sources, [Some("a"), Some("a"), Some("b"), None, Some("b")]);
    let [one, other] = [0, 1].map(|place: usize| exchanges[place].source.as_ref().unwrap());
    assert!(Arc::ptr_eq(one, other));
}

#[test]
fn what_is_masked_in_the_host_is_no_key_either() {
    let request = r#""request":{"method":"get","host":"kimmo:hunter2@shop.example"}"#;
    let packed = r#","meta":{"requestBody":{"bytes":1,"kept":1,"truncated":false,"base64":"/w=="}}"#;
    let mut lines = judged(&format!("{{{request}}}\n{{{request}{packed}}}\n")).exchanges;

    unpack_bodies(&mut lines, &LIMITS, &Wall::default());

    for exchange in &lines {
        assert!(!String::from_utf8_lossy(&exchange.line).contains("hunter2"), "{exchange:?}");
        assert_eq!(exchange.host(), Some(&b"%5Bredacted%5D@shop.example"[..]));
    }
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_bad_line_touches_no_other() {
    let (good, bad) = numbers(&format!("{GOOD}\nnot json\n{GOOD}\n{{\"request\":{{}}}}\n{GOOD}\n"));

    assert_eq!((good, bad), (vec![1, 3, 5], vec![2, 4]));
}

#[test]
fn a_bad_line_says_what_is_wrong() {
    let lines = judged("{\"request\":{\"method\":\"fetch\"}}");

    assert!(lines.rejected[0].error.starts_with("request.method: "), "{}", lines.rejected[0].error);
}

#[test]
fn the_last_line_needs_no_end() {
    assert_eq!(numbers(&format!("{GOOD}\n{GOOD}")), (vec![1, 2], vec![]));
    assert_eq!(numbers(&format!("{GOOD}\n{GOOD}\n")), (vec![1, 2], vec![]));
}

#[test]
fn an_end_of_two_bytes_is_no_part_of_the_line() {
    let lines = judged(&format!("{GOOD}\r\n{GOOD}\r\n"));

    assert_eq!(lines.exchanges.iter().map(|exchange| &exchange.line[..]).collect::<Vec<_>>(), [GOOD.as_bytes(); 2]);
}

#[test]
fn blank_lines_are_skipped_but_counted() {
    assert_eq!(numbers(&format!("\n\r\n \t\n{GOOD}\n\nx\n")), (vec![4], vec![6]));
    assert_eq!(numbers(""), (vec![], vec![]));
    assert_eq!(numbers("\n\n\n"), (vec![], vec![]));
}

#[test]
fn blank_lines_do_not_count_against_the_limit() {
    assert_eq!(numbers(&format!("{}{GOOD}", "\n".repeat(100_000))), (vec![100_001], vec![]));
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_beginning_only() {
    assert_eq!(numbers(&format!("\u{feff}{GOOD}\n\u{feff}{GOOD}\n")), (vec![1], vec![2]));
}

#[test]
fn a_line_at_the_limit_passes_and_one_over_it_is_rejected() {
    let padded = |len: usize| format!("{GOOD}{}", " ".repeat(len - GOOD.len()));

    assert_eq!(numbers(&format!("{}\n{}\n", padded(200), padded(201))), (vec![1], vec![2]));
}

#[test]
fn nesting_at_the_limit_passes_and_one_over_it_is_rejected() {
    let nested = |depth: usize| {
        format!(
            r#"{{"request":{{"method":"get"}},"meta":{{"x":{}1{}}}}}"#,
            "[".repeat(depth - 2),
            "]".repeat(depth - 2)
        )
    };

    assert_eq!(numbers(&format!("{}\n{}\n", nested(6), nested(7))), (vec![1], vec![2]));
}

#[test]
fn brackets_inside_strings_are_not_nesting() {
    let line = format!(r#"{{"request":{{"method":"get","body":"{}\"{}"}}}}"#, "[".repeat(20), "{".repeat(20));

    assert_eq!(numbers(&line), (vec![1], vec![]));
}

#[test]
fn lines_at_the_limit_pass_and_one_over_it_refuses_the_post() {
    let body = |lines: usize| Bytes::from(format!("{GOOD}\n").repeat(lines));

    assert_eq!(judge(&body(5), &LIMITS, &Wall::default()).map(|lines| lines.exchanges.len()).ok(), Some(5));
    assert!(matches!(judge(&body(6), &LIMITS, &Wall::default()), Err(Refusal::TooManyLines { lines: 6, limit: 5 })));
}

#[test]
fn a_bad_line_keeps_its_origin_where_it_can_be_made_out() {
    let origin = |line: &str| judged(line).rejected.into_iter().next().and_then(|rejected| rejected.origin);

    assert_eq!(origin(r#"{"request":{},"meta":{"source":"ab","seq":9}}"#), Some(("ab".to_owned(), 9)));
    assert_eq!(origin(r#"{"request":{},"meta":{"source":"a b","seq":9}}"#), None);
    assert_eq!(origin("not json"), None);
}

#[test]
fn a_source_with_an_impossible_name_is_no_source() {
    let lines = judged(r#"{"request":{"method":"get"},"meta":{"source":"<script>","seq":1}}"#);

    assert_eq!(lines.exchanges[0].source, None);
}

#[test]
fn packed_bodies_are_noticed() {
    let lines = judged(r#"{"request":{"method":"get"},"meta":{"requestBody":{"base64":"AA=="}}}"#);

    assert!(lines.has_packed_bodies);
}

proptest! {
    /// The verdict on a line depends on the line alone, wherever it stands and whatever stands around it.
    #[test]
    fn each_line_is_judged_by_itself(lines in proptest::collection::vec(prop_oneof![
        Just(GOOD.to_owned()), Just(String::new()), Just(" ".to_owned()), "[ -~]{0,40}", "\\PC{0,20}"
    ], 0..5), crlf: bool) {
        let end = if crlf { "\r\n" } else { "\n" };
        let body = lines.iter().map(|line| format!("{line}{end}")).collect::<String>();

        let (good, bad) = numbers(&body);

        for (number, line) in (1..).zip(&lines) {
            // Alone, but not first: there it could begin with a byte order mark.
            let (alone_good, alone_bad) = numbers(&format!("\n{line}{end}"));
            prop_assert_eq!(good.contains(&number), !alone_good.is_empty() || (number == 1 && line.starts_with('\u{feff}') && good.contains(&1)));
            prop_assert_eq!(bad.contains(&number), !alone_bad.is_empty() || (number == 1 && line.starts_with('\u{feff}') && bad.contains(&1)));
        }
    }

    #[test]
    fn no_bytes_break_the_judge(body in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'{'), Just(b'"'), proptest::num::u8::ANY], 0..300)) {
        let unlimited = LineLimits { max_lines: u64::MAX, ..LIMITS };
        let body = Bytes::from(body);

        let lines = judge(&body, &unlimited, &Wall::default()).expect("no limit");

        let spoken_of = lines.exchanges.len() + lines.rejected.len();
        prop_assert!(spoken_of <= body.iter().filter(|byte| **byte == b'\n').count() + 1);
    }

    #[test]
    fn the_depth_is_that_of_the_json(depth in 1usize..12) {
        let json = format!("{}{}", "[".repeat(depth), "]".repeat(depth));

        for max in 1..12 {
            prop_assert_eq!(is_deeper_than(json.as_bytes(), max), depth > max);
        }
    }
}

#[test]
fn a_line_with_a_secret_is_masked_and_its_neighbours_keep_their_bytes() {
    let plain = r#"{"request":  {"method":"get"}}"#;
    let secret = r#"{"request":{"method":"get","headers":{"x-api-key":"hunter2"}},"meta":{"id":"a-1"}}"#;

    let lines = judged(&format!("{plain}\n{secret}\n{plain}"));

    let masked = br#"{"request":{"method":"get","headers":{"x-api-key":"[redacted]"}},"meta":{"id":"a-1","redactions":{"requestHeaders":1}}}"#;
    let stored: Vec<&[u8]> = lines.exchanges.iter().map(|exchange| exchange.line.as_ref()).collect();
    assert_eq!(stored, [plain.as_bytes(), masked, plain.as_bytes()]);
    assert_eq!(lines.exchanges[1].id(), Some(&b"a-1"[..]));
}

#[test]
fn packed_bodies_are_masked_when_they_are_unpacked_and_left_out_when_they_cannot_be() {
    let line = |base64: &str| {
        format!(
            r#"{{"request":{{"method":"post","headers":{{"content-encoding":"gzip"}},"body":""}},"meta":{{"requestBody":{{"bytes":9,"kept":9,"truncated":false,"base64":"{base64}"}}}}}}"#
        )
    };
    // {"pin":1234}, by gzip.
    let packed = line("H4sIAAAAAAACA6tWKsjMU7IyNDI2qQUAsN0GuwwAAAA=");
    let text = |wall: &Wall, line: &str| {
        let mut lines = judge(&Bytes::copy_from_slice(line.as_bytes()), &LIMITS, wall).unwrap();
        assert!(lines.has_packed_bodies);
        unpack_bodies(&mut lines.exchanges, &LIMITS, wall);
        String::from_utf8(lines.exchanges[0].line.to_vec()).unwrap()
    };

    let masked = text(&Wall::default(), &packed);
    assert!(
        masked.contains(r#""body":"{\"pin\":\"[redacted]\"}""#) && masked.contains(r#""decoded":true"#),
        "{masked}"
    );
    for left_out in [text(&Wall::default(), &line("aHVudGVyMg==")), text(&Wall::filter_only(), &packed)] {
        let facts = r#""requestBody":{"bytes":9,"kept":0,"truncated":true,"withheld":"compressed"}"#;
        assert!(left_out.contains(facts) && !left_out.contains("base64"), "{left_out}");
    }
}

/// serde_json takes an object with this key for a note of its own parser, and its text for what stands in its place: the
/// line was read as another one than it was passed on as.
#[test]
fn an_object_that_looks_like_a_note_of_the_parser_is_masked_as_what_it_is() {
    let note = |inner: &str| {
        let note = serde_json::json!({"$serde_json::private::RawValue": inner});
        serde_json::json!({"request": {"method": "get"}, "meta": {"note": note}}).to_string()
    };
    let wide = LineLimits { max_line_bytes: 1_000, ..LIMITS };
    let judged = |line: String| judge(&line.into(), &wide, &Wall::default()).expect("not too many lines");

    for inner in ["harmless", "{\"a\":1}", "[[[[", ""] {
        let line = note(inner);
        assert_eq!(judged(line.clone()).exchanges[0].line, line, "{inner}");
    }
    for inner in ["{\"password\":\"s3cret\"}", "broken, password=s3cret"] {
        let lines = judged(note(inner));
        let line = String::from_utf8_lossy(&lines.exchanges[0].line).into_owned();
        assert!(line.contains("RawValue") && line.contains("[redacted]") && !line.contains("s3cret"), "{line}");
    }
}

/// Readers differ about such a name, so one of them would see what the wall has not looked at.
#[test]
fn a_name_that_stands_twice_in_meta_is_bad_and_touches_no_other() {
    let twice = r#"{"request":{"method":"get"},"meta":{"note":"password=s3cret","note":""}}"#;

    let lines = judged(&format!("{GOOD}\n{twice}\n{GOOD}\n"));

    assert_eq!(lines.exchanges.len(), 2);
    assert_eq!(lines.rejected[0].error, "meta: \"note\" stands twice; put its values into one array");
}
