//! What `tail` makes of one record: a line, or nothing, or a word on stderr.

use std::io::{self, Write};

use memchr::memchr2;
use tributary_http_types::{HttpExchange, ReadError, check_line};
use tributary_topic::Delivered;

use super::{
    filter::Filter,
    human::{Palette, human_line},
    repeats::Repeats,
};
use crate::terminal::push_visible;

/// How exchanges are printed.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    /// The line as it is.
    Json,
    /// For people.
    Human(Palette),
}

/// Prints records to `output`, and what is wrong with them to `errors`.
pub(crate) struct Printer<O, E> {
    output: O,
    errors: E,
    form: Form,
    filter: Filter,
    /// `None`: repeats are printed like all others.
    repeats: Option<Repeats>,
    printed: u64,
    skipped: u64,
    unflushed: bool,
}

impl<O: Write, E: Write> Printer<O, E> {
    pub(crate) fn new(output: O, errors: E, form: Form, filter: Filter) -> Printer<O, E> {
        Printer { output, errors, form, filter, repeats: None, printed: 0, skipped: 0, unflushed: false }
    }

    /// From now on drops exchanges that these have seen.
    pub(crate) fn dropping(mut self, repeats: Option<Repeats>) -> Printer<O, E> {
        self.repeats = repeats;
        self
    }

    /// Prints the names of the columns.
    pub(crate) fn heading(&mut self, heading: &str) -> io::Result<()> {
        self.unflushed = true;
        writeln!(self.output, "{heading}")
    }

    /// Prints the exchange in the record if the filter admits it; a record that is none is told on stderr.
    pub(crate) fn print(&mut self, delivered: &Delivered) -> io::Result<()> {
        match self.line(delivered) {
            Ok(Some(_)) if self.repeats.as_mut().is_some_and(|repeats| repeats.is_repeat(&delivered.value)) => Ok(()),
            Ok(Some(line)) => {
                self.printed += 1;
                self.unflushed = true;
                self.output.write_all(&line)
            }
            Ok(None) => Ok(()),
            Err(reason) => {
                self.skipped += 1;
                let mut text = String::new();
                push_visible(&mut text, &reason);
                let (partition, offset) = (delivered.partition, delivered.offset);
                // What cannot be told on stderr can be told nowhere; it is counted.
                let _ = writeln!(self.errors, "tributary: partition {partition} offset {offset}: {text}");
                Ok(())
            }
        }
    }

    /// The line to print; `None`: not admitted. An error is the reason why the record is no exchange.
    fn line(&self, delivered: &Delivered) -> Result<Option<Vec<u8>>, String> {
        let value = delivered.value.strip_suffix(b"\n").unwrap_or(&delivered.value);
        if value.is_empty() {
            return Err("the record is empty".to_owned());
        }
        let told = |error: ReadError| error.to_string();
        match &self.form {
            Form::Json => {
                // Legal JSON, but it would come out as several lines.
                if memchr2(b'\n', b'\r', value).is_some() {
                    return Err("the record holds a line break".to_owned());
                }
                let admitted = match self.filter.is_empty() {
                    true => check_line(value).map(|_| true),
                    false => HttpExchange::from_line(value).map(|exchange| self.filter.admits(&exchange)),
                };
                Ok(admitted.map_err(told)?.then(|| [value, b"\n"].concat()))
            }
            Form::Human(palette) => {
                let exchange = HttpExchange::from_line(value).map_err(told)?;
                let line = || human_line(&exchange, delivered.timestamp_millis, palette).into_bytes();
                Ok(self.filter.admits(&exchange).then(line))
            }
        }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.unflushed = false;
        self.output.flush()
    }

    /// Whether something was printed since the last flush.
    pub(crate) fn is_unflushed(&self) -> bool {
        self.unflushed
    }

    /// How many exchanges were printed.
    pub(crate) fn printed(&self) -> u64 {
        self.printed
    }

    /// How many records are no exchanges.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How many repeats were dropped; `None`: they are printed.
    pub(crate) fn repeats(&self) -> Option<u64> {
        self.repeats.as_ref().map(Repeats::dropped)
    }

    pub(crate) fn output(&self) -> &O {
        &self.output
    }
}

#[cfg(test)]
mod tests {
    use tributary_http_types::Method;

    use super::*;

    fn record(offset: i64, value: &str) -> Delivered {
        let value = value.as_bytes().to_vec();
        Delivered { partition: 2, offset, timestamp_millis: Some(0), key: None, value, headers: vec![] }
    }

    fn printed(form: Form, filter: Filter, values: &[&str]) -> (String, String, [u64; 2]) {
        let mut printer = Printer::new(Vec::new(), Vec::new(), form, filter);
        for (offset, value) in (7..).zip(values) {
            printer.print(&record(offset, value)).unwrap();
        }
        let counts = [printer.printed(), printer.skipped()];
        (String::from_utf8(printer.output).unwrap(), String::from_utf8(printer.errors).unwrap(), counts)
    }

    const GET: &str = r#"{"request":{"method":"get", "host":"a","path":"/x"},"response":{"statusCode":200}}"#;
    const POST: &str = r#"{ "request":{"method":"post","host":"a","path":"/x"}}"#;

    #[test]
    fn json_form_is_the_line_as_it_is() {
        let (output, errors, counts) = printed(Form::Json, Filter::default(), &[GET, &format!("{POST}\n")]);

        assert_eq!((output, errors, counts), (format!("{GET}\n{POST}\n"), String::new(), [2, 0]));
    }

    #[test]
    fn human_form_takes_the_time_of_kafka_where_the_line_has_none() {
        let (output, ..) = printed(Form::Human(Palette::plain()), Filter::default(), &[GET]);

        assert_eq!(output, "1970-01-01T00:00:00.000Z GET     200          -       -       - a/x\n");
    }

    /// A key that serde_json's parser uses for itself is a key like any other in what others wrote.
    #[test]
    fn line_with_a_note_of_the_parser_is_printed_like_any_other() {
        let note = r#"{"$serde_json::private::RawValue":"no JSON {"}"#;
        let values = [
            format!(r#"{{"request":{{"method":"get","host":"a","path":"/x","headers":{note},"query":{note}}}}}"#),
            format!(
                r#"{{"request":{{"method":"get","host":"a","path":"/x","body":"{}"}}}}"#,
                note.replace('"', "\\\"")
            ),
            format!(r#"{{"request":{{"method":"get","host":"a","path":"/x"}},"meta":{{"note":{note}}}}}"#),
            format!(r#"{{"request":{{"method":"get","host":"a","path":"/x"}},"meta":{{"responseTrailers":{note}}}}}"#),
            format!(r#"{{"request":{{"method":"get","host":"a","path":"/x"}},"meta":{note}}}"#),
        ];
        let filter = || Filter { methods: vec![Method::Get], ..Filter::default() };

        for value in values {
            for filter in [Filter::default(), filter()] {
                let (json, errors, _) = printed(Form::Json, filter, &[&value]);
                assert_eq!((json, errors), (format!("{value}\n"), String::new()));
            }
            let (human, errors, _) = printed(Form::Human(Palette::plain()), filter(), &[&value]);
            assert!(human.contains(" a/x") && errors.is_empty(), "{human}{errors}");
        }
    }

    #[test]
    fn filter_holds_in_both_forms() {
        let filter = || Filter { methods: vec![Method::Post], ..Filter::default() };

        let (json, _, counts) = printed(Form::Json, filter(), &[GET, POST]);
        let (human, ..) = printed(Form::Human(Palette::plain()), filter(), &[GET, POST]);

        assert_eq!((json, counts), (format!("{POST}\n"), [1, 0]));
        assert_eq!(human.lines().count(), 1);
    }

    #[test]
    fn repeats_are_dropped_where_that_is_asked_for() {
        let numbered = |seq: u64| {
            format!(r#"{{"request":{{"method":"get","host":"a","path":"/x"}},"meta":{{"source":"a","seq":{seq}}}}}"#)
        };
        let mut printer =
            Printer::new(Vec::new(), Vec::new(), Form::Json, Filter::default()).dropping(Some(Repeats::default()));

        for seq in [0, 1, 0, 2, 1] {
            printer.print(&record(0, &numbered(seq))).unwrap();
        }

        assert_eq!((printer.printed(), printer.repeats()), (3, Some(2)));
        assert_eq!(String::from_utf8(printer.output).unwrap().lines().count(), 3);
    }

    #[test]
    fn record_that_is_no_exchange_is_told_and_skipped() {
        let values = ["", "{", GET, "{\"request\":\n{\"method\":\"get\"}}", r#"{"request":{"method":"\u001b[2J"}}"#];

        let (output, errors, counts) = printed(Form::Json, Filter::default(), &values);

        let expected = [
            "tributary: partition 2 offset 7: the record is empty",
            "tributary: partition 2 offset 8: not JSON: EOF while parsing an object at column 1",
            "tributary: partition 2 offset 10: the record holds a line break",
        ];
        assert_eq!((output, counts), (format!("{GET}\n"), [1, 4]));
        assert_eq!(errors.lines().take(3).collect::<Vec<_>>(), expected);
        assert!(errors.lines().last().unwrap().starts_with("tributary: partition 2 offset 11: request.method: "));
        assert!(!errors.contains('\x1b'));
    }
}
