//! Traffic through Envoy for areas that measure more than Envoy: an app that answers at once, and callers that keep a pace.

pub(crate) mod arrivals;
pub(crate) mod calls;
pub(crate) mod origin;
