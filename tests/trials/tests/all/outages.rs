//! The published trial on which other orchestrators lost starts: 100 events, three kills of the
//! server, each event starts a task; and tasks that live on while the daemon is killed or replaced.
//!
//! `AIFLOW_OUTAGE_GAP_MS=500 cargo test -p aiflow-trials outages`: the events as far apart as
//! there.

use std::time::{Duration, Instant};

use aiflow_test_support::{Daemon, Kind, pause, program, wait_until};
use serde_json::{Value, json};

use crate::client::Client;

const EVENTS: usize = 100;
const KILLS: usize = 3;

/// Events so far apart; the daemon is killed three times meanwhile and stays away for a while.
fn hundred_events(gap: Duration, away: Duration) {
    let mut daemon = Daemon::start();
    let witness = daemon.scratch().join("witness");
    let run = daemon.start_run(&format!(
        "workflow: w\ntasks:\n  keep: {{kind: stream, exec: [sleep, \"1000\"]}}\n  \
         each: {{bash: 'echo $AIFLOW_ATTEMPT_ID >> {}', overlap: queue, start: {{on: go}}}}\n",
        witness.display()
    ));
    let home = daemon.home();
    let emitter = std::thread::spawn(move || {
        let mut client = Client::new(&home);
        let begin = Instant::now();
        for number in 0..EVENTS {
            // At its time, however long the daemon was away.
            pause((gap * u32::try_from(number).unwrap()).saturating_sub(begin.elapsed()));
            let id = number.to_string();
            client.ask("emit", &json!({"key": "go", "value": number, "source": "t", "id": id}));
        }
    });
    for kill in 1..=KILLS {
        let taken = kill * EVENTS / (KILLS + 1);
        wait_until("so many events are taken", || {
            let count = Client::new(&daemon.home()).ask("event.count", &json!({}));
            (count["count"].as_u64()? >= taken as u64).then_some(())
        });
        daemon.kill();
        pause(away);
        daemon.resume();
    }
    emitter.join().unwrap();
    daemon.wait_for(run, "each", EVENTS as u64, "success");
    let each = |view: &Value| view["task"] == "each";
    let views: Vec<_> = daemon.executions(run).into_iter().filter(each).collect();
    assert_eq!(views.len(), EVENTS);
    assert!(views.iter().all(|view| view["status"] == "success"), "{views:?}");
    let expected: Vec<String> = (1..=EVENTS).map(|n| format!("{run}.each.{n}")).collect();
    let ran = std::fs::read_to_string(witness).unwrap();
    // An attempt that a kill kept from its start is followed by another.
    let ran: Vec<&str> = ran.lines().map(|id| id.rsplit_once('.').unwrap().0).collect();
    assert_eq!(ran, expected, "each event started its task once, in order");
    let values = daemon.socket().call("event.list", &json!({"limit": 1000})).unwrap();
    let values = values["events"].as_array().unwrap().iter().map(|event| event["value"].as_u64());
    assert_eq!(values.map(Option::unwrap).collect::<Vec<_>>(), (0..100).collect::<Vec<u64>>());
}

#[test]
fn a_hundred_events_apart_start_a_hundred_tasks_in_order() {
    let gap = std::env::var("AIFLOW_OUTAGE_GAP_MS").ok();
    let gap = gap.map_or(20, |text| text.parse().unwrap());
    hundred_events(Duration::from_millis(gap), Duration::from_millis(gap * 4));
}

#[test]
fn a_hundred_events_back_to_back_start_a_hundred_tasks_in_order() {
    hundred_events(Duration::ZERO, Duration::from_millis(20));
}

fn pid(view: &Value) -> u64 {
    view["attempts"].as_array().unwrap().last().unwrap()["pid"].as_u64().unwrap()
}

/// State and parent of a process; none when it is gone.
fn state_of(pid: u64) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().next().map(str::to_owned)
}

#[test]
fn tasks_live_through_kills_and_an_upgrade_and_end_with_their_true_status() {
    let mut daemon = Daemon::start();
    let gate = daemon.scratch().join("gate");
    let run = daemon.start_run(&format!(
        "workflow: w\ntasks:\n  \
         sleeps: {{exec: [sleep, \"60\"], grace: 1s}}\n  \
         loops: {{bash: 'while :; do :; done', grace: 1s}}\n  \
         ends: {{bash: 'while [ ! -e {} ]; do sleep 0.02; done; exit 7'}}\n",
        gate.display()
    ));
    let tasks = ["sleeps", "loops", "ends"];
    let pids = |daemon: &Daemon| tasks.map(|task| pid(&daemon.wait_for(run, task, 1, "running")));
    let before = pids(&daemon);

    // The same programs elsewhere, as an upgrade would put them.
    let upgraded = daemon.scratch().join("upgraded");
    std::fs::create_dir(&upgraded).unwrap();
    for name in ["aiflowd", "aiflow-shim"] {
        std::fs::copy(program(name), upgraded.join(name)).unwrap();
    }
    for next in [program("aiflowd"), upgraded.join("aiflowd")] {
        daemon.kill();
        daemon.spawn(&next, &[]);
        daemon.wait_until_ready();
        assert_eq!(pids(&daemon), before, "the same processes, one attempt each");
        for view in daemon.executions(run) {
            assert_eq!(view["attempts"].as_array().unwrap().len(), 1, "{view}");
        }
    }
    // An upgrade that stops the old one first, as a service manager does.
    daemon.socket().call("daemon.stop", &json!({})).unwrap();
    assert_eq!(daemon.wait(), 0);
    assert!(before.iter().all(|pid| state_of(*pid).is_some_and(|state| state != "Z")));
    daemon.spawn(&upgraded.join("aiflowd"), &[]);
    daemon.wait_until_ready();
    assert_eq!(pids(&daemon), before);

    std::fs::write(&gate, "").unwrap();
    let ended = daemon.wait_for(run, "ends", 1, "failed");
    assert_eq!(ended["attempts"][0]["exit_code"], 7, "{ended}");
    for task in ["sleeps", "loops"] {
        daemon.socket().call("task.stop", &json!({"run": run, "task": task})).unwrap();
        let stopped = daemon.wait_for(run, task, 1, "stopped");
        assert_eq!(stopped["attempts"][0]["signal"], 15, "{stopped}");
    }
    assert!(before.iter().all(|pid| state_of(*pid).is_none()), "all are gone");
    // A task that is started now runs under the new shim.
    daemon.start_run("workflow: v\ntasks: {t: {exec: [sleep, \"50\"]}}");
    let shim = wait_until("a new shim runs", || {
        let processes = aiflow_test_support::processes_of(&daemon.home());
        processes.into_iter().find(|process| process.kind == Kind::Shim)
    });
    let path = std::fs::read_link(format!("/proc/{}/exe", shim.pid)).unwrap();
    assert_eq!(path, upgraded.canonicalize().unwrap().join("aiflow-shim"));
}
