//! What is kept of many durations: a histogram whose buckets are at most 6 % wide.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counts by bucket. Exact below 32 ms; above, the four bits behind the leading one decide.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Durations(BTreeMap<u16, u64>);

const EXACT_BELOW: u64 = 32;

impl Durations {
    /// Adds one duration.
    pub(crate) fn add(&mut self, millis: u64) {
        let count = self.0.entry(bucket(millis)).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// Adds all that another one was given.
    pub(crate) fn merge(&mut self, other: &Durations) {
        for (bucket, times) in &other.0 {
            let count = self.0.entry(*bucket).or_insert(0);
            *count = count.saturating_add(*times);
        }
    }

    /// The smallest duration of the bucket in which the given percentile lies; `None` without durations.
    pub(crate) fn percentile(&self, percent: u64) -> Option<u64> {
        let total = self.0.values().fold(0u128, |sum, count| sum + u128::from(*count));
        let rank = (total * u128::from(percent)).div_ceil(100).max(1);
        let mut below = 0u128;
        self.0.iter().find_map(|(bucket, count)| {
            below += u128::from(*count);
            (below >= rank).then(|| floor(*bucket))
        })
    }
}

fn bucket(millis: u64) -> u16 {
    if millis < EXACT_BELOW {
        return millis as u16;
    }
    let exponent = 63 - millis.leading_zeros() as u16;
    let mantissa = (millis >> (exponent - 4)) as u16 & 15;
    32 + (exponent - 5) * 16 + mantissa
}

fn floor(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < EXACT_BELOW {
        return bucket;
    }
    let (exponent, mantissa) = ((bucket - 32) / 16 + 5, (bucket - 32) % 16);
    (16 + mantissa).checked_shl((exponent - 4) as u32).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_within_six_percent() {
        let mut durations = Durations::default();
        (1..=1000).for_each(|millis| durations.add(millis));

        assert_eq!((durations.percentile(50), durations.percentile(95)), (Some(496), Some(928)));
        assert_eq!(Durations::default().percentile(50), None);
    }

    #[test]
    fn the_longest_duration_has_a_bucket() {
        for millis in [0, 31, 32, 33, 1 << 40, u64::MAX] {
            let floor = floor(bucket(millis));
            assert!(floor <= millis && millis - floor <= millis / 16, "{millis} {floor}");
        }
    }
}
