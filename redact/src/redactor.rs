//! The rules, read once and used for every exchange.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Key, Settings, SettingsError, custom::Pattern, names::Names, patterns, text::Table, url::PathRule};

/// Masks what is secret. Made once from the settings; it keeps nothing of what it has seen.
///
/// ```
/// use tributary_redact::{Redactor, Settings};
///
/// let redactor = Redactor::new(Settings::default(), None)?;
///
/// assert_eq!(redactor.header(b"authorization", b"Bearer s3cret"), Some(b"Bearer [redacted]".to_vec()));
/// assert_eq!(redactor.header(b"accept", b"*/*"), None);
/// # Ok::<(), tributary_redact::SettingsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Redactor {
    settings: Settings,
    key: Option<Key>,
    pub(crate) names: Names,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) paths: Vec<PathRule>,
    pub(crate) table: Table,
    /// Tells it from other rules; a clone has the same.
    pub(crate) id: u64,
}

/// Another number for each.
fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Redactor {
    /// The redactor of these settings; with a key, tokens stand for secrets.
    ///
    /// # Errors
    /// [`SettingsError`]: the operator has to repair the field that it names.
    pub fn new(settings: Settings, key: Option<Key>) -> Result<Redactor, SettingsError> {
        let patterns = settings.read_patterns()?;
        Ok(Redactor {
            names: settings.read_names()?,
            paths: settings.read_paths()?,
            table: Table::new(|byte| patterns.iter().any(|pattern| pattern.may_begin_with(byte))),
            patterns,
            settings,
            key,
            id: next_id(),
        })
    }

    /// The settings it was made from.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether a part of the traffic is not masked because the settings say so.
    pub fn is_weakened(&self) -> bool {
        !self.settings.bodies || !self.settings.query
    }

    /// The value of one header or trailer, masked; `None`: there is nothing to mask in it.
    pub fn header(&self, name: &[u8], value: &[u8]) -> Option<Vec<u8>> {
        crate::header::masked(self, name, value).map(|masked| masked.bytes)
    }

    /// Appends what stands for a secret: a token, or without a key `plain`.
    pub(crate) fn stand_in(&self, secret: &[u8], plain: &str, out: &mut Vec<u8>) {
        match &self.key {
            Some(key) => out.extend_from_slice(key.token(secret).as_bytes()),
            None => out.extend_from_slice(plain.as_bytes()),
        }
    }

    pub(crate) fn is_card_number(&self, digits: &[u8]) -> bool {
        (14..=19).contains(&digits.len()) && patterns::is_card_number(digits)
    }
}

impl Default for Redactor {
    /// Of the default settings, without a key.
    fn default() -> Redactor {
        Redactor {
            settings: Settings::default(),
            key: None,
            names: Names::default(),
            patterns: Vec::new(),
            paths: Vec::new(),
            table: Table::new(|_| false),
            id: next_id(),
        }
    }
}

impl PartialEq for Redactor {
    /// All else is made from these two.
    fn eq(&self, other: &Redactor) -> bool {
        self.settings == other.settings && self.key == other.key
    }
}

impl Eq for Redactor {}
