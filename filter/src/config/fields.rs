//! One JSON object of the configuration, read field by field against [`SETTINGS`].

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    ConfigError,
    settings::{Allowed, Form, SETTINGS, Setting},
};

/// Reads the fields of one object.
pub(super) struct Fields<'a> {
    /// `collector.` or nothing.
    prefix: &'static str,
    object: Option<&'a Map<String, Value>>,
}

impl<'a> Fields<'a> {
    pub(super) fn of_object(prefix: &'static str, value: &'a Value) -> Result<Fields<'a>, ConfigError> {
        match value {
            Value::Object(object) => Ok(Fields { prefix, object: Some(object) }),
            other => Err(ConfigError::WrongType {
                field: if prefix.is_empty() { "configuration" } else { prefix.trim_end_matches('.') }.to_owned(),
                found: type_of(other),
                allowed: "an object".to_owned(),
            }),
        }
    }

    /// An object that is not there is read as an empty one, so that the message names what is missing inside.
    pub(super) fn object(&self, name: &str, prefix: &'static str) -> Result<Fields<'a>, ConfigError> {
        match self.value(name) {
            Some(value) => Fields::of_object(prefix, value),
            None => Ok(Fields { prefix, object: None }),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<u64, ConfigError> {
        let setting = self.setting(name)?;
        let Allowed::Number { default, min, max } = setting.allowed else { return Err(missing(setting)) };
        let Some(value) = self.value(name) else { return Ok(default) };
        let Value::Number(number) = value else { return Err(wrong_type(setting, value)) };
        match whole(number) {
            Some(whole) if (min..=max).contains(&whole) => Ok(whole),
            _ => Err(out_of_bounds(setting, &number.to_string())),
        }
    }

    pub(super) fn size(&self, name: &str) -> Result<usize, ConfigError> {
        let number = self.number(name)?;
        usize::try_from(number).or_else(|_| Err(out_of_bounds(self.setting(name)?, &number.to_string())))
    }

    pub(super) fn duration(&self, name: &str) -> Result<Duration, ConfigError> {
        self.number(name).map(Duration::from_millis)
    }

    pub(super) fn text(&self, name: &str) -> Result<String, ConfigError> {
        let setting = self.setting(name)?;
        let Allowed::Text { default, form } = setting.allowed else { return Err(missing(setting)) };
        match (self.checked_text(setting, name, form)?, default) {
            (Some(text), _) => Ok(text),
            (None, Some(default)) => Ok(default.to_owned()),
            (None, None) => Err(missing(setting)),
        }
    }

    pub(super) fn optional_text(&self, name: &str) -> Result<Option<String>, ConfigError> {
        let setting = self.setting(name)?;
        let Allowed::OptionalText { form } = setting.allowed else { return Err(missing(setting)) };
        self.checked_text(setting, name, form)
    }

    fn checked_text(&self, setting: &Setting, name: &str, form: Form) -> Result<Option<String>, ConfigError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) if form.allows(text) => Ok(Some(text.clone())),
            Some(Value::String(_)) if form == Form::VariableName => Err(out_of_bounds(setting, "the text (not shown)")),
            Some(Value::String(text)) => Err(out_of_bounds(setting, &format!("{text:?}"))),
            Some(other) => Err(wrong_type(setting, other)),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, ConfigError> {
        let setting = self.setting(name)?;
        match (self.value(name), setting.allowed) {
            (None, Allowed::Flag { default }) => Ok(default),
            (Some(Value::Bool(flag)), _) => Ok(*flag),
            (Some(value), _) => Err(wrong_type(setting, value)),
            _ => Err(missing(setting)),
        }
    }

    /// One of the words of a choice, or its first.
    pub(super) fn choice(&self, name: &str) -> Result<&'static str, ConfigError> {
        let setting = self.setting(name)?;
        let Allowed::Choice { words } = setting.allowed else { return Err(missing(setting)) };
        match self.value(name) {
            None => words.first().copied().ok_or_else(|| missing(setting)),
            Some(Value::String(text)) => match words.iter().find(|word| *word == text) {
                Some(word) => Ok(word),
                None => Err(out_of_bounds(setting, &format!("{text:?}"))),
            },
            Some(other) => Err(wrong_type(setting, other)),
        }
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, ConfigError> {
        let setting = self.setting(name)?;
        let Some(value) = self.value(name) else { return Ok(Vec::new()) };
        let entries = value.as_array().ok_or_else(|| wrong_type(setting, value))?;
        let text = |entry: &Value| entry.as_str().map(str::to_owned).ok_or_else(|| wrong_type(setting, entry));
        entries.iter().map(text).collect()
    }

    pub(super) fn optional_texts(&self, name: &str) -> Result<Option<Vec<String>>, ConfigError> {
        self.value(name).map(|_| self.texts(name)).transpose()
    }

    /// A list whose entries are words that mean something; one that means nothing is refused.
    pub(super) fn words<T>(&self, name: &str, meaning: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, ConfigError> {
        let setting = self.setting(name)?;
        let word = |text: &String| meaning(text).ok_or_else(|| out_of_bounds(setting, &format!("{text:?}")));
        self.texts(name)?.iter().map(word).collect()
    }

    /// Refuses the first field that [`SETTINGS`] does not know.
    pub(super) fn refuse_unknown(&self) -> Result<(), ConfigError> {
        let names = self.object.into_iter().flat_map(Map::keys);
        for name in names {
            let field = format!("{}{name}", self.prefix);
            if !self.known().any(|known| known == field) {
                let known: Vec<&str> = self.known().collect();
                return Err(ConfigError::Unknown { field: shortened(&field), known: known.join(", ") });
            }
        }
        Ok(())
    }

    /// The whole names of the settings of this object.
    fn known(&self) -> impl Iterator<Item = &'static str> {
        let prefix = self.prefix;
        SETTINGS
            .iter()
            .map(|setting| setting.name)
            .filter(move |name| name.strip_prefix(prefix).is_some_and(|rest| !rest.contains('.')))
    }

    fn setting(&self, name: &str) -> Result<&'static Setting, ConfigError> {
        let field = format!("{}{name}", self.prefix);
        SETTINGS
            .iter()
            .find(|setting| setting.name == field)
            .ok_or_else(|| ConfigError::Unknown { field, known: String::new() })
    }

    fn value(&self, name: &str) -> Option<&'a Value> {
        self.object?.get(name)
    }
}

/// A whole number, also when it comes as `65536.0`: configurations that pass through protobuf's `Struct` (Istio) know
/// only floating point.
fn whole(number: &serde_json::Number) -> Option<u64> {
    /// Above this, not every whole number has a floating point form.
    const EXACT: f64 = 9_007_199_254_740_992.0;

    number.as_u64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=EXACT).contains(float))?;
        Some(float as u64)
    })
}

fn missing(setting: &Setting) -> ConfigError {
    ConfigError::Missing { field: setting.name.to_owned(), allowed: format!("allowed: {}", setting.allowed) }
}

fn wrong_type(setting: &Setting, value: &Value) -> ConfigError {
    ConfigError::WrongType {
        field: setting.name.to_owned(),
        found: type_of(value),
        allowed: setting.allowed.to_string(),
    }
}

fn out_of_bounds(setting: &Setting, value: &str) -> ConfigError {
    ConfigError::OutOfBounds {
        field: setting.name.to_owned(),
        value: shortened(value),
        allowed: setting.allowed.to_string(),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// At most 60 characters, so that a slip does not fill Envoy's log.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
