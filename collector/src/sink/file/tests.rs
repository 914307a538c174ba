use super::*;
use std::fs;
use std::io::Write as _;

const GOOD: &str = r#"{"request":{"method":"get"}}"#;

fn exchange(line: &str) -> Exchange {
    let line = Bytes::copy_from_slice(line.as_bytes());
    Exchange { number: 1, line, id: None, source: None, seq: None, host: None, replayed: false, has_packed_body: false }
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

async fn stored(sink: &FileSink, exchanges: &[Exchange]) -> Vec<Verdict> {
    sink.store(exchanges, &[]).await.verdicts
}

/// What the file holds after a sink was opened on `before`, and what lies beside it.
fn repaired(before: &str) -> (String, Option<String>) {
    let directory = directory();
    let path = directory.path().join("exchanges.jsonl");
    fs::write(&path, before).expect("written");

    drop(FileSink::open(&path).expect("it opens"));

    let torn = fs::read_to_string(directory.path().join("exchanges.jsonl.torn")).ok();
    (fs::read_to_string(&path).expect("readable"), torn)
}

#[tokio::test]
async fn exchanges_are_in_the_file_when_they_count_as_stored() {
    let directory = directory();
    let path = directory.path().join("exchanges.jsonl");
    let sink = FileSink::open(&path).expect("it opens");

    let verdicts = stored(&sink, &[exchange("one"), exchange("two")]).await;

    assert_eq!(verdicts, [Verdict::Stored, Verdict::Stored]);
    assert_eq!(fs::read_to_string(&path).expect("readable"), "one\ntwo\n");
    assert_eq!(sink.queued_bytes(), 0);
}

#[tokio::test]
async fn posts_at_the_same_time_are_all_stored_whole() {
    let directory = directory();
    let path = directory.path().join("exchanges.jsonl");
    let sink = Arc::new(FileSink::open(&path).expect("it opens"));

    let posts: Vec<_> = (0..200)
        .map(|n| {
            let sink = Arc::clone(&sink);
            tokio::spawn(
                async move { stored(&sink, &[exchange(&format!("{n} a")), exchange(&format!("{n} b"))]).await },
            )
        })
        .collect();
    for post in posts {
        assert_eq!(post.await.expect("no panic"), vec![Verdict::Stored; 2]);
    }

    let text = fs::read_to_string(&path).expect("readable");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 400);
    for n in 0..200 {
        let at = lines.iter().position(|line| *line == format!("{n} a")).expect("the first line");
        assert_eq!(lines[at + 1], format!("{n} b"));
    }
}

#[tokio::test]
async fn a_file_is_appended_to_at_the_next_start() {
    let directory = directory();
    let path = directory.path().join("exchanges.jsonl");
    for line in ["one", "two"] {
        let sink = FileSink::open(&path).expect("it opens");
        stored(&sink, &[exchange(line)]).await;
        sink.close(Duration::from_secs(5)).await;
    }

    assert_eq!(fs::read_to_string(&path).expect("readable"), "one\ntwo\n");
}

#[tokio::test]
async fn accounts_lie_in_a_file_beside_it() {
    let directory = directory();
    let path = directory.path().join("exchanges.jsonl");
    let sink = FileSink::open(&path).expect("it opens");
    let account = |line| Account::for_test("ab", line);

    let with_lines = sink.store(&[exchange("one")], &[account("1")]).await;
    let alone = sink.store(&[], &[account("2"), account("3")]).await;

    assert_eq!(with_lines, Stored { verdicts: vec![Verdict::Stored], accounts: true });
    assert_eq!(alone, Stored { verdicts: vec![], accounts: true });
    assert_eq!(fs::read_to_string(&path).expect("readable"), "one\n");
    let accounts = directory.path().join("exchanges.jsonl.accounts");
    assert_eq!(fs::read_to_string(accounts).expect("readable"), "1\n2\n3\n");
}

#[tokio::test]
async fn accounts_that_cannot_be_written_keep_no_line_from_the_file() {
    let directory = directory();
    let path = directory.path().join("exchanges.jsonl");
    let sink = FileSink::open(&path).expect("it opens");
    let accounts = directory.path().join("exchanges.jsonl.accounts");
    fs::remove_file(&accounts).expect("removed");
    fs::create_dir(&accounts).expect("a directory in its place");

    let outcome = sink.store(&[exchange("one")], &[Account::for_test("ab", "1")]).await;

    assert_eq!(outcome, Stored { verdicts: vec![Verdict::Stored], accounts: false });
    let Condition { degraded, warnings, .. } = sink.condition();
    assert_eq!((degraded.len(), warnings.len()), (0, 1));
    fs::remove_dir(&accounts).expect("removed");
    assert!(sink.store(&[], &[Account::for_test("ab", "1")]).await.accounts);
    assert_eq!(sink.condition(), Condition::default());
}

#[test]
fn a_whole_file_is_left_as_it_is() {
    assert_eq!(repaired(""), (String::new(), None));
    assert_eq!(repaired("anything\n"), ("anything\n".to_owned(), None));
}

#[test]
fn a_good_last_line_without_an_end_gets_one() {
    assert_eq!(repaired(&format!("a\n{GOOD}")), (format!("a\n{GOOD}\n"), None));
    assert_eq!(repaired(GOOD), (format!("{GOOD}\n"), None));
}

#[test]
fn a_torn_last_line_is_set_aside() {
    let torn = &GOOD[..10];

    assert_eq!(repaired(&format!("{GOOD}\n{torn}")), (format!("{GOOD}\n"), Some(format!("{torn}\n"))));
    assert_eq!(repaired(torn), (String::new(), Some(format!("{torn}\n"))));
}

#[test]
fn a_torn_line_longer_than_one_read_is_set_aside_whole() {
    let torn = "x".repeat(700_000);

    assert_eq!(repaired(&format!("{GOOD}\n{torn}")), (format!("{GOOD}\n"), Some(format!("{torn}\n"))));
}

#[test]
fn two_collectors_do_not_share_a_file() {
    let directory = directory();
    let path = directory.path().join("exchanges.jsonl");
    let _first = FileSink::open(&path).expect("it opens");

    assert!(matches!(FileSink::open(&path), Err(FileError::InUse(_))));
}

#[test]
fn what_is_no_file_is_refused() {
    let directory = directory();

    assert!(matches!(FileSink::open(directory.path()), Err(FileError::NotRegular(_))));
    assert!(matches!(FileSink::open(Path::new("/dev/null")), Err(FileError::NotRegular(_))));
    let missing = directory.path().join("no/such/directory/file");
    assert!(matches!(FileSink::open(&missing), Err(FileError::Io { action: "open", .. })));
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_followed_by_a_new_one() {
    let directory = directory();
    let path = directory.path().join("exchanges.jsonl");
    let moved = directory.path().join("exchanges.1.jsonl");
    let sink = FileSink::open(&path).expect("it opens");
    stored(&sink, &[exchange("one")]).await;

    fs::rename(&path, &moved).expect("moved");
    let verdicts = stored(&sink, &[exchange("two")]).await;

    assert_eq!(verdicts, [Verdict::Stored]);
    assert_eq!(fs::read_to_string(&moved).expect("readable"), "one\n");
    assert_eq!(fs::read_to_string(&path).expect("readable"), "two\n");
}

#[tokio::test]
async fn a_failing_disk_stores_nothing_says_why_and_is_tried_again() {
    let directory = directory();
    let path = directory.path().join("exchanges.jsonl");
    let sink = FileSink::open(&path).expect("it opens");
    stored(&sink, &[exchange("one")]).await;

    // The file goes, and where it was stands something that is no file.
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("a directory in its place");
    assert_eq!(stored(&sink, &[exchange("two")]).await, [Verdict::Unknown]);
    assert_eq!(sink.condition().degraded.first().map(|trouble| trouble.cause), Some("file"));
    fs::remove_dir(&path).expect("removed");
    assert_eq!(stored(&sink, &[exchange("two")]).await, [Verdict::Stored]);

    assert_eq!(sink.condition(), Condition::default());
    assert_eq!(fs::read_to_string(&path).expect("readable"), "two\n");
}

#[test]
fn a_failure_is_not_held_against_a_disk_that_nobody_tries() {
    let shared = Shared::default();
    let now = Instant::now();
    shared.tell(Some(&io::Error::from(io::ErrorKind::StorageFull)));

    assert_eq!(shared.condition_at(now).degraded.len(), 1);
    assert_eq!(shared.condition_at(now + FAILURE_LASTS * 2).degraded.len(), 0);
}

#[tokio::test]
async fn a_closed_sink_stores_nothing() {
    let directory = directory();
    let sink = FileSink::open(&directory.path().join("exchanges.jsonl")).expect("it opens");

    sink.close(Duration::from_secs(5)).await;

    assert_eq!(stored(&sink, &[exchange("one")]).await, [Verdict::Unknown]);
}

#[test]
fn what_was_not_synced_is_cut_off_before_anything_is_added() {
    let directory = directory();
    let path = directory.path().join("exchanges.jsonl");
    let mut tail = Tail::open(&path, |_| true).expect("it opens");
    tail.append([Bytes::from_static(b"one")].iter()).expect("appended");

    tail.leave_unsynced(b"tor");
    tail.append([Bytes::from_static(b"two")].iter()).expect("appended");

    assert_eq!(fs::read_to_string(&path).expect("readable"), "one\ntwo\n");
}

impl Tail {
    /// What a write leaves that failed in the middle, when the disk could not even be cut back.
    fn leave_unsynced(&mut self, bytes: &[u8]) {
        let mut file = fs::OpenOptions::new().append(true).open(self.path()).expect("it opens");
        file.write_all(bytes).expect("written");
        self.mark_dirty();
    }
}
