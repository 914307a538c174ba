//! Words of names: taken apart, joined, and brought from plural to singular.

/// The words of a name in lower case: `orderItems`, `order-items` and `order_items` are `order`, `items`.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    let mut characters = name.chars().peekable();
    while let Some(c) = characters.next() {
        let follows_lower = before.is_lowercase() || before.is_ascii_digit();
        let ends_acronym = before.is_uppercase() && characters.peek().is_some_and(|next| next.is_lowercase());
        if !c.is_alphanumeric() {
            before = ' ';
            continue;
        }
        if before == ' ' || c.is_uppercase() && (follows_lower || ends_acronym) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words
}

/// `order`, `items` → `OrderItems`.
pub(crate) fn pascal(words: &[String]) -> String {
    words.iter().map(|word| capitalised(word)).collect()
}

/// `order`, `items` → `orderItems`.
pub(crate) fn camel(words: &[String]) -> String {
    let pascal = pascal(words);
    let mut characters = pascal.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

/// With a large first letter.
pub(crate) fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// The words, the last one in the singular.
pub(crate) fn singular_words(name: &str) -> Vec<String> {
    let mut words = words(name);
    if let Some(last) = words.last_mut() {
        *last = singular(last);
    }
    words
}

/// Whether the last word of a name is a plural.
pub(crate) fn is_plural(name: &str) -> bool {
    words(name).last().is_some_and(|last| singular(last) != *last)
}

/// Endings, the longest first, and what stands in their place.
const ENDINGS: [(&str, &str); 18] = [
    ("ouses", "ouse"),
    ("auses", "ause"),
    ("statuses", "status"),
    ("movies", "movie"),
    ("cookies", "cookie"),
    ("iases", "ias"),
    ("caches", "cache"),
    ("ases", "ase"),
    ("yses", "ysis"),
    ("uses", "us"),
    ("sses", "ss"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("xes", "x"),
    ("zzes", "zz"),
    ("elves", "elf"),
    ("ies", "y"),
    ("oes", "o"),
];

const IRREGULAR: [(&str, &str); 6] = [
    ("people", "person"),
    ("children", "child"),
    ("men", "man"),
    ("women", "woman"),
    ("indices", "index"),
    ("vertices", "vertex"),
];

/// Their own plural, or no plural though they end in `s`.
const UNCHANGED: [&str; 13] = [
    "news",
    "series",
    "species",
    "sms",
    "dns",
    "https",
    "aws",
    "gps",
    "always",
    "analytics",
    "chaos",
    "kudos",
    "cosmos",
];

/// The singular of an English word in lower case; what is no plural stays.
pub(crate) fn singular(word: &str) -> String {
    if let Some((_, singular)) = IRREGULAR.iter().find(|(plural, _)| *plural == word) {
        return (*singular).to_owned();
    }
    let no_plural = ["ss", "us", "is"].iter().any(|ending| word.ends_with(ending));
    if word.len() < 4 || UNCHANGED.contains(&word) || !word.ends_with('s') || no_plural {
        return word.to_owned();
    }
    for (plural, singular) in ENDINGS {
        if let Some(stem) = word.strip_suffix(plural) {
            return format!("{stem}{singular}");
        }
    }
    word.strip_suffix('s').unwrap_or(word).to_owned()
}

/// `a` or `an`.
pub(crate) fn article(word: &str) -> &'static str {
    let vowel = word.starts_with(['a', 'e', 'i', 'o']) || word.starts_with('u') && !word.starts_with("us");
    if vowel { "an" } else { "a" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_at_case_and_marks() {
        for name in ["orderItems", "order-items", "order_items", "OrderItems", "order.items"] {
            assert_eq!(words(name), ["order", "items"], "{name}");
        }
        assert_eq!(words("XMLParser2Go"), ["xml", "parser2", "go"]);
        assert_eq!(words("-/-"), Vec::<String>::new());
    }

    #[test]
    fn plurals_become_singular_and_others_stay() {
        let cases = [
            ("users", "user"),
            ("categories", "category"),
            ("addresses", "address"),
            ("statuses", "status"),
            ("warehouses", "warehouse"),
            ("boxes", "box"),
            ("databases", "database"),
            ("analyses", "analysis"),
            ("invoices", "invoice"),
            ("people", "person"),
            ("status", "status"),
            ("class", "class"),
            ("news", "news"),
            ("me", "me"),
            ("archives", "archive"),
            ("videos", "video"),
            ("repos", "repo"),
            ("caches", "cache"),
            ("aliases", "alias"),
        ];

        for (plural, expected) in cases {
            assert_eq!(singular(plural), expected, "{plural}");
        }
    }

    #[test]
    fn words_are_joined() {
        assert_eq!(pascal(&words("order-items")), "OrderItems");
        assert_eq!(camel(&words("X-Api-Key")), "xApiKey");
        assert_eq!(camel(&[]), "");
    }
}
