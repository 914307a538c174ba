//! Envoy's functions, as imports that return a status. With [`abi`](crate::abi), the only unsafe code of the filter.
//!
//! The module imports these functions and no others (`filter/capabilities.txt`): none of them changes a stream. A refusal
//! is a value: a status, never a panic.
//!
//! Source: proxy-wasm ABI 0.2.1; WASI preview 1.

#![allow(unsafe_code, reason = "calls into the host are foreign functions")]

use std::{ptr, time::Duration};

use tributary_http_types::Timestamp;

use crate::{
    Clock, Level, Moment, RANDOM_BYTES, Refusal,
    codes::{self, Buffer, Map, Statistic},
};

mod raw {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub(super) fn proxy_log(level: u32, text: *const u8, len: usize) -> u32;
        pub(super) fn proxy_get_current_time_nanoseconds(nanos: *mut u64) -> u32;
        pub(super) fn proxy_set_tick_period_milliseconds(millis: u32) -> u32;
        pub(super) fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, len: *mut usize) -> u32;
        pub(super) fn proxy_get_buffer_bytes(
            buffer: u32,
            start: usize,
            max: usize,
            data: *mut *mut u8,
            len: *mut usize,
        ) -> u32;
        pub(super) fn proxy_get_property(path: *const u8, path_len: usize, data: *mut *mut u8, len: *mut usize) -> u32;
        pub(super) fn proxy_define_metric(kind: u32, name: *const u8, len: usize, id: *mut u32) -> u32;
        pub(super) fn proxy_increment_metric(id: u32, offset: i64) -> u32;
        pub(super) fn proxy_done() -> u32;
        pub(super) fn proxy_http_call(
            cluster: *const u8,
            cluster_len: usize,
            headers: *const u8,
            headers_len: usize,
            body: *const u8,
            body_len: usize,
            trailers: *const u8,
            trailers_len: usize,
            timeout_millis: u32,
            token: *mut u32,
        ) -> u32;
    }

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        pub(super) fn clock_time_get(clock: u32, precision: u64, nanos: *mut u64) -> u32;
        pub(super) fn random_get(data: *mut u8, len: usize) -> u32;
        pub(super) fn environ_sizes_get(count: *mut usize, len: *mut usize) -> u32;
        pub(super) fn environ_get(entries: *mut *mut u8, data: *mut u8) -> u32;
    }
}

const MONOTONIC: u32 = 1;
/// A map of no pairs in its wire form.
const NO_TRAILERS: [u8; 4] = [0; 4];
/// More environment than this is not a configuration any more.
const MAX_ENVIRONMENT: usize = 1_048_576;

fn accepted(status: u32) -> Result<(), Refusal> {
    if status == 0 { Ok(()) } else { Err(Refusal { status }) }
}

/// Runs a call that returns bytes, and takes them over.
fn bytes(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, Refusal> {
    let (mut data, mut len) = (ptr::null_mut(), 0);
    accepted(call(&mut data, &mut len))?;
    if data.is_null() || len == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the host got these `len` bytes from our `proxy_on_memory_allocate`, which boxes a slice of exactly that
    // length with the global allocator, filled them, and gives them to the caller of the host function.
    Ok(unsafe { Vec::from_raw_parts(data, len, len) })
}

/// A whole header or trailer map in its wire form; empty outside its phase.
pub(crate) fn header_map(map: Map) -> Result<Vec<u8>, Refusal> {
    // SAFETY: both pointers are valid for the call.
    bytes(|data, len| unsafe { raw::proxy_get_header_map_pairs(map as u32, data, len) })
}

/// At most the first `max` bytes of a buffer.
pub(crate) fn buffer(buffer: Buffer, max: usize) -> Result<Vec<u8>, Refusal> {
    // SAFETY: both pointers are valid for the call.
    bytes(|data, len| unsafe { raw::proxy_get_buffer_bytes(buffer as u32, 0, max, data, len) })
}

/// A property by its path, segments joined by NUL; `None` if Envoy has no such thing here.
pub(crate) fn property(path: &[u8]) -> Option<Vec<u8>> {
    // SAFETY: all pointers are valid for the call.
    bytes(|data, len| unsafe { raw::proxy_get_property(path.as_ptr(), path.len(), data, len) }).ok()
}

/// The monotonic clock; its origin if the host refuses it, so that waits end and nothing else.
pub(crate) fn steady() -> Moment {
    let mut nanos = 0;
    // SAFETY: the pointer is valid for the call.
    let status = unsafe { raw::clock_time_get(MONOTONIC, 0, &mut nanos) };
    Moment::from_millis(if status == 0 { nanos / 1_000_000 } else { wall_nanos() / 1_000_000 })
}

/// Both clocks.
pub(crate) fn clock() -> Clock {
    let nanos = i64::try_from(wall_nanos()).unwrap_or(i64::MAX);
    Clock { steady: steady(), wall: Timestamp::from_unix_nanos(nanos) }
}

fn wall_nanos() -> u64 {
    let mut nanos = 0;
    // SAFETY: the pointer is valid for the call. A refusal leaves the zero.
    unsafe { raw::proxy_get_current_time_nanoseconds(&mut nanos) };
    nanos
}

/// Fresh random bytes.
pub(crate) fn random() -> Result<[u8; RANDOM_BYTES], Refusal> {
    let mut random = [0; RANDOM_BYTES];
    // SAFETY: pointer and length are those of the array.
    accepted(unsafe { raw::random_get(random.as_mut_ptr(), random.len()) })?;
    Ok(random)
}

/// The VM's environment, `NAME=value` each ended by a NUL; empty if there is none or the host refuses it.
///
/// Not `std::env`: its first use ends the module if the host refuses the call.
pub(crate) fn environment() -> Vec<u8> {
    let (mut count, mut len) = (0, 0);
    // SAFETY: both pointers are valid for the call.
    let status = unsafe { raw::environ_sizes_get(&mut count, &mut len) };
    if status != 0 || len == 0 || len > MAX_ENVIRONMENT || count > len {
        return Vec::new();
    }
    let mut entries = vec![ptr::null_mut(); count];
    let mut data = vec![0; len];
    // SAFETY: the host was asked for both sizes; `entries` has room for `count` pointers and `data` for `len` bytes.
    let status = unsafe { raw::environ_get(entries.as_mut_ptr(), data.as_mut_ptr()) };
    if status == 0 { data } else { Vec::new() }
}

/// Starts a call to a cluster; its answer comes to the current root under the token. `headers` is a map in its wire form.
pub(crate) fn http_call(cluster: &str, headers: &[u8], body: &[u8], timeout: Duration) -> Result<u32, Refusal> {
    let (mut token, millis) = (0, u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX));
    let (name, name_len) = (cluster.as_ptr(), cluster.len());
    let (map, map_len) = (headers.as_ptr(), headers.len());
    let (bytes, len) = (body.as_ptr(), body.len());
    let (none, none_len) = (NO_TRAILERS.as_ptr(), NO_TRAILERS.len());
    // SAFETY: each pointer is that of the slice whose length stands beside it, and `token` is valid for the call.
    accepted(unsafe {
        raw::proxy_http_call(name, name_len, map, map_len, bytes, len, none, none_len, millis, &mut token)
    })?;
    Ok(token)
}

/// Sets the period of the current root's tick.
pub(crate) fn set_tick_period(period: Duration) -> Result<(), Refusal> {
    let millis = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
    // SAFETY: no pointer.
    accepted(unsafe { raw::proxy_set_tick_period_milliseconds(millis) })
}

/// Defines one of Envoy's statistics; the same name in several VMs is the same statistic.
pub(crate) fn define_statistic(kind: Statistic, name: &str) -> Result<u32, Refusal> {
    let mut id = 0;
    // SAFETY: all pointers are valid for the call.
    accepted(unsafe { raw::proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &mut id) })?;
    Ok(id)
}

/// Adds to a statistic; only a gauge takes less than nothing. Not `proxy_record_metric`: a gauge is the sum of all VMs.
pub(crate) fn increment(id: u32, change: i64) -> Result<(), Refusal> {
    // SAFETY: no pointer.
    accepted(unsafe { raw::proxy_increment_metric(id, change) })
}

/// Writes a line to Envoy's log. Where that fails there is nobody left to tell.
pub(crate) fn log(level: Level, text: &str) {
    // SAFETY: pointer and length are those of the text.
    let _ = unsafe { raw::proxy_log(codes::of_level(level), text.as_ptr(), text.len()) };
}

/// Tells Envoy that the current root, whose `on_done` said no, may go now.
pub(crate) fn done() {
    // SAFETY: no pointer. Envoy refuses it if no such root waits, which changes nothing.
    let _ = unsafe { raw::proxy_done() };
}
