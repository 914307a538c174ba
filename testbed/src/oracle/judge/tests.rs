//! A judge that cannot find fault is worth nothing: each test spoils one thing in a sound run.

use serde_json::{Value, json};
use tributary_http_types::SourceAccount as Record;

use super::*;
use crate::{
    collector::{Accounting, SourceAccount},
    oracle::{Counters, evidence::letters_of_spool, load::Attempt, mint::Mint},
};

const SOURCE: &str = "00112233445566778899aabbccddeeff";
const COUNT: u64 = 6;

/// A line as the filter writes it for exchange `number`, with `seq` of its source.
fn line(mint: &Mint, number: u64, seq: u64) -> Value {
    let made = mint.exchange(number);
    let body = String::from_utf8(made.call.body.pieces().concat()).unwrap();
    json!({
        "request": {
            "timestamp": "2026-01-01T00:00:00.000Z", "method": made.call.method.to_lowercase(), "protocol": "http",
            "host": made.call.authority, "headers": {ID_HEADER: made.id, "x-part": ["a, b", "c;q=0.5"]},
            "body": body, "path": made.call.target, "pathname": format!("/orders/{}", made.id), "query": {},
        },
        "response": {
            "timestamp": "2026-01-01T00:00:00.001Z", "statusCode": made.status, "headers": {ID_HEADER: made.id},
            "body": String::from_utf8(made.answer.to_vec()).unwrap(),
        },
        "meta": {"id": format!("{SOURCE}-{seq}"), "source": SOURCE, "seq": seq},
    })
}

fn record(value: &Value) -> Line {
    let key = value.pointer("/meta/id").and_then(Value::as_str).map(|id| id.as_bytes().to_vec());
    Line { bytes: value.to_string().into_bytes(), key, ..Line::default() }
}

fn counters(pairs: &[(&str, u64)]) -> Counters {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

/// The record beside the lines: what the source says, and which numbers the collector says it has stored.
fn record_of(told: &[(&str, u64)], acknowledged: &[(u64, u64)]) -> BTreeMap<String, Record> {
    let (source, acknowledged) = (SOURCE.to_owned(), acknowledged.to_vec());
    let record = Record { source, counters: counters(told), acknowledged, ..Record::default() };
    [(SOURCE.to_owned(), record)].into()
}

fn set(counters: &mut Counters, name: &str, value: u64) {
    counters.insert(name.to_owned(), value);
}

/// A run in which nothing went wrong.
fn sound() -> (Ledger, Evidence) {
    let mint = Mint::new("run");
    let attempts = (0..COUNT).map(|number| Attempt { number, outcome: Outcome::AsMade }).collect();
    let lines = (0..COUNT).map(|number| record(&line(&mint, number, number))).collect();
    let told = [("seen", COUNT), ("captured", COUNT), ("acked", COUNT), ("dropped_budget", 0)];
    let source = SourceAccount {
        max_seq: Some(COUNT - 1),
        counters: counters(&told),
        identity_exact: Some(true),
        ..SourceAccount::default()
    };
    let accounting = Accounting {
        received: COUNT,
        accepted: COUNT,
        kafka_acked: COUNT,
        identity_exact: true,
        sources: [(SOURCE.to_owned(), source)].into(),
        ..Accounting::default()
    };
    (Ledger { mint, attempts }, Evidence { lines, filter: counters(&told), accounting, ..Evidence::default() })
}

fn source(evidence: &mut Evidence) -> &mut SourceAccount {
    evidence.accounting.sources.get_mut(SOURCE).unwrap()
}

/// Changes the JSON of a line.
fn spoil(evidence: &mut Evidence, index: usize, spoil: impl FnOnce(&mut Value)) {
    let mut value = evidence.lines[index].json().unwrap();
    spoil(&mut value);
    evidence.lines[index].bytes = value.to_string().into_bytes();
}

#[test]
fn sound_run_is_exactly_once() {
    let (ledger, evidence) = sound();

    let verdict = judge(&ledger, &evidence);

    verdict.exactly_once().unwrap();
    assert_eq!((verdict.exchanges, verdict.lines), (6, 6));
}

#[test]
fn exchange_without_a_line_is_missing_and_its_number_a_gap() {
    let (ledger, mut evidence) = sound();
    evidence.lines.remove(2);

    let verdict = judge(&ledger, &evidence);

    assert_eq!(verdict.missing, ["run-2"]);
    assert_eq!(verdict.gaps.len(), 1);
    assert!(verdict.identities.iter().any(|broken| broken.contains("acknowledged 6, but only 5")), "{verdict}");
    assert!(verdict.nothing_unexplained().is_err());
}

#[test]
fn last_exchange_missing_is_found_though_it_leaves_no_gap() {
    let (ledger, mut evidence) = sound();
    evidence.lines.pop();

    let verdict = judge(&ledger, &evidence);

    assert_eq!(verdict.missing, ["run-5"]);
    assert!(verdict.gaps.is_empty());
    assert!(verdict.nothing_lost().is_err());
}

#[test]
fn exchange_counted_as_dropped_is_lost_but_explained() {
    let (ledger, mut evidence) = sound();
    evidence.lines.remove(2);
    let told = counters(&[("seen", COUNT), ("captured", COUNT), ("acked", COUNT - 1), ("dropped_budget", 1)]);
    evidence.filter = told.clone();
    source(&mut evidence).counters = told;
    (evidence.accounting.received, evidence.accounting.accepted, evidence.accounting.kafka_acked) = (5, 5, 5);

    let verdict = judge(&ledger, &evidence);

    verdict.nothing_unexplained().unwrap();
    assert!(verdict.nothing_lost().is_err());
    assert!(verdict.exactly_once().is_err());
}

#[test]
fn line_that_nobody_made_is_spurious() {
    for path in ["/orders/run-99?page=1&q=caf%C3%A9", "/orders/other-1", "/elsewhere"] {
        let (ledger, mut evidence) = sound();
        let mut foreign = line(&ledger.mint, 0, 6);
        foreign["request"]["path"] = json!(path);
        evidence.lines.push(record(&foreign));

        let verdict = judge(&ledger, &evidence);

        assert_eq!(verdict.spurious.len(), 1, "{path}: {verdict}");
        assert!(verdict.nothing_unexplained().is_err());
    }
}

#[test]
fn exchange_of_the_mint_that_was_never_tried_is_spurious() {
    let (ledger, mut evidence) = sound();
    evidence.lines.push(record(&line(&ledger.mint, 6, 6)));

    let verdict = judge(&ledger, &evidence);

    assert_eq!(verdict.spurious.len(), 1, "{verdict}");
}

#[test]
fn exchange_recorded_under_two_identities_is_spurious() {
    let (ledger, mut evidence) = sound();
    evidence.lines.push(record(&line(&ledger.mint, 3, 6)));

    let verdict = judge(&ledger, &evidence);

    assert!(verdict.spurious[0].contains("run-3: recorded twice"), "{verdict}");
}

#[test]
fn line_outside_the_format_is_spurious() {
    for bytes in ["", "{", "{}", r#"{"request":{"method":"get"}}"#] {
        let (ledger, mut evidence) = sound();
        evidence.lines.push(Line { bytes: bytes.into(), ..Line::default() });

        let verdict = judge(&ledger, &evidence);

        assert_eq!(verdict.spurious.len(), 1, "{bytes:?}: {verdict}");
    }
}

#[test]
fn identity_whose_parts_do_not_fit_is_spurious() {
    let (ledger, mut evidence) = sound();
    spoil(&mut evidence, 1, |line| line["meta"]["seq"] = json!(7));

    let verdict = judge(&ledger, &evidence);

    assert_eq!(verdict.spurious.len(), 1, "{verdict}");
}

#[test]
fn each_altered_part_is_named() {
    type Spoiling = fn(&mut Value);
    let spoilings: [(&str, Spoiling); 9] = [
        ("method", |line| line["request"]["method"] = json!("trace")),
        ("host", |line| line["request"]["host"] = json!("other.example")),
        ("request body", |line| line["request"]["body"] = json!("x")),
        ("request header", |line| line["request"]["headers"][ID_HEADER] = json!("run-0")),
        ("repeated request header", |line| line["request"]["headers"]["x-part"] = json!("a, b, c;q=0.5")),
        ("status", |line| line["response"]["statusCode"] = json!(299)),
        ("response body", |line| line["response"]["body"] = json!("run-1|")),
        ("response header", |line| line["response"]["headers"] = json!({})),
        ("timestamp of the request", |line| drop(line["request"].as_object_mut().unwrap().remove("timestamp"))),
    ];
    for (what, spoiling) in spoilings {
        let (ledger, mut evidence) = sound();
        spoil(&mut evidence, 1, spoiling);

        let verdict = judge(&ledger, &evidence);

        assert_eq!(verdict.altered, [format!("run-1: {what}")]);
        assert!(verdict.nothing_unexplained().is_err());
    }
}

#[test]
fn key_that_is_not_the_identity_is_altered() {
    let (ledger, mut evidence) = sound();
    evidence.lines[1].key = Some(b"other".to_vec());

    assert_eq!(judge(&ledger, &evidence).altered, ["run-1: key of the record"]);
}

#[test]
fn exchange_recorded_without_its_response_is_altered() {
    let (ledger, mut evidence) = sound();
    spoil(&mut evidence, 1, |line| drop(line.as_object_mut().unwrap().remove("response")));

    let verdict = judge(&ledger, &evidence);

    assert!(verdict.altered.contains(&"run-1: status".to_owned()), "{verdict}");
}

#[test]
fn line_that_came_again_is_a_duplicate_and_not_exactly_once() {
    let (ledger, mut evidence) = sound();
    evidence.lines.push(evidence.lines[0].clone());

    let verdict = judge(&ledger, &evidence);

    assert_eq!(verdict.duplicates, 1);
    assert!(verdict.exactly_once().is_err());
    verdict.nothing_lost().unwrap();
}

#[test]
fn line_that_came_again_with_other_bytes_is_altered() {
    let (ledger, mut evidence) = sound();
    evidence.lines.push(evidence.lines[0].clone());
    spoil(&mut evidence, 6, |line| line["meta"]["durationMs"] = json!(1));

    let verdict = judge(&ledger, &evidence);

    assert_eq!((verdict.duplicates, verdict.altered.len()), (0, 1), "{verdict}");
}

#[test]
fn client_with_another_answer_is_hurt() {
    let (mut ledger, evidence) = sound();
    ledger.attempts[4].outcome = Outcome::Hurt("status 503 instead of 200".to_owned());

    let verdict = judge(&ledger, &evidence);

    assert_eq!(verdict.hurt, ["run-4: status 503 instead of 200"]);
    assert!(verdict.nothing_unexplained().is_err());
}

#[test]
fn broken_connection_leaves_it_open_whether_there_is_a_line() {
    let (mut ledger, mut evidence) = sound();
    ledger.attempts[5].outcome = Outcome::Unknown("reset".to_owned());
    judge(&ledger, &evidence).exactly_once().unwrap();
    evidence.lines.pop();
    evidence.filter = counters(&[("seen", 5), ("captured", 5), ("acked", 5)]);
    source(&mut evidence).counters = evidence.filter.clone();
    (evidence.accounting.received, evidence.accounting.accepted, evidence.accounting.kafka_acked) = (5, 5, 5);

    let verdict = judge(&ledger, &evidence);

    assert_eq!((verdict.unknown, verdict.missing.len()), (1, 0));
    verdict.nothing_lost().unwrap();
    assert!(verdict.exactly_once().is_err());
}

#[test]
fn of_a_broken_connection_a_beginning_may_be_recorded_and_nothing_else() {
    let (mut ledger, mut evidence) = sound();
    let cut = |line: &mut Value| {
        let body = line["response"]["body"].as_str().unwrap();
        line["response"]["body"] = json!(body[..body.len() / 2]);
    };
    spoil(&mut evidence, 3, cut);
    spoil(&mut evidence, 4, |line| drop(line.as_object_mut().unwrap().remove("response")));
    assert_eq!(judge(&ledger, &evidence).altered.len(), 5);

    ledger.attempts[3].outcome = Outcome::Cut("reset".to_owned());
    ledger.attempts[4].outcome = Outcome::Unknown("reset".to_owned());
    assert_eq!(judge(&ledger, &evidence).altered, [""; 0]);

    spoil(&mut evidence, 3, |line| line["response"]["body"] = json!("another"));
    spoil(&mut evidence, 5, |line| line["response"]["statusCode"] = json!(503));
    assert_eq!(judge(&ledger, &evidence).altered, ["run-3: response body", "run-5: status"]);
}

#[test]
fn dead_letter_of_the_spool_is_no_gap_but_one_that_is_not_there_is() {
    let (ledger, mut evidence) = sound();
    evidence.lines.remove(2);
    evidence.accounts = record_of(&[("captured", COUNT), ("acked", COUNT)], &[(0, COUNT - 1)]);
    let letter = |headers: &[(&str, &str)]| Line {
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect(),
        ..Line::default()
    };
    let of_spool = letter(&[("source", SOURCE), ("seq", "2"), ("replayed", "1")]);
    let refused = letter(&[("source", SOURCE), ("seq", "2")]);

    evidence.dead_letters = letters_of_spool(&[refused]);
    assert!(judge(&ledger, &evidence).nothing_unexplained().is_err());
    evidence.dead_letters = letters_of_spool(&[of_spool]);
    let verdict = judge(&ledger, &evidence);

    verdict.nothing_unexplained().unwrap();
    assert_eq!((verdict.dead_lettered, verdict.missing.len()), (1, 1));
    assert!(verdict.nothing_lost().is_err());
}

#[test]
fn gap_that_only_the_collector_knows_is_found() {
    let (ledger, mut evidence) = sound();
    source(&mut evidence).missing = 2;

    assert_eq!(judge(&ledger, &evidence).gaps.len(), 1);
}

#[test]
fn collector_started_again_need_not_know_what_its_predecessor_took() {
    let (ledger, mut evidence) = sound();
    source(&mut evidence).missing = 2;
    evidence.collector_restarts = 1;
    judge(&ledger, &evidence).exactly_once().unwrap();

    evidence.lines.remove(2);

    assert_eq!(judge(&ledger, &evidence).gaps.len(), 1, "the gap in the topic stays one");
}

#[test]
fn gap_is_explained_by_the_record_beside_the_lines_whatever_the_collector_says() {
    let (ledger, mut evidence) = sound();
    evidence.lines.remove(2);
    evidence.accounts = record_of(&[("captured", COUNT), ("acked", COUNT - 1), ("dropped_budget", 1)], &[(0, 1)]);

    assert_eq!(judge(&ledger, &evidence).gaps, Vec::<String>::new());
    evidence.accounts = record_of(&[("captured", COUNT), ("acked", COUNT - 1)], &[]);
    assert_eq!(judge(&ledger, &evidence).gaps.len(), 1);
}

#[test]
fn number_that_the_collector_has_stored_must_be_there_however_many_are_counted_as_dropped() {
    let (ledger, mut evidence) = sound();
    evidence.lines.remove(2);
    evidence.accounts = record_of(&[("captured", COUNT), ("acked", 5), ("dropped_budget", 1)], &[(0, 5)]);

    let gaps = judge(&ledger, &evidence).gaps;

    assert!(gaps.len() == 1 && gaps[0].contains("1 numbers stored"), "{gaps:?}");
}

#[test]
fn source_of_which_fewer_came_than_it_knows_acknowledged_is_found() {
    let (ledger, mut evidence) = sound();
    evidence.lines.pop();
    evidence.accounts = record_of(&[("captured", COUNT), ("acked", COUNT)], &[]);

    let gaps = judge(&ledger, &evidence).gaps;

    assert!(gaps.len() == 1 && gaps[0].contains("6 acknowledged, 5 there"), "{gaps:?}");
}

#[test]
fn each_inexact_account_is_found() {
    type Spoiling = fn(&mut Evidence);
    let spoilings: [(&str, Spoiling); 10] = [
        ("envoy: seen 7", |evidence| set(&mut evidence.filter, "seen", 7)),
        ("envoy: captured 6, but acked", |evidence| set(&mut evidence.filter, "acked", 5)),
        ("dropped_budget: envoy says 1", |evidence| set(&mut evidence.filter, "dropped_budget", 1)),
        ("collector: received 7", |evidence| evidence.accounting.received = 7),
        ("collector: accepted 6, but acked", |evidence| evidence.accounting.kafka_acked = 5),
        ("finds its own account inexact", |evidence| evidence.accounting.identity_exact = false),
        ("seen 8, but", |evidence| set(&mut source(evidence).counters, "seen", 8)),
        ("captured 6, but acked + rejected + dropped + pending = 7", |evidence| {
            set(&mut source(evidence).counters, "open", 1);
        }),
        ("finds its report inexact", |evidence| source(evidence).identity_exact = Some(false)),
        ("captured 5, but 6 exchanges came out", |evidence| set(&mut evidence.filter, "captured", 5)),
    ];
    for (finding, spoiling) in spoilings {
        let (ledger, mut evidence) = sound();
        spoiling(&mut evidence);

        let verdict = judge(&ledger, &evidence);

        assert!(verdict.identities.iter().any(|broken| broken.contains(finding)), "{finding}: {verdict}");
        assert!(verdict.nothing_unexplained().is_err(), "{finding}");
    }
}

#[test]
fn collector_that_heard_of_nothing_is_found() {
    let (ledger, mut evidence) = sound();
    evidence.accounting.sources.clear();

    let verdict = judge(&ledger, &evidence);

    assert!(verdict.identities.iter().any(|broken| broken.starts_with("seen: envoy says 6")), "{verdict}");
}

#[test]
fn filter_that_saw_fewer_than_were_answered_is_found() {
    let (ledger, mut evidence) = sound();
    for counters in [&mut evidence.filter, &mut evidence.accounting.sources.get_mut(SOURCE).unwrap().counters] {
        *counters = super::tests::counters(&[("seen", 5), ("captured", 5), ("acked", 5)]);
    }

    let verdict = judge(&ledger, &evidence);

    assert!(verdict.identities.iter().any(|broken| broken == "answered 6, but the filter saw 5"), "{verdict}");
}

#[test]
fn verdict_is_readable() {
    let (ledger, mut evidence) = sound();
    evidence.lines.remove(2);

    let text = judge(&ledger, &evidence).to_string();

    assert!(text.starts_with("exchanges 6, lines 5\n"), "{text}");
    assert!(text.contains("  missing 1\n    run-2\n"), "{text}");
}

/// A sound run, one line of which says that it is degraded and lacks this.
fn degraded(step: &str, counted: u64, spoil: impl FnOnce(&mut Value)) -> Verdict {
    let (ledger, mut evidence) = sound();
    set(&mut evidence.filter, &format!("degraded_{step}"), counted);
    let heard = evidence.accounting.sources.get_mut(SOURCE).unwrap();
    set(&mut heard.counters, &format!("degraded_{step}"), counted);
    let number = (0..COUNT).find(|number| ledger.mint.exchange(*number).call.method == "POST").unwrap();
    let mut value = line(&ledger.mint, number, number);
    value["meta"]["degraded"] = json!(step);
    spoil(&mut value);
    evidence.lines[number as usize] = record(&value);
    judge(&ledger, &evidence)
}

#[test]
fn a_degraded_line_may_lack_what_its_step_takes_and_nothing_else() {
    let cut = |line: &mut Value| {
        line["request"]["body"] = json!("run-");
        line["response"]["body"] = json!("");
    };
    let bare = |line: &mut Value| {
        line["request"]["headers"] = json!({});
        line["response"]["headers"] = json!({});
    };

    let allowed = [degraded("heads", 1, cut), degraded("meta", 1, cut), degraded("meta", 1, bare)];
    let forbidden = [
        degraded("heads", 1, bare),
        degraded("heads", 1, |line| line["request"]["body"] = json!("un-")),
        degraded("meta", 1, |line| line["response"]["headers"] = json!({"x": "1"})),
        degraded("meta", 1, |line| line["response"]["statusCode"] = json!(299)),
    ];

    for verdict in allowed {
        assert_eq!((verdict.nothing_lost().is_ok(), verdict.degraded), (true, 1), "{verdict}");
        assert!(verdict.exactly_once().is_err(), "a degraded line is not whole");
    }
    for verdict in forbidden {
        assert!(!verdict.altered.is_empty(), "{verdict}");
    }
}

#[test]
fn a_degraded_line_that_nobody_counted_is_found() {
    let verdict = degraded("heads", 0, |_| ());

    assert_eq!(verdict.identities, ["1 lines are degraded, but the filter counted 0"]);
}
