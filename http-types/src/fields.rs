//! Headers and query: names with one or several values, in order.

use std::{borrow::Cow, collections::HashMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};

use crate::{
    names::{Names, StandsTwice},
    query::query_of,
};

/// Names with their values, in the order of the line. Used for headers and for the query.
///
/// ```json
/// {"accept":"*/*","set-cookie":["a=1","b=2"]}
/// ```
/// One value is written as a string, several as an array; an array of one is read as the same thing as a string.
/// A name stands once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, Vec<String>)>);

impl Fields {
    /// No field at all: `{}`.
    pub fn new() -> Fields {
        Fields::default()
    }

    /// Reads a query string without its `?`, or a form (`application/x-www-form-urlencoded`): `a=1&b=x+y%21`.
    ///
    /// ```
    /// let fields = tributary_http_types::Fields::from_query("tag=a&tag=b+c&flag");
    /// assert_eq!((fields.all("tag"), fields.first("flag")), (&["a".to_owned(), "b c".to_owned()][..], Some("")));
    /// ```
    pub fn from_query(search: &str) -> Fields {
        query_of(search).into_iter().collect()
    }

    /// Adds a value under `name`, behind those it already has.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value.into()),
            None => self.0.push((name, vec![value.into()])),
        }
    }

    /// The first value under `name` (as written: header names are lower case).
    pub fn first(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(String::as_str)
    }

    /// All values under `name`, in order; empty if there is none.
    pub fn all(&self, name: &str) -> &[String] {
        self.0.iter().find(|(known, _)| known == name).map_or(&[], |(_, values)| values)
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// Names and values that may be changed, in order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut [String])> {
        self.0.iter_mut().map(|(name, values)| (name.as_str(), values.as_mut_slice()))
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Fields {
    /// Linear in the number of pairs, unlike as many times [`push`](Fields::push).
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Fields {
        let mut fields: Vec<(String, Vec<String>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for (name, value) in pairs {
            let name = name.into();
            let place = *places.entry(name.clone()).or_insert(fields.len());
            match fields.get_mut(place) {
                Some((_, values)) => values.push(value.into()),
                None => fields.push((name, vec![value.into()])),
            }
        }
        Fields(fields)
    }
}

/// What the reader does with a field: keep it, or look at it only.
pub(crate) trait Keep<'de>: Default {
    /// Takes a new name. `false`: the name was there before.
    fn name(&mut self, name: Cow<'de, str>, names: &mut Names) -> bool;
    /// Takes a value of the latest name.
    fn value(&mut self, value: Cow<'de, str>);
}

impl<'de> Keep<'de> for Fields {
    fn name(&mut self, name: Cow<'de, str>, names: &mut Names) -> bool {
        let is_new = names.is_new(self.0.iter().map(|(known, _)| known.as_str()), &name);
        self.0.push((name.into_owned(), Vec::new()));
        is_new
    }

    fn value(&mut self, value: Cow<'de, str>) {
        if let Some((_, values)) = self.0.last_mut() {
            values.push(value.into_owned());
        }
    }
}

/// Fields for which there is room at first.
const USUAL_FIELDS: usize = 16;

/// Names and values of a line that was checked, borrowed from it where they have no escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckedFields<'a> {
    names: Vec<Cow<'a, str>>,
    /// The place of the name, and the value.
    values: Vec<(usize, Cow<'a, str>)>,
}

impl<'a> CheckedFields<'a> {
    /// Adds a name; `None`: it was there before, or there are `most` already.
    pub(crate) fn add_name(&mut self, name: Cow<'a, str>, most: usize) -> Option<()> {
        if self.names.is_empty() {
            self.names.reserve(USUAL_FIELDS);
            self.values.reserve(USUAL_FIELDS);
        }
        if self.names.len() >= most || self.names.contains(&name) {
            return None;
        }
        self.names.push(name);
        Some(())
    }

    /// Takes all out; the room stays.
    pub(crate) fn clear(&mut self) {
        self.names.clear();
        self.values.clear();
    }

    /// Adds a value to the name that was added last.
    pub(crate) fn add_value(&mut self, value: Cow<'a, str>) {
        self.values.push((self.names.len().saturating_sub(1), value));
    }

    /// Each value with its name, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().filter_map(|(name, value)| Some((self.names.get(*name)?.as_ref(), value.as_ref())))
    }
}

impl<'de> Keep<'de> for CheckedFields<'de> {
    fn name(&mut self, name: Cow<'de, str>, names: &mut Names) -> bool {
        let is_new = names.is_new(self.names.iter().map(|known| known.as_ref()), &name);
        self.names.push(name);
        is_new
    }

    fn value(&mut self, value: Cow<'de, str>) {
        self.add_value(value);
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor(Fields::new()))
    }
}

impl<'de> Deserialize<'de> for CheckedFields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor(CheckedFields::default()))
    }
}

struct FieldsVisitor<K>(K);

impl<'de, K: Keep<'de>> Visitor<'de> for FieldsVisitor<K> {
    type Value = K;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of names with a string or an array of strings each")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<K, A::Error> {
        let mut names = Names::default();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            if !self.0.name(name.0.clone(), &mut names) {
                return Err(A::Error::custom(StandsTwice(&name.0)));
            }
            map.next_value_seed(Values(&mut self.0))?;
        }
        Ok(self.0)
    }
}

/// The value of one name: a string, or an array of strings.
struct Values<'k, K>(&'k mut K);

impl<'de, K: Keep<'de>> serde::de::DeserializeSeed<'de> for Values<'_, K> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, K: Keep<'de>> Visitor<'de> for Values<'_, K> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings")
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<(), E> {
        self.0.value(Cow::Borrowed(value));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.0.value(Cow::Owned(value.to_owned()));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(value) = seq.next_element::<Text<'de>>()? {
            self.0.value(value.0);
        }
        Ok(())
    }
}

/// A string, borrowed from the line where it has no escapes.
pub(crate) struct Text<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::read::text(deserializer).map(Text)
    }
}
