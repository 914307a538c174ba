//! A JSON value, borrowed from its text: what a sketch needs of it, and no more.
//!
//! Not `serde_json::Value`: its maps hash and copy each name, which costs more than all that is done with them here.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

/// A JSON value. The values of numbers and booleans are not kept, for they teach nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Boolean,
    /// Without a fraction, and within 64 bits.
    Integer,
    /// Any other number.
    Decimal,
    Text(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    /// Names and values, in order; of a name that stands twice, the last value.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Reads a JSON text; `None` if it is none. Nesting is bounded at 128 levels.
    pub(crate) fn read(text: &'a str) -> Option<Json<'a>> {
        serde_json::from_str(text).ok()
    }
}

/// A string, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json<'de>, E> {
        Ok(Json::Boolean)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json<'de>, E> {
        Ok(Json::Integer)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json<'de>, E> {
        Ok(Json::Integer)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json<'de>, E> {
        Ok(Json::Decimal)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut members: Vec<(Cow<'de, str>, Json<'de>)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<Name<'de>, Json<'de>>()? {
            members.push((name.0, value));
        }
        drop_repeated(&mut members);
        Ok(Json::Object(members))
    }
}

/// Leaves the last value of each name.
fn drop_repeated(members: &mut Vec<(Cow<str>, Json)>) {
    let names: BTreeSet<&str> = members.iter().map(|(name, _)| &**name).collect();
    if names.len() == members.len() {
        return;
    }
    let mut known: BTreeSet<String> = BTreeSet::new();
    members.reverse();
    members.retain(|(name, _)| known.insert(name.to_string()));
    members.reverse();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_read() {
        let object = Json::Object(vec![("a".into(), Json::Array(vec![Json::Integer, Json::Decimal, Json::Null]))]);

        assert_eq!(Json::read(r#"{"a":[-1,1e3,null]}"#), Some(object));
        assert_eq!(Json::read(r#""a\"b""#), Some(Json::Text("a\"b".into())));
        assert_eq!(Json::read("18446744073709551616"), Some(Json::Decimal));
        assert_eq!((Json::read("true"), Json::read("{"), Json::read("")), (Some(Json::Boolean), None, None));
    }

    #[test]
    fn of_a_name_that_stands_twice_the_last_value_counts() {
        let expected = Json::Object(vec![("b".into(), Json::Integer), ("a".into(), Json::Null)]);

        assert_eq!(Json::read(r#"{"a":1,"b":2,"a":null}"#), Some(expected));
    }
}
