//! Which loads are posted to whom.

use std::path::PathBuf;

use anyhow::Result;

use super::{posts::Coding, subject::Subject};

/// The most connections of any case.
pub(super) const MOST_CONNECTIONS: usize = 64;

/// Connections where they are not what is varied.
const CONNECTIONS: usize = 8;

/// One load, and who gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Case {
    /// What is varied, if it is not the size of the post or the number of connections.
    varied: Option<&'static str>,
    /// Lines of each post.
    pub(super) lines_a_post: u64,
    /// How many post at a time.
    pub(super) connections: usize,
    /// Name of the variant that the others are set in relation to.
    pub(super) baseline: String,
    /// Who gets it.
    pub(super) variants: Vec<Variant>,
}

/// Who gets a load, and how it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variant {
    /// Its name in the case.
    pub(super) name: String,
    /// The program.
    pub(super) subject: Subject,
    /// How the posts are compressed.
    pub(super) coding: Coding,
}

/// The cases in which the builds given are compared, or all there are.
///
/// # Errors
/// A build is no file.
pub(super) fn chosen(builds: &[PathBuf], quick: bool) -> Result<Vec<Case>> {
    if builds.is_empty() {
        return Ok(cases(quick));
    }
    let mut subjects = vec![Subject::Floor];
    subjects.extend(Subject::builds(builds)?);
    Ok([100, 1000].map(|lines| Case::of(lines, CONNECTIONS, &subjects)).to_vec())
}

/// The cases of a whole run, or those of the budgets.
pub(super) fn cases(quick: bool) -> Vec<Case> {
    const ALL: [Subject; 6] = [
        Subject::Floor,
        Subject::FloorSameRecords,
        Subject::Ours,
        Subject::OursFilterOnly,
        Subject::NodePost,
        Subject::NodeLine,
    ];
    const FEW: [Subject; 4] = [Subject::Floor, Subject::FloorSameRecords, Subject::Ours, Subject::OursFilterOnly];
    if quick {
        return [100, 1000].map(|lines| Case::of(lines, CONNECTIONS, &ALL)).to_vec();
    }
    let mut cases = [1, 10, 100, 1000].map(|lines| Case::of(lines, CONNECTIONS, &ALL)).to_vec();
    cases.extend([1, MOST_CONNECTIONS].map(|connections| Case::of(100, connections, &FEW)));
    cases.push(Case::varying(
        "coding",
        "plain",
        [
            ("plain", Subject::Ours, Coding::Plain),
            ("gzip", Subject::Ours, Coding::Gzip),
            ("zstd", Subject::Ours, Coding::Zstd),
        ],
    ));
    cases.push(Case::varying(
        "sink",
        "Kafka",
        [
            ("Kafka", Subject::Ours, Coding::Plain),
            ("file", Subject::OursToFile, Coding::Plain),
            ("spool", Subject::OursToSpool, Coding::Plain),
        ],
    ));
    cases
}

impl Case {
    fn of(lines_a_post: u64, connections: usize, subjects: &[Subject]) -> Case {
        let coding = Coding::Plain;
        let variant = |subject: &Subject| Variant { name: subject.name().to_owned(), subject: subject.clone(), coding };
        let variants = subjects.iter().map(variant).collect();
        Case { varied: None, lines_a_post, connections, baseline: Subject::Floor.name().to_owned(), variants }
    }

    fn varying<const N: usize>(
        varied: &'static str,
        baseline: &'static str,
        variants: [(&'static str, Subject, Coding); N],
    ) -> Case {
        let variants = variants.map(|(name, subject, coding)| Variant { name: name.to_owned(), subject, coding });
        let (variants, baseline) = (variants.to_vec(), baseline.to_owned());
        Case { varied: Some(varied), lines_a_post: 100, connections: CONNECTIONS, baseline, variants }
    }

    /// Its name, which the table of budgets knows: `100 a post, 8 connections`.
    pub(super) fn name(&self) -> String {
        let connections = match self.connections {
            1 => "1 connection".to_owned(),
            many => format!("{many} connections"),
        };
        let varied = self.varied.map(|varied| format!(", by {varied}")).unwrap_or_default();
        format!("{} a post, {connections}{varied}", self.lines_a_post)
    }
}

impl Variant {
    /// How many lines a turn posts to it, by what it can do in about a second.
    pub(super) fn lines(&self, lines_a_post: u64) -> u64 {
        match (&self.subject, lines_a_post) {
            (Subject::NodeLine, 1) => 800,
            (Subject::NodeLine, _) => 1_600,
            (Subject::NodePost, 1) => 800,
            (Subject::NodePost, 10) => 6_400,
            (Subject::NodePost, _) => 16_000,
            (_, 1) => 8_000,
            (_, 10) => 40_000,
            (_, _) => 64_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::BUDGETS;

    #[test]
    fn the_quick_cases_are_among_the_whole_and_are_those_of_the_budgets() {
        let (quick, whole) = (cases(true), cases(false));

        assert!(quick.iter().all(|case| whole.contains(case)));
        for budget in BUDGETS.iter().filter(|budget| budget.area == "collector" && budget.case != "whole run") {
            let case = quick.iter().find(|case| case.name() == budget.case).unwrap();
            assert!(case.variants.iter().any(|variant| variant.name == budget.variant), "{budget:?}");
        }
    }

    #[test]
    fn builds_stand_beside_the_floor_each_under_a_name_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            path
        };

        let cases = chosen(&[file("a"), file("deep/a"), file("floor")], true).unwrap();

        for case in &cases {
            let names: Vec<&str> = case.variants.iter().map(|variant| variant.name.as_str()).collect();
            assert_eq!(names, ["floor", "a", "a (2)", "floor (3)"]);
            assert_eq!(case.baseline, "floor");
        }
        let error = chosen(&[folder.path().join("none")], true).unwrap_err();
        assert!(format!("{error:#}").starts_with("--collector "), "{error:#}");
    }

    #[test]
    fn each_case_has_its_baseline_and_a_name_of_its_own() {
        let cases = cases(false);

        for case in &cases {
            assert!(case.variants.iter().any(|variant| variant.name == case.baseline), "{case:?}");
            assert!(case.connections <= MOST_CONNECTIONS);
            assert_eq!(cases.iter().filter(|other| other.name() == case.name()).count(), 1);
        }
    }
}
