//! The shapes of messages: each as it comes out of Kafka, and as client and origin see it with and without the filter.
//!
//! `messages`, `headers`, `bodies`, `codings` and `paths` are tables of cases, run by `rig` over HTTP/1.1 and HTTP/2 on
//! both sides of Envoy; `large` sends bodies of 50 MB and watches the memory.

mod bodies;
mod case;
mod codings;
mod headers;
mod large;
mod line;
mod messages;
mod paths;
mod profile;
mod rig;

use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::Trial;
use tributary_testbed::stack::Bed;

use crate::harness::trials;

pub(crate) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    trials!(bed, "shapes":
        methods_statuses_and_framings_are_recorded_as_they_were,
        headers_are_recorded_as_they_came,
        bodies_are_recorded_up_to_the_limit,
        compressed_bodies_are_recorded_as_the_text_in_them,
        odd_targets_and_hosts_are_recorded_so_that_every_reader_bears_them,
        bodies_of_50_mb_pass_with_bounded_memory,
    )
}

async fn methods_statuses_and_framings_are_recorded_as_they_were(bed: &Bed) -> Result<()> {
    rig::run(bed, "messages", messages::cases()).await
}

async fn headers_are_recorded_as_they_came(bed: &Bed) -> Result<()> {
    rig::run(bed, "headers", headers::cases()).await
}

async fn bodies_are_recorded_up_to_the_limit(bed: &Bed) -> Result<()> {
    rig::run(bed, "bodies", bodies::cases()).await
}

async fn compressed_bodies_are_recorded_as_the_text_in_them(bed: &Bed) -> Result<()> {
    rig::run(bed, "codings", codings::cases()).await
}

async fn odd_targets_and_hosts_are_recorded_so_that_every_reader_bears_them(bed: &Bed) -> Result<()> {
    rig::run_on(bed, "paths", paths::cases(), |envoy| envoy.edit(paths::allow_http_1_0)).await
}

async fn bodies_of_50_mb_pass_with_bounded_memory(bed: &Bed) -> Result<()> {
    large::pass_with_bounded_memory(bed).await
}
