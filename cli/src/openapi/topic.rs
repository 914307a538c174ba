//! Learning from the topic: to its end or until stopped, from its beginning or from where a checkpoint stands.

mod pace;
mod session;

use std::{path::Path, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tributary_topic::{Delivered, Reader, Start, TopicError};

use super::{args::Until, checkpoint::Checkpoint, publish::Publisher, stopped_before_the_end, study::Study};
use crate::{
    failure::Failure,
    kafka::{KafkaArgs, open_patiently, tell_outage},
    stop::Stop,
    terminal::notice,
};
use session::Session;

/// How often to look at the clock, at Kafka, and at what is to be written.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Learns from all records until the end that was asked for, and notes them in the checkpoint. While it follows, the
/// documents are written too.
///
/// # Errors
/// The checkpoint cannot be used, or belongs to another topic; Kafka cannot be worked with; a document cannot be written;
/// the user has stopped it before the end.
pub(super) async fn learn(
    kafka: &KafkaArgs,
    start: Start,
    until: Until,
    checkpoint: Option<&Path>,
    publisher: &mut Publisher,
    stop: &mut Stop,
) -> Result<Study, Failure> {
    let checkpoint = checkpoint.map(Checkpoint::open).transpose()?;
    let mut session = Session::begin(&kafka.topic, checkpoint, start)?;
    loop {
        let config = kafka.reader(session.start());
        let opened = async {
            match until {
                Until::End => Ok(Some(Reader::open(config).await?)),
                Until::Stopped => open_patiently(config, || true).await,
            }
        };
        let reader = tokio::select! {
            opened = opened => opened?,
            () = stop.told() => None,
        };
        let ended = match reader {
            Some(reader) => {
                session.opened(&reader, until);
                read(kafka, reader, until, &mut session, publisher, stop).await?
            }
            None => Ended::Stopped,
        };
        match (ended, until) {
            (Ended::AtEnd, _) | (Ended::Stopped, Until::Stopped) => return session.finish(),
            (Ended::Stopped, Until::End) => {
                session.finish()?;
                return Err(stopped_before_the_end());
            }
            (Ended::TopicGone, _) => session.forget_positions(),
        }
    }
}

/// Why reading ended.
enum Ended {
    /// All was read.
    AtEnd,
    /// The user has stopped it.
    Stopped,
    /// The topic was deleted.
    TopicGone,
}

async fn read(
    kafka: &KafkaArgs,
    mut reader: Reader,
    until: Until,
    session: &mut Session,
    publisher: &mut Publisher,
    stop: &mut Stop,
) -> Result<Ended, Failure> {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut away = false;
    loop {
        let received = tokio::select! {
            biased;
            () = stop.told() => return Ok(Ended::Stopped),
            _ = looks.tick() => {
                tell_outage(&mut away, reader.is_unreachable(), &kafka.brokers);
                session.look(&reader, until, publisher)?;
                continue;
            }
            received = next(&mut reader, until) => received,
        };
        match received {
            Ok(Some(record)) => session.take(record)?,
            Ok(None) => return Ok(Ended::AtEnd),
            Err(error @ TopicError::TopicMissing { .. }) if until == Until::Stopped => {
                notice(&format!("the topic was deleted: {error}"));
                return Ok(Ended::TopicGone);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn next(reader: &mut Reader, until: Until) -> Result<Option<Delivered>, TopicError> {
    match until {
        Until::End => reader.next_before_end().await,
        Until::Stopped => reader.next().await.map(Some),
    }
}
