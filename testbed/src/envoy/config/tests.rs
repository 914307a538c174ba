use super::*;
use crate::ports::loopback;

/// The capabilities that the filter asks for, one a line; lines with `#` are comments.
fn capabilities_of_the_filter() -> Vec<String> {
    let path = parts::workspace_root().join("filter").join("capabilities.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let mut names: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}

#[test]
fn every_edit_finds_its_place_in_the_file() {
    let mut config = Config::of_repository().unwrap();

    config.set_admin(loopback(1)).unwrap();
    config.set_listen(loopback(2)).unwrap();
    config.set_endpoint("users", loopback(3)).unwrap();
    config.set_endpoint("collector", loopback(4)).unwrap();
    config.set_wasm(Path::new("/x.wasm")).unwrap();
    config.set_filter(&json!({"flush_after_ms": 50, "collector": {"path": "/p"}})).unwrap();
    config.set_filter_variable("TOKEN", "t").unwrap();
    config.allow_every_shape().unwrap();

    let address = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    assert_eq!(config.root.pointer("/admin/address"), Some(&address(1)));
    assert_eq!(config.listener("http").unwrap()["address"], address(2));
    let plugin = config.plugin().unwrap();
    let expected = r#"{"collector":{"cluster":"collector","path":"/p"},"flush_after_ms":50}"#;
    assert_eq!(plugin["configuration"]["value"], expected);
    assert_eq!(plugin["vm_config"]["code"]["local"]["filename"], "/x.wasm");
    assert_eq!(plugin["vm_config"]["environment_variables"]["key_values"]["TOKEN"], "t");
}

#[test]
fn file_lets_the_filter_do_what_it_needs_and_nothing_more() {
    let mut config = Config::of_repository().unwrap();

    let list = &config.plugin().unwrap()["vm_config"]["capability_restriction_config"]["allowed_capabilities"];
    let mut allowed: Vec<String> = list.as_object().unwrap().keys().cloned().collect();

    allowed.sort();
    assert_eq!(allowed, capabilities_of_the_filter());
    let writing =
        ["proxy_add", "proxy_set_h", "proxy_set_b", "proxy_set_p", "proxy_replace", "proxy_remove", "proxy_send"];
    assert!(!allowed.iter().any(|name| writing.iter().any(|writes| name.starts_with(writes))), "{allowed:?}");
}

#[test]
fn file_protects_traffic_and_the_admin_port() {
    let mut config = Config::of_repository().unwrap();

    let plugin = config.plugin().unwrap().clone();
    assert_eq!(plugin["fail_open"], true);
    assert!(plugin.get("failure_policy").is_none(), "Envoy refuses both");
    assert_eq!(config.root.pointer("/admin/address/socket_address/address"), Some(&json!("127.0.0.1")));
    let collector = config.cluster("collector").unwrap();
    assert!(collector.get("outlier_detection").is_none() && collector.get("circuit_breakers").is_some());
}

#[test]
fn an_edit_without_its_place_names_the_place() {
    let mut config = Config::parse("static_resources: {listeners: [{name: http}]}").unwrap();

    let error = config.manager().unwrap_err();

    assert!(format!("{error:#}").contains("/filter_chains/0/filters/0/typed_config"), "{error:#}");
    assert!(config.cluster("users").is_err());
}
