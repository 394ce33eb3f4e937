//! The local socket: who may connect, and how many.
//!
//! Must never serve another user: the directory and the socket are private, and the peer's uid is
//! checked as well.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use aiflow_model::exit_code;
use interprocess::local_socket::tokio::prelude::*;
use interprocess::local_socket::tokio::{Listener, Stream};
use interprocess::local_socket::{GenericFilePath, ListenerOptions};
use tokio::sync::Semaphore;

use crate::connection::{self, Gate};
use crate::failure::Failure;

/// Most connections at once.
pub(crate) const CONNECTIONS_MAX: usize = 1024;

/// Binds the socket; a leftover of an earlier daemon is removed, since the lock proves it dead.
pub(crate) fn bind(path: &Path) -> Result<Listener, Failure> {
    let failed = |error: std::io::Error| {
        let what = format!("cannot bind the socket {}", path.display());
        Failure::new(exit_code::OPERATING, what).because(error)
    };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let name = path.to_fs_name::<GenericFilePath>().map_err(failed)?;
    ListenerOptions::new().name(name).create_tokio().map_err(failed)
}

/// Accepts connections for ever.
pub(crate) async fn accept(listener: Listener, gate: Rc<Gate>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok(stream) if is_allowed(&stream) => {
                let gate = Rc::clone(&gate);
                tokio::task::spawn_local(async move {
                    connection::serve(stream, gate).await;
                    drop(permit);
                });
            }
            Ok(_) => tracing::warn!("a connection of another user was refused"),
            Err(error) => {
                // Out of descriptors, most likely: those in use come free as clients leave.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_allowed(stream: &Stream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_creds().ok().and_then(|peer| peer.euid()).is_some_and(|uid| uid == own || uid == 0)
}
