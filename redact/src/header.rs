//! One header or trailer.

use std::borrow::Cow;

use crate::{
    host, known,
    masker::{End, Masked, Masker, Style},
    names::Field,
    patterns,
    redactor::Redactor,
};

/// Headers whose value is a URL, relative ones too.
const URLS: [&[u8]; 12] = [
    b"referer",
    b"location",
    b"content-location",
    b"origin",
    b"x-envoy-original-path",
    b"x-original-url",
    b"x-original-uri",
    b"x-rewrite-url",
    b"x-forwarded-uri",
    b"x-forwarded-path",
    b"x-forwarded-url",
    b"destination",
];

/// The value with what is secret masked; `None`: nothing is.
pub(crate) fn masked(rules: &Redactor, name: &[u8], value: &[u8]) -> Option<Masked> {
    known::masked(rules.id, name, value, || masked_anew(rules, name, value))
}

fn masked_anew(rules: &Redactor, name: &[u8], value: &[u8]) -> Option<Masked> {
    let mut name = Cow::Borrowed(name);
    if name.iter().any(u8::is_ascii_uppercase) {
        name = Cow::Owned(name.to_ascii_lowercase());
    }
    let mut masker = Masker::new(rules, value, Style::Words);
    match name.as_ref() {
        b"cookie" => masker.cookie(),
        b"set-cookie" => masker.set_cookie(),
        name if rules.names.judge(name, Field::Header).masks(value.len()) => masker.mask(0..value.len(), value),
        name if !rules.names.shows_header(name) => masker.mask(0..value.len(), value),
        name if URLS.contains(&name) => masker.target(End::Whole),
        name if host::HOLDERS.contains(&name) => masker.host(),
        name if name.ends_with(b"-bin") => binary(&mut masker, value),
        _ => masker.value(0..value.len(), End::Whole),
    }
    masker.finish()
}

/// gRPC's binary metadata is base64: with a secret inside it goes as a whole.
fn binary(masker: &mut Masker<'_, '_>, value: &[u8]) {
    let Some(bytes) = patterns::decoded_bytes(value) else { return };
    let mut inner = Masker::new(masker.rules, &bytes, Style::Stars);
    inner.scan(0..bytes.len(), End::Whole);
    if inner.finish().is_some() {
        masker.mask(0..value.len(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(name: &str, value: &str) -> String {
        let rules = Redactor::default();
        let Some(once) = masked(&rules, name.as_bytes(), value.as_bytes()) else { return value.to_owned() };
        assert_eq!(masked(&rules, name.as_bytes(), &once.bytes), None, "{name}");
        String::from_utf8(once.bytes).unwrap()
    }

    #[test]
    fn sensitive_headers_lose_their_value_and_keep_their_scheme() {
        let cases = [
            ("authorization", "Bearer abc", "Bearer [redacted]"),
            ("Authorization", "BASIC a2ltbW86cHc=", "BASIC [redacted]"),
            ("authorization", "s3cret with spaces", "[redacted]"),
            ("authorization", "", ""),
            ("x-acme-auth-token", "s3cret", "[redacted]"),
            ("x-forwarded-client-cert", "Hash=abc;Subject=\"CN=x\"", "[redacted]"),
            ("cookie", "a=b", "a=[redacted]"),
            ("x-custom", "user=kimmo;password=x", "user=kimmo;password=[redacted]"),
            ("x-custom", "Bearer abc123", "Bearer [redacted]"),
            ("x-payload", r#"{"token":"x","a":1}"#, r#"{"token":"[redacted]","a":1}"#),
            ("sec-websocket-protocol", "v1, base64url.bearer.authorization.k8s.io.abcdefghij", "v1, [redacted]"),
        ];

        for (name, value, expected) in cases {
            assert_eq!(value_of(name, value), expected, "{name}");
        }
    }

    #[test]
    fn urls_in_headers_are_read() {
        let cases = [
            ("referer", "https://u:p@h/a?token=x&b=1", "https://%5Bredacted%5D@h/a?token=[redacted]&b=1"),
            ("location", "/cb?code=abcdefghijklmnop&a=1#id_token=x", "/cb?code=[redacted]&a=1#id_token=[redacted]"),
            ("content-location", "a?%74oken=x", "a?%74oken=[redacted]"),
            ("origin", "https://u:p@h", "https://%5Bredacted%5D@h"),
            ("link", "</a?api_key=x&p=2>; rel=\"next\"", "</a?api_key=[redacted]&p=2>; rel=\"next\""),
            ("refresh", "0; url=/a?token=x", "0; url=/a?token=[redacted]"),
        ];

        for (name, value, expected) in cases {
            assert_eq!(value_of(name, value), expected, "{name}");
        }
    }

    #[test]
    fn harmless_values_are_left_alone() {
        let cases = [
            ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0"),
            ("www-authenticate", "Bearer realm=\"api\", error=\"invalid_token\""),
            ("content-type", "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW"),
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ("if-none-match", "W/\"0815-abcdefabcdefabcdefabcdefabcdef\""),
            ("x-request-id", "550e8400-e29b-41d4-a716-446655440000"),
            ("date", "Wed, 21 Oct 2026 07:28:00 GMT"),
            ("keep-alive", "timeout=5, max=1000"),
            ("x-order", "4111111111111112"),
            ("idempotency-key", "8e03978e-40d5-43e8-bc93-6894a57f9324"),
            ("grpc-status-details-bin", "CAMSB2ludmFsaWQ="),
        ];

        for (name, value) in cases {
            assert_eq!(value_of(name, value), value, "{name}");
        }
    }

    #[test]
    fn in_strict_mode_only_listed_headers_are_shown_and_secrets_in_them_are_not() {
        let settings = serde_json::from_str(r#"{"only_headers":["Accept","x-note","referer"]}"#).unwrap();
        let rules = Redactor::new(settings, None).unwrap();
        let cases = [
            ("accept", "*/*", "*/*"),
            ("ACCEPT", "*/*", "*/*"),
            ("x-note", "token=hunter2", "token=[redacted]"),
            ("referer", "/a?token=hunter2", "/a?token=[redacted]"),
            ("x-notes", "harmless", "[redacted]"),
            ("user-agent", "curl/8", "[redacted]"),
            ("user-agent", "", ""),
            ("content-type", "text/plain", "text/plain"),
            ("content-encoding", "gzip", "gzip"),
            ("grpc-status", "0", "[redacted]"),
            ("cookie", "a=b", "a=[redacted]"),
            ("authorization", "Bearer abc", "Bearer [redacted]"),
        ];

        for (name, value, expected) in cases {
            let once = masked(&rules, name.as_bytes(), value.as_bytes()).map_or(value.into(), |masked| masked.bytes);
            assert_eq!(String::from_utf8_lossy(&once), expected, "{name}");
            assert_eq!(masked(&rules, name.as_bytes(), &once), None, "{name}");
        }
    }

    #[test]
    fn binary_metadata_with_a_secret_goes_as_a_whole() {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let value = STANDARD.encode(b"\x08\x03\x12\x20ghp_abcdefghijklmnopqrstuvwxyz0123");

        assert_eq!(value_of("grpc-status-details-bin", &value), "[redacted]");
    }
}
