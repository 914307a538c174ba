//! The format of Tributary: one HTTP exchange (request and response) as one line of HTTP Types JSON.
//!
//! Every arrow after the filter's capture carries this format, so filter, collector, consumers and tests all use
//! this crate and no other code writes or reads a line. It does no I/O.
//!
//! - [`ExchangeRef`] is the borrowed exchange: raw bytes as a proxy sees them. [`ExchangeRef::write_line`] turns it
//!   into one line in one pass, straight into a `Vec<u8>`.
//! - [`HttpExchange`] is the owned exchange: what [`HttpExchange::from_line`] reads and what it writes back.
//! - [`check_line`] is the reader without keeping: the same verdicts, almost no allocation.
//! - [`SourceAccount`] is what a source says of itself, as a line beside the exchanges.
//! - [`SeqSet`] is what a consumer keeps of the numbers of one source: gaps and repetitions.
//!
//! ```
//! use tributary_http_types::{HttpExchange, Method};
//!
//! let line = br#"{"request":{"method":"get","host":"shop.example","path":"/cart"},"response":{"statusCode":200}}"#;
//! let exchange = HttpExchange::from_line(line)?;
//! assert_eq!(exchange.request.method, Method::Get);
//! # Ok::<(), tributary_http_types::ReadError>(())
//! ```

mod account;
mod check;
mod error;
mod exchange;
mod fields;
mod grouping;
mod json;
mod meta;
mod method;
mod names;
mod query;
mod read;
mod seqs;
mod timestamp;
mod value;
mod write;

pub use account::SourceAccount;
pub use check::{CheckedLine, CheckedTexts, OWN_LINE_DEPTH, check_line, check_own_line};
pub use error::{ReadError, WriteError};
pub use exchange::{BodyRef, ExchangeRef, HttpExchange, HttpRequest, HttpResponse, RequestRef, ResponseRef, Shown};
pub use fields::{CheckedFields, Fields};
pub use meta::{BODY_FACTS, BodyFacts, Degraded, Direction, FactKind, META_FACTS, Meta, MetaRef};
pub use method::{Method, Protocol};
pub use seqs::{Seen, SeqSet};
pub use timestamp::Timestamp;
pub use value::json_value;
