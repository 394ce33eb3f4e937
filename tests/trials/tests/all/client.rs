//! A client that repeats what was not answered, for ever the same request by its identity.
//!
//! Must never take anything but an answer for an answer.

use std::io::{BufRead, BufReader, Error, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aiflow_test_support::pause;
use serde_json::{Value, json};

/// Longest time without an answer, over all daemons.
const PATIENCE: Duration = Duration::from_secs(90);

/// The client.
pub(crate) struct Client {
    socket: PathBuf,
    stream: Option<BufReader<UnixStream>>,
    next_id: u64,
    /// How often a request was sent again.
    pub(crate) repeats: u64,
}

impl Client {
    pub(crate) fn new(home: &Path) -> Self {
        Self { socket: home.join("aiflow.sock"), stream: None, next_id: 0, repeats: 0 }
    }

    /// Asks until it is answered.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        let begin = Instant::now();
        loop {
            match self.try_ask(method, params) {
                Ok(mut reply) if reply["error"].is_null() => return reply["result"].take(),
                Ok(reply) => panic!("{method} {params} is refused: {reply}"),
                Err(error) => {
                    assert!(begin.elapsed() < PATIENCE, "no answer to {method} {params}: {error}");
                    self.stream = None;
                    self.repeats += 1;
                    pause(Duration::from_millis(2));
                }
            }
        }
    }

    fn try_ask(&mut self, method: &str, params: &Value) -> Result<Value, Error> {
        self.next_id += 1;
        let id = self.next_id;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        if self.stream.is_none() {
            let stream = UnixStream::connect(&self.socket)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            self.stream = Some(BufReader::new(stream));
        }
        let Some(stream) = &mut self.stream else { return Err(ErrorKind::NotConnected.into()) };
        stream.get_mut().write_all(format!("{request}\n").as_bytes())?;
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let reply: Value = serde_json::from_str(&line)?;
        assert_eq!(reply["id"], id, "one request at a time, one reply each: {reply}");
        Ok(reply)
    }
}
