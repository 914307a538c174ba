//! The request target: its pathname, its decoded query, and whether `path` may stand beside them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The properties that every JavaScript object has. A query name among them kills the TypeScript reader, which
/// collects the query of a `path` in a plain object.
///
/// Source: ECMA-262, "Properties of the Object Prototype Object"; http-types 0.6.1, `parseQuery`.
const OBJECT_PROTOTYPE: [&str; 12] = [
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
];

/// A request target taken apart.
pub(crate) struct Target<'a> {
    /// Up to the first `?`; `/` where there is none (`CONNECT`, `?q=1`), for a reader refuses an empty one.
    pub(crate) pathname: &'a str,
    /// Names and values, decoded, in order.
    pub(crate) query: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Whether all readers can bear `path`: the TypeScript reader prefers it to pathname and query, throws at a target
    /// that is no path (`http://…`), ends it at a `#`, decodes the query twice (so a decoded `%` kills or falsifies
    /// it), and dies at a query name of `Object.prototype`. Without `path` it takes pathname and query as they stand.
    pub(crate) path_is_safe: bool,
}

impl<'a> Target<'a> {
    pub(crate) fn of(path: &'a str) -> Target<'a> {
        let (pathname, search) = path.split_once('?').unwrap_or((path, ""));
        let query = query_of(search);
        let risky = |text: &str| text.contains('%') || OBJECT_PROTOTYPE.contains(&text);
        let path_is_safe = path.starts_with('/')
            && !path.contains('#')
            && !query.iter().any(|(name, value)| risky(name) || value.contains('%'));
        Target { pathname: if pathname.is_empty() { "/" } else { pathname }, query, path_is_safe }
    }
}

/// Names and values of a query string (without its `?`), decoded, in order; `flag` alone has the value `""`.
///
/// `+` is a space and `%41` is `A`; a `%` without two hexadecimal digits stays, and bytes that are not UTF-8 become
/// U+FFFD. The bytes as sent stand in `path`.
///
/// Source: WHATWG URL, "application/x-www-form-urlencoded parsing".
pub(crate) fn query_of(search: &str) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let pairs = search.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(path: &str) -> Vec<(String, String)> {
        Target::of(path).query.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn the_query_is_decoded_once() {
        assert_eq!(query("/a?q=100%25&w=a+b%2Bc"), pairs(&[("q", "100%"), ("w", "a b+c")]));
    }

    #[test]
    fn blank_values_flags_and_repeats_are_kept() {
        assert_eq!(
            query("/a?flag&a=&b=1&b=2&&c=x=y"),
            pairs(&[("flag", ""), ("a", ""), ("b", "1"), ("b", "2"), ("c", "x=y")])
        );
    }

    #[test]
    fn broken_escapes_stay_and_broken_utf_8_is_replaced() {
        assert_eq!(query("/a?p=%&q=%zz&r=%ff"), pairs(&[("p", "%"), ("q", "%zz"), ("r", "\u{fffd}")]));
    }

    #[test]
    fn a_pathname_is_never_empty() {
        assert_eq!(Target::of("").pathname, "/");
        assert_eq!(Target::of("?q=1").pathname, "/");
        assert_eq!(Target::of("*").pathname, "*");
        assert_eq!(Target::of("/a//b/../c?d").pathname, "/a//b/../c");
    }

    #[test]
    fn path_is_left_out_where_it_would_kill_a_reader() {
        for safe in ["/", "/a?b=c", "//x/../y?%C3%A4=1", "/a%zz", "/?a&b="] {
            assert!(Target::of(safe).path_is_safe, "{safe}");
        }
        for risky in
            ["", "*", "http://x/y", "/a?q=100%25", "/a?q=%", "/a#b?c", "/?constructor=1", "/?__proto__", "/?a=%2541"]
        {
            assert!(!Target::of(risky).path_is_safe, "{risky}");
        }
    }
}
