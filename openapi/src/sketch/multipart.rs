//! The parts of a `multipart/form-data` body (RFC 7578), as far as it was kept as text.

/// One part: a field, or a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// A field with its value; `None` if the value was cut.
    Field(&'a str, Option<&'a str>),
    /// A file.
    File(&'a str),
}

/// The parts, in order; those without a name are left out.
pub(crate) fn parts<'a>(body: &'a str, boundary: &str) -> Vec<Part<'a>> {
    if boundary.is_empty() {
        return Vec::new();
    }
    let delimiter = format!("--{boundary}");
    let mut rest = body.split(delimiter.as_str()).skip(1).peekable();
    let mut parts = Vec::new();
    while let Some(part) = rest.next() {
        let is_whole = rest.peek().is_some();
        let Some((head, value)) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n")) else { continue };
        let Some(disposition) = head.lines().find_map(disposition) else { continue };
        let Some(name) = quoted(disposition, "name=") else { continue };
        parts.push(match quoted(disposition, "filename=") {
            Some(_) => Part::File(name),
            None => Part::Field(name, is_whole.then(|| value.trim_end_matches(['\r', '\n']))),
        });
    }
    parts
}

fn disposition(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
}

/// The value of a parameter: `name="x"`, not that of `filename="x"`.
fn quoted<'a>(disposition: &'a str, name: &str) -> Option<&'a str> {
    disposition
        .split(';')
        .find_map(|parameter| parameter.trim().strip_prefix(name))
        .map(|value| value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nHello\r\n--b\r\n\
        content-disposition: form-data; name=\"photo\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\nPNG\r\n--b--\r\n";

    #[test]
    fn fields_and_files_are_told_apart() {
        assert_eq!(parts(BODY, "b"), [Part::Field("title", Some("Hello")), Part::File("photo")]);
    }

    #[test]
    fn a_cut_value_is_not_taken() {
        let cut = BODY.get(..BODY.find("llo").unwrap()).unwrap();

        assert_eq!(parts(cut, "b"), [Part::Field("title", None)]);
        assert_eq!(parts(BODY, ""), []);
        assert_eq!(parts("nothing", "b"), []);
    }
}
