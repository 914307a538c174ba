use serde_json::{Value, json};
use tributary_http_types::check_line;

use super::*;

fn file(folder: &tempfile::TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

fn stored(wall: &Wall, value: &Value) -> Value {
    let line = value.to_string().into_bytes();
    let masked = wall.line(&line, &check_line(&line).unwrap());
    serde_json::from_slice(&masked.map_or(line, |exchange| exchange.to_line())).unwrap()
}

fn refused(config: Option<&Path>, key: Option<&Path>) -> String {
    let error = Wall::open(config, key, |_| None).unwrap_err();
    let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}

#[test]
fn lines_with_secrets_are_masked_and_others_pass() {
    let wall = Wall::default();
    let secret = json!({"request": {"method": "get", "headers": {"authorization": "Bearer hunter2"}}});
    let plain = b" {\"request\": {\"method\": \"get\"}}";

    assert_eq!(stored(&wall, &secret)["request"]["headers"]["authorization"], "Bearer [redacted]");
    assert_eq!(wall.line(plain, &check_line(plain).unwrap()), None);
    assert_eq!(wall.masked.load(Ordering::Relaxed), 1);
}

#[test]
fn filter_only_leaves_lines_as_they_are_and_says_so() {
    let wall = Wall::filter_only();
    let secret = json!({"request": {"method": "get", "headers": {"authorization": "Bearer hunter2"}}});

    assert_eq!(stored(&wall, &secret), secret);
    assert_eq!(wall.warnings().collect::<Vec<_>>(), ["posted lines are not masked: --redact filter-only is given"]);
    assert_eq!(wall.open_parts(), [("lines", true), ("bodies", false), ("query", false)]);
    assert!(!wall.may_unpack() && Wall::default().may_unpack());
}

#[test]
fn the_rules_and_the_key_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let config = file(&folder, "rules.json", br#"{"names":["page"],"query":false}"#);
    let key = file(&folder, "key", b"0123456789abcdef\n");
    let wall = Wall::open(Some(&config), Some(&key), |_| None).unwrap();
    let token = |bytes: &[u8]| {
        let redactor = Redactor::new(Settings::default(), Some(Key::new(bytes).unwrap())).unwrap();
        String::from_utf8(redactor.header(b"x-token", b"7").unwrap()).unwrap()
    };

    let line = stored(&wall, &json!({"request": {"method": "get", "headers": {"page": "7"}}}));

    assert_eq!(line["request"]["headers"]["page"], token(b"0123456789abcdef"));
    assert_eq!(wall.warnings().collect::<Vec<_>>(), ["query are not masked: --redact-config says so"]);
}

#[test]
fn the_key_may_come_from_the_variable_that_the_rules_name() {
    let folder = tempfile::tempdir().unwrap();
    let config = file(&folder, "rules.json", br#"{"key_env":"KEY"}"#);

    assert!(Wall::open(Some(&config), None, |name| (name == "KEY").then(|| vec![b'k'; 16])).is_ok());
    assert_eq!(
        refused(Some(&config), None),
        "--redact-config, key_env: there is no environment variable KEY; give it, or --redact-key-file"
    );
}

#[test]
fn what_cannot_be_used_is_refused_and_no_key_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &[u8]| file(&folder, name, content);

    let short = refused(None, Some(&path("short", b"s3cret")));
    assert_eq!(short, "the key of redaction: a key of 6 bytes is not allowed; allowed: 16 to 1024 bytes");
    let not_json = refused(Some(&path("bad.json", b"{")), None);
    assert!(not_json.contains("bad.json: EOF while parsing"), "{not_json}");
    let unknown = refused(Some(&path("unknown.json", br#"{"mode":"off"}"#)), None);
    assert!(unknown.contains("unknown field `mode`"), "{unknown}");
    let sensitive = refused(Some(&path("allow.json", br#"{"allow":["authorization"]}"#)), None);
    assert!(sensitive.contains("allow: \"authorization\" is not allowed"), "{sensitive}");
    let large = refused(Some(&path("large.json", &vec![b' '; 65_537])), None);
    assert!(large.ends_with("65537 bytes; at most 65536 are allowed"), "{large}");
    assert!(refused(Some(Path::new("/nowhere")), None).starts_with("--redact-config /nowhere"));
    assert!(refused(None, Some(Path::new("/nowhere"))).starts_with("--redact-key-file /nowhere"));
}
