//! Reads the system calls of a collector and says which acknowledgement was written before its time.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
};

use anyhow::Result;

use super::super::strace::Call;
use crate::oracle::Mint;

/// What an acknowledgement promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Promise {
    /// The lines lie in a file whose sync, begun after they were written, has returned; and so has one of its folder,
    /// if the file is new.
    Synced,
    /// Kafka has answered the produce request that holds the lines.
    Produced {
        /// `host:port` of the broker.
        brokers: String,
    },
}

/// How many findings are kept.
const MAX_FINDINGS: usize = 10;

/// What was seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Witness {
    /// Acknowledgements of posts with lines.
    pub(in super::super) acknowledgements: u64,
    /// Exchanges in them.
    pub(in super::super) exchanges: u64,
    /// Those that were written too early.
    pub(in super::super) too_early: Vec<String>,
}

impl Witness {
    /// Goes through the calls of a collector that listens there.
    ///
    /// # Errors
    /// None of the calls is a post.
    pub(in super::super) fn hear(calls: &[Call], listens: &str, mint: &Mint, promise: &Promise) -> Result<Witness> {
        let mut story =
            Story { listens, mint, promise, kept: Kept::default(), posts: HashMap::new(), told: Witness::default() };
        // An acknowledgement may be seen from its beginning on; all else is done when it has ended.
        let is_reply = |call: &Call| call.connection().is_some_and(|(ours, _)| ours == listens) && is_write(call);
        let mut moments: Vec<(usize, &Call)> =
            calls.iter().map(|call| (if is_reply(call) { call.began } else { call.ended }, call)).collect();
        moments.sort_by_key(|(moment, _)| *moment);
        for (_, call) in moments {
            story.tell(call);
        }
        anyhow::ensure!(story.told.acknowledgements > 0, "no acknowledgement among {} calls", calls.len());
        Ok(story.told)
    }
}

struct Story<'a> {
    listens: &'a str,
    mint: &'a Mint,
    promise: &'a Promise,
    kept: Kept,
    /// What came in on each connection since the last reply.
    posts: HashMap<&'a str, Vec<u8>>,
    told: Witness,
}

impl<'a> Story<'a> {
    fn tell(&mut self, call: &'a Call) {
        match (call.connection(), self.promise) {
            (Some((ours, peer)), _) if ours == self.listens => match is_write(call) {
                false => self.posts.entry(peer).or_default().extend_from_slice(&call.bytes),
                true => self.reply(peer, &call.bytes),
            },
            (Some((_, peer)), Promise::Produced { brokers }) if peer == brokers => {
                // Both ends: there may be several connections to one broker.
                self.kept.talk_to_kafka(call, self.mint);
            }
            (None, Promise::Synced) => self.kept.touch_file(call, self.mint),
            _ => {}
        }
    }

    fn reply(&mut self, peer: &'a str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        // The rest of a reply, in a write of its own.
        if !text.starts_with("HTTP/1.1 ") {
            return;
        }
        let post = self.posts.remove(peer).unwrap_or_default();
        let ids = ids(&post, self.mint);
        let Some((_, name)) = text.split_once("x-tributary-ack: ") else { return };
        if ids.is_empty() || !text.starts_with("HTTP/1.1 200") {
            return;
        }
        self.told.acknowledgements += 1;
        self.told.exchanges += ids.len() as u64;
        let early: Vec<u64> = ids.into_iter().filter(|id| !self.kept.durable.contains(id)).collect();
        if !early.is_empty() && self.told.too_early.len() < MAX_FINDINGS {
            let name = name.lines().next().unwrap_or_default();
            let finding = format!("batch {name} was acknowledged before exchanges {early:?} were durable");
            self.told.too_early.push(finding);
        }
    }
}

/// What is durable.
#[derive(Default)]
struct Kept {
    durable: BTreeSet<u64>,
    files: BTreeMap<PathBuf, Written>,
    synced_folders: BTreeSet<PathBuf>,
    connections: HashMap<String, Broker>,
}

/// A file that was written to.
#[derive(Default)]
struct Written {
    /// Exchanges and when their write had ended.
    unsynced: Vec<(u64, usize)>,
    /// Exchanges that are synced, in a file whose name is not yet.
    unnamed: Vec<u64>,
    /// The end of the last write: an id may lie across two.
    tail: Vec<u8>,
}

/// The two directions of a connection to Kafka.
#[derive(Default)]
struct Broker {
    asked: Vec<u8>,
    answered: Vec<u8>,
    /// By correlation id.
    waiting: HashMap<u32, BTreeSet<u64>>,
}

/// Bytes of the end of a write that are looked at again with the next one.
const TAIL_BYTES: usize = 64;

impl Kept {
    fn touch_file(&mut self, call: &Call, mint: &Mint) {
        let Some(path) = call.path() else { return };
        if call.name.ends_with("sync") {
            self.synced_folders.insert(path.to_owned());
            if let Some(file) = self.files.get_mut(path) {
                let synced = file.unsynced.extract_if(.., |(_, written)| *written < call.began);
                file.unnamed.extend(synced.map(|(id, _)| id));
            }
            let is_named = |path: &Path| path.parent().is_some_and(|folder| self.synced_folders.contains(folder));
            for (_, file) in self.files.iter_mut().filter(|(path, _)| is_named(path)) {
                self.durable.extend(file.unnamed.drain(..));
            }
        } else if is_write(call) {
            let file = self.files.entry(Path::to_owned(path)).or_default();
            let bytes = [file.tail.as_slice(), &call.bytes].concat();
            file.unsynced.extend(ids(&bytes, mint).into_iter().map(|id| (id, call.ended)));
            file.tail = bytes.get(bytes.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default().to_vec();
        }
    }

    fn talk_to_kafka(&mut self, call: &Call, mint: &Mint) {
        let broker = self.connections.entry(call.what.clone()).or_default();
        let direction = if is_write(call) { &mut broker.asked } else { &mut broker.answered };
        direction.extend_from_slice(&call.bytes);
        while let Some(message) = take_message(&mut broker.asked) {
            // Kind and version of the request, then its correlation id. Kind 0 is Produce.
            if message.starts_with(&[0, 0])
                && let Some(id) = number(&message, 4)
            {
                broker.waiting.insert(id, ids(&message, mint));
            }
        }
        while let Some(message) = take_message(&mut broker.answered) {
            let produced = number(&message, 0).and_then(|id| broker.waiting.remove(&id));
            self.durable.extend(produced.into_iter().flatten());
        }
    }
}

/// A message of Kafka's protocol without its length; `None` if it is not whole yet.
fn take_message(stream: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = 4 + number(stream, 0)? as usize;
    (stream.len() >= end).then(|| stream.drain(..end).skip(4).collect())
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn is_write(call: &Call) -> bool {
    call.name.contains("write") || call.name.starts_with("send")
}

/// The numbers of the mint's exchanges whose path stands in these bytes: `/orders/<run>-<number>?`.
fn ids(bytes: &[u8], mint: &Mint) -> BTreeSet<u64> {
    let before = format!("/orders/{}", mint.id_before_number());
    let mut found = BTreeSet::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(before.len()).position(|window| window == before.as_bytes()) {
        rest = rest.get(at + before.len()..).unwrap_or_default();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        // Without its end it may be cut in the middle of the number.
        let is_whole = rest.get(digits) == Some(&b'?') || rest.get(digits) == Some(&b'"');
        let text = rest.get(..digits).and_then(|digits| std::str::from_utf8(digits).ok());
        if let (true, Some(Ok(number))) = (is_whole, text.map(str::parse)) {
            found.insert(number);
        }
    }
    found
}

#[cfg(test)]
mod tests;
