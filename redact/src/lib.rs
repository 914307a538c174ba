//! Redaction: what must not leave the proxy is masked here, and nothing else is touched.
//!
//! The filter masks each exchange before it writes the line; the collector does it again for lines that others posted,
//! and for bodies that came compressed. Both use this crate, which does no I/O.
//!
//! ```text
//! settings ──► Redactor ──► exchange ──► headers: names, cookie, url ─┐
//!                                   ├──► target:  url, query          ├──► text (value patterns, assignments)
//!                                   └──► bodies:  json, form, multipart┘      ──► masker: [redacted] or tok_…
//! ```
//! What decides is the name (a header, a query name, a JSON key: `names.rs`) or the value itself (a JSON web token, a
//! card number: `patterns.rs`). The rules are those of the README's section on redaction.
//!
//! - **Linear.** Each byte is looked at a bounded number of times; there is no backtracking, whatever the patterns.
//! - **Nothing found, nothing copied.** Parts in which there is nothing to mask are given back as they came.
//! - **Twice is once.** What was masked is recognised, so a second pass changes nothing.
//! - **No panic.** It runs inside the proxy: what could panic is denied below, arithmetic included.

#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    clippy::unreachable
)]
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, clippy::string_slice, reason = "a test may panic, and says so by failing")
)]

mod body;
mod cookie;
mod counts;
mod custom;
mod encoding;
mod exchange;
mod form;
mod header;
mod host;
mod json;
mod known;
mod masker;
mod memo;
mod multipart;
mod names;
mod patterns;
mod redactor;
mod settings;
mod stored;
mod text;
mod token;
mod url;
mod utf16;
mod words;

pub use body::{MaskedBody, Withheld};
pub use counts::{Counts, Place};
pub use redactor::Redactor;
pub use settings::{Compressed, Settings, SettingsError, Unparseable};
pub use stored::withhold_packed;
pub use token::{Key, KeyError};

/// What stands for a secret where no key is set.
pub const REDACTED: &str = "[redacted]";
