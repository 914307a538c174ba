//! Stage 2 of Tributary: takes exchanges by POST and answers when they are safe.
//!
//! ```text
//! server ──► app ──► ingest ──► post      who posts, and how it is packed
//! (sockets)  (routes)   │  ├──► batches   the ones acknowledged last, answered again without being stored again
//!                       │  ├──► body      read and unpacked under limits
//!                       │  ├──► lines     cut into lines, each judged ──► decode (compressed bodies inside; gzip)
//!                       │  └──► sink      kafka (and its dead letters) or file: a verdict a line ──► spool
//!                       └─────► accounting   where every line went, exact at every moment
//!                                   └──► accounts   what the sources report, stored beside their lines
//! ```
//! Around them: `settings` (the command line), `door` (who may post: `auth` has the tokens, `server::tls` the certificates), `stamp` (files that change), `budget` (bytes in flight), `computing` (threads for large posts), `error` (what a refused
//! sender is told), `metrics`, `log`, `health` (the self-check), `open_files` (how many), `fail_point` (where tests end it). [`Collector`] puts them together; `main.rs` adds signals and exit codes.

mod accounting;
mod accounts;
mod app;
mod auth;
mod batches;
mod body;
mod budget;
mod collector;
mod computing;
mod decode;
mod door;
mod error;
pub mod fail_point;
mod gzip;
pub mod health;
mod ingest;
mod lines;
pub mod log;
mod metrics;
pub mod open_files;
mod post;
mod server;
mod settings;
mod sink;
mod spool;
mod stamp;
mod wall;

pub use collector::{Collector, StartError};
pub use door::San;
pub use settings::{
    Command, LimitSettings, RedactChoice, RedactionFlags, SecuritySettings, Settings, SettingsError, SpoolFlags,
};
pub use spool::SpoolError;
pub use wall::WallError;
