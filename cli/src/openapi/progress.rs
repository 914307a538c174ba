//! What is told on stderr while exchanges are read: how far it is, on a terminal, and what is wrong with a line.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::terminal::{notice, push_visible};

/// How often the display is refreshed.
const REFRESH_EVERY: Duration = Duration::from_millis(200);

/// How far reading is; gone from the terminal when it is dropped.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Of an input of so many bytes, if that is known.
    pub(super) fn of_bytes(bytes: Option<u64>) -> Progress {
        Progress::new(
            bytes,
            "{bar:30} {percent:>3}%  {msg}  {binary_bytes_per_sec}, {eta} left",
            "{binary_bytes_per_sec}",
        )
    }

    /// Of so many records of a topic; `None` where it has no end.
    pub(super) fn of_records(records: Option<u64>) -> Progress {
        Progress::new(records, "{bar:30} {percent:>3}%  {msg}  {per_sec}, {eta} left", "{per_sec}")
    }

    fn new(total: Option<u64>, bounded: &str, rate: &str) -> Progress {
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total), bounded.to_owned()),
            None => (ProgressBar::new_spinner(), format!("{{spinner}} {{msg}}  {rate}")),
        };
        // A wrong template would be a fault of ours; then the default bar serves.
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(REFRESH_EVERY);
        Progress(bar)
    }

    /// So much is read, and this came of it.
    pub(super) fn is_at(&self, position: u64, learnt: u64) {
        self.0.set_position(position);
        self.0.set_message(format!("{learnt} exchanges"));
    }

    /// Tells something, above the display.
    pub(super) fn tell(&self, text: &str) {
        let mut visible = String::new();
        push_visible(&mut visible, text);
        self.0.suspend(|| notice(&visible));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
