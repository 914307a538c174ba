//! What comes of the lines: learnt from, or skipped and told.

use tributary_http_types::HttpExchange;
use tributary_openapi::{Learner, Reason};

use super::progress::Progress;

/// All that was learnt, and what was not.
#[derive(Debug, Default)]
pub(super) struct Study {
    /// What was learnt.
    pub(super) learner: Learner,
    /// Lines and records that are no exchanges.
    pub(super) skipped: u64,
}

impl Study {
    /// Learns from a line. One that is no exchange is told with its place, and counted; a blank line is nothing, nor is
    /// the empty record that marks a deleted key in a compacted topic.
    pub(super) fn take(&mut self, line: &[u8], progress: &Progress, place: impl FnOnce() -> String) {
        if line.trim_ascii().is_empty() {
            return;
        }
        match HttpExchange::from_line(line) {
            Ok(exchange) => {
                self.learner.learn(&exchange);
            }
            Err(error) => self.skip(&error.to_string(), progress, place),
        }
    }

    /// Counts a line that is no exchange, and tells why.
    pub(super) fn skip(&mut self, reason: &str, progress: &Progress, place: impl FnOnce() -> String) {
        self.skipped += 1;
        progress.tell(&format!("{}: {reason}; skipped", place()));
    }

    /// Whether nothing at all was read that is an exchange.
    pub(super) fn has_no_exchange(&self) -> bool {
        let account = self.learner.account();
        account.learnt == 0 && account.repeated == 0 && account.left_out.is_empty()
    }

    /// What became of everything that was read: `a.jsonl: 12 exchanges learnt from, 2 repeated, 1 skipped`.
    pub(super) fn told(&self, name: &str) -> String {
        let account = self.learner.account();
        let left_out = Reason::ALL.iter().filter_map(|reason| {
            let count = *account.left_out.get(reason)?;
            Some((count, reason.as_str()))
        });
        let counts = [(account.repeated, "repeated")].into_iter().chain(left_out);
        let counts = counts.chain([(self.skipped, "skipped because they are no exchanges")]);
        let rest = counts.filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}"));
        match self.has_no_exchange() && self.skipped == 0 {
            true => format!("{name}: empty, so the document is empty too"),
            false => format!("{name}: {} exchanges learnt from{}", account.learnt, rest.collect::<String>()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATED: &str =
        r#"{"request":{"method":"post","host":"a","path":"/x"},"response":{"statusCode":201},"meta":{"id":"s-1"}}"#;
    const UNANSWERED: &str = r#"{"request":{"method":"get","host":"a","path":"/x"}}"#;

    fn study(lines: &[&str]) -> Study {
        let (mut study, progress) = (Study::default(), Progress::of_bytes(None));
        for (line, number) in lines.iter().zip(1..) {
            study.take(line.as_bytes(), &progress, || format!("a.jsonl:{number}"));
        }
        study
    }

    #[test]
    fn each_line_is_counted_once() {
        let study = study(&[CREATED, "", CREATED, "no json", " \r", UNANSWERED]);

        assert_eq!(study.skipped, 1);
        assert_eq!(
            study.told("a.jsonl"),
            "a.jsonl: 1 exchanges learnt from, 1 repeated, 1 without a response, 1 skipped because they are no exchanges"
        );
    }

    #[test]
    fn empty_input_says_so() {
        assert_eq!(study(&["", "  "]).told("a.jsonl"), "a.jsonl: empty, so the document is empty too");
    }
}
