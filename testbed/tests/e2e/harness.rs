//! From an `async fn(&Bed) -> Result<()>` to a test that libtest-mimic runs.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use libtest_mimic::{Failed, Trial};
use tributary_testbed::stack::Bed;

/// No test may take longer; each wait inside has its own, shorter bound.
const TEST_WITHIN: Duration = Duration::from_secs(300);

/// The tests of a module: `trials!(bed, "tutorial": first_test, second_test)`; their names are `tutorial::first_test` …
macro_rules! trials {
    ($bed:expr, $module:literal: $($test:ident),+ $(,)?) => {
        vec![$(crate::harness::trial($bed, concat!($module, "::", stringify!($test)), $test)),+]
    };
}
pub(crate) use trials;

/// One test, with a runtime of its own.
pub(crate) fn trial<T>(bed: &Arc<Bed>, name: &str, test: T) -> Trial
where
    T: AsyncFnOnce(&Bed) -> Result<()> + Send + 'static,
{
    let bed = Arc::clone(bed);
    Trial::test(name, move || run(&bed, test).map_err(|error| Failed::from(format!("{error:#}"))))
}

fn run(bed: &Bed, test: impl AsyncFnOnce(&Bed) -> Result<()>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let bounded = tokio::time::timeout(TEST_WITHIN, test(bed)).await;
        bounded.with_context(|| format!("not finished within {} s", TEST_WITHIN.as_secs()))?
    })
}
