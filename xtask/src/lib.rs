//! What the rest of the workspace may know of the workshop: where the parts lie that are not built here.
//!
//! The commands themselves (`cargo xtask --help`) are in the binary of the same package.

pub mod parts;
