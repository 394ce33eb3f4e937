//! Redis as a log: `XADD` to one stream, `appendfsync always`, a connection each thread,
//! requests sent together where several writers wait.
//!
//! Speaks as much of RESP 2 (redis.io/docs/latest/develop/reference/protocol-spec) as that takes.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::group::{Session, Store};
use super::server::Server;

struct Redis {
    _server: Server,
    socket: PathBuf,
}

const SETTINGS: [&str; 10] = [
    "--port",
    "0",
    "--unixsocket",
    "redis.sock",
    "--appendonly",
    "yes",
    "--appendfsync",
    "always",
    "--save",
    "",
];

pub(super) fn open(directory: &Path) -> anyhow::Result<Box<dyn Store>> {
    let socket = directory.join("redis.sock");
    let connect = || UnixStream::connect(&socket);
    let server = Server::start("redis-server", &SETTINGS, directory, connect)?;
    Ok(Box::new(Redis { _server: server, socket }))
}

struct RedisSession {
    stream: BufReader<UnixStream>,
    requests: Vec<u8>,
    line: String,
}

impl Session for RedisSession {
    fn submit(&mut self, record: &[u8]) -> anyhow::Result<()> {
        let request = &mut self.requests;
        write!(request, "*5\r\n$4\r\nXADD\r\n$1\r\ns\r\n$1\r\n*\r\n$1\r\nd\r\n")?;
        write!(request, "${}\r\n", record.len())?;
        request.extend_from_slice(record);
        request.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn wait(&mut self) -> anyhow::Result<usize> {
        self.stream.get_mut().write_all(&self.requests)?;
        self.requests.clear();
        let mut count = 0;
        while count == 0 || !self.stream.buffer().is_empty() {
            // The length of the new entry's id, then the id.
            for _ in 0..2 {
                self.line.clear();
                if self.stream.read_line(&mut self.line)? == 0 || self.line.starts_with('-') {
                    bail!("Redis refused: {:?}", self.line);
                }
            }
            count += 1;
        }
        Ok(count)
    }
}

impl Store for Redis {
    fn session(&self) -> anyhow::Result<Box<dyn Session + '_>> {
        let stream = BufReader::new(UnixStream::connect(&self.socket)?);
        Ok(Box::new(RedisSession { stream, requests: Vec::new(), line: String::new() }))
    }
}
