//! Secrets stay home: canaries in every place of an exchange, and none in anything that Tributary writes or shows.
//!
//! `rig` sends the rows and searches; `places` says what is searched (topic, spool, file, logs, pages); `harmless` is the
//! other side, what must not be masked; `wall` posts to the collector what no filter has masked; `switches` are the
//! settings that weaken, strengthen or misuse it.

mod harmless;
mod places;
mod rig;
mod switches;
mod wall;

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use tributary_testbed::{
    kafka::Kafka,
    process::Scratch,
    stack::{Bed, Stack},
    wait,
};

use crate::harness::trials;
use harmless::harmless_names_and_values_pass_unchanged;
use places::Documents;
use rig::{Canaries, PATIENCE};
use switches::{
    allow_list_frees_harmless_names_and_never_sensitive_ones, filter_only_keeps_compressed_bodies_out_and_says_so,
    filters_switches_are_counted_and_headers_stay_masked, one_value_is_one_token_under_one_key,
    strict_mode_shows_listed_headers_and_no_others,
};
use wall::{
    what_others_post_and_is_harmless_is_left_as_it_is, what_others_post_in_meta_is_masked_by_the_collector,
    what_others_post_is_masked_by_the_collector, what_the_filter_masked_is_left_as_it_is,
};

pub(crate) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    trials!(bed, "canary":
        no_secret_comes_out_anywhere,
        no_secret_lies_in_spool_or_dead_letters,
        no_secret_and_no_key_lies_in_the_file,
        harmless_names_and_values_pass_unchanged,
        what_others_post_is_masked_by_the_collector,
        what_others_post_in_meta_is_masked_by_the_collector,
        what_others_post_and_is_harmless_is_left_as_it_is,
        what_the_filter_masked_is_left_as_it_is,
        allow_list_frees_harmless_names_and_never_sensitive_ones,
        one_value_is_one_token_under_one_key,
        filter_only_keeps_compressed_bodies_out_and_says_so,
        filters_switches_are_counted_and_headers_stay_masked,
        strict_mode_shows_listed_headers_and_no_others,
    )
}

/// The whole path, HTTP/1.1 and HTTP/2, and everything that it leaves.
async fn no_secret_comes_out_anywhere(bed: &Bed) -> Result<()> {
    let canaries = Canaries::new();
    let stack = canaries.stack(bed.stack("canary").await?).await?;
    // A key that traffic chooses: it is one more place.
    let stack = stack.collector(|collector| collector.args(&["--key", "host"])).start().await?;

    canaries.sent(&stack).await?;
    let again = canaries.sent_again_over_http2(&stack).await?;
    let lines = canaries.travelled(&stack, again).await?;

    let mut documents = Documents::of_lines("topic", &lines);
    documents.add_pages(&stack).await?;
    let brokers = bed.kafka().await?.brokers();
    documents.add_topic(brokers, &format!("{}.accounts", stack.topic()?)).await?;
    canaries.none_in(&documents)
}

/// Kafka is away: the spool holds them, on disk. Then it comes back, and finds one of them too large.
async fn no_secret_lies_in_spool_or_dead_letters(_: &Bed) -> Result<()> {
    const LARGE: usize = 50_000;
    let mut kafka = Kafka::builder().setting("message.max.bytes", 60_000).start().await?;
    let scratch = Scratch::new("canary-spool")?;
    let spool = scratch.file("spool");
    let (canaries, path) = (Canaries::with_large(LARGE), spool.to_string_lossy().into_owned());
    let stack = canaries.stack(Stack::on(kafka.brokers(), "canary-spool")).await?;
    let stack = stack.filter(json!({"max_request_body_bytes": LARGE, "max_response_body_bytes": LARGE}));
    let stack = stack.collector(move |collector| collector.args(&["--spool", &path])).start().await?;
    kafka.stop().await?;

    canaries.sent(&stack).await?;
    let count = canaries.rows.len() as u64;
    wait::until("all of them in the spool", PATIENCE, async || {
        let account = stack.collector.accounting().await?;
        ensure!(account.accepted == count && account.kafka_acked == 0, "{account:?}");
        Ok(())
    })
    .await?;
    let mut documents = Documents::default();
    let bytes = documents.add_folder("spool", &spool)?;
    ensure!(bytes > LARGE as u64, "the spool has {bytes} bytes");
    documents.add_pages(&stack).await?;
    canaries.none_in(&documents)?;

    kafka.start_again().await?;
    let lines = canaries.travelled_but(&stack, "large").await?;
    let letters = wait::until("a dead letter", PATIENCE, async || {
        let letters = stack.dead_letters().await?;
        ensure!(letters.len() == 1, "{} dead letters", letters.len());
        Ok(letters)
    })
    .await?;
    let mut documents = Documents::of_lines("topic", &lines);
    documents.extend(Documents::of_lines("dead letters", &letters));
    documents.add_folder("spool afterwards", &spool)?;
    documents.add_pages(&stack).await?;
    canaries.none_in(&documents)
}

/// Without Kafka, with tokens instead of masks: neither a secret nor the key that makes the tokens comes out.
async fn no_secret_and_no_key_lies_in_the_file(_: &Bed) -> Result<()> {
    let scratch = Scratch::new("canary-file")?;
    let (canaries, key) = Canaries::with_key();
    std::fs::write(scratch.file("key"), format!("{key}\n"))?;
    let key_file = scratch.file("key").to_string_lossy().into_owned();
    let stack = canaries.stack(Stack::on_file("canary-file")).await?;
    let stack = stack.collector(move |collector| collector.args(&["--redact-key-file", &key_file]));
    let stack = stack.filter(json!({"redact": {"key_env": rig::KEY_VARIABLE}}));
    let stack = stack.envoy(move |envoy| {
        envoy.env(rig::KEY_VARIABLE, &key).edit(|config| config.pass_filter_variable(rig::KEY_VARIABLE))
    });
    let stack = stack.start().await?;

    canaries.sent(&stack).await?;
    let lines = canaries.travelled(&stack, 0).await?;

    let tokens = lines.iter().filter(|line| line.text().is_ok_and(|text| text.contains("tok_"))).count();
    ensure!(tokens * 10 > lines.len() * 9, "only {tokens} of {} lines have tokens", lines.len());
    let mut documents = Documents::default();
    documents.add_folder("the folder of the file", stack.folder())?;
    documents.add_pages(&stack).await?;
    canaries.none_in(&documents)
}
