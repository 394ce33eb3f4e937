//! Another user on the same host: refused before a byte is read, also where the directory lets him
//! through; and links that are put in the way of the daemon's own directories.
//!
//! Needs root, to be another user; says so on standard error where it is skipped.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use aiflow_model::AttemptId;
use aiflow_model::wire::Call;
use aiflow_test_support::{Daemon, pause, wait_until};
use serde_json::json;

/// The user and group that stand for a stranger.
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        let _ = writeln!(std::io::stderr(), "SKIPPED: only root can be another user");
    }
    is_root
}

/// A client of another user: what it was answered; none when it could not connect.
fn as_nobody(daemon: &Daemon, input: &str) -> Option<String> {
    // Where everybody may run it.
    let program = daemon.scratch().join("stranger");
    if !program.exists() {
        std::fs::copy(env!("CARGO_BIN_EXE_trial-task"), &program).unwrap();
    }
    let mut child = Command::new(program)
        .arg("stranger")
        .arg(daemon.home().join("aiflow.sock"))
        .uid(NOBODY)
        .gid(NOBODY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It may be gone before it has read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    match output.status.code() {
        Some(0) => Some(String::from_utf8(output.stdout).unwrap()),
        code => {
            assert_eq!(code, Some(9), "it ran and could not connect");
            None
        }
    }
}

fn open_to_all(path: &Path) {
    let mode = if path.is_dir() { 0o755 } else { 0o666 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn another_user_is_refused_before_a_byte_is_read() {
    if !is_root() {
        return;
    }
    let daemon = Daemon::start();
    let socket = daemon.home().join("aiflow.sock");
    let before = daemon.ok(&["event", "count"]);
    open_to_all(daemon.scratch());
    assert_eq!(as_nobody(&daemon, ""), None, "the directory is private");
    // As if an administrator had opened the home: the peer's uid is what counts.
    open_to_all(&daemon.home());
    assert_eq!(as_nobody(&daemon, ""), None, "the socket is private");
    open_to_all(&socket);
    let known = |verb: &str| format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{verb}\"}}\n");
    let inputs: Vec<String> = Call::METHODS.iter().copied().map(known).collect();
    for input in inputs.iter().map(String::as_str).chain(["", "x\n", "{", "\n\n\n"]) {
        assert_eq!(as_nobody(&daemon, input).as_deref(), Some(""), "{input} got an answer");
    }
    // An answer to what is no request would have shown that somebody had read it; the same from its
    // own user has one.
    let mut own = daemon.socket();
    own.send(b"x\n");
    assert_eq!(own.receive()["error"]["data"]["code"], "E0001");
    assert_eq!(daemon.ok(&["event", "count"]), before);
    assert!(daemon.errors().contains("a connection of another user was refused"));
}

#[test]
fn links_in_the_way_of_the_daemons_directories_lead_nowhere() {
    let tries = std::env::var("AIFLOW_LINK_TRIES").ok().map_or(2_000, |text| text.parse().unwrap());
    let daemon = Daemon::start();
    let target = daemon.scratch().join("target");
    std::fs::create_dir(&target).unwrap();
    let run = daemon.start_run(
        "workflow: w\ntasks:\n  keep: {kind: stream, exec: [sleep, \"1000\"]}\n  \
         each: {exec: [\"true\"], parallel: 4, overlap: queue, start: {on: go}}\n",
    );
    daemon.wait_for(run, "keep", 1, "running");
    let attempts = daemon.home().join(format!("runs/{run}/attempts"));
    let (is_over, placed) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Whatever is launched next finds a link in its place, at once or at any later moment.
            let mut next = 1;
            while !is_over.load(Ordering::Relaxed) {
                let id: AttemptId = format!("{run}.each.{next}.1").parse().unwrap();
                let name = format!("each.{}.{}", id.execution.sequence, id.number);
                if symlink(&target, attempts.join(&name)).is_ok() {
                    placed.fetch_add(1, Ordering::Relaxed);
                }
                let made = attempts.join(&name);
                if !made.is_symlink() {
                    for file in ["exit", "exit.new", "released", "released.new", "output.log"] {
                        let _ = symlink(target.join(file), made.join(file));
                    }
                }
                next = if next >= tries { 1 } else { next + 1 };
            }
        });
        let mut socket = daemon.socket();
        for id in 0..tries {
            let event = json!({"key": "go", "source": "t", "id": id.to_string()});
            socket.call("emit", &event).unwrap();
        }
        wait_until("some have ended", || {
            let count = daemon.socket().call("execution.show", &json!({"run": run})).unwrap();
            let ended = &count["ended"];
            let ended: u64 = ["success", "failed"].iter().filter_map(|w| ended[w].as_u64()).sum();
            pause(Duration::from_millis(50));
            (ended >= tries / 4).then_some(())
        });
        is_over.store(true, Ordering::Relaxed);
    });
    let leaked: Vec<_> = std::fs::read_dir(&target).unwrap().flatten().collect();
    assert!(leaked.is_empty(), "something was written behind a link: {leaked:?}");
    let placed = placed.into_inner();
    let _ = writeln!(std::io::stderr(), "{placed} links put in the way of {tries} attempts");
    assert!(placed > 0, "no link was in time");
    assert_eq!(daemon.executions(run)[0]["status"], "running", "the daemon goes on");
}
