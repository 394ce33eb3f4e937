//! Emitters: many connections served by one thread, so that the client's own cost stays small.
//!
//! Must never have more requests under way than asked for, or count one that was refused.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;

use crate::tiny::own_cpu_ns;

/// About 100 bytes of JSON, as an event's value.
const VALUE: &str = r#"{"flight":"UA1545","origin":"EWR","dest":"IAH","dep_delay":2.0,"air_time":227.0,"distance":1400}"#;
const READ_BYTES: usize = 64 << 10;

/// What the emitters got done.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) emits: u64,
    pub(crate) seconds: f64,
    /// Processor time of the emitters, in seconds.
    pub(crate) cpu_seconds: f64,
}

/// Emits for `time`: so many connections, each with `depth` requests under way.
pub(crate) fn run(
    socket: &Path,
    connections: usize,
    depth: usize,
    time: Duration,
    name: &str,
) -> anyhow::Result<Load> {
    let mut emitters = Emitters::connect(socket, connections, name)?;
    let (begin, cpu) = (Instant::now(), own_cpu_ns());
    for emitter in &mut emitters.emitters {
        emitter.emit(depth)?;
    }
    let mut under_way = connections * depth;
    let mut emits = 0;
    while under_way > 0 {
        let is_over = begin.elapsed() >= time;
        let replies = emitters.turn(!is_over)?;
        emits += replies;
        if is_over {
            under_way -= replies;
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    let cpu_seconds = Duration::from_nanos(own_cpu_ns() - cpu).as_secs_f64();
    Ok(Load { emits: emits as u64, seconds, cpu_seconds })
}

struct Emitters {
    epoll: rustix::fd::OwnedFd,
    ready: Vec<epoll::Event>,
    emitters: Vec<Emitter>,
    buffer: Vec<u8>,
}

impl Emitters {
    fn connect(socket: &Path, connections: usize, name: &str) -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut emitters = Vec::with_capacity(connections);
        for number in 0..connections {
            let stream = UnixStream::connect(socket)?;
            let data = epoll::EventData::new_u64(number as u64);
            epoll::add(&epoll, &stream, data, epoll::EventFlags::IN)?;
            let source = format!("{name}-{number}");
            emitters.push(Emitter { stream, source, emitted: 0, lines: Vec::new() });
        }
        let ready = Vec::with_capacity(connections);
        Ok(Self { epoll, ready, emitters, buffer: vec![0; READ_BYTES] })
    }

    /// Takes the replies that are there; each is followed by the next emit if `go_on`.
    fn turn(&mut self, go_on: bool) -> anyhow::Result<usize> {
        self.ready.clear();
        epoll::wait(&self.epoll, spare_capacity(&mut self.ready), None)?;
        let mut replies = 0;
        for event in &self.ready {
            let data = event.data;
            let at = usize::try_from(data.u64())?;
            let emitter = self.emitters.get_mut(at).context("an unknown emitter")?;
            let count = emitter.receive(&mut self.buffer)?;
            replies += count;
            if go_on {
                emitter.emit(count)?;
            }
        }
        Ok(replies)
    }
}

struct Emitter {
    stream: UnixStream,
    source: String,
    emitted: u64,
    lines: Vec<u8>,
}

impl Emitter {
    fn emit(&mut self, count: usize) -> anyhow::Result<()> {
        self.lines.clear();
        for _ in 0..count {
            self.emitted += 1;
            let (source, id) = (&self.source, self.emitted);
            writeln!(
                self.lines,
                r#"{{"jsonrpc":"2.0","id":{id},"method":"emit","params":{{"key":"bench.flight","value":{VALUE},"source":"{source}","id":"{id}"}}}}"#
            )?;
        }
        Ok(self.stream.write_all(&self.lines)?)
    }

    /// Reads once; gives how many replies ended.
    fn receive(&mut self, buffer: &mut [u8]) -> anyhow::Result<usize> {
        let count = self.stream.read(buffer)?;
        let text = buffer.get(..count).unwrap_or_default();
        if count == 0 || text.windows(7).any(|part| part == b"\"error\"") {
            bail!("an emit was refused: {}", String::from_utf8_lossy(text));
        }
        Ok(text.iter().filter(|byte| **byte == b'\n').count())
    }
}
