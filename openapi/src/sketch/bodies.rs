//! What is kept of the bodies of one place: the requests of an operation, or its responses with one status.

use std::{borrow::Cow, collections::BTreeMap};

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use tributary_http_types::{BodyFacts, Fields};

use super::{
    Examples, Extent, Kind, Media, Params, Shape,
    json::Json,
    multipart::{Part, parts},
    truncated::sure_part,
};
use crate::hash::keep_smallest;

/// Media types that are remembered of one place.
const MAX_MEDIA: usize = 16;

/// Bodies by media type, and how many exchanges had none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bodies {
    /// How many exchanges had no body.
    pub(crate) without: u64,
    /// By media type without parameters.
    pub(crate) by_media: BTreeMap<Box<str>, Box<Body>>,
}

/// The bodies of one media type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Body {
    /// How many.
    pub(crate) count: u64,
    /// How many of them were not what their type says, or cut before anything was sure.
    pub(crate) unread: u64,
    /// JSON values.
    pub(crate) shape: Shape,
    /// Fields of forms.
    pub(crate) fields: Params,
    /// Forms that were whole: what the others lack does not count.
    pub(crate) whole_forms: u64,
    /// A few of them, whole.
    pub(crate) examples: Examples,
}

/// One body, as the exchange has it.
pub(crate) struct Content<'a> {
    /// The `content-type` header.
    pub(crate) content_type: Option<&'a str>,
    /// The text; empty if the body is not text.
    pub(crate) text: &'a str,
    /// What is known of its bytes.
    pub(crate) facts: Option<&'a BodyFacts>,
}

impl Content<'_> {
    fn is_cut(&self) -> bool {
        self.facts.is_some_and(|facts| facts.truncated)
    }

    fn extent(&self) -> Extent {
        if self.is_cut() { Extent::Cut } else { Extent::Whole }
    }

    /// The bytes of a body that is not text.
    fn bytes(&self) -> Option<Vec<u8>> {
        let base64 = self.facts.filter(|_| self.text.is_empty())?.base64.as_deref()?;
        base64::engine::general_purpose::STANDARD.decode(base64).ok()
    }

    fn is_binary(&self) -> bool {
        self.text.is_empty() && self.facts.is_some_and(|facts| facts.base64.is_some())
    }

    /// Whether there was no body at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.facts.is_none_or(|facts| facts.bytes == 0)
    }
}

impl Bodies {
    /// Adds the body of one exchange.
    pub(crate) fn add(&mut self, content: &Content) {
        if content.is_empty() {
            self.without = self.without.saturating_add(1);
            return;
        }
        let media = content.content_type.and_then(Media::of);
        let media = media.unwrap_or_else(|| Media::sniffed(content.text, content.is_binary()));
        if !self.by_media.contains_key(media.essence.as_str()) {
            self.by_media.insert(media.essence.as_str().into(), Box::default());
            keep_smallest(&mut self.by_media, MAX_MEDIA);
        }
        if let Some(body) = self.by_media.get_mut(media.essence.as_str()) {
            body.add(content, &media);
        }
    }

    /// Adds all that another one was given.
    pub(crate) fn merge(&mut self, other: &Bodies) {
        self.without = self.without.saturating_add(other.without);
        for (media, body) in &other.by_media {
            self.by_media.entry(media.clone()).or_default().merge(body);
        }
        keep_smallest(&mut self.by_media, MAX_MEDIA);
    }

    /// How many exchanges had a body.
    pub(crate) fn with(&self) -> u64 {
        self.by_media.values().fold(0, |sum, body| sum.saturating_add(body.count))
    }
}

impl Body {
    fn add(&mut self, content: &Content, media: &Media) {
        self.count = self.count.saturating_add(1);
        let read = match media.kind {
            Kind::Json => self.add_json(content),
            Kind::Form => self.add_form(content),
            Kind::Multipart => self.add_multipart(content, media.boundary.as_deref().unwrap_or_default()),
            Kind::Text | Kind::Binary => !content.is_binary(),
        };
        if !read {
            self.unread = self.unread.saturating_add(1);
        } else if !content.is_cut() && matches!(media.kind, Kind::Json | Kind::Text) {
            self.examples.add(content.text);
        }
    }

    fn add_json(&mut self, content: &Content) -> bool {
        let (text, open) = match content.is_cut() {
            true => match sure_part(content.text) {
                Some((repaired, open)) => (Cow::Owned(repaired), open),
                None => return false,
            },
            false => (Cow::Borrowed(content.text), 0),
        };
        let value = Json::read(&text);
        if let Some(value) = &value {
            self.shape.add(value, open);
        }
        value.is_some()
    }

    fn add_form(&mut self, content: &Content) -> bool {
        if content.is_binary() {
            return false;
        }
        // The last pair of a cut form may be cut itself.
        let text = match content.is_cut() {
            true => content.text.rsplit_once('&').map_or("", |(sure, _)| sure),
            false => content.text,
        };
        for (name, values) in Fields::from_query(text).iter() {
            self.fields.add_in(name, values.iter().map(String::as_str), content.extent());
        }
        self.whole_forms = self.whole_forms.saturating_add(u64::from(!content.is_cut()));
        true
    }

    fn add_multipart(&mut self, content: &Content, boundary: &str) -> bool {
        let mut fields = Fields::new();
        let mut files: Vec<&str> = Vec::new();
        let bytes = content.bytes();
        let text = bytes.as_deref().map_or(Cow::Borrowed(content.text), String::from_utf8_lossy);
        let parts = parts(&text, boundary);
        let read = !parts.is_empty();
        for part in parts {
            match part {
                Part::Field(name, value) => value.into_iter().for_each(|value| fields.push(name, value)),
                Part::File(name) if !files.contains(&name) => files.push(name),
                Part::File(_) => {}
            }
        }
        for (name, values) in fields.iter() {
            self.fields.add_in(name, values.iter().map(String::as_str), content.extent());
        }
        files.into_iter().for_each(|name| self.fields.add_file(name, content.extent()));
        self.whole_forms = self.whole_forms.saturating_add(u64::from(read && !content.is_cut()));
        read
    }

    /// Adds all that another one was given.
    pub(crate) fn merge(&mut self, other: &Body) {
        self.count = self.count.saturating_add(other.count);
        self.unread = self.unread.saturating_add(other.unread);
        self.shape.merge(&other.shape);
        self.fields.merge(&other.fields);
        self.whole_forms = self.whole_forms.saturating_add(other.whole_forms);
        self.examples.merge(&other.examples);
    }
}
