//! NATS JetStream as a log: one file stream, `sync_interval: always`, a connection each thread,
//! requests sent together where several writers wait.
//!
//! Speaks as much of its protocol (docs.nats.io/reference/reference-protocols/nats-protocol) as
//! that takes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use anyhow::{Context, bail};

use super::group::{Session, Store};
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
    requests: Vec<u8>,
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
    connection.publish("$JS.API.STREAM.CREATE.S", stream)?;
    let created = connection.answer()?;
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
        let mut connection = Self {
            stream: BufReader::new(stream),
            line: String::new(),
            inbox,
            requests: Vec::new(),
        };
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

    /// Adds a message to what is sent next.
    fn publish(&mut self, subject: &str, payload: &[u8]) -> std::io::Result<()> {
        write!(self.requests, "PUB {subject} {} {}\r\n", self.inbox, payload.len())?;
        self.requests.extend_from_slice(payload);
        self.requests.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Sends what was published and reads the next answer.
    fn answer(&mut self) -> anyhow::Result<String> {
        self.stream.get_mut().write_all(&self.requests)?;
        self.requests.clear();
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

impl Session for Connection {
    fn submit(&mut self, record: &[u8]) -> anyhow::Result<()> {
        Ok(self.publish("s", record)?)
    }

    fn wait(&mut self) -> anyhow::Result<usize> {
        let mut count = 0;
        while count == 0 || !self.stream.buffer().is_empty() {
            let answer = self.answer()?;
            if !answer.contains("\"seq\"") {
                bail!("not acknowledged: {answer}");
            }
            count += 1;
        }
        Ok(count)
    }
}

impl Store for Nats {
    fn session(&self) -> anyhow::Result<Box<dyn Session + '_>> {
        Ok(Box::new(Connection::open(self.address, 1)?))
    }
}
