use super::*;

fn read(pieces: &[&str]) -> Tally {
    let mut results = Results::default();
    pieces.iter().for_each(|piece| results.read(piece.as_bytes()));
    results.tally()
}

#[test]
fn counts_of_all_runners_add_up() {
    let output = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\n\
                  test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.00s\n\
                  test result: ok. 40 passed; 0 failed; 2 ignored; 0 filtered out; finished in 0.01s\n";

    assert_eq!(read(&[output]), Tally { passed: 41, failed: 1 });
}

#[test]
fn line_cut_anywhere_counts_once() {
    let line = "test result: ok. 12 passed; 0 failed; 0 ignored\n";

    for cut in 0..=line.len() {
        let (left, right) = line.split_at(cut);
        assert_eq!(read(&[left, right]), Tally { passed: 12, failed: 0 }, "cut at {cut}");
    }
}

#[test]
fn last_line_without_line_end_counts() {
    assert_eq!(read(&["test result: ok. 3 passed; 0 failed"]), Tally { passed: 3, failed: 0 });
}

#[test]
fn coloured_line_counts() {
    let line = "test result: \u{1b}[32mok\u{1b}[0m. 7 passed; 2 failed; 0 ignored\n";

    assert_eq!(read(&[line]), Tally { passed: 7, failed: 2 });
}

#[test]
fn other_lines_do_not_count() {
    assert_eq!(read(&["9 passed, 1 failed\nno tests to run!\ntest result: unknown\n"]), Tally::default());
}

#[test]
fn total_stands_in_the_form_that_is_promised() {
    assert_eq!(Tally { passed: 12, failed: 3 }.to_string(), "12 passed, 3 failed");
}

#[test]
fn check_is_made_of_the_fast_stages_only() {
    let plan = Plan::check();

    assert!(plan.stages.iter().all(|stage| stage.fast));
    assert!(!plan.needs_parts());
}

#[test]
fn word_that_names_a_stage_runs_that_stage_whole() {
    let plan = Plan::test(&["fmt".to_owned()]).unwrap();

    assert_eq!(plan.stages.iter().map(|stage| stage.name).collect::<Vec<_>>(), ["fmt"]);
    assert_eq!(plan.filter, None);
}

#[test]
fn other_word_narrows_the_tests_of_all_stages_that_have_some() {
    let plan = Plan::test(&["http3".to_owned()]).unwrap();

    assert_eq!(plan.stages.iter().map(|stage| stage.name).collect::<Vec<_>>(), ["unit", "unit-wasm", "e2e"]);
    assert_eq!(plan.filter.as_deref(), Some("http3"));
}

#[test]
fn stage_and_word_narrow_the_tests_of_one_stage() {
    let plan = Plan::test(&["e2e".to_owned(), "http3".to_owned()]).unwrap();

    assert_eq!(plan.stages.iter().map(|stage| stage.name).collect::<Vec<_>>(), ["e2e"]);
    assert_eq!(plan.filter.as_deref(), Some("http3"));
}

#[test]
fn words_that_fit_no_stage_are_refused() {
    let refused = |words: &[&str]| {
        let words = words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        Plan::test(&words).unwrap_err().to_string()
    };

    assert!(refused(&["http3", "e2e"]).starts_with("no stage http3: "));
    assert_eq!(refused(&["fmt", "http3"]), "stage fmt has no tests to choose from");
    assert_eq!(refused(&["e2e", "http3", "more"]), "a stage and a test name at most");
}

#[test]
fn stage_with_tests_that_ran_none_has_failed() {
    let stage = Stage {
        name: "empty",
        about: "",
        fast: true,
        needs_parts: false,
        work: Work::Tests { prepare: || Ok(Vec::new()), runners: |_| Ok(vec![Command::new("true")]) },
    };

    assert_eq!(stage.run(None).unwrap_err().to_string(), "no test ran");
    assert_eq!(stage.run(Some("name")).unwrap(), Tally::default());
}

#[test]
fn runner_that_dies_without_a_word_counts_as_failed() {
    let stage = Stage {
        name: "dies",
        about: "",
        fast: true,
        needs_parts: false,
        work: Work::Tests { prepare: || Ok(Vec::new()), runners: |_| Ok(vec![Command::new("false")]) },
    };

    assert_eq!(stage.run(None).unwrap(), Tally { passed: 0, failed: 1 });
}

#[test]
fn findings_count_what_is_right_and_what_is_not() {
    let mut findings = Findings::default();
    findings.add(None);
    findings.add(Some("README.md:1: broken".to_owned()));
    findings.add(None);

    assert_eq!(findings.tally(), Tally { passed: 2, failed: 1 });
}
