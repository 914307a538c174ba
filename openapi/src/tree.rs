//! The tree of path segments of one host, and how it becomes path templates.
//!
//! Learning walks down the tree, one level a segment; nothing is ever compared with all other paths. Templates are
//! decided when the document is written, from what the tree then holds.

mod likeness;
mod node;
mod resolve;
mod segment;

pub(crate) use node::{ALLOWANCE, Node};
pub(crate) use resolve::{Guide, Path, Step, resolve};

/// Whether a segment only stands in front of the names: `api`, `v2`.
pub(crate) fn is_prefix(segment: &str) -> bool {
    segment::Rank::is_prefix(segment)
}
