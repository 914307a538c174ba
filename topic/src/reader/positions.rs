//! Where the reader stands in each partition, and whether it has seen all that was there when the end was marked.
//!
//! Pure bookkeeping: offsets in, verdicts out.

use std::collections::BTreeMap;

use rdkafka::{Offset, TopicPartitionList, error::KafkaResult};

/// The offsets that a partition has at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Offset of the oldest record.
    pub(super) low: i64,
    /// Offset that the next record to be written will get.
    pub(super) end: i64,
}

/// The positions in all partitions of a topic.
#[derive(Debug, Default)]
pub(super) struct Positions(BTreeMap<i32, Position>);

#[derive(Debug)]
struct Position {
    /// Offset of the oldest record when the reader was opened.
    begin: i64,
    /// Offset of the next record to read; `None`: the oldest that there is.
    next: Option<i64>,
    /// The marked end, as an offset.
    end: i64,
    /// Whether all before the marked end has been read.
    at_end: bool,
}

impl Positions {
    /// The positions of partitions with these bounds that begin at these offsets, with the end marked there.
    pub(super) fn at(begins: &BTreeMap<i32, i64>, partitions: &[(i32, Bounds)]) -> Positions {
        let positions = partitions.iter().map(|&(partition, bounds)| {
            let next = begins.get(&partition).copied().unwrap_or(bounds.low);
            let (begin, end) = (bounds.low, bounds.end);
            (partition, Position { begin, next: Some(next), end, at_end: next >= end })
        });
        Positions(positions.collect())
    }

    /// A record was read. `Some(expected)`: its offset is not behind the last one of its partition, because the
    /// topic was made anew or retention was faster than the reader.
    pub(super) fn read(&mut self, partition: i32, offset: i64) -> Option<i64> {
        let position = self.0.get_mut(&partition)?;
        let expected = position.next.replace(offset + 1);
        position.at_end |= offset + 1 >= position.end;
        expected.filter(|expected| offset < *expected)
    }

    /// Kafka has nothing more in this partition at the moment. Needed because the last offsets before the end may hold
    /// no record at all (marks of transactions, deleted or compacted records).
    pub(super) fn reached_end(&mut self, partition: i32) {
        if let Some(position) = self.0.get_mut(&partition) {
            position.at_end = true;
        }
    }

    /// Marks the end anew, at the present bounds.
    pub(super) fn mark_end(&mut self, partitions: &[(i32, Bounds)]) {
        for (partition, bounds) in partitions {
            if let Some(position) = self.0.get_mut(partition) {
                position.end = bounds.end;
                position.at_end = position.next.unwrap_or(bounds.low).max(bounds.low) >= bounds.end;
            }
        }
    }

    /// Whether all that was there at the mark has been read.
    pub(super) fn is_at_end(&self) -> bool {
        self.0.values().all(|position| position.at_end)
    }

    /// How many offsets lie between the positions and the marked end.
    pub(super) fn left(&self) -> u64 {
        let left = |position: &Position| match position.at_end {
            true => 0,
            false => u64::try_from(position.end - position.next.unwrap_or(position.end)).unwrap_or(0),
        };
        self.0.values().map(left).sum()
    }

    /// Offset of the next record in each partition where that is known.
    pub(super) fn offsets(&self) -> BTreeMap<i32, i64> {
        self.0.iter().filter_map(|(partition, position)| Some((*partition, position.next?))).collect()
    }

    /// The topic has `count` partitions now. `true`: some are new; all in them is newer than the mark, so it is read
    /// from the beginning and does not count for the end.
    pub(super) fn grown_to(&mut self, count: i32) -> bool {
        let known = self.0.len();
        for partition in 0..count {
            self.0.entry(partition).or_insert(Position { begin: 0, next: None, end: 0, at_end: true });
        }
        self.0.len() > known
    }

    /// The partitions, and the offset of the oldest record of each when the reader was opened.
    pub(super) fn beginnings(&self) -> impl Iterator<Item = (i32, i64)> {
        self.0.iter().map(|(partition, position)| (*partition, position.begin))
    }

    /// The partitions, in order.
    pub(super) fn partitions(&self) -> impl Iterator<Item = i32> {
        self.0.keys().copied()
    }

    /// The positions as librdkafka takes them.
    pub(super) fn assignment(&self, topic: &str) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(self.0.len());
        for (partition, position) in &self.0 {
            list.add_partition_offset(topic, *partition, position.next.map_or(Offset::Beginning, Offset::Offset))?;
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: [(i32, Bounds); 2] = [(0, Bounds { low: 5, end: 7 }), (1, Bounds { low: 3, end: 3 })];

    fn offsets(positions: &Positions) -> Vec<(i32, Offset)> {
        let list = positions.assignment("t").unwrap();
        list.elements().iter().map(|element| (element.partition(), element.offset())).collect()
    }

    fn at_beginning() -> Positions {
        Positions::at(&[(0, 5), (1, 3)].into(), &HELD)
    }

    fn at_end() -> Positions {
        Positions::at(&[(0, 7), (1, 3)].into(), &HELD)
    }

    #[test]
    fn positions_are_where_they_begin_and_know_what_is_left_to_the_end() {
        let (beginning, end) = (at_beginning(), at_end());

        assert_eq!(offsets(&beginning), [(0, Offset::Offset(5)), (1, Offset::Offset(3))]);
        assert_eq!(end.beginnings().collect::<Vec<_>>(), [(0, 5), (1, 3)]);
        assert_eq!(offsets(&end), [(0, Offset::Offset(7)), (1, Offset::Offset(3))]);
        assert_eq!((beginning.left(), end.left()), (2, 0));
        assert_eq!(beginning.offsets(), [(0, 5), (1, 3)].into());
        assert!(!beginning.is_at_end() && end.is_at_end());
    }

    #[test]
    fn end_is_reached_with_the_last_record_before_it() {
        let mut positions = at_beginning();

        assert_eq!(positions.read(0, 5), None);
        assert!(!positions.is_at_end());

        assert_eq!(positions.read(0, 6), None);
        assert!(positions.is_at_end());
    }

    #[test]
    fn end_is_reached_where_kafka_holds_no_further_record() {
        let mut positions = at_beginning();

        positions.reached_end(0);

        assert!(positions.is_at_end() && positions.left() == 0);
    }

    #[test]
    fn marked_end_moves_to_where_the_topic_ends_now() {
        let mut positions = at_end();

        positions.mark_end(&[(0, Bounds { low: 5, end: 9 }), (1, Bounds { low: 3, end: 3 })]);
        assert!(!positions.is_at_end());

        positions.read(0, 8);
        assert!(positions.is_at_end());
    }

    #[test]
    fn records_that_retention_took_do_not_hold_up_the_end() {
        let mut positions = at_beginning();

        positions.mark_end(&[(0, Bounds { low: 7, end: 7 }), (1, Bounds { low: 3, end: 3 })]);

        assert!(positions.is_at_end());
    }

    #[test]
    fn new_partition_is_read_from_its_beginning_and_is_not_waited_for() {
        let mut positions = at_end();

        assert!(!positions.grown_to(2));
        assert!(positions.grown_to(3));

        assert_eq!(offsets(&positions), [(0, Offset::Offset(7)), (1, Offset::Offset(3)), (2, Offset::Beginning)]);
        assert!(positions.is_at_end());
    }

    #[test]
    fn offset_that_goes_back_is_told() {
        let mut positions = at_end();

        assert_eq!(positions.read(0, 7), None);
        assert_eq!(positions.read(0, 20), None);
        assert_eq!(positions.read(0, 0), Some(21));
        assert_eq!(positions.read(0, 1), None);
    }
}
