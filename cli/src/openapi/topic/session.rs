//! What is known between two records: what was learnt, and from where on there is more.

use std::{collections::BTreeMap, time::Instant};

use tributary_topic::{Delivered, Reader, Start};

use super::pace::Pace;
use crate::{
    failure::Failure,
    openapi::{
        args::Until,
        checkpoint::{Checkpoint, Noted, Position, fingerprint},
        progress::Progress,
        publish::Publisher,
        study::Study,
    },
    terminal::notice,
};

/// Study and positions, which change together: after each record both are true, and both are noted at once.
pub(super) struct Session {
    topic: String,
    start: Start,
    checkpoint: Option<Checkpoint>,
    study: Study,
    last: BTreeMap<i32, Last>,
    progress: Progress,
    /// Offsets to read when the reader was opened.
    total: u64,
    /// Whether the checkpoint lacks something.
    unsaved: bool,
    /// Whether the documents may lack something.
    unpublished: bool,
    pace: Pace,
}

/// The last record that was read of a partition.
enum Last {
    /// In this run.
    Read(Delivered),
    /// In an earlier run; not seen again yet.
    Noted(Position),
}

impl Last {
    fn position(&self) -> Position {
        match self {
            Last::Read(record) => Position { next: record.offset + 1, last: fingerprint(record) },
            Last::Noted(position) => position.clone(),
        }
    }

    fn next(&self) -> i64 {
        match self {
            Last::Read(record) => record.offset + 1,
            Last::Noted(position) => position.next,
        }
    }
}

impl Session {
    /// Begins where the checkpoint stands, or at `start` without one.
    ///
    /// # Errors
    /// The checkpoint cannot be used.
    pub(super) fn begin(topic: &str, checkpoint: Option<Checkpoint>, start: Start) -> Result<Session, Failure> {
        let noted = match &checkpoint {
            Some(checkpoint) => checkpoint.load(topic)?,
            None => None,
        };
        let (study, last) = match noted {
            Some(Noted { positions, skipped, state, .. }) => {
                let last = positions.into_iter().map(|(partition, position)| (partition, Last::Noted(position)));
                (Study { learner: state, skipped }, last.collect())
            }
            None => (Study::default(), BTreeMap::new()),
        };
        Ok(Session {
            topic: topic.to_owned(),
            start,
            checkpoint,
            study,
            last,
            progress: Progress::of_records(None),
            total: 0,
            unsaved: false,
            unpublished: true,
            pace: Pace::new(Instant::now()),
        })
    }

    /// Where a reader has to begin.
    pub(super) fn start(&self) -> Start {
        match self.last.is_empty() {
            true => self.start.clone(),
            false => Start::Again(self.last.iter().map(|(partition, last)| (*partition, last.next() - 1)).collect()),
        }
    }

    /// A reader was opened there. Tells what retention has taken before it was read.
    pub(super) fn opened(&mut self, reader: &Reader, until: Until) {
        let begins = reader.positions();
        for (partition, last) in &self.last {
            let gone = begins.get(partition).map_or(0, |begin| begin - last.next());
            if gone > 0 {
                notice(&format!("partition {partition}: {gone} records were deleted before they were read"));
            }
        }
        self.total = reader.left();
        self.progress = Progress::of_records((until == Until::End).then_some(self.total));
    }

    /// Learns from a record.
    ///
    /// # Errors
    /// The record that was read last is another one now: this is not the topic that the checkpoint belongs to.
    pub(super) fn take(&mut self, record: Delivered) -> Result<(), Failure> {
        let (partition, offset) = (record.partition, record.offset);
        match self.last.get(&partition) {
            Some(Last::Noted(position)) if offset < position.next => {
                let is_same = offset + 1 == position.next && fingerprint(&record) == position.last;
                if let (false, Some(checkpoint)) = (is_same, &self.checkpoint) {
                    return Err(checkpoint.topic_made_anew(&self.topic, partition, position.next - 1).into());
                }
                // It was learnt from in the earlier run.
                self.last.insert(partition, Last::Read(record));
                return Ok(());
            }
            Some(Last::Read(last)) if offset <= last.offset => {
                if *last == record {
                    return Ok(());
                }
                notice(&format!("partition {partition} begins anew: the topic was made anew; what was learnt stays"));
            }
            _ => {}
        }
        self.study.take(&record.value, &self.progress, || format!("partition {partition} offset {offset}"));
        self.last.insert(partition, Last::Read(record));
        (self.unsaved, self.unpublished) = (true, true);
        Ok(())
    }

    /// Shows how far it is, and notes and writes what is due.
    ///
    /// # Errors
    /// The checkpoint or a document cannot be written.
    pub(super) fn look(&mut self, reader: &Reader, until: Until, publisher: &mut Publisher) -> Result<(), Failure> {
        let read = match until {
            Until::End => self.total.saturating_sub(reader.left()),
            Until::Stopped => self.study.learner.account().learnt,
        };
        self.progress.is_at(read, self.study.learner.account().learnt);
        let begun = Instant::now();
        let publishes = until == Until::Stopped && self.unpublished;
        if !self.pace.is_due(begun) || !(publishes || self.unsaved) {
            return Ok(());
        }
        self.save()?;
        if publishes {
            publisher.update(&self.study.learner)?;
            self.unpublished = false;
        }
        self.pace.done(begun, Instant::now());
        Ok(())
    }

    /// The topic is gone: another one of its name is read from its beginning.
    pub(super) fn forget_positions(&mut self) {
        self.last.clear();
        (self.start, self.unsaved) = (Start::Beginning, true);
    }

    /// Notes all, and hands out what was learnt.
    ///
    /// # Errors
    /// The checkpoint cannot be written.
    pub(super) fn finish(&mut self) -> Result<Study, Failure> {
        self.save()?;
        self.progress = Progress::of_records(None);
        Ok(std::mem::take(&mut self.study))
    }

    fn save(&mut self) -> Result<(), Failure> {
        let Some(checkpoint) = self.checkpoint.as_ref().filter(|_| self.unsaved) else { return Ok(()) };
        let positions = self.last.iter().map(|(partition, last)| (*partition, last.position())).collect();
        let state = &self.study.learner;
        checkpoint.save(&Noted { topic: self.topic.clone(), positions, skipped: self.study.skipped, state })?;
        self.unsaved = false;
        Ok(())
    }
}
