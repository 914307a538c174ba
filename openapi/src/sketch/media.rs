//! Media types: what a `content-type` header says, and how a body of that type is read.

/// A media type without its parameters, and how a body of it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Media {
    /// `application/json`: lower case, without parameters.
    pub(crate) essence: String,
    /// How a body of it is read.
    pub(crate) kind: Kind,
    /// `boundary` of a multipart type.
    pub(crate) boundary: Option<String>,
}

/// How a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `application/json`, `application/problem+json` …
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
    /// Text, also XML.
    Text,
    /// Bytes.
    Binary,
}

/// Types of text outside `text/*`, `+xml` and `+yaml`.
const TEXTS: [&str; 12] = [
    "application/xml",
    "application/xhtml",
    "application/javascript",
    "application/ecmascript",
    "application/graphql",
    "application/yaml",
    "application/x-yaml",
    "application/toml",
    "application/x-ndjson",
    "application/jsonl",
    "application/sql",
    "image/svg+xml",
];

impl Media {
    /// What a `content-type` header says; `None` if it is no media type.
    pub(crate) fn of(content_type: &str) -> Option<Media> {
        let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        let essence = essence.trim().to_ascii_lowercase();
        let is_token = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
        };
        let (kind, subtype) = essence.split_once('/')?;
        if !is_token(kind) || !is_token(subtype) || essence.len() > 127 {
            return None;
        }
        let boundary = parameters.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
        });
        Some(Media { kind: Kind::of(&essence), essence, boundary })
    }

    /// What a body without a `content-type` is taken for.
    pub(crate) fn sniffed(text: &str, is_binary: bool) -> Media {
        let essence = if is_binary {
            "application/octet-stream"
        } else if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
            || text.trim_start().starts_with(['{', '['])
        {
            "application/json"
        } else {
            "text/plain"
        };
        Media { essence: essence.to_owned(), kind: Kind::of(essence), boundary: None }
    }
}

impl Kind {
    /// How a body of a media type is read.
    pub(crate) fn of(essence: &str) -> Kind {
        match essence {
            "application/json" | "text/json" | "application/x-json" => Kind::Json,
            "application/x-www-form-urlencoded" => Kind::Form,
            "multipart/form-data" => Kind::Multipart,
            _ if essence.ends_with("+json") => Kind::Json,
            _ if essence.starts_with("text/") || TEXTS.contains(&essence) => Kind::Text,
            _ if essence.ends_with("+xml") || essence.ends_with("+yaml") => Kind::Text,
            _ => Kind::Binary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_case_do_not_matter() {
        let media = Media::of("Application/JSON; charset=utf-8").unwrap();

        assert_eq!((media.essence.as_str(), media.kind), ("application/json", Kind::Json));
    }

    #[test]
    fn each_type_is_read_in_its_way() {
        let cases = [
            ("application/problem+json", Kind::Json),
            ("application/x-www-form-urlencoded", Kind::Form),
            ("multipart/form-data; boundary=\"x\"", Kind::Multipart),
            ("text/html", Kind::Text),
            ("application/atom+xml", Kind::Text),
            ("image/png", Kind::Binary),
        ];

        for (header, kind) in cases {
            assert_eq!(Media::of(header).map(|media| media.kind), Some(kind), "{header}");
        }
        assert_eq!(Media::of("multipart/form-data; boundary=\"x\"").unwrap().boundary.as_deref(), Some("x"));
    }

    #[test]
    fn what_is_no_media_type_is_none() {
        for header in ["", "json", "a/b/c", "a /b", "[redacted]", "/"] {
            assert_eq!(Media::of(header), None, "{header}");
        }
    }

    #[test]
    fn a_body_without_a_type_is_looked_at() {
        assert_eq!(Media::sniffed("true", false).kind, Kind::Json);
        assert_eq!(Media::sniffed("{\"cut\":", false).kind, Kind::Json);
        assert_eq!(Media::sniffed("hello", false).kind, Kind::Text);
        assert_eq!(Media::sniffed("", true).kind, Kind::Binary);
    }
}
