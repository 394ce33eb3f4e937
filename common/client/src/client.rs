//! The client: greets the daemon, calls it, and waits for the answers.
//!
//! Must never repeat a call by itself: only the caller knows whether that is harmless. See
//! [`with_retry`](crate::with_retry).

use std::io;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aiflow_model::wire::{
    Call, DryRun, DryRunReply, Follow, FollowReply, Hello, HelloRequest, REQUEST_BYTES_MAX,
};
use aiflow_model::{ErrorCode, JsonText, Rejection, wire::PROTOCOL_VERSION};
use interprocess::local_socket::GenericFilePath;
use interprocess::local_socket::tokio::{Stream, prelude::*};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::connection::{Answer, Connection};
use crate::error::{CallError, ConnectError};
use crate::follow::Subscription;
use crate::home::SOCKET_PATH_BYTES_MAX;

/// How long a daemon may take to greet back.
const GREETING_WITHIN: Duration = Duration::from_secs(5);
/// Room for what stands around the parameters on the line.
const ENVELOPE_BYTES: usize = 128;

/// A connection to a daemon. Clones share it; it closes with the last of them.
#[derive(Debug, Clone)]
pub struct Client {
    connection: Arc<Connection>,
    hello: Arc<Hello>,
}

/// A call that was sent, on its way to an answer of type `T`.
#[derive(Debug)]
pub struct Reply<T> {
    method: &'static str,
    answer: oneshot::Receiver<Answer>,
    connection: Arc<Connection>,
    shape: PhantomData<fn() -> T>,
}

impl Client {
    /// Connects and greets.
    ///
    /// # Errors
    /// [`ConnectError`]; [`ConnectError::is_absence`] tells whether to try again later.
    pub async fn connect(socket: &Path) -> Result<Self, ConnectError> {
        let stream = open(socket).await?;
        let connection = Arc::new(Connection::new(stream));
        let greeting = tokio::time::timeout(GREETING_WITHIN, greet(&connection)).await;
        let socket = socket.to_owned();
        let hello = match greeting {
            Err(_) => return Err(ConnectError::Silent { socket, within: GREETING_WITHIN }),
            Ok(Err(source)) => return Err(ConnectError::Greeting { socket, source }),
            Ok(Ok(hello)) => hello,
        };
        if hello.protocol != PROTOCOL_VERSION {
            let Hello { protocol: theirs, version, .. } = hello;
            return Err(ConnectError::Mismatch { socket, ours: PROTOCOL_VERSION, theirs, version });
        }
        Ok(Self { connection, hello: Arc::new(hello) })
    }

    /// Who answers.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Waits until the connection has broken, such as when the daemon has gone.
    pub async fn closed(&self) {
        self.connection.closed().await;
    }

    /// Calls and waits for the answer.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, CallError> {
        self.submit(&call).await?.receive().await
    }

    /// Asks what a call would cause, without doing it.
    ///
    /// # Errors
    /// [`CallError`]; the refusals are those of the call itself.
    pub async fn dry_run(&self, call: &Call) -> Result<DryRunReply, CallError> {
        let method = call.method();
        let params = JsonText::parse(encode(call)?.get());
        let params = params.map_err(|source| CallError::Protocol { method, source })?;
        self.call(Call::DryRun(DryRun { method: method.to_owned(), params })).await
    }

    /// Sends a call without waiting for its answer: calls that are submitted one after another
    /// reach the daemon in that order, and their answers may be awaited in any.
    ///
    /// # Errors
    /// [`CallError`]; a call longer than the daemon reads is refused here.
    pub async fn submit<T>(&self, call: &Call) -> Result<Reply<T>, CallError> {
        submit(&self.connection, call).await
    }

    /// Follows records. Take them without long pauses: what is not taken holds up the answers to
    /// calls on the same connection, until the daemon cuts it off.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn follow(&self, follow: Follow) -> Result<(FollowReply, Subscription), CallError> {
        let call = Call::Follow(follow);
        let params = encode(&call)?;
        let sent = self.connection.send_following(call.method(), &params).await;
        let (answer, records) = sent.map_err(|source| disconnected(&call, source))?;
        let connection = Arc::clone(&self.connection);
        let reply: Reply<FollowReply> =
            Reply { method: call.method(), answer, connection, shape: PhantomData };
        let reply = reply.receive().await?;
        let connection = Arc::clone(&self.connection);
        let subscription = Subscription::new(records, reply.next, connection);
        Ok((reply, subscription))
    }
}

impl<T> Reply<T> {
    /// Waits for the answer.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn receive(self) -> Result<T, CallError>
    where
        T: DeserializeOwned,
    {
        let method = self.method;
        let Ok(answer) = self.answer.await else {
            return Err(CallError::Disconnected { method, source: self.connection.breakage() });
        };
        serde_json::from_str(answer?.get()).map_err(|source| CallError::Protocol { method, source })
    }
}

async fn open(socket: &Path) -> Result<Stream, ConnectError> {
    if socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        return Err(ConnectError::PathTooLong { socket: socket.to_owned() });
    }
    let connect = async {
        let name = socket.to_fs_name::<GenericFilePath>()?;
        Stream::connect(name).await
    };
    let unreachable =
        |source: io::Error| ConnectError::Unreachable { socket: socket.to_owned(), source };
    connect.await.map_err(unreachable)
}

async fn greet(connection: &Arc<Connection>) -> Result<Hello, CallError> {
    let client = format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    let call = Call::Hello(HelloRequest { protocol: PROTOCOL_VERSION, client });
    submit(connection, &call).await?.receive().await
}

async fn submit<T>(connection: &Arc<Connection>, call: &Call) -> Result<Reply<T>, CallError> {
    let params = encode(call)?;
    let sent = connection.send(call.method(), &params).await;
    let answer = sent.map_err(|source| disconnected(call, source))?;
    let connection = Arc::clone(connection);
    Ok(Reply { method: call.method(), answer, connection, shape: PhantomData })
}

fn encode(call: &Call) -> Result<Box<RawValue>, CallError> {
    let method = call.method();
    let params = call.params().map_err(|source| CallError::Protocol { method, source })?;
    if params.get().len() + ENVELOPE_BYTES > REQUEST_BYTES_MAX {
        // The daemon could not say which request it refuses, for it would not read its id.
        let message = format!(
            "{method}: the request has {} bytes, and the daemon reads {REQUEST_BYTES_MAX}",
            params.get().len()
        );
        return Err(Rejection::new(ErrorCode::FrameTooLarge, message).into());
    }
    Ok(params)
}

fn disconnected(call: &Call, source: Arc<io::Error>) -> CallError {
    CallError::Disconnected { method: call.method(), source }
}
