//! What stands for a secret when a key is set: a token that is the same for the same secret, and tells nothing of it.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use thiserror::Error;

/// What each token starts with.
const PREFIX: &str = "tok_";

/// Characters behind the prefix: 4 that name the key, and 22 that are 128 bits of the HMAC.
const BODY_LEN: usize = 26;

/// The key of the tokens, 16 to 1024 bytes. It cannot be printed.
///
/// `tok_<4 characters: which key><22 characters: HMAC-SHA-256 of the secret, cut to 128 bits>`, in base64url. Under one
/// key the same secret has the same token wherever it stands, so exchanges can be joined by it; without the key nobody
/// can try guesses. After a change of the key the first four characters differ: other key, not other secret.
///
/// Source: RFC 2104 §5 (a cut HMAC keeps at least half of its bits).
#[derive(Clone)]
pub struct Key {
    state: Hmac<Sha256>,
    name: String,
}

/// The bytes cannot be a key.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a key of {len} bytes is not allowed; allowed: 16 to 1024 bytes")]
pub struct KeyError {
    /// How many bytes there were.
    pub len: usize,
}

impl Key {
    /// The key of these bytes, used as they are.
    ///
    /// # Errors
    /// [`KeyError`]: give a longer (or shorter) one, 32 random bytes for choice.
    pub fn new(bytes: &[u8]) -> Result<Key, KeyError> {
        let error = KeyError { len: bytes.len() };
        if !(16..=1024).contains(&bytes.len()) {
            return Err(error);
        }
        // An HMAC takes keys of any length.
        let state = Hmac::<Sha256>::new_from_slice(bytes).map_err(|_| error)?;
        let name = digest(&state, b"tributary key name");
        Ok(Key { state, name: name.chars().take(4).collect() })
    }

    /// The token of a secret.
    pub(crate) fn token(&self, secret: &[u8]) -> String {
        let mut token = String::with_capacity(PREFIX.len().saturating_add(BODY_LEN));
        token.push_str(PREFIX);
        token.push_str(&self.name);
        // Never the input of the name: a secret of those bytes would have a token that tells which key it is.
        token.push_str(&digest(&self.state, secret));
        token
    }
}

fn digest(state: &Hmac<Sha256>, bytes: &[u8]) -> String {
    let digest = state.clone().chain_update(bytes).finalize().into_bytes();
    URL_SAFE_NO_PAD.encode(digest.get(..16).unwrap_or_default())
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl PartialEq for Key {
    /// By what they make, not by their bytes, which are not kept.
    fn eq(&self, other: &Key) -> bool {
        digest(&self.state, b"equal") == digest(&other.state, b"equal")
    }
}

impl Eq for Key {}

/// Whether the text has the form of a token.
pub(crate) fn is_token(text: &[u8]) -> bool {
    text.strip_prefix(PREFIX.as_bytes()).is_some_and(|body| {
        body.len() == BODY_LEN && body.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_secret_has_the_same_token_under_one_key_and_another_under_another() {
        let [one, same, other] = [b'a', b'a', b'b'].map(|byte| Key::new(&[byte; 32]).unwrap());

        assert_eq!(one.token(b"hunter2"), same.token(b"hunter2"));
        assert_ne!(one.token(b"hunter2"), one.token(b"hunter3"));
        assert_ne!(one.token(b"hunter2"), other.token(b"hunter2"));
        assert!(one == same && one != other);
        assert_ne!(one.token(b"x").get(..8), other.token(b"x").get(..8));
        assert_eq!(one.token(b"x").get(..8), one.token(b"y").get(..8));
    }

    // RFC 4231, test case 2 has a short key; case 6 is the one with a key of more than a block.
    #[test]
    fn the_digest_is_hmac_sha_256() {
        let key = Key::new(&[0xaa; 131]).unwrap();

        let token = key.token(b"Test Using Larger Than Block-Size Key - Hash Key First");

        let expected = [0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f, 0x0d, 0x8a, 0x26, 0xaa, 0xcb, 0xf5, 0xb7, 0x7f];
        assert!(token.ends_with(&URL_SAFE_NO_PAD.encode(expected)), "{token}");
        assert!(is_token(token.as_bytes()), "{token}");
    }

    #[test]
    fn a_key_has_bounds_and_is_never_shown() {
        for (len, fits) in [(0, false), (15, false), (16, true), (1024, true), (1025, false)] {
            assert_eq!(Key::new(&vec![b'k'; len]).is_ok(), fits, "{len}");
        }
        assert_eq!(format!("{:?}", Key::new(&[b'k'; 16]).unwrap()), "Key(…)");
    }

    #[test]
    fn what_only_looks_like_a_token_is_none() {
        for text in
            ["tok_", "tok_1MzZabcdefghijklmnopqrst", "tok_abcdefghijklmnopqrstuvwxy!", "Tok_abcdefghijklmnopqrstuvwxyz"]
        {
            assert!(!is_token(text.as_bytes()), "{text}");
        }
    }
}
