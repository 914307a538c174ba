//! `multipart/form-data` and its kin: parts that are fields, each judged by its name, else by its own content type.

use std::ops::Range;

use percent_encoding::percent_decode;

use crate::{
    body::{Kind, parameter},
    encoding::name_decoded,
    json::Syntax,
    masker::{End, Masker},
    names::Field,
};

/// The longest boundary that is believed (RFC 2046 §5.1.1 allows 70).
const MOST_BOUNDARY: usize = 200;

impl Masker<'_, '_> {
    /// The whole source as parts between boundaries; without a known boundary the first line has it.
    /// [`Syntax::Broken`]: there is no part at all.
    pub(crate) fn multipart(&mut self, boundary: Option<&[u8]>, end: End) -> Syntax {
        let first_line = self.source.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
        let stated = boundary.map(|boundary| [b"--", boundary].concat());
        let delimiter = match stated.as_deref().filter(|stated| find(self.source, stated, 0).is_some()) {
            Some(stated) => stated,
            None => first_line,
        };
        if delimiter.len() < 3 || delimiter.len() > MOST_BOUNDARY || !delimiter.starts_with(b"--") {
            return Syntax::Broken;
        }
        let Some(mut start) = find(self.source, delimiter, 0) else { return Syntax::Broken };
        // What stands before the first boundary is for nobody, and scanned.
        self.scan(0..start, End::Whole);
        loop {
            start = start.saturating_add(delimiter.len());
            let next = find(self.source, delimiter, start);
            let stop = next.unwrap_or(self.source.len());
            self.part(start..stop, if next.is_none() { end } else { End::Whole });
            match next {
                Some(next) => start = next,
                None => return Syntax::Json,
            }
        }
    }

    /// Headers, an empty line, content, and the line break before the next boundary.
    fn part(&mut self, place: Range<usize>, end: End) {
        let part = self.at(&place);
        let (head_len, content_start) = match (find(part, b"\r\n\r\n", 0), find(part, b"\n\n", 0)) {
            (Some(crlf), lf) if lf.is_none_or(|lf| crlf < lf) => (crlf, crlf.saturating_add(4)),
            (_, Some(lf)) => (lf, lf.saturating_add(2)),
            // Cut inside the headers, or the end of all parts.
            _ => return self.scan(place, end),
        };
        let head = part.get(..head_len).unwrap_or_default();
        let content = part.get(content_start..).unwrap_or_default();
        let content_len = match content {
            [content @ .., b'\r', b'\n'] | [content @ .., b'\n'] if end == End::Whole => content.len(),
            content => content.len(),
        };
        self.headers_of_part(place.start..place.start.saturating_add(head_len));
        let start = place.start.saturating_add(content_start);
        let content_place = start..start.saturating_add(content_len);
        let content = self.at(&content_place);
        let name = header(head, b"content-disposition").and_then(field_name);
        let is_secret = name.is_some_and(|name| self.rules.names.judge(&name, Field::Form).masks(content.len()));
        if is_secret {
            return self.mask(content_place, content);
        }
        match header(head, b"content-type").map(Kind::of) {
            Some(Kind::Form) => self.pairs(content_place, Field::Form, end),
            _ => self.value(content_place, end),
        }
    }

    /// A part has headers as a message has.
    fn headers_of_part(&mut self, place: Range<usize>) {
        let mut start = place.start;
        for line in self.at(&place).split_inclusive(|byte| *byte == b'\n') {
            let line_place = start..start.saturating_add(line.len());
            start = line_place.end;
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (name, value) = line.split_at(colon);
            let name = name.trim_ascii().to_ascii_lowercase();
            if !self.rules.names.judge(&name, Field::Header).masks(value.len()) {
                self.scan(line_place, End::Whole);
                continue;
            }
            let value = value.get(1..).unwrap_or_default();
            let end = line_place.end.saturating_sub(value.len().saturating_sub(value.trim_ascii_end().len()));
            let value = value.trim_ascii();
            self.mask(end.saturating_sub(value.len())..end, value);
        }
    }
}

/// The value of a header of a part.
fn header<'h>(head: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (found, value) = line.split_at(colon);
        found.trim_ascii().eq_ignore_ascii_case(name).then(|| value.get(1..).unwrap_or_default().trim_ascii())
    })
}

/// `form-data; name="password"`, or `name*=UTF-8''pass%77ord`.
fn field_name(disposition: &[u8]) -> Option<Vec<u8>> {
    if let Some(name) = parameter(disposition, b"name") {
        return Some(name_decoded(name).into_owned());
    }
    let name = parameter(disposition, b"name*")?;
    let value = name.rsplit(|byte| *byte == b'\'').next()?;
    Some(percent_decode(value).collect())
}

/// Where `part` begins in `text`, from `from` on. Boundaries begin with dashes, which are rare enough to look at each.
fn find(text: &[u8], part: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    let found = rest.windows(part.len().max(1)).position(|window| window == part)?;
    Some(from.saturating_add(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{masker::Style, redactor::Redactor};

    fn masked(body: &str, boundary: Option<&str>, end: End) -> String {
        let rules = Redactor::default();
        let mut masker = Masker::new(&rules, body.as_bytes(), Style::Words);
        masker.multipart(boundary.map(str::as_bytes), end);
        masker.finish().map_or(body.to_owned(), |masked| String::from_utf8(masked.bytes).unwrap())
    }

    fn body(fields: &[(&str, &str)]) -> String {
        let parts = fields
            .iter()
            .map(|(head, content)| format!("--X\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n"));
        parts.collect::<String>() + "--X--\r\n"
    }

    #[test]
    fn fields_are_judged_by_their_names() {
        let given = [
            ("name=\"user\"", "kimmo"),
            ("name=\"password\"", "s3cret\r\nwith lines"),
            ("name=api_key", "s3cret"),
            ("name*=UTF-8''pass%77ord", "s3cret"),
            ("name=\"note\"", "token=x"),
            ("name=\"doc\"; filename=\"a.json\"\r\nContent-Type: application/json", r#"{"token":"x"}"#),
            ("name=\"password\"", ""),
        ];
        let expected = [
            (given[0].0, "kimmo"),
            (given[1].0, "[redacted]"),
            (given[2].0, "[redacted]"),
            (given[3].0, "[redacted]"),
            (given[4].0, "token=[redacted]"),
            (given[5].0, r#"{"token":"[redacted]"}"#),
            (given[6].0, ""),
        ];

        for boundary in [Some("X"), Some("wrong"), None] {
            assert_eq!(masked(&body(&given), boundary, End::Whole), body(&expected));
        }
    }

    #[test]
    fn headers_of_a_part_are_headers() {
        let given =
            body(&[("name=\"a\"\r\nX-Auth-Token: s3cret\r\nX-Note: x", "b"), ("filename=\"Bearer abcdefghij1\"", "c")]);
        let expected = given.replace("s3cret", "[redacted]").replace("abcdefghij1", "[redacted]");

        assert_eq!(masked(&given, Some("X"), End::Whole), expected);
        assert_eq!(masked(&expected, Some("X"), End::Whole), expected);
    }

    #[test]
    fn a_part_that_was_cut_is_masked_up_to_the_cut() {
        let given = "--X\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\ns3cr";

        assert_eq!(masked(given, Some("X"), End::Cut), given.replace("s3cr", "[redacted]"));
        assert_eq!(masked("--X\r\nContent-Dispo", Some("X"), End::Cut), "--X\r\nContent-Dispo");
    }

    #[test]
    fn lines_may_end_without_a_carriage_return() {
        let given = body(&[("name=\"token\"", "s3cret")]).replace("\r\n", "\n");

        assert_eq!(masked(&given, Some("X"), End::Whole), given.replace("s3cret", "[redacted]"));
    }
}
