//! End-to-end tests on real parts: Envoy with the filter, the collector, Kafka.
//!
//! Run by `cargo xtask test` (which builds the parts first), or by
//! `cargo test -p tributary-testbed --test e2e [NAME …] [-- --test-threads N]`. See the guide in `testbed/src/lib.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test: what does not hold must fail"
)]

mod audit;
mod canary;
mod cli;
mod collector;
mod demo;
mod drill;
mod edges;
mod exactly_once;
mod failures;
mod harness;
mod hostile;
mod http3;
mod life;
mod openapi;
mod parts;
mod program;
mod readers;
mod replies;
mod shapes;
mod streams;
mod tutorial;
mod twin;
mod validators;

use std::process::ExitCode;

use libtest_mimic::Arguments;
use tributary_testbed::stack::Bed;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let bed = Bed::new();
    let mut trials = Vec::new();
    trials.extend(parts::trials(&bed));
    trials.extend(tutorial::trials(&bed));
    trials.extend(exactly_once::trials(&bed));
    trials.extend(demo::trials(&bed));
    trials.extend(life::trials(&bed));
    trials.extend(drill::trials(&bed));
    trials.extend(collector::trials(&bed));
    trials.extend(edges::trials(&bed));
    trials.extend(cli::trials(&bed));
    trials.extend(audit::trials(&bed));
    trials.extend(openapi::trials(&bed));
    trials.extend(shapes::trials(&bed));
    trials.extend(hostile::trials(&bed));
    trials.extend(canary::trials(&bed));
    let twin = twin::Shared::new(&bed);
    trials.extend(streams::trials(&twin));
    trials.extend(failures::trials(&twin));
    trials.extend(replies::trials(&twin));
    trials.extend(http3::trials(&twin));
    trials.extend(readers::trials());
    trials.extend(validators::trials());

    tributary_testbed::readers::start_keeping();
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(twin);
    // The last owner: Kafka ends here, not at the end of the process.
    drop(bed);
    let last = readers::run_last(&arguments);
    if conclusion.has_failed() { conclusion.exit_code() } else { last.exit_code() }
}
