use super::*;

fn problems_in(path: &str, text: &str) -> Vec<String> {
    let here = machine_paths(Path::new("/srv/clone"), Some("/var/people/kim"));
    problems(&Text { path: path.to_owned(), text: text.to_owned() }, &here)
}

#[test]
fn clean_file_has_no_problems() {
    assert_eq!(problems_in("a/src/body.rs", "//! The body.\n\nfn len() {}\n"), [""; 0]);
    assert_eq!(problems_in("README.md", ""), [""; 0]);
}

#[test]
fn paths_of_a_machine_are_found() {
    let found = |line: &str| problems_in("a.sh", &format!("{line}\n")) == ["a.sh:1: path of somebody's machine"];

    assert!(found("cd /srv/clone"));
    assert!(found("cat \"/srv/clone/a\""));
    assert!(found("ls /var/people/kim/.cache"));
    assert!(found(concat!("ls /ho", "me/kim/x")));
    assert!(found(concat!("ls /Us", "ers/kim")));
    assert!(!found("cd /srv/clone-of-another"));
    assert!(!found("cd /mnt/srv/clone"));
    assert!(!found(concat!("ls /ho", "me/$NAME")));
}

#[test]
fn root_folder_as_home_is_not_a_path_of_a_machine() {
    assert_eq!(machine_paths(Path::new("/srv/clone"), Some("/")), ["/srv/clone"]);
    assert_eq!(machine_paths(Path::new("/srv/clone"), None), ["/srv/clone"]);
}

#[test]
fn odd_lines_are_found_with_their_numbers() {
    let text = format!("a \nb\r\n<<<<<<< ours\n# {}: later\nend", concat!("TO", "DO"));

    assert_eq!(
        problems_in("a.yaml", &text),
        [
            "a.yaml:1: white space at the end of the line",
            "a.yaml:2: white space at the end of the line",
            "a.yaml:3: mark of a merge conflict",
            "a.yaml:4: work left undone: make it an issue or do it now",
            "a.yaml:5: no line end at the end of the file",
        ]
    );
}

#[test]
fn rust_file_without_module_doc_is_found_unless_it_has_tests_only() {
    let missing = "a/src/b.rs:1: a file starts with //!: what it is, where it stands, what it promises";

    assert_eq!(problems_in("a/src/b.rs", "fn b() {}\n"), [missing]);
    assert_eq!(problems_in("a/src/b/tests.rs", "fn b() {}\n"), [""; 0]);
    assert_eq!(problems_in("a/tests/support/b.rs", "fn b() {}\n"), [""; 0]);
}

#[test]
fn file_one_line_too_long_is_found_and_its_tests_do_not_count() {
    let lines = |count: usize| "//!\n".repeat(count);

    assert_eq!(problems_in("a/src/b.rs", &lines(400)), [""; 0]);
    assert_eq!(problems_in("a/src/b.rs", &format!("{}#[cfg(test)]\n{}", lines(400), lines(400))), [""; 0]);
    assert_eq!(
        problems_in("a/src/b.rs", &lines(401)),
        ["a/src/b.rs:401: 401 lines, 400 are allowed: find the second idea and name it"]
    );
}

#[test]
fn names_that_say_nothing_and_tests_that_never_run_are_found() {
    let text = format!("//! B.\n#[ignore]\nfn {}_b() {{}}\n", "test");

    assert_eq!(
        problems_in("a/src/helpers.rs", &text),
        [
            "a/src/helpers.rs:1: a module is named for the thing in it",
            "a/src/helpers.rs:2: a test that never runs: repair it or delete it",
            "a/src/helpers.rs:3: a test is named as a sentence, without test in front",
        ]
    );
}

#[test]
fn filter_has_the_lints_of_the_workspace_though_it_cannot_inherit_them() {
    let workspace = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\na = \"warn\"\n\n[workspace.lints.clippy]\nb = \"deny\"\n[profile.dev]\nc = 1\n";
    let filter = "[lints.rust]\nunsafe_code = \"deny\"\na = \"warn\"\n# why\n[lints.clippy]\nb = \"deny\"\n";

    assert_eq!(lint_problem(workspace, filter), None);
    assert!(lint_problem(workspace, &filter.replace("b = ", "d = ")).is_some());
    assert!(lint_problem("", "").is_some());
}
