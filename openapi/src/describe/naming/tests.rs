use super::*;
use crate::sketch::Texts;

fn steps(template: &str) -> Vec<Step> {
    let segments = template.split('/').skip(1).filter(|segment| !segment.is_empty());
    let step = |segment: &str| match segment.strip_prefix('{') {
        Some(name) => Step::Parameter(name.trim_end_matches('}').to_owned(), Texts::default()),
        None => Step::Literal(segment.to_owned()),
    };
    segments.map(step).collect()
}

#[test]
fn the_actions_are_sorted() {
    assert!(ACTIONS.is_sorted());
}

#[test]
fn operations_have_names_that_people_would_give() {
    let cases = [
        (Verb::Get, "/users", "listUsers", "List users"),
        (Verb::Post, "/users", "createUser", "Create a user"),
        (Verb::Get, "/users/{userId}", "getUserById", "Get a user by id"),
        (Verb::Put, "/users/{userId}", "updateUserById", "Update a user by id"),
        (Verb::Patch, "/api/v1/users/{userId}", "patchUserById", "Patch a user by id"),
        (Verb::Delete, "/users/{userId}", "deleteUserById", "Delete a user by id"),
        (Verb::Get, "/users/{userId}/orders", "listUserOrders", "List orders of a user"),
        (Verb::Get, "/users/{userId}/orders/{orderId}", "getUserOrderById", "Get an order of a user by id"),
        (Verb::Post, "/orders/{orderId}/cancel", "cancelOrder", "Cancel an order"),
        (Verb::Post, "/v1/payments/initiate", "initiatePayment", "Initiate a payment"),
        (Verb::Get, "/users/me", "getUserMe", "Get user: me"),
        (Verb::Get, "/reports/{date}", "getReportByDate", "Get a report by date"),
    ];

    for (verb, template, id, summary) in cases {
        assert_eq!(Topic::of(&steps(template)).named(verb), (id.to_owned(), summary.to_owned()), "{template}");
    }
}

#[test]
fn objects_are_called_by_their_resource() {
    let cases = [
        ("/users/{userId}", "User"),
        ("/users/me", "User"),
        ("/order-items", "OrderItem"),
        ("/", "Item"),
        ("/v1/payments/confirm", "Payment"),
    ];

    for (template, concept) in cases {
        assert_eq!(Topic::of(&steps(template)).concept(), concept, "{template}");
    }
    assert_eq!(of_property("Order", "shippingAddress"), "ShippingAddress");
    assert_eq!(of_property("Order", "items"), "OrderItem");
}

#[test]
fn the_tag_is_the_first_name() {
    assert_eq!(tag(&steps("/api/v1/order-items/{id}")), "order items");
    assert_eq!(tag(&steps("/{id}")), "default");
}
