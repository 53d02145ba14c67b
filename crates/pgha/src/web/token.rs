//! The word that lets a reader in.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rand::RngExt as _;

use crate::error::{Error, OrFail as _, Result};
use crate::kept_file::{self, PRIVATE};

/// Bytes that nobody guesses.
const BYTES: usize = 32;
/// A file with less was not made by this.
const CHARS_MIN: usize = 32;

/// A secret word of letters and digits.
#[derive(Clone)]
pub(crate) struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// A new one.
    pub(crate) fn random() -> Self {
        let bytes: [u8; BYTES] = rand::rng().random();
        let digit = |half: u8| char::from_digit(u32::from(half), 16).expect("half a byte");
        Self(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
    }

    /// The one in that file; without a file a new one, which is put there for its owner alone.
    ///
    /// # Errors
    /// When the file cannot be read or written, others may read it, or what is in it is no token.
    pub(crate) fn kept_in(path: &Path) -> Result<Self> {
        let shown = path.display();
        if !path.exists() {
            let token = Self::random();
            kept_file::write(path, token.0.as_bytes(), PRIVATE)
                .or_fail(format!("cannot write the token to {shown}"))?;
            return Ok(token);
        }
        let of = || format!("cannot read the token in {shown}");
        let mode = fs::metadata(path).or_fail(of())?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(Error::bad_input(format!("other users may read the token in {shown}"))
                .hint(format!("`chmod 600 {shown}`, or remove it for a new one")));
        }
        let text = fs::read_to_string(path).or_fail(of())?;
        let word = text.trim_end();
        if word.len() < CHARS_MIN || !word.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Error::bad_input(format!("{shown} holds no token"))
                .because(format!("A token is at least {CHARS_MIN} letters and digits."))
                .hint("remove the file for a new one, or name another"));
        }
        Ok(Self(word.to_owned()))
    }

    /// The word.
    pub(crate) fn word(&self) -> &str {
        &self.0
    }

    /// Whether it is that word; takes as long for a wrong one.
    pub(crate) fn is(&self, word: &str) -> bool {
        let (own, other) = (self.0.as_bytes(), word.as_bytes());
        own.len() == other.len() && own.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b)) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_for_its_owner_and_refused_where_others_may_read_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("token");
        let first = Token::kept_in(&path).expect("a new one");
        assert!(Token::kept_in(&path).expect("the same").is(first.word()));
        assert!(
            !first.is(Token::random().word()) && !first.is("") && !first.is(&first.word()[1..])
        );
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("its mode");
        assert!(Token::kept_in(&path).is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
        fs::write(&path, "short").expect("a file");
        assert!(Token::kept_in(&path).is_err());
        assert_eq!(format!("{first:?}"), "Token(…)");
    }
}
