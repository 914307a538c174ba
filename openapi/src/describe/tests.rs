use super::*;
use crate::Version;

#[test]
fn a_host_that_cannot_stand_in_a_url_is_no_server() {
    let mut known = Host::default();
    known.protocols.insert("http".into(), 1);
    known.protocols.insert("https".into(), 1);

    assert_eq!(
        servers("a.example:8080", &known),
        [json!({"url": "https://a.example:8080"}), json!({"url": "http://a.example:8080"})]
    );
    for host in ["a{b}", "a b", "", "unknown", "ä"] {
        assert_eq!(servers(host, &known), Vec::<Value>::new(), "{host}");
    }
}

#[test]
fn the_title_is_the_host_unless_one_is_given() {
    let titled = Settings { title: Some("Shop".into()), version: Version::V30, ..Settings::default() };

    assert_eq!(info("a.example", &Settings::default())["title"], "a.example");
    assert_eq!(info("unknown", &Settings::default())["title"], "API");
    assert_eq!(info("a.example", &titled)["title"], "Shop");
}
