//! How things stood, asked of a daemon that has snapshots, dropped nothing and was killed between,
//! beside what another program folds from the whole of a copied log.

use std::process::Command;

use aiflow_test_support::{Daemon, program, run};
use serde_json::{Value, json};

const DEFINITION: &str = "\
workflow: w
tasks:
  keep: {kind: stream, bash: 'exec sleep 1000'}
  each: {bash: 'true', overlap: queue, start: {count: {of: {on: go}, n: 3}}}
  fail: {bash: 'exit 1', start: {after: each}, retry: {attempts: 2, backoff: 1ms}}
  hourly: {bash: 'true', start: {every: 1h, clock: {watermark: [mark]}}}
";

/// A daemon with a history of its own, killed and started again in the middle of it.
fn lived() -> Daemon {
    let mut daemon = Daemon::on_fresh_home();
    let small = ["--snapshot-every", "100", "--segment-bytes", "16KiB"];
    daemon.resume_with(&small);
    let mut runs = vec![daemon.start_run(DEFINITION)];
    for round in 0..3 {
        for event in 0..12 {
            let mark = format!("\"2013-01-0{}T{:02}:30:00Z\"", round + 1, event);
            daemon.ok(&["emit", "go"]);
            daemon.ok(&["emit", "mark", &mark]);
        }
        if round == 1 {
            daemon.kill();
            daemon.resume_with(&small);
            runs.push(daemon.start_run(DEFINITION));
            daemon.ok(&["workflow-execution", "stop", "1"]);
        }
    }
    daemon.wait_for(runs[1], "each", 4, "success");
    daemon
}

#[test]
fn the_state_at_a_hundred_random_offsets_is_that_of_a_whole_fold() {
    let daemon = lived();
    let mut socket = daemon.socket();
    let end = socket.call("daemon.status", &json!({})).unwrap()["durable"].as_u64().unwrap();
    let copy = daemon.scratch().join("copy");
    // Of a log that is being written, as a backup would be.
    let copied = run(Command::new("cp").arg("-r").arg(daemon.home()).arg(&copy));
    assert_eq!(copied.code, 0, "{}", copied.stderr);
    let mut random = 0x5EED_u64;
    let mut offsets: Vec<u64> = (0..100)
        .map(|_| {
            random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            (random >> 33) % (end + 1)
        })
        .collect();
    offsets[0] = end;
    offsets[1] = 0;
    assert!(end > 300, "{end}");
    for at in offsets {
        let told = socket.call("state.at", &json!({"offset": at})).unwrap();
        let mut command = Command::new(program("aiflowd"));
        command.args(["log", "replay", "--json", "--at", &at.to_string()]).arg(&copy);
        let replayed = run(&mut command);
        assert_eq!(replayed.code, 0, "at {at}: {}", replayed.stderr);
        let folded: Value = serde_json::from_str(&replayed.stdout).unwrap();
        assert_eq!(folded["from"], 0, "the whole log is folded");
        assert_eq!((&told["at"], &folded["at"]), (&json!(at), &json!(at)));
        assert!(told["state"] == folded["state"], "at {at}");
    }
}
