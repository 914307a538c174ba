//! Credentials: how a request says who it is. The values are never kept; they may be masked.

use serde::{Deserialize, Serialize};
use tributary_http_types::Fields;

use crate::form::is_redacted;

/// One way to say who one is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Scheme {
    /// `authorization: Bearer` with a JSON web token.
    BearerJwt,
    /// `authorization: Bearer` with another token, or a masked one.
    Bearer,
    /// Another registered scheme of `authorization`, in lower case.
    Http(Box<str>),
    /// A key in a header.
    Header(Box<str>),
    /// A key in the query.
    Query(Box<str>),
    /// A session cookie.
    Cookie(Box<str>),
}

/// Schemes that OpenAPI can name.
///
/// Source: IANA, "HTTP Authentication Scheme Registry".
const HTTP_SCHEMES: [&str; 8] = ["basic", "digest", "dpop", "hoba", "mutual", "negotiate", "scram-sha-256", "vapid"];

/// Names of keys, without `-` and `_`, in lower case.
const KEY_NAMES: [&str; 22] = [
    "apikey",
    "xapikey",
    "xapitoken",
    "apitoken",
    "accesstoken",
    "xaccesstoken",
    "authtoken",
    "xauthtoken",
    "xauth",
    "xtoken",
    "xauthkey",
    "xapisecret",
    "xappkey",
    "appkey",
    "xsubscriptionkey",
    "ocpapimsubscriptionkey",
    "subscriptionkey",
    "privatetoken",
    "jobtoken",
    "xgoogapikey",
    "xfunctionskey",
    "xrapidapikey",
];

/// Names of session cookies, without `-`, `_` and `.`, in lower case.
const SESSION_NAMES: [&str; 13] = [
    "session",
    "sessionid",
    "sessid",
    "sid",
    "connectsid",
    "jsessionid",
    "phpsessid",
    "aspnetsessionid",
    "aspnetcoresession",
    "authtoken",
    "accesstoken",
    "auth",
    "token",
];

/// Whether a header or query parameter of this name is a key.
pub(crate) fn is_key(name: &str) -> bool {
    // Asked for each header and query parameter: all of them end in key, token, auth or secret.
    let may_be =
        name.as_bytes().last().is_some_and(|last| matches!(last.to_ascii_lowercase(), b'y' | b'n' | b'h' | b't'));
    may_be && is_one_of(name, &KEY_NAMES)
}

/// Whether a cookie of this name is a session.
pub(crate) fn is_session(name: &str) -> bool {
    is_one_of(name.trim_start_matches("__Host-").trim_start_matches("__Secure-"), &SESSION_NAMES)
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    let plain =
        || name.bytes().filter(|byte| !matches!(byte, b'-' | b'_' | b'.')).map(|byte| byte.to_ascii_lowercase());
    names.iter().any(|known| plain().eq(known.bytes()))
}

/// All ways in which one request says who it is, sorted.
pub(crate) fn schemes(headers: &Fields, query: &Fields, cookies: &[(&str, &str)]) -> Vec<Scheme> {
    let mut schemes: Vec<Scheme> = headers
        .iter()
        .filter_map(|(name, values)| match name {
            "authorization" => values.first().map(|value| authorization(value)),
            _ if is_key(name) => Some(Scheme::Header(name.into())),
            _ => None,
        })
        .collect();
    schemes.extend(query.iter().filter(|(name, _)| is_key(name)).map(|(name, _)| Scheme::Query(name.into())));
    schemes.extend(cookies.iter().filter(|(name, _)| is_session(name)).map(|(name, _)| Scheme::Cookie((*name).into())));
    schemes.sort_unstable();
    schemes.dedup();
    schemes
}

fn authorization(value: &str) -> Scheme {
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    let scheme = scheme.to_ascii_lowercase();
    let is_jwt = token.starts_with("eyJ") && token.bytes().filter(|byte| *byte == b'.').count() >= 2;
    match scheme.as_str() {
        "bearer" if is_jwt && !is_redacted(token) => Scheme::BearerJwt,
        "bearer" => Scheme::Bearer,
        known if HTTP_SCHEMES.contains(&known) => Scheme::Http(known.into()),
        _ => Scheme::Header("authorization".into()),
    }
}

/// Names and values of a `cookie` header; pairs without a name, or with a masked one, are left out.
pub(crate) fn cookies(headers: &Fields) -> Vec<(&str, &str)> {
    let pairs = headers.all("cookie").iter().flat_map(|header| header.split(';'));
    let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| is_token(name) && !is_redacted(name)).collect()
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, value)| (*name, *value)).collect()
    }

    #[test]
    fn schemes_are_told_even_when_values_are_masked() {
        let cases = [
            (("authorization", "Bearer eyJhbGciOi.eyJzdWIi.c2ln"), Scheme::BearerJwt),
            (("authorization", "Bearer [redacted]"), Scheme::Bearer),
            (("authorization", "basic a2ltbW8="), Scheme::Http("basic".into())),
            (("authorization", "[redacted]"), Scheme::Header("authorization".into())),
            (("x-api-key", "tok_1"), Scheme::Header("x-api-key".into())),
            (("cookie", "a=b; connect.sid=[redacted]"), Scheme::Cookie("connect.sid".into())),
        ];

        for (header, scheme) in cases {
            let headers = fields(&[header]);
            assert_eq!(schemes(&headers, &Fields::new(), &cookies(&headers)), [scheme]);
        }
        assert_eq!(
            schemes(&Fields::new(), &fields(&[("api_key", "1"), ("page", "2")]), &[]),
            [Scheme::Query("api_key".into())]
        );
    }

    #[test]
    fn every_name_of_a_key_is_found() {
        for name in KEY_NAMES {
            assert!(is_key(name) && is_key(&name.to_ascii_uppercase()), "{name}");
        }
        assert!(is_key("X-Api_Key") && !is_key("monkey") && !is_key(""));
    }

    #[test]
    fn cookies_without_a_name_are_left_out() {
        let headers = fields(&[("cookie", "[redacted]; theme=dark; =x; flag")]);

        assert_eq!(cookies(&headers), [("theme", "dark")]);
    }
}
