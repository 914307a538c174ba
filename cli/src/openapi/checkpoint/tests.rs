//! Checkpoints on a real file system.

use tempfile::TempDir;

use super::*;

fn noted(state: &str) -> Noted<String> {
    let positions = [(0, Position { next: 42, last: "ab".into() }), (2, Position { next: 1, last: "cd".into() })];
    Noted { topic: "t".into(), positions: positions.into(), skipped: 3, state: state.into() }
}

fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("shop.checkpoint")
}

/// What is loaded after the bytes of a good checkpoint were changed.
fn loaded(change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Result<Option<Noted<String>>, CheckpointError> {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::open(&path(&folder)).unwrap();
    checkpoint.save(&noted("learnt")).unwrap();
    let bytes = fs::read(path(&folder)).unwrap();
    fs::write(path(&folder), change(bytes)).unwrap();
    checkpoint.load("t")
}

fn told(loaded: Result<Option<Noted<String>>, CheckpointError>) -> String {
    let text = loaded.unwrap_err().to_string();
    text.split_once("shop.checkpoint ").unwrap().1.to_owned()
}

#[test]
fn what_was_noted_last_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::open(&path(&folder)).unwrap();
    assert_eq!(checkpoint.load::<String>("t").unwrap(), None);

    checkpoint.save(&noted("first")).unwrap();
    checkpoint.save(&noted("second\n")).unwrap();

    assert_eq!(checkpoint.load("t").unwrap(), Some(noted("second\n")));
}

#[test]
fn each_byte_of_the_state_is_guarded() {
    let whole = loaded(|bytes| bytes).unwrap();
    assert_eq!(whole, Some(noted("learnt")));
    let head = loaded(|bytes| bytes.split(|byte| *byte == b'\n').next().unwrap().to_vec());
    assert!(told(head).starts_with("is damaged: 0 bytes instead of "));
    let changed = loaded(|mut bytes| {
        let place = bytes.len() - 20;
        bytes[place] ^= 1;
        bytes
    });
    assert_eq!(told(changed), "is damaged: its checksum is another one; remove it to begin anew");
    let longer = loaded(|bytes| [&bytes[..], b"x"].concat());
    assert!(told(longer).starts_with("is damaged: "));
}

#[test]
fn file_of_somebody_else_is_refused() {
    for foreign in ["", "\n", "{}", "openapi: 3.1.0\n", r#"{"tributary":"spool","version":1,"bytes":0,"sha256":""}"#] {
        let told = told(loaded(|_| foreign.as_bytes().to_vec()));

        assert_eq!(told, "is no checkpoint of tributary openapi; give --checkpoint a file of its own", "{foreign:?}");
    }
}

#[test]
fn other_version_is_refused() {
    let later =
        loaded(|bytes| String::from_utf8(bytes).unwrap().replacen("\"version\":1", "\"version\":2", 1).into_bytes());

    assert_eq!(told(later), "has version 2, this program writes 1; remove it to begin anew");
}

#[test]
fn checkpoint_of_another_topic_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::open(&path(&folder)).unwrap();
    checkpoint.save(&noted("learnt")).unwrap();

    let told = told(checkpoint.load("other"));

    assert_eq!(told, "belongs to topic t, not to other; give each topic its own --checkpoint");
}

#[test]
fn two_programs_cannot_have_the_same_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let first = Checkpoint::open(&path(&folder)).unwrap();

    assert!(matches!(Checkpoint::open(&path(&folder)), Err(CheckpointError::InUse { .. })));

    drop(first);
    Checkpoint::open(&path(&folder)).unwrap();
}

#[test]
fn records_that_differ_have_different_fingerprints() {
    let record = |timestamp_millis, key: &str, value: &str| Delivered {
        partition: 0,
        offset: 0,
        timestamp_millis,
        key: Some(key.into()),
        value: value.into(),
        headers: vec![],
    };
    let prints = [record(None, "a", "b"), record(Some(1), "a", "b"), record(None, "ab", ""), record(None, "", "ab")]
        .map(|record| fingerprint(&record));

    assert_eq!(prints.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    assert_eq!(prints[0].len(), FINGERPRINT_DIGITS);
    assert_eq!(prints[0], fingerprint(&record(None, "a", "b")));
}
