//! Where traffic and a hand-written document disagree.
//!
//! A [`Contract`] is the document, ready to be asked; a [`Comparison`] lays exchanges beside it, one at a time, and
//! ends in a [`Drift`]: each disagreement once, with the number of exchanges that show it and the id of one of them.
//! No message holds a value from the traffic, for values may be secret; an example's id leads to it.
//!
//! What counts, and what does not:
//! - Exchanges that teach nothing about an interface ([`Reason`](crate::Reason)) are left out, repeated ones too.
//! - A path or method that the service answers with 404, 405 or 501 is not undocumented: the service does not have it.
//! - What a client sends is not held against the document when the service refused it (4xx).
//! - Masked values (`[redacted]`, `tok_…`) fit every schema; bodies that were cut, or are not text, are not looked into.
//!
//! The check of bodies is ours and not that of a JSON Schema library, because it answers another question. To JSON
//! Schema a property that nobody documented is fine, and a masked number is wrong; `nullable`, `readOnly` and
//! `writeOnly` of OpenAPI 3.0 are unknown to it; and its messages hold the values. What both can judge, a property
//! test compares: whatever schema and value, the verdicts are the same. Left out of it are the keywords that we do not look
//! at (`pattern`, `multipleOf`, `uniqueItems`, `contains`, `not`, `if`, the numbers of properties), `format`, what stands beside
//! a `$ref`, and what we judge in another way on purpose: unnamed properties are undocumented, `null` fits whatever is
//! `nullable`, and of a `oneOf` one alternative has to fit, not exactly one.

mod bodies;
mod check;
mod comparison;
mod contract;
mod finding;
mod parameters;
mod routes;
mod sarif;
mod schema;

pub use comparison::Comparison;
pub use contract::{Contract, ContractError};
pub use finding::{Drift, Finding, Kind};

#[cfg(test)]
mod tests;
