//! Why a post is refused, and what its sender is told.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;
use thiserror::Error;

/// After how many seconds a refused post may come again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Why a post is refused as a whole. The text goes to the sender: it names what the sender can change, never our
/// insides.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    /// No token, or one that is not known.
    #[error("unauthorized")]
    Unauthorized,
    /// Client certificates are asked for, and none was shown.
    #[error("a client certificate is needed")]
    NoCertificate,
    /// The client certificate is none of those that may post.
    #[error("this client certificate may not post")]
    Certificate,
    /// An `x-tributary-…` header is malformed.
    #[error("header {name}: {reason}")]
    Header {
        /// Which one.
        name: HeaderName,
        /// What is wrong with it and what is allowed.
        reason: &'static str,
    },
    /// The body broke off, or is not what its encoding says.
    #[error("body: {0}")]
    Body(&'static str),
    /// Not JSON Lines.
    #[error("content-type must be application/x-ndjson (or application/jsonl), in UTF-8")]
    ContentType,
    /// A content-encoding that is not taken.
    #[error("content-encoding must be identity, gzip or zstd")]
    ContentEncoding,
    /// The body as sent is too large.
    #[error("body is larger than {limit} bytes")]
    BodyTooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// The body is too large when unpacked.
    #[error("unpacked body is larger than {limit} bytes")]
    UnpackedTooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// Too many lines in one post.
    #[error("{lines} lines are more than {limit}")]
    TooManyLines {
        /// Lines that came.
        lines: u64,
        /// Lines allowed.
        limit: u64,
    },
    /// The body did not come in time.
    #[error("body did not arrive in time")]
    SlowBody,
    /// Too much is in flight here; nothing was stored.
    #[error("busy, try again")]
    Busy {
        /// Lines read before it was refused.
        lines: u64,
    },
    /// Not all lines are durable; nothing is promised.
    #[error("not stored, try again; exchanges may arrive twice")]
    NotStored {
        /// Lines of the post.
        lines: u64,
    },
}

/// Under which head a refusal is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusedAs {
    /// Nothing promised, try again.
    Busy,
    /// Credentials.
    Auth,
    /// Over a limit: never works like this.
    Limit,
    /// Malformed: never works like this.
    BadRequest,
}

impl Refusal {
    /// How it is counted.
    pub(crate) fn counted_as(&self) -> RefusedAs {
        match self {
            Refusal::Unauthorized | Refusal::NoCertificate | Refusal::Certificate => RefusedAs::Auth,
            Refusal::Header { .. } | Refusal::Body(_) | Refusal::ContentType | Refusal::ContentEncoding => {
                RefusedAs::BadRequest
            }
            Refusal::BodyTooLarge { .. }
            | Refusal::UnpackedTooLarge { .. }
            | Refusal::TooManyLines { .. }
            | Refusal::SlowBody => RefusedAs::Limit,
            Refusal::Busy { .. } | Refusal::NotStored { .. } => RefusedAs::Busy,
        }
    }

    /// The lines that were read of the post.
    pub(crate) fn lines(&self) -> u64 {
        match self {
            Refusal::TooManyLines { lines, .. } | Refusal::Busy { lines } | Refusal::NotStored { lines } => *lines,
            _ => 0,
        }
    }

    /// A stable word for the log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Refusal::Unauthorized => "unauthorized",
            Refusal::NoCertificate => "no_certificate",
            Refusal::Certificate => "certificate",
            Refusal::Header { .. } => "header",
            Refusal::Body(_) => "body",
            Refusal::ContentType => "content_type",
            Refusal::ContentEncoding => "content_encoding",
            Refusal::BodyTooLarge { .. } => "body_too_large",
            Refusal::UnpackedTooLarge { .. } => "unpacked_too_large",
            Refusal::TooManyLines { .. } => "too_many_lines",
            Refusal::SlowBody => "slow_body",
            Refusal::Busy { .. } => "busy",
            Refusal::NotStored { .. } => "not_stored",
        }
    }

    /// The status of the reply.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Refusal::Unauthorized | Refusal::NoCertificate => StatusCode::UNAUTHORIZED,
            Refusal::Certificate => StatusCode::FORBIDDEN,
            Refusal::Header { .. } | Refusal::Body(_) => StatusCode::BAD_REQUEST,
            Refusal::ContentType | Refusal::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::BodyTooLarge { .. } | Refusal::UnpackedTooLarge { .. } | Refusal::TooManyLines { .. } => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Refusal::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Refusal::Busy { .. } | Refusal::NotStored { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, Json(json!({ "error": self.to_string() }))).into_response();
        let headers = response.headers_mut();
        match self {
            Refusal::Unauthorized => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Refusal::Busy { .. } | Refusal::NotStored { .. } => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER);
            }
            _ => {}
        }
        response
    }
}
