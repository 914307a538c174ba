//! Stage 1 of Tributary: a proxy-wasm filter that turns what Envoy sees into lines of HTTP Types and posts them.
//!
//! ```text
//!  Envoy's callbacks        one stream            one VM                          Envoy's HTTP client
//!  head, body, trailers ──► capture ──► exchange ──► batch ──► delivery ──► plugin ──► POST to the collector
//!  log, done, delete        (Stream)    (a line)   (Queue)   (in flight)  (Plugin)
//! ```
//! Where to look:
//! - [`Stream`] (`capture.rs`): what is seen of one stream, whether it is captured, that it ends exactly once;
//!   `head.rs`, `body.rs`, `facts.rs` hold what it sees, `exchange.rs` writes the line.
//! - [`Plugin`] (`plugin.rs`): what the streams and roots of a VM share. `ended.rs` holds exchanges until a few of them
//!   are written in a row, `batch.rs` fills batches, `delivery.rs` knows
//!   which may leave, `retry.rs` how long to wait, `reply.rs` what an answer means, `roots.rs` who ticks and who goes.
//! - [`Config`] (`config.rs`) and [`SETTINGS`]: what an operator may set.
//! - [`counters`]: what is counted, and the two identities that always hold.
//! - `abi.rs`, `envoy.rs` and `host.rs`, compiled only where Envoy is the host: what it calls, what that means, what it
//!   is asked. They connect and decide nothing.
//!
//! Two promises shape everything here. **The filter only reads**: every callback lets the stream continue, and nothing
//! is ever written to it. **There is no panic**: in Envoy a panic takes the traffic of the worker down, whatever the
//! failure policy says. So what could panic is denied below, arithmetic included, and there is no SDK, whose getters
//! unwrap and whose dispatcher panics on an id that it does not know: host calls are imports that return a status.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    clippy::unreachable,
    clippy::todo,
    clippy::unimplemented
)]
// Foreign functions are where Envoy is the host, and nowhere else.
#![cfg_attr(not(all(target_arch = "wasm32", target_os = "wasi")), forbid(unsafe_code))]
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, clippy::string_slice, reason = "a test may panic, and says so by failing")
)]

mod batch;
mod body;
mod budget;
mod capture;
mod clock;
#[cfg(any(all(test, not(target_arch = "wasm32")), all(target_arch = "wasm32", target_os = "wasi")))]
mod codes;
pub mod config;
#[cfg(any(test, all(target_arch = "wasm32", target_os = "wasi")))]
mod contexts;
pub mod counters;
mod delivery;
mod ended;
mod exchange;
mod facts;
mod flags;
mod head;
mod journal;
mod plugin;
mod random;
mod reply;
mod retry;
mod roots;
mod source;

#[cfg(all(target_arch = "wasm32", target_os = "wasi"))]
mod abi;
#[cfg(all(feature = "panic-drill", target_arch = "wasm32", target_os = "wasi"))]
mod drill;
#[cfg(all(target_arch = "wasm32", target_os = "wasi"))]
mod envoy;
#[cfg(all(target_arch = "wasm32", target_os = "wasi"))]
mod host;

pub use capture::{MissingHeads, Refusal, Stream};
pub use clock::{Clock, Moment};
pub use config::{Config, ConfigError, SETTINGS};
pub use counters::{Counter, Counters, Gauge, Pending};
pub use exchange::Side;
pub use facts::{DIRECTION, Fact, Facts, LOCAL_ADDRESS, ListenerDirection, Need, Omitted, PATHS};
pub use head::{Head, HeadError, Pair, Pairs};
pub use journal::{Level, LogLine};
pub use plugin::{Answer, Plugin, Post};
pub use reply::REPLY_BODY_LIMIT;
pub use roots::RootId;
pub use source::{RANDOM_BYTES, Source};
