use super::*;

fn is_found(text: &str) -> bool {
    find(text.as_bytes(), 0, End::Whole).is_some()
}

#[test]
fn secrets_of_known_form_are_found() {
    let x = |len: usize| "aB3".repeat(len).chars().take(len).collect::<String>();
    let texts = [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl".to_owned(),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.".to_owned(),
        "eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn".to_owned(),
        "Bearer abc123".to_owned(),
        "bearer   AbCdEfGhIjKlMnOpQrStUv".to_owned(),
        "Basic a2ltbW86cHc=".to_owned(),
        "basic YTpi".to_owned(),
        "AKIAIOSFODNN7EXAMPLE".to_owned(),
        "ASIAIOSFODNN7EXAMPLE".to_owned(),
        format!("AIza{}", x(35)),
        format!("ghp_{}", x(36)),
        format!("github_pat_{}", x(40)),
        format!("glpat-{}", x(20)),
        "xoxb-123456789012-abcdef".to_owned(),
        format!("sk_live_{}", x(24)),
        format!("rk_test_{}", x(24)),
        format!("npm_{}", x(36)),
        format!("SG.{}", x(30)),
        format!("sk-{}", x(40)),
        "hooks.slack.com/services/T0/B0/abcdefgh".to_owned(),
    ];

    for text in texts {
        assert!(is_found(&text), "{text}");
        assert!(is_found(&format!("{text} and more")), "{text}");
    }
}

#[test]
fn what_only_begins_like_a_secret_is_none() {
    let texts = [
        "eyJ",
        "eyJabc.d",
        "eyJustAWord",
        "eyJhbGciOiJIUzI1NiJ9 alone",
        "Bearer of news",
        "Bearer",
        "bearer authentication",
        "Bearer realm=\"x\"",
        "Basic authentication",
        "Basic 123",
        "AKIA",
        "AKIAIOSFODNN7EXAMPLEX",
        "akiaiosfodnn7example",
        "ghp_short",
        "sk_live",
        "xoxo",
        "xoxo-hugs",
        "sk-circle",
        "npm_config_registry",
        "SG.1",
        "AIza",
        "base64",
        "description",
        "hello",
        "experience",
    ];

    for text in texts {
        assert!(!is_found(text), "{text}");
    }
}

#[test]
fn card_numbers_have_a_brand_a_length_and_a_check_digit() {
    let cards = [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "6011111111111117",
        "3530111333300000",
        "30569309025904",
        "6200000000000005",
    ];
    for card in cards {
        assert!(is_found(card), "{card}");
    }
    let others = [
        "4111111111111112",
        "411111111111111",
        "41111111111111111",
        "1234567890123452",
        "4111 11111111 1111",
        "4111 1111-1111 1111",
        "4111111111111111a",
        "4111111111111111_",
        "4111111111111111.5",
        "1582886368833",
        "0000000000000000",
    ];
    for other in others {
        assert!(!is_found(other), "{other}");
    }
    assert!(find(b"+4111111111111111", 1, End::Whole).is_none());
    assert!(find(b"0.4111111111111111", 2, End::Whole).is_none());
    assert!(find(b"4111111111111111.", 0, End::Whole).is_some());
}

#[test]
fn at_the_end_of_a_cut_text_the_beginning_is_enough() {
    for text in [
        "eyJ",
        "eyJhbGci",
        "eyJhbGciOiJIUzI1NiJ9.e",
        "Bearer a",
        "Basic a",
        "AKIAI",
        "ghp_a",
        "4111111",
        "4111 1111 11",
    ] {
        assert!(find(text.as_bytes(), 0, End::Cut).is_some(), "{text}");
    }
    for text in ["ghp_", "Bearer ", "411111", "1234567", "hello", "AKIAI and"] {
        assert!(find(text.as_bytes(), 0, End::Cut).is_none(), "{text}");
    }
}

#[test]
fn a_pem_block_goes_to_its_end_or_to_that_of_the_text() {
    let block = b"-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----";
    let text = [&block[..], b"\nrest"].concat();

    assert_eq!(pem_block(&text, 0), Some(0..block.len()));
    assert_eq!(pem_block(b"-----BEGIN KEY-----\nabc", 0), Some(0..23));
    assert_eq!(pem_block(b"-----END KEY-----", 0), None);
}

#[test]
fn base64_is_decoded_where_it_is_text() {
    assert_eq!(decoded(b"eyJhIjoxLCJiIjoyfQ=="), Some(b"{\"a\":1,\"b\":2}".to_vec()));
    assert_eq!(decoded(b"eyJhIjoxLCJiIjoyfQ"), Some(b"{\"a\":1,\"b\":2}".to_vec()));
    assert_eq!(decoded(b"9f86d081884c7d659a2feaa0c55ad015"), None);
    assert_eq!(decoded(b"!!!!"), None);
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(text in proptest::collection::vec(proptest::num::u8::ANY, 0..64), at in 0usize..70) {
        for end in [End::Whole, End::Cut] {
            let _ = (find(&text, at, end), pem_block(&text, at), decoded(&text));
        }
    }
}
