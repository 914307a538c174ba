//! The statistics of a benchmark: what a handful of samples say, and whether two handfuls differ.
//!
//! Pure. All of it is by ranks (medians, a permutation test on rank sums): nothing here believes that times are normally
//! distributed, for on a shared machine they are not, and one round that was disturbed must not move the result.

use std::fmt;

/// What a few samples say. None is made of no samples, or of one that is no number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The middle one; of an even number the mean of the two in the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The median of the distances from the median: how far a round usually is off.
    pub deviation: f64,
    /// How many there are.
    pub count: usize,
}

impl Summary {
    /// Summarises samples in any order; `None` if there are none, or one is not finite.
    pub fn of(samples: &[f64]) -> Option<Summary> {
        let median = median(samples)?;
        let distances: Vec<f64> = samples.iter().map(|sample| (sample - median).abs()).collect();
        Some(Summary {
            median,
            min: samples.iter().copied().fold(f64::INFINITY, f64::min),
            max: samples.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            deviation: self::median(&distances)?,
            count: samples.len(),
        })
    }
}

impl fmt::Display for Summary {
    /// `1.23 (1.20–1.31)`: the median, and in brackets the smallest and the largest.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}–{})", figure(self.median), figure(self.min), figure(self.max))
    }
}

/// The median; `None` of no samples, or if one is not finite.
pub fn median(samples: &[f64]) -> Option<f64> {
    if samples.iter().any(|sample| !sample.is_finite()) {
        return None;
    }
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get(sorted.len().saturating_sub(1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// The value that `share` (0 to 1) of the samples do not exceed, by the nearest rank; `None` of no samples.
///
/// Sorts them. A share of 0.99 of fewer than 100 samples is their largest.
pub fn quantile(samples: &mut [u64], share: f64) -> Option<u64> {
    samples.sort_unstable();
    let rank = (share.clamp(0.0, 1.0) * samples.len() as f64).ceil() as usize;
    samples.get(rank.saturating_sub(1)).copied()
}

/// `combine` of what was measured in the same round, round by round: for ratios to what ran beside it.
///
/// Rounds that one of them does not have are left out; so is what is no number (a ratio to nothing).
pub fn paired(left: &[f64], right: &[f64], combine: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let pairs = left.iter().zip(right).map(|(left, right)| combine(*left, *right));
    pairs.filter(|value| value.is_finite()).collect()
}

/// How likely it is, if both came from the same source, that their ranks lie at least so far apart as they do: p of the
/// exact two-sided rank-sum test (Wilcoxon, Mann and Whitney), ties by mid-ranks. From 0 to 1; 1 if one is empty.
///
/// Counts all ways to deal the ranks, so it is exact for few samples too: of 5 against 5 the smallest p there can be is
/// 2 / 252. Takes (n + m)³ steps.
pub fn probability_of_no_difference(left: &[f64], right: &[f64]) -> f64 {
    if left.is_empty() || right.is_empty() {
        return 1.0;
    }
    let ranks = doubled_ranks(left, right);
    let dealt: usize = ranks.iter().take(left.len()).sum();
    let ways = ways_to_sum(&ranks, left.len());
    let all: f64 = ways.iter().sum();
    // The sum is symmetric around this.
    let middle = left.len() * (left.len() + right.len() + 1);
    let distance = dealt.abs_diff(middle);
    let as_far = ways.iter().enumerate().filter(|(sum, _)| sum.abs_diff(middle) >= distance).map(|(_, ways)| ways);
    (as_far.sum::<f64>() / all).min(1.0)
}

/// The rank of each sample among all, those of `left` first; doubled, so that mid-ranks are whole numbers.
fn doubled_ranks(left: &[f64], right: &[f64]) -> Vec<usize> {
    let all = || left.iter().chain(right);
    let rank = |sample: &f64| {
        let below = all().filter(|other| *other < sample).count();
        let same = all().filter(|other| *other == sample).count();
        2 * below + same + 1
    };
    all().map(rank).collect()
}

/// For each sum, in how many ways `count` of the ranks can have it.
fn ways_to_sum(ranks: &[usize], count: usize) -> Vec<f64> {
    let most: usize = ranks.iter().sum();
    let mut ways = vec![vec![0.0; most + 1]; count + 1];
    if let Some(none) = ways.first_mut().and_then(|sums| sums.first_mut()) {
        *none = 1.0;
    }
    for rank in ranks {
        // From many to few: each rank is dealt once.
        for taken in (0..count).rev() {
            let (fewer, more) = ways.split_at_mut(taken + 1);
            let (Some(from), Some(to)) = (fewer.last(), more.first_mut()) else { continue };
            to.iter_mut().skip(*rank).zip(from).for_each(|(to, from)| *to += from);
        }
    }
    ways.pop().unwrap_or_default()
}

/// A number as a reader wants it: three digits that count, and no more.
pub fn figure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 999.5 => grouped(value),
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.0995 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// A whole number with commas between thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
