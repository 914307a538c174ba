//! Canaries: secrets planted in every place of an exchange, and the search for them wherever an exchange leaves a trace.
//!
//! ```text
//! rows() ──► Row: a call and what the app says, with Secrets in them ──► the real path ──► topic, spool, logs, pages
//!                        │                                                                          │
//!                        └──► Searcher::find: all of them, or the row proves nothing                └──► none of them
//! ```
//! The rows are data: a place, a form, a secret that is made from both. [`harmless`] is the other side: names and values
//! that look like secrets and are none, and have to come out as they went in. [`settings`] is the filter's configuration
//! under which all of this holds.

pub mod forms;
pub mod harmless;
mod meta;
mod rows;
mod search;
mod secret;

pub use meta::{Posted, posted};
pub use rows::{ROW, Row, Said, rows};
pub use search::{DEEPEST, Found, Searcher};
pub use secret::{Kind, LONGEST, Secret, USUAL};

use serde_json::{Value, json};

/// Kept bytes of each body while the rows run: small, so that a body over the limit is no long one.
pub const BODY_LIMIT: usize = 4_096;

/// The filter's settings while the rows run: the defaults of redaction, and what no default can know.
pub fn settings() -> Value {
    json!({
        "max_request_body_bytes": BODY_LIMIT,
        "max_response_body_bytes": BODY_LIMIT,
        "redact": redaction(),
    })
}

/// The part of [`settings`] that filter and collector share.
pub fn redaction() -> Value {
    json!({
        "names": ["x-mothers-maiden-name", "shibboleth"],
        "paths": ["/reset/{secret}", "/invitations/*/accept/{secret}"],
    })
}
