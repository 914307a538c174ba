//! From objects to schemas: properties, what is required, and maps.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::{
    Subject,
    schemas::{Place, Schemas},
};
use crate::sketch::{Body, Object};

impl Schemas {
    /// The schema of an object: a reference to a component, or the schema itself if `inline`.
    pub(crate) fn of_object(&mut self, object: &Object, place: &Place, inline: bool) -> Value {
        let Some(family) = self.families.of(&place.concept, object) else {
            let schema = self.of_members(object, place);
            return if inline || schema.get("properties").is_none() { schema } else { self.pool.share(schema, place) };
        };
        if let Some((_, is_recursive)) = self.open.iter_mut().find(|(id, _)| *id == family.id) {
            *is_recursive = true;
            return json!({ "$ref": family.id });
        }
        self.open.push((family.id.clone(), false));
        let schema = self.of_members(&family.all, place);
        let is_recursive = self.open.pop().is_some_and(|(_, is_recursive)| is_recursive);
        if is_recursive {
            let reference = self.pool.share_as(family.id.clone(), schema.clone(), place);
            return if inline { schema } else { reference };
        }
        if inline || schema.get("properties").is_none() { schema } else { self.pool.share(schema, place) }
    }

    /// The schema of an object itself.
    fn of_members(&mut self, object: &Object, place: &Place) -> Value {
        let object = as_map(object);
        let mut properties = Map::new();
        let mut required = Vec::new();
        for (name, prop) in &object.props {
            properties.insert(name.to_string(), self.of_shape(&prop.shape, &place.property(name)));
            // Of objects that were all cut it is not known what they lack.
            if object.count > 0 && prop.present == object.count {
                required.push(Value::from(&**name));
            }
        }
        let mut schema = object_schema(properties, required);
        if let Some(keyed) = &object.keyed {
            let why = format!("{} values under keys that are data", keyed.total());
            self.explain(Subject::Map, place.text.clone(), why);
            schema.insert("additionalProperties".into(), self.of_shape(keyed, &place.keyed()));
        }
        schema.into()
    }

    /// The schema of a form.
    pub(crate) fn of_form(&mut self, body: &Body, place: &Place) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for (name, param) in body.fields.iter() {
            properties.insert(name.to_owned(), self.of_param(param, &format!("{} .{name}", place.text)));
            if body.whole_forms > 0 && param.present == body.whole_forms {
                required.push(Value::from(name));
            }
        }
        object_schema(properties, required).into()
    }
}

fn object_schema(properties: Map<String, Value>, required: Vec<Value>) -> Map<String, Value> {
    let mut schema = Map::from_iter([("type".to_owned(), json!("object"))]);
    if !properties.is_empty() {
        schema.insert("properties".into(), properties.into());
    }
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    schema
}

/// The object, as a map if its names are data.
fn as_map(object: &Object) -> Cow<'_, Object> {
    if !object.has_names_that_are_data() {
        return Cow::Borrowed(object);
    }
    let mut map = Object { count: object.count, cut: object.cut, keyed: object.keyed.clone(), ..Object::default() };
    let keyed = map.keyed.get_or_insert_default();
    object.props.values().for_each(|prop| keyed.merge(&prop.shape));
    Cow::Owned(map)
}
