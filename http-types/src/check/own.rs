//! Lines as our own writer writes them, checked in one pass: nearly all lines that a collector gets.
//!
//! It knows that form and no other: keys in the writer's order, no spaces, times as the writer has them. Of any other line it
//! says nothing, good or bad, and the general reader judges; of one that it takes, both say the same (a property test).

use super::{CheckedLine, CheckedTexts};
use crate::{FactKind, META_FACTS, Method, check::facts::is_place, fields::CheckedFields};

use cursor::Cursor;

mod cursor;

/// Levels of nesting that a line of this form has at most.
pub const OWN_LINE_DEPTH: usize = 4;

/// The most names that are compared with each other; an object of more is left to the general reader.
const MOST_NAMES: usize = 64;

/// Checks a line that is written as [`ExchangeRef::write_line`](crate::ExchangeRef::write_line) does it, with or without its
/// line break. `None`: it is not written so, and [`check_line`](crate::check_line) has to judge it. What both take they
/// take alike. Such a line nests at most [`OWN_LINE_DEPTH`] levels.
pub fn check_own_line(line: &[u8]) -> Option<CheckedLine<'_>> {
    let mut line = Cursor::new(std::str::from_utf8(line).ok()?);
    let mut checked = CheckedLine::default();
    line.take(r#"{"request":"#)?;
    request(&mut line, &mut checked)?;
    if line.takes(r#","response":"#) {
        checked.response = response(&mut line)?;
    }
    line.take(r#","meta":"#)?;
    meta(&mut line, &mut checked)?;
    line.take("}")?;
    line.takes("\n");
    line.is_at_end().then_some(checked)
}

fn request<'a>(line: &mut Cursor<'a>, checked: &mut CheckedLine<'a>) -> Option<()> {
    line.take(r#"{"timestamp":"#)?;
    line.timestamp()?;
    line.take(r#","method":"#)?;
    let method = line.string()?;
    Method::ALL.iter().find(|known| known.as_str() == method)?;
    line.take(r#","protocol":"http"#)?;
    line.takes("s");
    line.take(r#"","host":"#)?;
    checked.host = Some(line.string()?);
    line.take(r#","headers":"#)?;
    let mut texts = CheckedTexts { headers: fields(line)?, ..CheckedTexts::default() };
    line.take(r#","body":"#)?;
    texts.body = Some(line.string()?);
    if line.takes(r#","path":"#) {
        texts.path = Some(line.string()?);
    }
    line.take(r#","pathname":"#)?;
    texts.pathname = Some(line.string()?);
    line.take(r#","query":"#)?;
    texts.query = fields(line)?;
    line.take("}")?;
    checked.request = texts;
    Some(())
}

fn response<'a>(line: &mut Cursor<'a>) -> Option<CheckedTexts<'a>> {
    line.take(r#"{"timestamp":"#)?;
    line.timestamp()?;
    line.take(r#","statusCode":"#)?;
    (100..=999).contains(&line.number()?).then_some(())?;
    line.take(r#","headers":"#)?;
    let headers = fields(line)?;
    line.take(r#","body":"#)?;
    let body = Some(line.string()?);
    line.take("}")?;
    Some(CheckedTexts { headers, body, ..CheckedTexts::default() })
}

/// Names that stand once, each with a text or several.
fn fields<'a>(line: &mut Cursor<'a>) -> Option<CheckedFields<'a>> {
    let mut fields = CheckedFields::default();
    line.take("{")?;
    if line.takes("}") {
        return Some(fields);
    }
    loop {
        fields.add_name(line.string()?, MOST_NAMES)?;
        line.take(":")?;
        if line.takes("[") {
            loop {
                fields.add_value(line.string()?);
                if !line.takes(",") {
                    break line.take("]")?;
                }
            }
        } else {
            fields.add_value(line.string()?);
        }
        if !line.takes(",") {
            line.take("}")?;
            return Some(fields);
        }
    }
}

/// The facts that our filter always writes, then those that it writes if it has them. Trailers are left to the general reader.
fn meta<'a>(line: &mut Cursor<'a>, checked: &mut CheckedLine<'a>) -> Option<()> {
    line.take(r#"{"id":"#)?;
    checked.id = Some(line.string()?);
    line.take(r#","source":"#)?;
    checked.source = Some(line.string()?);
    line.take(r#","seq":"#)?;
    checked.seq = Some(line.number()?);
    let mut texts = checked.meta_texts.iter_mut();
    for (key, kind) in META_FACTS.iter().skip(3) {
        let text = if *kind == FactKind::Text { texts.next() } else { None };
        if !line.takes_key(key) {
            continue;
        }
        match kind {
            FactKind::Text => *text? = Some(line.string()?),
            FactKind::Number => line.number_or_share()?,
            FactKind::Body => checked.has_base64_body |= body_facts(line)?,
            FactKind::Counts => counts(line)?,
            FactKind::Identity | FactKind::Trailers => return None,
        }
    }
    line.take("}")
}

/// Whether it has bytes in base64.
fn body_facts(line: &mut Cursor<'_>) -> Option<bool> {
    line.take(r#"{"bytes":"#)?;
    line.number()?;
    line.take(r#","kept":"#)?;
    line.number()?;
    line.take(r#","truncated":"#)?;
    if !line.takes("true") {
        line.take("false")?;
    }
    let has_base64 = line.takes(r#","base64":"#);
    if has_base64 {
        line.string()?;
    }
    line.take("}")?;
    Some(has_base64)
}

/// Numbers under names of places, each of which stands once.
fn counts(line: &mut Cursor<'_>) -> Option<()> {
    let mut places = CheckedFields::default();
    line.take("{")?;
    loop {
        let place = line.string()?;
        is_place(&place).then_some(())?;
        places.add_name(place, MOST_NAMES)?;
        line.take(":")?;
        line.number()?;
        if !line.takes(",") {
            return line.take("}");
        }
    }
}

#[cfg(test)]
mod tests;
