//! What the app answers: `POST /users`, `GET /users/{id}`, `GET /health`, and a JSON error for all else.
//!
//! An error is `{"error": "name must be a string that is not empty", "field": "name"}`; `field` only where one is at fault.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::store::{Store, User};

/// The largest request body, the default of the tutorial's `express.json()`; a larger one is answered with 413.
pub(crate) const MAX_BODY_BYTES: usize = 100 * 1024;

/// The app over its store.
pub(crate) fn app(store: Arc<Store>) -> Router {
    Router::new()
        .route("/users", post(create))
        .route("/users/{id}", get(read))
        .route("/health", get(health))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(store)
}

async fn create(State(store): State<Arc<Store>>, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Response {
    let created = body.map_err(|rejection| Refusal::unreadable(&rejection)).and_then(|body| new_user(&headers, &body));
    match created {
        Ok(user) => {
            let location = [(header::LOCATION, format!("users/{}", user.id))];
            let shown = shown(&user);
            store.insert(user);
            (location, json_response(StatusCode::OK, &shown)).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// An id that is no UUID, or not even text, is just as unknown as any other.
async fn read(State(store): State<Arc<Store>>, id: Result<Path<String>, PathRejection>) -> Response {
    match id.ok().and_then(|Path(id)| Uuid::try_parse(&id).ok()).and_then(|id| store.find(id)) {
        Some(user) => json_response(StatusCode::OK, &shown(&user)),
        None => Refusal::new(StatusCode::NOT_FOUND, "there is no user with this id").into_response(),
    }
}

async fn health() -> Response {
    json_response(StatusCode::OK, &json!({"status": "ok"}))
}

async fn unknown_path() -> Response {
    Refusal::new(StatusCode::NOT_FOUND, "there is nothing here; try POST /users or GET /users/{id}").into_response()
}

async fn wrong_method() -> Response {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method; try POST /users or GET /users/{id}")
        .into_response()
}

/// The user that a request describes, with a new id.
///
/// # Errors
/// A [`Refusal`] with 400: another content type (Express would see no fields at all), not a JSON object, or a
/// field that is missing, empty or not a string.
fn new_user(headers: &HeaderMap, body: &[u8]) -> Result<User, Refusal> {
    if !is_json(headers) {
        return Err(Refusal::of_field("content-type", "content-type must be application/json"));
    }
    let fields: Value = serde_json::from_slice(body).map_err(|error| {
        let place = format!("the body is not JSON (line {}, column {})", error.line(), error.column());
        Refusal::of_field("body", place)
    })?;
    let Value::Object(mut fields) = fields else {
        return Err(Refusal::of_field("body", "the body must be a JSON object with the fields name and email"));
    };
    Ok(User { id: Uuid::new_v4(), name: text(&mut fields, "name")?, email: text(&mut fields, "email")? })
}

fn text(fields: &mut Map<String, Value>, field: &'static str) -> Result<String, Refusal> {
    match fields.get_mut(field).map(Value::take) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        _ => Err(Refusal::of_field(field, format!("{field} must be a string that is not empty"))),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

fn shown(user: &User) -> Value {
    json!({"id": user.id.to_string(), "name": user.name, "email": user.email})
}

/// A JSON answer with the content type that Express gives, so that recordings look like the tutorial's.
fn json_response(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body.to_string()).into_response()
}

/// Why a request was not served.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    field: Option<&'static str>,
    error: String,
}

impl Refusal {
    fn new(status: StatusCode, error: impl Into<String>) -> Refusal {
        Refusal { status, field: None, error: error.into() }
    }

    fn of_field(field: &'static str, error: impl Into<String>) -> Refusal {
        Refusal { field: Some(field), ..Refusal::new(StatusCode::BAD_REQUEST, error) }
    }

    /// The body could not be read: over [`MAX_BODY_BYTES`], or the client went away.
    fn unreadable(rejection: &BytesRejection) -> Refusal {
        let error = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => format!("the body must be at most {MAX_BODY_BYTES} bytes"),
            _ => "the body could not be read".into(),
        };
        Refusal { field: Some("body"), ..Refusal::new(rejection.status(), error) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = json!({"error": self.error});
        if let (Some(field), Some(object)) = (self.field, body.as_object_mut()) {
            object.insert("field".into(), field.into());
        }
        json_response(self.status, &body)
    }
}

#[cfg(test)]
mod tests;
