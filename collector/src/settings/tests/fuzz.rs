//! Command lines that make no sense: each is taken or refused with a message, and no message shows Kafka's password.

use clap::{Arg, CommandFactory as _};
use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

const SECRET: &str = "s3cret-never-shown";

/// Values at the ends of what flags allow, and beyond.
const VALUES: &[&str] = &[
    "",
    "0",
    "1",
    "-1",
    "64",
    "1000000",
    "18446744073709551615",
    "18446744073709551616",
    "1e9",
    "0x10",
    " 1",
    "1 ",
    "1KiB",
    "2GiB",
    "999TiB",
    "1.5MiB",
    "KiB",
    "-1KiB",
    "0ms",
    "1ms",
    "5s",
    "2m",
    "1h",
    "9999999h",
    "5 s",
    "s",
    "127.0.0.1:0",
    "[::1]:8088",
    "0.0.0.0:99999",
    "localhost:8088",
    "a,b:1,,",
    "topic",
    "to/pic",
    "..",
    "é",
    "\u{1b}[31m",
    "a\nb",
    "sasl.password=s3cret-never-shown",
    "=x",
    "x=",
    "none",
    "lz4",
    "true",
    "json",
    "id",
    "host",
    "/nonexistent/file",
    "/",
];

fn flags() -> Vec<Arg> {
    Settings::command().get_arguments().filter(|flag| flag.get_long().is_some()).cloned().collect()
}

fn command_lines() -> impl Strategy<Value = Vec<String>> {
    let value = prop_oneof![4 => select(VALUES).prop_map(str::to_owned), 1 => any::<String>(), 1 => "[0-9]{1,12}(KiB|MiB|ms|s|m)?"];
    let flag = (select(flags()), value, 0u8..8).prop_map(|(flag, value, how)| {
        let name = flag.get_long().unwrap_or_default();
        match how {
            0 => vec![format!("--{name}")],
            1 => vec![value],
            2 | 3 => vec![format!("--{name}"), value],
            _ => vec![format!("--{name}={value}")],
        }
    });
    (select(vec!["--brokers=b:9092", "--file=f", ""]), vec(flag, 0..5)).prop_map(|(sink, flags)| {
        let first = ["tributary-collector".to_owned(), sink.to_owned()];
        first.into_iter().filter(|word| !word.is_empty()).chain(flags.into_iter().flatten()).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn command_lines_without_sense_are_taken_or_refused(words in command_lines()) {
        match Settings::try_parse_from(&words) {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok(settings) => {
                let told = settings.check().err().map(|error| format!("{error} {error:?}"));
                prop_assert!(!told.unwrap_or_default().contains(SECRET));
                let _ = (settings.kafka(), settings.limits(), settings.server_limits());
            }
        }
    }
}
