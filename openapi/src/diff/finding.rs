//! What a comparison found, and how it is written for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::call::Reason;

/// Findings that are told apart; of more, only the number is kept. A service that serves another document entirely would
/// fill the memory otherwise.
pub(super) const MOST_FINDINGS: usize = 2_000;

/// How traffic and document disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The service serves a path that the document does not have.
    UndocumentedPath,
    /// The service serves a method that the path of the document does not have.
    UndocumentedMethod,
    /// A status that the operation does not have, not even as `2XX` or `default`.
    UndocumentedStatus,
    /// A body of a media type that is not listed, or a body where there should be none.
    UndocumentedContent,
    /// A query parameter, header or cookie that the operation does not have.
    UndocumentedParameter,
    /// A property that none of the schemas of the object names.
    UndocumentedProperty,
    /// A parameter, body, header or property that has to be there is missing.
    MissingRequired,
    /// A value of another type.
    WrongType,
    /// A value of the right type that the schema does not allow: not of the enumeration, out of bounds, of another format.
    WrongValue,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 9] = [
        Kind::UndocumentedPath,
        Kind::UndocumentedMethod,
        Kind::UndocumentedStatus,
        Kind::UndocumentedContent,
        Kind::UndocumentedParameter,
        Kind::UndocumentedProperty,
        Kind::MissingRequired,
        Kind::WrongType,
        Kind::WrongValue,
    ];

    /// Its name in JSON, in SARIF and as a rule: `undocumented-path`.
    pub const fn id(self) -> &'static str {
        match self {
            Kind::UndocumentedPath => "undocumented-path",
            Kind::UndocumentedMethod => "undocumented-method",
            Kind::UndocumentedStatus => "undocumented-status",
            Kind::UndocumentedContent => "undocumented-content",
            Kind::UndocumentedParameter => "undocumented-parameter",
            Kind::UndocumentedProperty => "undocumented-property",
            Kind::MissingRequired => "missing-required",
            Kind::WrongType => "wrong-type",
            Kind::WrongValue => "wrong-value",
        }
    }

    /// What it means, as a sentence.
    pub const fn about(self) -> &'static str {
        match self {
            Kind::UndocumentedPath => "The service serves a path that the document does not have.",
            Kind::UndocumentedMethod => "The service serves a method that the path does not have in the document.",
            Kind::UndocumentedStatus => "The service answers with a status that the operation does not have.",
            Kind::UndocumentedContent => "A body has a media type that the operation does not have.",
            Kind::UndocumentedParameter => "Clients send a parameter that the operation does not have.",
            Kind::UndocumentedProperty => "An object has a property that its schema does not name.",
            Kind::MissingRequired => "Something that the document requires is missing.",
            Kind::WrongType => "A value has another type than the schema says.",
            Kind::WrongValue => "A value of the right type is not allowed by the schema.",
        }
    }
}

/// One disagreement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// `GET /users/{userId}`: the template of the document; of an undocumented path, what the paths look like.
    pub operation: String,
    /// How they disagree.
    pub kind: Kind,
    /// Where in the exchange: `response 200 body /items/*/name`, `query page`; `*` stands for any element. Empty where
    /// the operation says it all.
    pub place: String,
    /// What is wrong, in words: `string, integer is documented`.
    pub message: String,
    /// Where in the document, as a JSON pointer: the operation, the path item, or `/paths`.
    pub pointer: String,
    /// How many exchanges show it.
    pub count: u64,
    /// One of them: its `meta.id`, or, if it has none, where it was read.
    pub example: String,
}

/// All that a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// The disagreements, sorted by operation.
    pub findings: Vec<Finding>,
    /// Disagreements beyond the 2,000 that are told apart.
    pub more: u64,
    /// Exchanges that were compared.
    pub compared: u64,
    /// Exchanges that came a second time.
    pub repeated: u64,
    /// Exchanges that tell nothing about the interface, by reason.
    pub left_out: BTreeMap<Reason, u64>,
    /// Operations of the document that an exchange belonged to.
    pub operations_seen: usize,
    /// Operations of the document.
    pub operations: usize,
}

impl Drift {
    /// Whether traffic and document agree.
    pub fn is_none(&self) -> bool {
        self.findings.is_empty() && self.more == 0
    }

    /// For people: findings below their operation, and a line with the numbers.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut operation = None;
        for finding in &self.findings {
            if operation != Some(&finding.operation) {
                operation = Some(&finding.operation);
                let _ = writeln!(text, "{}", printable(&finding.operation));
            }
            let place = if finding.place.is_empty() { String::new() } else { format!("{}: ", finding.place) };
            let times = if finding.count == 1 { "once".to_owned() } else { format!("{} times", finding.count) };
            let line = format!("  {:<22} {place}{} ({times}, {})", finding.kind.id(), finding.message, finding.example);
            let _ = writeln!(text, "{}", printable(&line));
        }
        if !self.findings.is_empty() {
            text.push('\n');
        }
        let _ = match self.compared {
            1 => write!(text, "1 exchange compared: "),
            count => write!(text, "{count} exchanges compared: "),
        };
        let _ = match (self.findings.len(), self.more) {
            (0, 0) if self.compared == 0 => write!(text, "nothing can be said"),
            (0, 0) => write!(text, "no drift"),
            (1, 0) => write!(text, "1 disagreement"),
            (count, 0) => write!(text, "{count} disagreements"),
            (count, more) => write!(text, "{count} disagreements, and {more} more that are not told apart"),
        };
        let _ = writeln!(text, "; {} of {} operations seen.", self.operations_seen, self.operations);
        if self.repeated > 0 {
            let _ = writeln!(text, "Left out: {} repeated.", self.repeated);
        }
        for (reason, count) in &self.left_out {
            let _ = writeln!(text, "Left out: {count} {}.", reason.as_str());
        }
        text
    }

    /// For programs: the same as one object.
    pub fn json(&self) -> Value {
        let findings = self.findings.iter().map(|finding| {
            json!({
                "operation": finding.operation,
                "kind": finding.kind.id(),
                "place": finding.place,
                "message": finding.message,
                "pointer": finding.pointer,
                "count": finding.count,
                "example": finding.example,
            })
        });
        json!({
            "drift": !self.is_none(),
            "findings": findings.collect::<Vec<_>>(),
            "more": self.more,
            "compared": self.compared,
            "repeated": self.repeated,
            "leftOut": self.left_out,
            "operations": { "seen": self.operations_seen, "documented": self.operations },
        })
    }
}

/// Names come from the traffic: without what could steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
