//! Exchanges, written short, and what was described of them.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is part of test programs only")]

pub(crate) mod traffic;

use serde_json::{Map, Value, json};
use tributary_http_types::HttpExchange;
use tributary_openapi::{Description, Learner, Settings, describe};

pub(crate) const HOST: &str = "shop.example";

/// An exchange under construction: `call("get", "/users/1").answers(200, json!({}))`.
#[derive(Clone, Debug)]
pub(crate) struct Call(Value);

pub(crate) fn call(method: &str, path: &str) -> Call {
    let request = json!({"method": method, "protocol": "https", "host": HOST, "path": path, "headers": {}});
    Call(json!({"request": request, "response": {"statusCode": 200, "headers": {}}, "meta": {}}))
}

impl Call {
    pub(crate) fn status(self, status: u16) -> Call {
        self.with("/response/statusCode", json!(status))
    }

    pub(crate) fn answers(self, status: u16, body: Value) -> Call {
        self.status(status).answers_text("application/json; charset=utf-8", &body.to_string())
    }

    pub(crate) fn answers_text(self, media: &str, body: &str) -> Call {
        self.with("/response/body", json!(body)).with("/response/headers/content-type", json!(media))
    }

    pub(crate) fn sends(self, body: Value) -> Call {
        self.sends_text("application/json", &body.to_string())
    }

    pub(crate) fn sends_text(self, media: &str, body: &str) -> Call {
        self.with("/request/body", json!(body)).with("/request/headers/content-type", json!(media))
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Call {
        self.with(&format!("/request/headers/{name}"), json!(value))
    }

    pub(crate) fn answer_header(self, name: &str, value: &str) -> Call {
        self.with(&format!("/response/headers/{name}"), json!(value))
    }

    pub(crate) fn meta(self, name: &str, value: Value) -> Call {
        self.with(&format!("/meta/{name}"), value)
    }

    /// Sets the value at a pointer whose parent is there.
    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Call {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        self.0.pointer_mut(parent).and_then(Value::as_object_mut).unwrap().insert(key.to_owned(), value);
        self
    }

    pub(crate) fn line(&self) -> String {
        self.0.to_string()
    }

    pub(crate) fn exchange(&self) -> HttpExchange {
        HttpExchange::from_line(self.line().as_bytes()).unwrap()
    }
}

pub(crate) fn learner<'c>(calls: impl IntoIterator<Item = &'c Call>) -> Learner {
    let mut learner = Learner::new();
    for call in calls {
        learner.learn(&call.exchange());
    }
    learner
}

pub(crate) fn described<'c>(calls: impl IntoIterator<Item = &'c Call>) -> Description {
    describe(&learner(calls), HOST, &Settings::default(), None)
}

pub(crate) fn document<'c>(calls: impl IntoIterator<Item = &'c Call>) -> Value {
    described(calls).document
}

pub(crate) fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .map(|members: &Map<String, Value>| members.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

pub(crate) fn paths<'c>(calls: impl IntoIterator<Item = &'c Call>) -> Vec<String> {
    keys(&document(calls)["paths"]).into_iter().map(str::to_owned).collect()
}
