//! As much Markdown as the checks need: headings, links, tables, code blocks.
//!
//! Not a parser of all Markdown: our own files keep to headings with `#`, tables with outer `|`, fenced code.

use std::collections::BTreeSet;

/// What was found in one file.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The anchors of its headings, as the common hosts make them: `## 3. The format` is `3-the-format`.
    pub(super) anchors: BTreeSet<String>,
    pub(super) links: Vec<Link>,
    pub(super) tables: Vec<Table>,
    /// The line where a code block starts that does not end.
    pub(super) open_fence: Option<usize>,
}

/// One link or image, or the target of a reference.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Counted from 1.
    pub(super) line: usize,
    /// As it is written, without a title.
    pub(super) target: String,
}

/// Consecutive lines that start with `|`.
#[derive(Debug)]
pub(super) struct Table {
    /// The comment before it: `settings: tributary-collector` in `<!-- settings: tributary-collector -->`.
    pub(super) mark: Option<String>,
    /// Its lines with their numbers, counted from 1; heading and separator too.
    pub(super) lines: Vec<(usize, String)>,
}

impl Document {
    /// Reads a file.
    pub(super) fn parse(text: &str) -> Self {
        let mut document = Self::default();
        let mut mark = None;
        let mut in_table = false;
        for (line, number) in text.lines().zip(1..) {
            let is_fence = line.trim_start().starts_with("```");
            if is_fence {
                document.open_fence = if document.open_fence.is_some() { None } else { Some(number) };
            }
            if is_fence || document.open_fence.is_some() {
                continue;
            }
            match line.starts_with('|') {
                true if in_table => document.tables.iter_mut().last().into_iter().for_each(|t| t.push(number, line)),
                true => document.tables.push(Table { mark: mark.take(), lines: vec![(number, line.to_owned())] }),
                false => {}
            }
            in_table = line.starts_with('|');
            if let Some(comment) = line.trim().strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->")) {
                mark = Some(comment.trim().to_owned());
            } else if !line.trim().is_empty() {
                mark = None;
            }
            if let Some(heading) = heading(line) {
                document.add_anchor(heading);
            }
            let targets = link_targets(&without_code(line));
            document.links.extend(targets.into_iter().map(|target| Link { line: number, target }));
        }
        document
    }

    fn add_anchor(&mut self, heading: &str) {
        let base = anchor(heading);
        let mut numbered = (1..).map(|number| format!("{base}-{number}"));
        let mut free = base.clone();
        while self.anchors.contains(&free) {
            free = numbered.next().unwrap_or_default();
        }
        self.anchors.insert(free);
    }
}

impl Table {
    fn push(&mut self, number: usize, line: &str) {
        self.lines.push((number, line.to_owned()));
    }

    /// The cells of its heading.
    pub(super) fn heading(&self) -> Vec<String> {
        self.lines.first().map(|(_, line)| cells(line)).unwrap_or_default()
    }

    /// The rows below heading and separator, with their line numbers.
    pub(super) fn rows(&self) -> Vec<(usize, Vec<String>)> {
        self.lines.iter().skip(2).map(|(number, line)| (*number, cells(line))).collect()
    }

    /// The first thing that keeps it from being shown as a table, with its line.
    pub(super) fn problem(&self) -> Option<(usize, String)> {
        let (first, _) = self.lines.first()?;
        let columns = self.heading().len();
        let is_rule = |cell: &String| cell.trim_matches(':').chars().all(|c| c == '-') && cell.contains("---");
        match self.lines.get(1) {
            Some((_, separator)) if cells(separator).iter().all(is_rule) => {}
            _ => return Some((*first, "table without a separator line |---| under its heading".to_owned())),
        }
        if self.lines.len() == 2 {
            return Some((*first, "table without rows".to_owned()));
        }
        self.lines.iter().find_map(|(number, line)| {
            let own = cells(line).len();
            let text = line.trim_end();
            match text.ends_with('|') && !text.ends_with("\\|") {
                false => Some((*number, "table row without | at its end".to_owned())),
                true if own != columns => {
                    Some((*number, format!("table row with {own} cells, the heading has {columns}")))
                }
                true => None,
            }
        })
    }
}

/// The cells of a row, trimmed; `\|` does not divide.
fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().trim_start_matches('|');
    let mut cells = vec![String::new()];
    let mut characters = inner.chars().peekable();
    while let Some(character) = characters.next() {
        let last = cells.last_mut();
        match (character, last) {
            ('\\', Some(last)) if characters.peek() == Some(&'|') => last.extend(characters.next()),
            ('|', _) => cells.push(String::new()),
            (other, Some(last)) => last.push(other),
            (_, None) => {}
        }
    }
    if cells.last().is_some_and(|last| last.trim().is_empty()) {
        cells.pop();
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

fn heading(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    ((1..=6).contains(&level) && rest.starts_with(' ')).then(|| rest.trim().trim_end_matches('#').trim())
}

/// Lower case, words joined by `-`, other punctuation left out; a link counts with its text only.
fn anchor(heading: &str) -> String {
    let mut text = heading.to_owned();
    while let Some((before, rest)) = text.split_once("](")
        && let Some((_, after)) = rest.split_once(')')
    {
        text = format!("{before}{after}");
    }
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The line without its code spans.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

fn link_targets(line: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for after in line.split("](").skip(1) {
        let target = after.split(')').next().unwrap_or_default();
        targets.push(target.split_whitespace().next().unwrap_or_default().to_owned());
    }
    // `[name]: target` at the start of a line defines a reference.
    if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
        targets.extend(target.split_whitespace().next().map(str::to_owned));
    }
    targets
}
