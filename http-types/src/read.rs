//! The reader: one line into an [`HttpExchange`], with an error that names the field.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Map, Value, error::Category};

use crate::{
    HttpExchange, ReadError,
    error::{public_reason, shortened},
    exchange::WireExchange,
    value::{Twice, object_of},
};

impl HttpExchange {
    /// Reads one line, with or without its line break.
    ///
    /// Strict about the schema: unknown keys in the exchange, the request and the response, values of a wrong type
    /// (`null` too) and names that stand twice are refused. Nesting is bounded at 128 levels.
    ///
    /// # Errors
    /// - [`ReadError::NotJson`]: the line is cut or broken; repair or drop it.
    /// - [`ReadError::NotAnExchange`]: JSON, but not of this format; repair the field it names.
    pub fn from_line(line: &[u8]) -> Result<HttpExchange, ReadError> {
        parsed::<WireExchange>(line).map(HttpExchange::from)
    }
}

/// Parses a line; only a failing line is parsed again, slower, to learn where it fails.
pub(crate) fn parsed<'de, T: Deserialize<'de>>(line: &'de [u8]) -> Result<T, ReadError> {
    let deserializer = &mut serde_json::Deserializer::from_slice(line);
    object(&mut *deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| explained::<T>(line, &error))
}

fn explained<'de, T: Deserialize<'de>>(line: &'de [u8], error: &serde_json::Error) -> ReadError {
    if error.classify() != Category::Data {
        return ReadError::NotJson { column: error.column(), reason: public_reason(&error.to_string()) };
    }
    let deserializer = &mut serde_json::Deserializer::from_slice(line);
    let mut track = serde_path_to_error::Track::new();
    // The verdict is known; this run only follows the path to the place where it fell.
    let _ = object::<T, _>(serde_path_to_error::Deserializer::new(deserializer, &mut track));
    let path = track.path();
    let field = match path.iter().len() {
        0 => "exchange".to_owned(),
        _ => shortened(&path.to_string(), MAX_PATH_CHARS).to_owned(),
    };
    ReadError::NotAnExchange { field, reason: public_reason(&error.to_string()) }
}

/// How much of the path to a field an error names; the names in it are the line's.
const MAX_PATH_CHARS: usize = 80;

/// A JSON object and nothing else: a derived reader would take an array of the values too.
pub(crate) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(ObjectVisitor(PhantomData))
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// As [`object`], for one that may be missing.
pub(crate) fn present_object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    object(deserializer).map(Some)
}

/// A string, borrowed from the line where it has no escapes.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, str>, D::Error> {
    deserializer.deserialize_str(TextVisitor)
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A value that may be missing but not `null`: the schema has no null.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A status: a whole number from 100 to 999.
pub(crate) fn status_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let code = f64::deserialize(deserializer)?;
    if (100.0..=999.0).contains(&code) && code.fract() == 0.0 {
        return Ok(code as u16);
    }
    Err(D::Error::custom(format_args!("{code} is not a status (a whole number from 100 to 999)")))
}

/// `meta`: any object in which no name stands twice.
pub(crate) struct MetaObject(pub(crate) Map<String, Value>);

impl<'de> Deserialize<'de> for MetaObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MetaVisitor)
    }
}

struct MetaVisitor;

impl<'de> Visitor<'de> for MetaVisitor {
    type Value = MetaObject;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MetaObject, A::Error> {
        object_of(map, Twice::Refused).map(MetaObject)
    }
}

#[cfg(test)]
mod tests;
