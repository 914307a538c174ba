//! Prints the exchanges as they come out: the real `tributary tail` does it for a topic, a few lines here for a file.

use std::{
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tributary_testbed::{
    process::{Launch, Process, Scratch},
    recordings::{Line, Recordings},
};

use crate::parts::{Parts, Sink};

/// How often the parts are looked after, and a file for new lines.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The first exchanges are printed in this time.
const PRINTED_WITHIN: Duration = Duration::from_secs(30);

/// What prints.
pub(crate) struct Show {
    source: Source,
}

enum Source {
    /// `tributary tail`, and what it says.
    Tail { lines: Lines<BufReader<tokio::process::ChildStdout>>, process: Process, _scratch: Scratch },
    /// The file, and how many of its lines are printed.
    File { recordings: Recordings, printed: usize },
}

impl Show {
    /// Begins with the next exchange.
    pub(crate) async fn start(parts: &Parts) -> Result<Show> {
        let source = match parts.target() {
            Sink::Topic { kafka, topic } => tail(kafka.brokers(), topic)?,
            Sink::File(path) => {
                let mut recordings = Recordings::of_file(path);
                let printed = recordings.read().await?.len();
                Source::File { recordings, printed }
            }
        };
        Ok(Show { source })
    }

    /// Prints the next `count` exchanges.
    ///
    /// # Errors
    /// They do not come, or a part has ended.
    pub(crate) async fn next(&mut self, count: usize, parts: &Parts) -> Result<()> {
        let printed = async {
            for _ in 0..count {
                self.one(parts).await?;
            }
            Ok(())
        };
        tokio::time::timeout(PRINTED_WITHIN, printed).await.context("the exchanges do not come out")?
    }

    /// Prints until something ends.
    ///
    /// # Errors
    /// A part has ended by itself, or `tributary tail` has.
    pub(crate) async fn forever(&mut self, parts: &Parts) -> Result<()> {
        loop {
            self.one(parts).await?;
        }
    }

    async fn one(&mut self, parts: &Parts) -> Result<()> {
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            let line = match &mut self.source {
                Source::Tail { lines, process, .. } => tokio::select! {
                    line = lines.next_line() => match line.context("read from tributary tail")? {
                        Some(line) => Some(line),
                        None => bail!(process.with_log(anyhow::anyhow!("tributary tail has ended"))),
                    },
                    _ = look.tick() => None,
                },
                Source::File { recordings, printed } => {
                    look.tick().await;
                    let lines = recordings.read().await?;
                    ensure!(lines.len() >= *printed, "the file was cut");
                    let line = lines.get(*printed).map(shown).transpose()?;
                    *printed += usize::from(line.is_some());
                    line
                }
            };
            match line {
                // A closed pipe (`demo | head`) is an end, not a panic.
                Some(line) => return writeln!(std::io::stdout(), "{line}").context("print"),
                None => parts.all_run()?,
            }
        }
    }
}

/// `tributary tail` on this topic, its output in our hands, so that it comes between our own words at the right place.
fn tail(brokers: &str, topic: &str) -> Result<Source> {
    let scratch = Scratch::new("tail")?;
    let color = if std::io::stdout().is_terminal() { "always" } else { "never" };
    let launch = Launch::new("tributary tail", xtask::parts::binary("tributary")).args([
        "tail",
        "--from-beginning",
        "--brokers",
        brokers,
        "--topic",
        topic,
        "--color",
        color,
    ]);
    let (process, output) = launch.start_piped(&scratch.log("tail"))?;
    let output = tokio::process::ChildStdout::from_std(output).context("read from tributary tail")?;
    Ok(Source::Tail { lines: BufReader::new(output).lines(), process, _scratch: scratch })
}

/// A line of the file as a person reads it: `2020-02-28T10:39:28.833Z  POST  200  /users`.
fn shown(line: &Line) -> Result<String> {
    let exchange = line.exchange()?;
    let request = &exchange.request;
    let time = request.timestamp.map(|time| time.to_string()).unwrap_or_default();
    let status = exchange.response.as_ref().map_or("---".to_owned(), |response| response.status_code.to_string());
    let method = request.method.as_str().to_uppercase();
    // Quoted: what traffic can choose must not reach the terminal as control characters.
    let path = request.path.as_deref().unwrap_or_default().escape_debug();
    Ok(format!("{time}  {method:7} {status:3}  {}{path}", request.host.as_deref().unwrap_or_default().escape_debug()))
}
