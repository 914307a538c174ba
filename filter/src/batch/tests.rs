use std::time::Duration;

use super::*;

const LIMITS: BatchLimits = BatchLimits { flush_after: Duration::from_millis(200), max_bytes: 10, max_exchanges: 3 };
const AMPLE: usize = 1_000;

fn append(queue: &mut Queue, millis: u64, line: &str) -> Result<usize, Unqueued<&'static str>> {
    queue.append(Moment::from_millis(millis), &LIMITS, AMPLE, |out| {
        out.extend_from_slice(line.as_bytes());
        Ok(())
    })
}

fn queue_of(lines: &[&str]) -> Queue {
    let mut queue = Queue::default();
    for line in lines {
        append(&mut queue, 0, line).unwrap();
    }
    queue
}

fn texts(queue: &mut Queue) -> Vec<(u64, String)> {
    queue.close();
    std::iter::from_fn(|| queue.take())
        .map(|batch| (batch.number, String::from_utf8(batch.lines.to_vec()).unwrap()))
        .collect()
}

#[test]
fn a_batch_closes_at_its_number_of_lines() {
    let mut queue = queue_of(&["a\n", "b\n", "c\n", "d\n"]);

    assert!(queue.has_waiting());
    assert_eq!(texts(&mut queue), [(0, "a\nb\nc\n".to_owned()), (1, "d\n".to_owned())]);
}

#[test]
fn a_line_that_would_carry_a_batch_over_its_size_starts_the_next() {
    let mut queue = queue_of(&["12345\n", "6789\n"]);

    assert_eq!(texts(&mut queue), [(0, "12345\n".to_owned()), (1, "6789\n".to_owned())]);
}

#[test]
fn a_batch_of_exactly_the_size_is_closed_and_one_byte_less_is_not() {
    assert!(queue_of(&["1234\n", "5678\n"]).has_waiting());
    assert!(!queue_of(&["1234\n", "567\n"]).has_waiting());
}

#[test]
fn a_line_longer_than_a_batch_is_a_batch_of_its_own() {
    let mut queue = queue_of(&["a\n", "0123456789abcdef\n", "b\n"]);

    assert_eq!(texts(&mut queue), [(0, "a\n".to_owned()), (1, "0123456789abcdef\n".to_owned()), (2, "b\n".to_owned())]);
}

#[test]
fn a_line_without_room_or_not_written_leaves_the_queue_as_it_was() {
    let mut queue = queue_of(&["a\n"]);

    let full = queue.append(Moment::default(), &LIMITS, 2, |out| {
        out.extend_from_slice(b"12\n");
        Ok::<(), Unqueued<()>>(())
    });
    let failed = queue.append(Moment::default(), &LIMITS, AMPLE, |_| Err(Unqueued::Unwritable("no host")));

    assert_eq!((full, failed), (Err(Unqueued::NoRoom), Err(Unqueued::Unwritable("no host"))));
    assert_eq!(queue.count(), 1);
    assert_eq!(texts(&mut queue), [(0, "a\n".to_owned())]);
}

#[test]
fn a_batch_is_as_old_as_its_first_line() {
    let mut queue = Queue::default();
    append(&mut queue, 5, "a\n").unwrap();
    append(&mut queue, 9, "b\n").unwrap();

    assert_eq!(queue.filling_since(), Some(Moment::from_millis(5)));
    queue.close();

    assert_eq!(queue.filling_since(), None);
    assert_eq!(queue.take().unwrap().since, Moment::from_millis(5));
}

#[test]
fn a_batch_put_back_takes_its_old_place_and_is_the_same() {
    let mut queue = queue_of(&["1234567890\n", "abcdefghij\n", "ABCDEFGHIJ\n"]);
    let first = queue.take().unwrap();
    let second = queue.take().unwrap();

    queue.put_back(second.clone());
    queue.put_back(first.clone());

    assert_eq!(queue.count(), 3);
    assert_eq!((queue.take(), queue.take()), (Some(first), Some(second)));
    assert_eq!(queue.count(), 1);
}

#[test]
fn only_batches_older_than_a_moment_are_taken_for_their_age() {
    let mut queue = Queue::default();
    append(&mut queue, 5, "1234567890\n").unwrap();
    append(&mut queue, 6, "abcdefghij\n").unwrap();

    assert_eq!(queue.take_older_than(Moment::from_millis(5)), None);
    assert_eq!(queue.take_older_than(Moment::from_millis(6)).map(|batch| batch.number), Some(0));
    assert_eq!(queue.count(), 1);
}
