//! Area `filter`: what the filter costs Envoy.

use std::fs;

use anyhow::{Context as _, Result};
use xtask::parts;

use crate::{report::Measure, run::Run};

/// Size of the module as it ships, in thousands of bytes.
const SIZE: Measure = Measure::cost("size", "KB");

/// Measures the area.
///
/// # Errors
/// A part is missing or does not start.
pub(crate) async fn measure(run: &mut Run) -> Result<()> {
    let module = parts::filter_wasm();
    let bytes = fs::metadata(&module).with_context(|| format!("look at {}", module.display()))?.len();
    run.add("module", "ours", &SIZE, bytes as f64 / 1000.0);
    Ok(())
}
