//! Where Envoy, Kafka, the readers and our own builds lie, and what to do when one is not there.
//!
//! The testbed asks here and starts what it gets; `cargo xtask fetch` puts things there. Nothing in this
//! module downloads. Each function answers with a path that exists, or with an error that names what is
//! missing and the command that supplies it.
//!
//! Fetched parts lie in the cache root, `$TRIBUTARY_PARTS`, else `$XDG_CACHE_HOME/tributary`, else
//! `~/.cache/tributary`; one folder per part and version: `envoy-1.40.0/envoy`, `kafka-4.3.0/libs/*.jar`.

mod pins;
mod tools;

pub use pins::{Client, PINS, Part, Pin};
pub use tools::{
    CC, FAKETIME, JAVA, MAKE, MAVEN, NODE, NPM, OPENSSL, PIP, PKG_CONFIG, PYTHON, RUSTUP, STRACE, Tool, UNSHARE,
    on_path,
};

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// The oldest Java that Kafka 4 runs on. Source: Kafka 4.0 upgrade notes, "Java 17".
const OLDEST_JAVA: u32 = 17;

/// File inside a part's folder that repeats [`Pin::packages`]: a folder made from other pins counts as missing.
const STAMP: &str = "packages.txt";

/// A Kafka to use: one that runs already, or the jars to start one from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KafkaPart {
    /// `$KAFKA_BROKERS`: a running cluster as `host:port[,host:port…]`.
    Running(String),
    /// A folder of jars: `java -cp 'DIR/*' kafka.Kafka server.properties` starts a broker.
    Libs(PathBuf),
}

/// The Envoy binary: `$ENVOY`, else the fetched one, else an `envoy` of the pinned version on PATH.
///
/// # Errors
/// `$ENVOY` names no file, or there is none of the three: `cargo xtask fetch envoy` supplies it.
pub fn envoy() -> Result<PathBuf> {
    if let Some(chosen) = env::var_os("ENVOY").filter(|value| !value.is_empty()) {
        let path = PathBuf::from(chosen);
        ensure!(path.is_file(), "ENVOY={} is not a file: name the envoy binary, or unset it", path.display());
        return Ok(path);
    }
    if let Some(folder) = fetched(Part::Envoy)? {
        return Ok(folder.join("envoy"));
    }
    let pinned = Part::Envoy.pin().version()?;
    if let Some(path) = on_path("envoy").filter(|path| says(path, "--version", &format!("/{pinned}/"))) {
        return Ok(path);
    }
    bail!("Envoy {pinned} is missing: run `cargo xtask fetch envoy`, or set ENVOY to the path of an envoy binary")
}

/// The Kafka to use: `$KAFKA_BROKERS`, else `$KAFKA_HOME/libs`, else the fetched jars.
///
/// # Errors
/// `$KAFKA_HOME` has no `libs`, or none of the three is there: `cargo xtask fetch kafka` supplies it.
pub fn kafka() -> Result<KafkaPart> {
    if let Ok(brokers) = env::var("KAFKA_BROKERS")
        && !brokers.trim().is_empty()
    {
        return Ok(KafkaPart::Running(brokers));
    }
    if let Some(home) = env::var_os("KAFKA_HOME").filter(|value| !value.is_empty()) {
        let libs = PathBuf::from(home).join("libs");
        ensure!(libs.is_dir(), "KAFKA_HOME: {} is not a folder: name an unpacked Kafka, or unset it", libs.display());
        return Ok(KafkaPart::Libs(libs));
    }
    match fetched(Part::Kafka)? {
        Some(folder) => Ok(KafkaPart::Libs(folder.join("libs"))),
        None => bail!(
            "Kafka {} is missing: run `cargo xtask fetch kafka`, or set KAFKA_HOME to an unpacked Kafka, \
             or KAFKA_BROKERS to a running one",
            Part::Kafka.pin().version()?
        ),
    }
}

/// A Java that Kafka runs on: `$JAVA_HOME/bin/java`, else `java` on PATH.
///
/// # Errors
/// There is none, it does not start, or it is older than 17: the error has the command that installs one.
pub fn java() -> Result<PathBuf> {
    let path = match env::var_os("JAVA_HOME").filter(|value| !value.is_empty()) {
        Some(home) => PathBuf::from(home).join("bin").join("java"),
        None => JAVA.path()?,
    };
    // Started, not only looked for: macOS has a /usr/bin/java that does nothing but say that there is none.
    let output = Command::new(&path).arg("-version").stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("{} does not start; {}", path.display(), JAVA.missing()))?;
    let text = String::from_utf8_lossy(&output.stderr);
    match java_version(&text) {
        Some(version) if version >= OLDEST_JAVA => Ok(path),
        Some(version) => bail!("{} is Java {version}, Kafka needs {OLDEST_JAVA}; {}", path.display(), JAVA.missing()),
        None => bail!("{} is no working Java; {}", path.display(), JAVA.missing()),
    }
}

/// The Python interpreter of an environment that has `http-types` 0.0.18 of PyPI.
///
/// # Errors
/// It was not fetched yet: `cargo xtask fetch python-reader`.
pub fn python_readers() -> Result<PathBuf> {
    Ok(needed(Part::PythonReader)?.join("bin").join("python"))
}

/// The folder whose `node_modules` holds `http-types` 0.6.1 of npm.
///
/// # Errors
/// It was not fetched yet: `cargo xtask fetch node-reader`.
pub fn node_readers() -> Result<PathBuf> {
    needed(Part::NodeReader)
}

/// The Python interpreter of an environment that has `openapi-spec-validator`.
///
/// # Errors
/// It was not fetched yet: `cargo xtask fetch python-validator`.
pub fn python_validator() -> Result<PathBuf> {
    Ok(needed(Part::PythonValidator)?.join("bin").join("python"))
}

/// The folder whose `node_modules` holds `@redocly/openapi-core`.
///
/// # Errors
/// It was not fetched yet: `cargo xtask fetch node-validator`.
pub fn node_validator() -> Result<PathBuf> {
    needed(Part::NodeValidator)
}

/// The folder whose `node_modules` holds `kafkajs` of npm.
///
/// # Errors
/// It was not fetched yet: `cargo xtask fetch node-kafka`.
pub fn node_kafka() -> Result<PathBuf> {
    needed(Part::NodeKafka)
}

/// The program `cargo-deny`: the fetched one, else one of the pinned version on PATH.
///
/// # Errors
/// There is none of the two: `cargo xtask fetch cargo-deny` supplies it.
pub fn cargo_deny() -> Result<PathBuf> {
    if let Some(folder) = fetched(Part::CargoDeny)? {
        return Ok(folder.join("cargo-deny"));
    }
    let pinned = Part::CargoDeny.pin().version()?;
    if let Some(path) = on_path("cargo-deny").filter(|path| says(path, "--version", &format!("cargo-deny {pinned}"))) {
        return Ok(path);
    }
    bail!("cargo-deny {pinned} is missing: run `cargo xtask fetch cargo-deny`, or `cargo install cargo-deny@{pinned}`")
}

/// The runner of unit tests in wasm, of the wasm-bindgen version in Cargo.lock.
///
/// # Errors
/// It was not fetched yet: `cargo xtask fetch wasm-bindgen`.
pub fn wasm_test_runner() -> Result<PathBuf> {
    Ok(needed(Part::WasmBindgen)?.join("bin").join("wasm-bindgen-test-runner"))
}

/// The script by which Node runs a program that was built for `wasm32-wasip1`.
pub fn wasi_runner() -> PathBuf {
    workspace_root().join("xtask").join("wasi.mjs")
}

/// Where the build leaves the filter for Envoy; `cargo xtask` builds it, it may be missing or old.
pub fn filter_wasm() -> PathBuf {
    target_dir().join("wasm32-wasip1").join("wasm").join("tributary_filter.wasm")
}

/// Where the build leaves the filter that panics on demand, for the panic drill.
pub fn filter_wasm_of_the_drill() -> PathBuf {
    target_dir().join("wasm32-wasip1").join("wasm-drill").join("tributary_filter.wasm")
}

/// Where the build leaves the benchmark of redaction and writing for V8; it may be missing or old.
pub fn encode_wasm() -> PathBuf {
    target_dir().join("wasm32-wasip1").join("wasm").join("bench-encode.wasm")
}

/// Where the dev build leaves a binary (`tributary-collector`, `tributary`, `users`, `demo`); it may be missing or old.
pub fn binary(name: &str) -> PathBuf {
    target_dir().join("debug").join(name)
}

/// Where the release build leaves a binary, for the benchmarks (`bench`, `tributary-collector`); it may be missing or old.
pub fn release_binary(name: &str) -> PathBuf {
    target_dir().join("release").join(name)
}

/// Where the build leaves the collector that ends itself at named points, for the fault suite.
pub fn collector_with_fail_points() -> PathBuf {
    target_dir().join("debug").join("fail-points").join("tributary-collector")
}

/// The root of the repository.
pub fn workspace_root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// Cargo's target folder, wherever the user's settings put it.
///
/// Found from the running program: cargo marks the folder it was built into with `CACHEDIR.TAG`.
pub fn target_dir() -> PathBuf {
    let program = env::current_exe().ok();
    let marked = program.as_deref().and_then(|program| {
        program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()).map(Path::to_path_buf)
    });
    marked.unwrap_or_else(|| workspace_root().join("target"))
}

/// The folder under which the parts lie, made or not.
///
/// # Errors
/// None of `$TRIBUTARY_PARTS`, `$XDG_CACHE_HOME` and `$HOME` is set.
pub fn cache_root() -> Result<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("TRIBUTARY_PARTS")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("tributary")))
        .or_else(|| set("HOME").map(|home| home.join(".cache").join("tributary")))
        .context("no cache folder: set TRIBUTARY_PARTS to a folder for the fetched parts")
}

/// The folder of a part, made or not: `<cache root>/<name>-<version>`.
///
/// # Errors
/// No cache root, or no version in Cargo.lock for a part that takes its version from there.
pub fn folder(part: Part) -> Result<PathBuf> {
    let pin = part.pin();
    Ok(cache_root()?.join(format!("{}-{}", pin.name, pin.version()?)))
}

/// The folder of a fetched part, if it is whole and made from today's pins.
///
/// # Errors
/// As [`folder`].
pub fn fetched(part: Part) -> Result<Option<PathBuf>> {
    let folder = folder(part)?;
    let stamp = fs::read_to_string(folder.join(STAMP)).unwrap_or_default();
    let whole = stamp == part.pin().stamp()? && folder.join(part.pin().proof).exists();
    Ok(whole.then_some(folder))
}

/// Marks a part's folder as whole; the last step before the folder gets its name.
///
/// # Errors
/// The stamp cannot be written.
pub fn stamp(part: Part, folder: &Path) -> Result<()> {
    let file = folder.join(STAMP);
    fs::write(&file, part.pin().stamp()?).with_context(|| format!("write {}", file.display()))
}

fn needed(part: Part) -> Result<PathBuf> {
    let pin = part.pin();
    let version = pin.version()?;
    fetched(part)?.with_context(|| format!("{} {version} is missing: run `cargo xtask fetch {0}`", pin.name))
}

/// Whether `program flag` prints `wanted`.
fn says(program: &Path, flag: impl AsRef<OsStr>, wanted: &str) -> bool {
    let output = Command::new(program).arg(flag).stdin(Stdio::null()).output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(wanted))
}

/// The feature release in what `java -version` prints: `openjdk version "17.0.15" …` is 17, `"1.8.0_402"` is 1.
fn java_version(text: &str) -> Option<u32> {
    let quoted = text.split('"').nth(1)?;
    quoted.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests;
