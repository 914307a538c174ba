//! The verdict against a model of the whole path: a filter that numbers, drops, batches, retries and gives up; two
//! collectors that store, reject, die and come back; a topic that loses what the test takes out of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::*;

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// An exchange begins, and ends at once or later.
    Capture { ends: bool },
    /// No room for this one.
    DropBudget,
    /// The longest open exchange ends.
    End,
    /// Up to so many lines leave as a batch, to this collector.
    Post { lines: usize, collector: usize, fate: Fate },
    /// The oldest batch without an answer is tried again.
    Retry { collector: usize, fate: Fate },
    /// The oldest batch without an answer is given up.
    Expire,
    /// A collector dies, and what it had not written of its accounts with it.
    Restart { collector: usize },
    /// A collector writes the accounts that are due.
    Tell { collector: usize },
}

/// What becomes of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    /// The first of its lines is rejected for good.
    FirstRejected,
    /// Stored, but the answer does not arrive.
    AnswerLost,
    /// Nothing arrives.
    Refused,
}

#[derive(Clone, Debug, Default)]
struct Collector {
    stored: BTreeSet<u64>,
    newest: BTreeMap<String, u64>,
    captured_told: u64,
}

#[derive(Clone, Debug, Default)]
struct World {
    counters: BTreeMap<String, u64>,
    open: VecDeque<u64>,
    queued: VecDeque<u64>,
    in_flight: VecDeque<Vec<u64>>,
    collectors: [Collector; 2],
    topic: Vec<u64>,
    accounts: Vec<SourceAccount>,
    acknowledged: BTreeSet<u64>,
}

impl World {
    fn count(&mut self, name: &str, by: u64) {
        *self.counters.entry(name.to_owned()).or_default() += by;
    }

    fn number(&mut self) -> u64 {
        let number = self.counters.get("captured").copied().unwrap_or(0);
        self.count("seen", 1);
        self.count("captured", 1);
        number
    }

    fn report(&self) -> BTreeMap<String, u64> {
        let mut report = self.counters.clone();
        let in_flight: usize = self.in_flight.iter().map(Vec::len).sum();
        report.insert("open".to_owned(), self.open.len() as u64);
        report.insert("queued".to_owned(), self.queued.len() as u64);
        report.insert("in_flight".to_owned(), in_flight as u64);
        report
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Capture { ends } => {
                let number = self.number();
                if ends { self.queued.push_back(number) } else { self.open.push_back(number) }
            }
            Step::DropBudget => {
                self.number();
                self.count("dropped_budget", 1);
            }
            Step::End => self.queued.extend(self.open.pop_front()),
            Step::Post { lines, collector, fate } => {
                let batch: Vec<u64> = self.queued.drain(..lines.min(self.queued.len())).collect();
                if !batch.is_empty() {
                    self.in_flight.push_back(batch);
                    let place = self.in_flight.len() - 1;
                    self.post(place, collector, fate);
                }
            }
            Step::Retry { collector, fate } if !self.in_flight.is_empty() => self.post(0, collector, fate),
            Step::Expire => {
                if let Some(batch) = self.in_flight.pop_front() {
                    self.count("dropped_expired", batch.len() as u64);
                }
            }
            Step::Restart { collector } => self.collectors[collector] = Collector::default(),
            Step::Tell { collector } => self.tell(collector),
            Step::Retry { .. } => {}
        }
    }

    fn post(&mut self, place: usize, collector: usize, fate: Fate) {
        if fate == Fate::Refused {
            return;
        }
        let batch = self.in_flight[place].clone();
        let report = self.report();
        let rejected = usize::from(fate == Fate::FirstRejected);
        let stored = &batch[rejected..];
        self.collectors[collector].newest = report;
        // The rule of the collector: an account travels if a gap is explained by none that is stored.
        let highest = stored.iter().chain(&self.collectors[collector].stored).max().copied();
        let known: BTreeSet<u64> = stored.iter().chain(&self.collectors[collector].stored).copied().collect();
        let missing = (0..highest.unwrap_or(0)).rfind(|number| !known.contains(number));
        if missing.is_some_and(|missing| missing >= self.collectors[collector].captured_told) {
            self.tell(collector);
        }
        self.topic.extend(stored);
        self.collectors[collector].stored.extend(stored);
        self.acknowledged.extend(stored);
        if fate != Fate::AnswerLost {
            self.in_flight.remove(place);
            self.count("acked", stored.len() as u64);
            self.count("rejected", rejected as u64);
        }
    }

    fn tell(&mut self, collector: usize) {
        let Collector { stored, newest, captured_told } = &mut self.collectors[collector];
        if newest.is_empty() {
            return;
        }
        let mut account = SourceAccount { counters: newest.clone(), ..SourceAccount::default() };
        account.acknowledged = stored.iter().map(|number| (*number, *number)).collect();
        *captured_told = account.captured();
        self.accounts.push(account);
    }

    /// The verdict, without these records of the topic.
    fn judge(&self, withheld: &BTreeSet<u64>) -> SourceVerdict {
        let mut evidence = Evidence::default();
        for number in self.topic.iter().filter(|number| !withheld.contains(number)) {
            if evidence.present.add(*number) == tributary_http_types::Seen::Again {
                evidence.repeats += 1;
            }
        }
        for account in &self.accounts {
            for (first, last) in &account.acknowledged {
                evidence.claims.add(*first, *last);
            }
            if evidence.account.as_ref().is_none_or(|known| known.age() <= account.age()) {
                evidence.account = Some(account.clone());
            }
        }
        let end = evidence.present.max().map_or(0, |max| max + 1);
        judge("a", &evidence, Bounds { horizon: 0, end })
    }
}

fn step() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![
        6 => Just(Fate::Answered),
        1 => Just(Fate::FirstRejected),
        2 => Just(Fate::AnswerLost),
        2 => Just(Fate::Refused),
    ];
    let collector = 0usize..2;
    prop_oneof![
        8 => any::<bool>().prop_map(|ends| Step::Capture { ends }),
        1 => Just(Step::DropBudget),
        3 => Just(Step::End),
        4 => (1usize..6, collector.clone(), fate.clone())
            .prop_map(|(lines, collector, fate)| Step::Post { lines, collector, fate }),
        2 => (collector.clone(), fate).prop_map(|(collector, fate)| Step::Retry { collector, fate }),
        1 => Just(Step::Expire),
        1 => collector.clone().prop_map(|collector| Step::Restart { collector }),
        1 => collector.prop_map(|collector| Step::Tell { collector }),
    ]
}

fn world(steps: Vec<Step>) -> World {
    let mut world = World::default();
    for step in steps {
        world.step(step);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// At any moment, with whatever accounts have been written until then.
    #[test]
    fn what_was_never_lost_is_never_called_unexplained(steps in proptest::collection::vec(step(), 0..120)) {
        let world = world(steps);

        let verdict = world.judge(&BTreeSet::new());

        prop_assert_eq!(verdict.unexplained, 0, "{:?}", verdict);
        let distinct: BTreeSet<u64> = world.topic.iter().copied().collect();
        prop_assert_eq!(verdict.distinct, distinct.len() as u64);
        prop_assert_eq!(verdict.repeats, (world.topic.len() - distinct.len()) as u64);
    }

    /// Once the accounts are written that the collectors owe.
    #[test]
    fn what_is_lost_is_never_called_explained(
        steps in proptest::collection::vec(step(), 1..120),
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        // Without restarts: what a collector knew dies with it, and with it the exact numbers.
        let mut world = world(steps.into_iter().filter(|step| !matches!(step, Step::Restart { .. })).collect());
        world.tell(0);
        world.tell(1);
        let acknowledged: Vec<u64> = world.acknowledged.iter().copied().collect();
        prop_assume!(!acknowledged.is_empty());
        let withheld: BTreeSet<u64> = picks.iter().map(|pick| *pick.get(&acknowledged)).collect();

        let verdict = world.judge(&withheld);

        prop_assert!(verdict.unexplained >= withheld.len() as u64, "{:?} without {:?}", verdict, withheld);
    }

    /// Even when a collector died: all that the filter itself counts as acknowledged must be there.
    #[test]
    fn fewer_than_acknowledged_is_never_called_explained(
        steps in proptest::collection::vec(step(), 1..120),
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 1..20),
    ) {
        let mut world = world(steps);
        world.tell(0);
        world.tell(1);
        prop_assume!(!world.topic.is_empty());
        let withheld: BTreeSet<u64> = picks.iter().map(|pick| *pick.get(&world.topic)).collect();

        let verdict = world.judge(&withheld);

        // A collector may have died before it wrote any.
        let newest = world.accounts.iter().max_by_key(|account| account.age()).cloned().unwrap_or_default();
        let here = world.topic.iter().filter(|number| **number < newest.captured() && !withheld.contains(number));
        let here = here.collect::<BTreeSet<_>>().len() as u64;
        prop_assert!(verdict.unexplained >= newest.get("acked").saturating_sub(here), "{:?}", verdict);
    }
}
