//! Where an audit reads: the topics of a Kafka, or files.
//!
//! The order matters while sources are running. First the exchanges up to the present end: the gaps in them are what is
//! judged. Then the accounts: what is acknowledged was explained before. Then the exchanges again, up to the end that they
//! have by now: all that those accounts call acknowledged is before it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use tokio::time::{Instant, sleep};
use tributary_topic::{Delivered, Reader, ReaderConfig, Setting, Start, TopicError};

use super::ledger::{Beginning, Ledger};
use crate::{failure::Failure, terminal::notice};

/// The pause before accounts that are on their way are looked for again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// What to audit in Kafka.
#[derive(Clone, Debug)]
pub(super) struct Topics {
    pub(super) brokers: String,
    pub(super) exchanges: String,
    /// `None`: nobody keeps them.
    pub(super) accounts: Option<String>,
    /// `None`: they are not read.
    pub(super) dead_letters: Option<String>,
    pub(super) settings: Vec<Setting>,
    /// How long to wait for accounts that are on their way.
    pub(super) settle: Duration,
}

/// Reads everything. The second value: what is gone of the topic.
///
/// # Errors
/// Kafka cannot be worked with, or one of the first two topics cannot be read.
pub(super) async fn topics(topics: &Topics) -> Result<(Ledger, Beginning), Failure> {
    let mut exchanges = topics.open(&topics.exchanges).await?;
    let mut gone = Gone::of(&exchanges);
    let mut ledger = Ledger::new(gone.is_any());
    read_exchanges(&mut exchanges, &mut ledger, &mut gone).await?;
    ledger.mark_end();

    let mut accounts = match &topics.accounts {
        Some(topic) => topics.open_other(topic, "no gap can be explained by an account").await?,
        None => None,
    };
    let deadline = Instant::now() + topics.settle;
    loop {
        if let Some(accounts) = &mut accounts {
            read_accounts(accounts, &mut ledger).await?;
        }
        if !ledger.is_open(gone.beginning()) || Instant::now() >= deadline {
            break;
        }
        sleep(LOOK_AGAIN_AFTER).await;
        match &mut accounts {
            Some(accounts) => accounts.mark_end().await?,
            None => break,
        }
    }

    exchanges.mark_end().await?;
    read_exchanges(&mut exchanges, &mut ledger, &mut gone).await?;
    if let Some(topic) = &topics.dead_letters
        && let Some(mut letters) = topics.open_other(topic, "no gap can be explained by a dead letter").await?
    {
        while let Some(letter) = letters.next_before_end().await? {
            read_letter(&letter, &mut ledger);
        }
    }
    Ok((ledger, gone.beginning()))
}

impl Topics {
    async fn open(&self, topic: &str) -> Result<Reader, TopicError> {
        let (brokers, settings) = (self.brokers.clone(), self.settings.clone());
        Reader::open(ReaderConfig { brokers, topic: topic.to_owned(), start: Start::Beginning, settings }).await
    }

    /// `None`: there is no such topic, which is told together with what follows from it.
    async fn open_other(&self, topic: &str, consequence: &str) -> Result<Option<Reader>, TopicError> {
        match self.open(topic).await {
            Ok(reader) => Ok(Some(reader)),
            Err(error @ TopicError::TopicMissing { .. }) => {
                notice(&format!("{error}; {consequence}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

async fn read_exchanges(reader: &mut Reader, ledger: &mut Ledger, gone: &mut Gone) -> Result<(), TopicError> {
    while let Some(record) = reader.next_before_end().await? {
        gone.read(&record);
        ledger.line(&record.value, record.timestamp_millis);
    }
    Ok(())
}

async fn read_accounts(reader: &mut Reader, ledger: &mut Ledger) -> Result<(), TopicError> {
    while let Some(record) = reader.next_before_end().await? {
        // One that is none is counted, and told with the verdict; a tombstone is nothing.
        if !record.value.is_empty() {
            let _ = ledger.account(&record.value);
        }
    }
    Ok(())
}

/// Source and number of a dead letter stand in its headers: its line may be cut.
fn read_letter(letter: &Delivered, ledger: &mut Ledger) {
    let header = |name: &str| {
        let (_, value) = letter.headers.iter().find(|(known, _)| known == name)?;
        std::str::from_utf8(value).ok()
    };
    if let (Some(source), Some(seq)) = (header("source"), header("seq").and_then(|seq| seq.parse().ok())) {
        ledger.dead_letter(source, seq, header("replayed").is_some());
    }
}

/// Partitions whose beginning is gone, and the time of the first record that is left.
struct Gone(BTreeMap<i32, Option<i64>>);

impl Gone {
    fn of(reader: &Reader) -> Gone {
        Gone(reader.beginnings().filter(|(_, offset)| *offset > 0).map(|(partition, _)| (partition, None)).collect())
    }

    fn is_any(&self) -> bool {
        !self.0.is_empty()
    }

    fn read(&mut self, record: &Delivered) {
        if let Some(first @ None) = self.0.get_mut(&record.partition) {
            *first = record.timestamp_millis;
        }
    }

    fn beginning(&self) -> Beginning {
        if !self.is_any() {
            return Beginning::Whole;
        }
        let edges: Option<Vec<i64>> = self.0.values().copied().collect();
        edges.and_then(|edges| edges.into_iter().max()).map_or(Beginning::GoneUnknown, Beginning::GoneUntil)
    }
}

/// Reads files of exchanges, and the accounts beside them.
///
/// # Errors
/// A file cannot be read. The one with the accounts may be missing if it was not named.
pub(super) fn files(paths: &[PathBuf], accounts: Option<&Path>) -> Result<Ledger, Failure> {
    let mut ledger = Ledger::default();
    let mut read = Vec::with_capacity(paths.len());
    for path in paths {
        let mut file = Lines::open(path)?;
        file.read(|line| ledger.line(line, None))?;
        read.push(file);
    }
    ledger.mark_end();
    match accounts {
        Some(path) => Lines::open(path)?.read(|line| drop(ledger.account(line)))?,
        None => {
            let beside = paths.iter().map(|path| accounts_beside(path));
            let there: Vec<PathBuf> = beside.filter(|path| path.exists()).collect();
            if there.is_empty() {
                notice("no file with accounts lies beside it; no gap can be explained by one");
            }
            for path in there {
                Lines::open(&path)?.read(|line| drop(ledger.account(line)))?;
            }
        }
    }
    for mut file in read {
        file.read(|line| ledger.line(line, None))?;
    }
    Ok(ledger)
}

fn accounts_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".accounts");
    PathBuf::from(name)
}

/// A file of lines that may still grow.
struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    /// Bytes of whole lines read.
    position: u64,
}

impl Lines {
    fn open(path: &Path) -> Result<Lines, Failure> {
        let opened = File::open(path).and_then(|file| match file.metadata()?.is_dir() {
            true => Err(std::io::ErrorKind::IsADirectory.into()),
            false => Ok(file),
        });
        let file = opened.with_context(|| format!("open {}", path.display())).map_err(Failure::no_input)?;
        Ok(Lines { path: path.to_owned(), reader: BufReader::with_capacity(1 << 18, file), position: 0 })
    }

    /// Hands out the whole lines up to the present end. A last one without its line break is still being written.
    fn read(&mut self, mut each: impl FnMut(&[u8])) -> Result<(), Failure> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let count = self.reader.read_until(b'\n', &mut line);
            let count = count.with_context(|| format!("read {}", self.path.display())).map_err(Failure::no_input)?;
            let Some(whole) = line.strip_suffix(b"\n") else {
                // So that it is read again when it is whole. A pipe cannot go back, and has ended.
                let _ = self.reader.seek(SeekFrom::Start(self.position));
                return Ok(());
            };
            self.position += count as u64;
            let whole = whole.strip_suffix(b"\r").unwrap_or(whole);
            if !whole.trim_ascii().is_empty() {
                each(whole);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn beginning_is_gone_up_to_the_latest_first_record_that_is_left() {
        let record = |partition, at| Delivered {
            partition,
            offset: 9,
            timestamp_millis: Some(at),
            key: None,
            value: vec![],
            headers: vec![],
        };
        let mut gone = Gone([(0, None), (2, None)].into());

        assert_eq!(gone.beginning(), Beginning::GoneUnknown);
        for (partition, at) in [(0, 10), (1, 99), (2, 7), (0, 50)] {
            gone.read(&record(partition, at));
        }

        assert_eq!(gone.beginning(), Beginning::GoneUntil(10));
        assert_eq!(Gone(BTreeMap::new()).beginning(), Beginning::Whole);
    }

    #[test]
    fn line_that_is_still_being_written_is_read_when_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lines");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\n\n  \r\ntw").unwrap();
        let mut lines = Lines::open(&path).unwrap();
        let mut read = Vec::new();

        lines.read(|line| read.push(line.to_vec())).unwrap();
        file.write_all(b"o\r\n").unwrap();
        lines.read(|line| read.push(line.to_vec())).unwrap();

        assert_eq!(read, [b"one", b"two"]);
    }
}
