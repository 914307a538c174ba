//! The files that an Envoy of the testbed reads.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{Config, listeners};
use crate::process::Scratch;

/// The files of an Envoy.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) scratch: Scratch,
    /// The file of the listeners, if they can be changed.
    pub(super) listeners: Option<PathBuf>,
}

impl Files {
    pub(super) fn new(scratch: Scratch, updatable: bool) -> Result<Files> {
        let listeners = updatable.then(|| scratch.file("watched").join("listeners.json"));
        if let Some(folder) = listeners.as_deref().and_then(Path::parent) {
            std::fs::create_dir(folder).context("make a folder for Envoy's listeners")?;
        }
        Ok(Files { scratch, listeners })
    }

    pub(super) fn config(&self) -> PathBuf {
        self.scratch.file("envoy.json")
    }

    pub(super) fn write(&self, mut config: Config, version: u64) -> Result<()> {
        if let Some(file) = &self.listeners {
            let listeners = listeners::split_off(&mut config, file, version)?;
            // Envoy watches for a rename, and must never read half a file.
            let next = self.scratch.file("listeners.next");
            std::fs::write(&next, listeners).context("write Envoy's listeners")?;
            std::fs::rename(&next, file).context("put Envoy's listeners in place")?;
        }
        std::fs::write(self.config(), config.to_json()).context("write Envoy's configuration")
    }

    /// Makes a certificate for `localhost` and 127.0.0.1.
    pub(super) fn certificate(&self) -> Result<(PathBuf, PathBuf)> {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).context("make a certificate")?;
        let (certificate, key) = (self.scratch.file("certificate.pem"), self.scratch.file("key.pem"));
        std::fs::write(&certificate, made.cert.pem()).context("write the certificate")?;
        std::fs::write(&key, made.signing_key.serialize_pem()).context("write the key")?;
        Ok((certificate, key))
    }
}
