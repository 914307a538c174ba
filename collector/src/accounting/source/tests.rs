use std::time::{Instant, SystemTime};

use super::*;

fn now() -> Now {
    Now { wall: SystemTime::UNIX_EPOCH, steady: Instant::now() }
}

fn after(now: Now, seconds: u64) -> Now {
    let span = Duration::from_secs(seconds);
    Now { wall: now.wall + span, steady: now.steady + span }
}

fn sender(counters: &str) -> Sender {
    let counters = counters.split(',').map(|pair| {
        let (name, value) = pair.split_once('=').expect("a pair");
        (name.to_owned(), value.parse().expect("a number"))
    });
    Sender { source: "ab".to_owned(), batch: 7, counters: Some(counters.collect()), heartbeat_ms: Some(5000) }
}

fn heard(counters: &str, seqs: &[u64], now: Now) -> Source {
    let mut source = Source::new(now);
    source.hears(&sender(counters), now);
    for seq in seqs {
        source.acknowledged(*seq);
    }
    source
}

fn report(counters: &str, seqs: &[u64]) -> SourceReport {
    heard(counters, seqs, now()).report(now())
}

#[test]
fn what_a_new_source_did_not_send_is_missing_from_its_first_number_on() {
    let report = report("seen=9,captured=9,acked=0,rejected=0,dropped_budget=2", &[2, 3, 5]);

    assert_eq!((report.acked_elsewhere, report.missing, report.gaps), (0, 3, vec![(0, 1), (4, 4)]));
}

// It was counted as a loss once, after each restart of the collector.
#[test]
fn what_others_have_acknowledged_is_not_missing() {
    // Two posts were on their way, and the other collector answered the later one: 0 to 5, and 8.
    let report = report("seen=10,captured=10,acked=6,rejected=1", &[9, 6, 7]);

    assert_eq!((report.acked_elsewhere, report.missing, report.gaps), (7, 0, vec![]));
}

#[test]
fn what_did_not_come_beyond_that_is_missing() {
    let report = report("seen=12,captured=12,acked=6,rejected=0", &[6, 8, 11]);

    assert_eq!((report.acked_elsewhere, report.missing, report.gaps), (6, 3, vec![(7, 7), (9, 10)]));
}

#[test]
fn a_source_with_work_pending_is_silent_after_three_missed_heartbeats() {
    let start = now();
    let source = heard("seen=3,captured=3,acked=1,open=1,in_flight=1", &[0], start);

    assert!(!source.is_silent(after(start, 15)));
    assert!(source.is_silent(after(start, 16)));

    assert_eq!(source.silence("ab", after(start, 16)), "source ab is silent for 16 s with 2 exchanges pending");
}

#[test]
fn a_source_without_work_or_without_heartbeat_is_never_silent() {
    let start = now();
    let idle = heard("seen=3,captured=3,acked=3", &[], start);
    let mut without = Source::new(start);
    without.hears(&Sender { heartbeat_ms: None, ..sender("seen=1,captured=1,open=1") }, start);

    assert!(!idle.is_silent(after(start, 3600)) && !without.is_silent(after(start, 3600)));
}

#[test]
fn a_wall_clock_that_jumps_makes_nobody_silent() {
    let start = now();
    let source = heard("seen=1,captured=1,open=1", &[], start);

    assert!(!source.is_silent(Now { wall: start.wall + Duration::from_secs(7200), ..start }));
}

#[test]
fn what_it_lost_or_shortened_is_listed_by_reason() {
    let report = report("seen=6,captured=6,dropped_budget=2,dropped_expired=1,degraded_heads=4,open=3", &[]);

    assert_eq!(report.reported.dropped, [("budget".to_owned(), 2), ("expired".to_owned(), 1)].into());
    assert_eq!(report.reported.degraded, [("heads".to_owned(), 4)].into());
    assert_eq!((report.pending, report.identity_exact), (3, Some(true)));
}

#[test]
fn lines_in_order_need_no_account_and_a_gap_needs_one_until_it_is_told() {
    let mut source = heard("seen=9,captured=9,acked=3,dropped_budget=1,in_flight=5", &[0, 1, 2], now());

    assert!(!source.needs_account([3, 4].into_iter()));
    assert!(source.needs_account([4, 5].into_iter()));

    source.told(9, None);
    assert!(!source.needs_account([4, 5].into_iter()));
    assert!(source.needs_account([4, 5, 11].into_iter()));
}

#[test]
fn an_account_is_due_until_its_last_state_is_told() {
    let mut source = heard("seen=2,captured=2,acked=0,in_flight=2", &[0, 1], now());

    let (changes, account) = source.due().expect("never told");
    let line = SourceAccount::from_line(&account.line).expect("a good line");
    assert_eq!((line.batch, line.heartbeat_ms, line.acknowledged), (7, Some(5000), vec![(0, 1)]));

    source.told(2, Some(changes));
    assert!(source.due().is_none());
    source.acknowledged(2);
    assert!(source.due().is_some());
}

#[test]
fn a_source_that_never_reported_has_no_account() {
    let mut source = Source::new(now());
    source.acknowledged(0);

    assert!(source.due().is_none());
}

#[test]
fn rejected_numbers_are_not_told_as_acknowledged() {
    let mut source = heard("seen=3,captured=3,in_flight=3", &[0, 2], now());
    source.rejected(1);

    assert_eq!(source.account().expect("it reported").acknowledged, [(0, 0), (2, 2)]);
    assert_eq!(source.missing(), 0);
}

#[test]
fn past_the_bound_the_newest_ranges_are_told() {
    let even: Vec<u64> = (0..50).map(|n| n * 2).collect();
    let account = heard("seen=100,captured=100", &even, now()).account().expect("it reported");

    assert_eq!(account.acknowledged.len(), MAX_RANGES_TOLD);
    assert_eq!(account.acknowledged.last(), Some(&(98, 98)));
}
