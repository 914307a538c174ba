//! Which exchanges `tail` shows: by method, status and path.

use std::{ops::RangeInclusive, str::FromStr};

use tributary_http_types::{HttpExchange, HttpRequest, Method};

use crate::glob::Glob;

/// What an exchange must be to be shown: one of the methods, one of the statuses and one of the paths. An empty list
/// admits everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) methods: Vec<Method>,
    pub(crate) statuses: Vec<Statuses>,
    pub(crate) paths: Vec<PathPattern>,
}

impl Filter {
    /// Whether it admits everything, so that nobody has to look.
    pub(crate) fn is_empty(&self) -> bool {
        self.methods.is_empty() && self.statuses.is_empty() && self.paths.is_empty()
    }

    /// Whether the exchange is shown.
    pub(crate) fn admits(&self, exchange: &HttpExchange) -> bool {
        let status = exchange.response.as_ref().map(|response| response.status_code);
        let admitted_path = || {
            let pathname = pathname_of(&exchange.request);
            self.paths.iter().any(|pattern| pattern.matches(pathname))
        };
        (self.methods.is_empty() || self.methods.contains(&exchange.request.method))
            && (self.statuses.is_empty() || self.statuses.iter().any(|statuses| statuses.contain(status)))
            && (self.paths.is_empty() || admitted_path())
    }
}

/// The path without its query; empty if the line has none.
fn pathname_of(request: &HttpRequest) -> &str {
    let of_path = || request.path.as_deref().and_then(|path| path.split(['?', '#']).next());
    request.pathname.as_deref().or_else(of_path).unwrap_or_default()
}

/// Reads a method, in whatever case.
pub(crate) fn method(name: &str) -> Result<Method, String> {
    Method::from_wire(name.trim().to_ascii_uppercase().as_bytes()).ok_or_else(|| {
        let known: Vec<_> = Method::ALL.iter().map(|method| method.as_str()).collect();
        format!("it must be one of {}", known.join(", "))
    })
}

/// Some statuses: `200`, `4xx`, `500-599`, or `none` for an exchange without a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statuses {
    /// From 100 to 999.
    Codes(RangeInclusive<u16>),
    /// No response at all.
    None,
}

impl Statuses {
    fn contain(&self, status: Option<u16>) -> bool {
        match (self, status) {
            (Statuses::Codes(codes), Some(status)) => codes.contains(&status),
            (Statuses::None, None) => true,
            _ => false,
        }
    }
}

impl FromStr for Statuses {
    type Err = String;

    fn from_str(text: &str) -> Result<Statuses, String> {
        let text = text.trim().to_ascii_lowercase();
        let code = |text: &str| text.parse().ok().filter(|code| (100..=999).contains(code));
        let codes = match (text.strip_suffix("xx"), text.split_once('-')) {
            _ if text == "none" => return Ok(Statuses::None),
            (Some(class), _) => class.parse().ok().filter(|class| (1..=9).contains(class)).map(|class: u16| {
                let first = class * 100;
                first..=first + 99
            }),
            (_, Some((first, last))) => code(first).zip(code(last)).map(|(first, last)| first..=last),
            _ => code(&text).map(|code| code..=code),
        };
        codes
            .filter(|codes| !codes.is_empty())
            .map(Statuses::Codes)
            .ok_or_else(|| "it must be a status (200), a class (4xx), a range (500-599), or none".to_owned())
    }
}

/// A pattern for paths, without the query.
///
/// Without a star it means this path and all below it: `/users` is `/users`, `/users/1` and `/users/1/posts`, not
/// `/users2`. With stars it means the whole path: `*` stands for any part of one segment, `**` for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathPattern {
    /// This path and all below it; without a slash at its end.
    Below(String),
    /// What the stars make of it.
    Glob(Glob),
}

impl FromStr for PathPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<PathPattern, String> {
        if !text.starts_with(['/', '*']) {
            return Err("it must begin with / or *, like /users or /users/*/posts".to_owned());
        }
        if text.contains('?') {
            return Err("it is compared with the path without its query, so it cannot hold a ?".to_owned());
        }
        if !text.contains('*') {
            return Ok(PathPattern::Below(text.trim_end_matches('/').to_owned()));
        }
        Ok(PathPattern::Glob(Glob::of_path(text)))
    }
}

impl PathPattern {
    /// Takes time in proportion to pattern and path at most, for the paths come from the traffic.
    fn matches(&self, pathname: &str) -> bool {
        match self {
            PathPattern::Below(path) => {
                pathname.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            PathPattern::Glob(glob) => glob.matches(pathname),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> PathPattern {
        text.parse().unwrap()
    }

    fn exchange(line: &str) -> HttpExchange {
        HttpExchange::from_line(line.as_bytes()).unwrap()
    }

    fn assert_matches(text: &str, fitting: &[&str], others: &[&str]) {
        for path in fitting {
            assert!(pattern(text).matches(path), "{text} should match {path}");
        }
        for path in others {
            assert!(!pattern(text).matches(path), "{text} should not match {path}");
        }
    }

    #[test]
    fn path_means_itself_and_all_below() {
        assert_matches("/users", &["/users", "/users/", "/users/1"], &["/users2", "/user", "/a/users", ""]);
        assert_matches("/users/", &["/users", "/users/1"], &["/users2"]);
        assert_matches("/", &["/", "/users", ""], &["example.com:443"]);
    }

    #[test]
    fn star_stands_for_a_part_of_one_segment() {
        assert_matches("/users/*", &["/users/1", "/users/"], &["/users", "/users/1/posts"]);
        assert_matches("/users/*/posts", &["/users/1/posts"], &["/users/posts", "/users/1/2/posts"]);
        assert_matches("/*.json", &["/a.json", "/.json", "/a.json.json"], &["/a/b.json", "/a.jso"]);
    }

    #[test]
    fn two_stars_stand_for_anything() {
        assert_matches("/users/**", &["/users/1", "/users/1/posts"], &["/users"]);
        assert_matches("**/posts", &["/posts", "/users/1/posts"], &["/posts/1"]);
        assert_matches("***", &["", "/", "/käse/日本"], &[]);
    }

    #[test]
    fn hostile_path_is_matched_in_linear_time() {
        let path = "/a".repeat(30_000);

        assert!(!pattern("/**a**a**a**a**a**b").matches(&path));
    }

    #[test]
    fn pattern_that_can_match_nothing_is_refused() {
        assert!("users".parse::<PathPattern>().is_err());
        assert!("/users?page=1".parse::<PathPattern>().is_err());
    }

    #[test]
    fn statuses_are_codes_classes_ranges_or_none() {
        let read = |text: &str| text.parse::<Statuses>();

        assert_eq!(read("200"), Ok(Statuses::Codes(200..=200)));
        assert_eq!(read("4XX"), Ok(Statuses::Codes(400..=499)));
        assert_eq!(read("500-599"), Ok(Statuses::Codes(500..=599)));
        assert_eq!(read("none"), Ok(Statuses::None));
        for bad in ["", "99", "1000", "0xx", "10xx", "xx", "599-500", "200-", "-200", "ok", "200-300-400"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn method_is_read_in_whatever_case() {
        assert_eq!(method("get"), Ok(Method::Get));
        assert_eq!(method("Patch"), Ok(Method::Patch));
        assert!(method("PROPFIND").unwrap_err().contains("get, put, post"));
    }

    #[test]
    fn exchange_must_fit_one_of_each_kind() {
        let created = exchange(r#"{"request":{"method":"post","path":"/users?a=b"},"response":{"statusCode":201}}"#);
        let aborted = exchange(r#"{"request":{"method":"get","pathname":"/users/1"}}"#);
        let filter = |methods: &[Method], statuses: &[&str], paths: &[&str]| Filter {
            methods: methods.to_vec(),
            statuses: statuses.iter().map(|text| text.parse().unwrap()).collect(),
            paths: paths.iter().map(|text| pattern(text)).collect(),
        };
        let verdicts = |filter: Filter| [filter.admits(&created), filter.admits(&aborted)];

        assert_eq!(verdicts(Filter::default()), [true, true]);
        assert_eq!(verdicts(filter(&[Method::Post, Method::Put], &[], &[])), [true, false]);
        assert_eq!(verdicts(filter(&[], &["none", "5xx"], &[])), [false, true]);
        assert_eq!(verdicts(filter(&[], &["2xx"], &["/users"])), [true, false]);
        assert_eq!(verdicts(filter(&[], &[], &["/users/*"])), [false, true]);
        assert_eq!(verdicts(filter(&[Method::Get], &["2xx"], &[])), [false, false]);
    }
}
