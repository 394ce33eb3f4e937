//! NATS JetStream as a log: one file stream, `sync_interval: always`, a connection each writer.
//!
//! Speaks as much of its protocol (docs.nats.io/reference/reference-protocols/nats-protocol) as
//! that takes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use anyhow::{Context, bail};

use super::group::{Append, Store};
use super::server::Server;

struct Nats {
    _server: Server,
    address: SocketAddr,
}

/// One connection with an inbox of its own.
struct Connection {
    stream: BufReader<TcpStream>,
    line: String,
    inbox: String,
}

pub(super) fn open(directory: &Path) -> anyhow::Result<Box<dyn Store>> {
    // A free port, as far as anyone can know.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let settings = format!(
        "listen: \"{address}\"\njetstream {{ store_dir: \"js\", sync_interval: always }}\n"
    );
    std::fs::write(directory.join("nats.conf"), settings)?;
    let connect = || TcpStream::connect(address);
    let server = Server::start("nats-server", &["-c", "nats.conf"], directory, connect)?;
    let mut connection = Connection::open(address, 0)?;
    let stream = br#"{"name":"S","subjects":["s"],"storage":"file","retention":"limits"}"#;
    let created = connection.ask("$JS.API.STREAM.CREATE.S", stream)?;
    if created.contains("\"error\"") {
        bail!("cannot create the stream: {created}");
    }
    Ok(Box::new(Nats { _server: server, address }))
}

impl Connection {
    fn open(address: SocketAddr, number: usize) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let inbox = format!("_INBOX.{number}.{}", stream.local_addr()?.port());
        let mut connection = Self { stream: BufReader::new(stream), line: String::new(), inbox };
        connection.read_line()?;
        let hello = format!(
            "CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\nSUB {} 1\r\nPING\r\n",
            connection.inbox
        );
        connection.stream.get_mut().write_all(hello.as_bytes())?;
        while connection.read_line()? != "PONG" {}
        Ok(connection)
    }

    fn read_line(&mut self) -> anyhow::Result<&str> {
        self.line.clear();
        if self.stream.read_line(&mut self.line)? == 0 {
            bail!("the connection was closed");
        }
        let line = self.line.trim_end();
        if line.starts_with("-ERR") {
            bail!("refused: {line}");
        }
        Ok(line)
    }

    /// Publishes and waits for the answer.
    fn ask(&mut self, subject: &str, payload: &[u8]) -> anyhow::Result<String> {
        let mut request =
            format!("PUB {subject} {} {}\r\n", self.inbox, payload.len()).into_bytes();
        request.extend_from_slice(payload);
        request.extend_from_slice(b"\r\n");
        self.stream.get_mut().write_all(&request)?;
        loop {
            let line = self.read_line()?;
            if line == "PING" {
                self.stream.get_mut().write_all(b"PONG\r\n")?;
                continue;
            }
            let Some(message) = line.strip_prefix("MSG ") else { continue };
            let length: usize = message.rsplit(' ').next().context("no length")?.parse()?;
            let mut answer = vec![0; length + 2];
            self.stream.read_exact(&mut answer)?;
            return Ok(String::from_utf8_lossy(&answer[..length]).into_owned());
        }
    }
}

impl Store for Nats {
    fn writer(&self) -> anyhow::Result<Append<'_>> {
        let mut connection = Connection::open(self.address, 1)?;
        Ok(Box::new(move |record| {
            let answer = connection.ask("s", record)?;
            if !answer.contains("\"seq\"") {
                bail!("not acknowledged: {answer}");
            }
            Ok(())
        }))
    }
}
