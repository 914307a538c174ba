//! Bearer tokens from a file.
//!
//! One token a line; empty lines and lines that begin with `#` are skipped. Several tokens are valid at the same time,
//! so that one can be replaced without a gap: add the new one, change the senders, remove the old one. The file is
//! read again when it changes, at most once a second; if it cannot be read, the known tokens stay.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use http::{HeaderMap, header};
use subtle::{Choice, ConstantTimeEq as _};
use thiserror::Error;

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
    tokens: Vec<Vec<u8>>,
    stamp: Option<(SystemTime, u64)>,
    looked: Instant,
}

impl Tokens {
    /// Reads the file.
    ///
    /// # Errors
    /// All of [`TokenError`]: repair the file.
    pub(crate) fn open(path: &Path) -> Result<Tokens, TokenError> {
        let stamp = stamp(path);
        let tokens = read(path)?;
        Ok(Tokens { path: path.to_owned(), state: Mutex::new(State { tokens, stamp, looked: Instant::now() }) })
    }

    /// Whether the request carries a valid token. Takes the same time whichever token is wrong in whichever place.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        self.admit_at(headers, Instant::now())
    }

    fn admit_at(&self, headers: &HeaderMap, now: Instant) -> bool {
        let Some(given) = bearer(headers) else { return false };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut state, now);
        let known = state.tokens.iter().fold(Choice::from(0), |known, token| known | token.ct_eq(given));
        known.into()
    }

    fn refresh(&self, state: &mut State, now: Instant) {
        if now.duration_since(state.looked) < LOOK_EVERY {
            return;
        }
        state.looked = now;
        let stamp = stamp(&self.path);
        if stamp == state.stamp {
            return;
        }
        match read(&self.path) {
            Ok(tokens) => {
                tracing::info!(tokens = tokens.len(), "Token file read again.");
                state.tokens = tokens;
                state.stamp = stamp;
            }
            // Looked at again in a second, logged each time: somebody must act.
            Err(error) => tracing::warn!(%error, "Token file not usable, the known tokens stay."),
        }
    }
}

/// What changes when the file does (a symbolic link that is turned counts too).
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn read(path: &Path) -> Result<Vec<Vec<u8>>, TokenError> {
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
        tokens.push(token.to_owned());
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

        assert!(tokens.admit_at(&with(&format!("Bearer {ONE}")), Instant::now() + LOOK_EVERY * 2));
    }

    #[test]
    fn useless_files_are_refused() {
        assert!(matches!(Tokens::open(Path::new("/no/such/file")), Err(TokenError::Io { .. })));
        assert!(matches!(Tokens::open(file("# nothing\n\n").path()), Err(TokenError::Empty(_))));
        assert!(matches!(Tokens::open(file("\nshort\n").path()), Err(TokenError::Token { line: 2, .. })));
        assert!(matches!(Tokens::open(file("0123456789 abcdef").path()), Err(TokenError::Token { line: 1, .. })));
    }
}
