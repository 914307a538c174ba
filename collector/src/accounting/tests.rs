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
    serde_json::to_value(accounting.report(Now::read())).expect("serialisable")["sources"][name].clone()
}

#[test]
fn the_report_has_the_shape_that_is_promised() {
    let accounting = Accounting::new(StoredIn::Kafka, 10);
    let settled = Settled { rejected: 1, dead_lettered: 1, ..lines("ab", &[0, 1, 3]) };

    accounting.settle(Some(&sender("ab", 0, "seen=5,captured=5,acked=0,in_flight=5")), &settled, Now::read());
    accounting.refuse(RefusedAs::Busy, 7, None, Now::read());
    accounting.refuse(RefusedAs::Auth, 0, None, Now::read());
    accounting.repeat(None, 4, Now::read());

    let mut report = serde_json::to_value(accounting.report(Now::read())).expect("serialisable");
    assert!(report["sources"]["ab"]["last_seen"].take().is_string());
    let expected = serde_json::json!({
        "received": 15, "accepted": 3, "rejected": 1, "dead_lettered": 1, "repeated": 4,
        "refused": {"busy": 7, "auth": 0, "limit": 0},
        "kafka_acked": 3, "spooled": 0, "file_synced": 0,
        "posts": {"received": 4, "accepted": 1, "repeated": 1, "refused": {"busy": 1, "auth": 1, "limit": 0, "bad_request": 0}},
        "bodies": {"decoded": 0, "left_corrupt": 0, "left_too_large": 0, "left_not_text": 0, "left_unknown": 0},
        "identity_exact": true, "sources_evicted": 0, "sources_silent": 0, "accounts_lost": 0,
        "sources": {"ab": {
            "last_seen": null, "heartbeat_ms": null, "silent": false, "acked_elsewhere": 0, "max_seq": 3, "missing": 1, "gaps": [[2, 2]], "duplicates": 0,
            "pending": 5, "dropped": {}, "degraded": {},
            "counters": {"seen": 5, "captured": 5, "acked": 0, "in_flight": 5}, "identity_exact": true,
        }},
    });
    assert_eq!(report, expected);
}

#[test]
fn a_file_is_counted_as_a_file() {
    let accounting = Accounting::new(StoredIn::File, 10);

    accounting.settle(None, &lines("ab", &[0]), Now::read());

    let totals = accounting.report(Now::read()).totals;
    assert_eq!((totals.file_synced, totals.kafka_acked), (1, 0));
    assert!(totals.identity_is_exact());
}

#[test]
fn lines_that_come_again_are_counted_as_duplicates() {
    let accounting = Accounting::new(StoredIn::Kafka, 10);

    accounting.settle(None, &lines("ab", &[0, 1, 2]), Now::read());
    accounting.settle(None, &lines("ab", &[1, 2, 3]), Now::read());

    assert_eq!(source_json(&accounting, "ab")["duplicates"], 2);
    assert_eq!(source_json(&accounting, "ab")["missing"], 0);
}

#[test]
fn an_overtaken_report_does_not_replace_a_newer_one() {
    let accounting = Accounting::new(StoredIn::Kafka, 10);

    accounting.settle(Some(&sender("ab", 1, "seen=9,captured=9,acked=9")), &Settled::default(), Now::read());
    accounting.settle(
        Some(&sender("ab", 0, "seen=5,captured=5,acked=0,in_flight=5")),
        &Settled::default(),
        Now::read(),
    );
    assert_eq!(source_json(&accounting, "ab")["counters"]["seen"], 9);

    accounting.settle(Some(&sender("ab", 2, "seen=10,captured=10,acked=9,open=1")), &Settled::default(), Now::read());
    assert_eq!(source_json(&accounting, "ab")["counters"]["seen"], 10);
}

#[test]
fn a_refused_post_still_reports() {
    let accounting = Accounting::new(StoredIn::Kafka, 10);

    accounting.refuse(RefusedAs::Busy, 3, Some(&sender("ab", 0, "seen=3,captured=3,in_flight=3")), Now::read());

    assert_eq!(source_json(&accounting, "ab")["counters"]["seen"], 3);
    assert_eq!(source_json(&accounting, "ab")["max_seq"], serde_json::Value::Null);
}

#[test]
fn past_the_bound_the_most_silent_source_is_forgotten_visibly() {
    let accounting = Accounting::new(StoredIn::Kafka, 2);

    for name in ["one", "two", "one", "three"] {
        accounting.settle(None, &lines(name, &[0]), Now::read());
    }

    let report = accounting.report(Now::read());
    assert_eq!(report.sources.keys().collect::<Vec<_>>(), ["one", "three"]);
    assert_eq!((report.sources_evicted, report.totals.accepted), (1, 4));
}

#[test]
fn a_post_of_several_sources_is_entered_for_each() {
    let accounting = Accounting::new(StoredIn::Kafka, 10);
    let settled = Settled { seqs: vec![("a", 0), ("b", 0), ("b", 1), ("a", 1)], accepted: 4, ..Settled::default() };

    accounting.settle(None, &settled, Now::read());

    assert_eq!(source_json(&accounting, "a")["max_seq"], 1);
    assert_eq!(source_json(&accounting, "b")["max_seq"], 1);
}

#[test]
fn silent_sources_are_named_up_to_a_bound_the_newest_silence_first() {
    let accounting = Accounting::new(StoredIn::Kafka, 10);
    let start = Now::read();
    let after = |ms| Now { steady: start.steady + std::time::Duration::from_millis(ms), ..start };
    for (name, heard) in [("a", after(0)), ("b", after(200)), ("c", after(100))] {
        let of_filter = Sender { heartbeat_ms: Some(1000), ..sender(name, 0, "seen=1,captured=1,open=1") };
        accounting.settle(Some(&of_filter), &Settled::default(), heard);
    }
    let later = after(4_000);

    assert_eq!(accounting.silent(start, 2), Vec::<String>::new());
    let told = accounting.silent(later, 2);

    assert_eq!(told.len(), 3);
    for (told, expected) in told.iter().zip(["source b is silent", "source c is silent", "1 more"]) {
        assert!(told.starts_with(expected), "{told}");
    }
    assert_eq!(accounting.totals(later).1.silent, 3);
    assert_eq!(accounting.report(later).sources_silent, 3);
}

#[test]
fn accounts_travel_only_while_they_can_be_stored() {
    let accounting = Accounting::new(StoredIn::Kafka, 10);
    let of_filter = sender("ab", 0, "seen=5,captured=5,in_flight=3,dropped_budget=2");
    let travelling = || accounting.travelling(&of_filter, [2, 3].into_iter(), Now::read());

    let account = travelling().expect("a gap");
    accounting.told_with_post(&account, false);
    assert_eq!(travelling(), None);

    let due = accounting.due();
    assert_eq!(due.len(), 1);
    accounting.told(due, true);
    assert_eq!(travelling(), None);
    let gap_beyond = accounting.travelling(&of_filter, [9].into_iter(), Now::read());
    assert!(gap_beyond.is_some());
}

#[test]
fn accounts_of_forgotten_sources_are_kept_until_they_are_stored() {
    let accounting = Accounting::new(StoredIn::Kafka, 2);
    for name in ["a", "b", "c", "d", "e"] {
        accounting.settle(Some(&sender(name, 0, "seen=0,captured=0")), &Settled::default(), Now::read());
    }
    let names = |due: &[Due]| -> Vec<_> { due.iter().map(|due| due.account.source.clone()).collect() };

    let due = accounting.due();
    let mut sorted = names(&due);
    sorted.sort_unstable();
    assert_eq!(
        (sorted, accounting.report(Now::read()).accounts_lost),
        (vec!["b".into(), "c".into(), "d".into(), "e".into()], 1)
    );
    accounting.told(due, false);
    assert_eq!(accounting.due().len(), 4);
    let due = accounting.due();
    accounting.told(due, true);

    assert_eq!(accounting.due().len(), 0);
}

proptest! {
    #[test]
    fn the_identities_hold_after_any_history(history in proptest::collection::vec((0u8..6, 0u64..100, 0u64..10), 0..50)) {
        let accounting = Accounting::new(StoredIn::Kafka, 3);

        for (kind, lines, rejected) in history {
            match kind {
                0 => accounting.settle(None, &Settled { accepted: lines, rejected, ..Settled::default() }, Now::read()),
                1 => accounting.refuse(RefusedAs::Busy, lines, None, Now::read()),
                2 => accounting.refuse(RefusedAs::Auth, 0, None, Now::read()),
                3 => accounting.refuse(RefusedAs::Limit, lines, None, Now::read()),
                4 => accounting.repeat(None, lines, Now::read()),
                _ => accounting.refuse(RefusedAs::BadRequest, lines, None, Now::read()),
            }
            prop_assert!(accounting.report(Now::read()).identity_exact);
        }
    }
}
