//! What `send` tells: progress on a terminal, each line that was not delivered, and the sum.

use std::{
    fmt::Display,
    io::{self, Write},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use super::delivery::Outcome;
use crate::terminal::{notice, push_visible};

/// Counts and tells what becomes of the lines of one input.
pub(crate) struct Report {
    input: String,
    bar: ProgressBar,
    begun: Instant,
    delivered: u64,
    delivered_bytes: u64,
    not_delivered: u64,
    blank: u64,
    /// The last line that was tried.
    last_line: u64,
    /// Whether lines behind it were left out, or may have been.
    cut_short: bool,
}

impl Report {
    /// `size`: bytes of the input, if they are known. Progress is shown if stderr is a terminal.
    pub(crate) fn new(input: String, size: Option<u64>) -> Report {
        let (bar, template) = match size {
            Some(bytes) => {
                (ProgressBar::new(bytes), "{bar:30} {percent:>3}%  {msg}  {binary_bytes_per_sec}, {eta} left")
            }
            None => (ProgressBar::new_spinner(), "{spinner} {msg}  {binary_bytes_per_sec}"),
        };
        // A wrong template would be a fault of ours; then the default bar serves.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Report {
            input,
            bar,
            begun: Instant::now(),
            delivered: 0,
            delivered_bytes: 0,
            not_delivered: 0,
            blank: 0,
            last_line: 0,
            cut_short: false,
        }
    }

    /// Lines that are no exchanges.
    pub(crate) fn refused(&mut self, refused: Vec<(u64, String)>) {
        for (line, reason) in refused {
            self.not_delivered(line, &reason);
        }
    }

    /// A batch was sent. `last_line`: the last line in it that was not blank.
    pub(crate) fn sent(&mut self, outcome: Outcome, blank: u64, last_line: Option<u64>, read_bytes: u64) {
        self.delivered += outcome.delivered;
        self.delivered_bytes += outcome.delivered_bytes;
        self.blank += blank;
        self.last_line = last_line.unwrap_or(0).max(self.last_line);
        for (line, error) in outcome.failed {
            self.not_delivered(line, &error);
        }
        self.bar.set_position(read_bytes);
        self.bar.set_message(format!("{} delivered, {} not", self.delivered, self.not_delivered));
    }

    /// The input could not be read to its end.
    pub(crate) fn input_failed(&mut self, error: &io::Error) {
        self.tell(&format!("{}: cannot be read behind line {}: {error}", self.input, self.last_line));
        self.cut_short = true;
    }

    /// No further batch will be tried. `more`: there are, or may be, lines behind the last one.
    pub(crate) fn stopped(&mut self, more: bool) {
        if more {
            self.tell(&format!("{}: the lines behind line {} were not sent", self.input, self.last_line));
            self.cut_short = true;
        }
    }

    /// Prints the sum on stdout.
    pub(crate) fn finish(&self, topic: &str, brokers: &str) {
        self.bar.finish_and_clear();
        // Nobody reads it: then nobody misses it; the exit code tells the verdict.
        let _ = writeln!(io::stdout(), "{}", self.sum(topic, brokers, self.begun.elapsed()));
    }

    fn sum(&self, topic: &str, brokers: &str, took: Duration) -> String {
        let blank = match self.blank {
            0 => String::new(),
            blank => format!(", {blank} blank"),
        };
        format!(
            "{} delivered to {topic} at {brokers}, {} not delivered{blank}; {} in {:.1} s",
            self.delivered,
            self.not_delivered,
            indicatif::BinaryBytes(self.delivered_bytes),
            took.as_secs_f64()
        )
    }

    /// Whether every line was delivered.
    pub(crate) fn is_complete(&self) -> bool {
        self.not_delivered == 0 && !self.cut_short
    }

    fn not_delivered(&mut self, line: u64, reason: &dyn Display) {
        self.not_delivered += 1;
        self.tell(&format!("{}:{line}: {reason}", self.input));
    }

    /// On stderr, above the progress bar.
    fn tell(&self, text: &str) {
        let mut visible = String::new();
        push_visible(&mut visible, text);
        self.bar.suspend(|| notice(&visible));
    }
}

#[cfg(test)]
mod tests {
    use tributary_topic::RecordError;

    use super::*;

    fn report() -> Report {
        Report::new("recordings.jsonl".into(), None)
    }

    fn outcome(delivered: u64, failed: Vec<(u64, RecordError)>) -> Outcome {
        Outcome { delivered, delivered_bytes: delivered * 1024, failed, given_up: false }
    }

    #[test]
    fn sum_counts_every_line_once() {
        let mut report = report();

        report.refused(vec![(3, "not JSON".into())]);
        report.sent(outcome(2, vec![(4, RecordError::TooLarge { bytes: 9 })]), 1, Some(4), 100);
        report.sent(outcome(1, vec![]), 0, Some(6), 150);

        let sum = report.sum("http_recordings", "localhost:9092", Duration::from_millis(250));
        assert_eq!(
            sum,
            "3 delivered to http_recordings at localhost:9092, 2 not delivered, 1 blank; 3.00 KiB in 0.2 s"
        );
        assert!(!report.is_complete());
    }

    #[test]
    fn input_without_lines_is_complete() {
        let report = report();

        assert_eq!(report.sum("t", "b", Duration::ZERO), "0 delivered to t at b, 0 not delivered; 0 B in 0.0 s");
        assert!(report.is_complete());
    }

    #[test]
    fn lines_left_out_make_it_incomplete() {
        let (mut stopped, mut failed, mut at_end) = (report(), report(), report());

        stopped.stopped(true);
        failed.input_failed(&io::Error::other("broken disk"));
        at_end.stopped(false);

        assert_eq!([&stopped, &failed, &at_end].map(Report::is_complete), [false, false, true]);
    }
}
