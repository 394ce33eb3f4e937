//! Hostile clients: connects by the thousand, readers that never read, garbage without end, and no
//! descriptors left; healthy clients go on meanwhile, and lose nothing.
//!
//! `AIFLOW_FLOOD=full cargo test -p aiflow-trials floods`: 10,000 connects, 1,000 slow readers and
//! 1 GiB of garbage. How long healthy clients wait is told, not judged: it is the machine's as
//! well.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aiflow_log::testing::Rng;
use aiflow_test_support::{Daemon, pause, program, wait_until};
use serde_json::json;

use crate::client::Client;

const RSS_MAX: u64 = 256 << 20;
const HEALTHY: usize = 4;
/// Values of the events before the flood, so that readers have something not to read.
const VALUE_BYTES: usize = 1_000;

struct Flood {
    connects: usize,
    slow: usize,
    garbage: u64,
    events: u64,
}

impl Flood {
    fn asked_for() -> Self {
        match std::env::var("AIFLOW_FLOOD").as_deref() {
            Ok("full") => Self { connects: 10_000, slow: 1_000, garbage: 1 << 30, events: 10_000 },
            _ => Self { connects: 1_000, slow: 200, garbage: 32 << 20, events: 5_000 },
        }
    }
}

#[test]
fn floods_neither_fill_the_memory_nor_hold_up_or_lose_what_healthy_clients_emit() {
    let flood = Flood::asked_for();
    let daemon = Daemon::start();
    let (home, socket) = (daemon.home(), daemon.home().join("aiflow.sock"));
    emit_many(&home, flood.events);
    let is_over = AtomicBool::new(false);
    let waits = std::thread::scope(|scope| {
        let healthy: Vec<_> = (0..HEALTHY)
            .map(|number| {
                let (home, is_over) = (&home, &is_over);
                scope.spawn(move || emit_until(home, number, is_over))
            })
            .collect();
        let slow: Vec<_> = (0..flood.slow).map(|number| slow_reader(&socket, number)).collect();
        let attackers = [
            scope.spawn(|| throw_garbage(&socket, flood.garbage / 2, true)),
            scope.spawn(|| throw_garbage(&socket, flood.garbage / 2, false)),
            scope.spawn(|| connect_and_go(&socket, flood.connects)),
        ];
        for attacker in attackers {
            attacker.join().unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        drop(slow);
        healthy.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    judge(&daemon, &flood, waits);
}

fn judge(daemon: &Daemon, flood: &Flood, mut waits: Vec<Duration>) {
    waits.sort_unstable();
    let at = |part: usize| waits[(waits.len() * part / 100).min(waits.len() - 1)];
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10;
    let (count, p50, p99) = (waits.len(), at(50), at(99));
    let _ = writeln!(
        std::io::stderr(),
        "{} connects, {} slow readers, {} MiB of garbage: at most {} MiB resident; {count} events of \
         healthy clients, each answered within p50 {p50:?}, p99 {p99:?}",
        flood.connects,
        flood.slow,
        flood.garbage >> 20,
        peak >> 20,
    );
    assert!(peak < RSS_MAX, "{peak} bytes were resident");
    let counted = daemon.socket().call("event.count", &json!({})).unwrap();
    assert_eq!(counted["count"], flood.events + count as u64, "each event is there once");
}

fn emit_many(home: &Path, events: u64) {
    let value = "x".repeat(VALUE_BYTES);
    let mut socket = aiflow_test_support::Socket::connect(&home.join("aiflow.sock"));
    let line = |number: u64| {
        let params =
            json!({"key": "k", "value": value, "source": "many", "id": number.to_string()});
        json!({"jsonrpc": "2.0", "id": number, "method": "emit", "params": params}).to_string()
    };
    for first in (0..events).step_by(100) {
        let lines: String = (first..first + 100).map(|number| line(number) + "\n").collect();
        socket.send(lines.as_bytes());
        (0..100).for_each(|_| drop(socket.receive()));
    }
}

/// A healthy client: one event after the other, and how long each waited for its answer.
fn emit_until(home: &Path, number: usize, is_over: &AtomicBool) -> Vec<Duration> {
    let mut client = Client::new(home);
    let mut waits = Vec::new();
    while !is_over.load(Ordering::Relaxed) || waits.len() < 100 {
        let id = format!("{number}-{}", waits.len());
        let begin = Instant::now();
        client.ask("emit", &json!({"key": "k", "value": 1, "source": "healthy", "id": id}));
        waits.push(begin.elapsed());
        pause(Duration::from_millis(2));
    }
    assert_eq!(client.repeats, 0, "a healthy client is not cut off");
    waits
}

/// Asks for as much as it may, and reads nothing.
fn slow_reader(socket: &Path, number: usize) -> UnixStream {
    let mut stream = UnixStream::connect(socket).unwrap();
    let ask = |method: &str, params: &str| {
        let head = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{method}\"");
        format!("{head},\"params\":{params}}}\n")
    };
    let lines = match number % 3 {
        0 => ask("follow", r#"{"from":0}"#),
        1 => ask("event.list", r#"{"limit":10000}"#).repeat(3),
        _ => ask("daemon.status", "{}").repeat(300),
    };
    // Small enough for the socket itself; nobody may have to read for it to be sent.
    stream.write_all(lines.as_bytes()).unwrap();
    stream
}

/// What is no request, in all forms; `reads`: whether the answers are taken.
fn throw_garbage(socket: &Path, bytes: u64, reads: bool) {
    let mut rng = Rng::new(bytes);
    let mut noise = vec![0_u8; 1 << 20];
    noise.iter_mut().for_each(|byte| *byte = (rng.next_u64() >> 32) as u8);
    let short = b"x\n".repeat(64 << 10);
    let endless = vec![b'x'; 3 << 20];
    let deep = [vec![b'['; 512 << 10], b"\n".to_vec()].concat();
    let null = br#"{"jsonrpc":"2.0","id":null,"method":"emit","params":null}"#;
    let null = [&null[..], b"\n"].concat().repeat(1 << 10);
    let kinds: [&[u8]; 5] = [&noise, &short, &endless, &deep, &null];
    let mut sent = 0;
    while sent < bytes {
        let mut stream = UnixStream::connect(socket).unwrap();
        if reads {
            let mut answers = stream.try_clone().unwrap();
            std::thread::spawn(move || {
                let mut buffer = [0; 1 << 16];
                while answers.read(&mut buffer).is_ok_and(|count| count > 0) {}
            });
        }
        // Without a reader the daemon soon takes no more of this connection: then the next one.
        stream.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
        for _ in 0..16 {
            let kind = kinds[rng.below(5) as usize];
            let written = stream.write_all(kind);
            sent += kind.len() as u64;
            if written.is_err() {
                break;
            }
        }
        // A thread that reads ends with the connection.
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }
}

/// Connects and goes, now and then in the middle of a line.
fn connect_and_go(socket: &Path, count: usize) {
    for number in 0..count {
        let mut stream = UnixStream::connect(socket).unwrap();
        if number % 2 == 0 {
            // The daemon may be faster.
            let _ = stream.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"meth");
        }
    }
}

#[test]
fn lines_that_are_wrong_wait_for_their_answers_to_be_read() {
    const LINES_MAX: usize = 1 << 20;
    let daemon = Daemon::start();
    let mut stream = UnixStream::connect(daemon.home().join("aiflow.sock")).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let lines = b"x\n".repeat(1 << 10);
    let mut sent = 0;
    // Whole lines or, at the end, a part of them.
    while let Ok(count) = stream.write(&lines[sent % 2..]) {
        sent += count;
        assert!(sent < 2 * LINES_MAX, "it reads on although nobody reads its answers");
    }
    // What was sent is answered, once somebody reads.
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).unwrap();
    assert_eq!(answers.iter().filter(|byte| **byte == b'\n').count(), sent / 2);
}

#[test]
fn without_descriptors_the_daemon_waits_for_some_and_goes_on() {
    const DESCRIPTORS: usize = 48;
    let mut daemon = Daemon::on_fresh_home();
    let few = daemon.scratch().join("few");
    let script = format!(
        "#!/bin/sh\nulimit -n {DESCRIPTORS}\nexec {} \"$@\"\n",
        program("aiflowd").canonicalize().unwrap().display()
    );
    write_program(&few, &script);
    daemon.spawn(&few, &[]);
    daemon.wait_until_ready();
    let mut healthy = Client::new(&daemon.home());
    let emit = |client: &mut Client, id: u64| {
        let event = json!({"key": "k", "source": "t", "id": id.to_string()});
        assert_eq!(client.ask("emit", &event)["duplicate"], false);
    };
    emit(&mut healthy, 0);
    let socket = daemon.home().join("aiflow.sock");
    let crowd: Vec<UnixStream> =
        (0..2 * DESCRIPTORS).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    wait_until("the daemon has no descriptors left", || {
        daemon.errors().contains("cannot accept a connection").then_some(())
    });
    let before = processor_time(daemon.pid());
    let begin = Instant::now();
    let mut id = 1;
    while begin.elapsed() < Duration::from_secs(1) {
        emit(&mut healthy, id);
        id += 1;
        pause(Duration::from_millis(20));
    }
    let used = processor_time(daemon.pid()) - before;
    assert!(used < begin.elapsed() / 2, "it spins: {used:?} of the processor in a second");
    drop(crowd);
    let mut late = Client::new(&daemon.home());
    emit(&mut late, id);
    assert_eq!(late.repeats, 0, "it accepts again");
    let count = late.ask("event.count", &json!({}));
    assert_eq!(count["count"], id + 1);
}

fn write_program(path: &PathBuf, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// What a process has used of the processors, in clock ticks of ten milliseconds.
fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}
