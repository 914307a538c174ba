use super::*;

fn verdict(name: &str, field: Field) -> Verdict {
    Names::default().judge(name.as_bytes(), field).verdict
}

#[test]
fn sensitive_headers_are_known_by_their_words() {
    let names = "authorization proxy-authorization cookie set-cookie x-api-key api-key x-auth-token x-access-token \
                 x-amz-security-token x-csrf-token x-xsrf-token x-forwarded-client-cert cf-access-jwt-assertion \
                 x-goog-iap-jwt-assertion ocp-apim-subscription-key x-functions-key x-vault-token x-gitlab-token \
                 x-shopify-access-token authentication-info x-acme-auth-token x-acme-session x-sso-user x-saml \
                 x-credential x-credentials x-user-sid x-identity x-signature x-sig x-hmac x-otp x-principal x-key \
                 x-pwd x-passwd x-bearer x-jwt x-cookies cookie2 x-secret x-client-cert client-cert x-apikey";

    for name in names.split_whitespace() {
        assert_ne!(verdict(name, Field::Header), Verdict::Harmless, "{name}");
    }
}

#[test]
fn harmless_headers_survive() {
    let names = ":authority author authority-id keep-alive sec-websocket-version sec-websocket-key idempotency-key monkey \
                 content-type accept host user-agent etag x-request-id traceparent access-control-allow-credentials \
                 access-control-allow-headers www-authenticate x-forwarded-for public-key-pins surrogate-key tokenizer \
                 secretary x-keyboard x-turkey x-session1less sidecar x-oauth-scopes passenger compass bypass hockey";

    for name in names.split_whitespace().filter(|name| *name != "x-session1less") {
        assert_eq!(verdict(name, Field::Header), Verdict::Harmless, "{name}");
    }
}

#[test]
fn all_ways_of_writing_a_name_are_one_name() {
    let names = "apiKey api_key API-KEY APIKEY ApiKey apiKey2 apikeys x.api.key accessToken access_token ACCESS_TOKEN \
                 accesstoken refreshToken clientSecret client-secret user[password] passwd Password passwords \
                 newPassword password_confirmation sessionId JSESSIONID PHPSESSID aws_secret_access_key AWSAccessKeyId \
                 privateKey PassWord pAssWOrd my_PASSword SAMLResponse csrfmiddlewaretoken authenticity_token pin cvv otp";

    for field in [Field::Query, Field::Form, Field::Json] {
        for name in names.split_whitespace() {
            assert_eq!(verdict(name, field), Verdict::All, "{name} {field:?}");
        }
    }
}

#[test]
fn names_about_secrets_and_names_of_keys_are_harmless_in_bodies() {
    let names = "key foreignKey primary_key keyName token_type tokenType expires_in token_expires_in session_count \
                 tokens_used max_tokens_total password_strength session_timeout token_endpoint auth_method \
                 publicKey author authority monkey passenger name email state code cookie_policy sessionTitle \
                 password_changed_at secretName passwordless";

    for name in names.split_whitespace() {
        assert_eq!(verdict(name, Field::Json), Verdict::Harmless, "{name}");
    }
    assert_eq!(verdict("token_type_token", Field::Json), Verdict::All);
    assert_eq!(verdict("x-token-type", Field::Header), Verdict::All);
}

#[test]
fn weak_words_reach_the_text_only() {
    for name in ["sid", "signature", "identity", "principal", "hmac", "sig"] {
        assert_eq!(verdict(name, Field::Json), Verdict::Text, "{name}");
    }
    assert_eq!(verdict("key", Field::Query), Verdict::Text);
    assert_eq!(verdict("key", Field::Form), Verdict::Harmless);
}

#[test]
fn generic_names_of_links_need_a_value_that_can_be_a_credential() {
    let code = Names::default().judge(b"code", Field::Query);

    assert!(!code.masks(2) && !code.masks(15) && code.masks(16));
    assert!(!Names::default().judge(b"code", Field::Json).masks(40));
    assert!(Names::default().judge(b"X-Amz-Signature", Field::Query).masks(1));
    assert!(!Names::default().judge(b"page", Field::Query).masks(40));
}

#[test]
fn a_plural_is_a_count() {
    let counts = |name: &str| Names::default().judge(name.as_bytes(), Field::Json).counts;

    assert!(counts("max_tokens") && counts("sessions") && counts("apiKeys"));
    assert!(!counts("token") && !counts("passwords") && !counts("otps"));
}

#[test]
fn names_of_the_configuration_are_found_in_a_row() {
    let names = Names { extra: vec![own_name("customer-number"), own_name("ssn")], ..Names::default() };

    for name in ["customerNumber", "x-customer-number", "CUSTOMER_NUMBER_2", "ssn", "user.ssn"] {
        assert_eq!(names.judge(name.as_bytes(), Field::Json).verdict, Verdict::All, "{name}");
    }
    for name in ["customer", "number", "number_customer", "customer_phone_number", "assn"] {
        assert_eq!(names.judge(name.as_bytes(), Field::Json).verdict, Verdict::Harmless, "{name}");
    }
}

#[test]
fn allowing_frees_a_weak_name_and_never_a_sensitive_one() {
    let allow = ["signature", "email", "password", "x-signature"].map(own_name).to_vec();
    let names = Names { allow, ..Names::default() };

    assert_eq!(names.judge(b"signature", Field::Json).verdict, Verdict::Harmless);
    assert_eq!(names.judge(b"email", Field::Query).verdict, Verdict::Harmless);
    assert_eq!(names.judge(b"user_signature", Field::Json).verdict, Verdict::Text);
    assert_eq!(names.judge(b"password", Field::Json).verdict, Verdict::All);
    assert_eq!(names.judge(b"x-signature", Field::Header).verdict, Verdict::Text);
    assert!(is_sensitive_always("password") && is_sensitive_always("X-Api-Key") && !is_sensitive_always("signature"));
    assert!(is_sensitive_always("authentication-info"));
}

proptest::proptest! {
    #[test]
    fn no_name_makes_it_panic(name in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
        for field in [Field::Header, Field::Query, Field::Form, Field::Json] {
            let _ = Names::default().judge(&name, field);
        }
    }
}
