//! Rounds: the variants take turns, so that whatever disturbs the machine disturbs all of them alike.
//!
//! In each round every variant has one turn, and each round begins with the next one: what comes first or last (a cache
//! that is cold, a clock that is throttled) is shared out too. A first round warms up and is not counted.

/// Fewest rounds that are counted in a benchmark that is reported.
pub const FEWEST: usize = 5;

/// Most rounds: comparing two runs takes the third power of them.
pub const MOST: usize = 50;

/// One round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    number: usize,
}

/// A first round that is not counted, then `counted` ones.
pub fn rounds(counted: usize) -> impl Iterator<Item = Round> {
    (0..=counted).map(|number| Round { number })
}

impl Round {
    /// 0 for the one that warms up, then 1, 2, 3 …
    pub fn number(self) -> usize {
        self.number
    }

    /// Whether what it measures counts.
    pub fn is_counted(self) -> bool {
        self.number > 0
    }

    /// The order in which `variants` variants have their turns in it, each once.
    pub fn order(self, variants: usize) -> impl Iterator<Item = usize> {
        (0..variants).map(move |turn| (turn + self.number) % variants)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_round_is_not_counted() {
        let counted: Vec<bool> = rounds(2).map(Round::is_counted).collect();

        assert_eq!(counted, [false, true, true]);
    }

    #[test]
    fn every_variant_has_one_turn_a_round_and_comes_first_in_turn() {
        let orders: Vec<Vec<usize>> = rounds(3).map(|round| round.order(3).collect()).collect();

        assert_eq!(orders, [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]);
        assert_eq!(rounds(1).flat_map(|round| round.order(0)).count(), 0);
    }
}
