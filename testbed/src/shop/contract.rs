//! The contract as the traffic needs it: operations with everything that belongs to them, references resolved.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};
use tributary_http_types::Method;
use xtask::parts;

/// How deep references are followed; the contract has none that lead back to themselves.
const DEEPEST: usize = 40;

/// The shop: all that its contract says.
#[derive(Clone, Debug, PartialEq)]
pub struct Shop {
    /// The document as it stands in the file.
    pub document: Value,
    /// Its operations, in the order of the file.
    pub operations: Vec<Operation>,
}

/// One operation of the contract.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The path with its parameters in braces.
    pub template: String,
    /// Those of the path item and its own.
    pub parameters: Vec<Parameter>,
    /// The body it takes.
    pub body: Option<Body>,
    /// Its answers, the successes first; at least one.
    pub responses: Vec<Response>,
    /// Who may call it.
    pub security: Security,
    /// How often it is called, beside the others.
    pub weight: u64,
}

/// What a caller has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Nothing.
    Open,
    /// `authorization: Bearer …`.
    Bearer,
    /// `x-api-key: …`.
    ApiKey,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// Among the headers, of the request or of a response.
    Header,
}

/// A parameter, or a header of a response.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name as written.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Whether it has to be there.
    pub required: bool,
    /// Its schema, without references.
    pub schema: Value,
}

/// A body.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// The media type.
    pub media: String,
    /// Whether it has to be there.
    pub required: bool,
    /// Its schema, without references.
    pub schema: Value,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers the contract names.
    pub headers: Vec<Parameter>,
    /// The body it has.
    pub body: Option<Body>,
}

impl Shop {
    /// The contract of the repository.
    ///
    /// # Errors
    /// The file cannot be read, or is not as this module expects it.
    pub fn read() -> Result<Self> {
        let file = parts::workspace_root().join("openapi").join("testdata").join("shop.yaml");
        let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        let document: Value =
            serde_saphyr::from_str(&text).with_context(|| format!("{} is no YAML", file.display()))?;
        let whole = inlined(&document, &document, 0)?;
        let mut operations = Vec::new();
        for (template, item) in object(&whole, "paths")? {
            let shared = parameters(item)?;
            for (name, operation) in item.as_object().into_iter().flatten() {
                let Ok(method) = serde_json::from_value::<Method>(name.clone().into()) else { continue };
                let operation = read_operation(template, method, operation, &shared, &whole);
                operations.push(operation.with_context(|| format!("{name} {template}"))?);
            }
        }
        Ok(Self { document, operations })
    }
}

/// A value with each reference replaced by what it leads to, and each `allOf` by one object.
///
/// # Errors
/// A reference leads nowhere, out of the document, or in a circle.
pub(super) fn inlined(document: &Value, value: &Value, depth: usize) -> Result<Value> {
    ensure!(depth < DEEPEST, "references lead more than {DEEPEST} levels deep");
    match value {
        Value::Array(items) => items.iter().map(|item| inlined(document, item, depth + 1)).collect(),
        Value::Object(members) => match (members.get("$ref").and_then(Value::as_str), members.get("allOf")) {
            (Some(reference), _) => {
                let pointer = reference.strip_prefix('#').with_context(|| format!("{reference} is not local"))?;
                let target = document.pointer(pointer).with_context(|| format!("{reference} leads nowhere"))?;
                inlined(document, target, depth + 1)
            }
            (None, Some(Value::Array(all))) => {
                let all = all.iter().map(|one| inlined(document, one, depth + 1)).collect::<Result<Vec<_>>>()?;
                Ok(merged(&all))
            }
            _ => {
                let members =
                    members.iter().map(|(name, member)| Ok((name.clone(), inlined(document, member, depth + 1)?)));
                members.collect::<Result<Map<_, _>>>().map(Value::Object)
            }
        },
        other => Ok(other.clone()),
    }
}

/// One object schema of several that all hold.
fn merged(schemas: &[Value]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for schema in schemas {
        let own = schema["properties"].as_object().into_iter().flatten();
        properties.extend(own.map(|(name, schema)| (name.clone(), schema.clone())));
        required.extend(schema["required"].as_array().into_iter().flatten().cloned());
    }
    serde_json::json!({ "type": "object", "required": required, "properties": properties })
}

fn read_operation(
    template: &str,
    method: Method,
    operation: &Value,
    shared: &[Parameter],
    document: &Value,
) -> Result<Operation> {
    let mut responses = Vec::new();
    for (status, response) in object(operation, "responses")? {
        responses.push(Response {
            status: status.parse().with_context(|| format!("status {status}"))?,
            headers: headers(response),
            body: body(response),
        });
    }
    responses.sort_by_key(|response| response.status);
    ensure!(!responses.is_empty(), "no responses");
    Ok(Operation {
        method,
        template: template.to_owned(),
        parameters: shared.iter().cloned().chain(parameters(operation)?).collect(),
        body: operation.get("requestBody").and_then(body),
        responses,
        security: security(operation.get("security").unwrap_or(&document["security"]))?,
        weight: operation["x-weight"].as_u64().unwrap_or(2),
    })
}

fn security(requirements: &Value) -> Result<Security> {
    let name = requirements.get(0).and_then(Value::as_object).and_then(|one| one.keys().next());
    match name.map(String::as_str) {
        None => Ok(Security::Open),
        Some("bearer") => Ok(Security::Bearer),
        Some("apiKey") => Ok(Security::ApiKey),
        Some(other) => bail!("{other} is no scheme of this module (bearer or apiKey)"),
    }
}

fn parameters(holder: &Value) -> Result<Vec<Parameter>> {
    let parameters = holder["parameters"].as_array().into_iter().flatten();
    let parameters = parameters.map(|parameter| {
        Ok(Parameter {
            name: parameter["name"].as_str().context("a parameter has a name")?.to_owned(),
            place: match parameter["in"].as_str() {
                Some("path") => Place::Path,
                Some("query") => Place::Query,
                Some("header") => Place::Header,
                other => bail!("{other:?} is no place of this module (path, query or header)"),
            },
            required: parameter["required"].as_bool().unwrap_or(false),
            schema: parameter["schema"].clone(),
        })
    });
    parameters.collect()
}

fn headers(response: &Value) -> Vec<Parameter> {
    let headers = response["headers"].as_object().into_iter().flatten();
    let headers = headers.map(|(name, header)| Parameter {
        name: name.clone(),
        place: Place::Header,
        required: header["required"].as_bool().unwrap_or(false),
        schema: header["schema"].clone(),
    });
    headers.collect()
}

fn body(holder: &Value) -> Option<Body> {
    let (media, content) = holder["content"].as_object()?.iter().next()?;
    Some(Body {
        media: media.clone(),
        required: holder["required"].as_bool().unwrap_or(false),
        schema: content["schema"].clone(),
    })
}

fn object<'a>(value: &'a Value, name: &str) -> Result<&'a Map<String, Value>> {
    value.get(name).and_then(Value::as_object).with_context(|| format!("no object {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contract_is_read_whole() {
        let shop = Shop::read().unwrap();

        assert_eq!(shop.operations.len(), 62);
        let put = shop.operations.iter().find(|it| it.template.ends_with("{addressId}") && it.method == Method::Put);
        let put = put.unwrap();
        assert_eq!(put.parameters.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["userId", "addressId"]);
        assert_eq!(put.responses[0].body.as_ref().unwrap().schema["required"].as_array().unwrap().len(), 5);
        assert_eq!((put.security, put.weight), (Security::Bearer, 2));
    }
}
