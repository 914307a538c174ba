//! The filter's cases, written once. They run natively (`cargo test`) and in wasm on Node
//! (`cargo test --target wasm32-unknown-unknown` under wasm-bindgen-test-runner).
//!
//! Each plays Envoy's callbacks to the filter's pure parts and looks at the lines that come out in posts. Both
//! identities of the counters are checked after every callback that changes them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic, and says so by failing"
)]

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod budget;
mod clocks;
mod delivery;
mod ends;
mod expiry;
mod heads;
mod heartbeats;
mod ladder;
mod life;
mod redaction;
mod reports;
mod runs;
mod troubles;
