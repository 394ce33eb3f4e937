//! Parts of the log are followed by themselves: first their past, however far away, then as they
//! come, without a gap or a repeat.

use aiflow_model::{LoggedRecord, RunId};
use aiflow_test_support::{Daemon, wait_until};
use serde_json::{Value, json};

const DEFINITION: &str = "workflow: w\ntasks:\n  keep: {kind: stream, bash: 'exec sleep 1000'}\n  each: {bash: 'true', overlap: queue, start: {on: go}}\n";

fn emit(daemon: &Daemon, ids: std::ops::Range<u64>) {
    let mut socket = daemon.socket();
    for id in ids {
        let event = json!({"key": "other", "source": "s", "id": id.to_string()});
        socket.call("emit", &event).unwrap();
    }
}

/// Records of the notifications up to the one that covers `until`.
fn follow(daemon: &Daemon, params: &Value, until: u64) -> (Vec<Value>, usize) {
    let mut socket = daemon.socket();
    let mut next = socket.call("follow", params).unwrap()["next"].as_u64().unwrap();
    let (mut records, mut notifications) = (Vec::new(), 0);
    while next < until {
        let notification = socket.receive();
        assert_eq!(notification["method"], "records", "{notification}");
        let params = &notification["params"];
        records.extend(params["records"].as_array().unwrap().iter().cloned());
        next = params["next"].as_u64().unwrap();
        notifications += 1;
    }
    (records, notifications)
}

fn end(daemon: &Daemon) -> u64 {
    daemon.socket().call("daemon.status", &json!({})).unwrap()["durable"].as_u64().unwrap()
}

/// What the whole log holds of a run, by following all of it.
fn of_run(daemon: &Daemon, run: u64, until: u64) -> Vec<Value> {
    let (all, _) = follow(daemon, &json!({"from": 0}), until);
    assert!(all.iter().map(|record| record["offset"].as_u64().unwrap()).eq(0..until));
    let is_of_run = |record: &Value| {
        let logged: LoggedRecord = serde_json::from_value(record.clone()).unwrap();
        logged.record.run() == Some(RunId(run))
    };
    all.into_iter().filter(is_of_run).collect()
}

#[test]
fn the_stream_of_a_run_is_all_that_is_about_it() {
    let daemon = Daemon::start();
    let first = daemon.start_run(DEFINITION);
    let second = daemon.start_run(DEFINITION);
    emit(&daemon, 0..3000);
    daemon.ok(&["emit", "go", "--execution", &second.to_string()]);
    daemon.wait_for(second, "each", 1, "success");
    emit(&daemon, 3000..6000);
    daemon.ok(&["emit", "go", "--execution", &first.to_string()]);
    daemon.wait_for(first, "each", 1, "success");

    for run in [first, second] {
        let until = end(&daemon);
        let (records, notifications) = follow(&daemon, &json!({"from": 0, "run": run}), until);
        assert_eq!(records, of_run(&daemon, run, until));
        assert!(records.len() > 8, "{records:?}");
        assert!(notifications < 12, "{notifications}: the index passes what is not of the run");
    }

    let mut listener =
        daemon.aiflow(&["-o", "json", "workflow-execution", "listen", &first.to_string()]);
    let mut child = listener.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert!(next()["record"]["RunStarted"].is_object());
    daemon.ok(&["workflow-execution", "stop", &first.to_string()]);
    wait_until("the end of the run is told", || {
        (next()["record"]["RunFinished"]["run"] == first).then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_rare_key_is_followed_over_a_long_past() {
    let daemon = Daemon::start();
    daemon.ok(&["emit", "rare", "1"]);
    emit(&daemon, 0..5000);
    daemon.ok(&["emit", "rare", "2"]);
    emit(&daemon, 5000..9000);
    let wanted = json!({"from": 0, "events_in": "default", "key": "rare"});
    let (records, notifications) = follow(&daemon, &wanted, end(&daemon));
    let values: Vec<&Value> =
        records.iter().map(|record| &record["record"]["EventEmitted"]["value"]).collect();
    assert_eq!(values, [&json!(1), &json!(2)]);
    assert!(notifications < 9, "{notifications}");

    // Live, a little at a time: what the follower knows to be covered moves on all the same.
    let begin = end(&daemon);
    let mut socket = daemon.socket();
    socket.call("follow", &json!({"from": begin, "events_in": "default", "key": "rare"})).unwrap();
    emit(&daemon, 9000..11_000);
    let told = socket.receive();
    assert_eq!(told["params"]["records"], json!([]));
    assert!(told["params"]["next"].as_u64().unwrap() >= begin + 1000, "{told}");

    let both = json!({"from": 0, "events_in": "default", "run": 1});
    let refused = daemon.socket().call("follow", &both).unwrap_err();
    assert_eq!(refused["code"], "E0004", "{refused}");
}
