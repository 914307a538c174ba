//! A drift as SARIF 2.1.0, the format in which code scanners tell what they found.
//!
//! Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".

use serde_json::{Value, json};

use super::finding::{Drift, Finding, Kind};
use crate::hash::hash;

impl Drift {
    /// The drift as SARIF: one result for each finding, at the line of the document where its path stands.
    ///
    /// `file` is the document as a relative path with `/`, or a URL; `text` is what stands in it.
    pub fn sarif(&self, file: &str, text: &str) -> Value {
        let rules = Kind::ALL.map(|kind| {
            json!({
                "id": kind.id(),
                "shortDescription": { "text": kind.about() },
                "defaultConfiguration": { "level": level(kind) },
            })
        });
        let uri = uri(file);
        let results = self.findings.iter().map(|finding| result(finding, &uri, text)).collect::<Vec<_>>();
        json!({
            "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": {
                    "driver": { "name": "tributary", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules },
                },
                "columnKind": "unicodeCodePoints",
                "artifacts": [{ "location": { "uri": uri } }],
                "results": results,
            }],
        })
    }
}

fn result(finding: &Finding, uri: &str, text: &str) -> Value {
    let place = if finding.place.is_empty() { String::new() } else { format!(", {}", finding.place) };
    let identity = format!("{}|{}|{}|{}", finding.operation, finding.kind.id(), finding.place, finding.message);
    json!({
        "ruleId": finding.kind.id(),
        "ruleIndex": Kind::ALL.iter().position(|kind| *kind == finding.kind),
        "level": level(finding.kind),
        "message": {
            "text": format!("{}{place}: {} (exchange {})", finding.operation, finding.message, finding.example),
        },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": uri, "index": 0 },
                "region": { "startLine": line_of(&finding.pointer, text) },
            },
            "logicalLocations": [{ "fullyQualifiedName": finding.pointer }],
        }],
        "occurrenceCount": finding.count.max(1),
        "partialFingerprints": { "tributaryDrift/v1": format!("{:016x}", hash(&identity)) },
        "properties": { "example": finding.example },
    })
}

/// What breaks clients that believe the document is an error; what they do not know of is a warning.
const fn level(kind: Kind) -> &'static str {
    match kind {
        Kind::MissingRequired | Kind::WrongType | Kind::WrongValue => "error",
        _ => "warning",
    }
}

/// The line, from 1, where the path of a pointer stands as a key; 1 if it does not stand in one piece.
fn line_of(pointer: &str, text: &str) -> usize {
    let template = pointer.strip_prefix("/paths/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let template = template.replace("~1", "/").replace("~0", "~");
    let is_key = |line: &str| {
        let line = line.trim_start().trim_start_matches(['"', '\'']);
        let rest = line.strip_prefix(template.as_str()).map(|rest| rest.trim_start_matches(['"', '\'']).trim_start());
        !template.is_empty() && rest.is_some_and(|rest| rest.starts_with(':'))
    };
    text.lines().position(is_key).map_or(1, |line| line + 1)
}

/// A file name as a URI reference (RFC 3986): what may not stand in one is escaped. A URL is one already.
///
/// An absolute path needs the scheme `file` (SARIF §3.10.1), and a colon in the first segment of a relative one would be
/// read as the end of a scheme (RFC 3986 §4.2).
fn uri(file: &str) -> String {
    if file.contains("://") {
        return file.to_owned();
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:@!$&'()*+,;=".contains(&byte);
    let escape = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    let escaped = file.bytes().map(escape).collect::<String>();
    let first = escaped.split('/').next().unwrap_or_default();
    match first {
        "" if !escaped.is_empty() => format!("file://{escaped}"),
        first if first.contains(':') => format!("./{escaped}"),
        _ => escaped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_where_it_is_a_key() {
        let yaml = "openapi: 3.0.3\npaths:\n  # /users: old\n  /users:\n    get: {}\n  '/users/{id}':\n    get: {}\n";

        assert_eq!(line_of("/paths/~1users", yaml), 4);
        assert_eq!(line_of("/paths/~1users~1{id}/get", yaml), 6);
        assert_eq!(line_of("/paths/~1orders", yaml), 1);
        assert_eq!(line_of("/paths", yaml), 1);
        assert_eq!(line_of("/paths/~1a", "{\n \"paths\": {\n  \"/a\" : {}}}"), 3);
    }

    #[test]
    fn file_names_become_uri_references() {
        assert_eq!(uri("docs/my api.yaml"), "docs/my%20api.yaml");
        assert_eq!(uri("100%.yaml"), "100%25.yaml");
        assert_eq!(uri("v1:shop.yaml"), "./v1:shop.yaml");
        assert_eq!(uri("/srv/shop.yaml"), "file:///srv/shop.yaml");
        assert_eq!(uri("https://shop.example/a%20b.yaml"), "https://shop.example/a%20b.yaml");
    }
}
