//! A header or trailer map as Envoy hands it over, read without copying.
//!
//! ```text
//! u32 count │ count × (u32 name length, u32 value length) │ count × (name, 0, value, 0)      little endian
//! ```
//! Order and repetitions are kept; values are bytes, for clients send bytes that are not UTF-8. Nothing here trusts a
//! length: a map that does not add up is refused as a whole.
//!
//! Source: proxy-wasm ABI 0.2.1, "Serialization"; measured on Envoy 1.40.

use thiserror::Error;

const LENGTHS_START: usize = 4;
const LENGTHS_SIZE: usize = 8;

/// A name and a value, borrowed from the map.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// One map, checked once, then read as often as needed.
///
/// An empty byte string is an empty map: that is how Envoy answers outside the phase of a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    raw: Vec<u8>,
}

/// The bytes are not a map.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the header map does not add up: {bytes} bytes do not hold what their lengths say")]
pub struct HeadError {
    /// How many bytes there were.
    pub bytes: usize,
}

impl Head {
    /// Takes over a map in its wire form.
    ///
    /// # Errors
    /// [`HeadError`]: a length points outside. Treat the head as unreadable.
    pub fn from_wire(raw: Vec<u8>) -> Result<Head, HeadError> {
        let bytes = raw.len();
        let head = Head { raw };
        if head.adds_up() { Ok(head) } else { Err(HeadError { bytes }) }
    }

    fn adds_up(&self) -> bool {
        if self.raw.is_empty() {
            return true;
        }
        let Some(count) = number_at(&self.raw, 0) else { return false };
        // Each pair takes at least its lengths, so a huge count ends at the first missing one.
        count
            .checked_mul(LENGTHS_SIZE)
            .and_then(|size| size.checked_add(LENGTHS_START))
            .is_some_and(|start| start <= self.raw.len())
            && self.pairs().count() == count
    }

    /// The pairs in the order received.
    pub fn pairs(&self) -> Pairs<'_> {
        let count = number_at(&self.raw, 0).unwrap_or_default();
        let data = count.saturating_mul(LENGTHS_SIZE).saturating_add(LENGTHS_START);
        Pairs { raw: &self.raw, next: LENGTHS_START, data, left: count }
    }

    /// The value of the first pair with this name; names are in lower case, as Envoy has them.
    pub fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.pairs().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// A map with these pairs, and none if it would be too long for its lengths.
    pub(crate) fn of(pairs: &[Pair<'_>]) -> Head {
        let length = |len: usize| u32::try_from(len).map(u32::to_le_bytes);
        let mut raw = Vec::new();
        let lengths = pairs.iter().flat_map(|(name, value)| [name.len(), value.len()]);
        for len in std::iter::once(pairs.len()).chain(lengths) {
            let Ok(bytes) = length(len) else { return Head::default() };
            raw.extend_from_slice(&bytes);
        }
        for (name, value) in pairs {
            raw.extend_from_slice(&[name, &b"\0"[..], value, b"\0"].concat());
        }
        raw.shrink_to_fit();
        Head { raw }
    }

    /// What a line needs of a request head beside its headers: path, host and scheme. Empty for a response head.
    pub(crate) fn request_line(&self) -> Head {
        let pairs: [(&[u8], Option<&[u8]>); 3] =
            [(b":authority", self.host()), (b":path", self.first(b":path")), (b":scheme", self.scheme())];
        let pairs: Vec<Pair<'_>> = pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        if pairs.is_empty() { Head::default() } else { Head::of(&pairs) }
    }

    /// The host the client asked for; `None` if it named none.
    pub(crate) fn host(&self) -> Option<&[u8]> {
        let named = |name: &[u8]| self.first(name).filter(|host| !host.is_empty());
        named(b":authority").or_else(|| named(b"host"))
    }

    /// How the client spoke. A CONNECT has no `:scheme`; Envoy's `x-forwarded-proto` says the same.
    pub(crate) fn scheme(&self) -> Option<&[u8]> {
        self.first(b":scheme").or_else(|| self.first(b"x-forwarded-proto"))
    }

    /// The map in its wire form, as a host takes it.
    #[cfg(all(target_arch = "wasm32", target_os = "wasi"))]
    pub(crate) fn as_wire(&self) -> &[u8] {
        &self.raw
    }

    /// The bytes this map holds.
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether there is no pair at all.
    pub fn is_empty(&self) -> bool {
        self.pairs().next().is_none()
    }

    /// Whether the body under this head is in a coding, so that its bytes are no text even if they look like it:
    /// a `content-encoding` other than `identity`, or gRPC's message frames.
    pub fn is_coded(&self) -> bool {
        self.pairs().any(|(name, value)| match name {
            b"content-encoding" => !(value.is_empty() || value.eq_ignore_ascii_case(b"identity")),
            b"content-type" => starts_with_ignoring_case(value, b"application/grpc"),
            _ => false,
        })
    }
}

fn starts_with_ignoring_case(value: &[u8], start: &[u8]) -> bool {
    value.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
}

/// The pairs of a [`Head`]; ends early where the map does not add up.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    raw: &'a [u8],
    next: usize,
    data: usize,
    left: usize,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        self.left = self.left.checked_sub(1)?;
        let name_len = number_at(self.raw, self.next)?;
        let value_len = number_at(self.raw, self.next.checked_add(4)?)?;
        let name_end = self.data.checked_add(name_len)?;
        let value_start = name_end.checked_add(1)?;
        let value_end = value_start.checked_add(value_len)?;
        let pair = (self.raw.get(self.data..name_end)?, self.raw.get(value_start..value_end)?);
        // The closing NUL of the value must be there too.
        self.raw.get(value_end)?;
        self.next = self.next.checked_add(LENGTHS_SIZE)?;
        self.data = value_end.checked_add(1)?;
        Some(pair)
    }
}

fn number_at(raw: &[u8], start: usize) -> Option<usize> {
    let bytes = raw.get(start..start.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests;
