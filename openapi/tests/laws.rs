//! The laws: order and splitting change nothing, a document holds what it was learnt from, nothing panics, and nothing
//! grows with the traffic.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: what does not hold must fail")]

mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::{Call, HOST, call, learner, traffic::traffic};
use tributary_http_types::HttpExchange;
use tributary_openapi::{Learner, Lesson, Mode, Reason, Settings, Version, describe};

fn bytes(learner: &Learner) -> String {
    let settings = Settings { mode: Mode::Replay, ..Settings::default() };
    let description = describe(learner, HOST, &settings, None);
    format!("{:#}\n{:?}", description.document, description.explanations)
}

/// The same calls in an order that the seed decides.
fn shuffled(calls: &[Call], seed: u64) -> Vec<Call> {
    let mut state = seed | 1;
    let mut keyed: Vec<(u64, &Call)> = calls
        .iter()
        .map(|call| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33, call)
        })
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, call)| call.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn order_changes_nothing(calls in traffic(60), seed in any::<u64>()) {
        let (one, other) = (learner(&calls), learner(&shuffled(&calls, seed)));

        prop_assert_eq!(&one, &other);
        prop_assert_eq!(bytes(&one), bytes(&other));
    }

    #[test]
    fn splitting_and_merging_changes_nothing(calls in traffic(60), cut in 0usize..60) {
        let (first, second) = calls.split_at(cut.min(calls.len()));
        let mut merged = learner(second);
        merged.merge(learner(first));

        prop_assert_eq!(bytes(&merged), bytes(&learner(&calls)));
    }

    #[test]
    fn a_stored_learner_goes_on_as_if_it_had_not_been_stored(calls in traffic(40), cut in 0usize..40) {
        let (first, second) = calls.split_at(cut.min(calls.len()));
        let stored = serde_json::to_string(&learner(first)).unwrap();
        let mut restored: Learner = serde_json::from_str(&stored).unwrap();
        for call in second {
            restored.learn(&call.exchange());
        }

        prop_assert_eq!(serde_json::to_string(&restored).unwrap(), serde_json::to_string(&learner(&calls)).unwrap());
    }

    #[test]
    fn an_exchange_changes_only_what_it_teaches(calls in traffic(40)) {
        let document = |calls: &[Call]| describe(&learner(calls), HOST, &Settings::default(), None).document;
        let before = document(&calls);
        let mut more = calls.clone();
        more.push(call("get", "/zebras/1/stripes").answers(200, json!({"stripes": [1.5], "zebra": 1})));
        let after = document(&more);

        for part in ["/paths", "/components/schemas", "/components/securitySchemes"] {
            for (name, old) in before.pointer(part).and_then(Value::as_object).into_iter().flatten() {
                prop_assert_eq!(&after.pointer(part).unwrap()[name], old, "{} {}", part, name);
            }
        }
    }

    #[test]
    fn nothing_panics(pathname in "\\PC{0,30}", body in "\\PC{0,40}", media in "\\PC{0,20}", header in "\\PC{0,20}",
                      status in 100u16..=999, cut in any::<bool>(), version in any::<bool>()) {
        let facts = json!({"bytes": 100, "kept": body.len(), "truncated": cut});
        let call = call("post", &pathname)
            .status(status)
            .sends_text(&media, &body)
            .answers_text(&media, &body)
            .header("authorization", &header)
            .header("cookie", &header)
            .meta("requestBody", facts.clone())
            .meta("responseBody", facts);
        let settings = Settings { version: if version { Version::V30 } else { Version::V31 }, ..Settings::default() };

        let description = describe(&learner(&[call]), HOST, &settings, None);

        prop_assert!(description.document["paths"].is_object());
    }
}

#[test]
fn overfull_places_do_not_depend_on_the_order_either() {
    let calls: Vec<Call> = (0..1_500)
        .map(|n| {
            let path = format!("/tenants/t-{n}-x/sites/s-{}-y/pages", n % 40);
            call("get", &path).answers(200, json!({"n": n, format!("only-{}", n % 7): true}))
        })
        .collect();
    let (one, other) = (learner(&calls), learner(&shuffled(&calls, 7)));
    let (first, second) = calls.split_at(700);
    let mut merged = learner(second);
    merged.merge(learner(first));

    assert_eq!(one, other);
    assert_eq!(one, merged);
}

#[test]
fn the_deepest_state_is_read_back() {
    let path = "/a".repeat(18);
    let deep = (0..30).fold(json!({"leaf": ["x"]}), |inner, _| json!({ "in": [inner] }));
    let learner = learner(&[call("get", &path).answers(200, deep)]);

    let stored = serde_json::to_vec(&json!({"version": 1, "state": learner})).unwrap();
    let restored: Value = serde_json::from_slice(&stored).unwrap();

    assert_eq!(serde_json::from_value::<Learner>(restored["state"].clone()).unwrap(), learner);
}

#[test]
fn each_exchange_is_counted_once() {
    let id = "0123456789abcdef0123456789abcdef-7";
    let mut learner = Learner::new();
    let known = call("get", "/a").meta("id", json!(id)).exchange();
    let local = call("get", "/a").status(404).meta("codeDetails", json!("route_not_found")).exchange();

    let lessons = [learner.learn(&known), learner.learn(&known), learner.learn(&local)];

    assert_eq!(lessons, [Lesson::Learnt, Lesson::Repeated, Lesson::LeftOut(Reason::LocalReply)]);
    let account = learner.account();
    assert_eq!((account.learnt, account.repeated, account.left_out[&Reason::LocalReply]), (1, 1, 1));
}

#[test]
fn the_state_does_not_grow_with_the_traffic() {
    let at = |count: u64| {
        let mut learner = Learner::new();
        for n in 0..count {
            let body = json!({"id": format!("{:032x}", n * 7919), "name": format!("name {n}"), "n": n});
            let call = call("get", &format!("/users/{n}/orders/{:08x}0", n * 31)).answers(200, body);
            learner.learn(&call.meta("id", json!(format!("{:032x}-{n}", 1))).exchange());
        }
        serde_json::to_string(&learner).unwrap().len()
    };

    let (small, large) = (at(500), at(5_000));

    assert!(large < small + 200, "{small} {large}");
}

#[test]
fn an_empty_learner_gives_an_empty_valid_document() {
    let description = describe(&Learner::new(), HOST, &Settings::default(), None);

    assert_eq!(description.document["paths"], json!({}));
    assert_eq!(description.document["info"]["title"], HOST);
    assert!(description.explanations.is_empty());
}

#[test]
fn the_tutorial_is_described() {
    let lines = include_str!("../testdata/tutorial.jsonl");
    let mut learner = Learner::new();
    for line in lines.lines() {
        learner.learn(&HttpExchange::from_line(line.as_bytes()).unwrap());
    }

    let document = describe(&learner, "localhost", &Settings::default(), None).document;

    let paths = &document["paths"];
    assert_eq!(support::keys(paths), ["/users", "/users/{userId}"]);
    assert_eq!(paths["/users"]["post"]["operationId"], "createUser");
    assert_eq!(support::keys(&paths["/users"]["post"]["responses"]), ["200", "400"]);
    assert_eq!(paths["/users/{userId}"]["get"]["operationId"], "getUserById");
    assert_eq!(support::keys(&paths["/users/{userId}"]["get"]["responses"]), ["200", "404"]);
    let user = &paths["/users/{userId}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(user["$ref"], "#/components/schemas/User");
    assert_eq!(paths["/users"]["post"]["responses"]["200"]["content"]["application/json"]["schema"], *user);
}
