use super::*;
use crate::canary::forms;

fn forms_of(secret: &Secret, bytes: impl AsRef<[u8]>) -> Vec<String> {
    let others: Vec<Secret> = (0..50).map(|number| Secret::word(format!("other {number}"))).collect();
    let searcher = Searcher::new(others.iter().chain([secret]));
    searcher
        .find(bytes.as_ref())
        .into_iter()
        .inspect(|found| assert_eq!(found.label, secret.label()))
        .map(|found| found.form)
        .collect()
}

fn word() -> Secret {
    Secret::word("the secret")
}

#[test]
fn nothing_is_found_in_harmless_bytes() {
    let harmless = "GET /users?page=2 HTTP/1.1\r\nx-id: 5f0c4a9e1d3b4c6f8a7e9d0b1c2a3f4e\r\n".repeat(50);

    assert!(forms_of(&word(), harmless).is_empty());
    assert!(forms_of(&word(), b"").is_empty());
    assert!(forms_of(&Secret::word("of nobody"), word().whole().get(..PIECE - 1).unwrap()).is_empty());
}

#[test]
fn a_piece_of_ten_characters_is_enough_at_any_place_and_in_any_case() {
    let secret = word();

    for start in [0, 1, 13, 38] {
        let piece = secret.whole().get(start..start + PIECE).unwrap();
        assert_eq!(forms_of(&secret, format!("a{piece}b")), ["raw"]);
        assert_eq!(forms_of(&secret, piece.to_uppercase()), ["raw"]);
    }
    assert!(forms_of(&secret, secret.first(PIECE - 1)).is_empty());
}

#[test]
fn encoded_texts_are_found_at_each_alignment() {
    let secret = word();

    for before in ["", "a", "ab", "abc", "abcd"] {
        let text = format!("{before}{}", secret.first(24));
        assert_eq!(forms_of(&secret, forms::base64(&text)), ["base64"], "{before}");
        assert_eq!(forms_of(&secret, format!("x=1&{before}{}.", forms::base64url(&text))), ["base64"], "{before}");
        assert_eq!(forms_of(&secret, format!("{before}{}", forms::hex(&text))), ["hex"], "{before}");
    }
}

#[test]
fn escaped_texts_are_found() {
    let secret = word();
    let text = secret.first(24);

    assert_eq!(forms_of(&secret, forms::percent(text)), ["percent"]);
    assert_eq!(forms_of(&secret, forms::half_percent(text)), ["percent"]);
    assert_eq!(forms_of(&secret, forms::percent(&forms::percent(text))), ["percent > percent"]);
    assert_eq!(forms_of(&secret, forms::json_escaped(text)), ["json"]);
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(forms_of(&secret, &wide), ["wide"]);
    assert_eq!(forms_of(&secret, forms::base64(&wide)), ["base64 > wide"]);
}

#[test]
fn packed_texts_are_found_alone_and_inside_a_line() {
    let secret = word();
    let text = format!("{{\"password\":\"{}\",\"note\":\"nothing else of interest is in here\"}}", secret.first(24));
    let packed = [
        forms::gzip(text.as_bytes()).unwrap(),
        forms::deflate(text.as_bytes()).unwrap(),
        forms::zstd(text.as_bytes()).unwrap(),
        forms::brotli(text.as_bytes()),
    ];

    for packed in packed {
        assert_eq!(forms_of(&secret, &packed).len(), 1, "{packed:x?}");
        let line = format!("{{\"meta\":{{\"requestBody\":{{\"base64\":\"{}\"}}}}}}", forms::base64(&packed));
        assert_eq!(forms_of(&secret, line).len(), 1, "{packed:x?}");
    }
    let cut = forms::gzip(
        "a cut body, ".repeat(9).as_bytes().iter().chain(text.as_bytes()).copied().collect::<Vec<u8>>().as_slice(),
    );
    let cut = cut.unwrap();
    assert_eq!(forms_of(&secret, cut.get(..cut.len() - 12).unwrap()), ["packed"]);
}

#[test]
fn forms_inside_forms_are_undone() {
    let secret = word();
    let inner = forms::json_escaped(secret.first(24));
    let nested = forms::percent(&forms::base64(forms::gzip(inner.as_bytes()).unwrap()));

    let [form] = forms_of(&secret, nested).try_into().unwrap();
    assert!(form.starts_with("percent > base64 > ") && form.ends_with(" > json"), "{form}");
}

#[test]
fn base64_in_lines_is_one_text() {
    let secret = word();
    let text = forms::base64("x".repeat(40) + secret.first(20) + &"y".repeat(70));
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();

    assert_eq!(forms_of(&secret, lines.join("\r\n")).len(), 1);
}

#[test]
fn cards_are_found_however_their_digits_stand_apart() {
    let card = Secret::card("the card");
    let digits = card.whole();
    let groups: Vec<&str> = (0..4).map(|group| digits.get(group * 4..group * 4 + 4).unwrap()).collect();

    assert_eq!(forms_of(&card, format!("12{digits}34")), ["raw"]);
    for between in [" ", "-", ".", "+"] {
        assert_eq!(forms_of(&card, groups.join(between)), ["raw"], "{between}");
    }
    assert_eq!(forms_of(&card, forms::percent(&groups.join(" "))), ["percent"]);
    assert!(forms_of(&card, groups.join("  ")).is_empty());
    assert!(forms_of(&card, digits.get(1..).unwrap()).is_empty());
}

#[test]
fn several_secrets_are_all_found() {
    let secrets: Vec<Secret> = (0..30).map(|number| Secret::word(format!("secret {number}"))).collect();
    let text: String = secrets.iter().map(|secret| format!("k={}&", forms::base64(secret.first(24)))).collect();

    let found = Searcher::new(&secrets).find(text.as_bytes());

    assert_eq!(found.len(), 30);
}
