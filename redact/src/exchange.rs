//! A whole exchange: borrowed, as the filter writes it, and owned, as the collector reads it.

use std::borrow::Cow;

use tributary_http_types::{BodyRef, ExchangeRef, MetaRef, RequestRef, ResponseRef, Shown};

use crate::{
    body::{self, BodyHead, MaskedBody},
    counts::{Counts, Place},
    header, host,
    masker::{End, Masker, Style},
    redactor::Redactor,
};

type Pair<'a> = (&'a [u8], &'a [u8]);

/// Pairs of which some were changed; `None`: none.
type ChangedPairs<'a> = Option<Vec<(&'a [u8], Cow<'a, [u8]>)>>;

impl Redactor {
    /// Hands on the exchange as it may be written, and how many secrets were masked in it.
    ///
    /// Where nothing is secret it is the same exchange, and nothing was copied or allocated. `meta.redactions` is set.
    pub fn with_masked<R>(&self, exchange: &ExchangeRef<'_>, write: impl FnOnce(&ExchangeRef<'_>, &Counts) -> R) -> R {
        let mut counts = Counts::default();
        let path = self.target(exchange.request.path, &mut counts);
        let host = self.host(exchange.request.host, &mut counts);
        let request = self.message(exchange.request.headers, exchange.request.body, REQUEST, &mut counts);
        let response = exchange.response.as_ref();
        let response = response.map(|response| self.message(response.headers, response.body, RESPONSE, &mut counts));
        let meta = &exchange.meta;
        let request_trailers = self.pairs_of(meta.request_trailers, Place::RequestTrailers, &mut counts);
        let response_trailers = self.pairs_of(meta.response_trailers, Place::ResponseTrailers, &mut counts);
        if counts.is_empty() {
            return write(exchange, &counts);
        }
        let request_pairs = borrowed(&request.headers);
        let response_pairs = response.as_ref().and_then(|response| borrowed(&response.headers));
        let [request_trailers, response_trailers] = [borrowed(&request_trailers), borrowed(&response_trailers)];
        let redactions: Vec<(&str, u64)> = counts.iter().map(|(place, count)| (place.name(), count)).collect();
        let masked = ExchangeRef {
            request: RequestRef {
                host: host.as_deref().unwrap_or(exchange.request.host),
                path: path.as_deref().unwrap_or(exchange.request.path),
                headers: request_pairs.as_deref().unwrap_or(exchange.request.headers),
                body: shown(exchange.request.body, &request.body),
                ..exchange.request.clone()
            },
            response: exchange.response.as_ref().zip(response.as_ref()).map(|(given, masked)| ResponseRef {
                headers: response_pairs.as_deref().unwrap_or(given.headers),
                body: shown(given.body, &masked.body),
                ..given.clone()
            }),
            meta: MetaRef {
                request_trailers: request_trailers.as_deref().unwrap_or(meta.request_trailers),
                response_trailers: response_trailers.as_deref().unwrap_or(meta.response_trailers),
                redactions: &redactions,
                ..meta.clone()
            },
        };
        write(&masked, &counts)
    }

    /// The request target as received.
    fn target(&self, path: &[u8], counts: &mut Counts) -> Option<Vec<u8>> {
        let mut masker = Masker::new(self, path, Style::Words);
        let query = masker.query_start();
        masker.pathname(0..query, End::Whole);
        let in_path = masker.count();
        if self.settings().query {
            masker.query(query, End::Whole);
        }
        let masked = masker.finish()?;
        counts.add(Place::Path, in_path);
        counts.add(Place::Query, masked.count.saturating_sub(in_path));
        Some(masked.bytes)
    }

    fn host(&self, host: &[u8], counts: &mut Counts) -> Option<Vec<u8>> {
        let masked = host::masked(self, host)?;
        counts.add(Place::Path, masked.count);
        Some(masked.bytes)
    }

    fn message<'a>(
        &self,
        headers: &'a [Pair<'a>],
        body: BodyRef<'_>,
        places: [Place; 2],
        counts: &mut Counts,
    ) -> MaskedMessage<'a> {
        let [in_headers, in_body] = places;
        let end = if body.truncated() { End::Cut } else { End::Whole };
        // Only of a cut body may the text be shorter than the bytes.
        let text = if body.truncated() { body.text() } else { None };
        let bytes = text.map_or(body.kept, str::as_bytes);
        let head = if body.kept.is_empty() { BodyHead::default() } else { BodyHead::of(headers.iter().copied()) };
        let body = body::masked(self, bytes, head, end);
        counts.add(in_body, body.count());
        MaskedMessage { headers: self.pairs_of(headers, in_headers, counts), body }
    }

    fn pairs_of<'a>(&self, pairs: &'a [Pair<'a>], place: Place, counts: &mut Counts) -> ChangedPairs<'a> {
        let mut changed: ChangedPairs<'a> = None;
        for (index, (name, value)) in pairs.iter().enumerate() {
            // The writer leaves pseudo-headers out.
            let masked = if name.starts_with(b":") { None } else { header::masked(self, name, value) };
            match (masked, &mut changed) {
                (None, None) => (),
                (None, Some(changed)) => changed.push((name, Cow::Borrowed(value))),
                (Some(masked), changed) => {
                    counts.add(place, masked.count);
                    let before =
                        || pairs.iter().take(index).map(|(name, value)| (*name, Cow::Borrowed(*value))).collect();
                    changed.get_or_insert_with(before).push((name, Cow::Owned(masked.bytes)));
                }
            }
        }
        changed
    }
}

const REQUEST: [Place; 2] = [Place::RequestHeaders, Place::RequestBody];
const RESPONSE: [Place; 2] = [Place::ResponseHeaders, Place::ResponseBody];

struct MaskedMessage<'a> {
    headers: ChangedPairs<'a>,
    body: MaskedBody,
}

fn borrowed<'p>(changed: &'p ChangedPairs<'_>) -> Option<Vec<Pair<'p>>> {
    changed.as_ref().map(|pairs| pairs.iter().map(|(name, value)| (*name, value.as_ref())).collect())
}

fn shown<'b>(body: BodyRef<'b>, masked: &'b MaskedBody) -> BodyRef<'b> {
    let shown = match masked {
        MaskedBody::Same => return body,
        MaskedBody::Changed { bytes, .. } => Shown::Masked(bytes),
        MaskedBody::Withheld(reason) => Shown::Withheld(reason.as_str()),
    };
    BodyRef { shown, ..body }
}

#[cfg(test)]
mod tests;
