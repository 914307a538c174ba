use super::*;
use serde_json::json;

#[test]
fn what_cannot_be_extended_is_refused_with_its_reason() {
    let cases = [
        (json!([]), "the document is not an object"),
        (json!({}), "openapi is missing; 3.0.x and 3.1.x can be extended"),
        (json!({"swagger": "2.0"}), "openapi is 2.0; 3.0.x and 3.1.x can be extended"),
        (json!({"openapi": "3.0.1", "paths": []}), "/paths is not an object"),
        (json!({"openapi": "3.0.1", "paths": {"/a": {"get": 1}}}), "/paths/~1a/get is not an object"),
    ];

    for (document, message) in cases {
        assert_eq!(Base::new(document).unwrap_err().to_string(), message);
    }
}

#[test]
fn base_paths_come_from_the_servers() {
    let cases = [
        (json!([{"url": "https://a.example/v1/"}, {"url": "/v10"}]), vec!["/v10", "/v1"]),
        (json!([{"url": "https://a.example"}]), vec![""]),
        (json!([{"url": "https://{host}/{base}", "variables": {"base": {"default": "v2"}}}]), vec!["/v2"]),
        (json!([]), vec![""]),
    ];

    for (servers, prefixes) in cases {
        let base = Base::new(json!({"openapi": "3.1.0", "servers": servers, "paths": {}})).unwrap();
        assert_eq!(base.prefixes, prefixes);
    }
}
