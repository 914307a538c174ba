//! The second wall: what the filter masks is masked here again, for lines that others post and for bodies that came
//! compressed, before anything is stored.
//!
//! It costs a look at the texts of each line. A line in which nothing is found passes byte for byte; our own filter's
//! lines are such, but for their compressed bodies.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use thiserror::Error;
use tributary_http_types::{CheckedLine, HttpExchange};
use tributary_redact::{Key, KeyError, Redactor, Settings, SettingsError, withhold_packed};

/// Bytes of a file of settings.
const MAX_CONFIG_BYTES: u64 = 65_536;

/// What is done to lines before they are stored.
#[derive(Debug)]
pub(crate) enum Masking {
    /// They are masked.
    On(Box<Redactor>),
    /// Whoever posts has masked them; compressed bodies, which no filter looks into, are left out.
    FilterOnly,
}

/// The wall, and what it has done.
#[derive(Debug)]
pub(crate) struct Wall {
    masking: Masking,
    /// Secrets masked here.
    pub masked: AtomicU64,
    /// Compressed bodies left out here.
    pub withheld: AtomicU64,
}

impl Default for Wall {
    /// Of the default settings.
    fn default() -> Wall {
        Wall::new(Masking::On(Box::default()))
    }
}

/// Why the wall cannot be built: a setting is wrong.
#[derive(Debug, Error)]
pub enum WallError {
    /// The file of `--redact-config` cannot be read.
    #[error("--redact-config {path}")]
    Config {
        /// As given.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is too large to be one.
    #[error("--redact-config {path}: {bytes} bytes; at most 65536 are allowed")]
    ConfigTooLarge {
        /// As given.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// It is no JSON object of settings.
    #[error("--redact-config {path}: {reason}")]
    ConfigNotSettings {
        /// As given.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// A setting in it is wrong.
    #[error("--redact-config")]
    Settings(#[source] SettingsError),
    /// The file of `--redact-key-file` cannot be read.
    #[error("--redact-key-file {path}")]
    KeyFile {
        /// As given.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The variable that `key_env` names is not there.
    #[error("--redact-config, key_env: there is no environment variable {variable}; give it, or --redact-key-file")]
    NoVariable {
        /// Its name.
        variable: String,
    },
    /// What was found is no key. It is not shown.
    #[error("the key of redaction")]
    Key(#[source] KeyError),
}

impl Wall {
    /// The wall as the settings want it. `variable` looks into the environment.
    ///
    /// # Errors
    /// All of [`WallError`].
    pub(crate) fn open(
        config: Option<&Path>,
        key_file: Option<&Path>,
        variable: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Wall, WallError> {
        let settings = config.map(read_settings).transpose()?.unwrap_or_default();
        let key = match (key_file, &settings.key_env) {
            (Some(path), _) => Some(read_key(path)?),
            (None, Some(name)) => Some(variable(name).ok_or_else(|| WallError::NoVariable { variable: name.clone() })?),
            (None, None) => None,
        };
        let key = key.map(|key| Key::new(&key)).transpose().map_err(WallError::Key)?;
        let redactor = Redactor::new(settings, key).map_err(WallError::Settings)?;
        Ok(Wall::new(Masking::On(Box::new(redactor))))
    }

    /// A wall that is none.
    pub(crate) fn filter_only() -> Wall {
        Wall::new(Masking::FilterOnly)
    }

    fn new(masking: Masking) -> Wall {
        Wall { masking, masked: AtomicU64::new(0), withheld: AtomicU64::new(0) }
    }

    /// The parts of the traffic that are not masked here because the settings say so, each by a word.
    pub(crate) fn open_parts(&self) -> [(&'static str, bool); 3] {
        let settings = match &self.masking {
            Masking::On(redactor) => Some(redactor.settings()),
            Masking::FilterOnly => None,
        };
        [
            ("lines", settings.is_none()),
            ("bodies", settings.is_some_and(|settings| !settings.bodies)),
            ("query", settings.is_some_and(|settings| !settings.query)),
        ]
    }

    /// What an operator should know.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = String> {
        self.open_parts().into_iter().filter(|(_, is_open)| *is_open).map(|(part, _)| match part {
            "lines" => "posted lines are not masked: --redact filter-only is given".to_owned(),
            part => format!("{part} are not masked: --redact-config says so"),
        })
    }

    /// Whether compressed bodies may be decoded: nobody would mask what came out.
    pub(crate) fn may_unpack(&self) -> bool {
        matches!(self.masking, Masking::On(_))
    }

    /// A line without packed bodies, masked. `None`: it passes as it is.
    pub(crate) fn line(&self, line: &[u8], checked: &CheckedLine<'_>) -> Option<HttpExchange> {
        let Masking::On(redactor) = &self.masking else { return None };
        if !redactor.finds(checked) {
            return None;
        }
        // It was checked: it can be read.
        let mut exchange = HttpExchange::from_line(line).ok()?;
        self.exchange(&mut exchange).then_some(exchange)
    }

    /// Masks an exchange whose compressed bodies were decoded as far as they can be. Whether it changed.
    pub(crate) fn exchange(&self, exchange: &mut HttpExchange) -> bool {
        let withheld = withhold_packed(exchange);
        let masked = match &self.masking {
            Masking::On(redactor) => redactor.mask_exchange(exchange).total(),
            Masking::FilterOnly => 0,
        };
        self.withheld.fetch_add(withheld, Ordering::Relaxed);
        self.masked.fetch_add(masked, Ordering::Relaxed);
        withheld > 0 || masked > 0
    }
}

/// A line in the topic has no line break.
pub(crate) fn without_break(mut line: Vec<u8>) -> Vec<u8> {
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    line
}

fn read_settings(path: &Path) -> Result<Settings, WallError> {
    let failed = |source| WallError::Config { path: path.to_owned(), source };
    let bytes = fs::metadata(path).map_err(failed)?.len();
    if bytes > MAX_CONFIG_BYTES {
        return Err(WallError::ConfigTooLarge { path: path.to_owned(), bytes });
    }
    let text = fs::read(path).map_err(failed)?;
    serde_json::from_slice(&text)
        .map_err(|error| WallError::ConfigNotSettings { path: path.to_owned(), reason: error.to_string() })
}

/// The key is all of the file but a line break at its end.
fn read_key(path: &Path) -> Result<Vec<u8>, WallError> {
    let failed = |source| WallError::KeyFile { path: path.to_owned(), source };
    let mut key = fs::read(path).map_err(failed)?;
    while key.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        key.pop();
    }
    Ok(key)
}

#[cfg(test)]
mod tests;
