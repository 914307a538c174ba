//! Stage 3a: exchanges in, OpenAPI document out. Pure: no I/O, no clock, no randomness, no threads.
//!
//! A [`Learner`] takes exchanges one at a time and keeps bounded sketches of them: a tree of path segments for each host,
//! and in it what was seen of each operation. [`describe()`] turns what was learnt about one host into a document. All
//! that is kept is a function of the *set* of exchanges: their order, and how they were split over learners that were
//! merged later, change nothing.
//!
//! ```
//! use tributary_http_types::HttpExchange;
//! use tributary_openapi::{Learner, Settings, describe};
//!
//! let line = br#"{"request":{"method":"get","host":"shop.example","path":"/carts/17"},"response":{"statusCode":200}}"#;
//! let mut learner = Learner::new();
//! learner.learn(&HttpExchange::from_line(line)?);
//! let description = describe(&learner, "shop.example", &Settings::default(), None);
//! assert!(description.document["paths"]["/carts/{cartId}"]["get"].is_object());
//! # Ok::<(), tributary_http_types::ReadError>(())
//! ```

mod base;
mod call;
mod credentials;
mod describe;
pub mod diff;
mod form;
mod hash;
mod learner;
mod noise;
mod pairs;
mod seen;
mod settings;
mod sketch;
mod tree;
mod words;

pub use base::{Base, BaseError, Contradiction};
pub use call::Reason;
pub use describe::{Description, Explanation, Subject, describe};
pub use learner::{Account, Learner, Lesson};
pub use settings::{Mode, Settings, Version};
