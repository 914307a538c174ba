//! Which path of the document a request belongs to.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

/// The paths of a document, ready to be asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Routes {
    /// By number of segments; in each list what is more literal stands first, so that the first that fits is the one.
    by_length: HashMap<usize, Vec<Route>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Route {
    segments: Vec<Segment>,
    template: String,
}

/// One segment of a template. In this order: a literal goes before a parameter (OAS 3.1.0 §4.8.8.2), and the longer the
/// literal parts around a parameter are, the better.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    /// `{name}.{ending}`: literals, in between at least one character each. `rank` is smaller with more literal text.
    Mixed {
        rank: usize,
        parts: Vec<String>,
        names: Vec<String>,
    },
    Whole(String),
}

/// A path of the document, and what a request has in the place of its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Routed<'r> {
    pub(super) template: &'r str,
    /// Name and value, decoded.
    pub(super) parameters: Vec<(&'r str, String)>,
}

impl Routes {
    pub(super) fn of<'t>(templates: impl Iterator<Item = &'t str>) -> Routes {
        let mut by_length = HashMap::<usize, Vec<Route>>::new();
        for template in templates {
            let segments = template.split('/').map(Segment::of).collect::<Vec<_>>();
            by_length.entry(segments.len()).or_default().push(Route { segments, template: template.to_owned() });
        }
        by_length.values_mut().for_each(|routes| routes.sort());
        Routes { by_length }
    }

    /// The path that a pathname belongs to; it begins with `/` and is not decoded.
    pub(super) fn route(&self, pathname: &str) -> Option<Routed<'_>> {
        let segments = pathname.split('/').map(|segment| percent_decode_str(segment).decode_utf8_lossy());
        let segments = segments.collect::<Vec<_>>();
        self.by_length.get(&segments.len())?.iter().find_map(|route| {
            let mut parameters = Vec::new();
            let fits = route.segments.iter().zip(&segments).all(|(own, other)| own.fits(other, &mut parameters));
            fits.then_some(Routed { template: &route.template, parameters })
        })
    }
}

impl Segment {
    fn of(segment: &str) -> Segment {
        let (mut parts, mut names, mut rest) = (Vec::new(), Vec::new(), segment);
        while let Some((before, inside)) = rest.split_once('{') {
            let Some((name, after)) = inside.split_once('}') else { break };
            parts.push(before.to_owned());
            names.push(name.to_owned());
            rest = after;
        }
        parts.push(rest.to_owned());
        match (names.pop(), parts.iter().all(String::is_empty)) {
            (None, _) => Segment::Literal(percent_decode_str(segment).decode_utf8_lossy().into_owned()),
            (Some(name), true) if names.is_empty() => Segment::Whole(name),
            (Some(name), _) => {
                names.push(name);
                let rank = usize::MAX - parts.iter().map(String::len).sum::<usize>();
                Segment::Mixed { rank, parts, names }
            }
        }
    }

    fn fits<'r>(&'r self, other: &str, parameters: &mut Vec<(&'r str, String)>) -> bool {
        match self {
            Segment::Literal(text) => text == other,
            Segment::Whole(name) => {
                parameters.push((name, other.to_owned()));
                !other.is_empty()
            }
            Segment::Mixed { parts, names, .. } => {
                let Some(values) = between(parts, other) else { return false };
                parameters.extend(names.iter().map(String::as_str).zip(values));
                true
            }
        }
    }
}

/// What stands between the literal parts; each as short as can be, the last one takes the rest.
fn between(parts: &[String], text: &str) -> Option<Vec<String>> {
    let (first, rest) = parts.split_first()?;
    let (last, middle) = rest.split_last()?;
    let mut text = text.strip_prefix(first.as_str())?.strip_suffix(last.as_str())?;
    let mut values = Vec::new();
    for part in middle {
        // At least one character each.
        let from = text.char_indices().nth(1)?.0;
        let at = text.get(from..)?.find(part.as_str())? + from;
        values.push(text.get(..at)?.to_owned());
        text = text.get(at + part.len()..)?;
    }
    values.push(text.to_owned());
    (!text.is_empty()).then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(templates: &[&str], path: &str) -> Option<(String, Vec<String>)> {
        let routes = Routes::of(templates.iter().copied());
        let routed = routes.route(path)?;
        let values = routed.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Some((routed.template.to_owned(), values))
    }

    #[test]
    fn literals_go_before_parameters_wherever_they_stand_in_the_document() {
        let templates = ["/users/{id}", "/users/me", "/{kind}/me", "/files/{name}", "/files/{name}.{ending}"];
        let cases = [
            ("/users/me", "/users/me", &[][..]),
            ("/users/7", "/users/{id}", &["id=7"]),
            ("/shops/me", "/{kind}/me", &["kind=shops"]),
            ("/files/a.tar.gz", "/files/{name}.{ending}", &["name=a", "ending=tar.gz"]),
            ("/files/a", "/files/{name}", &["name=a"]),
            ("/files/.a", "/files/{name}", &["name=.a"]),
            ("/users/a%2Fb%20c", "/users/{id}", &["id=a/b c"]),
        ];

        for (path, template, values) in cases {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            assert_eq!(routed(&templates, path), Some((template.to_owned(), values)), "{path}");
        }
        for path in ["/users", "/users/", "/users/7/x", "/"] {
            assert_eq!(routed(&templates, path), None, "{path}");
        }
    }

    #[test]
    fn literals_are_compared_decoded() {
        assert!(routed(&["/caf\u{e9}/a%20b"], "/caf%C3%A9/a%20b").is_some());
    }
}
