use super::pins::locked_version;
use super::*;

#[test]
fn version_follows_the_name_in_cargo_lock() {
    let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.80\"\n\n\
                [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"registry\"\n";

    assert_eq!(locked_version(lock, "wasm-bindgen"), Some("0.2.130".to_owned()));
    assert_eq!(locked_version(lock, "wasm-bindgen-cli"), None);
}

#[test]
fn every_part_finds_its_own_row_by_value_and_by_name() {
    for pin in &PINS {
        assert_eq!(pin.part.pin().name, pin.name);
        assert_eq!(Part::named(pin.name), Some(pin.part));
    }
    assert_eq!(Part::named("zookeeper"), None);
}

#[test]
fn first_package_carries_the_version_of_its_row() {
    let pinned = [Part::Envoy, Part::Kafka, Part::PythonReader, Part::NodeReader];
    let others = [Part::PythonValidator, Part::NodeValidator, Part::CargoDeny, Part::NodeKafka];
    for part in pinned.into_iter().chain(others) {
        let pin = part.pin();
        let version = pin.version().unwrap();

        assert!(pin.packages[0].split([' ', ':', '@', '=']).any(|word| word == version), "{}", pin.name);
    }
}

#[test]
fn locks_hold_the_pinned_package_and_a_hash_for_each_they_name() {
    let python = Part::PythonValidator.pin();
    let requirements = python.lock.lines().filter(|line| line.contains("=="));
    assert!(python.lock.contains(&format!("\n{} \\\n    --hash=sha256:", python.packages[0])));
    assert!(requirements.filter(|line| !line.starts_with('#')).all(|line| line.ends_with('\\')));

    let node = Part::NodeValidator.pin();
    let lock: serde_json::Value = serde_json::from_str(node.lock).unwrap();
    let packages = lock["packages"].as_object().unwrap();
    let (name, version) = node.packages[0].rsplit_once('@').unwrap();
    assert_eq!(packages[""]["dependencies"][name], version);
    assert_eq!(packages[&format!("node_modules/{name}")]["version"], version);
    let hashed = |entry: &serde_json::Value| entry["integrity"].as_str().is_some_and(|it| it.starts_with("sha512-"));
    assert!(packages.iter().all(|(path, entry)| path.is_empty() || hashed(entry)));
}

#[test]
fn versions_from_files_of_the_repository_are_found() {
    assert!(Part::WasmBindgen.pin().version().unwrap().starts_with("0.2."));
    assert_eq!(Part::RustTargets.pin().version().unwrap().split('.').count(), 3);
}

#[test]
fn java_version_is_read_from_both_numbering_schemes() {
    assert_eq!(java_version("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime"), Some(17));
    assert_eq!(java_version("java version \"1.8.0_402\""), Some(1));
    assert_eq!(java_version("openjdk version \"26-ea\""), Some(26));
    assert_eq!(java_version("The operation couldn't be completed."), None);
}

#[test]
fn missing_tool_is_named_with_reason_and_both_commands() {
    assert_eq!(
        MAVEN.missing(),
        "mvn is missing, needed to fetch Kafka: Debian/Ubuntu `sudo apt-get install maven`, macOS `brew install maven`"
    );
}

#[test]
fn target_folder_is_the_one_this_test_was_built_into() {
    let program = env::current_exe().unwrap();

    assert!(program.starts_with(target_dir()), "{} in {}", program.display(), target_dir().display());
    assert!(filter_wasm().starts_with(target_dir()));
}
