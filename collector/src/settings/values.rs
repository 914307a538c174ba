//! How the values of flags are read: sizes, times, names, pairs.

use std::{path::Path, time::Duration};

use tributary_topic::Setting;

use super::SettingsError;

/// A size from `MIN` to `MAX` bytes: `65536`, `64KiB`, `8MiB`, `1GiB`.
pub(super) fn bytes<const MIN: u64, const MAX: u64>(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("not a size; write bytes, or a number with KiB, MiB or GiB".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "not a whole number".to_owned())?;
    let bytes = number.saturating_mul(factor);
    if (MIN..=MAX).contains(&bytes) { Ok(bytes) } else { Err(format!("not between {MIN} and {MAX} bytes")) }
}

/// A time from `MIN` to `MAX` milliseconds: `500ms`, `5s`, `2m`, `1h`.
pub(super) fn duration<const MIN: u64, const MAX: u64>(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let factor: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("not a time; write a number with ms, s, m or h".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "not a whole number".to_owned())?;
    let millis = number.saturating_mul(factor);
    if (MIN..=MAX).contains(&millis) {
        Ok(Duration::from_millis(millis))
    } else {
        Err(format!("not between {MIN} and {MAX} milliseconds"))
    }
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// The name of a topic, by Kafka's rules.
pub(super) fn topic(text: &str) -> Result<String, String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=249).contains(&text.len()) && text.bytes().all(legal) && text != "." && text != ".." {
        Ok(text.to_owned())
    } else {
        Err("a topic has 1 to 249 of A-Z a-z 0-9 . _ -".to_owned())
    }
}

/// As [`topic`]; empty for none.
pub(super) fn topic_or_none(text: &str) -> Result<String, String> {
    if text.is_empty() { Ok(String::new()) } else { topic(text) }
}

/// A file of settings, one a line; empty lines and lines that begin with `#` are skipped.
pub(super) fn settings_file(path: &Path) -> Result<Vec<Setting>, SettingsError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|source| SettingsError::KafkaConfigFile { path: shown.clone(), source })?;
    let lines = text.lines().map(str::trim).enumerate();
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| {
            let line_number = number + 1;
            line.parse().map_err(|_| SettingsError::KafkaConfigLine { path: shown.clone(), line: line_number })
        })
        .collect()
}
