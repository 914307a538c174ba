//! From credentials to security schemes and requirements.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{
    credentials::Scheme,
    sketch::Requests,
    tree::Path,
    words::{camel, words},
};

/// The security schemes of a document, sorted by name.
pub(crate) fn schemes(paths: &[Path]) -> Map<String, Value> {
    let operations = paths.iter().flat_map(|path| path.operations.values());
    let all: BTreeSet<&Scheme> =
        operations.flat_map(|operation| operation.requests().credentials.keys().flatten()).collect();
    let only_jwt = !all.contains(&Scheme::Bearer);
    let mut schemes: Vec<(String, Value)> =
        all.into_iter().map(|scheme| (name(scheme), written(scheme, only_jwt))).collect();
    schemes.sort_by(|one, other| one.0.cmp(&other.0));
    schemes.into_iter().collect()
}

/// What an operation requires: each combination that came, and nothing at all if that came too. `None` if no credentials
/// ever came.
pub(crate) fn requirements(requests: &Requests) -> Option<Value> {
    let mut combinations: Vec<Map<String, Value>> = Vec::new();
    for schemes in requests.credentials.keys().rev() {
        let requirement: Map<String, Value> = schemes.iter().map(|scheme| (name(scheme), json!([]))).collect();
        if !combinations.contains(&requirement) {
            combinations.push(requirement);
        }
    }
    combinations.iter().any(|requirement| !requirement.is_empty()).then(|| combinations.into())
}

fn name(scheme: &Scheme) -> String {
    match scheme {
        Scheme::Bearer | Scheme::BearerJwt => "bearerAuth".to_owned(),
        Scheme::Http(scheme) => format!("{}Auth", camel(&words(scheme))),
        Scheme::Header(header) => keyed("Header", header),
        Scheme::Query(parameter) => keyed("Query", parameter),
        Scheme::Cookie(cookie) => keyed("Cookie", cookie),
    }
}

/// `x-api-key` → `xApiKeyHeader`.
fn keyed(location: &str, name: &str) -> String {
    let plain: String = camel(&words(name)).chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{plain}{location}")
}

fn written(scheme: &Scheme, only_jwt: bool) -> Value {
    let key = |location: &str, name: &str| json!({"type": "apiKey", "in": location, "name": name});
    match scheme {
        Scheme::Bearer | Scheme::BearerJwt if only_jwt => {
            json!({"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
        }
        Scheme::Bearer | Scheme::BearerJwt => json!({"type": "http", "scheme": "bearer"}),
        Scheme::Http(scheme) => json!({"type": "http", "scheme": scheme}),
        Scheme::Header(name) => key("header", &super::responses::canonical(name)),
        Scheme::Query(name) => key("query", name),
        Scheme::Cookie(name) => key("cookie", name),
    }
}
