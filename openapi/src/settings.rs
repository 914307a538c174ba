//! What the caller may choose about a document.

/// How the document is written. The default: OpenAPI 3.1, schemas, three observations for a conclusion, with evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The version of OpenAPI.
    pub version: Version,
    /// `info.title`; without one it is made from the host.
    pub title: Option<String>,
    /// Schemas only, or the observed examples too.
    pub mode: Mode,
    /// How many observations a conclusion needs that the next one could refute: a format that may be chance, the type of
    /// written values, a required parameter or header. An enum needs twice that and two more for each of its words. From
    /// 1; 0 counts as 1. Default 3.
    pub min_evidence: u32,
    /// Whether each operation carries the extension `x-tributary`: count, first and last seen, statuses, durations.
    pub evidence: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { version: Version::default(), title: None, mode: Mode::default(), min_evidence: 3, evidence: true }
    }
}

/// The version of OpenAPI in which a document is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// 3.0.3: `nullable: true`.
    V30,
    /// 3.1.0: JSON Schema 2020-12, `type: [string, "null"]`.
    #[default]
    V31,
}

impl Version {
    /// As it stands under `openapi`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Version::V30 => "3.0.3",
            Version::V31 => "3.1.0",
        }
    }
}

/// What a document is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Schemas.
    #[default]
    Gen,
    /// Schemas, and the bodies that were observed as examples: deduplicated, at most four a body, none with a redacted
    /// value. For mock servers.
    Replay,
}
