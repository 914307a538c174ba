//! Envoy's way into the module: the functions that Envoy calls, and for whom each call is.
//!
//! This is what the usual SDK does, without what a filter that only reads must not have: the SDK's traits stand in
//! tables of methods that name every function of the host, so a module built on it imports all that change a stream,
//! called or not; and its dispatcher panics on ids that it does not know. Here such a call has no effect, and the
//! module imports only what [`host`](crate::host) declares.
//!
//! Functions that are not exported are not called: those of TCP streams, gRPC calls and queues are left out.
//!
//! Source: proxy-wasm ABI 0.2.1.

#![allow(unsafe_code, missing_docs, unreachable_pub, reason = "the functions that Envoy calls are exported by name")]

use std::{
    alloc::{Layout, alloc},
    cell::RefCell,
    ptr,
};

use crate::{
    codes::CONTINUE,
    contexts::{ContextId, Contexts},
    envoy::{Http, Root},
};

unsafe extern "C" {
    fn __wasm_call_ctors();
}

thread_local! {
    static CONTEXTS: RefCell<Contexts<Root, Http>> = const { RefCell::new(Contexts::new()) };
}

/// Runs something on the contexts; `None` inside another callback, which no host does.
fn with<R>(run: impl FnOnce(&mut Contexts<Root, Http>) -> Option<R>) -> Option<R> {
    CONTEXTS.with(|contexts| contexts.try_borrow_mut().ok().and_then(|mut contexts| run(&mut contexts)))
}

fn with_root<R>(id: ContextId, run: impl FnOnce(&mut Root) -> R) -> Option<R> {
    with(|contexts| contexts.root(id).map(run))
}

fn with_stream(id: ContextId, run: impl FnOnce(&mut Http)) -> u32 {
    let _ = with(|contexts| contexts.stream(id).map(run));
    CONTINUE
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_abi_version_0_2_1() {}

/// The first call of all: the initialisers of the C library.
#[unsafe(no_mangle)]
pub extern "C" fn _initialize() {
    // SAFETY: the linker makes it, for a module whose host calls `_initialize` once and first.
    unsafe { __wasm_call_ctors() };
}

/// Room for bytes that the host is about to return; they become a vector of that length and capacity. Null if there is
/// none: the host then refuses the call that the bytes are for. Not cleared, for the host fills it before anybody looks.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_memory_allocate(len: usize) -> *mut u8 {
    match Layout::array::<u8>(len) {
        // SAFETY: the layout has a size.
        Ok(layout) if len > 0 => unsafe { alloc(layout) },
        _ => ptr::null_mut(),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_context_create(id: ContextId, root: ContextId) {
    let _ = with(|contexts| {
        if root == 0 {
            contexts.add_root(id, Root::new(id));
        } else {
            let stream = contexts.root(root)?.stream();
            contexts.add_stream(id, stream);
        }
        Some(())
    });
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_vm_start(_root: ContextId, _configuration_len: usize) -> u32 {
    1
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_configure(root: ContextId, _configuration_len: usize) -> u32 {
    u32::from(with_root(root, Root::on_configure).unwrap_or(false))
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_tick(root: ContextId) {
    let _ = with_root(root, Root::on_tick);
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_http_call_response(
    root: ContextId,
    token: u32,
    _headers: u32,
    body_len: usize,
    _trailers: u32,
) {
    let _ = with_root(root, |root| root.on_http_call_response(token, body_len));
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_request_headers(stream: ContextId, _count: u32, _ends: u32) -> u32 {
    with_stream(stream, Http::on_http_request_headers)
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_request_body(stream: ContextId, chunk_len: usize, _ends: u32) -> u32 {
    with_stream(stream, |stream| stream.on_http_request_body(chunk_len))
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_request_trailers(stream: ContextId, _count: u32) -> u32 {
    with_stream(stream, Http::on_http_request_trailers)
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_response_headers(stream: ContextId, _count: u32, _ends: u32) -> u32 {
    with_stream(stream, Http::on_http_response_headers)
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_response_body(stream: ContextId, chunk_len: usize, _ends: u32) -> u32 {
    with_stream(stream, |stream| stream.on_http_response_body(chunk_len))
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_response_trailers(stream: ContextId, _count: u32) -> u32 {
    with_stream(stream, Http::on_http_response_trailers)
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_log(stream: ContextId) {
    with_stream(stream, Http::on_log);
}

/// Whether the context may go. A stream always may; a root that stays calls [`host::done`](crate::host::done) later.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_done(id: ContextId) -> u32 {
    with_stream(id, Http::finish);
    u32::from(with_root(id, Root::on_done).unwrap_or(true))
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_delete(id: ContextId) {
    // Out of the table first: what they do when they are dropped may not find it taken.
    let gone = with(|contexts| Some(contexts.remove(id)));
    drop(gone);
}
