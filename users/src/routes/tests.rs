//! The routes, asked without a socket.

use axum::{body::Body, http::Request};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

const KIMMO: &str = r#"{"name":"Kimmo","email":"kimmo@example.com"}"#;

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

async fn answer(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Answer { status, headers, body: serde_json::from_slice(&body).unwrap() }
}

fn post_users(content_type: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post("/users").header("content-type", content_type).body(body.into()).unwrap()
}

async fn refusal(content_type: &str, body: impl Into<Body>) -> (u16, Value) {
    let answer = answer(&app(Arc::default()), post_users(content_type, body)).await;
    assert!(answer.headers.get("location").is_none());
    (answer.status, answer.body)
}

#[tokio::test]
async fn created_user_is_shown_with_its_location() {
    let app = app(Arc::default());

    let created = answer(&app, post_users("application/json", KIMMO)).await;

    let id = created.body["id"].as_str().unwrap().to_owned();
    assert_eq!(created.status, 200);
    assert_eq!(Uuid::parse_str(&id).unwrap().get_version_num(), 4);
    assert_eq!(created.headers["location"], format!("users/{id}"));
    assert_eq!(created.headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(created.body, json!({"id": id, "name": "Kimmo", "email": "kimmo@example.com"}));
}

#[tokio::test]
async fn created_user_can_be_read() {
    let app = app(Arc::default());
    let created = answer(&app, post_users("Application/JSON; charset=utf-8", KIMMO)).await;

    let path = format!("/users/{}", created.body["id"].as_str().unwrap());
    let read = answer(&app, Request::get(path).body(Body::empty()).unwrap()).await;

    assert_eq!((read.status, read.body), (200, created.body));
}

#[tokio::test]
async fn unknown_user_is_404() {
    for id in ["0549a790-fe19-4e1b-ae15-2ab99a2c91ad", "kimmo", "%ff"] {
        let request = Request::get(format!("/users/{id}")).body(Body::empty()).unwrap();
        let answer = answer(&app(Arc::default()), request).await;

        let expected = json!({"error": "there is no user with this id"});
        assert_eq!((answer.status, answer.body), (404, expected), "{id}");
    }
}

#[tokio::test]
async fn field_that_is_no_text_is_named() {
    let cases = [
        (r#"{}"#, "name"),
        (r#"{"name":"","email":"a"}"#, "name"),
        (r#"{"name":7,"email":"a"}"#, "name"),
        (r#"{"name":null,"email":"a"}"#, "name"),
        (r#"{"name":"a"}"#, "email"),
        (r#"{"name":"a","email":""}"#, "email"),
        (r#"{"name":"a","email":["b"]}"#, "email"),
    ];

    for (body, field) in cases {
        let error = format!("{field} must be a string that is not empty");
        assert_eq!(refusal("application/json", body).await, (400, json!({"error": error, "field": field})), "{body}");
    }
}

#[tokio::test]
async fn malformed_json_is_400_with_its_place() {
    let expected = json!({"error": "the body is not JSON (line 1, column 9)", "field": "body"});

    assert_eq!(refusal("application/json", r#"{"name":}"#).await, (400, expected));
}

#[tokio::test]
async fn json_that_is_no_object_is_400() {
    let expected = json!({"error": "the body must be a JSON object with the fields name and email", "field": "body"});

    assert_eq!(refusal("application/json", "[]").await, (400, expected));
}

#[tokio::test]
async fn other_content_type_is_400() {
    let expected = json!({"error": "content-type must be application/json", "field": "content-type"});

    assert_eq!(refusal("application/x-www-form-urlencoded", KIMMO).await, (400, expected.clone()));
    assert_eq!(refusal("application/jsonx", KIMMO).await, (400, expected));
}

#[tokio::test]
async fn body_at_the_limit_is_read_and_one_byte_over_is_413() {
    let frame = KIMMO.len() - "Kimmo".len();
    let body_of = |bytes: usize| KIMMO.replace("Kimmo", &"k".repeat(bytes - frame));

    let at_limit = answer(&app(Arc::default()), post_users("application/json", body_of(MAX_BODY_BYTES))).await;
    let over = refusal("application/json", body_of(MAX_BODY_BYTES + 1)).await;

    assert_eq!(at_limit.status, 200);
    assert_eq!(over, (413, json!({"error": "the body must be at most 102400 bytes", "field": "body"})));
}

#[tokio::test]
async fn health_is_200() {
    let request = Request::get("/health").body(Body::empty()).unwrap();

    let answer = answer(&app(Arc::default()), request).await;

    assert_eq!((answer.status, answer.body), (200, json!({"status": "ok"})));
}

#[tokio::test]
async fn unknown_path_and_wrong_method_are_told_what_there_is() {
    let cases = [("GET", "/", 404), ("GET", "/users", 405), ("DELETE", "/users/1", 405)];

    for (method, path, status) in cases {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let answer = answer(&app(Arc::default()), request).await;

        assert_eq!(answer.status, status, "{method} {path}");
        assert!(answer.body["error"].as_str().unwrap().ends_with("try POST /users or GET /users/{id}"));
    }
}
