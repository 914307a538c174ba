//! The distance between the contract and a description inferred from its traffic, as figures.
//!
//! Paths are compared by shape: names of parameters are a matter of taste, their places are not. Schemas are compared
//! place by place: each property of each body of each answer is one place where a type and one where "required" can be
//! right or wrong. What stands in only one of the two is wrong.

mod schemas;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context, Result};
use serde_json::Value;

use super::contract::{Body, Operation, Parameter, Place, Shop, inlined};
use super::traffic::plain;
use super::values::value;
use crate::random::Random;

/// How many are right of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Right ones.
    pub right: usize,
    /// All.
    pub all: usize,
}

/// What the comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Operations of the contract that the description has.
    pub operations: Share,
    /// Path shapes that both have, of those that either has.
    pub templates: Share,
    /// Properties, parameters and bodies whose "required" is as in the contract.
    pub required: Share,
    /// Places whose type (with `nullable`) is as in the contract; also answers and media types that must be there.
    pub types: Share,
    /// Texts whose format is as in the contract, of those that either gives one. Not every format can be seen.
    pub formats: Share,
    /// Enumerations that are as in the contract, of those that either has.
    pub enums: Share,
    /// Paths of the description that hold the traffic of several paths of the contract.
    pub wrong_merges: Vec<String>,
    /// One sentence for each thing that is not right.
    pub wrong: Vec<String>,
}

impl Share {
    fn count(&mut self, right: bool) {
        self.all += 1;
        self.right += usize::from(right);
    }

    /// The share in per cent; 100 of nothing.
    pub fn per_cent(self) -> f64 {
        if self.all == 0 { 100.0 } else { 100.0 * self.right as f64 / self.all as f64 }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Cut, not rounded: 100.0 means all.
        write!(f, "{} of {} ({:.1} %)", self.right, self.all, (self.per_cent() * 10.0).floor() / 10.0)
    }
}

/// Compares a description with the contract of the shop.
///
/// # Errors
/// The description is no OpenAPI document whose references can be followed.
pub fn compare(shop: &Shop, description: &Value) -> Result<Figures> {
    let description = inlined(description, description, 0)?;
    let paths = description.get("paths").and_then(Value::as_object).context("the description has no paths")?;
    let mut figures = Figures::default();
    let documented = shop.operations.iter().map(|operation| operation.template.as_str()).collect::<BTreeSet<_>>();
    let inferred = paths.keys().map(String::as_str).collect::<BTreeSet<_>>();
    let by_shape = inferred.iter().map(|template| (shape(template), *template)).collect::<BTreeMap<_, _>>();
    let wanted = documented.iter().map(|template| shape(template)).collect::<BTreeSet<_>>();
    for shape in wanted.iter().chain(by_shape.keys().filter(|shape| !wanted.contains(*shape))) {
        let both = wanted.contains(shape) && by_shape.contains_key(shape);
        figures.templates.count(both);
        if !both {
            let where_ = if by_shape.contains_key(shape) { "only in the description" } else { "only in the contract" };
            figures.wrong.push(format!("path {shape}: {where_}"));
        }
    }
    figures.wrong_merges = wrong_merges(shop, &inferred);
    for operation in &shop.operations {
        let item = by_shape.get(&shape(&operation.template)).and_then(|template| paths.get(*template));
        let found = item.and_then(|item| item.get(operation.method.as_str()).map(|found| (item, found)));
        figures.operations.count(found.is_some());
        match found {
            Some((item, found)) => figures.operation(operation, item, found),
            None => figures.wrong.push(format!("{}: not found", name(operation))),
        }
    }
    Ok(figures)
}

impl Figures {
    fn operation(&mut self, contract: &Operation, item: &Value, found: &Value) {
        let name = name(contract);
        let parameters =
            || [item, found].into_iter().flat_map(|holder| holder["parameters"].as_array().into_iter().flatten());
        let templates = contract.parameters.iter().filter(|parameter| parameter.place == Place::Path);
        let in_path = parameters().filter(|parameter| parameter["in"] == "path");
        // By their order: the names may differ.
        for (wanted, found) in templates.zip(in_path) {
            self.schema(&wanted.schema, &found["schema"], &format!("{name} path {}", wanted.name));
        }
        for (place, places) in [(Place::Query, "query"), (Place::Header, "header")] {
            let wanted = contract.parameters.iter().filter(|parameter| parameter.place == place).collect::<Vec<_>>();
            let found = parameters().filter(|parameter| parameter["in"] == places).collect::<Vec<_>>();
            self.parameters(&wanted, &found, &format!("{name} {places}"));
        }
        match (&contract.body, found.get("requestBody")) {
            (Some(wanted), Some(found)) => {
                self.required.count(wanted.required == (found["required"] == true));
                self.body(wanted, &found["content"], &format!("{name} request"));
            }
            (None, None) => {}
            (Some(_), None) => self.miss(&format!("{name}: no request body")),
            (None, Some(_)) => self.miss(&format!("{name}: a request body that the contract does not have")),
        }
        self.responses(contract, &found["responses"], &name);
    }

    fn responses(&mut self, contract: &Operation, all: &Value, name: &str) {
        for response in &contract.responses {
            let place = format!("{name} {}", response.status);
            let Some(found) = all.get(response.status.to_string()) else {
                self.miss(&format!("{place}: answer not found"));
                continue;
            };
            if let Some(wanted) = &response.body {
                self.body(wanted, &found["content"], &place);
            } else if found.get("content").is_some() {
                self.miss(&format!("{place}: a body that the contract does not have"));
            }
            for header in &response.headers {
                let headers = found["headers"].as_object().into_iter().flatten();
                let found = headers.filter(|(name, _)| name.eq_ignore_ascii_case(&header.name)).map(|(_, found)| found);
                self.parameters(&[header], &found.collect::<Vec<_>>(), &format!("{place} header"));
            }
        }
        for status in all.as_object().into_iter().flatten().map(|(status, _)| status) {
            if !contract.responses.iter().any(|response| response.status.to_string() == *status) {
                self.miss(&format!("{name} {status}: an answer that the contract does not have"));
            }
        }
    }

    fn parameters(&mut self, wanted: &[&Parameter], found: &[&Value], place: &str) {
        // A header of an answer has no name of its own: it was found by it.
        let is_named =
            |found: &Value, name: &str| found["name"].as_str().is_none_or(|own| own.eq_ignore_ascii_case(name));
        for parameter in wanted {
            let place = format!("{place} {}", parameter.name);
            let Some(found) = found.iter().find(|found| is_named(found, &parameter.name)) else {
                self.miss(&format!("{place}: not found"));
                continue;
            };
            let right = parameter.required == (found["required"] == true);
            self.required.count(right);
            if !right {
                self.wrong.push(format!("{place}: required is {}", !parameter.required));
            }
            self.schema(&parameter.schema, &found["schema"], &place);
        }
        for found in found {
            if !wanted.iter().any(|parameter| is_named(found, &parameter.name)) {
                self.miss(&format!("{place} {}: not in the contract", found["name"]));
            }
        }
    }

    fn body(&mut self, wanted: &Body, content: &Value, place: &str) {
        let types = content.as_object().into_iter().flatten().collect::<Vec<_>>();
        let same = types.iter().find(|(media, _)| media.split(';').next().unwrap_or_default().trim() == wanted.media);
        match same {
            Some((_, found)) => {
                self.types.count(types.len() == 1);
                self.schema(&wanted.schema, &found["schema"], &format!("{place} body"));
            }
            None => self.miss(&format!("{place}: no {}", wanted.media)),
        }
    }

    /// Something that only one of the two has.
    fn miss(&mut self, sentence: &str) {
        self.types.count(false);
        self.wrong.push(sentence.to_owned());
    }
}

/// `/users/{userId}` is `/users/{}`.
fn shape(template: &str) -> String {
    let segments = template.split('/').map(|segment| if is_parameter(segment) { "{}" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{') && segment.ends_with('}')
}

fn name(operation: &Operation) -> String {
    format!("{} {}", operation.method.as_str(), operation.template)
}

/// Templates to which the paths of more than one template of the contract lead.
fn wrong_merges(shop: &Shop, inferred: &BTreeSet<&str>) -> Vec<String> {
    let mut led = BTreeMap::<&str, BTreeSet<&str>>::new();
    for (number, operation) in shop.operations.iter().enumerate() {
        let mut random = Random::seeded("a path of each", number as u64);
        let mut path = operation.template.clone();
        for parameter in operation.parameters.iter().filter(|parameter| parameter.place == Place::Path) {
            path = path.replace(&format!("{{{}}}", parameter.name), &plain(&value(&parameter.schema, &mut random)));
        }
        let fitting = inferred.iter().copied().filter(|template| fits(template, &path));
        // Literals before parameters, from the left: OpenAPI 3.1.0 §4.8.8.2.
        let best = fitting.min_by_key(|template| template.split('/').map(is_parameter).collect::<Vec<_>>());
        if let Some(best) = best {
            led.entry(best).or_default().insert(&operation.template);
        }
    }
    let merged = led.into_iter().filter(|(_, from)| from.len() > 1);
    merged
        .map(|(template, from)| format!("{template} holds {}", from.into_iter().collect::<Vec<_>>().join(" and ")))
        .collect()
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/').collect::<Vec<_>>(), path.split('/').collect::<Vec<_>>());
    template.len() == path.len() && template.iter().zip(&path).all(|(own, other)| is_parameter(own) || own == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Shop {
        Shop::read().unwrap()
    }

    #[test]
    fn contract_is_all_right_beside_itself() {
        let shop = shop();

        let figures = compare(&shop, &shop.document).unwrap();

        assert_eq!((figures.wrong, figures.wrong_merges), (Vec::new(), Vec::new()));
        assert!(figures.types.all > 1_000, "{}", figures.types);
        for share in
            [figures.operations, figures.templates, figures.required, figures.types, figures.formats, figures.enums]
        {
            assert_eq!(share.right, share.all);
        }
    }

    #[test]
    fn each_fault_is_seen_in_its_figure() {
        let shop = shop();
        let spoiled = |spoil: fn(&mut Value)| {
            let mut document = inlined(&shop.document, &shop.document, 0).unwrap();
            spoil(&mut document);
            compare(&shop, &document).unwrap()
        };
        let users = "/v1/users/{userId}";

        let merged = spoiled(|document| {
            let me = document["paths"].as_object_mut().unwrap().remove("/v1/users/me");
            assert!(me.is_some());
        });
        let optional = spoiled(|document| {
            document["components"]["schemas"]["User"]["required"] = Value::Null;
            document["paths"]["/v1/users/{userId}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
                ["required"] = Value::Null;
        });
        let typed = spoiled(|document| {
            document["paths"]["/v1/users"]["get"]["parameters"][0]["schema"]["type"] = "string".into();
        });

        assert_eq!(merged.wrong_merges, [format!("{users} holds /v1/users/me and {users}")]);
        assert_eq!((merged.templates.right, merged.templates.all), (45, 46));
        assert_eq!(optional.required.all - optional.required.right, 7);
        assert_eq!(typed.wrong, ["get /v1/users query page: integer in the contract, string in the description"]);
    }
}
