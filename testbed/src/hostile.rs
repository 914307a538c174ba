//! Hostile input as a corpus of files, and what plays it: each case goes to an Envoy with the filter and to the same
//! Envoy without it.
//!
//! ```text
//! testbed/hostile/*/NAME.case ──► Case ──► http1 or http2 client ──► Envoy ──► origin, which says what it was asked
//!                                                 │
//!                                                 ▼
//!                                        what came back, comparable
//! ```
//! A case is bytes, so that it can be what no client library would send. [`Case::parse`] has the format of the files;
//! [`families`] writes those that are one idea in many places. Each case ends by itself: behind its bytes goes a plain
//! request, the fence, that closes the connection if Envoy still understands it, and Envoy's time-outs end the rest.

mod case;
pub mod families;
mod http1;
mod http2;
mod origin;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use xtask::parts;

pub use case::{Case, Kind};
pub use origin::Origin;

/// The longest that one case may take on one way: Envoy's time-outs are far below.
const CASE_WITHIN: Duration = Duration::from_secs(60);

/// What came of one case on one way.
#[derive(Clone, Debug)]
pub struct Played {
    /// What the client got, without what differs by itself; in lines, to be read.
    pub seen: String,
    /// The port it came from: the record says it too.
    pub port: u16,
}

/// The folder of the corpus.
pub fn folder() -> PathBuf {
    parts::workspace_root().join("testbed").join("hostile")
}

/// All cases, in the order of their names.
///
/// # Errors
/// A file cannot be read or understood: says which.
pub fn cases() -> Result<Vec<Case>> {
    let mut paths = Vec::new();
    for family in fs::read_dir(folder()).context("read testbed/hostile")? {
        let family = family?.path();
        if family.is_dir() {
            for file in fs::read_dir(&family)? {
                paths.push(file?.path());
            }
        }
    }
    paths.sort();
    paths.iter().map(|path| read(path).with_context(|| path.display().to_string())).collect()
}

fn read(path: &Path) -> Result<Case> {
    let name = path.strip_prefix(folder())?.with_extension("");
    Case::parse(&name.to_string_lossy(), &fs::read_to_string(path)?)
}

/// Plays a case and waits for the end of its connection.
///
/// # Errors
/// No connection, or no end within a minute.
pub async fn play(case: &Case, address: SocketAddr) -> Result<Played> {
    let played = async {
        match case.kind {
            Kind::Http1 | Kind::Answer => http1::play(case, address).await,
            Kind::Http2 => http2::play(case, address).await,
        }
    };
    let played = tokio::time::timeout(CASE_WITHIN, played).await.context("its connection has no end");
    played.and_then(|played| played).with_context(|| case.name.clone())
}

/// Bytes as text that shows each of them; a line end ends the line.
fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\r\\n", "\\r\\n\n").replace("\\\"", "\"").replace("\\'", "'")
}
