use super::*;

const GUIDE: &str = "# A guide\n\n## 3. The format (`http-types`)\n\n## Twice\n\n## Twice\n";

fn problems_of(readme: &str) -> Vec<String> {
    let texts = [("README.md", readme), ("docs/guide.md", GUIDE)];
    let texts = texts.map(|(path, text)| Text { path: path.to_owned(), text: text.to_owned() });
    let files = ["README.md", "docs/guide.md", "src/lib.rs"].map(PathBuf::from).into_iter().collect();
    look_at(&files, &documents(&texts)).problems
}

#[test]
fn links_to_files_folders_and_anchors_are_followed() {
    let readme = "# Tributary\n[a](docs/guide.md) [b](docs/) [c](./src/lib.rs) [d](#tributary)\n\
                  [e](docs/guide.md#3-the-format-http-types) [f](docs/guide.md#twice-1) [g](https://example.com/x)\n";

    assert_eq!(problems_of(readme), [""; 0]);
}

#[test]
fn link_to_nothing_is_found_with_its_line() {
    assert_eq!(problems_of("\n[a](docs/gone.md)\n"), ["README.md:2: link docs/gone.md: there is no docs/gone.md"]);
}

#[test]
fn link_to_a_heading_that_is_not_there_is_found() {
    let problems = problems_of("[a](docs/guide.md#twice-2) [b](#nowhere)\n[c](src/lib.rs#L1)\n");

    assert_eq!(
        problems,
        [
            "README.md:1: link docs/guide.md#twice-2: docs/guide.md has no heading #twice-2",
            "README.md:1: link #nowhere: README.md has no heading #nowhere",
            "README.md:2: link src/lib.rs#L1: anchors are for Markdown files only",
        ]
    );
}

#[test]
fn link_out_of_the_repository_is_found() {
    assert_eq!(problems_of("[a](../x.md)\n"), ["README.md:1: link ../x.md leads out of the repository"]);
}

#[test]
fn reference_definitions_are_links_too() {
    assert_eq!(problems_of("[guide]: gone.md\n"), ["README.md:1: link gone.md: there is no gone.md"]);
}

#[test]
fn code_is_not_looked_at() {
    let readme = "`[a](gone.md)`\n```\n[b](gone.md)\n| not a table\n```\n";

    assert_eq!(problems_of(readme), [""; 0]);
}

#[test]
fn code_block_without_end_is_found() {
    assert_eq!(problems_of("text\n```sh\ncurl\n"), ["README.md:2: code block without an end"]);
}

#[test]
fn whole_table_is_right() {
    assert_eq!(problems_of("| a | b |\n|---|:---:|\n| `x \\| y` | 2 |\n"), [""; 0]);
}

#[test]
fn broken_tables_are_found() {
    let problem = |table: &str| problems_of(table).join("; ");

    assert_eq!(
        problem("| a | b |\n| 1 | 2 |\n"),
        "README.md:1: table without a separator line |---| under its heading"
    );
    assert_eq!(problem("| a |\n|---|\n"), "README.md:1: table without rows");
    assert_eq!(problem("| a | b |\n|---|---|\n| 1 |\n"), "README.md:3: table row with 1 cells, the heading has 2");
    assert_eq!(problem("| a |\n|---|\n| 1\n"), "README.md:3: table row without | at its end");
}

#[test]
fn mark_belongs_to_the_table_that_follows_it() {
    let text = "<!-- settings: users -->\n\n| a |\n|---|\n| 1 |\n\n| b |\n|---|\n| 2 |\n";

    let marks = Document::parse(text).tables.into_iter().map(|table| table.mark).collect::<Vec<_>>();

    assert_eq!(marks, [Some("settings: users".to_owned()), None]);
}
