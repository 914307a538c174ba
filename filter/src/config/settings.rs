//! The list of all settings: names, defaults, bounds, meaning. The parser and the README's table come from it.

use std::fmt;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The whole name, `collector.timeout_ms`; the unit stands in it.
    pub name: &'static str,
    /// Which values it may have, and which it has if it is not set.
    pub allowed: Allowed,
    /// What it does.
    pub meaning: &'static str,
}

/// The values of a setting.
#[derive(Clone, Copy, Debug)]
pub enum Allowed {
    /// A whole number between two bounds, both included.
    Number {
        /// If not set.
        default: u64,
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// A text.
    Text {
        /// If not set; `None`: it must be set.
        default: Option<&'static str>,
        /// What it may look like.
        form: Form,
    },
    /// A text that may be left out.
    OptionalText {
        /// What it may look like.
        form: Form,
    },
    /// `true` or `false`.
    Flag {
        /// If not set.
        default: bool,
    },
    /// One of some words.
    Choice {
        /// All of them; the first if not set.
        words: &'static [&'static str],
    },
    /// An array of texts, none if not set.
    List {
        /// Entries at most.
        most: usize,
        /// What an entry may look like.
        entries: &'static str,
    },
    /// An object with settings of its own.
    Object,
}

/// The forms of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Any characters but control characters.
    Name,
    /// Visible ASCII without `/`, `?`, `#`, `@`.
    Authority,
    /// Visible ASCII, `/` first.
    Path,
    /// A name of an environment variable. Values are never shown in messages: a token may have been pasted.
    VariableName,
}

impl Form {
    pub(super) fn allows(self, text: &str) -> bool {
        let is_graphic = text.bytes().all(|byte| byte.is_ascii_graphic());
        !text.is_empty()
            && match self {
                Form::Name => text.len() <= 512 && !text.chars().any(char::is_control),
                Form::Authority => text.len() <= 255 && is_graphic && !text.contains(['/', '?', '#', '@']),
                Form::Path => text.len() <= 2048 && is_graphic && text.starts_with('/'),
                Form::VariableName => {
                    text.len() <= 128
                        && !text.starts_with(|first: char| first.is_ascii_digit())
                        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                }
            }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Form::Name => "a text of 1 to 512 bytes without control characters",
            Form::Authority => "a host with an optional port, 1 to 255 visible ASCII characters",
            Form::Path => "a path of 1 to 2048 visible ASCII characters that starts with /",
            Form::VariableName => "a name of 1 to 128 letters, digits and _, no digit first",
        })
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allowed::Number { min, max, .. } => write!(f, "a whole number from {min} to {max}"),
            Allowed::Text { form, .. } | Allowed::OptionalText { form } => form.fmt(f),
            Allowed::Flag { .. } => f.write_str("true or false"),
            Allowed::Choice { words } => f.write_str(&words.join(" or ")),
            Allowed::List { most, entries } => write!(f, "an array of at most {most} {entries}"),
            Allowed::Object => f.write_str("an object"),
        }
    }
}

const fn number(name: &'static str, default: u64, min: u64, max: u64, meaning: &'static str) -> Setting {
    Setting { name, allowed: Allowed::Number { default, min, max }, meaning }
}

const fn list(name: &'static str, most: usize, entries: &'static str, meaning: &'static str) -> Setting {
    Setting { name, allowed: Allowed::List { most, entries }, meaning }
}

const fn text(name: &'static str, default: Option<&'static str>, form: Form, meaning: &'static str) -> Setting {
    Setting { name, allowed: Allowed::Text { default, form }, meaning }
}

/// Every field of the plugin configuration.
///
/// Bounds: a body above 1 MiB belongs into a file store, not into a log; memory stays below half of the 512 MiB at
/// which the module's memory ends; times are bounded by an hour, so that none is taken for seconds by mistake.
pub const SETTINGS: &[Setting] = &[
    Setting { name: "collector", allowed: Allowed::Object, meaning: "Where the exchanges go." },
    text("collector.cluster", None, Form::Name, "Envoy's name of the cluster of the collector."),
    text("collector.authority", Some("collector"), Form::Authority, "The `:authority` of the posts."),
    text("collector.path", Some("/v1/exchanges"), Form::Path, "The path of the posts."),
    number("collector.timeout_ms", 10_000, 100, 60_000, "How long one post may take."),
    Setting {
        name: "collector.token_env",
        allowed: Allowed::OptionalText { form: Form::VariableName },
        meaning: "The environment variable of the VM that holds the bearer token of the posts.",
    },
    number("max_request_body_bytes", 65_536, 0, 1_048_576, "Kept bytes of each request body; the rest is counted."),
    number("max_response_body_bytes", 65_536, 0, 1_048_576, "Kept bytes of each response body; the rest is counted."),
    number(
        "max_memory_bytes",
        16_777_216,
        65_536,
        268_435_456,
        "Bytes a VM holds in open exchanges, queue and posts; over a half of it bodies are left out, over three quarters \
         headers too, and over all of it new exchanges are dropped; each is counted.",
    ),
    list(
        "omit_facts",
        7,
        "of clientAddress, upstreamAddress, cluster, route, direction, responseFlags, codeDetails",
        "Facts of `meta` that are not recorded: Envoy searches for each at the end of every exchange.",
    ),
    number("flush_after_ms", 200, 10, 10_000, "A batch is posted at the latest this long after its first exchange."),
    number("max_batch_bytes", 524_288, 1_024, 4_194_304, "A batch is posted when it has this size."),
    number("max_batch_exchanges", 100, 1, 10_000, "A batch is posted when it has this many exchanges."),
    number("retry_min_ms", 100, 10, 60_000, "The shortest wait after a failed post."),
    number("retry_max_ms", 10_000, 10, 600_000, "The longest wait after a failed post; at least `retry_min_ms`."),
    number("give_up_after_ms", 120_000, 1_000, 3_600_000, "A batch older than this is dropped and counted."),
    number(
        "heartbeat_ms",
        5_000,
        1_000,
        60_000,
        "While something is pending and nothing else is posted, a report without exchanges is posted this often; a \
         collector that misses three of them calls the source silent.",
    ),
    Setting { name: "redact", allowed: Allowed::Object, meaning: "What is masked beside what always is." },
    list("redact.names", 64, "texts of 1 to 64 bytes", "Further sensitive names: whatever has these words in a row."),
    list(
        "redact.allow",
        64,
        "texts of 1 to 64 bytes",
        "Names of exactly these words are harmless, outside headers; one that is sensitive for good is refused.",
    ),
    list(
        "redact.only_headers",
        64,
        "texts of 1 to 64 bytes",
        "Strict mode: the only headers and trailers whose values are recorded, beside `content-type`, `content-encoding`, \
         `content-length` and `grpc-encoding`; all others are masked. A sensitive name is refused; an empty array shows none.",
    ),
    list("redact.patterns", 16, "texts of 1 to 128 bytes", "Further forms of secret values, in the pattern language."),
    list("redact.paths", 32, "texts of 1 to 512 bytes", "Segments of paths that are secrets: `/reset/{secret}`."),
    Setting {
        name: "redact.bodies",
        allowed: Allowed::Flag { default: true },
        meaning: "Whether bodies are masked; what was recorded without is counted in `tributary_redaction_disabled`.",
    },
    Setting {
        name: "redact.query",
        allowed: Allowed::Flag { default: true },
        meaning: "Whether the query is masked; counted likewise.",
    },
    Setting {
        name: "redact.unparseable",
        allowed: Allowed::Choice { words: &["scan", "drop"] },
        meaning: "A body that is not what its content type says is searched for secrets, or left out.",
    },
    Setting {
        name: "redact.compressed",
        allowed: Allowed::Choice { words: &["pass", "drop"] },
        meaning: "A compressed body is left to the collector, which decodes and masks it, or left out.",
    },
    Setting {
        name: "redact.key_env",
        allowed: Allowed::OptionalText { form: Form::VariableName },
        meaning: "The environment variable of the VM that holds the key, 16 to 1024 bytes: tokens (`tok_…`) stand for \
                  secrets then.",
    },
];
