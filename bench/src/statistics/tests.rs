use proptest::{collection::vec, prelude::*};

use super::*;

#[test]
fn median_is_the_middle_one_or_between_the_two() {
    assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    assert_eq!(median(&[7.0]), Some(7.0));
    assert_eq!(median(&[]), None);
    assert_eq!(median(&[1.0, f64::NAN]), None);
}

#[test]
fn one_disturbed_round_moves_neither_median_nor_deviation() {
    let summary = Summary::of(&[10.0, 11.0, 12.0, 13.0, 900.0]).unwrap();

    assert_eq!(summary, Summary { median: 12.0, min: 10.0, max: 900.0, deviation: 1.0, count: 5 });
}

#[test]
fn quantile_is_by_the_nearest_rank() {
    let mut samples: Vec<u64> = (1..=200).rev().collect();

    assert_eq!(quantile(&mut samples, 0.5), Some(100));
    assert_eq!(quantile(&mut samples, 0.99), Some(198));
    assert_eq!(quantile(&mut samples, 1.0), Some(200));
    assert_eq!(quantile(&mut samples, 0.0), Some(1));
    assert_eq!(quantile(&mut [], 0.5), None);
}

#[test]
fn pairs_without_a_number_are_left_out() {
    assert_eq!(paired(&[2.0, 3.0, 4.0], &[1.0, 0.0, 8.0], |left, right| left / right), [2.0, 0.5]);
    assert_eq!(paired(&[2.0, 3.0], &[1.0], |left, right| left - right), [1.0]);
}

/// Tables of the rank-sum test: 5 against 5 without an overlap has p = 2/252, 3 against 3 has 2/20.
#[test]
fn probability_is_that_of_the_tables() {
    let p = probability_of_no_difference(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0]);
    assert!((p - 2.0 / 252.0).abs() < 1e-12, "{p}");
    let p = probability_of_no_difference(&[4.0, 5.0, 6.0], &[1.0, 2.0, 3.0]);
    assert!((p - 0.1).abs() < 1e-12, "{p}");
    // Ranks 1, 2, 4 against 3, 5, 6: sums 7 of 6 to 15; as far or farther: 6, 7, 14, 15, each in one way.
    let p = probability_of_no_difference(&[1.0, 2.0, 4.0], &[3.0, 5.0, 6.0]);
    assert!((p - 4.0 / 20.0).abs() < 1e-12, "{p}");
}

#[test]
fn the_same_samples_do_not_differ() {
    assert_eq!(probability_of_no_difference(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]), 1.0);
    assert_eq!(probability_of_no_difference(&[5.0; 4], &[5.0; 6]), 1.0);
    assert_eq!(probability_of_no_difference(&[], &[1.0]), 1.0);
}

#[test]
fn figures_have_three_digits_that_count() {
    let said = [0.0, 0.01234, 0.123, 1.234, 12.34, 123.4, 1234.4, 1_234_567.0, -1234.0].map(figure);

    assert_eq!(said, ["0", "0.0123", "0.12", "1.23", "12.3", "123", "1,234", "1,234,567", "-1,234"]);
}

proptest! {
    #[test]
    fn median_lies_between_the_ends_and_in_no_order(mut samples in vec(-1e9..1e9, 1..40)) {
        let before = Summary::of(&samples).unwrap();
        samples.reverse();

        prop_assert_eq!(Summary::of(&samples), Some(before));
        prop_assert!(before.min <= before.median && before.median <= before.max);
        prop_assert!(before.deviation <= before.max - before.min);
    }

    #[test]
    fn probability_is_one_and_the_same_from_both_sides(
        left in vec(0u8..20, 1..9),
        right in vec(0u8..20, 1..9),
    ) {
        let number = |samples: &[u8]| samples.iter().map(|sample| f64::from(*sample)).collect::<Vec<_>>();
        let (left, right) = (number(&left), number(&right));

        let p = probability_of_no_difference(&left, &right);

        prop_assert!(p > 0.0 && p <= 1.0);
        prop_assert!((p - probability_of_no_difference(&right, &left)).abs() < 1e-9);
        prop_assert!((p - counted_one_by_one(&left, &right)).abs() < 1e-9);
    }
}

/// The same by dealing the ranks in each possible way.
fn counted_one_by_one(left: &[f64], right: &[f64]) -> f64 {
    let ranks = doubled_ranks(left, right);
    let middle = left.len() * (ranks.len() + 1);
    let distance = ranks.iter().take(left.len()).sum::<usize>().abs_diff(middle);
    let (mut all, mut as_far) = (0u32, 0u32);
    for dealt in (0u32..1 << ranks.len()).filter(|dealt| dealt.count_ones() as usize == left.len()) {
        let sum: usize =
            ranks.iter().enumerate().filter(|(place, _)| dealt >> place & 1 == 1).map(|(_, rank)| rank).sum();
        all += 1;
        as_far += u32::from(sum.abs_diff(middle) >= distance);
    }
    f64::from(as_far) / f64::from(all)
}
