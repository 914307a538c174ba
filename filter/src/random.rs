//! Randomness from one seed: enough to spread retries, never a secret.

/// A SplitMix64 sequence.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014), constants of the reference code.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn from_seed(seed: u64) -> Random {
        Random { state: seed }
    }

    /// A number from 0 to `max`, both included, each as likely as the other.
    pub(crate) fn up_to(&mut self, max: u64) -> u64 {
        let range = u128::from(max).saturating_add(1);
        let scaled = u128::from(self.next()).wrapping_mul(range).wrapping_shr(64);
        u64::try_from(scaled).unwrap_or(max).min(max)
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ self.state.wrapping_shr(30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed.wrapping_shr(27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed.wrapping_shr(31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_the_range_and_reach_both_ends() {
        let mut random = Random::from_seed(7);

        let drawn: Vec<u64> = (0..200).map(|_| random.up_to(3)).collect();

        assert!(drawn.iter().all(|&number| number <= 3));
        assert!((0..=3).all(|number| drawn.contains(&number)));
    }

    #[test]
    fn the_whole_range_of_numbers_is_allowed() {
        let mut random = Random::from_seed(1);

        assert_eq!(random.up_to(0), 0);
        assert_ne!(random.up_to(u64::MAX), random.up_to(u64::MAX));
    }
}
