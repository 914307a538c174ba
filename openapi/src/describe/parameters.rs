//! From what requests carry to parameters.

use serde_json::{Map, Value, json};

use super::{responses::canonical, schemas::Schemas};
use crate::{
    form::Form,
    sketch::{Param, Params, Requests},
    tree::{Path, Step},
};

/// The parameters of a template.
pub(crate) fn of_path(path: &Path, schemas: &mut Schemas) -> Vec<Value> {
    let mut parameters = Vec::new();
    for step in &path.steps {
        if let Step::Parameter(name, values) = step {
            // A segment is an identifier by its looks, so one value is evidence enough for its type.
            let schema = schemas.of_written(values, &format!("{} {{{name}}}", path.template), 1);
            parameters.push(json!({"name": name, "in": "path", "required": true, "schema": schema}));
        }
    }
    parameters
}

/// The parameters of an operation: query, headers, cookies; each sorted by name.
pub(crate) fn of_requests(requests: &Requests, place: &str, schemas: &mut Schemas) -> Vec<Value> {
    let mut parameters = Vec::new();
    for (location, params) in [("query", &requests.query), ("header", &requests.headers), ("cookie", &requests.cookies)]
    {
        parameters.extend(of_params(location, params, requests.count, place, schemas));
    }
    parameters
}

fn of_params(location: &str, params: &Params, requests: u64, place: &str, schemas: &mut Schemas) -> Vec<Value> {
    let mut parameters = Vec::new();
    for (name, param) in params.iter() {
        let mut object = Map::new();
        let written = if location == "header" { canonical(name) } else { name.to_owned() };
        object.insert("name".into(), written.into());
        object.insert("in".into(), location.into());
        if is_required(param, requests, schemas) {
            object.insert("required".into(), true.into());
        }
        if location == "query" && param.texts.forms().any(|form| form == Form::Empty) {
            object.insert("allowEmptyValue".into(), true.into());
        }
        object.insert("schema".into(), schemas.of_param(param, &format!("{place} {location} {name}")));
        parameters.push(object.into());
    }
    parameters
}

/// Always there, and often enough that this is no chance.
fn is_required(param: &Param, requests: u64, schemas: &Schemas) -> bool {
    param.present == requests && requests >= schemas.enough()
}
