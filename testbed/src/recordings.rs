//! What came out: the lines of a topic or of a file, read as any consumer reads them.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::Value;
use tributary_http_types::HttpExchange;
use tributary_topic::{Reader, ReaderConfig, Setting, Start};

use crate::{readers, wait};

/// A topic that the collector has yet to make is waited for so long.
const TOPIC_WITHIN: Duration = Duration::from_secs(30);

/// The longest pause of [`Recordings::until`] between two looks.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How long the broker may hold a fetch that finds nothing. While it holds one it answers nothing else on that
/// connection, so each look at the end of a partition waits for it: 1.5 s a read with librdkafka's default of 500 ms.
const FETCH_WAIT: [&str; 2] = ["fetch.wait.max.ms", "20"];

/// One line with what Kafka keeps around it; from a file, only the line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The line as it lies there, without its line end.
    pub bytes: Vec<u8>,
    /// The key of the record.
    pub key: Option<Vec<u8>>,
    /// The headers of the record.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The partition.
    pub partition: i32,
    /// The offset; in a file, the number of the line, from 0.
    pub offset: i64,
}

impl Line {
    /// The line as text.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.bytes).context("line is not UTF-8")
    }

    /// The line as plain JSON, whatever its schema.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.bytes).with_context(|| format!("line {:?}", String::from_utf8_lossy(&self.bytes)))
    }

    /// The line as an exchange of the format.
    ///
    /// # Errors
    /// The strict reader refuses it.
    pub fn exchange(&self) -> Result<HttpExchange> {
        Ok(HttpExchange::from_line(&self.bytes)?)
    }

    /// The value of a record header, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        std::str::from_utf8(value).ok()
    }
}

/// A growing list of lines, in the order read.
pub struct Recordings {
    source: Source,
    lines: Vec<Line>,
}

enum Source {
    Topic(Box<Reader>),
    File(PathBuf),
}

impl Recordings {
    /// All of a topic, from its beginning; waits until there is such a topic.
    ///
    /// # Errors
    /// Kafka does not answer, or there is no such topic after 30 s.
    pub async fn of_topic(brokers: &str, topic: &str) -> Result<Recordings> {
        let config = ReaderConfig {
            brokers: brokers.to_owned(),
            topic: topic.to_owned(),
            start: Start::Beginning,
            settings: vec![Setting::new(FETCH_WAIT[0], FETCH_WAIT[1])],
        };
        // Whatever the reason: a client that has just found the broker may also lose it again.
        let open = async || Ok(Reader::open(config.clone()).await?);
        let reader = wait::until(&format!("topic {topic}"), TOPIC_WITHIN, open).await?;
        Ok(Recordings { source: Source::Topic(Box::new(reader)), lines: Vec::new() })
    }

    /// All of a file of lines; it need not be there yet.
    pub fn of_file(path: impl Into<PathBuf>) -> Recordings {
        Recordings { source: Source::File(path.into()), lines: Vec::new() }
    }

    /// What was read so far.
    pub(crate) fn read_already(&self) -> &[Line] {
        &self.lines
    }

    /// Reads from another place from now on, and keeps its lines behind its own; says how many it brought.
    pub(crate) fn go_on_with(&mut self, other: Recordings) -> usize {
        let brought = other.lines.len();
        self.source = other.source;
        self.lines.extend(other.lines);
        brought
    }

    /// Reads all that is there at this moment, and hands out all that was ever read.
    ///
    /// # Errors
    /// Kafka or the file cannot be read.
    pub async fn read(&mut self) -> Result<&[Line]> {
        match &mut self.source {
            Source::Topic(reader) => {
                reader.mark_end().await?;
                while let Some(record) = reader.next_before_end().await? {
                    readers::keep(&record.value);
                    self.lines.push(Line {
                        bytes: record.value,
                        key: record.key,
                        headers: record.headers,
                        partition: record.partition,
                        offset: record.offset,
                    });
                }
            }
            Source::File(path) => self.lines = lines_of(path)?,
        }
        Ok(&self.lines)
    }

    /// Reads until `found` finds in the lines what it looks for.
    ///
    /// # Errors
    /// It does not within `within`: says what was waited for, how many lines there are, and `found`'s last reason.
    pub async fn until<T>(
        &mut self,
        what: &str,
        within: Duration,
        mut found: impl FnMut(&[Line]) -> Result<T>,
    ) -> Result<T> {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            // Not cut off at the deadline: half a read would lose lines.
            let lines = self.read().await?;
            let count = lines.len();
            match found(lines) {
                Ok(answer) => return Ok(answer),
                Err(reason) if tokio::time::Instant::now() >= deadline => {
                    let late =
                        format!("{what} did not come within {} s; {count} lines are there", within.as_secs_f32());
                    return Err(reason.context(late));
                }
                Err(_) => self.await_more().await,
            }
        }
    }

    /// Gives the next line time to come.
    async fn await_more(&mut self) {
        tokio::time::sleep(LOOK_AGAIN_AFTER).await;
    }
}

/// The whole lines of a file; a last one without its line end is still being written.
fn lines_of(path: &std::path::Path) -> Result<Vec<Line>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let line = |(number, line): (usize, &[u8])| {
        let offset = i64::try_from(number).unwrap_or(i64::MAX);
        Line { bytes: line.strip_suffix(b"\n").unwrap_or(line).to_vec(), offset, ..Line::default() }
    };
    let whole = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    Ok(whole.enumerate().map(line).collect())
}
