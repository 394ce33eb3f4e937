//! Tokens of tasks: proof of which attempt speaks.
//!
//! A token is the id of the attempt and an HMAC-SHA-256 (RFC 2104) of it under a key of the home,
//! so that nothing has to be kept for each. Must never tell the key, nor how far a wrong token was
//! right.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::{AttemptId, exit_code};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::failure::Failure;

const KEY_BYTES: usize = 32;

/// The key of a home.
#[derive(Clone)]
pub(crate) struct TokenKey([u8; KEY_BYTES]);

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey")
    }
}

impl TokenKey {
    /// The key in this file, which is made when it is missing.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        Self::read_or_make(path).map_err(|error| {
            let what = format!("cannot use the key of tokens in {}", path.display());
            Failure::new(exit_code::OPERATING, what)
                .because(error)
                .hint(format!("rm {}; tasks that run lose their tokens", path.display()))
        })
    }

    fn read_or_make(path: &Path) -> io::Result<Self> {
        let mut key = [0; KEY_BYTES];
        match OpenOptions::new().read(true).open(path) {
            Ok(mut file) => file.read_exact(&mut key)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                getrandom(&mut key)?;
                // Whole under its name or not at all.
                let new = path.with_extension("new");
                let mut options = OpenOptions::new();
                let mut file =
                    options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
                file.write_all(&key)?;
                file.sync_all()?;
                std::fs::rename(&new, path)?;
            }
            Err(error) => return Err(error),
        }
        Ok(Self(key))
    }

    /// The token of an attempt.
    pub(crate) fn token(&self, id: &AttemptId) -> String {
        let proof = self.mac(id).finalize().into_bytes();
        let hex: String = proof.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{id}:{hex}")
    }

    /// The attempt whose token this is.
    pub(crate) fn check(&self, token: &str) -> Result<AttemptId, Rejection> {
        let read = token.split_once(':').and_then(|(id, proof)| {
            let id: AttemptId = id.parse().ok()?;
            self.mac(&id).verify_slice(&from_hex(proof)?).ok()?;
            Some(id)
        });
        read.ok_or_else(|| {
            let message = "the token is not one that this daemon gave to a task";
            Rejection::new(ErrorCode::InvalidToken, message)
                .hint("leave AIFLOW_TOKEN as the task found it, or unset it")
        })
    }

    fn mac(&self, id: &AttemptId) -> Hmac<Sha256> {
        // A key of any length is taken.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).unwrap_or_else(|_| unreachable!());
        mac.update(id.to_string().as_bytes());
        mac
    }
}

pub(crate) fn getrandom(mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        let flags = rustix::rand::GetRandomFlags::empty();
        let count = rustix::rand::getrandom(&mut *buffer, flags)?;
        buffer = &mut buffer[count..];
    }
    Ok(())
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks_exact(2);
    if !digits.remainder().is_empty() || !text.is_ascii() {
        return None;
    }
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_attempt_and_one_home() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token.key");
        let key = TokenKey::open(&path).unwrap();
        let id: AttemptId = "7.train.2.1".parse().unwrap();
        let token = key.token(&id);
        assert_eq!(TokenKey::open(&path).unwrap().check(&token).unwrap(), id, "the key stays");
        let other = TokenKey::open(&directory.path().join("other")).unwrap();
        let wrong = [
            other.token(&id),
            token.replace("7.train", "8.train"),
            token[..token.len() - 2].to_owned(),
            format!("{token}00"),
            "7.train.2.1:".to_owned(),
            "7.train.2.1:zz".to_owned(),
            String::new(),
        ];
        for token in wrong {
            assert_eq!(key.check(&token).unwrap_err().code, ErrorCode::InvalidToken, "{token}");
        }
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).unwrap());
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(format!("{key:?}"), "TokenKey");
    }

    #[test]
    fn a_key_that_is_cut_short_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token.key");
        std::fs::write(&path, "short").unwrap();
        assert!(TokenKey::open(&path).is_err());
    }
}
