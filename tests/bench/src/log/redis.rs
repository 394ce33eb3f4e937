//! Redis as a log: `XADD` to one stream, `appendfsync always`, a connection each writer.
//!
//! Speaks as much of RESP 2 (redis.io/docs/latest/develop/reference/protocol-spec) as that takes.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::group::{Append, Store};
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

impl Store for Redis {
    fn writer(&self) -> anyhow::Result<Append<'_>> {
        let mut stream = BufReader::new(UnixStream::connect(&self.socket)?);
        let (mut request, mut line) = (Vec::new(), String::new());
        Ok(Box::new(move |record| {
            request.clear();
            write!(request, "*5\r\n$4\r\nXADD\r\n$1\r\ns\r\n$1\r\n*\r\n$1\r\nd\r\n")?;
            write!(request, "${}\r\n", record.len())?;
            request.extend_from_slice(record);
            request.extend_from_slice(b"\r\n");
            stream.get_mut().write_all(&request)?;
            // The length of the new entry's id, then the id.
            for _ in 0..2 {
                line.clear();
                if stream.read_line(&mut line)? == 0 || line.starts_with('-') {
                    bail!("Redis refused: {line:?}");
                }
            }
            Ok(())
        }))
    }
}
