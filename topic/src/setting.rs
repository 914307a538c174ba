//! One setting of librdkafka, whose value is never shown.

use std::{fmt, str::FromStr};

use secrecy::{ExposeSecret as _, SecretString};

/// A setting of librdkafka: `sasl.password=…`. Its value may be a password, and nobody knows all that are: so no value
/// can be printed, and its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct Setting {
    name: String,
    value: SecretString,
}

impl Setting {
    /// This value for this setting.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Setting {
        Setting { name: name.into(), value: SecretString::from(value.into()) }
    }

    /// Its name, as librdkafka spells it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value, for librdkafka and nothing else: never for a log, an error or an answer.
    pub fn reveal(&self) -> &str {
        self.value.expose_secret()
    }
}

/// Shows the name only.
impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=…", self.name)
    }
}

/// `name=value`; the value may hold `=`, and be empty. Spaces around both are dropped.
impl FromStr for Setting {
    type Err = NotASetting;

    fn from_str(text: &str) -> Result<Setting, NotASetting> {
        match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => Ok(Setting::new(name.trim(), value.trim())),
            _ => Err(NotASetting),
        }
    }
}

/// A text that is no `name=value`. It is not shown: a password may have been pasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not name=value, like security.protocol=SASL_SSL")]
pub struct NotASetting;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_split_at_the_first_equals_sign() {
        let setting: Setting = " sasl.password=a=b,c;d ".parse().expect("a setting");

        assert_eq!((setting.name(), setting.reveal()), ("sasl.password", "a=b,c;d"));
    }

    #[test]
    fn a_text_without_a_name_or_an_equals_sign_is_none() {
        for text in ["", "linger.ms", "=5", " = "] {
            assert_eq!(text.parse::<Setting>().map(drop), Err(NotASetting), "{text:?}");
        }
        assert_eq!("a=".parse::<Setting>().expect("a setting").reveal(), "");
    }

    #[test]
    fn no_form_shows_the_value() {
        let setting = Setting::new("sasl.password", "hunter2");

        assert_eq!(format!("{setting:?} {:#?}", vec![&setting]), "sasl.password=… [\n    sasl.password=…,\n]");
    }
}
