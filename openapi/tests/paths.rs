//! Which path templates come of which traffic.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: what does not hold must fail")]

mod support;

use serde_json::{Value, json};
use support::{Call, call, described, document, paths};
use tributary_openapi::Subject;

fn user(path: &str) -> Call {
    call("get", path).answers(200, json!({"id": 1, "name": "Kimmo", "email": "kimmo@example.com"}))
}

fn gets(paths: &[&str]) -> Vec<Call> {
    paths.iter().map(|path| user(path)).collect()
}

#[test]
fn values_that_look_like_identifiers_are_parameters() {
    let identifiers = [
        "42",
        "0549a790-fe19-4e1b-ae15-2ab99a2c91ad",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "507f1f77bcf86cd799439011",
        "kimmo@example.com",
        "cus_NffrFeUfNV2Hib",
        "2024-02-29",
        "tok_9f86d081",
    ];

    for identifier in identifiers {
        let found = paths(&[user(&format!("/users/{identifier}"))]);
        let expected = if identifier == "2024-02-29" { "/users/{date}" } else { "/users/{userId}" };
        assert_eq!(found, [expected], "{identifier}");
    }
}

#[test]
fn me_stands_beside_the_parameter() {
    assert_eq!(
        paths(&gets(&["/users/me", "/users/1", "/users/2", "/users/all"])),
        ["/users/all", "/users/me", "/users/{userId}"]
    );
}

#[test]
fn words_are_no_parameter() {
    let calls = ["/v1/payments/initiate", "/v1/payments/confirm", "/api/users", "/api/orders"];

    assert_eq!(paths(&gets(&calls)), ["/api/orders", "/api/users", "/v1/payments/confirm", "/v1/payments/initiate"]);
}

#[test]
fn two_parameters_have_two_names() {
    let calls = ["/users/1/orders/2", "/users/3/orders/4", "/a/1/2", "/users/1/users/2"];

    assert_eq!(
        paths(&gets(&calls)),
        ["/a/{aId}/{aId2}", "/users/{userId}/orders/{orderId}", "/users/{userId}/users/{userId2}"]
    );
}

#[test]
fn versions_stay() {
    let calls = ["/v1/users/1", "/v2/users/1", "/2/tweets/17", "/api/v1beta1/pods/web-1"];

    assert_eq!(
        paths(&gets(&calls)),
        ["/2/tweets/{tweetId}", "/api/v1beta1/pods/web-1", "/v1/users/{userId}", "/v2/users/{userId}"]
    );
}

#[test]
fn many_slugs_with_one_sub_tree_are_values() {
    let article =
        |slug: &str| call("get", &format!("/articles/{slug}")).answers(200, json!({"title": slug, "text": "…"}));
    let words = ["tie", "cook", "sing", "swim", "run", "jump", "fly", "read", "write", "paint", "dance", "sleep"];
    let mut calls: Vec<Call> = words.iter().map(|word| article(&format!("how-to-{word}"))).collect();
    calls.push(call("get", "/articles/search").answers(200, json!({"hits": [], "total": 0})));

    assert_eq!(paths(&calls), ["/articles/search", "/articles/{articleId}"]);
    // One fewer might be the names of sections.
    assert_eq!(paths(&calls[1..]).len(), 12);
}

#[test]
fn methods_of_an_rpc_interface_stay_apart() {
    let calls: Vec<Call> = (0..60)
        .map(|n| {
            let name = format!("{}{}", (b'a' + n % 26) as char, "x".repeat(usize::from(n / 26) + 3));
            call("post", &format!("/rpc/{name}"))
                .answers(200, json!({ format!("{name}One"): 1, format!("{name}Two"): 2 }))
        })
        .collect();

    assert_eq!(paths(&calls).len(), 60);
}

#[test]
fn a_wrong_identifier_is_none_of_the_paths() {
    let calls = [
        user("/users/0549a790-fe19-4e1b-ae15-2ab99a2c91ad"),
        call("get", "/users/nobody").answers(404, json!({"error": "no such user"})),
        call("get", "/wp-admin").status(404),
    ];

    let description = described(&calls);

    assert_eq!(support::keys(&description.document["paths"]), ["/users/{userId}"]);
    let left_out: Vec<&str> = description
        .explanations
        .iter()
        .filter(|it| it.subject == Subject::LeftOut)
        .map(|it| it.place.as_str())
        .collect();
    assert_eq!(left_out, ["GET /wp-admin"]);
    assert_eq!(support::keys(&description.document["paths"]["/users/{userId}"]["get"]["responses"]), ["200", "404"]);
}

#[test]
fn thousands_of_slugs_keep_the_names_beside_them() {
    let page = |slug: &str| call("get", &format!("/pages/{slug}")).answers(200, json!({"title": "t", "text": "x"}));
    let mut calls: Vec<Call> = (0..3_000).map(|n| page(&format!("page-{n}-of-many"))).collect();
    calls.push(call("get", "/pages/search").answers(200, json!({"hits": [], "total": 0})));
    calls.push(call("get", "/pages/drafts").answers(200, json!({"drafts": [], "owner": "x", "count": 1})));

    assert_eq!(paths(&calls), ["/pages/drafts", "/pages/search", "/pages/{pageId}"]);
}

#[test]
fn tenants_and_their_repositories_are_two_parameters() {
    let mut calls = Vec::new();
    for tenant in 0..120 {
        for repository in 0..20 {
            let body = json!({"full_name": "x", "stars": 1});
            let name = |n: usize| {
                format!("{}-ord", ["b", "c", "d", "f", "g", "l", "m", "n", "p", "r"][n % 10].repeat(n / 10 + 1))
            };
            calls.push(call("get", &format!("/repos/{}/{}", name(tenant), name(repository))).answers(200, body));
        }
    }

    assert_eq!(paths(&calls), ["/repos/{repoId}/{repoId2}"]);
}

#[test]
fn slashes_at_the_end_and_the_root_are_paths_of_their_own() {
    assert_eq!(paths(&gets(&["/", "/users/", "/users", "//x"])), ["/", "//x", "/users", "/users/"]);
}

#[test]
fn parameters_have_the_type_of_their_values() {
    let schema = |path: &str| -> Value {
        let document = document(&[user(path)]);
        document["paths"].as_object().unwrap().values().next().unwrap()["parameters"][0]["schema"].clone()
    };

    assert_eq!(schema("/users/42"), json!({"type": "integer"}));
    assert_eq!(schema("/users/0549a790-fe19-4e1b-ae15-2ab99a2c91ad"), json!({"type": "string", "format": "uuid"}));
    assert_eq!(schema("/users/tok_12"), json!({"type": "string"}));
}

#[test]
fn resources_that_are_alike_stay_names_when_they_come_again_and_again() {
    let letter = |n: u8| char::from(b'a' + n);
    let name = |n: u8| format!("{}{}ings", letter(n % 26), letter(n / 26));
    let calls: Vec<Call> = (0..50u8).cycle().take(500).map(|n| user(&format!("/api/{}/1", name(n)))).collect();

    assert_eq!(paths(&calls).len(), 50);
}

#[test]
fn values_answered_with_maps_of_different_keys_share_one_sub_tree() {
    let currencies = ["EUR", "USD", "GBP", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "JPY", "AUD"];
    let calls = currencies.iter().zip(10..).map(|(currency, n)| {
        call("get", &format!("/prices/{currency}")).answers(200, json!({ format!("{n}17"): 1.5, format!("{n}23"): 20 }))
    });

    assert_eq!(paths(&calls.collect::<Vec<_>>()), ["/prices/{priceId}"]);
}

#[test]
fn values_answered_with_maps_of_rare_names_share_one_sub_tree() {
    let word =
        |n: usize| ["able", "baker", "charlie", "dog", "easy", "fox", "george"].map(|it| format!("{it}{}", letters(n)));
    let locales =
        ["de-DE", "de-AT", "en-GB", "en-US", "fr-FR", "fi-FI", "sv-SE", "it-IT", "es-ES", "nl-NL", "pl-PL", "da-DK"];
    let calls = locales.iter().enumerate().flat_map(|(locale, name)| {
        (0..6).map(move |n| {
            let texts = word(locale * 6 + n).map(|key| (key, Value::from("text"))).into_iter();
            call("get", &format!("/translations/{name}")).answers(200, Value::Object(texts.collect()))
        })
    });

    assert_eq!(paths(&calls.collect::<Vec<_>>()), ["/translations/{translationId}"]);
}

fn letters(n: usize) -> String {
    [n / 26, n % 26].map(|digit| char::from(b'a' + digit as u8)).iter().collect()
}
