//! Patterns with stars, for paths and for hosts.

/// A pattern that stands for a whole text; what its stars may stand for depends on what it is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob(Vec<Part>);

/// A part of a glob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// This character.
    One(char),
    /// Any characters but `/`, also none.
    InSegment,
    /// Any characters, also none.
    Anything,
}

impl Glob {
    /// A pattern of paths: `*` stands for any part of one segment, `**` for anything.
    pub(crate) fn of_path(text: &str) -> Glob {
        let mut parts = Vec::new();
        for character in text.chars() {
            match (character, parts.last()) {
                ('*', Some(Part::Anything)) => {}
                ('*', Some(Part::InSegment)) => {
                    parts.pop();
                    parts.push(Part::Anything);
                }
                ('*', _) => parts.push(Part::InSegment),
                _ => parts.push(Part::One(character)),
            }
        }
        Glob(parts)
    }

    /// A pattern of hosts: `*` stands for anything.
    pub(crate) fn of_host(text: &str) -> Glob {
        let part = |character| if character == '*' { Part::Anything } else { Part::One(character) };
        Glob(text.chars().map(part).collect())
    }

    /// Whether it stands for the text.
    ///
    /// Takes time in proportion to pattern and text at most, for the text comes from the traffic. It follows all ways
    /// through the pattern at once: `reached[n]` means that its first n parts fit the text so far.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let parts = &self.0;
        let mut reached = vec![false; parts.len() + 1];
        let mut next = reached.clone();
        if let Some(start) = reached.first_mut() {
            *start = true;
        }
        pass_empty(parts, &mut reached);
        for character in text.chars() {
            next.fill(false);
            for (place, part) in parts.iter().enumerate().filter(|(place, _)| reached.get(*place) == Some(&true)) {
                let (stays, goes_on) = match part {
                    Part::One(expected) => (false, *expected == character),
                    Part::InSegment => (character != '/', false),
                    Part::Anything => (true, false),
                };
                for (place, fits) in [(place, stays), (place + 1, goes_on)] {
                    if let Some(place) = next.get_mut(place) {
                        *place |= fits;
                    }
                }
            }
            pass_empty(parts, &mut next);
            std::mem::swap(&mut reached, &mut next);
        }
        reached.last() == Some(&true)
    }
}

/// A star may stand for nothing: where one is reached, what follows it is reached too.
fn pass_empty(parts: &[Part], reached: &mut [bool]) {
    for (place, part) in parts.iter().enumerate() {
        if !matches!(part, Part::One(_))
            && reached.get(place) == Some(&true)
            && let Some(behind) = reached.get_mut(place + 1)
        {
            *behind = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_in_a_host_stands_for_anything() {
        let matches = |pattern: &str, host: &str| Glob::of_host(pattern).matches(host);

        assert!(matches("*.example", "shop.eu.example") && matches("shop*", "shop:8080") && matches("*", ""));
        assert!(!matches("*.example", "example") && !matches("shop", "shop:8080") && !matches("shop", "shops"));
    }
}
