//! JSON: what stands where it should, and is not what it should be.

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};
use serde_json::{Map, Value};

/// One of the seeds after up to four edits: values replaced by others of any type, members taken out, doubled under
/// another name, or named anew by one of `names`.
pub fn json(seeds: Vec<Value>, names: Vec<String>) -> impl Strategy<Value = Value> {
    let edit = prop_oneof![
        5 => (any::<Index>(), any_json()).prop_map(|(at, value)| Edit::Replace(at, value)),
        1 => any::<Index>().prop_map(Edit::Remove),
        2 => (any::<Index>(), select(names.clone()), any_json()).prop_map(|(at, name, value)| Edit::Add(at, name, value)),
        1 => (any::<Index>(), select(names)).prop_map(|(at, name)| Edit::Rename(at, name)),
    ];
    (select(seeds), vec(edit, 0..=4)).prop_map(|(mut value, edits)| {
        edits.iter().for_each(|edit| edit.apply(&mut value));
        value
    })
}

/// Any value, three levels deep at most: numbers at the ends of their types, texts of any characters.
fn any_json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        select(vec![0, 1, 65_535, 65_536, 16_777_216, u64::from(u32::MAX), u64::MAX]).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
    ];
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        4 => number,
        2 => "[a-z_./*{}=-]{0,12}".prop_map(Value::from),
        2 => "\\PC{0,12}".prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        1 => (1usize..3_000).prop_map(|len| Value::from("x".repeat(len))),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec(("[a-z_]{0,8}", inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

#[derive(Clone, Debug)]
enum Edit {
    Replace(Index, Value),
    Remove(Index),
    Add(Index, String, Value),
    Rename(Index, String),
}

impl Edit {
    fn apply(&self, value: &mut Value) {
        match self {
            Edit::Replace(at, new) => {
                let pointers = pointers(value);
                let place = value.pointer_mut(at.get(&pointers).as_str());
                place.into_iter().for_each(|place| *place = new.clone());
            }
            Edit::Remove(at) => {
                if let Some((object, name)) = member(value, at) {
                    object.shift_remove(&name);
                }
            }
            Edit::Add(at, name, new) => {
                if let Some((object, _)) = member(value, at) {
                    object.insert(name.clone(), new.clone());
                }
            }
            Edit::Rename(at, name) => {
                if let Some((object, old)) = member(value, at)
                    && let Some(moved) = object.shift_remove(&old)
                {
                    object.insert(name.clone(), moved);
                }
            }
        }
    }
}

/// A member of an object anywhere inside, and the object it stands in.
fn member<'a>(value: &'a mut Value, at: &Index) -> Option<(&'a mut Map<String, Value>, String)> {
    let pointers = pointers(value);
    let (parent, name) = at.get(&pointers).rsplit_once('/')?;
    let name = name.replace("~1", "/").replace("~0", "~");
    Some((value.pointer_mut(parent)?.as_object_mut()?, name))
}

/// The pointers (RFC 6901) of a value and of all inside it; never empty.
fn pointers(value: &Value) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut open = vec![(String::new(), value)];
    while let Some((pointer, value)) = open.pop() {
        let inner: Vec<(String, &Value)> = match value {
            Value::Object(object) => object
                .iter()
                .map(|(name, value)| (format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), value))
                .collect(),
            Value::Array(list) => {
                list.iter().enumerate().map(|(index, value)| (format!("{pointer}/{index}"), value)).collect()
            }
            _ => Vec::new(),
        };
        all.extend(inner.iter().map(|(pointer, _)| pointer.clone()));
        open.extend(inner);
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_place_has_its_pointer() {
        let value = json!({"a/b": [1, {"~": 2}]});

        let all = pointers(&value);

        assert_eq!(all, ["", "/a~1b", "/a~1b/0", "/a~1b/1", "/a~1b/1/~0"]);
        assert!(all.iter().all(|pointer| value.pointer(pointer).is_some()));
    }
}
