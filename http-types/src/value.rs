//! A JSON value as a tree, as it is written.
//!
//! Not by `serde_json::Value`'s own reader: with the feature `raw_value`, which a crate of somebody else may switch on, that
//! one takes an object whose first key is `$serde_json::private::RawValue` for a note of its own, and puts what its text
//! says in the object's place. Who writes the line could make two readers see two things in it.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

use crate::{fields::Text, names::StandsTwice};

/// Reads a JSON value. Of a name that stands twice in an object the last value is taken.
///
/// # Errors
/// It is no JSON, or nested deeper than 128 levels.
pub fn json_value(text: &[u8]) -> serde_json::Result<Value> {
    let deserializer = &mut serde_json::Deserializer::from_slice(text);
    let value = Tree(Twice::LastOne).deserialize(&mut *deserializer)?;
    deserializer.end().map(|()| value)
}

/// What becomes of a name that stands twice in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twice {
    /// It is an error: readers would differ about it.
    Refused,
    /// Its last value is taken.
    LastOne,
}

/// Any value.
#[derive(Clone, Copy)]
pub(crate) struct Tree(pub(crate) Twice);

impl<'de> DeserializeSeed<'de> for Tree {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        object_of(map, self.0).map(Value::Object)
    }
}

/// The names and values of an object.
pub(crate) fn object_of<'de, A: MapAccess<'de>>(mut map: A, twice: Twice) -> Result<Map<String, Value>, A::Error> {
    let mut object = Map::new();
    while let Some(name) = map.next_key::<Text<'de>>()? {
        let name = name.0.into_owned();
        if twice == Twice::Refused && object.contains_key(&name) {
            return Err(A::Error::custom(StandsTwice(&name)));
        }
        let value = map.next_value_seed(Tree(twice))?;
        object.insert(name, value);
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_read_as_it_is_written() {
        let cases = [
            (
                r#"{"a":[1,-2,1.5,true,null,"x\n",{}],"b":""}"#,
                json!({"a": [1, -2, 1.5, true, null, "x\n", {}], "b": ""}),
            ),
            ("18446744073709551615", json!(u64::MAX)),
            (r#"{"a":1,"a":2}"#, json!({"a": 2})),
        ];

        for (text, value) in cases {
            assert_eq!(json_value(text.as_bytes()).unwrap(), value, "{text}");
        }
        for broken in ["", "{", "[1] 2", "{\"a\"}", "nul"] {
            assert!(json_value(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn an_object_that_looks_like_a_note_of_the_parser_is_an_object() {
        let key = "$serde_json::private::RawValue";
        for inner in ["{\"password\":\"x\"}", "not JSON", ""] {
            let text = json!([{key: inner, "b": 1}, {"a": {key: inner}}]).to_string();

            assert_eq!(json_value(text.as_bytes()).unwrap().to_string(), text);
        }
    }
}
