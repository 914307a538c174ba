//! How many values were masked, by the place where they stood.

/// The parts of an exchange, by the names that `meta.redactions` uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The path, the host and (in lines of others) the URL.
    Path,
    /// The query, once for a value that stands in `path` and in `query`.
    Query,
    /// Request headers, cookies included.
    RequestHeaders,
    /// The request body.
    RequestBody,
    /// Request trailers.
    RequestTrailers,
    /// Response headers, cookies included.
    ResponseHeaders,
    /// The response body.
    ResponseBody,
    /// Response trailers.
    ResponseTrailers,
    /// What others wrote into `meta`.
    Meta,
}

impl Place {
    /// How many there are.
    pub const COUNT: usize = 9;

    /// All of them, in the order of the exchange.
    pub const ALL: [Place; Place::COUNT] = [
        Place::Path,
        Place::Query,
        Place::RequestHeaders,
        Place::RequestBody,
        Place::RequestTrailers,
        Place::ResponseHeaders,
        Place::ResponseBody,
        Place::ResponseTrailers,
        Place::Meta,
    ];

    /// The key in `meta.redactions`.
    pub const fn name(self) -> &'static str {
        match self {
            Place::Path => "path",
            Place::Query => "query",
            Place::RequestHeaders => "requestHeaders",
            Place::RequestBody => "requestBody",
            Place::RequestTrailers => "requestTrailers",
            Place::ResponseHeaders => "responseHeaders",
            Place::ResponseBody => "responseBody",
            Place::ResponseTrailers => "responseTrailers",
            Place::Meta => "meta",
        }
    }
}

/// Masked values by place. A body that was left out as a whole counts as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    values: [u64; Place::COUNT],
}

impl Counts {
    /// How many were masked in one place.
    pub fn get(&self, place: Place) -> u64 {
        self.values.get(place as usize).copied().unwrap_or_default()
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.values.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Whether nothing was masked.
    pub fn is_empty(&self) -> bool {
        self.values == [0; Place::COUNT]
    }

    /// The places in which something was masked, with the counts, in the order of [`Place::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Place, u64)> + '_ {
        Place::ALL.into_iter().map(|place| (place, self.get(place))).filter(|(_, count)| *count > 0)
    }

    pub(crate) fn add(&mut self, place: Place, count: u64) {
        if let Some(value) = self.values.get_mut(place as usize) {
            *value = value.saturating_add(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_names_of_their_own_that_no_reader_dies_of() {
        let mut names = Place::ALL.map(Place::name).to_vec();
        names.sort_unstable();
        names.dedup();

        assert_eq!(names.len(), Place::COUNT);
        assert!(!names.contains(&"method") && !names.contains(&"protocol"));
    }

    #[test]
    fn only_places_with_something_are_listed() {
        let mut counts = Counts::default();
        assert!(counts.is_empty());

        counts.add(Place::Meta, 1);
        counts.add(Place::Query, 2);

        assert_eq!(counts.iter().collect::<Vec<_>>(), [(Place::Query, 2), (Place::Meta, 1)]);
        assert_eq!((counts.total(), counts.is_empty()), (3, false));
    }
}
