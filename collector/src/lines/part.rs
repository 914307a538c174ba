//! A text of a line that delivery needs: nearly always it stands in the line as it is, and then its place is enough.

/// Where a text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// In the line: its first byte, and how many there are.
    At(usize, usize),
    /// Apart: the line has it with escapes, or was written anew.
    Apart(Box<[u8]>),
}

impl Part {
    /// The place of `text` in `line`, if it is a piece of it, else a copy.
    pub(super) fn of(text: &str, line: &[u8]) -> Part {
        let begin = text.as_ptr().addr().checked_sub(line.as_ptr().addr());
        match begin.filter(|begin| begin.saturating_add(text.len()) <= line.len()) {
            Some(begin) => Part::At(begin, text.len()),
            None => Part::from(text),
        }
    }

    /// The text.
    pub(super) fn text<'t>(&'t self, line: &'t [u8]) -> &'t [u8] {
        match self {
            Part::At(begin, len) => line.get(*begin..begin.saturating_add(*len)).unwrap_or_default(),
            Part::Apart(text) => text,
        }
    }

    /// Makes it independent of the line.
    pub(super) fn part_from(&mut self, line: &[u8]) {
        if matches!(self, Part::At(..)) {
            *self = Part::Apart(self.text(line).into());
        }
    }
}

impl From<&str> for Part {
    fn from(text: &str) -> Part {
        Part::Apart(text.as_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_of_the_line_is_a_place_in_it_and_another_text_a_copy() {
        let line = r#"{"id":"ab"}"#;

        let (inside, outside) = (Part::of(&line[7..9], line.as_bytes()), Part::of("ab", line.as_bytes()));

        assert_eq!((&inside, &outside), (&Part::At(7, 2), &Part::from("ab")));
        assert_eq!(inside.text(line.as_bytes()), b"ab");
        assert_eq!(outside.text(line.as_bytes()), b"ab");
    }

    #[test]
    fn a_part_survives_its_line() {
        let mut part = Part::At(1, 2);

        part.part_from(b"xaby");

        assert_eq!(part.text(b""), b"ab");
    }
}
