//! A body, read as what its content type says it is; a body that is none of that is read as what it looks like.

use serde::de::IgnoredAny;

use crate::{
    json::Syntax,
    masker::{End, Masked, Masker, Style},
    names::Field,
    redactor::Redactor,
    settings::{Compressed, Unparseable},
    utf16,
};

/// What becomes of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MaskedBody {
    /// Nothing in it is masked.
    Same,
    /// This stands for it.
    Changed {
        /// The body with secrets masked.
        bytes: Vec<u8>,
        /// How many.
        count: u64,
    },
    /// It must be left out.
    Withheld(Withheld),
}

impl MaskedBody {
    /// How many secrets were masked; a body that is left out counts as one.
    pub(crate) fn count(&self) -> u64 {
        match self {
            MaskedBody::Same => 0,
            MaskedBody::Changed { count, .. } => *count,
            MaskedBody::Withheld(_) => 1,
        }
    }
}

/// Why a body is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// It is compressed, so nobody looked into it.
    Compressed,
    /// It is not what its content type says.
    Unparseable,
    /// It holds so many secrets that the masks for them would be far longer than it.
    TooLong,
}

impl Withheld {
    /// The word in `meta.requestBody.withheld` and `meta.responseBody.withheld`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Withheld::Compressed => "compressed",
            Withheld::Unparseable => "unparseable",
            Withheld::TooLong => "too_long",
        }
    }
}

/// How a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Json,
    Form,
    Multipart,
    Text,
    /// Binary messages in which lengths mean something.
    Framed,
    /// Says nothing about its inside.
    Other,
}

impl Kind {
    pub(crate) fn of(content_type: &[u8]) -> Kind {
        // Most bodies that are anything.
        if content_type == b"application/json" {
            return Kind::Json;
        }
        let essence = content_type.split(|byte| matches!(byte, b';' | b',')).next().unwrap_or_default().trim_ascii();
        let Ok(essence) = std::str::from_utf8(essence) else { return Kind::Other };
        let essence = essence.to_ascii_lowercase();
        match essence.as_str() {
            "application/json"
            | "text/json"
            | "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-json"
            | "application/json-seq"
            | "application/csp-report"
            | "application/jsonlines"
            | "application/x-jsonlines"
            | "application/json-lines" => Kind::Json,
            "application/x-www-form-urlencoded" => Kind::Form,
            "application/graphql"
            | "application/xml"
            | "application/javascript"
            | "application/yaml"
            | "application/x-yaml"
            | "application/toml"
            | "application/sql"
            | "application/jwt"
            | "application/x-pem-file" => Kind::Text,
            "application/cbor" | "application/msgpack" | "application/x-msgpack" | "application/avro" => Kind::Framed,
            other if other.starts_with("application/grpc") || other.contains("protobuf") => Kind::Framed,
            other if other.ends_with("+json") => Kind::Json,
            other if other.starts_with("multipart/") => Kind::Multipart,
            other if other.starts_with("text/") || other.ends_with("+xml") || other.ends_with("+yaml") => Kind::Text,
            _ => Kind::Other,
        }
    }

    /// What a body looks like that does not say.
    fn looks_like(body: &[u8]) -> Kind {
        let body = body.trim_ascii_start();
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.%[]+$~".contains(byte);
        match body {
            [b'{' | b'[' | b'"', ..] => Kind::Json,
            [b'-', b'-', ..] => Kind::Multipart,
            _ if body.iter().find(|byte| !is_name(byte)) == Some(&b'=') && !body.contains(&b' ') => Kind::Form,
            _ => Kind::Text,
        }
    }
}

/// What is known of a body beside its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BodyHead<'h> {
    pub(crate) content_type: Option<&'h [u8]>,
    pub(crate) is_compressed: bool,
}

impl<'h> BodyHead<'h> {
    /// What these headers say.
    pub(crate) fn of(headers: impl Iterator<Item = (&'h [u8], &'h [u8])>) -> BodyHead<'h> {
        let mut head = BodyHead::default();
        for (name, value) in headers {
            if name.eq_ignore_ascii_case(b"content-type") {
                head.content_type = head.content_type.or(Some(value));
            } else if name.eq_ignore_ascii_case(b"content-encoding") || name.eq_ignore_ascii_case(b"grpc-encoding") {
                head.is_compressed |= !(value.is_empty() || value.eq_ignore_ascii_case(b"identity"));
            }
        }
        head
    }
}

/// Masks one body. `end`: whether the bytes are all of it.
pub(crate) fn masked(rules: &Redactor, body: &[u8], head: BodyHead<'_>, end: End) -> MaskedBody {
    if body.is_empty() || !rules.settings().bodies {
        return MaskedBody::Same;
    }
    if head.is_compressed {
        return match rules.settings().compressed {
            Compressed::Pass => MaskedBody::Same,
            Compressed::Drop => MaskedBody::Withheld(Withheld::Compressed),
        };
    }
    if let Some((text, order)) = utf16::decoded(body) {
        let masked = masked_text(rules, text.as_bytes(), head, end);
        return match masked {
            MaskedBody::Changed { bytes, count } => {
                MaskedBody::Changed { bytes: utf16::encoded(&String::from_utf8_lossy(&bytes), order), count }
            }
            same_or_withheld => same_or_withheld,
        };
    }
    masked_text(rules, body, head, end)
}

fn masked_text(rules: &Redactor, body: &[u8], head: BodyHead<'_>, end: End) -> MaskedBody {
    let kind = head.content_type.map_or(Kind::Other, Kind::of);
    if rules.settings().unparseable == Unparseable::Drop && !is_what_it_says(body, kind, end) {
        return MaskedBody::Withheld(Withheld::Unparseable);
    }
    let is_text = kind == Kind::Other && is_text(body, end);
    // Bytes that say nothing of themselves and are no text may be of a form in which lengths count.
    let style = match kind {
        Kind::Framed => Style::Stars,
        Kind::Other if !is_text => Style::Stars,
        _ => Style::Words,
    };
    let masker = Masker::new(rules, body, style);
    let kind = match kind {
        Kind::Other if is_text => Kind::looks_like(body),
        Kind::Form if matches!(Kind::looks_like(body), Kind::Json) => Kind::Json,
        Kind::Text if matches!(body.trim_ascii_start(), [b'{' | b'[', ..]) => Kind::Json,
        kind => kind,
    };
    match read_as(masker, kind, head.content_type.unwrap_or_default(), end) {
        Some(Masked { is_too_long: true, .. }) => MaskedBody::Withheld(Withheld::TooLong),
        Some(Masked { bytes, count, .. }) => MaskedBody::Changed { bytes, count },
        None => MaskedBody::Same,
    }
}

fn read_as(mut masker: Masker<'_, '_>, kind: Kind, content_type: &[u8], end: End) -> Option<Masked> {
    let whole = 0..masker.source.len();
    match kind {
        Kind::Json => return masker.json_or_text(end),
        Kind::Form => masker.pairs(whole, Field::Form, end),
        Kind::Multipart if masker.multipart(parameter(content_type, b"boundary"), end) == Syntax::Json => (),
        Kind::Multipart | Kind::Text | Kind::Framed | Kind::Other => masker.scan(whole, end),
    }
    masker.finish()
}

/// Whether a body can be read as its content type says; what says nothing is always what it says.
fn is_what_it_says(body: &[u8], kind: Kind, end: End) -> bool {
    match kind {
        Kind::Json => is_text(body, end) && is_json(body, end),
        Kind::Form => !matches!(Kind::looks_like(body), Kind::Json) && !body.iter().any(u8::is_ascii_control),
        Kind::Multipart => body.windows(2).any(|two| two == b"--"),
        Kind::Text => is_text(body, end),
        Kind::Framed | Kind::Other => true,
    }
}

/// UTF-8, up to a character that the limit cut.
fn is_text(body: &[u8], end: End) -> bool {
    match std::str::from_utf8(body) {
        Ok(_) => true,
        Err(error) => end == End::Cut && error.error_len().is_none(),
    }
}

/// One JSON value, or several, one behind the other.
fn is_json(body: &[u8], end: End) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::Deserializer::from_slice(body).into_iter::<IgnoredAny>().all(|value| match value {
        Ok(_) => true,
        Err(error) => end == End::Cut && error.is_eof(),
    })
}

/// A parameter of a header like `multipart/form-data; boundary="x"`.
pub(crate) fn parameter<'h>(header: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    header.split(|byte| *byte == b';').skip(1).find_map(|parameter| {
        let equals = parameter.iter().position(|byte| *byte == b'=')?;
        let (found, value) = parameter.split_at(equals);
        let value = value.get(1..)?.trim_ascii();
        let value = value.strip_prefix(b"\"").map_or(value, |value| value.strip_suffix(b"\"").unwrap_or(value));
        found.trim_ascii().eq_ignore_ascii_case(name).then_some(value).filter(|value| !value.is_empty())
    })
}

#[cfg(test)]
mod tests;
