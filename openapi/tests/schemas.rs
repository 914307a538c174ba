//! Which schemas come of which bodies.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: what does not hold must fail")]

mod support;

use serde_json::{Value, json};
use support::{Call, HOST, call, described, document, keys, learner};
use tributary_openapi::{Mode, Settings, Subject, Version, describe};

/// The schema of the answers of one operation, with the component it refers to put in its place.
fn schema_of(bodies: &[Value]) -> Value {
    let calls: Vec<Call> = bodies.iter().map(|body| call("get", "/thing").answers(200, body.clone())).collect();
    inlined(&document(&calls))
}

fn inlined(document: &Value) -> Value {
    let content = &document["paths"]["/thing"]["get"]["responses"]["200"]["content"];
    let schema = &content["application/json"]["schema"];
    match schema["$ref"].as_str() {
        Some(target) => document.pointer(target.trim_start_matches('#')).unwrap().clone(),
        None => schema.clone(),
    }
}

fn property_of(values: &[Value]) -> Value {
    let bodies: Vec<Value> = values.iter().map(|value| json!({ "it": value })).collect();
    schema_of(&bodies)["properties"]["it"].clone()
}

fn times(count: usize, values: &[&str]) -> Vec<Value> {
    values.iter().cycle().take(count * values.len()).map(|value| json!(value)).collect()
}

#[test]
fn every_kind_of_json_has_its_type() {
    let cases = [
        (json!(true), json!({"type": "boolean"})),
        (json!(1), json!({"type": "integer"})),
        (json!(1.5), json!({"type": "number"})),
        (json!("a b"), json!({"type": "string"})),
        (json!(null), json!({"type": "null"})),
        (json!([]), json!({"type": "array", "items": {}})),
        (json!([1]), json!({"type": "array", "items": {"type": "integer"}})),
        (json!({}), json!({"type": "object"})),
        (json!({"a": 1}), json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})),
    ];

    for (body, schema) in cases {
        assert_eq!(schema_of(std::slice::from_ref(&body)), schema, "{body}");
    }
}

#[test]
fn required_is_what_is_always_there() {
    let schema = schema_of(&[json!({"a": 1, "b": 2}), json!({"a": 1}), json!({"a": 3, "c": 4})]);

    assert_eq!(keys(&schema["properties"]), ["a", "b", "c"]);
    assert_eq!(schema["required"], json!(["a"]));
}

#[test]
fn whole_numbers_and_fractions_are_numbers() {
    assert_eq!(property_of(&[json!(1), json!(1.5)]), json!({"type": "number"}));
}

#[test]
fn several_types_stand_flat_beside_each_other() {
    assert_eq!(
        property_of(&[json!(1), json!("a b"), json!([true]), json!("c"), json!(2)]),
        json!({"anyOf": [{"type": "array", "items": {"type": "boolean"}}, {"type": "string"}, {"type": "integer"}]})
    );
}

#[test]
fn null_is_written_as_each_version_wants_it() {
    let calls = [json!({"a": "x", "b": {"c": 1}, "d": null}), json!({"a": null, "b": null, "d": null})]
        .map(|body| call("get", "/thing").answers(200, body));
    let described = |version| {
        let settings = Settings { version, ..Settings::default() };
        inlined(&describe(&learner(&calls), HOST, &settings, None).document)["properties"].clone()
    };
    let object = json!({"type": "object", "properties": {"c": {"type": "integer"}}, "required": ["c"]});

    let (old, new) = (described(Version::V30), described(Version::V31));

    assert_eq!(old["a"], json!({"type": "string", "nullable": true}));
    assert_eq!(new["a"], json!({"type": ["string", "null"]}));
    let mut nullable = object.clone();
    nullable["nullable"] = json!(true);
    assert_eq!(old["b"], nullable);
    assert_eq!(new["b"], json!({"anyOf": [object, {"type": "null"}]}));
    assert_eq!(new["d"], json!({"type": "null"}));
    assert!(old["d"].get("type").is_none());
}

#[test]
fn a_format_needs_evidence_unless_it_is_beyond_chance() {
    let cases = [
        ("0549a790-fe19-4e1b-ae15-2ab99a2c91ad", "uuid", 1),
        ("2024-02-29T10:39:28Z", "date-time", 1),
        ("2024-02-29", "date", 3),
        ("kimmo@example.com", "email", 3),
        ("https://example.com/a", "uri", 3),
        ("10.0.0.1", "ipv4", 3),
        ("2001:db8::1", "ipv6", 3),
    ];

    for (value, format, enough) in cases {
        assert_eq!(property_of(&times(enough, &[value]))["format"], format, "{value}");
        if enough > 1 {
            assert_eq!(property_of(&times(enough - 1, &[value])), json!({"type": "string"}), "{value}");
        }
    }
}

#[test]
fn one_value_of_another_form_refutes_a_format() {
    for other in ["someone", ""] {
        let mut values = times(20, &["kimmo@example.com"]);
        values.push(json!(other));
        assert_eq!(property_of(&values), json!({"type": "string"}), "{other:?}");
    }
}

#[test]
fn a_few_words_again_and_again_are_an_enum() {
    let schema = property_of(&times(8, &["open", "closed"]));

    assert_eq!(schema, json!({"type": "string", "enum": ["closed", "open"]}));
    assert_eq!(property_of(&times(7, &["open", "closed"])), json!({"type": "string"}));
}

#[test]
fn names_and_sentences_and_lone_words_are_no_enum() {
    let many: Vec<String> = (0..13).map(|n| format!("w{}", "x".repeat(n))).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let cases: [&[&str]; 5] =
        [&["Kimmo", "Maija"], &["one of these", "two of those"], &["only"], &["1.0", "2.0"], many.as_slice()];

    for values in cases {
        assert_eq!(property_of(&times(20, values)).get("enum"), None, "{values:?}");
    }
    let mut with_a_rare_one = times(20, &["open", "closed"]);
    with_a_rare_one.push(json!("lost"));
    assert_eq!(property_of(&with_a_rare_one).get("enum"), None);
}

#[test]
fn masked_values_keep_their_type_and_are_shown_nowhere() {
    let mut values = times(20, &["[redacted]", "tok_4f2a", "open", "closed"]);
    values.push(json!("[redacted]"));
    let bodies: Vec<Call> = values
        .iter()
        .map(|value| call("get", "/thing").answers(200, json!({"it": value, "secret": "[redacted]"})))
        .collect();
    let settings = Settings { mode: Mode::Replay, ..Settings::default() };

    let description = describe(&learner(&bodies), HOST, &settings, None);

    let schema = inlined(&description.document);
    assert_eq!(schema["properties"]["secret"], json!({"type": "string"}));
    assert_eq!(schema["properties"]["it"], json!({"type": "string"}));
    let text = format!("{} {:?}", description.document, description.explanations);
    assert!(!text.contains("redacted") && !text.contains("tok_"), "{text}");
}

#[test]
fn keys_that_are_data_make_a_map() {
    let bodies = [json!({"by_day": {"2024-01-01": 1, "2024-01-02": 2}}), json!({"by_day": {"2024-01-03": 3}})];

    let schema = schema_of(&bodies);

    assert_eq!(schema["properties"]["by_day"], json!({"type": "object", "additionalProperties": {"type": "integer"}}));
}

#[test]
fn many_rare_names_make_a_map() {
    let letter = |n: u8| char::from(b'a' + n);
    let bodies: Vec<Value> = (0..26u8).map(|n| json!({"it": { format!("lang-{}", letter(n)): "text here" }})).collect();

    let description =
        described(&bodies.iter().map(|body| call("get", "/thing").answers(200, body.clone())).collect::<Vec<_>>());

    let schema = &inlined(&description.document)["properties"]["it"];
    assert_eq!(*schema, json!({"type": "object", "additionalProperties": {"type": "string"}}));
    assert!(description.explanations.iter().any(|it| it.subject == Subject::Map));
}

#[test]
fn equal_objects_are_one_component_with_a_good_name() {
    let user = json!({"id": 1, "name": "Kimmo K", "address": {"street": "A 1", "city": "B b"}});
    let error = json!({"error": "no such user"});
    let calls = [
        call("get", "/users").answers(200, json!([user])),
        call("post", "/users").sends(json!({"name": "Kimmo K"})).answers(201, user.clone()),
        call("post", "/users").sends(json!({})).answers(400, error.clone()),
        call("get", "/users/1").answers(200, user.clone()),
        call("get", "/users/2").answers(404, error),
        call("get", "/orders/1").answers(200, json!({"id": 1, "address": user["address"], "owner": user})),
        call("get", "/orders").answers(200, json!({"items": [{"id": 1}], "total": 1})),
    ];

    let document = document(&calls);

    assert_eq!(
        keys(&document["components"]["schemas"]),
        ["Address", "Error", "NewUser", "Order", "Order2", "OrderList", "User"]
    );
    let user = json!({"$ref": "#/components/schemas/User"});
    assert_eq!(document["components"]["schemas"]["Order"]["properties"]["owner"], user);
    assert_eq!(
        document["paths"]["/users"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["items"],
        user
    );
}

#[test]
fn media_types_decide_how_a_body_is_described() {
    let schema = |media: &str, body: &str| {
        let document = document(&[call("get", "/thing").answers_text(media, body)]);
        let essence = media.split(';').next().unwrap();
        document["paths"]["/thing"]["get"]["responses"]["200"]["content"][essence]["schema"].clone()
    };

    assert_eq!(schema("text/html; charset=utf-8", "<p>"), json!({"type": "string"}));
    assert_eq!(schema("application/xml", "<a/>"), json!({"type": "string"}));
    assert_eq!(schema("image/png", "x"), json!({"type": "string", "format": "binary"}));
    assert_eq!(schema("application/problem+json", "7"), json!({"type": "integer"}));
    assert_eq!(schema("application/json", "{broken"), json!({}));
}

#[test]
fn bodies_that_were_not_text_are_binary() {
    let facts = json!({"bytes": 3, "kept": 3, "truncated": false, "base64": "AAEC"});
    let document = document(&[call("get", "/thing")
        .with("/response/headers/content-type", json!("image/png"))
        .meta("responseBody", facts)]);

    let content = &document["paths"]["/thing"]["get"]["responses"]["200"]["content"];
    assert_eq!(*content, json!({"image/png": {"schema": {"type": "string", "format": "binary"}}}));
}

#[test]
fn a_cut_body_teaches_only_what_is_sure() {
    let whole = call("get", "/thing").answers(200, json!({"id": 1, "name": "a b", "tags": ["x y"]}));
    let cut = call("get", "/thing")
        .answers_text("application/json", r#"{"id":2,"name":"c d","extra":{"deep":tr"#)
        .meta("responseBody", json!({"bytes": 900, "kept": 39, "truncated": true}));

    let schema = inlined(&document(&[whole, cut]));

    assert_eq!(schema["required"], json!(["id", "name", "tags"]));
    assert_eq!(schema["properties"]["extra"], json!({"type": "object"}));
}

#[test]
fn replay_shows_what_was_observed_a_few_times_and_once_each() {
    let calls: Vec<Call> = (0..245).map(|n| call("get", "/thing").answers(200, json!({"n": n % 7}))).collect();
    let settings = Settings { mode: Mode::Replay, ..Settings::default() };

    let document = describe(&learner(&calls), HOST, &settings, None).document;

    let examples = &document["paths"]["/thing"]["get"]["responses"]["200"]["content"]["application/json"]["examples"];
    assert_eq!(keys(examples), ["observed1", "observed2", "observed3", "observed4"]);
    assert!(examples["observed1"]["value"]["n"].is_u64());
}

#[test]
fn empty_answers_have_no_content() {
    let calls = [
        call("delete", "/thing").status(204),
        call("head", "/thing").answers(200, json!({"a": 1})),
        call("get", "/thing").status(200).answers_text("application/json", ""),
        call("get", "/thing").answers(200, json!({"a": 1})),
    ];

    let document = document(&calls);

    let item = &document["paths"]["/thing"];
    assert_eq!(item["delete"]["responses"]["204"], json!({"description": "No content"}));
    assert_eq!(item["head"]["responses"]["200"], json!({"description": "OK"}));
    assert_eq!(keys(&item["get"]["responses"]["200"]["content"]), ["application/json"]);
}

#[test]
fn shapes_that_hold_themselves_refer_to_themselves() {
    let leaf = json!({"id": 9, "parent": null, "replies": []});
    let comment = (0..6).fold(leaf, |inner, id| json!({"id": id, "parent": null, "replies": [inner.clone(), inner]}));
    let calls = [call("get", "/comments/1").answers(200, comment)];
    for version in [Version::V30, Version::V31] {
        let settings = Settings { version, ..Settings::default() };

        let document = describe(&learner(&calls), HOST, &settings, None).document;

        let schemas = &document["components"]["schemas"];
        let itself = json!({"$ref": "#/components/schemas/Reply"});
        assert_eq!(schemas["Reply"]["properties"]["replies"], json!({"type": "array", "items": itself}));
        assert_eq!(keys(schemas), ["Comment", "Reply"]);
    }
}

#[test]
fn a_shape_may_hold_itself_or_null() {
    let root = json!({"name": "a b", "manager": null});
    let person = (0..3).fold(root, |above, _| json!({"name": "c d", "manager": above}));
    let people = json!({"name": "e f", "manager": person});
    let calls = [call("get", "/people/1").answers(200, people), call("get", "/managers/1").answers(200, json!({"name": "a", "manager": {"name": "b", "manager": {"name": "c", "manager": {"name": "d", "manager": {}}}}}))];
    for version in [Version::V30, Version::V31] {
        let settings = Settings { version, ..Settings::default() };

        let document = describe(&learner(&calls), HOST, &settings, None).document;

        assert!(document.to_string().len() < 10_000);
        assert!(!document.to_string().contains("open:"));
    }
}

/// A key that serde_json's parser uses for itself is a key like any other in what others wrote.
#[test]
fn a_note_of_the_parser_in_a_body_or_in_meta_is_an_object() {
    let key = "$serde_json::private::RawValue";
    let body = json!({"a": {key: "{\"b\":1}"}});
    let calls = [call("get", "/things").answers(200, body.clone()).meta("note", json!({key: "broken"}))];
    let settings = Settings { mode: Mode::Replay, ..Settings::default() };

    let document = describe(&learner(&calls), HOST, &settings, None).document;

    let content = &document["paths"]["/things"]["get"]["responses"]["200"]["content"]["application/json"];
    assert_eq!(content["examples"]["observed1"]["value"], body);
    assert!(document.to_string().contains(&format!("{{\"{key}\":{{\"type\":\"string\"")), "{document}");
}
