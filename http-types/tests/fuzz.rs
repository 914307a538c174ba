//! Lines that somebody has spoiled: both readers agree, and what one of them accepts can be written and read again.

#![allow(clippy::expect_used, reason = "a test: what does not hold must fail")]

use proptest::prelude::*;
use tributary_fuzz::{bytes, json, seeds};
use tributary_http_types::{CheckedLine, HttpExchange, ReadError, SourceAccount, check_line, check_own_line};

/// What a line may hold in a place where it should not.
const WORDS: &[&str] = &[
    "null",
    "true",
    "[]",
    "{}",
    "1e999",
    "-0",
    "\"\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\\u2028",
    "\u{2028}",
    "\u{feff}",
    "\"method\":",
    "\"get\"",
    "\"meta\":",
    "\"request\":{",
    "\"base64\":\"",
    "\"statusCode\":",
    "\"seq\":18446744073709551616",
    "[[[[[[[[",
    "9999-12-31T23:59:60Z",
];

fn lines() -> Vec<Vec<u8>> {
    seeds("lines").expect("seeds")
}

fn values() -> Vec<serde_json::Value> {
    lines().iter().filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

fn names() -> Vec<String> {
    let names = "request response meta method protocol host headers body path pathname query timestamp statusCode id source seq \
                 durationMs requestBody responseBody bytes kept truncated base64 requestTrailers degraded redactions __proto__";
    names.split_whitespace().map(str::to_owned).collect()
}

fn check(line: &[u8]) -> Result<(), TestCaseError> {
    let read = HttpExchange::from_line(line);
    let checked = check_line(line);
    // The same verdict for the same kind of reason; the words may differ, for one of them skips what it does not keep.
    let kind = |error: Option<&ReadError>| error.map(std::mem::discriminant);
    prop_assert_eq!(kind(read.as_ref().err()), kind(checked.as_ref().err()));
    let mut own = CheckedLine::default();
    if check_own_line(line, &mut own) {
        prop_assert_eq!(Some(&own), checked.as_ref().ok());
    }
    let Ok(exchange) = read else { return Ok(()) };
    let written = exchange.to_line();
    prop_assert_eq!(written.iter().filter(|byte| **byte < 0x20).count(), 1, "control bytes in a line");
    prop_assert!(written.ends_with(b"\n"));
    let again = HttpExchange::from_line(&written).expect("what was written is read");
    prop_assert_eq!(&again, &exchange);
    // What delivery takes from a line is what the exchange says.
    let (checked, facts) = (checked.expect("both agree"), exchange.facts());
    prop_assert_eq!((checked.seq, checked.host.as_deref()), (facts.seq, exchange.request.host.as_deref()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spoiled_lines_get_one_verdict_and_survive_a_round(line in bytes(lines(), WORDS)) {
        check(&line)?;
    }

    #[test]
    fn lines_with_wrong_values_get_one_verdict_and_survive_a_round(value in json(values(), names())) {
        check(value.to_string().as_bytes())?;
    }

    #[test]
    fn spoiled_accounts_are_read_or_refused(line in bytes(lines(), WORDS)) {
        if let Ok(account) = SourceAccount::from_line(&line) {
            prop_assert_eq!(SourceAccount::from_line(&account.to_line()).ok(), Some(account));
        }
    }
}
