//! The docs check: every relative link and anchor leads somewhere, every table is whole.
//!
//! Links to other sites are not followed: nothing here needs the network.

mod generated;
mod markdown;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use crate::repository::{self, Text};
use crate::stages::Findings;
use markdown::Document;

pub(crate) use settings::look as look_at_settings;

/// Looks at all Markdown files.
///
/// # Errors
/// The files cannot be listed or read.
pub(crate) fn look() -> Result<Findings> {
    let files = repository::paths()?.into_iter().collect::<BTreeSet<_>>();
    let texts = repository::texts()?;
    Ok(look_at(&files, &documents(&texts)))
}

fn documents(texts: &[Text]) -> BTreeMap<PathBuf, Document> {
    let markdown = texts.iter().filter(|text| text.is("md"));
    markdown.map(|text| (PathBuf::from(&text.path), Document::parse(&text.text))).collect()
}

fn look_at(files: &BTreeSet<PathBuf>, documents: &BTreeMap<PathBuf, Document>) -> Findings {
    let mut findings = Findings::default();
    for (path, document) in documents {
        for link in &document.links {
            let problem = follow(path, &link.target, files, documents).err();
            findings.add(problem.map(|problem| format!("{}:{}: {problem}", path.display(), link.line)));
        }
        for table in &document.tables {
            let problem = table.problem();
            findings.add(problem.map(|(line, problem)| format!("{}:{line}: {problem}", path.display())));
        }
        let fence = document.open_fence.map(|line| format!("{}:{line}: code block without an end", path.display()));
        findings.add(fence);
    }
    findings
}

/// Whether a link leads to a file or folder of the repository and to an anchor in it.
fn follow(
    from: &Path,
    target: &str,
    files: &BTreeSet<PathBuf>,
    documents: &BTreeMap<PathBuf, Document>,
) -> Result<(), String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(());
    }
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let place = match file {
        "" => from.to_path_buf(),
        file => resolve(from, file).ok_or_else(|| format!("link {target} leads out of the repository"))?,
    };
    let is_folder = place.as_os_str().is_empty() || files.iter().any(|other| other.starts_with(&place));
    if !files.contains(&place) && !is_folder {
        return Err(format!("link {target}: there is no {}", place.display()));
    }
    let Some(anchor) = anchor else { return Ok(()) };
    match documents.get(&place) {
        Some(document) if document.anchors.contains(anchor) => Ok(()),
        Some(_) => Err(format!("link {target}: {} has no heading #{anchor}", place.display())),
        // Lines of code, `file.rs#L10`: they move, nobody notices.
        None => Err(format!("link {target}: anchors are for Markdown files only")),
    }
}

/// The path from the root of the repository that a relative link in `from` means.
fn resolve(from: &Path, link: &str) -> Option<PathBuf> {
    let mut place = from.parent().unwrap_or(Path::new("")).to_path_buf();
    for part in Path::new(link).components() {
        match part {
            Component::Normal(name) => place.push(name),
            Component::CurDir => {}
            Component::ParentDir if place.pop() => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(place)
}

#[cfg(test)]
mod tests;
