//! An exchange as a reader has it: what the collector masks before it stores a line that anybody may have written.
//!
//! [`Redactor::finds`] looks at the texts of a line that was checked, without taking it apart; only a line in which it
//! finds something is read as a whole, masked and written anew ([`Redactor::mask_exchange`]).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use tributary_http_types::{CheckedLine, CheckedTexts, Fields, HttpExchange};

use crate::{
    body::{self, BodyHead, MaskedBody, Withheld},
    counts::{Counts, Place},
    form, header, host, known,
    masker::{End, Masked, Masker, Style},
    redactor::Redactor,
    settings::Unparseable,
};

mod meta;

impl Redactor {
    /// Whether something in this line may have to be masked. Bodies in base64 are not looked into: the line says of
    /// itself that it has some.
    pub fn finds(&self, line: &CheckedLine<'_>) -> bool {
        line.has_other_meta
            || line.meta_texts.iter().flatten().any(|fact| self.fact(fact).is_some())
            || line.host.as_deref().is_some_and(|host| host::masked(self, host.as_bytes()).is_some())
            || self.finds_in(&line.request)
            || self.finds_in(&line.response)
    }

    fn finds_in(&self, texts: &CheckedTexts<'_>) -> bool {
        let finds_header =
            |(name, value): (&str, &str)| header::masked(self, name.as_bytes(), value.as_bytes()).is_some();
        let finds_pair = |(name, value): (&str, &str)| form::masked_value(self, name, value).is_some();
        texts.headers.pairs().any(finds_header)
            || self.settings().query && texts.query.pairs().any(finds_pair)
            || self.finds_in_urls(texts)
            || texts.body.as_deref().is_some_and(|body| !body.is_empty() && self.finds_in_body(texts, body))
    }

    fn finds_in_urls(&self, texts: &CheckedTexts<'_>) -> bool {
        let path = texts.path.as_deref().unwrap_or_default();
        let is_query = |byte: u8| matches!(byte, b'?' | b'#');
        let before_query = path.get(..path.bytes().position(is_query).unwrap_or(path.len()));
        // Nearly always it is the beginning of `path`, where the same is looked for.
        let pathname = texts.pathname.as_deref().filter(|pathname| Some(*pathname) != before_query);
        [Some(path), pathname, texts.url.as_deref()].into_iter().flatten().any(|url| self.url(url).is_some())
    }

    fn finds_in_body(&self, texts: &CheckedTexts<'_>, body: &str) -> bool {
        let head = BodyHead { is_compressed: false, ..BodyHead::of(bytes_of(texts.headers.pairs())) };
        let differs = |end| body::masked(self, body.as_bytes(), head, end) != MaskedBody::Same;
        // Whether a body was cut stands in `meta`, which is not looked into here. As a cut one it may hold a secret more; as
        // a whole one it is only ever refused more.
        differs(End::Cut) || self.settings().unparseable == Unparseable::Drop && differs(End::Whole)
    }

    /// Masks an exchange in place, and says how much; `meta.redactions` is kept up to date.
    ///
    /// Bodies in base64 are masked too, but for those under a `content-encoding`: decode these before, or
    /// [`withhold_packed`].
    pub fn mask_exchange(&self, exchange: &mut HttpExchange) -> Counts {
        let mut counts = Counts::default();
        let HttpExchange { request, response, meta } = &mut *exchange;
        self.mask_target(request, &mut counts);
        let answer = response.as_mut().map(|response| (response.headers.as_ref(), &mut response.body));
        let (headers, body) = answer.unzip();
        let sides = [
            ("requestBody", request.headers.as_ref(), Some(&mut request.body), Place::RequestBody),
            ("responseBody", headers.flatten(), body, Place::ResponseBody),
        ];
        for (key, headers, body, place) in sides {
            let facts = meta.as_mut().and_then(|meta| meta.get_mut(key)).and_then(Value::as_object_mut);
            counts.add(place, self.mask_body(headers, body.and_then(Option::as_mut), facts));
        }
        self.mask_headers(&mut request.headers, Place::RequestHeaders, &mut counts);
        if let Some(response) = response {
            self.mask_headers(&mut response.headers, Place::ResponseHeaders, &mut counts);
        }
        if let Some(meta) = meta {
            meta::mask(self, meta, &mut counts);
        }
        tell(exchange, &counts);
        counts
    }

    fn mask_target(&self, request: &mut tributary_http_types::HttpRequest, counts: &mut Counts) {
        let (mut in_path, mut in_query) = (0, 0);
        for text in [&mut request.path, &mut request.pathname, &mut request.url].into_iter().flatten() {
            let Some((masked, [path, query])) = self.url(text) else { continue };
            *text = masked;
            in_path = in_path.max(path);
            in_query = in_query.max(query);
        }
        if let Some(host) = &mut request.host
            && let Some(masked) = host::masked(self, host.as_bytes())
        {
            *host = text_of(masked.bytes);
            counts.add(Place::Path, masked.count);
        }
        let mut pairs = 0u64;
        if self.settings().query {
            for (name, values) in request.query.iter_mut().flat_map(Fields::iter_mut) {
                for value in values {
                    if let Some((masked, count)) = form::masked_value(self, name, value) {
                        *value = masked;
                        pairs = pairs.saturating_add(count);
                    }
                }
            }
        }
        // The same secret stands in `path` and in `query`.
        counts.add(Place::Path, in_path);
        counts.add(Place::Query, in_query.max(pairs));
    }

    /// A URL masked, and how much in its path and in its query.
    fn url(&self, url: &str) -> Option<(String, [u64; 2])> {
        let mut masker = Masker::new(self, url.as_bytes(), Style::Words);
        let query = masker.query_start();
        masker.pathname(0..query, End::Whole);
        let in_path = masker.count();
        if self.settings().query {
            masker.query(query, End::Whole);
        }
        let masked = masker.finish()?;
        Some((text_of(masked.bytes), [in_path, masked.count.saturating_sub(in_path)]))
    }

    fn mask_headers(&self, headers: &mut Option<Fields>, place: Place, counts: &mut Counts) {
        for (name, values) in headers.iter_mut().flat_map(Fields::iter_mut) {
            for value in values {
                if let Some(masked) = header::masked(self, name.as_bytes(), value.as_bytes()) {
                    *value = text_of(masked.bytes);
                    counts.add(place, masked.count);
                }
            }
        }
    }

    /// The text of a body, and its bytes in base64.
    fn mask_body(
        &self,
        headers: Option<&Fields>,
        text: Option<&mut String>,
        facts: Option<&mut Map<String, Value>>,
    ) -> u64 {
        let pairs = || headers.into_iter().flat_map(Fields::iter);
        let pairs = pairs().flat_map(|(name, values)| values.iter().map(move |value| (name, value.as_str())));
        let head = BodyHead::of(bytes_of(pairs));
        let mut facts = facts;
        let is_cut = facts.as_ref().and_then(|facts| facts.get("truncated")).and_then(Value::as_bool);
        let end = if is_cut == Some(true) { End::Cut } else { End::Whole };
        let in_text = match text.filter(|text| !text.is_empty()) {
            Some(text) => self.mask_text(text, head, end, facts.as_deref_mut()),
            None => 0,
        };
        let in_bytes = match facts.filter(|_| !head.is_compressed) {
            Some(facts) => self.mask_bytes(facts, head, end),
            None => 0,
        };
        in_text.saturating_add(in_bytes)
    }

    fn mask_text(
        &self,
        text: &mut String,
        head: BodyHead<'_>,
        end: End,
        facts: Option<&mut Map<String, Value>>,
    ) -> u64 {
        // Whatever it was on the wire, here it is a text.
        let masked = body::masked(self, text.as_bytes(), BodyHead { is_compressed: false, ..head }, end);
        let count = masked.count();
        match masked {
            MaskedBody::Same => (),
            MaskedBody::Changed { bytes, .. } => *text = text_of(bytes),
            MaskedBody::Withheld(reason) => {
                text.clear();
                if let Some(facts) = facts {
                    withhold(facts, reason);
                }
            }
        }
        count
    }

    fn mask_bytes(&self, facts: &mut Map<String, Value>, head: BodyHead<'_>, end: End) -> u64 {
        let Some(bytes) = facts.get("base64").and_then(packed_bytes) else { return 0 };
        let masked = body::masked(self, &bytes, head, end);
        let count = masked.count();
        match masked {
            MaskedBody::Same => (),
            MaskedBody::Changed { bytes, .. } => {
                facts.insert("base64".to_owned(), Value::from(STANDARD.encode(bytes)));
            }
            MaskedBody::Withheld(reason) => withhold(facts, reason),
        }
        count
    }

    /// A text in `meta`, judged by what it says.
    fn fact(&self, text: &str) -> Option<Masked> {
        known::beside_headers(self, b"meta", text.as_bytes(), || {
            let mut masker = Masker::new(self, text.as_bytes(), Style::Words);
            masker.value(0..text.len(), End::Whole);
            masker.finish()
        })
    }
}

/// The bytes of a body in `meta`, if it is in base64.
fn packed_bytes(base64: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(base64.as_str()?).ok()
}

/// Leaves out the bodies in base64 that are under a `content-encoding`; how many there were.
///
/// For those that could not be decoded, or must not be looked into.
pub fn withhold_packed(exchange: &mut HttpExchange) -> u64 {
    let HttpExchange { request, response, meta } = &mut *exchange;
    let response = response.as_ref().and_then(|response| response.headers.as_ref());
    let mut counts = Counts::default();
    let sides = [
        ("requestBody", request.headers.as_ref(), Place::RequestBody),
        ("responseBody", response, Place::ResponseBody),
    ];
    for (key, headers, place) in sides {
        let pairs = headers.into_iter().flat_map(Fields::iter);
        let pairs = pairs.flat_map(|(name, values)| values.iter().map(move |value| (name, value.as_str())));
        if !BodyHead::of(bytes_of(pairs)).is_compressed {
            continue;
        }
        let facts = meta.as_mut().and_then(|meta| meta.get_mut(key)).and_then(Value::as_object_mut);
        if let Some(facts) = facts.filter(|facts| facts.contains_key("base64")) {
            withhold(facts, Withheld::Compressed);
            counts.add(place, 1);
        }
    }
    tell(exchange, &counts);
    counts.total()
}

fn withhold(facts: &mut Map<String, Value>, reason: Withheld) {
    facts.remove("base64");
    facts.insert("kept".to_owned(), Value::from(0));
    facts.insert("truncated".to_owned(), Value::Bool(true));
    facts.insert("withheld".to_owned(), Value::from(reason.as_str()));
}

/// Adds to the counts that the exchange has.
fn tell(exchange: &mut HttpExchange, counts: &Counts) {
    if counts.is_empty() {
        return;
    }
    let redactions =
        exchange.meta.get_or_insert_default().entry("redactions").or_insert_with(|| Value::Object(Map::new()));
    if !redactions.is_object() {
        *redactions = Value::Object(Map::new());
    }
    let Some(redactions) = redactions.as_object_mut() else { return };
    for (place, count) in counts.iter() {
        let before = redactions.get(place.name()).and_then(Value::as_u64).unwrap_or_default();
        redactions.insert(place.name().to_owned(), Value::from(before.saturating_add(count)));
    }
}

fn bytes_of<'t>(pairs: impl Iterator<Item = (&'t str, &'t str)>) -> impl Iterator<Item = (&'t [u8], &'t [u8])> {
    pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes()))
}

/// What is masked in a text is a text again.
fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests;
