use serde_json::json;

use super::*;

fn versions() -> Versions {
    Versions { envoy: "1.40.0".to_owned(), kafka: "4.3.0".to_owned(), rust: "1.95.0".to_owned() }
}

fn right() -> Files {
    Files {
        compose: json!({
            "services": {
                "kafka": {"image": "apache/kafka:4.3.0", "volumes": ["data:/data"], "ports": ["127.0.0.1:9092:9092"]},
                "users": {"build": {"context": ".", "target": "users"}, "image": "tributary/users:local"},
                "envoy": {"image": "envoyproxy/envoy:v1.40.0", "volumes": ["./envoy/envoy.yaml:/etc/envoy/envoy.yaml:ro"]},
            },
            "volumes": {"data": null},
        }),
        dockerfile: "FROM rust:1.95-bookworm AS build\nRUN x\nFROM --platform=a debian:bookworm AS users\nFROM build\n"
            .to_owned(),
        envoy: json!({
            "static_resources": {"clusters": [{"a": {"socket_address": {"address": "users"}}}]},
            "x": {"allowed_capabilities": {"proxy_log": {}}},
        }),
        capabilities: "# may\nproxy_log # log\n".to_owned(),
        texts: vec![Text { path: "testbed/src/envoy.rs".to_owned(), text: "envoy/envoy.yaml".to_owned() }],
    }
}

fn problems(files: &Files) -> Vec<String> {
    let mut findings = look_at_images(files, &versions());
    findings.extend(look_at_services(files, &|path| path == Path::new("./envoy/envoy.yaml")));
    findings.extend(look_at_envoy(files));
    findings.problems
}

#[test]
fn files_that_fit_together_are_right() {
    assert_eq!(problems(&right()), [""; 0]);
}

#[test]
fn image_without_tag_or_with_a_moving_one_is_found() {
    let problem = |image: &str| image_problem(image, &versions());

    assert_eq!(problem("debian"), Some("image \"debian\" has no tag".to_owned()));
    assert_eq!(problem("host:5000/debian"), Some("image \"host:5000/debian\" has no tag".to_owned()));
    assert_eq!(problem("debian:latest"), Some("image debian:latest is not pinned".to_owned()));
    assert_eq!(problem("debian:bookworm"), None);
}

#[test]
fn image_of_another_version_than_the_tests_use_is_found() {
    let found = |image: &str| image_problem(image, &versions()).is_some();

    assert!(found("envoyproxy/envoy:v1.39.0") && !found("envoyproxy/envoy:v1.40.0"));
    assert!(found("apache/kafka:4.2.0") && !found("apache/kafka:4.3.0"));
    assert!(found("rust:1.94-bookworm") && !found("rust:1.95-bookworm") && !found("rust:1.95.0"));
}

#[test]
fn service_whose_image_nobody_builds_is_found() {
    let mut files = right();
    files.dockerfile = "FROM debian:bookworm AS other\n".to_owned();

    assert_eq!(problems(&files), ["docker-compose.yml: service users: the Dockerfile has no stage \"users\""]);
}

#[test]
fn mounts_that_lead_nowhere_and_open_ports_are_found() {
    let mut files = right();
    files.compose["services"]["kafka"]["volumes"] = json!(["gone:/data", "./gone.yaml:/x", "/etc/passwd:/x"]);
    files.compose["services"]["kafka"]["ports"] = json!(["9092:9092"]);

    assert_eq!(
        problems(&files),
        [
            "docker-compose.yml: service kafka: there is no gone to mount",
            "docker-compose.yml: service kafka: there is no ./gone.yaml to mount",
            "docker-compose.yml: service kafka: there is no /etc/passwd to mount",
            "docker-compose.yml: service kafka: port 9092:9092 is open to the network",
        ]
    );
}

#[test]
fn second_envoy_configuration_is_found() {
    let mut files = right();
    let text = format!("{}: {{}}\n", concat!("static_", "resources"));
    files.texts = vec![Text { path: "testbed/envoy.yaml".to_owned(), text }];

    assert_eq!(
        problems(&files),
        [
            "testbed: does not read envoy/envoy.yaml",
            "testbed/envoy.yaml: a second configuration of Envoy beside envoy/envoy.yaml",
        ]
    );
}

#[test]
fn cluster_that_is_no_service_is_found() {
    let mut files = right();
    files.envoy["static_resources"]["clusters"][0]["a"]["socket_address"]["address"] = json!("127.0.0.1");

    assert_eq!(problems(&files), ["envoy/envoy.yaml: no service 127.0.0.1 in docker-compose.yml"]);
}

#[test]
fn capabilities_that_differ_are_named() {
    let mut files = right();
    files.capabilities = "proxy_done\n".to_owned();

    assert_eq!(problems(&files), ["envoy/envoy.yaml and filter/capabilities.txt differ in: proxy_done, proxy_log"]);
}

#[test]
fn rights_that_nobody_needs_are_found() {
    let locked = json!({"cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"], "read_only": true});
    let with = |name: &str, value: serde_json::Value| {
        let mut service = json!({"build": {}, "<<": locked});
        service[name] = value;
        right_problem(&service)
    };

    assert_eq!(with("x", json!(1)), None);
    assert_eq!(with("cap_drop", json!([])), Some("it has capabilities"));
    assert_eq!(with("cap_add", json!(["NET_ADMIN"])), Some("it has capabilities"));
    assert_eq!(with("security_opt", json!([])), Some("it may get new privileges"));
    assert_eq!(with("read_only", json!(false)), Some("its root is writable"));
    assert_eq!(with("privileged", json!(true)), Some("it runs with all rights"));
    assert_eq!(with("user", json!("root")), Some("it runs with all rights"));

    let mut files = right();
    files.compose = json!({});
    files.dockerfile =
        "FROM rust:1.95 AS build\nFROM a:nonroot AS one\nFROM envoyproxy/envoy:v1 AS envoy\nFROM b:1 AS two\n"
            .to_owned();
    assert_eq!(look_at_rights(&files).problems, ["Dockerfile:4: image b:1 runs as root"]);
}
