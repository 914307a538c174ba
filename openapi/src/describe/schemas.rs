//! From shapes to schemas.

use serde_json::{Map, Value, json};

use super::{Explanation, Subject, components::Pool, families::Families, naming};
use crate::{
    form::Form,
    settings::{Settings, Version},
    sketch::{Param, Shape, Texts},
};

/// The most words of an enum.
const MAX_ENUM: usize = 12;

/// Where a schema stands: for explanations, and for the name of an object there.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// `GET /users/{userId} → 200 .email`.
    pub(crate) text: String,
    /// What an object here is called.
    pub(crate) concept: String,
    /// How good that name is: 0 is best.
    pub(crate) rank: u8,
    /// What the items are called that a property of this object only holds.
    pub(crate) items: Option<String>,
    /// Whether it is the body itself, or an item of it.
    pub(crate) is_root: bool,
}

impl Place {
    /// A property of an object here.
    pub(crate) fn property(&self, name: &str) -> Place {
        let held = self.items.clone().filter(|_| naming::holds_items(name));
        let is_root = held.is_some();
        let concept = held.unwrap_or_else(|| naming::of_property(&self.concept, name));
        Place {
            text: format!("{} .{name}", self.text),
            concept,
            rank: if is_root { 2 } else { 6 },
            items: None,
            is_root,
        }
    }

    /// An item of an array here.
    pub(crate) fn item(&self) -> Place {
        let concept = self.items.clone().unwrap_or_else(|| self.concept.clone());
        Place { text: format!("{}[]", self.text), concept, items: None, ..self.clone() }
    }

    /// A value under a key that is data.
    pub(crate) fn keyed(&self) -> Place {
        let concept = format!("{}Value", self.concept);
        Place { text: format!("{} .*", self.text), concept, rank: 7, items: None, is_root: false }
    }
}

/// Writes schemas, and collects what is shared between them and why they are as they are.
pub(crate) struct Schemas {
    pub(crate) settings: Settings,
    pub(crate) families: Families,
    pub(crate) pool: Pool,
    /// The families whose schemas are being written, and whether they were met again below themselves.
    pub(crate) open: Vec<(String, bool)>,
    pub(crate) explanations: Vec<Explanation>,
}

impl Schemas {
    pub(crate) fn new(settings: &Settings) -> Schemas {
        Schemas {
            settings: settings.clone(),
            families: Families::default(),
            pool: Pool::default(),
            open: Vec::new(),
            explanations: Vec::new(),
        }
    }

    pub(crate) fn take_pool(&mut self) -> Pool {
        std::mem::take(&mut self.pool)
    }

    pub(crate) fn explain(&mut self, subject: Subject, place: String, why: String) {
        self.explanations.push(Explanation { subject, place, why });
    }

    /// Observations that a refutable conclusion needs.
    pub(crate) fn enough(&self) -> u64 {
        u64::from(self.settings.min_evidence.max(1))
    }

    /// The schema of JSON values.
    pub(crate) fn of_shape(&mut self, shape: &Shape, place: &Place) -> Value {
        if shape.deep > 0 {
            return json!({});
        }
        let is_nullable = shape.nulls > 0;
        let mut kinds: Vec<Value> = Vec::new();
        if let Some(object) = &shape.object {
            // OpenAPI 3.0 has no way to say "this reference or null".
            let inline = is_nullable && self.settings.version == Version::V30;
            kinds.push(self.of_object(object, place, inline));
        }
        if let Some(array) = &shape.array {
            let items = if array.items.is_empty() { json!({}) } else { self.of_shape(&array.items, &place.item()) };
            kinds.push(json!({"type": "array", "items": items}));
        }
        if let Some(texts) = &shape.texts {
            kinds.push(self.of_texts(texts, &place.text));
        }
        if shape.decimals > 0 {
            kinds.push(json!({"type": "number"}));
        } else if shape.integers > 0 {
            kinds.push(json!({"type": "integer"}));
        }
        if shape.booleans > 0 {
            kinds.push(json!({"type": "boolean"}));
        }
        self.joined(kinds, is_nullable)
    }

    /// One schema for values of several kinds.
    fn joined(&self, mut kinds: Vec<Value>, is_nullable: bool) -> Value {
        match (kinds.len(), is_nullable, self.settings.version) {
            (0, true, Version::V31) => json!({"type": "null"}),
            (0, true, Version::V30) => json!({"description": "Only null was seen."}),
            (0, false, _) => json!({}),
            (1, false, _) => kinds.pop().unwrap_or_default(),
            (1, true, _) => self.nullable(kinds.pop().unwrap_or_default()),
            (_, false, _) => json!({ "anyOf": kinds }),
            (_, true, Version::V31) => {
                kinds.push(json!({"type": "null"}));
                json!({ "anyOf": kinds })
            }
            (_, true, Version::V30) => {
                if let Some(last) = kinds.pop() {
                    kinds.push(self.nullable(last));
                }
                json!({ "anyOf": kinds })
            }
        }
    }

    fn nullable(&self, mut schema: Value) -> Value {
        if schema.get("$ref").is_some() {
            let none = match self.settings.version {
                Version::V31 => json!({"type": "null"}),
                Version::V30 => json!({"type": "object", "nullable": true, "enum": [null]}),
            };
            return json!({"anyOf": [schema, none]});
        }
        if let Some(Value::Array(values)) = schema.get_mut("enum") {
            values.push(Value::Null);
        }
        let Some(members) = schema.as_object_mut() else { return schema };
        match (self.settings.version, members.get_mut("type")) {
            (Version::V31, Some(kind)) => *kind = json!([kind.take(), "null"]),
            (Version::V30, Some(_)) => drop(members.insert("nullable".into(), true.into())),
            (_, None) => {}
        }
        schema
    }

    /// The schema of JSON strings.
    pub(crate) fn of_texts(&mut self, texts: &Texts, place: &str) -> Value {
        let mut schema = Map::new();
        schema.insert("type".into(), "string".into());
        if let Some(format) = self.format(texts, place) {
            schema.insert("format".into(), format.into());
        } else if let Some(values) = self.words_of(texts, place) {
            schema.insert("enum".into(), values);
        }
        schema.into()
    }

    fn format(&mut self, texts: &Texts, place: &str) -> Option<&'static str> {
        let form = texts.form()?;
        let format = form.format()?;
        if texts.count < self.enough() && !form.is_beyond_chance() {
            return None;
        }
        self.explain(
            Subject::Format,
            place.to_owned(),
            format!("{format}: all {} values are {}", texts.count, form.as_str()),
        );
        Some(format)
    }

    /// The values, if they are a few words that come again and again.
    fn words_of(&mut self, texts: &Texts, place: &str) -> Option<Value> {
        let few = texts.few().filter(|few| (2..=MAX_ENUM).contains(&few.len()) && texts.redacted == 0)?;
        let is_word = |text: &str| {
            text.len() <= 32
                && text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:/+".contains(&byte))
        };
        // `Berlin` and `Kimmo` are names of things far more often than words of an interface.
        let is_name = |text: &str| text.starts_with(char::is_uppercase) && text.chars().any(char::is_lowercase);
        let each = if few.keys().any(|text| is_name(text)) { 50 } else { 2 * self.enough() + 2 };
        let enough = texts.count >= each.saturating_mul(few.len() as u64) && few.values().all(|count| *count >= 2);
        if !enough || !few.keys().all(|text| is_word(text)) {
            return None;
        }
        let why = format!("{} values, only {} distinct ones", texts.count, few.len());
        let values = few.keys().map(|text| Value::from(&**text)).collect();
        self.explain(Subject::Enum, place.to_owned(), why);
        Some(values)
    }

    /// The schema of a parameter, header or form field, whose values are all texts.
    pub(crate) fn of_param(&mut self, param: &Param, place: &str) -> Value {
        let one = match param.files {
            0 => self.of_written(&param.texts, place, self.enough()),
            _ => json!({"type": "string", "format": "binary"}),
        };
        if param.repeated > 0 { json!({"type": "array", "items": one}) } else { one }
    }

    /// The schema of texts that may be written numbers or booleans. From `enough` values on they are taken for such.
    pub(crate) fn of_written(&mut self, texts: &Texts, place: &str, enough: u64) -> Value {
        if texts.redacted > 0 || texts.count < enough {
            return self.of_texts(texts, place);
        }
        if texts.all(&[Form::Integer]) {
            return json!({"type": "integer"});
        }
        if texts.all(&[Form::Integer, Form::Decimal]) {
            return json!({"type": "number"});
        }
        if texts.all(&[Form::Boolean]) {
            return json!({"type": "boolean"});
        }
        self.of_texts(texts, place)
    }
}
