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
/// line break. `false`: it is not written so, and [`check_line`](crate::check_line) has to judge it. What both take they
/// take alike. Such a line nests at most [`OWN_LINE_DEPTH`] levels.
///
/// What was found stands in `checked`, and nothing of the line before: give the same one with each line of a post, and its lists
/// need no new room. After `false` it is of no use but for the next line.
pub fn check_own_line<'a>(line: &'a [u8], checked: &mut CheckedLine<'a>) -> bool {
    checked.clear();
    taken(line, checked).is_some()
}

fn taken<'a>(line: &'a [u8], checked: &mut CheckedLine<'a>) -> Option<()> {
    let mut line = Cursor::new(std::str::from_utf8(line).ok()?);
    line.take(r#"{"request":"#)?;
    request(&mut line, checked)?;
    if line.takes(r#","response":"#) {
        response(&mut line, &mut checked.response)?;
    }
    line.take(r#","meta":"#)?;
    meta(&mut line, checked)?;
    line.take("}")?;
    line.takes("\n");
    line.is_at_end().then_some(())
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
    let texts = &mut checked.request;
    fields(line, &mut texts.headers)?;
    line.take(r#","body":"#)?;
    texts.body = Some(line.string()?);
    if line.takes(r#","path":"#) {
        texts.path = Some(line.string()?);
    }
    line.take(r#","pathname":"#)?;
    texts.pathname = Some(line.string()?);
    line.take(r#","query":"#)?;
    fields(line, &mut texts.query)?;
    line.take("}")
}

fn response<'a>(line: &mut Cursor<'a>, texts: &mut CheckedTexts<'a>) -> Option<()> {
    line.take(r#"{"timestamp":"#)?;
    line.timestamp()?;
    line.take(r#","statusCode":"#)?;
    (100..=999).contains(&line.number()?).then_some(())?;
    line.take(r#","headers":"#)?;
    fields(line, &mut texts.headers)?;
    line.take(r#","body":"#)?;
    texts.body = Some(line.string()?);
    line.take("}")
}

/// Names that stand once, each with a text or several.
fn fields<'a>(line: &mut Cursor<'a>, fields: &mut CheckedFields<'a>) -> Option<()> {
    line.take("{")?;
    if line.takes("}") {
        return Some(());
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
            return line.take("}");
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
    let mut facts = META_FACTS.iter().skip(3);
    while line.takes(",") {
        let key = line.string()?;
        line.take(":")?;
        let (kind, text) = loop {
            let (known, kind) = facts.next()?;
            let text = if *kind == FactKind::Text { texts.next() } else { None };
            if *known == key {
                break (kind, text);
            }
        };
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
