//! Which headers and cookies belong to an interface, and which are noise of transport, tracing and browsers.

/// Request headers that are never a parameter: transport, content negotiation, browsers, caches and proxies.
/// OpenAPI itself forbids `accept`, `content-type` and `authorization` (OAS 3.1 §4.8.12.1).
const REQUEST_NOISE: [&str; 71] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "access-control-request-headers",
    "access-control-request-method",
    "akamai-origin-hop",
    "alt-used",
    "authorization",
    "b3",
    "baggage",
    "cache-control",
    "cdn-loop",
    "client-ip",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-length",
    "content-md5",
    "content-type",
    "cookie",
    "correlation-id",
    "date",
    "device-memory",
    "dnt",
    "downlink",
    "early-data",
    "ect",
    "elastic-apm-traceparent",
    "expect",
    "fastly-client-ip",
    "forwarded",
    "from",
    "grpc-timeout",
    "host",
    "http2-settings",
    "keep-alive",
    "max-forwards",
    "origin",
    "postman-token",
    "pragma",
    "priority",
    "proxy-authorization",
    "proxy-connection",
    "purpose",
    "range",
    "referer",
    "request-id",
    "rtt",
    "save-data",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "uber-trace-id",
    "upgrade",
    "upgrade-insecure-requests",
    "user-agent",
    "via",
    "viewport-width",
    "warning",
    "width",
    "x-client-ip",
    "x-correlation-id",
    "x-ot-span-context",
    "x-real-ip",
    "x-request-id",
    "x-requested-with",
    "x-trace-id",
];

/// Beginnings of names that are noise in requests and responses.
const NOISE_PREFIXES: [&str; 24] = [
    ":",
    "cf-",
    "cloudfront-",
    "fly-",
    "ot-tracer-",
    "proxy-",
    "sec-",
    "x-amz-cf-",
    "x-amzn-",
    "x-appengine-",
    "x-aspnet",
    "x-azure-",
    "x-b3-",
    "x-cache",
    "x-cloud-trace-",
    "x-datadog-",
    "x-envoy-",
    "x-forwarded-",
    "x-istio-",
    "x-nf-",
    "x-ot-",
    "x-served-",
    "x-tributary-",
    "x-vercel-",
];

/// Response headers outside `x-*` that tell something about the interface.
const RESPONSE_SIGNS: [&str; 22] = [
    "accept-patch",
    "accept-post",
    "accept-ranges",
    "allow",
    "content-disposition",
    "content-language",
    "content-location",
    "content-range",
    "deprecation",
    "etag",
    "idempotency-key",
    "last-modified",
    "link",
    "location",
    "operation-location",
    "preference-applied",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "set-cookie",
    "sunset",
    "www-authenticate",
];

/// `x-*` response headers that servers and browsers exchange between themselves.
const RESPONSE_NOISE: [&str; 19] = [
    "x-content-type-options",
    "x-correlation-id",
    "x-dns-prefetch-control",
    "x-download-options",
    "x-frame-options",
    "x-generator",
    "x-github-request-id",
    "x-permitted-cross-domain-policies",
    "x-powered-by",
    "x-process-time",
    "x-real-ip",
    "x-request-id",
    "x-response-time",
    "x-robots-tag",
    "x-runtime",
    "x-timer",
    "x-trace-id",
    "x-ua-compatible",
    "x-xss-protection",
];

/// Cookies of analytics and consent.
const COOKIE_NOISE: [&str; 12] =
    ["_ga", "_gid", "_gat", "_gcl", "_fbp", "_hj", "__utm", "__cf", "_clck", "_clsk", "optimizely", "ajs_"];

/// Whether a request header is a parameter of the interface.
pub(crate) fn is_request_parameter(name: &str) -> bool {
    !has_noise_prefix(name) && REQUEST_NOISE.binary_search(&name).is_err() && is_token(name)
}

/// Whether a response header tells something about the interface.
pub(crate) fn is_telling_response_header(name: &str) -> bool {
    let own = name.starts_with("x-") && !has_noise_prefix(name) && RESPONSE_NOISE.binary_search(&name).is_err();
    (own || name.starts_with("ratelimit-") || RESPONSE_SIGNS.binary_search(&name).is_ok()) && is_token(name)
}

/// Whether a cookie is a parameter of the interface.
pub(crate) fn is_cookie_parameter(name: &str) -> bool {
    !COOKIE_NOISE.iter().any(|prefix| name.starts_with(prefix))
}

fn has_noise_prefix(name: &str) -> bool {
    NOISE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        assert!(REQUEST_NOISE.is_sorted() && RESPONSE_SIGNS.is_sorted() && RESPONSE_NOISE.is_sorted());
    }

    #[test]
    fn noise_is_told_from_parameters() {
        for noise in ["host", "user-agent", "x-forwarded-for", "sec-fetch-mode", "traceparent", "x-b3-traceid"] {
            assert!(!is_request_parameter(noise), "{noise}");
        }
        for parameter in ["x-tenant-id", "idempotency-key", "if-none-match", "if-match", "prefer"] {
            assert!(is_request_parameter(parameter), "{parameter}");
        }
        for telling in ["location", "etag", "x-ratelimit-limit", "x-total-count", "retry-after"] {
            assert!(is_telling_response_header(telling), "{telling}");
        }
        for noise in ["date", "server", "x-powered-by", "x-envoy-upstream-service-time", "content-length"] {
            assert!(!is_telling_response_header(noise), "{noise}");
        }
        assert!(is_cookie_parameter("theme") && !is_cookie_parameter("_ga_1234"));
    }
}
