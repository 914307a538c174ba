//! Lines and posts of one collector, and the identities that explain them.

use serde::Serialize;

use crate::decode::DecodeCounts;

/// Lines and posts, cumulative since the start.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Totals {
    /// Lines of all posts whose lines were read.
    pub received: u64,
    /// Lines answered as durable.
    pub accepted: u64,
    /// Lines answered as never to be durable.
    pub rejected: u64,
    /// Rejected lines whose head lies in the dead-letter topic.
    pub dead_lettered: u64,
    /// Lines of posts that were answered before, and not stored again.
    pub repeated: u64,
    /// Lines of refused posts.
    pub refused: Refused,
    /// Accepted lines that Kafka acknowledged.
    pub kafka_acked: u64,
    /// Accepted lines in the spool.
    pub spooled: u64,
    /// Accepted lines in the synced file.
    pub file_synced: u64,
    /// The posts.
    pub posts: Posts,
    /// Compressed bodies inside exchanges.
    pub bodies: DecodeCounts,
}

/// Refused lines, by reason.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Refused {
    /// Nothing promised, try again (503).
    pub busy: u64,
    /// No or a wrong token: never read, so always 0 (see `posts`).
    pub auth: u64,
    /// Over a limit.
    pub limit: u64,
}

/// Posts.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Posts {
    /// All that came to an outcome.
    pub received: u64,
    /// Answered with 200.
    pub accepted: u64,
    /// Answered with 200 again, from memory.
    pub repeated: u64,
    /// Answered with something else.
    pub refused: RefusedPosts,
}

/// Refused posts, by reason.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct RefusedPosts {
    /// 503.
    pub busy: u64,
    /// 401.
    pub auth: u64,
    /// 408, 413.
    pub limit: u64,
    /// 400, 415.
    pub bad_request: u64,
}

impl Totals {
    /// Whether every line and every post is explained.
    pub(crate) fn identity_is_exact(&self) -> bool {
        let Refused { busy, auth, limit } = self.refused;
        let posts = self.posts.refused;
        self.received == self.accepted + self.rejected + self.repeated + busy + auth + limit
            && self.accepted == self.kafka_acked + self.spooled + self.file_synced
            && self.posts.received
                == self.posts.accepted + self.posts.repeated + posts.busy + posts.auth + posts.limit + posts.bad_request
    }
}
