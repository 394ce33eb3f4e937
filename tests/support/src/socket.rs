//! A plain client of the protocol: lines over the socket, nothing of our own client crate.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// One connection.
#[derive(Debug)]
pub struct Socket {
    reader: BufReader<UnixStream>,
    next_id: u64,
}

impl Socket {
    /// Connects.
    ///
    /// # Panics
    /// When nobody answers there.
    #[must_use]
    #[track_caller]
    pub fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("the daemon listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout can be set");
        Self { reader: BufReader::new(stream), next_id: 0 }
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the connection is closed.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).expect("the connection takes bytes");
    }

    /// The next line from the daemon.
    ///
    /// # Panics
    /// When none comes, or it is not JSON.
    #[track_caller]
    pub fn receive(&mut self) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("a line comes");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
    }

    /// Calls a method and gives the result, or the error's `data`.
    ///
    /// # Errors
    /// The refusal.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: &Value) -> Result<Value, Value> {
        self.next_id += 1;
        let id = self.next_id;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send(format!("{request}\n").as_bytes());
        loop {
            let mut reply = self.receive();
            if reply["id"] == id {
                return match reply.get_mut("error") {
                    Some(error) => Err(error["data"].take()),
                    None => Ok(reply["result"].take()),
                };
            }
        }
    }
}
