//! What an operator may set: the filter's setting `redact`, and the collector's `--redact-config`.

use serde::Deserialize;
use thiserror::Error;

use crate::{custom, names, url};

/// The settings. Absent ones have the defaults, and the defaults mask; nothing here can show a sensitive header.
///
/// ```json
/// {"names":["customer-number"],"allow":["signature"],"patterns":["emp-[0-9]{6}"],"paths":["/reset/{secret}"]}
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Further sensitive names: whatever has these words in a row. At most 64, of 1 to 64 bytes.
    pub names: Vec<String>,
    /// Names that are harmless: of exactly these words, outside headers. At most 64; a name that is sensitive for good
    /// is refused.
    pub allow: Vec<String>,
    /// The only headers and trailers whose values are shown, by whole name; the values of all others are masked, but for
    /// those that say what a body is (`content-type`, `content-encoding`, `content-length`, `grpc-encoding`). Default:
    /// all are shown but the sensitive ones. At most 64, of 1 to 64 bytes; a sensitive name is refused.
    pub only_headers: Option<Vec<String>>,
    /// Further patterns of secret values. At most 16, of 1 to 128 bytes; the language stands in the README.
    pub patterns: Vec<String>,
    /// Which segments of which paths are secrets: `/reset/{secret}`. At most 32, of 1 to 512 bytes.
    pub paths: Vec<String>,
    /// Whether bodies are masked. Default: yes.
    pub bodies: bool,
    /// Whether the query is masked. Default: yes.
    pub query: bool,
    /// What becomes of a body that is not what its content type says. Default: [`Unparseable::Scan`].
    pub unparseable: Unparseable,
    /// What becomes of a compressed body. Default: [`Compressed::Pass`].
    pub compressed: Compressed,
    /// The environment variable that holds the key of the tokens; whoever reads the settings fetches it.
    pub key_env: Option<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            names: Vec::new(),
            allow: Vec::new(),
            only_headers: None,
            patterns: Vec::new(),
            paths: Vec::new(),
            bodies: true,
            query: true,
            unparseable: Unparseable::default(),
            compressed: Compressed::default(),
            key_env: None,
        }
    }
}

/// See [`Settings::unparseable`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unparseable {
    /// It is searched for secret values, and for names with values as far as they can be made out.
    #[default]
    Scan,
    /// It is left out.
    Drop,
}

/// See [`Settings::compressed`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compressed {
    /// It passes as it is: the collector decodes and masks it before anything is stored.
    #[default]
    Pass,
    /// It is left out: for a collector that does not mask.
    Drop,
}

/// The most entries of each list.
pub(crate) const MOST_NAMES: usize = 64;
pub(crate) const MOST_PATTERNS: usize = 16;
pub(crate) const MOST_PATHS: usize = 32;

/// Bytes of a name.
const MOST_NAME_BYTES: usize = 64;

/// Why settings are refused: repair the field that is named.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SettingsError {
    /// A list is too long.
    #[error("{field}: {count} entries are not allowed; allowed: at most {most}")]
    TooMany {
        /// The field.
        field: &'static str,
        /// Its entries.
        count: usize,
        /// The most.
        most: usize,
    },
    /// It is no name.
    #[error("{field}: {name:?} is not allowed; allowed: 1 to 64 bytes with a letter or a digit")]
    NotAName {
        /// The field.
        field: &'static str,
        /// What stands there, cut at 60 characters.
        name: String,
    },
    /// Somebody wants to see what nobody may.
    #[error("{field}: {name:?} is not allowed; allowed: a name that is not sensitive for good (a password, a token …)")]
    Sensitive {
        /// The field.
        field: &'static str,
        /// The name.
        name: String,
    },
    /// It is no pattern.
    #[error("patterns: {pattern:?} is not allowed: it {reason}; allowed: the patterns that the README describes")]
    NotAPattern {
        /// What stands there, cut at 60 characters.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It is no path rule.
    #[error("paths: {rule:?} is not allowed: it {reason}; allowed: a path like /reset/{{secret}}")]
    NotAPath {
        /// What stands there, cut at 60 characters.
        rule: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl Settings {
    pub(crate) fn read_names(&self) -> Result<names::Names, SettingsError> {
        let extra = own_names("names", &self.names)?;
        let allow = own_names("allow", &self.allow)?;
        if let Some(name) = self.allow.iter().find(|name| names::is_sensitive_always(name)) {
            return Err(SettingsError::Sensitive { field: "allow", name: name.clone() });
        }
        let only_headers = self.only_headers.as_deref().map(header_names).transpose()?;
        Ok(names::Names { extra, allow, only_headers })
    }

    pub(crate) fn read_patterns(&self) -> Result<Vec<custom::Pattern>, SettingsError> {
        at_most("patterns", &self.patterns, MOST_PATTERNS)?;
        let read = |pattern: &String| {
            custom::Pattern::read(pattern)
                .map_err(|reason| SettingsError::NotAPattern { pattern: shortened(pattern), reason })
        };
        self.patterns.iter().map(read).collect()
    }

    pub(crate) fn read_paths(&self) -> Result<Vec<url::PathRule>, SettingsError> {
        at_most("paths", &self.paths, MOST_PATHS)?;
        let read = |rule: &String| {
            url::PathRule::read(rule).map_err(|reason| SettingsError::NotAPath { rule: shortened(rule), reason })
        };
        self.paths.iter().map(read).collect()
    }
}

fn own_names(field: &'static str, names: &[String]) -> Result<Vec<names::OwnName>, SettingsError> {
    at_most(field, names, MOST_NAMES)?;
    let read = |name: &String| {
        let own = names::own_name(name);
        if own.is_empty() || name.len() > MOST_NAME_BYTES {
            return Err(SettingsError::NotAName { field, name: shortened(name) });
        }
        Ok(own)
    };
    names.iter().map(read).collect()
}

/// Names of headers in small letters.
fn header_names(names: &[String]) -> Result<Vec<String>, SettingsError> {
    const FIELD: &str = "only_headers";

    at_most(FIELD, names, MOST_NAMES)?;
    let read = |name: &String| {
        let lower = name.to_ascii_lowercase();
        if names::is_sensitive_header(&lower) {
            return Err(SettingsError::Sensitive { field: FIELD, name: shortened(name) });
        }
        if !(1..=MOST_NAME_BYTES).contains(&name.len()) || names::own_name(name).is_empty() {
            return Err(SettingsError::NotAName { field: FIELD, name: shortened(name) });
        }
        Ok(lower)
    };
    names.iter().map(read).collect()
}

fn at_most(field: &'static str, entries: &[String], most: usize) -> Result<(), SettingsError> {
    match entries.len() {
        count if count > most => Err(SettingsError::TooMany { field, count, most }),
        _ => Ok(()),
    }
}

/// At most 60 characters, so that a slip does not fill a log.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Redactor;

    fn refused(json: &str) -> String {
        let settings: Settings = serde_json::from_str(json).unwrap();
        Redactor::new(settings, None).unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_are_the_absent_settings() {
        assert_eq!(serde_json::from_str::<Settings>("{}").unwrap(), Settings::default());
        assert!(serde_json::from_str::<Settings>(r#"{"mode":"off"}"#).is_err());
    }

    #[test]
    fn every_field_is_read() {
        let json = r#"{"names":["a"],"allow":["b"],"only_headers":["c"],"patterns":["abcd"],"paths":["/{x}"],"bodies":false,"query":false,
                       "unparseable":"drop","compressed":"drop","key_env":"KEY"}"#;

        assert_eq!(
            serde_json::from_str::<Settings>(json).unwrap(),
            Settings {
                names: vec!["a".to_owned()],
                allow: vec!["b".to_owned()],
                only_headers: Some(vec!["c".to_owned()]),
                patterns: vec!["abcd".to_owned()],
                paths: vec!["/{x}".to_owned()],
                bodies: false,
                query: false,
                unparseable: Unparseable::Drop,
                compressed: Compressed::Drop,
                key_env: Some("KEY".to_owned()),
            }
        );
    }

    #[test]
    fn bad_settings_are_refused_by_name_and_value() {
        let cases = [
            (r#"{"names":["--"]}"#, r#"names: "--" is not allowed; allowed: 1 to 64 bytes with a letter or a digit"#),
            (
                r#"{"allow":["Access_Token"]}"#,
                "allow: \"Access_Token\" is not allowed; allowed: a name that is not sensitive for good (a password, a token …)",
            ),
            (
                r#"{"only_headers":["accept","X-Api-Key"]}"#,
                "only_headers: \"X-Api-Key\" is not allowed; allowed: a name that is not sensitive for good (a password, a token …)",
            ),
            (
                r#"{"only_headers":[""]}"#,
                r#"only_headers: "" is not allowed; allowed: 1 to 64 bytes with a letter or a digit"#,
            ),
            (
                r#"{"patterns":["(a)"]}"#,
                "patterns: \"(a)\" is not allowed: it has ( ) | ^ or $, which are not known; write \\ before a sign; \
                 allowed: the patterns that the README describes",
            ),
            (
                r#"{"paths":["reset"]}"#,
                "paths: \"reset\" is not allowed: it does not start with /; allowed: a path like /reset/{secret}",
            ),
        ];

        for (json, message) in cases {
            assert_eq!(refused(json), message);
        }
    }

    #[test]
    fn lists_have_bounds() {
        for (field, entry, most) in [
            ("names", "name", MOST_NAMES),
            ("allow", "name", MOST_NAMES),
            ("only_headers", "name", MOST_NAMES),
            ("patterns", "abcd", MOST_PATTERNS),
            ("paths", "/{x}", MOST_PATHS),
        ] {
            let json =
                |count: usize| format!("{{\"{field}\":{}}}", serde_json::to_string(&vec![entry; count]).unwrap());
            assert!(Redactor::new(serde_json::from_str(&json(most)).unwrap(), None).is_ok());
            assert_eq!(
                refused(&json(most + 1)),
                format!("{field}: {} entries are not allowed; allowed: at most {most}", most + 1)
            );
        }
        assert!(refused(&format!(r#"{{"names":["{}"]}}"#, "x".repeat(65))).len() < 200);
    }
}
