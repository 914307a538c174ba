//! A panic on demand: what Envoy does when the filter dies can only be shown by a filter that dies.
//!
//! Only in a build with the feature `panic-drill`, which nothing ships: `cargo xtask check` looks for the header's name in
//! the shipped module and refuses it. A message with the header `x-tributary-panic` ends the VM in the callback that the
//! value names: `request` and `response` when that head passes, `log` at the end of a stream whose request has it.

use crate::Refusal;

/// Where a panic may be asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// When the request head passes.
    Request,
    /// When the response head passes.
    Response,
    /// At the end of the stream.
    Log,
}

/// Panics if the header map asks for it here.
#[allow(clippy::panic, reason = "the purpose of this build")]
pub(crate) fn panic_if_asked(place: Place, map: &Result<Vec<u8>, Refusal>) {
    let asked: &[u8] = match place {
        Place::Request => b"x-tributary-panic\0request\0",
        Place::Response => b"x-tributary-panic\0response\0",
        Place::Log => b"x-tributary-panic\0log\0",
    };
    // Name and value stand in the host's map one behind the other, each with a NUL at its end.
    let is_asked = map.as_ref().is_ok_and(|map| map.windows(asked.len()).any(|part| part == asked));
    if is_asked {
        panic!("asked for by x-tributary-panic, in {place:?}");
    }
}
