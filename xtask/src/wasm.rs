//! Looks at the filter as it ships: what it can call, what Envoy can call, how far it can grow, how large it is.
//!
//! `filter/capabilities.txt` lists what the filter may do, one name a line. Envoy gets the same list
//! (`capability_restriction_config` in `envoy/envoy.yaml`) and enforces it; here it is enforced before Envoy sees it. The
//! list has nothing that changes a stream ([`CHANGES_TRAFFIC`]), so a module that keeps to it only reads.

mod module;

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use xtask::parts;

use crate::build;
use crate::stages::Findings;
use module::Module;

/// What a module could do to a request, a response or a connection, to what other filters see, or to other services: none
/// of it may ever stand in the list. Source: proxy-wasm ABI 0.2.1, and Envoy 1.40 (`proxy_continue_stream` …).
const CHANGES_TRAFFIC: [&str; 26] = [
    "proxy_add_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_set_header_map_pairs",
    "proxy_set_buffer_bytes",
    "proxy_set_property",
    "proxy_send_local_response",
    "proxy_continue_stream",
    "proxy_close_stream",
    "proxy_continue_request",
    "proxy_continue_response",
    "proxy_clear_route_cache",
    "proxy_call_foreign_function",
    "proxy_set_shared_data",
    "proxy_enqueue_shared_queue",
    "proxy_dequeue_shared_queue",
    "proxy_register_shared_queue",
    "proxy_resolve_shared_queue",
    "proxy_grpc_call",
    "proxy_grpc_stream",
    "proxy_grpc_send",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    // Callbacks that could hold a connection back.
    "proxy_on_new_connection",
    "proxy_on_downstream_data",
    "proxy_on_upstream_data",
];

/// What Envoy asks of every module. Source: proxy-wasm ABI 0.2.1.
const NEEDED_EXPORTS: [&str; 4] = ["_initialize", "memory", "proxy_abi_version_0_2_1", "proxy_on_memory_allocate"];

/// 512 MiB, the bound that `.cargo/config.toml` sets; a RUSTFLAGS of the environment would silently undo it.
const MOST_PAGES: u64 = 512 * 1024 * 1024 / 65_536;

/// Every Envoy of a mesh fetches and compiles it.
const MOST_BYTES: usize = 400_000;

/// Stands only in the build that panics on demand (`filter/src/drill.rs`).
const DRILL: &[u8] = b"x-tributary-panic";

/// Builds the filter and looks at it.
///
/// # Errors
/// It does not build, or is no wasm module.
pub(crate) fn look() -> Result<Findings> {
    build::run(vec![build::filter()])?;
    let path = parts::filter_wasm();
    let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    let module = Module::parse(&bytes).with_context(|| format!("{} is no wasm module", path.display()))?;
    let list = parts::workspace_root().join("filter").join("capabilities.txt");
    let allowed = fs::read_to_string(&list).with_context(|| format!("read {}", list.display()))?;
    println!("{} bytes, {} imports, {} exports", bytes.len(), module.imports.len(), module.exports.len());
    let mut findings = look_at(&module, bytes.len(), &names(&allowed));
    findings.add(has_the_drill(&bytes).then(|| "filter: panics on demand: built with panic-drill?".to_owned()));
    Ok(findings)
}

fn has_the_drill(module: &[u8]) -> bool {
    module.windows(DRILL.len()).any(|bytes| bytes == DRILL)
}

/// The names of a list: one a line, `#` starts a comment.
fn names(text: &str) -> BTreeSet<&str> {
    text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).filter(|name| !name.is_empty()).collect()
}

fn look_at(module: &Module, len: usize, allowed: &BTreeSet<&str>) -> Findings {
    let mut findings = Findings::default();
    for (namespace, name) in &module.imports {
        let known = matches!(namespace.as_str(), "env" | "wasi_snapshot_preview1");
        let listed = allowed.contains(name.as_str());
        let problem = (!known || !listed)
            .then(|| format!("filter: imports {namespace}.{name}, which filter/capabilities.txt does not allow"));
        findings.add(problem);
    }
    for name in CHANGES_TRAFFIC {
        let listed = allowed.contains(name);
        findings
            .add(listed.then(|| format!("filter/capabilities.txt: {name} can change traffic, take it from the list")));
    }
    // A callback that is not listed would be dead weight, or one that nobody has thought about.
    for name in module.exports.iter().filter(|name| name.starts_with("proxy_on_")) {
        let listed = allowed.contains(name.as_str());
        findings
            .add((!listed).then(|| format!("filter: exports {name}, which filter/capabilities.txt does not allow")));
    }
    for name in NEEDED_EXPORTS {
        let there = module.exports.iter().any(|export| export == name);
        findings.add((!there).then(|| format!("filter: does not export {name}, Envoy will not load it")));
    }
    for name in allowed {
        let used = module.exports.iter().chain(module.imports.iter().map(|(_, import)| import)).any(|it| it == name);
        findings.add((!used).then(|| format!("filter/capabilities.txt: {name} is not used, take it from the list")));
    }
    let bounded = module.most_pages.is_some_and(|pages| pages <= MOST_PAGES);
    findings.add((!bounded).then(|| "filter: memory without its bound of 512 MiB: is RUSTFLAGS set?".to_owned()));
    findings.add((len > MOST_BYTES).then(|| format!("filter: {len} bytes, {MOST_BYTES} are allowed")));
    findings
}

#[cfg(test)]
mod tests;
