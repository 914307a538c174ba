//! Bearer tokens from a file.
//!
//! One token a line; empty lines and lines that begin with `#` are skipped. Several tokens are valid at the same time,
//! so that one can be replaced without a gap: add the new one, change the senders, remove the old one. The file is
//! read again when it changes, at most once a second; if it cannot be used, the known tokens stay, and `/ready` says so.
//! Kept are digests only: what is not in memory cannot be printed, and digests compare in a time that says nothing.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, header};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use thiserror::Error;

use crate::{log::Gate, stamp::Stamp};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Bytes of a token at least: shorter ones can be guessed.
const MIN_TOKEN_BYTES: usize = 16;

/// Why a token file cannot be used.
#[derive(Debug, Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("read {path}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It holds no token.
    #[error("{path} holds no token; write one a line", path = .0.display())]
    Empty(PathBuf),
    /// A token is too short, or has characters that a header cannot carry.
    #[error("{path}, line {line}: a token has 16 or more visible ASCII characters", path = path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

/// The tokens that open the door.
pub(crate) struct Tokens {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    tokens: Vec<Fingerprint>,
    stamp: Stamp,
    looked: Instant,
    failure: Option<String>,
}

/// SHA-256 of a token. A token is long and random: no dictionary leads back from here.
type Fingerprint = [u8; 32];

impl Tokens {
    /// Reads the file.
    ///
    /// # Errors
    /// All of [`TokenError`]: repair the file.
    pub(crate) fn open(path: &Path) -> Result<Tokens, TokenError> {
        let stamp = Stamp::of(path);
        let state = State { tokens: read(path)?, stamp, looked: Instant::now(), failure: None };
        Ok(Tokens { path: path.to_owned(), state: Mutex::new(state) })
    }

    /// Why the file as it is now is not in force.
    pub(crate) fn failure(&self) -> Option<String> {
        self.refreshed(Instant::now()).failure.clone()
    }

    /// Whether the request carries a valid token. Takes the same time whichever token is wrong in whichever place, and
    /// however long the right ones are.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        self.admit_at(headers, Instant::now())
    }

    fn admit_at(&self, headers: &HeaderMap, now: Instant) -> bool {
        let Some(given) = bearer(headers) else { return false };
        let given = fingerprint(given);
        let state = self.refreshed(now);
        let known = state.tokens.iter().fold(Choice::from(0), |known, token| known | token.ct_eq(&given));
        known.into()
    }

    fn refreshed(&self, now: Instant) -> MutexGuard<'_, State> {
        static UNUSABLE: Gate = Gate::new();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(state.looked) < LOOK_EVERY {
            return state;
        }
        state.looked = now;
        let stamp = Stamp::of(&self.path);
        if stamp == state.stamp {
            state.failure = None;
            return state;
        }
        match read(&self.path) {
            Ok(tokens) => {
                tracing::info!(tokens = tokens.len(), "Token file read again.");
                (state.tokens, state.stamp, state.failure) = (tokens, stamp, None);
            }
            // Looked at again in a second: it may be half written.
            Err(error) => {
                if let Some(held_back) = UNUSABLE.pass() {
                    tracing::warn!(%error, held_back, "Token file not usable, the known tokens stay.");
                }
                state.failure = Some(error.to_string());
            }
        }
        state
    }
}

fn fingerprint(token: &[u8]) -> Fingerprint {
    Sha256::digest(token).into()
}

fn read(path: &Path) -> Result<Vec<Fingerprint>, TokenError> {
    let text = fs::read(path).map_err(|source| TokenError::Io { path: path.to_owned(), source })?;
    let mut tokens = Vec::new();
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let token = line.trim_ascii();
        if token.is_empty() || token.starts_with(b"#") {
            continue;
        }
        if token.len() < MIN_TOKEN_BYTES || !token.iter().all(u8::is_ascii_graphic) {
            return Err(TokenError::Token { path: path.to_owned(), line: number + 1 });
        }
        tokens.push(fingerprint(token));
    }
    if tokens.is_empty() { Err(TokenError::Empty(path.to_owned())) } else { Ok(tokens) }
}

/// The token of `authorization: Bearer …`, if there is exactly one such header.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.as_bytes();
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const ONE: &str = "0123456789abcdef";
    const TWO: &str = "fedcba9876543210-two";

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), text).expect("written");
        file
    }

    fn with(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).expect("a legal value"));
        headers
    }

    #[test]
    fn each_token_of_the_file_is_valid() {
        let file = file(&format!("# for the filters\n{ONE}\n\n  {TWO}\r\n"));
        let tokens = Tokens::open(file.path()).expect("good tokens");

        assert!(tokens.admit(&with(&format!("Bearer {ONE}"))));
        assert!(tokens.admit(&with(&format!("bearer  {TWO}"))));
    }

    #[test]
    fn everything_else_is_not() {
        let file = file(ONE);
        let tokens = Tokens::open(file.path()).expect("good tokens");
        let mut twice = with(&format!("Bearer {ONE}"));
        twice.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer 0123456789abcdef"));

        for headers in
            [HeaderMap::new(), twice, with(ONE), with(&format!("Basic {ONE}")), with("Bearer"), with("Bearer ")]
        {
            assert!(!tokens.admit(&headers));
        }
        for wrong in ["0123456789abcdeF", "0123456789abcde", "0123456789abcdef0", "# for the filters"] {
            assert!(!tokens.admit(&with(&format!("Bearer {wrong}"))), "{wrong}");
        }
    }

    #[test]
    fn a_changed_file_is_read_again_within_a_second() {
        let file = file(ONE);
        let tokens = Tokens::open(file.path()).expect("good tokens");
        let start = Instant::now();

        fs::write(file.path(), format!("{TWO}\n")).expect("written");

        assert!(tokens.admit_at(&with(&format!("Bearer {ONE}")), start));
        assert!(!tokens.admit_at(&with(&format!("Bearer {ONE}")), start + LOOK_EVERY * 2));
        assert!(tokens.admit_at(&with(&format!("Bearer {TWO}")), start + LOOK_EVERY * 2));
    }

    #[test]
    fn a_file_that_breaks_leaves_the_known_tokens() {
        let file = file(ONE);
        let tokens = Tokens::open(file.path()).expect("good tokens");

        fs::write(file.path(), "").expect("written");

        let later = Instant::now() + LOOK_EVERY * 2;
        assert!(tokens.admit_at(&with(&format!("Bearer {ONE}")), later));
        assert!(tokens.refreshed(later).failure.as_deref().is_some_and(|why| why.contains("holds no token")));
        fs::write(file.path(), format!("{TWO}\n")).expect("written");
        assert_eq!(tokens.refreshed(later + LOOK_EVERY * 2).failure, None);
    }

    #[test]
    fn useless_files_are_refused() {
        assert!(matches!(Tokens::open(Path::new("/no/such/file")), Err(TokenError::Io { .. })));
        assert!(matches!(Tokens::open(file("# nothing\n\n").path()), Err(TokenError::Empty(_))));
        assert!(matches!(Tokens::open(file("\nshort\n").path()), Err(TokenError::Token { line: 2, .. })));
        assert!(matches!(Tokens::open(file("0123456789 abcdef").path()), Err(TokenError::Token { line: 1, .. })));
    }
}
