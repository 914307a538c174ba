//! What is kept of many values: sketches that are bounded, that merge, and that do not depend on any order.
//!
//! Each sketch is a function of the multiset of what it was given. So `merge` of two sketches is the sketch of all that
//! both were given, and what was given twice in two places can be brought together when the document is written.

mod bodies;
mod durations;
mod examples;
mod json;
mod media;
mod multipart;
mod names;
mod operation;
mod params;
mod shape;
mod texts;
mod truncated;

pub(crate) use bodies::{Bodies, Body};
pub(crate) use durations::Durations;
pub(crate) use examples::Examples;
pub(crate) use media::{Kind, Media};
pub(crate) use operation::{Operation, Requests, Response};
pub(crate) use params::{Extent, Param, Params};
pub(crate) use shape::{Array, Object, Shape, is_data};
pub(crate) use texts::Texts;
