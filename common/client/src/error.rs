//! What can go wrong between a client and its daemon, and what of it passes by itself.
//!
//! Must never hold text for the end user beyond its own link of the chain: the edge prints all.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aiflow_model::{ErrorCode, Rejection};

use crate::home::SOCKET_PATH_BYTES_MAX;

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The path cannot be that of a socket.
    #[error(
        "the socket path {} has {} bytes, and the system allows {SOCKET_PATH_BYTES_MAX}",
        socket.display(), socket.as_os_str().len()
    )]
    PathTooLong {
        /// The path.
        socket: PathBuf,
    },
    /// Nothing listens there, or it may not be reached.
    #[error("no daemon answers on {}", socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something listens and does not answer.
    #[error("the daemon on {} has not answered for {within:?}", socket.display())]
    Silent {
        /// The socket.
        socket: PathBuf,
        /// How long it was waited for.
        within: Duration,
    },
    /// The greeting failed.
    #[error("the daemon on {} does not greet back", socket.display())]
    Greeting {
        /// The socket.
        socket: PathBuf,
        /// What happened instead.
        source: CallError,
    },
    /// The two speak different versions.
    #[error(
        "the daemon on {} (version {version}) speaks protocol {theirs}, this client {ours}",
        socket.display()
    )]
    Mismatch {
        /// The socket.
        socket: PathBuf,
        /// Version of the protocol here.
        ours: u32,
        /// Version of the protocol there.
        theirs: u32,
        /// Version of the daemon.
        version: String,
    },
}

impl ConnectError {
    /// Whether it is that no daemon is there at present, so that trying again later makes sense.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => source.kind() != io::ErrorKind::PermissionDenied,
            Self::Silent { .. } => true,
            Self::Greeting { source, .. } => source.is_absence(),
            Self::PathTooLong { .. } | Self::Mismatch { .. } => false,
        }
    }
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The daemon said no; a normal answer.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The connection broke before the answer came. Whether the daemon acted is not known;
    /// calls with an id may be repeated.
    #[error("the connection to the daemon broke during {method}")]
    Disconnected {
        /// What was called.
        method: &'static str,
        /// What broke it.
        source: Arc<io::Error>,
    },
    /// The answer does not have the shape that this version knows.
    #[error("the daemon's answer to {method} is not understood")]
    Protocol {
        /// What was called.
        method: &'static str,
        /// What does not fit.
        source: serde_json::Error,
    },
}

impl CallError {
    /// Whether it is that the daemon has gone or is going, so that trying again makes sense.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        match self {
            Self::Disconnected { .. } => true,
            Self::Rejected(rejection) => rejection.code == ErrorCode::ShuttingDown,
            Self::Protocol { .. } => false,
        }
    }
}
