//! From lines to batches of records, on a thread of its own, for reading and checking block.

use std::io::Read;

use bytes::Bytes;
use clap::ValueEnum;
use tokio::sync::mpsc;
use tributary_http_types::{CheckedLine, check_line};
use tributary_topic::Record;

use crate::lines::{Line, Lines};

/// A batch is handed on at this many lines or bytes, whichever comes first, and before the input is waited for.
const MAX_BATCH_LINES: usize = 1000;
const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// What decides on the partition of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Key {
    /// The id of the exchange (meta.id); exchanges are spread over the partitions
    Id,
    /// The host of the request; the exchanges of a host stay in order
    Host,
}

/// Some lines of the input, in order, checked.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The lines that are exchanges.
    pub(crate) entries: Vec<Entry>,
    /// The others, with the reason.
    pub(crate) refused: Vec<(u64, String)>,
    /// How many lines were blank.
    pub(crate) blank: u64,
    /// How far the input has been read, in bytes.
    pub(crate) read_bytes: u64,
    /// The input failed behind these lines.
    pub(crate) input_error: Option<std::io::Error>,
}

/// A record and the line that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// From 1.
    pub(crate) line: u64,
    /// What goes into the topic.
    pub(crate) record: Record,
}

impl Batch {
    fn lines(&self) -> usize {
        self.entries.len() + self.refused.len()
    }

    fn is_empty(&self) -> bool {
        self.lines() == 0 && self.blank == 0 && self.input_error.is_none()
    }
}

/// Reads all lines and hands them on; ends early when nobody takes batches any more.
pub(crate) fn feed(input: impl Read, max_line_bytes: usize, key: Key, batches: &mpsc::Sender<Batch>) {
    let mut lines = Lines::new(input, max_line_bytes);
    let mut batch = Batch::default();
    let mut bytes = 0;
    loop {
        let next = match lines.next_held() {
            Some(line) => Ok(Some(line)),
            // A pipe may stay silent for long: what was read must not wait for it.
            None if !batch.is_empty() && !hand_on(&mut batch, &mut bytes, &lines, batches) => return,
            None => lines.next(),
        };
        match next {
            Ok(Some(line)) => bytes += take(&mut batch, line, max_line_bytes, key),
            Ok(None) => return,
            Err(error) => {
                batch.input_error = Some(error);
                hand_on(&mut batch, &mut bytes, &lines, batches);
                return;
            }
        }
        let full = batch.lines() >= MAX_BATCH_LINES || bytes >= MAX_BATCH_BYTES;
        if full && !hand_on(&mut batch, &mut bytes, &lines, batches) {
            return;
        }
    }
}

/// `false`: nobody takes it.
fn hand_on<R: Read>(batch: &mut Batch, bytes: &mut usize, lines: &Lines<R>, batches: &mpsc::Sender<Batch>) -> bool {
    *bytes = 0;
    batch.read_bytes = lines.read_bytes();
    batches.blocking_send(std::mem::take(batch)).is_ok()
}

/// How many bytes the batch holds more.
fn take(batch: &mut Batch, line: Line, max_line_bytes: usize, key: Key) -> usize {
    let (number, text) = match line {
        Line::Whole { number, text } => (number, text),
        Line::TooLong { number, bytes } => {
            batch.refused.push((number, format!("line of {bytes} bytes; at most {max_line_bytes} are allowed")));
            return 0;
        }
    };
    if text.trim_ascii().is_empty() {
        batch.blank += 1;
        return 0;
    }
    match check_line(&text) {
        Ok(checked) => {
            let record = Record { key: key_of(&checked, key), headers: headers_of(&checked), value: text.clone() };
            batch.entries.push(Entry { line: number, record });
            text.len()
        }
        Err(error) => {
            batch.refused.push((number, error.to_string()));
            0
        }
    }
}

/// A line that others wrote may lack what the key is made of; its record then goes to any partition.
fn key_of(checked: &CheckedLine<'_>, key: Key) -> Option<Bytes> {
    let text = match key {
        Key::Id => &checked.id,
        Key::Host => &checked.host,
    };
    text.as_ref().map(|text| Bytes::copy_from_slice(text.as_bytes()))
}

/// The headers that the collector gives a record: `source` and `seq` where the line has them, and `content-type`.
fn headers_of(checked: &CheckedLine<'_>) -> Vec<(&'static str, Bytes)> {
    let source = checked.source.as_ref().map(|source| ("source", Bytes::copy_from_slice(source.as_bytes())));
    let seq = checked.seq.map(|seq| ("seq", Bytes::from(seq.to_string())));
    let content_type = ("content-type", Bytes::from_static(b"application/json"));
    source.into_iter().chain(seq).chain([content_type]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(input: impl Read, key: Key) -> Vec<Batch> {
        let (send, mut batches) = mpsc::channel(1000);
        feed(input, 200, key, &send);
        drop(send);
        std::iter::from_fn(|| batches.try_recv().ok()).collect()
    }

    const OURS: &str = r#"{"request":{"method":"get","host":"a.example"},"meta":{"id":"ab-7","source":"ab","seq":7}}"#;
    const FOREIGN: &str = r#"{"request":{"method":"get","host":"b.example"}}"#;

    #[test]
    fn good_lines_become_records_and_bad_ones_keep_their_number() {
        let text = format!("{OURS}\n\nno json\n  \r\n{FOREIGN}\n{}\n", "x".repeat(201));

        let [batch] = &fed(text.as_bytes(), Key::Id)[..] else { panic!("one batch") };

        let json = || ("content-type", Bytes::from_static(b"application/json"));
        let ours = Record {
            key: Some("ab-7".into()),
            value: OURS.into(),
            headers: vec![("source", "ab".into()), ("seq", "7".into()), json()],
        };
        let foreign = Record { key: None, value: FOREIGN.into(), headers: vec![json()] };
        assert_eq!(batch.entries, [Entry { line: 1, record: ours }, Entry { line: 5, record: foreign }]);
        assert_eq!(batch.blank, 2);
        assert_eq!(batch.refused.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 6]);
        assert_eq!(batch.refused[1].1, "line of 201 bytes; at most 200 are allowed");
        assert_eq!(batch.read_bytes, text.len() as u64);
    }

    /// A key that serde_json's parser uses for itself is a key like any other in what others wrote.
    #[test]
    fn line_with_a_note_of_the_parser_is_sent_as_it_is() {
        let note = r#"{"$serde_json::private::RawValue":"no JSON {"}"#;
        let in_request = format!(r#"{{"request":{{"method":"get","headers":{note},"query":{note}}}}}"#);
        let in_meta = format!(r#"{{"request":{{"method":"get"}},"meta":{{"id":"ab-7","note":{note}}}}}"#);

        let [batch] = &fed(format!("{in_request}\n{in_meta}\n").as_bytes(), Key::Id)[..] else { panic!("one batch") };

        let records: Vec<_> =
            batch.entries.iter().map(|entry| (entry.record.value.clone(), entry.record.key.clone())).collect();
        assert_eq!(records, [(in_request.into(), None), (in_meta.into(), Some("ab-7".into()))]);
    }

    #[test]
    fn key_can_be_the_host() {
        let batches = fed(format!("{OURS}\n{FOREIGN}").as_bytes(), Key::Host);

        let keys: Vec<_> =
            batches.iter().flat_map(|batch| &batch.entries).map(|entry| entry.record.key.clone()).collect();
        assert_eq!(keys, [Some("a.example".into()), Some("b.example".into())]);
    }

    #[test]
    fn batches_are_bounded_in_lines() {
        let text = format!("{FOREIGN}\n").repeat(MAX_BATCH_LINES + 1);

        let batches = fed(text.as_bytes(), Key::Id);

        assert_eq!(batches.iter().map(|batch| batch.entries.len()).collect::<Vec<_>>(), [MAX_BATCH_LINES, 1]);
    }

    #[test]
    fn what_was_read_does_not_wait_for_a_silent_pipe() {
        let input = format!("{FOREIGN}\n");
        let (send, mut batches) = mpsc::channel(1);
        let (reader, mut writer) = std::io::pipe().unwrap();
        let feeder = std::thread::spawn(move || feed(reader, 200, Key::Id, &send));

        std::io::Write::write_all(&mut writer, input.as_bytes()).unwrap();
        let batch = batches.blocking_recv().unwrap();
        drop(writer);
        feeder.join().unwrap();

        assert_eq!(batch.entries.len(), 1);
        assert!(batches.blocking_recv().is_none());
    }

    #[test]
    fn input_that_fails_tells_so_behind_the_lines_before() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("broken disk"))
            }
        }

        let batches = fed(format!("{FOREIGN}\n").as_bytes().chain(Broken), Key::Id);

        assert_eq!(batches.iter().map(|batch| batch.entries.len()).sum::<usize>(), 1);
        assert_eq!(batches.last().unwrap().input_error.as_ref().unwrap().to_string(), "broken disk");
    }
}
