//! The API of a shop, written down by hand in `openapi/testdata/shop.yaml`; traffic of it, and the distance between
//! the contract and a description that was inferred from the traffic.
//!
//! The traffic is made from the contract and a seed, never from what the inference is known to do: it holds what real
//! traffic holds, also what must teach nothing (answers of Envoy itself, requests that were broken off, bodies that
//! were cut, requests that the service refused as malformed, repeated lines).

mod compare;
mod contract;
mod draft;
mod traffic;
mod values;

pub use compare::{Figures, Share, compare};
pub use contract::{Body, Operation, Parameter, Place, Response, Security, Shop};
pub use traffic::{Kind, Made, Traffic};

#[cfg(test)]
mod tests;
