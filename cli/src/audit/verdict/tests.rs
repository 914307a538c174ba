use proptest::prelude::*;

use super::*;

fn evidence(numbers: impl IntoIterator<Item = u64>, counters: &str, claims: &[(u64, u64)]) -> Evidence {
    let mut evidence = Evidence::default();
    for number in numbers {
        evidence.present.add(number);
    }
    if !counters.is_empty() {
        let counters = counters.split(',').map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            (name.to_owned(), value.parse().unwrap())
        });
        evidence.account = Some(SourceAccount { counters: counters.collect(), ..SourceAccount::default() });
    }
    for (first, last) in claims {
        evidence.claims.add(*first, *last);
    }
    evidence
}

fn judged(evidence: &Evidence) -> SourceVerdict {
    let end = evidence.present.max().map_or(0, |max| max + 1);
    judge("a", evidence, Bounds { horizon: 0, end })
}

/// Absent, explained, unexplained.
fn counts(evidence: &Evidence) -> (u64, u64, u64) {
    let verdict = judged(evidence);
    (verdict.absent, verdict.explained, verdict.unexplained)
}

#[test]
fn whole_source_needs_no_account() {
    assert_eq!(counts(&evidence(0..10, "", &[])), (0, 0, 0));
}

#[test]
fn gap_is_explained_by_what_the_source_counts() {
    let all = "seen=10,captured=10,acked=5,rejected=1,dropped_budget=1,dropped_expired=1,open=1,in_flight=1";

    assert_eq!(counts(&evidence([0, 2, 4, 6, 8], all, &[])), (5, 5, 0));
    assert_eq!(counts(&evidence([0, 2, 4, 6], all, &[])), (6, 5, 1));
}

#[test]
fn acknowledged_number_that_is_not_there_is_lost() {
    let verdict = judged(&evidence([0, 1, 3], "seen=4,captured=4,acked=4", &[(0, 3)]));

    assert_eq!((verdict.unexplained, verdict.lost), (1, vec![(2, 2)]));
}

// The count alone is right: as many came as were acknowledged. But one came that nobody counted as such.
#[test]
fn loss_is_seen_behind_a_line_that_came_without_being_acknowledged() {
    let counters = "seen=3,captured=3,acked=2,dropped_expired=1";

    assert_eq!(counts(&evidence([0, 2], counters, &[])), (1, 1, 0));
    assert_eq!(counts(&evidence([0, 2], counters, &[(0, 1)])), (1, 0, 1));
}

#[test]
fn number_beyond_the_last_account_is_explained_by_nothing() {
    let verdict = judged(&evidence([0, 1, 4], "seen=2,captured=2,acked=2", &[]));

    assert_eq!((verdict.unexplained, verdict.gaps), (2, vec![(2, 3)]));
}

#[test]
fn source_without_any_line_is_judged_by_its_account() {
    assert_eq!(counts(&evidence([], "seen=3,captured=3,acked=0,dropped_expired=3", &[])), (3, 3, 0));
    assert_eq!(counts(&evidence([], "seen=3,captured=3,acked=3", &[])), (3, 0, 3));
}

#[test]
fn account_that_does_not_explain_itself_explains_nothing_more() {
    let verdict = judged(&evidence(0..3, "seen=5,captured=5,acked=3,dropped_budget=1", &[]));

    assert_eq!((verdict.account_exact, verdict.unexplained), (Some(false), 1));
}

#[test]
fn long_lists_of_gaps_are_cut() {
    let verdict = judged(&evidence((0..1000).map(|n| n * 2), "", &[]));

    assert_eq!((verdict.absent, verdict.gaps.len()), (999, MAX_LISTED));
}

proptest! {
    #[test]
    fn ranges_are_the_set_of_what_was_added(added in proptest::collection::vec((0u64..200, 0u64..30), 0..40)) {
        let mut model = std::collections::BTreeSet::new();
        let mut ranges = Ranges::default();

        for (first, length) in added {
            ranges.add(first, first + length);
            model.extend(first..=first + length);
        }

        let held: Vec<u64> = ranges.0.iter().flat_map(|(&start, &end)| start..end).collect();
        prop_assert_eq!(held, model.into_iter().collect::<Vec<_>>());
        let touching: Vec<_> = ranges.0.iter().collect();
        prop_assert!(touching.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }
}
