//! The bill of materials of one file that we ship: every crate that is linked into it, as CycloneDX 1.6 in JSON.
//!
//! Made from `cargo metadata` and Cargo.lock, for the platform that the file was built for. It has no time and no serial
//! number, so two builds of one commit write the same bytes. Crates that only run while building (derives, build scripts)
//! are left out: nothing of them is in the file. C libraries are in the crates that bundle them (`rdkafka-sys`,
//! `zstd-sys`, `libsqlite3-sys`, `ring`), whose versions name theirs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::build::cargo;
use crate::process;

/// The bill of `file` (SHA-256 `sum`), which is built from `package` for `platform`.
///
/// # Errors
/// cargo does not know the package, or Cargo.lock cannot be read.
pub(crate) fn of(file: &str, package: &str, platform: &str, sum: &str) -> Result<Vec<u8>> {
    let text =
        process::output(&mut cargo(&["metadata", "--format-version", "1", "--locked", "--filter-platform", platform]))?;
    let metadata: Value = serde_json::from_str(&text).context("what cargo metadata says")?;
    let lock = std::fs::read_to_string(xtask::parts::workspace_root().join("Cargo.lock")).context("read Cargo.lock")?;
    let bill = write(&Graph::new(&metadata)?, &checksums(&lock), package, file, sum)?;
    let mut bytes = serde_json::to_vec_pretty(&bill).context("write a bill of materials")?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Packages by cargo's id, and what each links.
struct Graph<'a> {
    packages: BTreeMap<&'a str, &'a Value>,
    links: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Graph<'a> {
    fn new(metadata: &'a Value) -> Result<Graph<'a>> {
        let list = |pointer: &str| metadata.pointer(pointer).and_then(Value::as_array).context("cargo metadata");
        let mut packages = BTreeMap::new();
        for package in list("/packages")? {
            packages.insert(text(package, "id")?, package);
        }
        let mut links = BTreeMap::new();
        for node in list("/resolve/nodes")? {
            let needs = node.get("deps").and_then(Value::as_array).context("dependencies")?;
            let linked = needs.iter().filter(|need| is_linked(need)).map(|need| text(need, "pkg"));
            let linked = linked.collect::<Result<Vec<_>>>()?;
            // A derive is compiled for the machine that builds, and so is all that it needs.
            let linked = linked.into_iter().filter(|id| packages.get(id).is_some_and(|package| !is_derive(package)));
            links.insert(text(node, "id")?, linked.collect());
        }
        Ok(Graph { packages, links })
    }

    fn links_of(&self, id: &str) -> &[&'a str] {
        self.links.get(id).map_or(&[], Vec::as_slice)
    }

    /// Everything that is linked into this package, itself not.
    fn linked_into(&self, root: &'a str) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut open = self.links_of(root).to_vec();
        while let Some(id) = open.pop() {
            if found.insert(id) {
                open.extend(self.links_of(id));
            }
        }
        found
    }
}

/// Whether the dependency is one of the program, not of its build or tests.
fn is_linked(need: &Value) -> bool {
    let kinds = need.get("dep_kinds").and_then(Value::as_array);
    kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind.get("kind").is_none_or(Value::is_null)))
}

fn is_derive(package: &Value) -> bool {
    let kinds = package.pointer("/targets/0/kind").and_then(Value::as_array);
    kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "proc-macro"))
}

fn write(
    graph: &Graph<'_>,
    checksums: &BTreeMap<String, String>,
    package: &str,
    file: &str,
    sum: &str,
) -> Result<Value> {
    let own = |(_, candidate): &(&&str, &&Value)| text(candidate, "name").is_ok_and(|name| name == package);
    let (root, main) = graph.packages.iter().find(own).with_context(|| format!("no package {package}"))?;
    let parts = graph.linked_into(root);
    let mut components = parts.iter().map(|id| component(graph, id, checksums)).collect::<Result<Vec<_>>>()?;
    components.sort_by_key(|component| component.get("bom-ref").map(Value::to_string));
    let mut dependencies = Vec::new();
    for id in std::iter::once(root).chain(&parts) {
        let mut depends_on = graph.links_of(id).iter().map(|id| purl(graph, id)).collect::<Result<Vec<_>>>()?;
        depends_on.sort();
        depends_on.dedup();
        dependencies.push(json!({"ref": purl(graph, id)?, "dependsOn": depends_on}));
    }
    dependencies.sort_by_key(|dependency| dependency.get("ref").map(Value::to_string));
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {
            "type": "application",
            "bom-ref": purl(graph, root)?,
            "name": file,
            "version": text(main, "version")?,
            "licenses": [{"expression": text(main, "license")?}],
            "hashes": [{"alg": "SHA-256", "content": sum}],
        }},
        "components": components,
        "dependencies": dependencies,
    }))
}

fn component(graph: &Graph<'_>, id: &str, checksums: &BTreeMap<String, String>) -> Result<Value> {
    let package = graph.packages.get(id).with_context(|| format!("no package {id}"))?;
    let (name, version) = (text(package, "name")?, text(package, "version")?);
    let mut component = json!({
        "type": "library",
        "bom-ref": purl(graph, id)?,
        "name": name,
        "version": version,
        "purl": purl(graph, id)?,
    });
    let fields = component.as_object_mut().context("a component")?;
    if let Ok(license) = text(package, "license") {
        // What Cargo allowed before it asked for SPDX expressions.
        fields.insert("licenses".to_owned(), json!([{"expression": license.replace('/', " OR ")}]));
    }
    if let Some(sum) = checksums.get(&format!("{name} {version}")) {
        fields.insert("hashes".to_owned(), json!([{"alg": "SHA-256", "content": sum}]));
    }
    Ok(component)
}

/// The package URL of a crate; a `+` in a version is written `%2B` there.
fn purl(graph: &Graph<'_>, id: &str) -> Result<String> {
    let package = graph.packages.get(id).with_context(|| format!("no package {id}"))?;
    Ok(format!("pkg:cargo/{}@{}", text(package, "name")?, text(package, "version")?.replace('+', "%2B")))
}

/// `name version` of each crate in the text of a Cargo.lock, with its checksum.
fn checksums(lock: &str) -> BTreeMap<String, String> {
    let value = |package: &str, key: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'));
        line.map(str::to_owned)
    };
    let entry = |package: &str| {
        let name = format!("{} {}", value(package, "name")?, value(package, "version")?);
        Some((name, value(package, "checksum")?))
    };
    lock.split("[[package]]").filter_map(entry).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value.get(key).and_then(Value::as_str).with_context(|| format!("no {key} in what cargo metadata says"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(id: &str, license: &str, kind: &str) -> Value {
        json!({"id": id, "name": id, "version": "1.0.0+c", "license": license, "targets": [{"kind": [kind]}]})
    }

    fn needs(ids: &[(&str, Value)]) -> Vec<Value> {
        ids.iter().map(|(id, kind)| json!({"pkg": id, "dep_kinds": [{"kind": kind}]})).collect()
    }

    /// What cargo says of this workspace, on this machine.
    #[test]
    fn bill_of_the_collector_names_each_part_once_with_licence_and_sum() {
        let host = process::output(std::process::Command::new("rustc").args(["--print", "host-tuple"])).unwrap();
        let bill = of("tributary-collector", "tributary-collector", host.trim(), &"0".repeat(64)).unwrap();
        let bill: Value = serde_json::from_slice(&bill).unwrap();
        let list = |name: &str| bill[name].as_array().unwrap().iter();
        let mut refs: BTreeSet<&str> = list("components").map(|part| part["bom-ref"].as_str().unwrap()).collect();
        assert_eq!(refs.len(), list("components").count());
        assert!(refs.insert(bill["metadata"]["component"]["bom-ref"].as_str().unwrap()));

        for part in list("components") {
            let is_ours = part["name"].as_str().unwrap().starts_with("tributary-");
            let is_sum = |sum: &str| sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert_eq!(part["hashes"][0]["content"].as_str().is_some_and(is_sum), !is_ours, "{part}");
            assert!(part["licenses"][0]["expression"].as_str().is_some_and(|licence| !licence.is_empty()), "{part}");
        }
        for part in list("dependencies") {
            let named = part["dependsOn"].as_array().unwrap().iter().chain([&part["ref"]]);
            assert!(named.into_iter().all(|name| refs.contains(name.as_str().unwrap())), "{part}");
        }
        assert_eq!(list("dependencies").count(), refs.len());
    }

    #[test]
    fn bill_has_what_is_linked_and_nothing_else() {
        let normal = Value::Null;
        let metadata = json!({
            "packages": [
                package("main", "Apache-2.0", "bin"),
                package("a", "MIT/Apache-2.0", "lib"),
                package("b", "MIT", "lib"),
                package("derive", "MIT", "proc-macro"),
                package("of-derive", "MIT", "lib"),
                package("of-tests", "MIT", "lib"),
                package("of-build", "MIT", "lib"),
            ],
            "resolve": {"nodes": [
                {"id": "main", "deps": needs(&[("a", normal.clone()), ("of-tests", json!("dev")), ("of-build", json!("build"))])},
                {"id": "a", "deps": needs(&[("b", normal.clone()), ("derive", normal.clone())])},
                {"id": "b", "deps": []},
                {"id": "derive", "deps": needs(&[("of-derive", normal)])},
            ]}
        });
        let lock = "[[package]]\nname = \"b\"\nversion = \"1.0.0+c\"\nchecksum = \"0a\"\n";

        let bill = write(&Graph::new(&metadata).unwrap(), &checksums(lock), "main", "program", "ff").unwrap();

        let a = json!({
            "type": "library", "bom-ref": "pkg:cargo/a@1.0.0%2Bc", "name": "a", "version": "1.0.0+c",
            "purl": "pkg:cargo/a@1.0.0%2Bc", "licenses": [{"expression": "MIT OR Apache-2.0"}]
        });
        let b = json!({
            "type": "library", "bom-ref": "pkg:cargo/b@1.0.0%2Bc", "name": "b", "version": "1.0.0+c",
            "purl": "pkg:cargo/b@1.0.0%2Bc", "licenses": [{"expression": "MIT"}],
            "hashes": [{"alg": "SHA-256", "content": "0a"}]
        });
        assert_eq!(bill["components"], json!([a, b]));
        assert_eq!(bill["metadata"]["component"]["hashes"], json!([{"alg": "SHA-256", "content": "ff"}]));
        let root = json!({"ref": "pkg:cargo/main@1.0.0%2Bc", "dependsOn": ["pkg:cargo/a@1.0.0%2Bc"]});
        assert_eq!(bill["dependencies"][2], root);
    }
}
