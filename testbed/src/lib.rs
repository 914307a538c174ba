//! The testbed: starts the real parts (Envoy, Kafka, collector, users) as processes of this machine, drives traffic
//! through them, and judges what comes out. The demo, the end-to-end tests, the fault tests and the benchmarks use it.
//!
//! # A test in fifteen lines
//!
//! ```
//! use anyhow::Result;
//! use tributary_testbed::{message::Call, origin::Answer, stack::Bed};
//!
//! pub async fn head_is_recorded_without_a_body(bed: &Bed) -> Result<()> {
//!     let origin = |_: &_| Answer::new(200).declare_length(1_000);
//!     let stack = bed.stack("head").await?.origin(origin).await?.start().await?;
//!
//!     let (with, without) = stack.call_both(&Call::new("HEAD", "/big")).await?;
//!
//!     assert_eq!(with.comparable(), without.comparable());
//!     let line = stack.line_of("/big").await?;
//!     assert_eq!(line["request"]["method"], "head");
//!     assert_eq!(line["response"]["body"], "");
//!     Ok(())
//! }
//! ```
//! Tests stand in `testbed/tests/e2e/<topic>.rs`; a test is a function like this one and its name in the list of its
//! module. `cargo test -p tributary-testbed --test e2e NAME` runs those with NAME in their name. The binaries and the
//! wasm must be built before (`cargo xtask test` does it).
//!
//! # What there is
//!
//! | module | what it gives |
//! |---|---|
//! | [`stack`] | [`Bed`](stack::Bed): what tests share. [`Stack`](stack::Stack): app, Envoy, collector and topic wired together |
//! | [`kafka`], [`envoy`], [`collector`], [`users`] | each part alone: start, pause, kill, start again, look into |
//! | [`origin`] | an app whose every byte the test decides, HTTP/1.1 and HTTP/2 |
//! | [`client`] | raw clients: [`h1`](client::h1) bytes and sockets, [`h2`](client::h2) and [`h3`](client::h3) streams and trailers |
//! | [`message`] | requests and replies as they are on the wire |
//! | [`recordings`] | the lines that came out of a topic or a file |
//! | [`readers`] | the published readers of the format, and whether they read the same from our lines |
//! | [`shop`] | the API of a shop: traffic of it, and how near an inferred description comes to the contract |
//! | [`validators`] | two published validators of OpenAPI documents |
//! | [`oracle`] | many exchanges, and the judge who says what is missing, spurious, altered, repeated, unexplained |
//! | [`hostile`] | hostile input as a corpus of files, and what plays it |
//! | [`faults`], [`proxy`] | the fault suite, and the proxy that hurts conversations |
//! | [`certificates`] | an authority of one's own, and what it signs |
//! | [`canary`] | secrets in every place of an exchange, and the search for them in all that comes out |
//! | [`process`], [`ports`], [`wait`] | owned processes, free ports, waiting with a deadline |
//! | [`random`] | chance that is the same on every machine |
//!
//! # Rules
//!
//! - A stack of one's own for each test; only Kafka is shared. Whoever pauses or kills Kafka starts one with
//!   [`Kafka::builder`](kafka::Kafka::builder) and gives its address to [`Stack::on`](stack::Stack::on).
//! - Nothing sleeps to be synchronous: [`wait::until`], [`Stack::lines_until`](stack::Stack::lines_until),
//!   [`Gate`](origin::Gate), [`Load::further`](oracle::Load::further).
//! - Whatever starts belongs to this process and ends with it, however it ends ([`process`]).
//! - `TRIBUTARY_KEEP=1` keeps the folders with the logs.

pub mod canary;
pub mod certificates;
pub mod client;
pub mod collector;
pub mod envoy;
pub mod faults;
pub mod hostile;
pub mod kafka;
pub mod message;
pub mod oracle;
pub mod origin;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod random;
pub mod readers;
pub mod recordings;
pub mod shop;
pub mod stack;
pub mod users;
pub mod validators;
pub mod wait;
mod wire;
