//! What can be seen without a container engine: every image pinned, at the versions that the tests use, every
//! mounted path there, nothing reachable from outside, and one Envoy configuration for compose and testbed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value};
use xtask::parts::{self, Part};

use crate::repository::{self, Text};
use crate::stages::Findings;

/// The one configuration of Envoy.
const ENVOY: &str = "envoy/envoy.yaml";

/// What the checks need to know of the repository.
struct Files {
    compose: Value,
    dockerfile: String,
    envoy: Value,
    capabilities: String,
    texts: Vec<Text>,
}

/// Versions that compose and tests share.
struct Versions {
    envoy: String,
    kafka: String,
    rust: String,
}

/// Looks at docker-compose.yml, Dockerfile and envoy/envoy.yaml.
///
/// # Errors
/// One of them cannot be read or is not YAML.
pub(crate) fn look() -> Result<Findings> {
    let files = Files {
        compose: yaml("docker-compose.yml")?,
        dockerfile: read("Dockerfile")?,
        envoy: yaml(ENVOY)?,
        capabilities: read("filter/capabilities.txt")?,
        texts: repository::texts()?,
    };
    let versions = Versions {
        envoy: Part::Envoy.pin().version()?,
        kafka: Part::Kafka.pin().version()?,
        rust: Part::RustTargets.pin().version()?,
    };
    let mut findings = look_at_images(&files, &versions);
    findings.extend(look_at_services(&files, &|path| parts::workspace_root().join(path).exists()));
    findings.extend(look_at_rights(&files));
    findings.extend(look_at_envoy(&files));
    Ok(findings)
}

fn look_at_images(files: &Files, versions: &Versions) -> Findings {
    let mut findings = Findings::default();
    let stages = stages(&files.dockerfile);
    for (line, image, _) in &stages {
        let own = stages.iter().any(|(_, _, name)| name.as_deref() == Some(image));
        let problem = if own { None } else { image_problem(image, versions) };
        findings.add(problem.map(|problem| format!("Dockerfile:{line}: {problem}")));
    }
    for (name, service) in services(&files.compose) {
        let problem = match service.get("build") {
            // Made here, whatever it is called.
            Some(build) => {
                let target = build.get("target").and_then(Value::as_str).unwrap_or_default();
                let there = stages.iter().any(|(_, _, stage)| stage.as_deref() == Some(target));
                (!there).then(|| format!("the Dockerfile has no stage {target:?}"))
            }
            None => image_problem(service.get("image").and_then(Value::as_str).unwrap_or_default(), versions),
        };
        findings.add(problem.map(|problem| format!("docker-compose.yml: service {name}: {problem}")));
    }
    findings
}

/// Line, image and name of each `FROM image [AS name]`.
fn stages(dockerfile: &str) -> Vec<(usize, String, Option<String>)> {
    let stage = |(line, number): (&str, usize)| {
        let mut words = line.strip_prefix("FROM ")?.split_whitespace().filter(|word| !word.starts_with("--"));
        let image = words.next()?.to_owned();
        let name = words.next().filter(|word| word.eq_ignore_ascii_case("as")).and(words.next());
        Some((number, image, name.map(str::to_owned)))
    };
    dockerfile.lines().zip(1..).filter_map(stage).collect()
}

fn image_problem(image: &str, versions: &Versions) -> Option<String> {
    let name_and_tag = image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
    let Some((name, tag)) = name_and_tag else { return Some(format!("image {image:?} has no tag")) };
    let minor = versions.rust.rsplit_once('.').map_or(versions.rust.as_str(), |(minor, _)| minor);
    let wanted = match name {
        "envoyproxy/envoy" => tag == format!("v{}", versions.envoy),
        "apache/kafka" => tag == versions.kafka,
        "rust" => tag.split('-').next().is_some_and(|rust| rust == versions.rust || rust == minor),
        _ => return (tag == "latest").then(|| format!("image {image} is not pinned")),
    };
    (!wanted).then(|| format!("image {image} is not the version that the tests use (xtask/src/parts/pins.rs)"))
}

fn look_at_services(files: &Files, exists: &dyn Fn(&Path) -> bool) -> Findings {
    let mut findings = Findings::default();
    let volumes = files.compose.get("volumes").and_then(Value::as_object);
    for (name, service) in services(&files.compose) {
        for mount in texts(service.get("volumes")) {
            let source = mount.split(':').next().unwrap_or_default();
            let there = match source.starts_with(['.', '/', '~']) {
                true => source.starts_with("./") && exists(Path::new(source)),
                false => volumes.is_some_and(|volumes| volumes.contains_key(source)),
            };
            let problem =
                (!there).then(|| format!("docker-compose.yml: service {name}: there is no {source} to mount"));
            findings.add(problem);
        }
        for port in texts(service.get("ports")) {
            let local = port.starts_with("127.0.0.1:");
            let problem = format!("docker-compose.yml: service {name}: port {port} is open to the network");
            findings.add((!local).then_some(problem));
        }
    }
    findings
}

/// No service has a right that it does not need, and no image of ours runs as root.
fn look_at_rights(files: &Files) -> Findings {
    let mut findings = Findings::default();
    for (name, service) in services(&files.compose) {
        let problem = right_problem(service);
        findings.add(problem.map(|problem| format!("docker-compose.yml: service {name}: {problem}")));
    }
    let last = stages(&files.dockerfile).into_iter().filter(|(_, _, name)| name.as_deref() != Some("build"));
    for (line, image, name) in last {
        // The official Envoy starts as root and steps down by itself; compose gives it its user.
        let steps_down = image.ends_with(":nonroot") || name.as_deref() == Some("envoy");
        findings.add((!steps_down).then(|| format!("Dockerfile:{line}: image {image} runs as root")));
    }
    findings
}

/// What a service may do that it need not. An image of somebody else (Kafka's) writes to its root when it starts.
fn right_problem(service: &Value) -> Option<&'static str> {
    let merged = service.get("<<");
    let field = |name: &str| service.get(name).or_else(|| merged.and_then(|merged| merged.get(name)));
    let lists = |name: &str, word: &str| texts(field(name)).any(|text| text == word);
    if !lists("cap_drop", "ALL") || field("cap_add").is_some() {
        return Some("it has capabilities");
    }
    if !lists("security_opt", "no-new-privileges:true") {
        return Some("it may get new privileges");
    }
    if service.get("build").is_some() && field("read_only") != Some(&Value::Bool(true)) {
        return Some("its root is writable");
    }
    (field("privileged").is_some() || field("user") == Some(&Value::from("root"))).then_some("it runs with all rights")
}

fn look_at_envoy(files: &Files) -> Findings {
    let mut findings = Findings::default();
    let mounted = services(&files.compose)
        .filter(|(_, service)| texts(service.get("volumes")).any(|mount| mount.starts_with(&format!("./{ENVOY}:"))));
    findings.add((mounted.count() != 1).then(|| format!("docker-compose.yml: no service, or several, with ./{ENVOY}")));

    let in_testbed = |text: &&Text| text.path.starts_with("testbed/src/") && text.text.contains("envoy.yaml");
    let read = files.texts.iter().any(|text| in_testbed(&text));
    findings.add((!read).then(|| format!("testbed: does not read {ENVOY}")));
    let others = files.texts.iter().filter(|text| {
        (text.is("yaml") || text.is("json"))
            && text.path != ENVOY
            && text.text.contains(concat!("static_", "resources"))
    });
    findings.add(None);
    findings
        .problems
        .extend(others.map(|text| format!("{}: a second configuration of Envoy beside {ENVOY}", text.path)));

    let names = services(&files.compose).map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>();
    let clusters = files.envoy.pointer("/static_resources/clusters");
    for address in all(clusters, "address").into_iter().filter_map(Value::as_str) {
        let problem = format!("{ENVOY}: no service {address} in docker-compose.yml");
        findings.add((!names.contains(address)).then_some(problem));
    }
    findings.add(capabilities_problem(files));
    findings
}

fn capabilities_problem(files: &Files) -> Option<String> {
    let listed = files.capabilities.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let listed = listed.filter(|name| !name.is_empty()).collect::<BTreeSet<_>>();
    let given = all(Some(&files.envoy), "allowed_capabilities");
    let given = given.into_iter().filter_map(Value::as_object).flat_map(Map::keys);
    let given = given.map(String::as_str).collect::<BTreeSet<_>>();
    let differ = listed.symmetric_difference(&given).copied().collect::<Vec<_>>();
    (!differ.is_empty()).then(|| format!("{ENVOY} and filter/capabilities.txt differ in: {}", differ.join(", ")))
}

fn services(compose: &Value) -> impl Iterator<Item = (&String, &Value)> {
    compose.get("services").and_then(Value::as_object).into_iter().flatten()
}

fn texts(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The values of all keys of this name, at any depth.
fn all<'a>(value: Option<&'a Value>, name: &str) -> Vec<&'a Value> {
    match value {
        Some(Value::Object(object)) => object
            .iter()
            .flat_map(|(key, value)| (key == name).then_some(value).into_iter().chain(all(Some(value), name)))
            .collect(),
        Some(Value::Array(array)) => array.iter().flat_map(|value| all(Some(value), name)).collect(),
        _ => Vec::new(),
    }
}

fn yaml(name: &str) -> Result<Value> {
    serde_saphyr::from_str(&read(name)?).with_context(|| format!("{name} is not YAML as we write it"))
}

fn read(name: &str) -> Result<String> {
    fs::read_to_string(parts::workspace_root().join(name)).with_context(|| format!("read {name}"))
}

#[cfg(test)]
mod tests;
