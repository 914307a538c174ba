//! Where names and values stand in a text: how far each reaches, and what lies between them.

use std::ops::Range;

use super::MOST_NAME;

/// How far a gap between a name and its value is followed.
const MOST_GAP: usize = 256;

/// Behind white space and comments, as JSON5 and code have them.
pub(super) fn behind_gap(text: &[u8], from: usize) -> usize {
    let stop = from.saturating_add(MOST_GAP).min(text.len());
    let mut at = from;
    while let Some(rest) = text.get(at..stop) {
        let gap = match rest {
            [byte, ..] if byte.is_ascii_whitespace() => 1,
            rest => comment_len(rest),
        };
        if gap == 0 {
            break;
        }
        at = at.saturating_add(gap);
    }
    at
}

/// The length of the comment that begins here, `// …` with its line end or `/* … */`; 0: there is none, or no end of it.
pub(crate) fn comment_len(text: &[u8]) -> usize {
    match text {
        [b'/', b'/', comment @ ..] => {
            comment.iter().position(|byte| *byte == b'\n').map_or(0, |len| len.saturating_add(3))
        }
        [b'/', b'*', comment @ ..] => {
            comment.windows(2).position(|two| two == b"*/").map_or(0, |len| len.saturating_add(4))
        }
        _ => 0,
    }
}

/// The name before ` =`, with or without its type: `password = …`, `$password: String! = …`.
pub(super) fn spaced_name(text: &[u8], at: usize, start: usize) -> Option<Range<usize>> {
    let start = start.max(at.saturating_sub(MOST_NAME));
    let before = text.get(start..at)?.trim_ascii_end();
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.$".contains(byte) || !byte.is_ascii();
    let is_type = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.$![]<>?".contains(byte);
    let type_len = before.iter().rev().take_while(is_type).count();
    let typed = before.get(..before.len().saturating_sub(type_len))?.trim_ascii_end();
    let name = typed.strip_suffix(b":").map_or(before, <[u8]>::trim_ascii_end);
    let len = name.iter().rev().take_while(is_name).count();
    let end = start.saturating_add(name.len());
    (len > 0).then(|| end.saturating_sub(len)..end)
}

/// The place of a value: between quotes, or up to what ends one in queries, forms, cookies and lines.
pub(super) fn value_behind(text: &[u8], start: usize) -> Range<usize> {
    let rest = text.get(start..).unwrap_or_default();
    let (quote_len, len) = match rest {
        // A block text of GraphQL: quotes may stand in it.
        [b'"', b'"', b'"', value @ ..] => (3, value.windows(3).position(|three| three == b"\"\"\"")),
        [b'\\', b'"', b'\\', b'"', b'\\', b'"', value @ ..] => {
            (6, value.windows(6).position(|six| six == b"\\\"\\\"\\\""))
        }
        [b'\\', b'"', value @ ..] => (2, value.windows(2).position(|two| two == b"\\\"")),
        [quote @ (b'"' | b'\''), value @ ..] => (1, unescaped(value, *quote)),
        value => (0, value.iter().position(|byte| ends_url(*byte) || matches!(byte, b'&' | b';' | b'#'))),
    };
    let len = len.unwrap_or(rest.len().saturating_sub(quote_len));
    let start = start.saturating_add(quote_len);
    start..start.saturating_add(len)
}

pub(super) fn byte_before(text: &[u8], at: usize, start: usize) -> Option<u8> {
    let before = at.checked_sub(1).filter(|before| *before >= start)?;
    text.get(before).copied()
}

fn unescaped(text: &[u8], quote: u8) -> Option<usize> {
    let mut is_escaped = false;
    text.iter().position(|byte| {
        let ends = *byte == quote && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        ends
    })
}

pub(super) fn ends_url(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"\"'<>\\`".contains(&byte)
}

pub(super) fn is_numeric(byte: &u8) -> bool {
    byte.is_ascii_digit() || b"+-.eE".contains(byte)
}

/// The name between quotes before `at`; `None`: there is no quote.
pub(super) fn quoted_name(text: &[u8], at: usize, start: usize) -> Option<Range<usize>> {
    let start = start.max(at.saturating_sub(MOST_NAME));
    let before = text.get(start..at)?;
    let (quote, inside) = before.split_last().filter(|(quote, _)| matches!(quote, b'"' | b'\''))?;
    let open = inside.iter().rposition(|byte| byte == quote)?;
    let name = inside.get(open.saturating_add(1)..)?;
    // `\"name\"`: the second backslash is none of the name.
    let escape = usize::from(name.ends_with(b"\\"));
    let from = start.saturating_add(open).saturating_add(1);
    Some(from..from.saturating_add(name.len()).saturating_sub(escape))
}

/// The length of a value that is one word and the rest of a line which the name begins: prose has more words.
pub(super) fn line_of_one_word(text: &[u8], name: usize, start: usize, rest: &[u8]) -> Option<usize> {
    let before = text.get(start..name)?;
    let indent = before.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t' | b'-')).count();
    let line_start = before.len().checked_sub(indent)?;
    if line_start > 0 && before.get(line_start.saturating_sub(1)) != Some(&b'\n') {
        return None;
    }
    let len = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
    let behind = rest.get(len..)?;
    let ends_line = behind.is_empty() || behind.starts_with(b"\n") || behind.starts_with(b"\r\n");
    (len > 0 && ends_line).then_some(len)
}
