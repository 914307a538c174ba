//! Generated traffic: few paths, many shapes, so that operations see several exchanges.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Call, call};

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0i64..1_000_000).prop_map(Value::from),
        (0u32..100).prop_map(|n| json!(f64::from(n) / 8.0)),
        "[a-z]{1,6}".prop_map(Value::from),
        prop_oneof![
            Just("open"),
            Just("closed"),
            Just("2024-02-29"),
            Just("2024-02-29T10:00:00Z"),
            Just("kimmo@example.com"),
            Just("0549a790-fe19-4e1b-ae15-2ab99a2c91ad"),
            Just("[redacted]"),
            Just("tok_12345678"),
            Just(""),
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("id|name|tags|owner|[0-9]{3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        3 => prop_oneof![Just("users"), Just("orders"), Just("v1"), Just("me"), Just("search")].prop_map(str::to_owned),
        2 => "[1-9][0-9]{0,4}",
        1 => "[a-z]{1,2}",
        1 => Just("0549a790-fe19-4e1b-ae15-2ab99a2c91ad".to_owned()),
        1 => Just("a%20b".to_owned()),
    ];
    let query = prop_oneof![
        Just(String::new()),
        "\\?page=[0-9]{1,2}",
        "\\?tag=[a-c]&tag=[a-c]",
        Just("?api_key=tok_1&flag".to_owned())
    ];
    (proptest::collection::vec(segment, 0..4), query)
        .prop_map(|(segments, query)| format!("/{}{query}", segments.join("/")))
}

pub(crate) fn traffic(most: usize) -> impl Strategy<Value = Vec<Call>> {
    let method = prop_oneof![3 => Just("get"), 2 => Just("post"), 1 => Just("put"), 1 => Just("delete")];
    let status = prop_oneof![6 => Just(200u16), 1 => Just(201), 1 => Just(400), 1 => Just(404), 1 => Just(500)];
    let header = prop_oneof![
        Just(("x-tenant-id", "7")),
        Just(("authorization", "Bearer [redacted]")),
        Just(("cookie", "theme=dark; sid=tok_1"))
    ];
    let call = (method, path(), status, json_value(), proptest::option::of(json_value()), header, any::<bool>())
        .prop_map(|(method, path, status, answer, body, (name, value), has_header)| {
            let call = call(method, &path).answers(status, answer);
            let call = if has_header { call.header(name, value) } else { call };
            match body {
                Some(body) if method != "get" => call.sends(body),
                _ => call,
            }
        });
    proptest::collection::vec(call, 0..most)
}
