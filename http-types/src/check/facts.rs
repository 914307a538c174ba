//! `meta` without keeping: what delivery needs of it, and whether there is more in it than Tributary puts there.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

use crate::{
    BODY_FACTS, FactKind, META_FACTS,
    fields::Text,
    meta::TEXT_FACTS,
    names::{Names, StandsTwice},
};

/// What is known of a `meta`.
#[derive(Default)]
pub(super) struct Facts<'a> {
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) source: Option<Cow<'a, str>>,
    pub(super) seq: Option<u64>,
    pub(super) texts: [Option<Cow<'a, str>>; TEXT_FACTS],
    pub(super) has_base64_body: bool,
    pub(super) has_others: bool,
}

impl<'de> Deserialize<'de> for Facts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FactsVisitor)
    }
}

struct FactsVisitor;

impl<'de> Visitor<'de> for FactsVisitor {
    type Value = Facts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Facts<'de>, A::Error> {
        let mut facts = Facts::default();
        let mut keys = Keys::default();
        while let Some(key) = map.next_key::<Text<'de>>()? {
            let place = keys.take(META_FACTS.len(), |place| META_FACTS.get(place).map(|(known, _)| *known), key.0)?;
            let fact = map.next_value::<Fact<'de>>()?;
            facts.take(place, fact);
        }
        Ok(facts)
    }
}

impl<'a> Facts<'a> {
    /// Takes the fact at this place of [`META_FACTS`], or one that is somebody else's.
    fn take(&mut self, place: Option<usize>, fact: Fact<'a>) {
        let known = place.and_then(|place| META_FACTS.get(place));
        match (known, fact) {
            (Some(("id", _)), Fact::Text(text)) => self.id = Some(text),
            (Some(("source", _)), Fact::Text(text)) => self.source = Some(text),
            (Some(("seq", _)), Fact::Number(number)) => self.seq = number,
            (Some((_, FactKind::Number)), Fact::Number(_)) => (),
            (Some((_, FactKind::Text)), Fact::Text(text)) => self.take_text(place, text),
            (Some((_, FactKind::Body)), Fact::Object(object)) => {
                self.has_base64_body |= object.has_base64;
                self.has_others |= !object.is_body;
            }
            (Some((_, FactKind::Counts)), Fact::Object(object)) if object.is_counts => (),
            _ => self.has_others = true,
        }
    }

    fn take_text(&mut self, place: Option<usize>, text: Cow<'a, str>) {
        let first = META_FACTS.iter().position(|(_, kind)| *kind == FactKind::Text);
        let index = place.zip(first).and_then(|(place, first)| place.checked_sub(first));
        match index.and_then(|index| self.texts.get_mut(index)) {
            Some(room) => *room = Some(text),
            None => self.has_others = true,
        }
    }
}

/// The keys of an object that were read: known ones as bits, for they are nearly all.
#[derive(Default)]
struct Keys<'a> {
    known: u32,
    /// Where the next known key is expected: they come in order.
    next: usize,
    others: Vec<Cow<'a, str>>,
    names: Names,
}

impl<'a> Keys<'a> {
    /// The place of a key among the known ones.
    ///
    /// # Errors
    /// The key was there before.
    fn take<E: Error>(
        &mut self,
        count: usize,
        known: impl Fn(usize) -> Option<&'static str>,
        key: Cow<'a, str>,
    ) -> Result<Option<usize>, E> {
        let place = (self.next..count).chain(0..self.next).find(|place| known(*place) == Some(key.as_ref()));
        let is_new = match place {
            Some(place) => {
                let bit = 1u32 << place;
                let is_new = self.known & bit == 0;
                self.known |= bit;
                self.next = place.saturating_add(1).min(count);
                is_new
            }
            None => self.names.is_new(self.others.iter().map(|other| other.as_ref()), &key),
        };
        if !is_new {
            return Err(E::custom(StandsTwice(&key)));
        }
        if place.is_none() {
            self.others.push(key);
        }
        Ok(place)
    }
}

/// Some value of `meta`, which is free-form: what is of no use is [`Fact::Other`], not an error.
///
/// Not serde's `IgnoredAny`: that skips a text without looking whether it is UTF-8, and a number without looking
/// whether there is such a one, and then the line that is passed on is read by nobody.
enum Fact<'a> {
    Text(Cow<'a, str>),
    /// A number; its value if it is a whole one that is not negative.
    Number(Option<u64>),
    Bool,
    Object(Object),
    Other,
}

/// What is known of an object.
struct Object {
    /// It has a text under `base64`.
    has_base64: bool,
    /// It has nothing but [`BODY_FACTS`], each of its kind.
    is_body: bool,
    /// It has nothing but numbers under short names of letters.
    is_counts: bool,
}

/// The longest name of a place where something was masked; a secret that is known by its form is longer.
const LONGEST_PLACE: usize = "responseTrailers".len();

/// Whether it may name a place where something was masked.
pub(super) fn is_place(key: &str) -> bool {
    key.len() <= LONGEST_PLACE && key.bytes().all(|byte| byte.is_ascii_alphabetic())
}

impl Object {
    fn take(&mut self, key: &str, fact: &Fact<'_>) {
        self.has_base64 |= key == "base64" && matches!(fact, Fact::Text(_));
        self.is_body &= match (key, fact) {
            ("bytes" | "kept", Fact::Number(_)) | ("truncated" | "decoded", Fact::Bool) | ("base64", Fact::Text(_)) => {
                true
            }
            ("withheld", Fact::Text(reason)) => matches!(reason.as_ref(), "compressed" | "unparseable" | "too_long"),
            _ => false,
        };
        self.is_counts &= is_place(key) && matches!(fact, Fact::Number(_));
    }
}

impl<'de> Deserialize<'de> for Fact<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FactVisitor)
    }
}

struct FactVisitor;

impl<'de> Visitor<'de> for FactVisitor {
    type Value = Fact<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Fact<'de>, E> {
        Ok(Fact::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Fact<'de>, E> {
        Ok(Fact::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Fact<'de>, E> {
        Ok(Fact::Number(Some(number)))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Fact<'de>, E> {
        Ok(Fact::Number(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Fact<'de>, E> {
        Ok(Fact::Number(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Fact<'de>, E> {
        Ok(Fact::Bool)
    }

    fn visit_unit<E>(self) -> Result<Fact<'de>, E> {
        Ok(Fact::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Fact<'de>, A::Error> {
        while seq.next_element::<Fact<'de>>()?.is_some() {}
        Ok(Fact::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fact<'de>, A::Error> {
        let mut object = Object { has_base64: false, is_body: true, is_counts: true };
        let mut keys = Keys::default();
        while let Some(key) = map.next_key::<Text<'de>>()? {
            let name = key.0.clone();
            keys.take(BODY_FACTS.len(), |place| BODY_FACTS.get(place).copied(), key.0)?;
            object.take(&name, &map.next_value::<Fact<'de>>()?);
        }
        Ok(Fact::Object(object))
    }
}

#[cfg(test)]
mod tests;
