//! Configurations and answers that somebody has spoiled: they are taken within their bounds or refused, and no message
//! shows a secret.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test: what does not hold must fail")]

use proptest::prelude::*;
use serde_json::Value;
use tributary_filter::{Config, SETTINGS};
use tributary_fuzz::{bytes, json, seeds};

const SECRET: &str = "s3cret-never-shown";

const WORDS: &[&str] = &[
    "null",
    "true",
    "[]",
    "{}",
    "-1",
    "1e3",
    "1.0",
    "0.5",
    "18446744073709551616",
    "\"\"",
    "\"TOKEN\"",
    "\"collector\":",
    "\"redact\":",
    "{secret}",
    "\u{0}",
    "\u{feff}",
];

fn environments() -> impl Strategy<Value = Vec<u8>> {
    let good = format!("PATH=/bin\0TOKEN={SECRET}\0KEY={SECRET}{SECRET}\0EMPTY=\0");
    prop_oneof![
        3 => Just(good.clone().into_bytes()),
        1 => bytes(vec![good.into_bytes()], &["=", "\0", "TOKEN=", "KEY="]),
    ]
}

fn check(settings: &[u8], environment: &[u8]) -> Result<(), TestCaseError> {
    let loaded = Config::load(settings, environment);

    let told = match &loaded {
        Ok(config) => format!("{config:?}"),
        Err(error) => format!("{error} {error:?}"),
    };
    // It may stand in the settings themselves only because an edit put it there, and no edit knows it.
    prop_assert!(!told.contains(SECRET), "{}", told);
    prop_assert_eq!(&loaded, &Config::load(settings, environment));
    let Ok(config) = loaded else { return Ok(()) };
    prop_assert!(!config.collector.cluster.is_empty());
    prop_assert!(config.retry.min <= config.retry.max && config.batch.max_bytes <= config.max_memory_bytes);
    prop_assert!(config.batch.max_exchanges > 0 && !config.heartbeat.is_zero() && !config.collector.timeout.is_zero());
    let headers = [&config.collector.authority, &config.collector.path];
    prop_assert!(headers.iter().all(|text| text.bytes().all(|byte| byte.is_ascii_graphic())), "{:?}", headers);
    Ok(())
}

fn settings() -> Vec<Vec<u8>> {
    seeds("filter-settings").expect("seeds")
}

fn values() -> Vec<Value> {
    settings().iter().map(|seed| serde_json::from_slice(seed).expect("a seed is JSON")).collect()
}

fn names() -> Vec<String> {
    SETTINGS.iter().map(|setting| setting.name.rsplit('.').next().unwrap_or_default().to_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spoiled_settings_are_taken_within_bounds_or_refused(
        settings in bytes(settings(), WORDS), environment in environments(),
    ) {
        check(&settings, &environment)?;
    }

    #[test]
    fn settings_of_wrong_values_are_taken_within_bounds_or_refused(
        settings in json(values(), names()), environment in environments(),
    ) {
        check(settings.to_string().as_bytes(), &environment)?;
    }
}
