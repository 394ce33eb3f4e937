//! Patience with a daemon that is down: connect again, repeat the call.
//!
//! Must never repeat after a refusal, and never make ids: what is repeated carries the same id each
//! time, so that the daemon does it once.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::{CallError, Client, ConnectError};

const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// What one attempt may take at least, however little patience is left.
const ATTEMPT_MIN: Duration = Duration::from_secs(1);

/// Why it was given up.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A connection, and no result.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The daemon took the call and did not answer it.
    #[error("the daemon has not answered for {within:?}")]
    Silent {
        /// How long it was waited for.
        within: Duration,
    },
}

impl RetryError {
    /// Whether it is that no daemon was there to answer, rather than that it said no.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_absence(),
            Self::Call(error) => error.is_absence(),
            Self::Silent { .. } => true,
        }
    }
}

/// Does `work` on a connection, again on a new one while the daemon is away: after 10 ms, twice
/// as long each time up to 1 s, until `patience` has passed; without a patience, for ever.
///
/// # Errors
/// The first refusal, or the last absence.
pub async fn with_retry<T>(
    socket: &Path,
    patience: Option<Duration>,
    mut work: impl AsyncFnMut(&Client) -> Result<T, CallError>,
) -> Result<T, RetryError> {
    let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
    let mut backoff = BACKOFF_MIN;
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let error = match attempt(socket, left, &mut backoff, &mut work).await {
            Ok(result) => return Ok(result),
            Err(error) if !error.is_absence() => return Err(error),
            Err(error) => error,
        };
        match deadline {
            Some(deadline) if Instant::now() + backoff > deadline => return Err(error),
            _ => sleep(backoff).await,
        }
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

async fn attempt<T>(
    socket: &Path,
    left: Option<Duration>,
    backoff: &mut Duration,
    work: &mut impl AsyncFnMut(&Client) -> Result<T, CallError>,
) -> Result<T, RetryError> {
    let attempt = async {
        let client = Client::connect(socket).await?;
        // It answers: whatever breaks from here on is a new absence.
        *backoff = BACKOFF_MIN;
        Ok(work(&client).await?)
    };
    match left.map(|left| left.max(ATTEMPT_MIN)) {
        None => attempt.await,
        Some(within) => match timeout(within, attempt).await {
            Ok(result) => result,
            Err(_) => Err(RetryError::Silent { within }),
        },
    }
}
