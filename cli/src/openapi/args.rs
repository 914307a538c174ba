//! The arguments of `tributary openapi`, and what they mean together.

use std::{path::PathBuf, str::FromStr};

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum, builder::BoolishValueParser};
use jiff::{Span, SpanRelativeTo, Timestamp};
use tributary_openapi::{Mode, Settings, Version};
use tributary_topic::Start;

use super::{diff::DiffArgs, output::Target};
use crate::{args::EXIT_CODES, failure::Failure, glob::Glob, kafka::KafkaArgs, lines::Input};

/// Write the OpenAPI description of an API from its traffic.
///
/// Reads exchanges (HTTP Types) from a recordings file, or from the topic to where it ends now, and writes what they
/// teach: paths with their parameters, schemas, responses, security. An exchange that comes twice counts once. A
/// line that is no exchange is named on stderr and skipped. The same exchanges give the same bytes, in whatever order.
///
/// With --follow it stays and keeps the document current until Ctrl-C. With --checkpoint it notes how far it has read
/// together with what it has learnt, in one file, so that the next run goes on from there; it may be killed at any
/// moment. Without any exchange the document is empty and valid.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"), args_conflicts_with_subcommands = true)]
pub(crate) struct OpenapiArgs {
    #[command(subcommand)]
    pub(super) instead: Option<Instead>,

    /// A recordings file, or - for standard input; without it the topic is read
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Begin with the oldest exchange in the topic, which is what happens without --since too
    #[arg(long, env = "TRIBUTARY_FROM_BEGINNING", value_parser = BoolishValueParser::new())]
    from_beginning: bool,

    /// Begin with exchanges of this age (30m, 1h, 7d) or time (2026-01-31T12:00:00Z)
    ///
    /// By the time that Kafka keeps with a record. Where there is a checkpoint, it says where to begin.
    #[arg(long, env = "TRIBUTARY_SINCE", value_name = "WHEN")]
    since: Option<Since>,

    /// Stay, and rewrite the document when it changes, at most once a second; needs --out
    #[arg(long, env = "TRIBUTARY_FOLLOW", value_parser = BoolishValueParser::new())]
    follow: bool,

    /// Keep here what was read and learnt from the topic, and go on from there next time
    #[arg(long, env = "TRIBUTARY_CHECKPOINT", value_name = "FILE")]
    checkpoint: Option<PathBuf>,

    /// Where to write: a file (.json, .yaml, .yml), or a folder for one file per host; left out: standard output
    #[arg(long, short = 'o', env = "TRIBUTARY_OUT", value_name = "FILE|DIR")]
    out: Option<PathBuf>,

    /// A document (JSON or YAML) to extend; what is written in it stays as it is, contradictions are told
    #[arg(long, env = "TRIBUTARY_BASE", value_name = "SPEC")]
    pub(super) base: Option<PathBuf>,

    /// Schemas only, or observed examples too
    #[arg(long, env = "TRIBUTARY_MODE", value_name = "MODE", value_enum, default_value_t = ModeArg::Gen)]
    mode: ModeArg,

    /// Describe only this host; * stands for anything, without a port any port fits; repeatable, or joined by ","
    #[arg(long, env = "TRIBUTARY_HOST", value_name = "PATTERN", value_delimiter = ',')]
    pub(super) host: Vec<HostPattern>,

    /// How often something must have been seen before it is concluded: an enum, a format, a required parameter
    #[arg(
        long,
        env = "TRIBUTARY_MIN_EVIDENCE",
        value_name = "N",
        default_value_t = Settings::default().min_evidence,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    min_evidence: u32,

    /// The version of OpenAPI
    #[arg(long, env = "TRIBUTARY_OPENAPI", value_name = "VERSION", value_enum, default_value_t = VersionArg::V31)]
    openapi: VersionArg,

    /// The title of the document; left out: made from the host
    #[arg(long, env = "TRIBUTARY_TITLE", value_name = "TITLE")]
    title: Option<String>,

    /// Say on stderr why each template, enum and format was chosen, and what was left out
    #[arg(long, env = "TRIBUTARY_EXPLAIN", value_parser = BoolishValueParser::new())]
    pub(super) explain: bool,

    /// Leave out x-tributary: how often, when and with which statuses each operation was seen
    #[arg(long, env = "TRIBUTARY_NO_EVIDENCE", value_parser = BoolishValueParser::new())]
    no_evidence: bool,

    #[command(flatten)]
    pub(super) kafka: KafkaArgs,
}

/// What to do instead of writing a description.
#[derive(Debug, Subcommand)]
pub(super) enum Instead {
    // What it is for stands at its arguments.
    Diff(Box<DiffArgs>),
}

const EXAMPLES: &str = "\
Examples:
  tributary openapi recordings.jsonl --out openapi.yaml
  tributary openapi --brokers kafka:9092 --since 7d --host shop.example --out openapi.json --explain
  tributary openapi --follow --checkpoint shop.checkpoint --base shop.yaml --out openapi.json";

/// `--mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModeArg {
    /// Schemas
    Gen,
    /// Schemas and observed examples, for mock servers
    Replay,
}

/// `--openapi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum VersionArg {
    /// OpenAPI 3.0
    #[value(name = "3.0")]
    V30,
    /// OpenAPI 3.1
    #[value(name = "3.1")]
    V31,
}

/// How long ago, or when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// So many milliseconds ago.
    Ago(i64),
    /// Milliseconds since 1970.
    At(i64),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Since, String> {
        let allowed = || "it must be an age like 30m, 1h or 7d, or a time like 2026-01-31T12:00:00Z".to_owned();
        if let Ok(time) = text.parse::<Timestamp>() {
            return Ok(Since::At(time.as_millisecond()));
        }
        // A day is 24 hours here: there is no time zone in which it could be another.
        let duration = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
        let millis = duration.ok().and_then(|duration| i64::try_from(duration.as_millis()).ok());
        millis.filter(|millis| *millis > 0).map(Since::Ago).ok_or_else(allowed)
    }
}

impl Since {
    /// Where a reader begins.
    pub(super) fn start(self, now: Timestamp) -> Start {
        match self {
            Since::Ago(millis) => Start::Since(now.as_millisecond().saturating_sub(millis).max(0)),
            Since::At(millis) => Start::Since(millis.max(0)),
        }
    }
}

/// A pattern for hosts: `*` stands for anything; without a port it fits any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPattern {
    text: String,
    glob: Glob,
    has_port: bool,
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<HostPattern, String> {
        if text.is_empty() || text.contains(['/', '?', '#', '@', ' ']) {
            return Err("it must be a host like shop.example, *.example or localhost:3000".to_owned());
        }
        let text = text.to_ascii_lowercase();
        Ok(HostPattern { glob: Glob::of_host(&text), has_port: port_of(&text).is_some(), text })
    }
}

impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl HostPattern {
    /// Whether the host is one of those meant.
    pub(super) fn matches(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let name =
            port_of(&host).filter(|_| !self.has_port).and_then(|port| host.strip_suffix(port)?.strip_suffix(':'));
        self.glob.matches(name.unwrap_or(&host))
    }
}

/// What stands behind the last `:`, if it is a port and not a part of an IPv6 address.
fn port_of(host: &str) -> Option<&str> {
    let (name, port) = host.rsplit_once(':')?;
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*');
    (is_port && (!name.contains(':') || name.ends_with(']'))).then_some(port)
}

/// Where the exchanges come from.
#[derive(Debug)]
pub(super) enum Source<'a> {
    /// Lines.
    Lines(Input<'a>),
    /// The topic.
    Topic {
        /// Where to begin without a checkpoint.
        start: Start,
        /// Whether to stay at its end.
        until: Until,
    },
}

/// How long a topic is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// To where it ends at the beginning.
    End,
    /// Until the user stops it.
    Stopped,
}

impl OpenapiArgs {
    /// Where the exchanges come from.
    ///
    /// # Errors
    /// Arguments contradict each other.
    pub(super) fn source(&self, now: Timestamp) -> Result<Source<'_>, Failure> {
        let refused = |told: &str| Err(Failure::usage(anyhow!("{told}")));
        if let Some(file) = &self.file {
            let of_topic = [
                (self.from_beginning, "--from-beginning"),
                (self.since.is_some(), "--since"),
                (self.follow, "--follow"),
                (self.checkpoint.is_some(), "--checkpoint"),
            ];
            if let Some((_, flag)) = of_topic.iter().find(|(given, _)| *given) {
                return refused(&format!("{flag} is for the topic, and FILE is given: leave one of them out"));
            }
            return Ok(Source::Lines(Input::of(file)));
        }
        let start = match self.since {
            Some(_) if self.from_beginning => return refused("--from-beginning and --since: only one can be given"),
            Some(since) => since.start(now),
            None => Start::Beginning,
        };
        if self.follow && self.target()? == Target::Stdout {
            return refused("--follow rewrites the document: it needs --out with a file or a folder");
        }
        let until = if self.follow { Until::Stopped } else { Until::End };
        Ok(Source::Topic { start, until })
    }

    /// Where the documents go.
    ///
    /// # Errors
    /// `--out` is neither file nor folder.
    pub(super) fn target(&self) -> Result<Target, Failure> {
        Target::of(self.out.as_deref())
    }

    /// Where the checkpoint is, if there shall be one.
    pub(super) fn checkpoint(&self) -> Option<&std::path::Path> {
        self.checkpoint.as_deref()
    }

    /// How documents are written.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            version: match self.openapi {
                VersionArg::V30 => Version::V30,
                VersionArg::V31 => Version::V31,
            },
            title: self.title.clone(),
            mode: match self.mode {
                ModeArg::Gen => Mode::Gen,
                ModeArg::Replay => Mode::Replay,
            },
            min_evidence: self.min_evidence,
            evidence: !self.no_evidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        openapi: OpenapiArgs,
    }

    fn args(arguments: &[&str]) -> OpenapiArgs {
        Line::try_parse_from([&["openapi"], arguments].concat()).unwrap().openapi
    }

    fn refused(arguments: &[&str]) -> String {
        let failure = args(arguments).source(Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(failure.exit_code, 64);
        failure.error.unwrap().to_string()
    }

    #[test]
    fn topic_is_read_from_its_beginning_to_its_end_unless_told_otherwise() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let source = |arguments: &[&str]| match args(arguments).source(now).unwrap() {
            Source::Topic { start, until } => (start, until),
            Source::Lines(input) => panic!("{input:?}"),
        };
        let hours_ago = |hours: i64| Start::Since(now.as_millisecond() - hours * 3_600_000);

        assert_eq!(source(&[]), (Start::Beginning, Until::End));
        assert_eq!(source(&["--from-beginning"]), (Start::Beginning, Until::End));
        assert_eq!(source(&["--since", "1h"]), (hours_ago(1), Until::End));
        assert_eq!(source(&["--since", "7d", "--follow", "--out", "a.json"]), (hours_ago(7 * 24), Until::Stopped));
        assert_eq!(source(&["--since", "2026-01-31T10:00:00Z"]), (hours_ago(2), Until::End));
    }

    #[test]
    fn arguments_that_contradict_each_other_are_refused() {
        for flag in [&["--from-beginning"][..], &["--since", "1h"], &["--follow"], &["--checkpoint", "c"]] {
            let told = refused(&[&["a.jsonl"], flag].concat());

            assert_eq!(told, format!("{} is for the topic, and FILE is given: leave one of them out", flag[0]));
        }
        assert_eq!(
            refused(&["--from-beginning", "--since", "1h"]),
            "--from-beginning and --since: only one can be given"
        );
        assert!(refused(&["--follow"]).starts_with("--follow rewrites the document: it needs --out"));
        assert!(refused(&["--follow", "--out", "-"]).starts_with("--follow rewrites the document: it needs --out"));
    }

    #[test]
    fn age_has_a_unit_and_is_not_in_the_future() {
        for bad in ["1", "-1h", "0s", "soon", "", "1month", "2026-01-31"] {
            assert!(bad.parse::<Since>().unwrap_err().starts_with("it must be an age like 30m"), "{bad:?}");
        }
        assert_eq!("1h30m".parse(), Ok(Since::Ago(5_400_000)));
    }

    #[test]
    fn host_without_a_port_fits_any_port() {
        let matches = |pattern: &str, host: &str| pattern.parse::<HostPattern>().unwrap().matches(host);

        assert!(matches("shop.example", "shop.example") && matches("Shop.example", "shop.example:8080"));
        assert!(matches("*.example", "eu.shop.example:80") && matches("localhost:3000", "localhost:3000"));
        assert!(matches("localhost:*", "localhost:3000") && matches("[::1]", "[::1]:80") && matches("[::1]", "[::1]"));
        assert!(!matches("localhost:3000", "localhost:3001") && !matches("shop", "shop.example"));
        for bad in ["", "http://shop", "a b"] {
            assert!(bad.parse::<HostPattern>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn settings_are_those_of_the_crate_unless_told_otherwise() {
        assert_eq!(args(&[]).settings(), Settings::default());
        let told = ["--openapi", "3.0", "--mode", "replay", "--min-evidence", "9", "--title", "T", "--no-evidence"];
        let expected = Settings {
            version: Version::V30,
            title: Some("T".into()),
            mode: Mode::Replay,
            min_evidence: 9,
            evidence: false,
        };
        assert_eq!(args(&told).settings(), expected);
    }
}
