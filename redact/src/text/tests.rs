use super::*;
use crate::{Settings, masker::Style, redactor::Redactor};

fn masked_by(rules: &Redactor, text: &str, end: End) -> String {
    let mut masker = Masker::new(rules, text.as_bytes(), Style::Words);
    masker.scan(0..text.len(), end);
    masker.finish().map_or(text.to_owned(), |masked| String::from_utf8(masked.bytes).unwrap())
}

fn masked(text: &str) -> String {
    masked_by(&Redactor::default(), text, End::Whole)
}

#[test]
fn names_with_values_are_found_in_texts() {
    let cases = [
        ("password=hunter2", "password=[redacted]"),
        ("a=1&token=x;b=2 c", "a=1&token=[redacted];b=2 c"),
        ("<a href=\"/x?token=abc&amp;b=1\">", "<a href=\"/x?token=[redacted]&amp;b=1\">"),
        ("export API_KEY='x y' # z", "export API_KEY='[redacted]' # z"),
        ("token=\"a\\\"b\" x", "token=\"[redacted]\" x"),
        ("{\"token\": \"x\", \"pin\": 12, \"a\": 1}", "{\"token\": \"[redacted]\", \"pin\": [redacted], \"a\": 1}"),
        ("say {\\\"token\\\":\\\"x\\\"} now", "say {\\\"token\\\":\\\"[redacted]\\\"} now"),
        ("login(password: \"x\", id: \"7\")", "login(password: \"[redacted]\", id: \"7\")"),
        ("login(password: \"\"\"x \"y\" z\"\"\", id: 7)", "login(password: \"\"\"[redacted]\"\"\", id: 7)"),
        ("f(token: [\"x\", \"y\"], id: [\"z\"])", "f(token: [\"[redacted]\", \"[redacted]\"], id: [\"z\"])"),
        ("{\"otp\": [123456,\n'a' , null], \"b\": [1]", "{\"otp\": [[redacted],\n'[redacted]' , null], \"b\": [1]"),
        ("query($password: String! = \"x\") { a }", "query($password: String! = \"[redacted]\") { a }"),
        ("const apiKey = 'x', size = 'y'", "const apiKey = '[redacted]', size = 'y'"),
        ("{\"token\": // why\n  /* so */ \"x\", }", "{\"token\": // why\n  /* so */ \"[redacted]\", }"),
        ("{\"token\":\n  \"x\", }", "{\"token\":\n  \"[redacted]\", }"),
        ("a: 1\n  password: hunter2\nb: 2", "a: 1\n  password: [redacted]\nb: 2"),
        (
            "<user><password>x</password><name>y</name></user>",
            "<user><password>[redacted]</password><name>y</name></user>",
        ),
        ("<ns:Token id=\"1\">x</ns:Token>", "<ns:Token id=\"1\">[redacted]</ns:Token>"),
        ("see https://u:p@h:8/a and ftp://g@h", "see https://%5Bredacted%5D@h:8/a and ftp://%5Bredacted%5D@h"),
        // What stands where a host does is read too.
        ("jdbc:sqlserver://db:1433;user=sa;password=x/y", "jdbc:sqlserver://db:1433;user=sa;password=[redacted]"),
        ("jdbc:db://h;user=a@b;password=x", "jdbc:db://%5Bredacted%5D@b;password=[redacted]"),
        ("x://password=x/y z", "x://password=[redacted] z"),
        ("x://h&token=x, y", "x://h&token=[redacted] y"),
        ("x://h%3Ftoken%3Dx y", "x://h%3Ftoken%3D[redacted] y"),
        ("see https://ghp_abcdefghijklmnopqrstuvwxyz/a", "see https://[redacted]/a"),
        ("Bearer 0https://password=x", "Bearer [redacted]://password=[redacted]"),
    ];

    for (given, expected) in cases {
        assert_eq!(masked(given), expected);
        assert_eq!(masked(expected), expected);
    }
}

#[test]
fn encoded_secrets_are_found() {
    use base64::{
        Engine as _,
        engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
    };
    let key = "ghp_abcdefghijklmnopqrstuvwxyz";
    let json = r#"{"user":"kimmo","password":"x"}"#;

    for text in [key, json, "Authorization: Bearer abc.def-123"] {
        assert_eq!(masked(&format!("a {} b", STANDARD.encode(text))), "a [redacted] b", "{text}");
        assert_eq!(masked(&format!("a {} b", URL_SAFE_NO_PAD.encode(text))), "a [redacted] b", "{text}");
    }
    assert_eq!(masked("x ghp%5Fabcdefghijklmnopqrstuvwxyz y"), "x [redacted] y");
    assert_eq!(masked("x ghp%255Fabcdefghijklmnopqrstuvwxyz y"), "x [redacted] y");
    assert_eq!(masked("u=https%3A%2F%2Fh%2F%3Ftoken%3Dabc&v=1"), "u=https://h/%3Ftoken%3D[redacted]&v=1");
}

#[test]
fn prose_code_and_data_stay_as_they_are() {
    let texts = [
        "Session: Rust for everybody. The password: at least 8 characters. Bearer of news.",
        "author=Kimmo&authority=1; key=color, monkey=see",
        "-----BEGIN of the story----- and more",
        "const a = b ? c : d; if (x == y) { return z != 0; } // note: see RFC 6750",
        "<p>Tokens and cookies</p><token/><tokens></tokens><key>x</key>",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "time 12:30:45, ratio 16:9, http://localhost:8080/a:b?c=d, 10% off, 100%25",
        "http://auth:8080/a, https://[::1]:443, http://password:80",
        "0123456789 4111111111111112 +4915112345678 1582886368833000000 550e8400-e29b-41d4-a716-446655440000",
        "VGhpcyBpcyBvbmx5IGEgaGFybWxlc3MgdGV4dCBpbiBiYXNlNjQ=",
        "/usr/share/doc/python3/README.Debian.very/long-path_with_words",
        "",
        ":",
        "=",
        "<",
        "%",
        "://",
        "a=",
        "\"\":",
        "'a':",
    ];

    for text in texts {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn own_patterns_and_names_are_found() {
    let settings = Settings {
        names: vec!["customer-number".to_owned()],
        patterns: vec![r"emp-\d{6}".to_owned(), r"=S[0-9]{4}=".to_owned()],
        ..Settings::default()
    };
    let rules = Redactor::new(settings, None).unwrap();

    assert_eq!(
        masked_by(&rules, "by emp-123456, customerNumber=7", End::Whole),
        "by [redacted], customerNumber=[redacted]"
    );
    assert_eq!(masked_by(&rules, "x =S1234= y", End::Whole), "x [redacted] y");
    assert_eq!(masked_by(&rules, "by emp-12", End::Cut), "by [redacted]");
}

#[test]
fn with_a_key_a_token_stands_for_the_secret_wherever_it_is() {
    let key = crate::Key::new(&[7; 32]).unwrap();
    let rules = Redactor::new(Settings::default(), Some(key.clone())).unwrap();
    let token = key.token(b"hunter2");

    assert_eq!(
        masked_by(&rules, "password=hunter2 \"pwd\":\"hunter2\"", End::Whole),
        format!("password={token} \"pwd\":\"{token}\"")
    );
    assert_eq!(masked_by(&rules, "?token=hunter%32", End::Whole), format!("?token={token}"));
    assert_eq!(masked_by(&rules, &format!("token={token}"), End::Whole), format!("token={token}"));
}

#[test]
// What takes the square of a megabyte would not come back within anybody's patience: no bound on time is needed.
fn texts_made_to_be_slow_are_not() {
    let bait = [
        "=",
        ":",
        "a:",
        "\":",
        "<a",
        "%41",
        "%4",
        "eyJ-",
        "eyJ.",
        "eyJaaaaaaaaa",
        "AIza-",
        "xox-",
        "Bearer ",
        "4111-",
        "://",
        "a://",
        "a=",
        "-----BEGIN ",
        "-----BEGIN -----END ",
        "{\"",
        "[{",
        "\\\"",
        "token=",
        "token:",
        "<token>",
        "AAAA",
    ];

    for bait in bait {
        for json in [false, true] {
            let text = bait.repeat((1 << 16) / bait.len());
            let rules = Redactor::default();
            let mut masker = Masker::new(&rules, text.as_bytes(), Style::Words);
            if json {
                let _ = masker.json_or_text(End::Cut);
            } else {
                masker.scan(0..text.len(), End::Cut);
            }
        }
    }
}

#[test]
fn where_paths_have_rules_hosts_are_read_all_the_same() {
    let rules =
        Redactor::new(Settings { paths: vec!["/reset/{code}".to_owned()], ..Settings::default() }, None).unwrap();
    let cases = [
        ("see https://h:8/reset/s3 now", "see https://h:8/reset/%5Bredacted%5D now"),
        (
            "https://u:p@ghp_abcdefghijklmnopqrstuvwxyz/reset/s3",
            "https://%5Bredacted%5D@[redacted]/reset/%5Bredacted%5D",
        ),
        ("jdbc:db://h;user=sa;password=x/reset/s3 y", "jdbc:db://h;user=sa;password=[redacted] y"),
    ];

    for (given, expected) in cases {
        assert_eq!(masked_by(&rules, given, End::Whole), expected);
    }
}
