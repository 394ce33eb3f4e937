//! A server for the tests: greets like a daemon, then does as each test says.
//!
//! Must never check the client by itself: it hands over what came and sends what it is told.

use std::path::{Path, PathBuf};

use interprocess::local_socket::tokio::{Listener, Stream, prelude::*};
use interprocess::local_socket::{GenericFilePath, ListenerOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

pub(crate) struct Server {
    directory: tempfile::TempDir,
    listener: Listener,
}

/// One client's connection, seen from the daemon.
pub(crate) struct Peer(BufReader<Stream>);

impl Server {
    pub(crate) fn bind() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = listen(&directory.path().join("aiflow.sock"));
        Self { directory, listener }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("aiflow.sock")
    }

    /// Accepts a client without greeting it.
    pub(crate) async fn accept_silently(&self) -> Peer {
        Peer(BufReader::new(self.listener.accept().await.unwrap()))
    }

    /// Accepts a client and greets it.
    pub(crate) async fn accept(&self) -> Peer {
        let mut peer = self.accept_silently().await;
        let hello = peer.request().await;
        assert_eq!(hello["method"], "hello");
        assert_eq!(hello["params"]["protocol"], 1);
        peer.answer(&hello, json!({"protocol": 1, "version": "test"})).await;
        peer
    }
}

pub(crate) fn listen(socket: &Path) -> Listener {
    let name = socket.to_fs_name::<GenericFilePath>().unwrap();
    ListenerOptions::new().name(name).create_tokio().unwrap()
}

impl Peer {
    pub(crate) async fn request(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        assert!(line.ends_with('\n'), "the client hung up after {line:?}");
        let request: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(request["jsonrpc"], "2.0");
        request
    }

    pub(crate) async fn hung_up(&mut self) -> bool {
        matches!(self.0.read_line(&mut String::new()).await, Ok(0) | Err(_))
    }

    pub(crate) async fn answer(&mut self, request: &Value, result: Value) {
        self.send(json!({"jsonrpc": "2.0", "id": request["id"], "result": result})).await;
    }

    pub(crate) async fn send(&mut self, line: Value) {
        self.send_text(&format!("{line}\n")).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).await.unwrap();
    }

    pub(crate) async fn send_records(&mut self, subscription: u64, offsets: std::ops::Range<u64>) {
        let next = offsets.end;
        let records: Vec<_> = offsets
            .map(|offset| {
                let record = json!({"NamespaceAdded": {"namespace": format!("n{offset}")}});
                json!({"offset": offset, "time": 0, "record": record})
            })
            .collect();
        let params = json!({"subscription": subscription, "records": records, "next": next});
        self.send(json!({"jsonrpc": "2.0", "method": "records", "params": params})).await;
    }
}
