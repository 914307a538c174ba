//! The host that a request asks for, in `request.host` and in the headers that name one.

use std::ops::Range;

use crate::{
    known,
    masker::{End, Masked, Masker, Style},
    redactor::Redactor,
};

/// Headers whose value is a host, or a list of them.
pub(crate) const HOLDERS: [&[u8]; 6] =
    [b"host", b":authority", b"x-forwarded-host", b"x-forwarded-server", b"x-original-host", b"x-host"];

/// The host of a request with what is secret masked; `None`: nothing is. No setting hides it as a whole.
pub(crate) fn masked(rules: &Redactor, host: &[u8]) -> Option<Masked> {
    known::beside_headers(rules, b"host", host, || {
        let mut masker = Masker::new(rules, host, Style::Words);
        masker.host();
        masker.finish()
    })
}

impl Masker<'_, '_> {
    /// The whole source as a host: the user goes, and what is secret by its form.
    ///
    /// A browser never sends a user here, but proxies let it pass, and some programs write the head from a whole URL.
    pub(crate) fn host(&mut self) {
        let user = self.source.iter().rposition(|byte| *byte == b'@');
        if let Some(user) = user {
            self.mask_in_url(0..user, self.at(&(0..user)));
        }
        let host = user.map_or(0, |user| user.saturating_add(1));
        self.is_path = true;
        self.scan(self.without_port(host), End::Whole);
        self.is_path = false;
    }

    /// From `start` on without the port: `auth:8080` is a service, and no secret under a name.
    fn without_port(&self, start: usize) -> Range<usize> {
        let stop = self.source.len();
        let host = self.at(&(start..stop));
        let digits = host.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let colon = host.len().checked_sub(digits.saturating_add(1)).filter(|colon| host.get(*colon) == Some(&b':'));
        start..colon.map_or(stop, |colon| start.saturating_add(colon))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Masked, and as a header too.
    fn masked_text(host: &str) -> String {
        let rules = Redactor::default();
        let once = masked(&rules, host.as_bytes()).map_or(host.into(), |masked| masked.bytes);
        assert_eq!(masked(&rules, &once), None, "{host}");
        for name in HOLDERS {
            let header = rules.header(name, host.as_bytes()).unwrap_or(host.into());
            assert_eq!(String::from_utf8_lossy(&header), String::from_utf8_lossy(&once), "{host}");
        }
        String::from_utf8(once).unwrap()
    }

    #[test]
    fn the_user_goes_and_the_host_stays() {
        let cases = [
            ("kimmo:hunter2@shop.example", "%5Bredacted%5D@shop.example"),
            ("kimmo:hunter2@shop.example:8443", "%5Bredacted%5D@shop.example:8443"),
            ("hunter2@[::1]:80", "%5Bredacted%5D@[::1]:80"),
            ("kimmo:hunter@2@a", "%5Bredacted%5D@a"),
            ("kimmo:hun%40ter2@a", "%5Bredacted%5D@a"),
            ("hunter2@", "%5Bredacted%5D@"),
            ("@a", "@a"),
            ("a, kimmo:hunter2@b", "%5Bredacted%5D@b"),
        ];

        for (given, expected) in cases {
            assert_eq!(masked_text(given), expected);
        }
    }

    #[test]
    fn a_secret_of_known_form_goes_and_what_says_its_name() {
        let cases = [
            ("ghp_abcdefghijklmnopqrstuvwxyz0123.shop.example:80", "%5Bredacted%5D.shop.example:80"),
            ("token=hunter2", "token=%5Bredacted%5D"),
            ("password:hunter2", "password:%5Bredacted%5D"),
        ];

        for (given, expected) in cases {
            assert_eq!(masked_text(given), expected);
        }
    }

    #[test]
    fn hosts_that_only_look_like_secrets_stay() {
        for host in [
            "",
            "a",
            ":80",
            "shop.example",
            "auth:8080",
            "token.session.svc.cluster.local:80",
            "password:1",
            "127.0.0.1:3000",
            "[2001:db8::7]:443",
            "d111111abcdef8.cloudfront.net",
            "a4b9c6d1e2f3a4b9c6d1e2f3a4b9c6d1-1234567890.eu-north-1.elb.amazonaws.com",
            "xn--vinmpri-5wa.example",
            "caf\u{e9}.example",
        ] {
            assert_eq!(masked_text(host), host);
        }
    }

    #[test]
    fn strict_mode_hides_headers_and_not_the_host() {
        let settings = serde_json::from_str(r#"{"only_headers":["accept"]}"#).unwrap();
        let rules = Redactor::new(settings, None).unwrap();

        assert_eq!(masked(&rules, b"shop.example"), None);
        assert_eq!(rules.header(b"host", b"shop.example"), Some(b"[redacted]".to_vec()));
    }
}
