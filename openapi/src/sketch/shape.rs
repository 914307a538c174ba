//! What is kept of many JSON values: which types, what properties, what texts; the ground of a schema.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use super::{Texts, json::Json};
use crate::form::{Form, is_redacted};

/// Levels of nesting that are looked at; what lies deeper may be anything.
const MAX_DEPTH: usize = 10;

/// Properties of an object that are kept apart, by depth; an object with more is a map.
fn max_props(depth: usize) -> usize {
    match depth {
        0..=2 => 400,
        3..=4 => 100,
        _ => 30,
    }
}

/// What is kept of many JSON values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shape {
    /// `null`.
    pub(crate) nulls: u64,
    /// `true`, `false`.
    pub(crate) booleans: u64,
    /// Numbers without a fraction.
    pub(crate) integers: u64,
    /// Numbers with a fraction or an exponent.
    pub(crate) decimals: u64,
    /// Values too deep to be looked at.
    pub(crate) deep: u64,
    /// Strings.
    pub(crate) texts: Option<Box<Texts>>,
    /// Objects.
    pub(crate) object: Option<Box<Object>>,
    /// Arrays.
    pub(crate) array: Option<Box<Array>>,
}

/// What is kept of many objects.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Object {
    /// Whole objects.
    pub(crate) count: u64,
    /// Objects that were cut: what they have counts, what they lack does not.
    pub(crate) cut: u64,
    /// Properties by name.
    pub(crate) props: BTreeMap<Box<str>, Prop>,
    /// Values whose keys are data: identifiers, dates; or all, if there were too many names.
    pub(crate) keyed: Option<Box<Shape>>,
    /// There were too many names; `props` is empty from then on.
    pub(crate) is_map: bool,
}

/// One property.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Prop {
    /// How many whole objects have it.
    pub(crate) present: u64,
    /// Its values.
    pub(crate) shape: Shape,
}

/// What is kept of many arrays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Array {
    /// How many.
    pub(crate) count: u64,
    /// The items of all of them.
    pub(crate) items: Shape,
}

impl Shape {
    /// Adds a value of a body. `open` levels of it were cut: the value itself if it is above 0, and the last value in it
    /// if above 1, and so on.
    pub(crate) fn add(&mut self, value: &Json, open: usize) {
        self.add_at(value, open, 0);
    }

    fn add_at(&mut self, value: &Json, open: usize, depth: usize) {
        if depth > MAX_DEPTH {
            bump(&mut self.deep);
            return;
        }
        match value {
            Json::Null => bump(&mut self.nulls),
            Json::Boolean => bump(&mut self.booleans),
            Json::Decimal => bump(&mut self.decimals),
            Json::Integer => bump(&mut self.integers),
            Json::Text(text) => self.texts.get_or_insert_default().add(text),
            Json::Array(items) => {
                let array = self.array.get_or_insert_default();
                bump(&mut array.count);
                for (item, left) in items.iter().zip((0..items.len()).rev()) {
                    array.items.add_at(item, open_below(open, left), depth + 1);
                }
            }
            Json::Object(members) => self.object.get_or_insert_default().add(members, open, depth),
        }
    }

    /// Adds all that another one was given.
    pub(crate) fn merge(&mut self, other: &Shape) {
        self.merge_at(other, 0);
    }

    fn merge_at(&mut self, other: &Shape, depth: usize) {
        let counts = [
            (&mut self.nulls, other.nulls),
            (&mut self.booleans, other.booleans),
            (&mut self.integers, other.integers),
            (&mut self.decimals, other.decimals),
            (&mut self.deep, other.deep),
        ];
        counts.into_iter().for_each(|(count, times)| *count = count.saturating_add(times));
        if let Some(texts) = &other.texts {
            self.texts.get_or_insert_default().merge(texts);
        }
        if let Some(object) = &other.object {
            self.object.get_or_insert_default().merge_at(object, depth);
        }
        if let Some(array) = &other.array {
            let mine = self.array.get_or_insert_default();
            mine.count = mine.count.saturating_add(array.count);
            mine.items.merge_at(&array.items, depth + 1);
        }
    }

    /// How many values there were.
    pub(crate) fn total(&self) -> u64 {
        let texts = self.texts.as_ref().map_or(0, |texts| texts.total());
        let objects = self.object.as_ref().map_or(0, |object| object.count.saturating_add(object.cut));
        let arrays = self.array.as_ref().map_or(0, |array| array.count);
        [self.nulls, self.booleans, self.integers, self.decimals, self.deep, texts, objects, arrays]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// Whether there was no value.
    pub(crate) fn is_empty(&self) -> bool {
        self.total() == 0
    }
}

impl Object {
    fn add(&mut self, members: &[(Cow<str>, Json)], open: usize, depth: usize) {
        bump(if open > 0 { &mut self.cut } else { &mut self.count });
        for ((name, value), left) in members.iter().zip((0..members.len()).rev()) {
            let below = open_below(open, left);
            if self.is_map || is_data(name) {
                self.keyed.get_or_insert_default().add_at(value, below, depth + 1);
                continue;
            }
            let prop = match self.props.get_mut(&**name) {
                Some(prop) => prop,
                None => self.props.entry((&**name).into()).or_default(),
            };
            prop.shape.add_at(value, below, depth + 1);
            prop.present = prop.present.saturating_add(u64::from(open == 0));
            self.bound(depth);
        }
    }

    fn merge_at(&mut self, other: &Object, depth: usize) {
        self.count = self.count.saturating_add(other.count);
        self.cut = self.cut.saturating_add(other.cut);
        self.is_map |= other.is_map;
        for (name, prop) in &other.props {
            let mine = self.props.entry(name.clone()).or_default();
            mine.present = mine.present.saturating_add(prop.present);
            mine.shape.merge_at(&prop.shape, depth + 1);
        }
        if let Some(keyed) = &other.keyed {
            self.keyed.get_or_insert_default().merge_at(keyed, depth + 1);
        }
        self.bound(depth);
    }

    /// Adds all that another one was given. `depth` levels lie above them.
    pub(crate) fn merge(&mut self, other: &Object) {
        self.merge_at(other, 0);
    }

    /// Makes it a map if it has too many names: then the names are data.
    fn bound(&mut self, depth: usize) {
        if self.is_map || self.props.len() > max_props(depth) {
            self.is_map = true;
            let keyed = self.keyed.get_or_insert_default();
            for prop in std::mem::take(&mut self.props).into_values() {
                keyed.merge_at(&prop.shape, depth + 1);
            }
        }
    }
}

/// Whether the key of an object is data and not the name of a property.
pub(crate) fn is_data(key: &str) -> bool {
    let first = key.as_bytes().first();
    // Nearly all names begin with a letter and have no digit: no need to look closer.
    let may_be = key.len() > 100
        || first.is_none_or(u8::is_ascii_digit)
        || key.bytes().any(|byte| byte.is_ascii_digit() || matches!(byte, b'@' | b':' | b'['));
    may_be && (is_redacted(key) || key.is_empty() || key.len() > 100 || Form::of(key).is_identifier())
}

fn open_below(open: usize, left: usize) -> usize {
    if left == 0 { open.saturating_sub(1) } else { 0 }
}

fn bump(count: &mut u64) {
    *count = count.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn add(shape: &mut Shape, value: &Value, open: usize) {
        shape.add(&Json::read(&value.to_string()).unwrap(), open);
    }

    fn shape(values: &[Value]) -> Shape {
        let mut shape = Shape::default();
        values.iter().for_each(|value| add(&mut shape, value, 0));
        shape
    }

    #[test]
    fn an_object_with_too_many_names_becomes_a_map_in_any_order() {
        let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
        let object = |n: usize| json!({ format!("{}{}", letter(n), letter(n / 26)): n });
        let there: Vec<Value> = (0..=400).map(object).collect();
        let back: Vec<Value> = (0..=400).rev().map(object).collect();

        let (there, back) = (shape(&there), shape(&back));

        assert!(there.object.as_ref().is_some_and(|object| object.is_map && object.props.is_empty()));
        assert_eq!(there, back);
    }

    #[test]
    fn keys_that_are_data_are_kept_together() {
        let shape = shape(&[json!({"0549a790-fe19-4e1b-ae15-2ab99a2c91ad": 1, "2024-01-01": 2, "name": 3})]);
        let object = shape.object.unwrap();

        assert_eq!(object.props.len(), 1);
        assert_eq!(object.keyed.unwrap().integers, 2);
    }

    #[test]
    fn what_a_cut_object_lacks_does_not_count() {
        let mut shape = Shape::default();
        add(&mut shape, &json!({"id": 1, "name": "a"}), 0);
        add(&mut shape, &json!({"id": 2}), 1);
        let object = shape.object.unwrap();

        assert_eq!((object.count, object.cut), (1, 1));
        assert_eq!((object.props["id"].present, object.props["id"].shape.integers), (1, 2));
    }

    #[test]
    fn depth_is_bounded() {
        let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
        let shape = shape(&[deep]);

        assert!(serde_json::to_string(&shape).unwrap().len() < 10_000);
    }
}
