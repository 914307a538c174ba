use super::*;
use crate::post::PostHeaders;
use http::HeaderMap;
use proptest::prelude::*;

fn sender(source: &str, batch: u64, counters: &str) -> Sender {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-type", "application/x-ndjson"),
        ("x-tributary-source", source),
        ("x-tributary-batch", &batch.to_string()),
        ("x-tributary-counters", counters),
    ] {
        headers.insert(
            http::HeaderName::from_bytes(name.as_bytes()).expect("a legal name"),
            value.parse().expect("a legal value"),
        );
    }
    PostHeaders::read(&headers).expect("good headers").sender.expect("a sender")
}

fn lines<'a>(source: &'a str, seqs: &[u64]) -> Settled<'a> {
    let seqs: Vec<(&str, u64)> = seqs.iter().map(|seq| (source, *seq)).collect();
    Settled { accepted: seqs.len() as u64, seqs, ..Settled::default() }
}

fn source_json(accounting: &Accounting, name: &str) -> serde_json::Value {
    serde_json::to_value(accounting.report()).expect("serialisable")["sources"][name].clone()
}

#[test]
fn the_report_has_the_shape_that_is_promised() {
    let accounting = Accounting::new(StoredIn::Kafka, 10);
    let settled = Settled { rejected: 1, dead_lettered: 1, ..lines("ab", &[0, 1, 3]) };

    accounting.settle(Some(&sender("ab", 0, "seen=5,captured=5,acked=0,in_flight=5")), &settled);
    accounting.refuse(RefusedAs::Busy, 7, None);
    accounting.refuse(RefusedAs::Auth, 0, None);

    let mut report = serde_json::to_value(accounting.report()).expect("serialisable");
    assert!(report["sources"]["ab"]["last_seen"].take().is_string());
    let expected = serde_json::json!({
        "received": 11, "accepted": 3, "rejected": 1, "dead_lettered": 1,
        "refused": {"busy": 7, "auth": 0, "limit": 0},
        "kafka_acked": 3, "spooled": 0, "file_synced": 0,
        "posts": {"received": 3, "accepted": 1, "refused": {"busy": 1, "auth": 1, "limit": 0, "bad_request": 0}},
        "bodies": {"decoded": 0, "left_corrupt": 0, "left_too_large": 0, "left_not_text": 0, "left_unknown": 0},
        "identity_exact": true, "sources_evicted": 0,
        "sources": {"ab": {
            "last_seen": null, "acked_elsewhere": 0, "max_seq": 3, "missing": 1, "gaps": [[2, 2]], "duplicates": 0,
            "counters": {"seen": 5, "captured": 5, "acked": 0, "in_flight": 5}, "identity_exact": true,
        }},
    });
    assert_eq!(report, expected);
}

#[test]
fn a_file_is_counted_as_a_file() {
    let accounting = Accounting::new(StoredIn::File, 10);

    accounting.settle(None, &lines("ab", &[0]));

    let totals = accounting.report().totals;
    assert_eq!((totals.file_synced, totals.kafka_acked), (1, 0));
    assert!(totals.identity_is_exact());
}

#[test]
fn lines_that_come_again_are_counted_as_duplicates() {
    let accounting = Accounting::new(StoredIn::Kafka, 10);

    accounting.settle(None, &lines("ab", &[0, 1, 2]));
    accounting.settle(None, &lines("ab", &[1, 2, 3]));

    assert_eq!(source_json(&accounting, "ab")["duplicates"], 2);
    assert_eq!(source_json(&accounting, "ab")["missing"], 0);
}

#[test]
fn an_overtaken_report_does_not_replace_a_newer_one() {
    let accounting = Accounting::new(StoredIn::Kafka, 10);

    accounting.settle(Some(&sender("ab", 1, "seen=9,captured=9,acked=9")), &Settled::default());
    accounting.settle(Some(&sender("ab", 0, "seen=5,captured=5,acked=0,in_flight=5")), &Settled::default());
    assert_eq!(source_json(&accounting, "ab")["counters"]["seen"], 9);

    accounting.settle(Some(&sender("ab", 2, "seen=10,captured=10,acked=9,open=1")), &Settled::default());
    assert_eq!(source_json(&accounting, "ab")["counters"]["seen"], 10);
}

#[test]
fn a_refused_post_still_reports() {
    let accounting = Accounting::new(StoredIn::Kafka, 10);

    accounting.refuse(RefusedAs::Busy, 3, Some(&sender("ab", 0, "seen=3,captured=3,in_flight=3")));

    assert_eq!(source_json(&accounting, "ab")["counters"]["seen"], 3);
    assert_eq!(source_json(&accounting, "ab")["max_seq"], serde_json::Value::Null);
}

#[test]
fn past_the_bound_the_most_silent_source_is_forgotten_visibly() {
    let accounting = Accounting::new(StoredIn::Kafka, 2);

    for name in ["one", "two", "one", "three"] {
        accounting.settle(None, &lines(name, &[0]));
    }

    let report = accounting.report();
    assert_eq!(report.sources.keys().collect::<Vec<_>>(), ["one", "three"]);
    assert_eq!((report.sources_evicted, report.totals.accepted), (1, 4));
}

#[test]
fn a_post_of_several_sources_is_entered_for_each() {
    let accounting = Accounting::new(StoredIn::Kafka, 10);
    let settled = Settled { seqs: vec![("a", 0), ("b", 0), ("b", 1), ("a", 1)], accepted: 4, ..Settled::default() };

    accounting.settle(None, &settled);

    assert_eq!(source_json(&accounting, "a")["max_seq"], 1);
    assert_eq!(source_json(&accounting, "b")["max_seq"], 1);
}

proptest! {
    #[test]
    fn the_identities_hold_after_any_history(history in proptest::collection::vec((0u8..5, 0u64..100, 0u64..10), 0..50)) {
        let accounting = Accounting::new(StoredIn::Kafka, 3);

        for (kind, lines, rejected) in history {
            match kind {
                0 => accounting.settle(None, &Settled { accepted: lines, rejected, ..Settled::default() }),
                1 => accounting.refuse(RefusedAs::Busy, lines, None),
                2 => accounting.refuse(RefusedAs::Auth, 0, None),
                3 => accounting.refuse(RefusedAs::Limit, lines, None),
                _ => accounting.refuse(RefusedAs::BadRequest, lines, None),
            }
            prop_assert!(accounting.report().identity_exact);
        }
    }
}
