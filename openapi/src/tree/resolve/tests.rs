use super::*;

fn texts(values: &[&str]) -> Texts {
    let mut texts = Texts::default();
    values.iter().for_each(|value| texts.add(value));
    texts
}

fn literal(name: &str) -> Step {
    Step::Literal(name.to_owned())
}

fn parameter(name: &str) -> Step {
    Step::Parameter(name.to_owned(), Texts::default())
}

#[test]
fn a_parameter_is_named_for_the_segment_before() {
    let cases: [(&[Step], &str, &str); 6] = [
        (&[literal("users")], "1", "userId"),
        (&[literal("order-items")], "1", "orderItemId"),
        (&[literal("api"), literal("v1")], "1", "id"),
        (&[], "1", "id"),
        (&[literal("reports")], "2024-01-01", "date"),
        (&[literal("files"), parameter("fileId")], "1", "fileId2"),
    ];

    for (steps, value, expected) in cases {
        assert_eq!(name(steps, &texts(&[value])), expected);
    }
}

#[test]
fn the_template_of_nothing_is_the_root() {
    assert_eq!(template(&[]), "/");
    assert_eq!(template(&[literal("users"), parameter("userId")]), "/users/{userId}");
}
